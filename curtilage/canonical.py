"""Canonical bytes and digests, so that two machines agree on what was decided."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import orjson


def canonical_json(document: Any) -> bytes:
    """JSON with sorted keys and no white space; the same document always gives the same bytes."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def digest_of(document: Any) -> str:
    """``sha256:<hex>`` of the canonical JSON."""
    return "sha256:" + hashlib.sha256(canonical_json(document)).hexdigest()


def file_digest(path: Path) -> str:
    """``sha256:<hex>`` of a file's bytes."""
    with path.open("rb") as stream:
        return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()
