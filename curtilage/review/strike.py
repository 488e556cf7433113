"""Strikes secrets from every text of a review before it is rendered: rendering shortens and escapes, which could leave part of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, TypeVar

from curtilage.review.model import Review
from curtilage.review.redact import Redactor

T = TypeVar("T")


def strike(review: Review, redactor: Redactor) -> Review:
    """The same review with every secret struck."""
    return _through(review, redactor.text)


def _through(value: T, text: Callable[[str], str]) -> T:
    found: Any = value
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        found = text(value)
    elif isinstance(value, dict):
        found = {text(str(key)): _through(item, text) for key, item in value.items()}
    elif isinstance(value, list):
        found = [_through(item, text) for item in value]
    elif isinstance(value, tuple):
        found = tuple(_through(item, text) for item in value)
    elif is_dataclass(value) and not isinstance(value, type):
        found = replace(value, **{item.name: _through(getattr(value, item.name), text) for item in fields(value)})
    return found  # type: ignore[no-any-return]
