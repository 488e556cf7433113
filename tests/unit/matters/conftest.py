"""A directory's place in both back ends: what holds for one holds for the other."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import postgres


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    with postgres.server() as found:
        yield found


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The file that names an empty directory."""
    if request.param == "sqlite":
        return tmp_path / "matters.db"
    found: postgres.Server = request.getfixturevalue("server")
    return found.place(tmp_path)


@pytest.fixture
def on_disk(request: pytest.FixtureRequest, place: Path) -> Callable[[], bytes]:
    """Reads everything that the directory's tables are kept in."""
    if place.suffix == ".yaml":
        found: postgres.Server = request.getfixturevalue("server")
        return lambda: found.files_of(place)
    return lambda: b"".join(path.read_bytes() for path in place.parent.glob("matters.db*"))


@pytest.fixture
def raw(request: pytest.FixtureRequest, place: Path) -> Callable[[str], None]:
    """Carries out a statement behind the directory's back, as whoever owns its tables may."""

    def execute(statement: str) -> None:
        if place.suffix == ".db":
            with sqlite3.connect(place) as connection:
                connection.execute(statement)
            return
        found: postgres.Server = request.getfixturevalue("server")
        with found.administrator(found.database(place), postgres.OWNER) as connection:
            connection.execute("SET search_path = curtilage")
            connection.execute(statement)

    return execute
