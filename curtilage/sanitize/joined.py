"""What is written over the border of two texts: an account number in two parts, a field's name in one message and its value in the next.

The texts of a call are read once more as one, in document order, with nothing and with a blank between them; a find that lies in more than
one of them is cut out of each.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from curtilage.sanitize.detect import Span
from curtilage.sanitize.prose import PRIVILEGED

_PLAIN = frozenset(("role", "type", "id", "name", "model", "tool_call_id", "call_id", "format", "detail", "status", "object"))
_EDGE = 120
_MOST = 4096


class Leaf(NamedTuple):
    """A text and where it stands."""

    container: Any
    key: Any
    text: str


Finder = Callable[[str], list[Span]]


def _leaves(node: Any, depth: int = 0) -> Iterator[Leaf]:
    if depth > 64:
        return
    if isinstance(node, dict):
        for key, value in node.items():
            if isinstance(value, str):
                if value and key not in _PLAIN:
                    yield Leaf(node, key, value)
            elif isinstance(value, dict | list):
                yield from _leaves(value, depth + 1)
    elif isinstance(node, list):
        for index, value in enumerate(node):
            if isinstance(value, str):
                if value:
                    yield Leaf(node, index, value)
            elif isinstance(value, dict | list):
                yield from _leaves(value, depth + 1)


def cut_across(tree: Any, find: Finder, fields: Finder, replace: Callable[[str, str], str]) -> Any:
    """The tree without what lies across borders: the same tree when there is nothing, a changed copy otherwise.

    Args:
        tree: the call, not yet cleaned: a half taken for something else would hide the whole.
        find: personal data and secrets in a text.
        fields: privileged fields in a text.
        replace: what stands in for a type's text.
    """
    leaves = list(_leaves(tree))
    if len(leaves) < 2:
        return tree
    cuts: dict[int, list[tuple[int, int, str]]] = {}
    for separator in ("", " "):
        for group in _groups(leaves, separator):
            _cut_group(leaves, group, separator, find, fields, cuts)
    if not cuts:
        return tree
    changed = copy.deepcopy(tree)
    copies = list(_leaves(changed))
    for number, found in cuts.items():
        leaf = copies[number]
        pieces: list[str] = []
        text, position = leaf.text, 0
        for start, end, type_ in sorted(set(found)):
            start = max(start, position)
            if start < end:
                pieces += (text[position:start], replace(type_, text[start:end]))
                position = end
        leaf.container[leaf.key] = "".join((*pieces, text[position:]))
    return changed


def _worth(left: str, right: str) -> bool:
    """Whether anything could go on over this border."""
    before, after = left[-_EDGE:].rstrip(), right[:_EDGE].lstrip()
    if not before or not after:
        return True
    if (
        before.endswith((":", "=", '"', "'", "_", "@", "-", "(", "{", "["))
        or after[0] in "_:="
        or "__" in before[-40:]
        or "__" in after[:40]
    ):
        return True
    if before[-1] in ".!?;," and not after[0].isdigit():
        return False
    digits = any(map(str.isdigit, before[-24:])) or any(map(str.isdigit, after[:24]))
    return digits or "@" in after[:40] or "@" in before[-40:] or (before.rpartition(" ")[2][:1].isupper() and after[:1].isupper())


def _groups(leaves: list[Leaf], separator: str) -> Iterator[list[int]]:
    """Runs of leaves whose borders are worth a look."""
    group = [0]
    for number in range(1, len(leaves)):
        if _worth(leaves[number - 1].text, leaves[number].text):
            group.append(number)
            continue
        if len(group) > 1:
            yield group
        group = [number]
    if len(group) > 1:
        yield group


def _shown(text: str, *, first: bool, last: bool) -> tuple[str, int]:
    """The edges of a text, and how much of it they leave out in the middle."""
    if len(text) <= _MOST:
        return text, 0
    if first:
        return text[-_MOST:], len(text) - _MOST
    if last:
        return text[:_MOST], 0
    return text[: _MOST // 2] + "\n\n" + text[-_MOST // 2 :], 0


def _cut_group(
    leaves: list[Leaf], group: list[int], separator: str, find: Finder, fields: Finder, cuts: dict[int, list[tuple[int, int, str]]]
) -> None:
    places: list[tuple[int, int, int, int]] = []  # start and end in the joined text, leaf, offset of its first shown character
    pieces: list[str] = []
    position = 0
    for number in group:
        text = leaves[number].text
        if len(text) > _MOST and number not in (group[0], group[-1]):
            continue  # nothing reaches across a text of this length
        shown, left_out = _shown(text, first=number == group[0], last=number == group[-1])
        places.append((position, position + len(shown), number, left_out))
        pieces.append(shown)
        position += len(shown) + len(separator)
    joined = separator.join(pieces)
    spans = [span for span in find(joined) if _crosses(span, places)]
    spans += [span for span in fields(joined) if _crosses(span, places) and _opened(joined, span, places)]
    for type_, start, end in spans:
        for low, high, number, left_out in places:
            if start < high and end > low:
                cuts.setdefault(number, []).append((max(start, low) - low + left_out, min(end, high) - low + left_out, type_))


def _crosses(span: Span, places: list[tuple[int, int, int, int]]) -> bool:
    return sum(span.start < high and span.end > low for low, high, _, _ in places) > 1


def _opened(joined: str, span: Span, places: list[tuple[int, int, int, int]]) -> bool:
    """Whether a field's value really goes on: its name is split, nothing of it stands before the border, or it is quoted or bracketed."""
    border = next(high for low, high, _, _ in places if span.start < high)
    shown = joined[span.start : border]
    tail = shown.rstrip()
    if span.type != PRIVILEGED or tail.endswith((":", "=", "_", '"', "'", ">", "(", "[", "{", "is", "->")) or "__" not in shown:
        return True
    value = shown.partition("__")[2].lstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ").lstrip("\"'`*\\ :=>-")
    opened = joined[span.start : border].partition("__")[2]
    return (
        not value
        or any(opened.count(sign) % 2 for sign in '"`')
        or opened.count("{") > opened.count("}")
        or opened.count("[") > opened.count("]")
    )
