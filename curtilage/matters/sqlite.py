"""A matter directory in an SQLite file: the default, for one gateway and the commands beside it.

``PRAGMA data_version`` moves when another connection commits, and asking costs microseconds, so a change is seen at the next call.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from curtilage.errors import ConfigError
from curtilage.matters.schema import APPEND_ONLY, SCHEMA, SCHEMA_VERSION, UPGRADE
from curtilage.matters.store import Clash, DirectoryUnavailable, Execute, Store


class SqliteStore(Store):
    """One file.

    Args:
        path: the file.
        create: make the file and its tables when missing; a gateway never does, so that a wrong path cannot start an empty directory.
    """

    waits: ClassVar[bool] = False

    def __init__(self, path: Path, *, create: bool) -> None:
        if not create and not path.is_file():
            raise ConfigError(
                "no such file",
                rule="the gateway opens an existing matter directory",
                fix="curtilage gateway matters add …, or correct the path",
                file=path,
            )
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o640))
        self.place = path
        self._db = sqlite3.connect(path, isolation_level=None, timeout=5.0, check_same_thread=False)
        try:
            self._db.execute("PRAGMA foreign_keys = ON")
            if create:
                self._create()
            found = self._db.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.DatabaseError as error:
            raise ConfigError(
                str(error), rule="the matter directory is an SQLite file of this product", fix="restore it", file=path
            ) from error
        if found != SCHEMA_VERSION:
            raise ConfigError(
                f"schema version {found}",
                rule=f"this release reads version {SCHEMA_VERSION}",
                fix="curtilage gateway matters upgrade --db FILE",
                file=path,
            )

    def _create(self) -> None:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            self._db.execute(f"PRAGMA {pragma}")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        self._db.executescript(SCHEMA + APPEND_ONLY)
        if version < SCHEMA_VERSION:
            self._db.execute("BEGIN IMMEDIATE")
            if self._db.execute("PRAGMA user_version").fetchone()[0] < SCHEMA_VERSION:
                for statement in UPGRADE:
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            self._db.execute("COMMIT")

    def version(self) -> tuple[int, ...]:
        try:
            return (int(self._db.execute("PRAGMA data_version").fetchone()[0]),)
        except sqlite3.DatabaseError as error:
            raise DirectoryUnavailable(str(error), place=self.place) from error

    @contextmanager
    def reading(self) -> Iterator[Execute]:
        with self._transaction("BEGIN") as execute:
            yield execute

    @contextmanager
    def writing(self) -> Iterator[Execute]:
        with self._transaction("BEGIN IMMEDIATE") as execute:
            yield execute

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Execute]:
        try:
            self._db.execute(begin)
            try:
                yield self._db.execute
                self._db.execute("COMMIT")
            except BaseException:
                self._db.rollback()
                raise
        except sqlite3.IntegrityError as error:
            raise Clash(str(error)) from error
        except sqlite3.DatabaseError as error:
            raise DirectoryUnavailable(str(error), place=self.place) from error

    def sweep(self) -> None:
        # The old page is overwritten (secure_delete), and the journal that still had it is emptied.
        for statement in ("PRAGMA secure_delete = ON", "PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
            self._db.execute(statement)

    def close(self) -> None:
        self._db.close()
