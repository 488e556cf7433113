"""Marks of emphasis inside a word or number: ``jane<b>.roe</b>@…``, ``DE89**3704…``. They are read over, and cut with what they hide."""

from __future__ import annotations

import re

_MARK = re.compile(
    r"<!--.{0,400}?-->|</?(?:a|abbr|b|big|code|em|font|i|ins|del|kbd|mark|s|small|span|strong|sub|sup|tt|u|wbr)(?:\s[^<>]{0,200})?/?>|\*{1,3}|~~|`+",
    re.IGNORECASE | re.DOTALL,
)


def without_marks(text: str) -> tuple[str, list[int]] | None:
    """The text without marks of emphasis, and where each of its characters (and its end) stood; None when there are none."""
    if "<" not in text and "*" not in text and "`" not in text and "~~" not in text:
        return None
    pieces: list[str] = []
    places: list[int] = []
    position = 0
    for match in _MARK.finditer(text):
        pieces.append(text[position : match.start()])
        places.extend(range(position, match.start()))
        position = match.end()
    if not position:
        return None
    pieces.append(text[position:])
    places.extend(range(position, len(text) + 1))
    return "".join(pieces), places
