"""A region on AWS whose models were imported: its stack file names digests, so it can be applied, by stand-ins alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from curtilage.engine import Engine
from curtilage.plugins import STANDIN
from curtilage.region import load_region
from tests.checkouts import copy_checkout

NAME = "de-frankfurt"
_DIGEST = "sha256:" + "a" * 64


def imported_engine(folder: Path) -> Engine:
    """The region's engine on a copy of the checkout; skips where an official plugin would reach for an account.

    Args:
        folder: an empty directory for the copy and the state.
    """
    checkout = copy_checkout(folder)
    file = checkout / "stacks" / f"Pulumi.{NAME}.yaml"
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    region = document["config"]["curtilage:region"]
    registry = region["kubernetes"]["registry"]
    region["kubernetes"]["curtilage_image"] = f"{registry}/curtilage@{_DIGEST}"
    region["aws"]["device_plugin_image"] = f"{registry}/device-plugin@{_DIGEST}"
    for model in region["models"]:
        model |= {"image": f"{registry}/vllm@{_DIGEST}", "weights": _DIGEST}
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    found = Engine(load_region(file), checkout=checkout, state=folder / "state")
    if any(item.kind != STANDIN for item in found.plugins):
        pytest.skip("NOT-RUN: an official plugin is installed, and would reach for an account")
    return found
