"""What a matter directory is kept in: one interface, behind which SQLite stands for one gateway and PostgreSQL for several that share one.

Statements are written once, for both: values are placed by ``?``, and truth is 0 or 1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar, Protocol

from curtilage.errors import StepError

Value = str | bytes | int | float | None


class Rows(Protocol):
    """What a statement gave."""

    @property
    def rowcount(self) -> int:
        """How many rows a change has hit."""
        ...

    def fetchone(self) -> Any:
        """The next row, or None."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Execute(Protocol):
    """Carries out one statement of the transaction that it was given for."""

    def __call__(self, statement: str, values: Sequence[Value] = (), /) -> Rows: ...


class Clash(Exception):
    """A change contradicts what is there: an id twice, or one that nobody added. Its text quotes no value but ids."""


class DirectoryUnavailable(StepError):
    """The directory does not answer, or not in time; whoever asks on behalf of a call refuses it."""

    def __init__(self, reason: str, *, place: Path) -> None:
        super().__init__(f"ask the matter directory {place}", reason, fix="look at its database and at the way there")


class Store(ABC):
    """A matter directory's tables.

    Attributes:
        place: the file that the directory is named by, for messages.
        waits: whether an answer can be long in coming, so that an event loop must not ask by itself.
    """

    place: Path
    waits: ClassVar[bool]

    @abstractmethod
    def version(self) -> tuple[int, ...]:
        """A value that is another one once anybody else has committed a change. Raises :class:`DirectoryUnavailable`."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[Execute]:
        """One consistent view. Raises :class:`DirectoryUnavailable`."""

    @abstractmethod
    def writing(self) -> AbstractContextManager[Execute]:
        """The only writer, all or nothing. Raises :class:`Clash` and :class:`DirectoryUnavailable`."""

    @abstractmethod
    def sweep(self) -> None:
        """Overwrite, or give back, what deleted and changed rows have left behind."""

    @abstractmethod
    def close(self) -> None:
        """End."""
