"""What a command prints: one JSON document or a human's text on stdout, progress and logs on stderr."""

from __future__ import annotations

from typing import Any

import orjson
from rich.console import Console

stdout = Console(highlight=False, soft_wrap=True)
stderr = Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(document: Any) -> None:
    """Print exactly one JSON document on stdout (the ``--json`` contract)."""
    stdout.file.write(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS, default=str).decode() + "\n")


def progress(message: str) -> None:
    """One line of progress on stderr."""
    stderr.print(message, markup=False)
