"""Fetch the programs of others that tests hold our output against, so that those tests run instead of being skipped.

Chromium (Debian) opens the report page, axe-core (npm) judges its accessibility, compliance-trestle (Python) reads the OSCAL documents,
Keycloak (Maven) is the identity provider whose tokens the gateway is asked to believe, SoftHSM2 (Debian) the token that a model is signed
with, strace (Debian) records what a training job asked of a network, PostgreSQL (Debian) keeps a matter directory for several gateways.
None of them is a dependency of the product. What cannot be had is NOT-RUN with its reason, and so are the tests that need it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from curtilage.doctor import install
from curtilage.errors import CurtilageError
from curtilage.paths import CHECKOUT, cache_dir

TRESTLE_LOCK = CHECKOUT / "tools" / "trestle.lock"
AXE = "axe-core@4.14.1"
AXE_SHA512 = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
KEYCLOAK = "org.keycloak:keycloak-quarkus-dist:26.4.0:zip"
KEYCLOAK_SHA256 = "1b6a11a2726ac8a8dc9c91d5fafe989a75ce4f1622d7f7b45c21d5bc16629c0a"
SECONDS = 600


def chromium() -> str:
    """The browser, from Debian when there is none."""
    if shutil.which("chromium") is None and shutil.which("google-chrome") is None:
        install(("chromium",))
    return "on PATH"


def softhsm() -> str:
    """A PKCS#11 token in software, from Debian when there is none."""
    if shutil.which("softhsm2-util") is None:
        install(("softhsm2",))
    return "on PATH"


def postgresql() -> str:
    """The server of a matter directory that gateways share, from Debian when there is none; tests run one of their own."""
    if shutil.which("initdb") is None and not any(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        install(("postgresql",))
    return "installed"


def strace() -> str:
    """What traces training jobs, from Debian when there is none."""
    if shutil.which("strace") is None:
        install(("strace",))
    return "on PATH"


def axe() -> str:
    """axe-core's one script, as npm's published digest names it."""
    target = cache_dir() / "tools" / "axe" / "axe.min.js"
    if target.is_file():
        return AXE
    with tempfile.TemporaryDirectory() as directory:
        _run(["npm", "pack", "--silent", "--pack-destination", directory, AXE])
        (packed,) = Path(directory).glob("*.tgz")
        if base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode() != AXE_SHA512:
            raise ValueError(f"{AXE} is not the archive that {Path(__file__).name} pins")
        with tarfile.open(packed) as archive:
            script = archive.extractfile("package/axe.min.js")
            if script is None:
                raise ValueError(f"{AXE} holds no script")
            content = script.read()
    _place(target, lambda place: place.write_bytes(content))
    return AXE


def trestle() -> str:
    """compliance-trestle in an environment of its own: its pins and licences are not ours."""
    target = cache_dir() / "tools" / "trestle"
    if (target / "bin" / "python").is_file():
        return "in its own environment"

    def make(place: Path) -> None:
        _run([sys.executable, "-m", "venv", str(place)])
        # The lock is whole; resolving again would ask pip for `pydantic[email]`, which no lock names.
        pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps"]
        _run([*pip, "-r", str(TRESTLE_LOCK)])

    _place(target, make)
    return "in its own environment"


def keycloak() -> str:
    """Keycloak's distribution, as Maven's client fetches it; it runs on the machine's Java (17 or newer)."""
    target = cache_dir() / "tools" / "keycloak"
    if os.access(target / "bin" / "kc.sh", os.X_OK):
        return KEYCLOAK
    if shutil.which("java") is None or shutil.which("mvn") is None:
        raise ValueError("no java or no mvn on PATH")
    with tempfile.TemporaryDirectory() as directory:
        _run(["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={KEYCLOAK}", f"-DoutputDirectory={directory}"])
        (packed,) = Path(directory).glob("*.zip")
        if hashlib.sha256(packed.read_bytes()).hexdigest() != KEYCLOAK_SHA256:
            raise ValueError(f"{KEYCLOAK} is not the archive that {Path(__file__).name} pins")
        shutil.rmtree(target, ignore_errors=True)  # what an older release unpacked there cannot be started
        unpacked = Path(directory) / "unpacked"
        unpack_zip(packed, unpacked)
        (tree,) = unpacked.iterdir()
        _place(target, lambda place: shutil.copytree(tree, place))
    return KEYCLOAK


def unpack_zip(packed: Path, into: Path) -> None:
    """Unpack with the permissions that the archive holds: the standard library's own unpacking drops them, and scripts cannot be started.

    Raises `zipfile.BadZipFile` for what is no archive.
    """
    with zipfile.ZipFile(packed) as archive:
        for entry in archive.infolist():
            place = Path(archive.extract(entry, into))
            mode = entry.external_attr >> 16 & 0o777
            if mode and not entry.is_dir():
                place.chmod(mode)


def _place(target: Path, make: Callable[[Path], object]) -> None:
    """Make beside the target, then rename: what was cut off leaves nothing under the final name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as directory:
        made = Path(directory) / "made"
        make(made)
        made.rename(target)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode != 0:
        raise ValueError(f"`{' '.join(command[:4])}` ended with {done.returncode}: {(done.stdout + done.stderr).strip()[-300:]}")


def main() -> int:
    """Fetch what is missing; print one JSON document. Nothing here is a fault of the product, so the answer is always 0."""
    found: dict[str, str] = {}
    programs = {
        "chromium": chromium,
        "softhsm2": softhsm,
        "postgresql": postgresql,
        "strace": strace,
        "axe-core": axe,
        "compliance-trestle": trestle,
        "keycloak": keycloak,
    }
    for name, fetch in programs.items():
        try:
            found[name] = fetch()
        except (CurtilageError, OSError, ValueError, tarfile.TarError, zipfile.BadZipFile, subprocess.TimeoutExpired) as error:
            found[name] = f"NOT-RUN: {error}"
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
