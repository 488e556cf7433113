"""A PostgreSQL server of a test's own: in a temporary directory, on a Unix socket and a loopback port, as an unprivileged user."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from curtilage.gateway.setup import write_authority
from tests.ports import free_port

OWNER, READER, PASSWORD = "directory-owner", "gateway", "only-for-this-test"


def programs() -> Path | None:
    """Where the server's programs are."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parent.parent.name))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


class Server:
    """One server; every directory in it is a database of its own."""

    def __init__(self, folder: Path, bin_folder: Path) -> None:
        self.folder, self._bin, self._numbers = folder, bin_folder, itertools.count()
        self._user = None if os.geteuid() else _unprivileged()
        self.data = folder / "data"
        write_authority(folder, ["localhost"], ["127.0.0.1"])
        self._own(folder, *folder.iterdir())
        self._run("initdb", "--no-sync", "--auth=reject", "--username=postgres", "--encoding=UTF8", "--locale=C", f"--pgdata={self.data}")
        # The server would answer without TLS, too, and ask for no password then: that it is not asked is this end's doing.
        rules = (
            "local all all peer map=here",
            f"hostssl all {READER} 127.0.0.1/32 scram-sha-256",
            f"hostnossl all {READER} 127.0.0.1/32 trust",
        )
        (self.data / "pg_hba.conf").write_text("".join(f"{rule}\n" for rule in rules))
        here = pwd.getpwuid(os.geteuid()).pw_name
        (self.data / "pg_ident.conf").write_text("".join(f'here {here} "{role}"\n' for role in ("postgres", OWNER, READER)))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()
        with self.administrator() as connection:
            connection.execute(f'CREATE ROLE "{OWNER}" LOGIN')
            connection.execute(f"CREATE ROLE {READER} LOGIN PASSWORD '{PASSWORD}'")

    def _own(self, *paths: Path) -> None:
        for path in paths:
            if self._user is not None:
                os.chown(path, self._user.pw_uid, self._user.pw_gid)

    def _as(self) -> dict[str, Any]:
        return {} if self._user is None else {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._bin / program), *arguments], capture_output=True, text=True, check=False, timeout=60, cwd=self.folder, **self._as()
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self, *, ssl: bool = True) -> None:
        settings = {
            "unix_socket_directories": self.folder,
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "ssl": "on" if ssl else "off",
            "ssl_cert_file": self.folder / "gateway.pem",
            "ssl_key_file": self.folder / "gateway.key",
            "fsync": "off",
            "shared_buffers": "16MB",
            "max_connections": 40,
        }
        command = [str(self._bin / "postgres"), "-D", str(self.data), *(f"--{name}={value}" for name, value in settings.items())]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, **self._as())
        for _ in range(300):
            assert self._process.poll() is None, (self.folder / "log").read_text()
            try:
                self.administrator().close()
                return
            except psycopg.OperationalError:
                time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text())

    def stop(self) -> None:
        """At once, as a machine that falls: nobody is told."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)
            self._process = None

    @contextmanager
    def hung(self) -> Iterator[None]:
        """The server's processes stand still; the kernel goes on taking connections for them."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        stopped = [self._process.pid, *map(int, children)]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)

    def administrator(self, database: str = "postgres", role: str = "postgres") -> psycopg.Connection[Any]:
        return psycopg.connect(host=str(self.folder), port=self.port, dbname=database, user=role, autocommit=True, connect_timeout=5)

    def place(self, folder: Path) -> Path:
        """A new database, and the file that names it for whoever changes the directory."""
        name = f"directory_{next(self._numbers)}"
        with self.administrator() as connection:
            connection.execute(f'CREATE DATABASE {name} OWNER "{OWNER}"')
        return self.named(folder / "matters.yaml", socket=str(self.folder), database=name, user=OWNER)

    def named(self, path: Path, **values: Any) -> Path:
        path.write_text(yaml.safe_dump({"postgresql": {"port": self.port, **values}}))
        return path

    def database(self, place: Path) -> str:
        return str(yaml.safe_load(place.read_text())["postgresql"]["database"])

    def reader_of(self, place: Path) -> Path:
        """The same directory as a gateway has it: over TLS, with a password, allowed to read and no more."""
        with self.administrator(self.database(place), OWNER) as connection:
            connection.execute(f"GRANT USAGE ON SCHEMA curtilage TO {READER}")
            connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA curtilage TO {READER}")
        (place.parent / "password").write_text(PASSWORD)
        return self.named(
            place.parent / "reader.yaml",
            address="127.0.0.1", database=self.database(place), user=READER, ca=str(self.folder / "ca.pem"), password_file="password",
        )  # fmt: skip

    def files_of(self, place: Path) -> bytes:
        """Every byte of the database's tables, as they are on the disk."""
        with self.administrator() as connection:
            connection.execute("CHECKPOINT")
            row = connection.execute("SELECT oid FROM pg_database WHERE datname = %s", (self.database(place),)).fetchone()
        assert row is not None
        return b"".join(path.read_bytes() for path in (self.data / "base" / str(row[0])).iterdir() if path.is_file())


@contextmanager
def server() -> Iterator[Server]:
    """One server for as long as it is needed; without its programs, a skip that says so."""
    found = programs()
    if found is None:
        pytest.skip("NOT-RUN: no PostgreSQL server here; python tools/checkers.py installs it")
    # Not under pytest's own directory, which other users may not enter; a socket's path must be short, too.
    folder = Path(tempfile.mkdtemp(prefix="ct-pg-"))
    made = None
    try:
        made = Server(folder, found)
        yield made
    finally:
        if made is not None:
            made.stop()
        shutil.rmtree(folder)


def _unprivileged() -> pwd.struct_passwd:
    return pwd.getpwnam("nobody")
