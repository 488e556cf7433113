"""Reads what the canaries wrote: one JSON object a line, one file a receiver (lab/canary.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class CanaryDirectory:
    """The canaries' records under a directory.

    A line is ``{"time", "where", "family", "protocol", "source", "destination", "port", "uuids", "size"}``; a last line that is
    still being written is left for the next read.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def records(self) -> list[dict[str, Any]]:
        """Every record so far.

        Raises:
            FileNotFoundError: no canary ever wrote here: silence would mean nothing.
        """
        paths = sorted(self.directory.glob("*.jsonl"))
        if not paths:
            raise FileNotFoundError(f"no canary record under {self.directory}")
        found = []
        for path in paths:
            for line in path.read_text().splitlines():
                try:
                    found.append(json.loads(line))
                except json.JSONDecodeError:
                    continue
        return found
