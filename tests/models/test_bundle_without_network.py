"""If these fail, a bundle needs a network to be loaded, or a killed load leaves half of it behind.

Loads run in a namespace whose only interface is a loopback that is down.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from curtilage.audit.note import Signer
from curtilage.bundle.build import Source, build
from curtilage.bundle.manifest import Kind
from curtilage.finetune.airgap import unshare_command
from curtilage.paths import CHECKOUT
from tests.models.needs import lacks

PARTS = 6


LACKS = lacks()
pytestmark = pytest.mark.skipif(bool(LACKS), reason=LACKS or "never")


class Far:
    """The far side: its own cache and state, no network."""

    def __init__(self, root: Path) -> None:
        self.root, self.bundle, self.key = root, root / "bundle", root / "bundle.key"
        signer = Signer.generate("test/bundle")
        signer.save(self.key)
        self.sources = []
        for index in range(PARTS):
            directory = root / f"source-{index}"
            directory.mkdir()
            for number in range(150):
                (directory / f"f{number}").write_bytes(os.urandom(20_000))
            self.sources.append(Source(Kind.TREE, f"tree-{index}", directory))
        build(self.sources, [], self.bundle, region="lab", signer=signer, say=lambda _: None)
        self.environment = {**os.environ, "CURTILAGE_CACHE": str(root / "cache"), "CURTILAGE_STATE": str(root / "state")}

    def command(self, verb: str) -> list[str]:
        public = self.key.with_suffix(".pub")
        return [sys.executable, "-m", "curtilage", "bundle", verb, "lab", "--bundle", str(self.bundle), "--key", str(public)]

    def run(self, verb: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*unshare_command(), *self.command(verb)], env=self.environment, cwd=CHECKOUT, capture_output=True, text=True,
                              timeout=120, check=False)  # fmt: skip

    def whole(self) -> list[str]:
        """Parts that have their names; each must then be whole."""
        found = sorted(path.name for path in (self.root / "cache" / "trees").glob("tree-*"))
        for name in found:
            source = self.root / name.replace("tree", "source")
            for path in source.iterdir():
                assert (self.root / "cache" / "trees" / name / path.name).read_bytes() == path.read_bytes()
        return found


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Far:
    return Far(tmp_path_factory.mktemp("far"))


def test_the_namespace_of_these_tests_has_no_network() -> None:
    script = "import socket; print([n for _, n in socket.if_nameindex()]); socket.create_connection(('127.0.0.1', 9), 1)"
    done = subprocess.run([*unshare_command(), sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "['lo']"
    assert "Network is unreachable" in done.stderr


def test_a_bundle_is_verified_and_loaded_without_a_network_and_a_killed_load_goes_on(far: Far) -> None:
    assert far.run("verify").returncode == 0
    trees = far.root / "cache" / "trees"
    process = subprocess.Popen(far.command("load"), env=far.environment, cwd=CHECKOUT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(trees.glob(".loading-*/part/f100")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    assert process.returncode == -signal.SIGKILL, "the load ended before it could be killed"
    assert far.whole() == [], "nothing has its name before everything is laid out"
    done = far.run("load")
    assert done.returncode == 0, done.stderr
    assert "interrupted load left" in done.stderr
    assert len(far.whole()) == PARTS
    assert not list(trees.glob(".loading-*"))


def test_one_flipped_byte_is_refused_with_its_reason(far: Far) -> None:
    chunk = min((far.bundle / "chunks").iterdir())
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    spoilt, whole = bytes(content), chunk.read_bytes()
    chunk.write_bytes(spoilt)
    try:
        done = far.run("load")
        assert (done.returncode, "changed chunk" in done.stderr, "Traceback" in done.stderr) == (1, True, False), done.stderr
        assert far.run("verify").returncode == 1
    finally:
        chunk.write_bytes(whole)
