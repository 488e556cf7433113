"""Where a training run stands, on disk: a run that was killed goes on from there and ends with the same weights.

One file, replaced by rename. It is taken up only by a run of the same documents, recipe, code and libraries; anything else in its place,
half a file too, is not an error but a run from the beginning. Read as tensors and plain values alone, so that it cannot carry code.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


class Checkpoint:
    """One run's file.

    Args:
        path: the file.
        key: digest of everything that decides the weights.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path, self.key = path, key

    def save(self, step: int, **parts: Any) -> None:
        """Everything a run needs to go on after ``step``."""
        import torch

        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_name(f"{self.path.name}.{os.getpid()}.part")
        with partial.open("wb") as stream:
            torch.save({"key": self.key, "step": step, **parts}, stream)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(self.path)

    def load(self) -> dict[str, Any] | None:
        """What was saved by a run with this key; None when there is nothing to go on from."""
        import torch

        if not self.path.is_file():
            return None
        try:
            found = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception:  # noqa: BLE001 - whatever the reader raises on half a file or a foreign one, the run begins anew
            return None
        return found if isinstance(found, dict) and found.get("key") == self.key else None

    def clear(self) -> None:
        """Remove it, and what killed writers left."""
        for left in (self.path, *self.path.parent.glob(f"{self.path.name}.*.part")):
            left.unlink(missing_ok=True)
