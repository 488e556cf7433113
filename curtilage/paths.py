"""Where Curtilage keeps things. Every path a command writes to comes from here.

* the checkout: read only, but for ``out/`` (what a user keeps: evidence, reports) and ``.state/`` (Pulumi state, run journals);
* the cache: what is dear and can be made again (engine, base filesystem, runtimes), keyed by the digest of what makes it;
* the lab directory: the running lab; removed by ``make down``.
"""

from __future__ import annotations

import os
from pathlib import Path

from curtilage.errors import MachineError

CHECKOUT = Path(__file__).resolve().parent.parent


def cache_dir() -> Path:
    """``$CURTILAGE_CACHE`` or ``~/.cache/curtilage``."""
    return Path(os.environ.get("CURTILAGE_CACHE") or Path.home() / ".cache" / "curtilage")


def state_dir() -> Path:
    """``$CURTILAGE_STATE`` or ``.state/`` in the checkout: Pulumi state, run journals, keys of the lab. Mode 0700."""
    return _made(Path(os.environ.get("CURTILAGE_STATE") or CHECKOUT / ".state"), "CURTILAGE_STATE", mode=0o700)


def out_dir() -> Path:
    """``$CURTILAGE_OUT`` or ``out/`` in the checkout: evidence bundles and reports."""
    return _made(Path(os.environ.get("CURTILAGE_OUT") or CHECKOUT / "out"), "CURTILAGE_OUT", mode=0o755)


def _made(path: Path, variable: str, *, mode: int) -> Path:
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise MachineError(f"{path} cannot be made: {error.strerror}\n  fix:  export {variable}=DIRECTORY that you may write") from error
    return path


def lab_dir() -> Path:
    """``/var/lib/curtilage/lab``: one machine runs one lab, whichever checkout started it."""
    return Path("/var/lib/curtilage/lab")


def cluster_dir() -> Path:
    """``/var/lib/curtilage/kubernetes``: the lab's cluster; removed by ``make down-k8s``."""
    return Path("/var/lib/curtilage/kubernetes")
