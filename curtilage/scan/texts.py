"""Texts with holes: what a string expression may be, with what is not known named instead of guessed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MAX_ALTERNATIVES = 24
MAX_JOINED = 128


@dataclass(frozen=True, slots=True)
class Hole:
    """A part that is not known.

    Args:
        kind: 'param', 'setting', 'metadata', 'label', 'own', 'unknown', ...
        name: what a reader is told.
        ref: for a parameter: the method's key and the parameter's position.
    """

    kind: str
    name: str
    ref: tuple[tuple[str, str, int], int] | None = None


Text = tuple[str | Hole, ...]
Texts = frozenset[Text]
NOTHING: Texts = frozenset()


def literal(text: str) -> Texts:
    """A text that is known."""
    return frozenset({(text,)})


def hole(kind: str, name: str, ref: tuple[tuple[str, str, int], int] | None = None) -> Texts:
    """A text that is not."""
    return frozenset({(Hole(kind, name, ref),)})


def show(text: Text) -> str:
    """For people: holes in braces."""
    return "".join(part if isinstance(part, str) else "{" + part.name + "}" for part in text)


def bound(texts: Iterable[Text]) -> Texts:
    """At most so many alternatives; what is cut off is said to be there."""
    found = sorted(set(texts), key=lambda text: (show(text), len(text)))
    if len(found) <= MAX_ALTERNATIVES:
        return frozenset(found)
    return frozenset([*found[:MAX_ALTERNATIVES], (Hole("unknown", "more alternatives"),)])


def join(*parts: Texts) -> Texts:
    """Every concatenation."""
    made: list[list[str | Hole]] = [[]]
    for part in parts:
        if not part:
            continue  # null, which is never what is sent
        tails = sorted(part, key=show)[: MAX_ALTERNATIVES + 1]
        if len(tails) == 1:
            for text in made:
                text.extend(tails[0])
        elif len(made) * len(tails) <= MAX_JOINED:
            made = [[*text, *tail] for text in made for tail in tails]
        else:
            for text in made:
                text.append(Hole("unknown", "one of many"))
    return bound(_merged(text) for text in made)


def _merged(parts: list[str | Hole]) -> Text:
    text: list[str | Hole] = []
    pending: list[str] = []
    for part in parts:
        if isinstance(part, str):
            pending.append(part)
            continue
        if pending:
            text.append("".join(pending))
            pending = []
        text.append(part)
    if pending or not text:
        text.append("".join(pending))
    return tuple(text)


def only_literal(texts: Texts) -> str | None:
    """The one known text, if it is one and known."""
    if len(texts) == 1:
        (text,) = texts
        if all(isinstance(part, str) for part in text):
            return "".join(str(part) for part in text)
    return None
