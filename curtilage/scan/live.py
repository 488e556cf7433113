"""The live mode: retrieve an org's metadata with the ``sf`` CLI and its own login, into a directory that is scanned and removed.

Nothing is sent anywhere but by ``sf``; the CLI's credentials are never read here.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from curtilage.errors import MachineError, StepError

TYPES = (
    "ApexClass",
    "ApexTrigger",
    "ApexPage",
    "ApexComponent",
    "AuraDefinitionBundle",
    "LightningComponentBundle",
    "StaticResource",
    "RemoteSiteSetting",
    "CspTrustedSite",
    "NamedCredential",
    "ExternalCredential",
    "ExternalServiceRegistration",
    "ExternalDataSource",
    "Flow",
    "Workflow",
    "EventRelayConfig",
    "ConnectedApp",
    "ExternalClientApplication",
    "InstalledPackage",
    "GenAiPromptTemplate",
    "GenAiPlannerBundle",
    "GenAiPlugin",
    "GenAiFunction",
    "Bot",
    "BotVersion",
    "CustomObject",
    "CustomMetadata",
    "CustomLabels",
    "Settings",
)
_SECONDS = 1800


@contextmanager
def retrieved(org: str) -> Iterator[Path]:
    """A directory with an org's metadata; gone afterwards."""
    sf = shutil.which("sf")
    if sf is None:
        raise MachineError(
            "the `sf` command is not on PATH\n  fix:  npm install --global @salesforce/cli, then sf org login web --alias " + org
        )
    with tempfile.TemporaryDirectory(prefix="curtilage-scan-") as directory:
        root = Path(directory)
        (root / "force-app").mkdir()
        (root / "sfdx-project.json").write_text('{"packageDirectories":[{"path":"force-app","default":true}]}\n')
        command = [sf, "project", "retrieve", "start", "--target-org", org, "--json"]
        for kind in TYPES:
            command += ["--metadata", kind]
        try:
            done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise StepError(
                "sf project retrieve", f"no answer in {_SECONDS} seconds", fix="retrieve into a directory yourself, and scan that"
            ) from None
        if done.returncode != 0:
            tail = (done.stdout + done.stderr).strip()[-800:]
            raise StepError("sf project retrieve", tail, fix=f"check `sf org display --target-org {org}`")
        yield root
