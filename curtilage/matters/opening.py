"""A matter directory is named by one path: an SQLite file, or a ``.yaml`` that says which PostgreSQL database it is in."""

from __future__ import annotations

from pathlib import Path

from curtilage.matters.directory import Directory
from curtilage.matters.sqlite import SqliteStore
from curtilage.matters.store import Store


def open_directory(path: Path, *, create: bool = False) -> Directory:
    """Open it.

    Args:
        path: the file that names it.
        create: make its tables when they are missing; a gateway never does.

    Raises:
        ConfigError: it is not there, or not one of this release.
        DirectoryUnavailable: its database does not answer.
    """
    return Directory(_store(path, create))


def _store(path: Path, create: bool) -> Store:
    if path.suffix in (".yaml", ".yml"):
        from curtilage.matters.postgresql import PostgresStore  # its driver is installed only where it is used

        return PostgresStore(path, create=create)
    return SqliteStore(path, create=create)
