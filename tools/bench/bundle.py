"""Bundle speed against the disk's own: build and load of the same bytes as a plain copy that is flushed, in one run, in turns.

Prints one JSON document; exit 1 when building or loading falls below the promised share of the copy's speed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from curtilage.audit.note import Signer
from curtilage.bundle.build import Source, build
from curtilage.bundle.load import load
from curtilage.bundle.manifest import Kind

PROMISED_SHARE = 0.8
FILES = 8


def seconds(action: Callable[[], object]) -> float:
    """How long it takes until it is on the disk."""
    os.sync()
    began = time.monotonic()
    action()
    os.sync()
    return time.monotonic() - began


def main() -> int:
    """Measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--gib", type=float, default=2.0, help="how much is carried")
    parser.add_argument("--rounds", type=int, default=3, help="the median of so many rounds counts")
    parser.add_argument("--directory", type=Path, help="on which disk")
    chosen = parser.parse_args()
    size = int(chosen.gib * (1 << 30)) // FILES
    with tempfile.TemporaryDirectory(prefix="curtilage-bench-", dir=chosen.directory) as name:
        root = Path(name)
        (root / "source").mkdir()
        for index in range(FILES):
            with (root / "source" / f"{index}.safetensors").open("wb") as stream:
                for _ in range(size >> 20):
                    stream.write(os.urandom(1 << 20))
        os.environ |= {"CURTILAGE_CACHE": str(root / "cache"), "CURTILAGE_STATE": str(root / "state")}
        signer = Signer.generate("bench/bundle")
        sources = [Source(Kind.TREE, "weights", root / "source")]
        rounds: dict[str, list[float]] = {"copy": [], "build": [], "load": []}
        for _ in range(chosen.rounds):
            for place in ("copy", "bundle", "cache", "state"):
                shutil.rmtree(root / place, ignore_errors=True)
            rounds["copy"].append(seconds(lambda: subprocess.run(["cp", "-r", str(root / "source"), str(root / "copy")], check=True)))
            rounds["build"].append(seconds(lambda: build(sources, [], root / "bundle", region="lab", signer=signer, say=lambda _: None)))
            rounds["load"].append(seconds(lambda: load(root / "bundle", signer.verifier, "lab", lambda _: None)))
    carried = size * FILES
    speeds = {what: carried / sorted(each)[len(each) // 2] / 1e6 for what, each in rounds.items()}
    shares = {what: round(speeds[what] / speeds["copy"], 2) for what in ("build", "load")}
    found = {
        "bytes": carried,
        "megabytes_a_second": {what: round(speed) for what, speed in speeds.items()},
        "share_of_copy": shares,
        "promised_share": PROMISED_SHARE,
        "load_average": round(os.getloadavg()[0], 1),
        "rounds": chosen.rounds,
    }
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    return 0 if min(shares.values()) >= PROMISED_SHARE else 1


if __name__ == "__main__":
    raise SystemExit(main())
