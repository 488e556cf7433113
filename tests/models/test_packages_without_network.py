"""If this fails, a sealed host of a site cannot be given the Debian packages that the bundle carries."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lab.base import ensure_base, write_index

# Small, in the base, and with a dependency that is there already.
PACKAGE = "conntrack"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One real package of this machine's mirror, laid out as a bundle's part is."""
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        pytest.skip("a host's file system is made and entered as root, with debootstrap")
    directory = tmp_path_factory.mktemp("packages")
    done = subprocess.run(["apt-get", "download", PACKAGE], cwd=directory, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0:
        pytest.skip(f"this machine's mirror does not serve {PACKAGE}: {done.stderr.strip()[-200:]}")
    write_index(directory)
    return directory


def on_a_host(repository: Path, command: str) -> subprocess.CompletedProcess[str]:
    """A command in the hosts' file system, over an overlay that is thrown away, with loopback down and the packages as the one source."""
    script = f"""
        set -e
        mount -t tmpfs tmpfs {repository}/../scratch
        mkdir {repository}/../scratch/upper {repository}/../scratch/work {repository}/../scratch/root
        root=$(cd {repository}/../scratch/root && pwd -P)
        mount -t overlay overlay -o lowerdir={ensure_base()},upperdir=$root/../upper,workdir=$root/../work $root
        mkdir -p $root/srv/packages
        mount --bind {repository} $root/srv/packages
        rm -f $root/etc/apt/sources.list.d/*
        echo 'deb [trusted=yes] file:/srv/packages ./' > $root/etc/apt/sources.list
        chroot $root sh -ec {command!r}
    """
    (repository.parent / "scratch").mkdir(exist_ok=True)
    return subprocess.run(
        ["unshare", "--mount", "--net", "--propagation", "private", "sh", "-ec", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_apt_installs_from_the_carried_packages_alone(repository: Path) -> None:
    remove = f"dpkg --purge {PACKAGE} >/dev/null && ! command -v {PACKAGE}"
    done = on_a_host(repository, f"{remove}; apt-get -q update && apt-get -qy install {PACKAGE} && command -v {PACKAGE} && ip -o link")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"/usr/sbin/{PACKAGE}" in done.stdout
    assert [line.split(":")[1].strip() for line in done.stdout.splitlines() if line[0].isdigit() and "mtu" in line] == ["lo"]


def test_a_package_that_was_changed_on_the_way_is_not_installed(repository: Path) -> None:
    (deb,) = repository.glob("*.deb")
    whole = deb.read_bytes()
    deb.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        done = on_a_host(repository, f"dpkg --purge {PACKAGE} >/dev/null; apt-get -q update && apt-get -qy install {PACKAGE}")
    finally:
        deb.write_bytes(whole)
    assert done.returncode != 0
    assert "Hash Sum mismatch" in done.stderr + done.stdout
