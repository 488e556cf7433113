"""Reads metadata XML without trusting it: no document type, so no entity but the five of XML and no outside file; bounded depth and size.

Expat is used directly because findings need line numbers and suppressions need comments, which element trees drop.
"""

from __future__ import annotations

import xml.parsers.expat
from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_DEPTH = 200
MAX_ELEMENTS = 400_000


class BrokenXml(Exception):
    """The file is not well-formed, or carries what metadata never does (a document type, excessive nesting)."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.line = line


@dataclass(slots=True)
class Element:
    """An element without its namespace."""

    tag: str
    line: int
    column: int
    text: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element] = field(default_factory=list)

    def first(self, path: str) -> Element | None:
        """The first descendant down a ``a/b`` path."""
        found: Element | None = self
        for tag in path.split("/"):
            found = next((child for child in found.children if child.tag == tag), None) if found else None
        return found

    def get(self, path: str, default: str = "") -> str:
        """The trimmed text of the first descendant down a path."""
        found = self.first(path)
        return found.text.strip() if found else default

    def all(self, tag: str) -> Iterator[Element]:
        """The children of that name."""
        return (child for child in self.children if child.tag == tag)

    def walk(self) -> Iterator[Element]:
        """This element and everything below, in document order."""
        pending = [self]
        while pending:
            found = pending.pop()
            yield found
            pending.extend(reversed(found.children))


@dataclass(slots=True)
class Comment:
    """A comment, and the line of the element after it."""

    text: str
    line: int
    next_line: int = 0
    whole_file: bool = False


@dataclass(slots=True)
class Document:
    """A read file."""

    root: Element
    comments: list[Comment]


class _Reader:
    def __init__(self, wanted: frozenset[str] | None) -> None:
        self.wanted, self.keep, self.count = wanted, True, 0
        self.root: Element | None = None
        self.stack: list[Element] = []
        self.depth = 0
        self.comments: list[Comment] = []
        self.parser = parser = xml.parsers.expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.data
        parser.CommentHandler = self.comment
        parser.StartDoctypeDeclHandler = self.doctype

    def doctype(self, *_: object) -> None:
        raise BrokenXml("a document type is refused: metadata has none, and it is how entities are declared", self.parser.CurrentLineNumber)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        line = self.parser.CurrentLineNumber
        self.depth += 1
        self.count += 1
        if self.depth > MAX_DEPTH or self.count > MAX_ELEMENTS:
            raise BrokenXml(f"more than {MAX_DEPTH} levels or {MAX_ELEMENTS} elements", line)
        element = Element(name.rpartition(" ")[2], line, self.parser.CurrentColumnNumber + 1, "", attributes)
        for comment in reversed(self.comments):
            if comment.next_line:
                break
            comment.next_line = line
        if self.root is None:
            self.root = element
            self.keep = self.wanted is None or element.tag in self.wanted
        elif self.keep:
            self.stack[-1].children.append(element)
        if self.keep:
            self.stack.append(element)

    def end(self, _: str) -> None:
        self.depth -= 1
        if self.keep:
            self.stack.pop()

    def data(self, text: str) -> None:
        if self.keep and self.stack:
            self.stack[-1].text += text

    def comment(self, text: str) -> None:
        line = self.parser.CurrentLineNumber
        whole = self.depth == 0 or (self.depth == 1 and self.root is not None and not self.root.children)
        self.comments.append(Comment(text, line, whole_file=whole))


def read_xml(data: bytes, wanted: frozenset[str] | None = None) -> Document:
    """Parse a file; elements are kept only when the root is one of ``wanted``, the rest is checked for being well-formed alone."""
    reader = _Reader(wanted)
    try:
        reader.parser.Parse(data, True)
    except xml.parsers.expat.ExpatError as error:
        raise BrokenXml(xml.parsers.expat.errors.messages.get(error.code, str(error)), error.lineno) from None
    except (ValueError, LookupError) as error:  # an encoding Python does not know
        raise BrokenXml(str(error), 1) from None
    if reader.root is None:
        raise BrokenXml("no element found", 1)
    return Document(reader.root, reader.comments)
