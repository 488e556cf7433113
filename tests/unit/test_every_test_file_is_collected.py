"""If this fails, a test file exists that nobody runs: it proves nothing, and looks as if it did."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from curtilage.paths import CHECKOUT

TESTS = CHECKOUT / "tests"


def files_with_tests() -> set[str]:
    """Every Python file under tests/ that defines a test, whatever its name."""
    return {
        path.relative_to(CHECKOUT).as_posix()
        for path in TESTS.rglob("*.py")
        if path.name.startswith("test_") or re.search(r"^\s*(async )?def test_", path.read_text(), re.MULTILINE)
    }


def test_every_test_file_is_collected(request: pytest.FixtureRequest) -> None:
    here = {item.path.relative_to(CHECKOUT).as_posix() for item in request.session.items}
    elsewhere = files_with_tests() - here  # this run collected its own; only the rest is asked for
    tiers = sorted({"/".join(name.split("/")[:2]) for name in elsewhere})
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *tiers],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    collected = {line.split("::")[0] for line in done.stdout.splitlines() if "::" in line}
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert elsewhere - collected == set(), "these files hold tests that pytest does not collect"


def test_every_tier_is_run_by_the_test_command() -> None:
    script = (CHECKOUT / "tools" / "test.sh").read_text()
    named = re.search(r"TIERS=\(([^)]*)\)", script)
    assert named is not None
    tiers = {path.name for path in TESTS.iterdir() if path.is_dir() and any(path.rglob("test_*.py"))}
    assert tiers - {*named.group(1).split(), "lab"} == set(), "`make test` does not run these directories under tests/"
