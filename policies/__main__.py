"""Builds the pack. Importing this module serves it and blocks, so nothing else lives here."""

import sys
from pathlib import Path

from pulumi_policy import EnforcementLevel, PolicyPack

# Run as a directory (`python .`), the checkout is not on the path; the pack must judge with the checkout's own code.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from policies.rules import RULES

PolicyPack(name="curtilage", enforcement_level=EnforcementLevel.MANDATORY, policies=[rule.policy() for rule in RULES])
