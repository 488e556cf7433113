"""If these fail, a program that asks with ``--json`` gets an empty answer where a person gets a message."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


@pytest.mark.parametrize("command", [("plan", "nowhere"), ("prove", "--nft", "/nowhere"), ("region", "new", "x")], ids=" ".join)
def test_an_error_is_a_document_too(command: tuple[str, ...]) -> None:
    done = subprocess.run([sys.executable, "-m", "curtilage.cli", *command, "--json"], capture_output=True, text=True, check=False)
    answer = json.loads(done.stdout)
    assert answer["exit_code"] == done.returncode == 2
    assert answer["error"] in done.stderr
    assert "fix:" in answer["error"]


def test_a_person_gets_the_message_alone() -> None:
    done = subprocess.run([sys.executable, "-m", "curtilage.cli", "plan", "nowhere"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
