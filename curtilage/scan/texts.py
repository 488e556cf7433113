"""Texts with holes: what a string expression may be, with what is not known named instead of guessed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

MAX_ALTERNATIVES = 24


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
    made: list[Text] = []
    for combination in product(*(sorted(part, key=show)[: MAX_ALTERNATIVES + 1] for part in parts)):
        text: list[str | Hole] = []
        for piece in (item for text_ in combination for item in text_):
            if isinstance(piece, str) and text and isinstance(text[-1], str):
                text[-1] += piece
            else:
                text.append(piece)
        made.append(tuple(text))
        if len(made) > 512:
            made.append((Hole("unknown", "more alternatives"),))
            break
    return bound(made)


def only_literal(texts: Texts) -> str | None:
    """The one known text, if it is one and known."""
    if len(texts) == 1:
        (text,) = texts
        if all(isinstance(part, str) for part in text):
            return "".join(str(part) for part in text)
    return None
