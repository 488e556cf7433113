"""What a paper is made of. Blocks hold text, never markup: whatever a name contains, both renderers show it as characters."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Heading:
    """A section's title; ``anchor`` is where references to it lead."""

    text: str
    level: int = 2
    anchor: str = ""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A sentence or paragraph; ``refs`` are the ledger records it rests on."""

    text: str
    refs: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Note:
    """A paragraph set apart: what is missing, what needs review."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Names and their values."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under column headings. A cell that is a :class:`~curtilage.verdict.Verdict` is marked as one."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    refs: tuple[tuple[int, ...], ...] = ()
    """For each row, the ledger records it rests on; empty where none of the table's rows rests on any."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Items of equal rank."""

    items: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Verbatim:
    """Text to be compared character by character: a checkpoint, a digest, a proof."""

    text: str


@dataclass(frozen=True, kw_only=True)
class SignOff:
    """Lines to be filled in by hand."""

    fields: tuple[str, ...]


Block = Heading | Statement | Note | Facts | Table | Listing | Verbatim | SignOff


@dataclass(frozen=True, kw_only=True)
class Paper:
    """A whole paper."""

    title: str
    subtitle: str
    facts: tuple[tuple[str, str], ...]
    blocks: tuple[Block, ...]
    language: str = "en"
    footer: str = field(default="")
