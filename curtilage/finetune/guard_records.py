"""Read records and datasets: JSON lines, or a directory of plain text files; anything else is refused, never skipped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from curtilage.errors import ConfigError
from curtilage.finetune.guard_text import strings

DATASET = "documents.jsonl"
_LINES = {".jsonl", ".ndjson"}
_TEXTS = {".txt", ".md", ".eml", ".text"}


def texts(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Name and strings of every document.

    Raises:
        ConfigError: no such path, a file of an unknown kind, a line that is no JSON, a file that is not UTF-8.
    """
    if path.is_dir():
        if (path / DATASET).is_file():
            yield from _lines(path / DATASET)
            return
        files = sorted(found for found in path.rglob("*") if found.is_file() or found.is_symlink())
        if not files:
            raise ConfigError(f"{path} is empty", rule="records are JSON lines or text files", fix="name a directory with records")
        for file in files:
            yield from _file(file, str(file.relative_to(path)))
    else:
        yield from _file(path, path.name)


def _file(path: Path, name: str) -> Iterator[tuple[str, list[str]]]:
    suffix = path.suffix.lower()
    if suffix in _LINES:
        yield from _lines(path)
    elif suffix in _TEXTS:
        try:
            yield name, [path.read_text(encoding="utf-8")]
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} is not UTF-8 text", rule="what cannot be read cannot be guarded", fix="convert it") from error
    else:
        raise ConfigError(
            f"{path}: unknown kind of file",
            rule=f"records are {', '.join(sorted(_LINES | _TEXTS))}",
            fix="convert it, or move it elsewhere",
        )


def _lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                if not line.strip():
                    continue
                document: Any = orjson.loads(line)
                name = str(document.get("id", number)) if isinstance(document, dict) else str(number)
                yield name, list(strings(document))
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path}: {reason}", rule="a record is one JSON value a line, in UTF-8", fix="correct the file") from error


def terms(path: Path | None) -> list[str]:
    """Terms, one a line; empty lines and those that begin with # are no terms.

    Raises:
        ConfigError: the file cannot be read.
    """
    if path is None:
        return []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read", rule="terms are UTF-8 text, one a line", fix="correct the path or the file") from error
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]
