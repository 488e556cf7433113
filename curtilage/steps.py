"""A longer run as named steps: shown with seconds, journalled, and honest about what was applied when one fails."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from curtilage.errors import CurtilageError
from curtilage.output import progress


class Steps:
    """The steps of one run.

    Args:
        journal: file rewritten after each step, so that a crash leaves what was done.
        say: one line of progress at a time.
    """

    def __init__(self, journal: Path, say: Callable[[str], None] = progress) -> None:
        self.journal, self.say = journal, say
        self.done: list[dict[str, Any]] = []
        self.started = time.monotonic()

    @contextmanager
    def step(self, name: str) -> Iterator[dict[str, Any]]:
        """Run one step; what the body puts into the yielded dict is journalled with it.

        Raises:
            StepError: for any error of the body; says which steps were applied before it.
        """
        self.say(f"▸ {name}")
        record: dict[str, Any] = {"step": name, "status": "running"}
        self.done.append(record)
        self._write()
        began = time.monotonic()
        try:
            yield record
        except BaseException as error:
            record |= {"status": "interrupted" if isinstance(error, KeyboardInterrupt) else "failed", "seconds": _since(began)}
            self._write()
            if isinstance(error, CurtilageError):
                applied = [entry["step"] for entry in self.done if entry["status"] == "done"]
                self.say(f"✗ {name} after {record['seconds']} s; done before it: {', '.join(applied) or 'nothing'}")
            raise
        record |= {"status": "done", "seconds": _since(began)}
        self._write()
        self.say(f"✓ {name} ({record['seconds']} s)")

    @property
    def seconds(self) -> float:
        """Seconds since the run began."""
        return _since(self.started)

    def _write(self) -> None:
        self.journal.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.journal.with_suffix(".new")
        temporary.write_text(json.dumps({"steps": self.done}, indent=1, default=str))
        temporary.replace(self.journal)


def _since(began: float) -> float:
    return round(time.monotonic() - began, 1)
