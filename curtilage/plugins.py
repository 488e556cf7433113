"""Which provider plugins the engine is given: the official one where it is installed, else the stand-in, which is always said.

The engine takes a plugin from PATH before all others, so the choice is a directory on its PATH. A wheel has no stand-ins: there the
official plugins must be installed.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from curtilage.paths import CHECKOUT
from curtilage.region import Platform

STANDINS = CHECKOUT / "lab" / "providers" / "bin"
OFFICIAL, STANDIN, MISSING = "official", "stand-in", "missing"
NEEDED: dict[Platform, tuple[str, ...]] = {
    Platform.HOSTS: (),
    Platform.KUBERNETES: ("kubernetes",),
    Platform.AWS: ("aws", "kubernetes"),
}


@dataclass(frozen=True)
class Plugin:
    """A provider's plugin.

    Attributes:
        kind: ``official``, ``stand-in``, or ``missing``.
        directory: where its executable lies.
    """

    name: str
    kind: str
    directory: Path | None


def plugins(platform: Platform, *, path: str | None = None, home: Path | None = None) -> tuple[Plugin, ...]:
    """The plugin of each provider that a platform needs.

    Args:
        platform: the region's platform.
        path: instead of PATH.
        home: instead of the operator's own Pulumi home.
    """
    return tuple(_plugin(name, path, home) for name in NEEDED[platform])


def _plugin(name: str, path: str | None, home: Path | None) -> Plugin:
    executable = f"pulumi-resource-{name}"
    found = shutil.which(executable, path=path)
    if found and Path(found).resolve().parent != STANDINS:
        return Plugin(name, OFFICIAL, Path(found).parent)
    root = (home or Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")) / "plugins"
    installed = [item for item in root.glob(f"resource-{name}-v*") if (item / executable).is_file()]
    if installed:
        return Plugin(name, OFFICIAL, max(installed, key=lambda item: _version(item.name)))
    if (STANDINS / executable).is_file():
        return Plugin(name, STANDIN, STANDINS)
    return Plugin(name, MISSING, None)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text.rsplit("-v", 1)[-1].split("-")[0]))
