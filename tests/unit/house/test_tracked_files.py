"""If this fails, a clone carries what a tool wrote on somebody's machine, with that machine's paths in it."""

from __future__ import annotations

import re
import subprocess

import pytest

from curtilage.paths import CHECKOUT

pytestmark = pytest.mark.skipif(not (CHECKOUT / ".git").exists(), reason="NOT-RUN: this is no git checkout")

# A home directory (made-up ones in examples are /home/me and /home/other), or a scratch directory as `tempfile` and `mktemp` name them.
MACHINE_PATH = re.compile(
    r"""(?:^|[\s"'=(:])(?:/(?:root|home/(?!(?:me|other)/)[a-z_][\w-]*)/[\w.]|/tmp/(?:tmp[a-z0-9_]{8}|tmp\.\w{10})\b)""", re.MULTILINE
)


def listed(*options: str) -> list[str]:
    done = subprocess.run(["git", "ls-files", "-z", *options], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    return [name for name in done.stdout.split("\0") if name]


def test_nothing_that_is_ignored_is_tracked() -> None:
    assert listed("--cached", "--ignored", "--exclude-standard") == []


def test_no_tracked_file_names_a_path_of_the_machine_it_was_made_on() -> None:
    files = listed()
    assert files
    found = {}
    for name in files:
        path = CHECKOUT / name
        if path.is_file() and (match := MACHINE_PATH.search(path.read_bytes().decode("utf-8", "replace"))):
            found[name] = match.group(0)
    assert found == {}


@pytest.mark.parametrize(("before", "path"), [('"ca": "', "tmp/tmphs194zal/g/ca.pem"), ("see ", "home/someone/notes"), ("HOME=", "root/x")])
def test_a_machines_path_is_recognised(before: str, path: str) -> None:
    # In two parts, or this very file would be found.
    assert MACHINE_PATH.search(f"{before}/{path}")
