"""Make compliance-trestle's own environment in the cache, from its hash-locked list, and run the tests that need it.

It stays out of ours: it pins what we do not want pinned, and brings licences that the product does not ship.
"""

from __future__ import annotations

import os
import subprocess
import sys

from curtilage.paths import CHECKOUT, cache_dir

LOCK = CHECKOUT / "tools" / "trestle.lock"
TESTS = "tests/render/evidence/test_documents.py"


def main() -> int:
    """Make it when it is missing, then test with it."""
    home = cache_dir() / "tools" / "trestle"
    python = home / "bin" / "python"
    if not python.is_file():
        home.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(LOCK)], check=True)
    command = [sys.executable, "-m", "pytest", "-q", TESTS, "-k", "trestle"]
    return subprocess.run(command, cwd=CHECKOUT, env={**os.environ, "CURTILAGE_TRESTLE_PYTHON": str(python)}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main() if len(sys.argv) == 1 else 2)
