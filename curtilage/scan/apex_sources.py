"""Record data on its way to a call out, and how taking one field of it narrows what goes along."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tree_sitter import Node

from curtilage.scan.model import Place

Ref = tuple[tuple[str, str, int], int]
USER_MODE, STRIPPED = "user-mode", "strip-inaccessible"


@dataclass(frozen=True, slots=True)
class Source:
    """Record data on its way.

    Args:
        object: the object's name, empty when not known.
        fields: the fields, when they are known.
        whole: the record as such, not single fields.
        wildcard: queried with ``FIELDS(...)`` or a field list made at run time.
        marks: ``user-mode``, ``strip-inaccessible``.
        place: where it is read.
        ref: for a parameter whose records callers give; ``path`` is what is taken of it.
    """

    object: str
    fields: frozenset[str] = frozenset()
    whole: bool = False
    wildcard: bool = False
    marks: frozenset[str] = frozenset()
    place: Place | None = None
    ref: Ref | None = None
    path: str = ""


Sources = frozenset[Source]
NONE: Sources = frozenset()


def narrow(sources: Sources, field: str) -> Sources:
    """One field of each record."""
    found = set()
    for source in sources:
        if source.ref is not None and not source.object:
            found.add(replace(source, path=f"{source.path}.{field}" if source.path else field))
        elif source.whole:
            found.add(replace(source, whole=False, wildcard=False, fields=frozenset({field})))
        elif len(source.fields) == 1:  # the next step of a path: Owner, then Owner.Email
            (head,) = source.fields
            found.add(replace(source, fields=frozenset({f"{head}.{field}"})))
        else:
            found.add(source)
    return frozenset(found)


def descend(node: Node) -> list[Node]:
    """A node and everything below, in document order."""
    found, pending = [], [node]
    while pending:
        current = pending.pop()
        found.append(current)
        pending.extend(reversed(current.named_children))
    return found
