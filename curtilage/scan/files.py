"""Walks a tree in order of its paths; decides by name what a file is, and never follows a link out of the tree."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from curtilage.errors import ConfigError

SKIPPED_DIRECTORIES = frozenset({".git", ".hg", ".svn", ".sfdx", ".sf", "node_modules", "__tests__", "__mocks__", ".venv"})
MAX_BYTES = 8 << 20  # the platform's own limits are lower: a class has a million characters, a static resource 5 MB
_DECLARED = re.compile(rb"""(\A\s*<\?xml[^>]*encoding=["'])[\w-]+(["'])""")
MAX_ZIP_MEMBERS, MAX_ZIP_BYTES = 4096, 64 << 20


class Kind(StrEnum):
    """How a file is read."""

    APEX = "apex"
    XML = "xml"
    SCRIPT = "script"
    MARKUP = "markup"
    DATA = "data"
    ARCHIVE = "archive"
    OTHER = "other"


_SUFFIXES = {
    ".cls": Kind.APEX,
    ".trigger": Kind.APEX,
    ".apex": Kind.APEX,  # anonymous Apex, as scripts/ holds it
    ".js": Kind.SCRIPT,
    ".mjs": Kind.SCRIPT,
    ".cjs": Kind.SCRIPT,
    ".ts": Kind.SCRIPT,
    ".html": Kind.MARKUP,
    ".htm": Kind.MARKUP,
    ".page": Kind.MARKUP,
    ".component": Kind.MARKUP,
    ".cmp": Kind.MARKUP,
    ".app": Kind.MARKUP,
    ".resource": Kind.ARCHIVE,
    ".zip": Kind.ARCHIVE,
    ".json": Kind.DATA,
}
# Metadata without the "-meta.xml" ending: the older layout that `sf project retrieve --target-metadata-dir` writes.
_METADATA_SUFFIXES = frozenset(
    {
        ".remoteSite", ".cspTrustedSite", ".namedCredential", ".externalCredential", ".externalServiceRegistration", ".dataSource",
        ".flow", ".workflow", ".eventRelay", ".connectedApp", ".eca", ".installedPackage", ".genAiPromptTemplate", ".genAiPlannerBundle",
        ".genAiPlanner", ".genAiPlugin", ".genAiFunction", ".bot", ".botVersion", ".labels", ".object", ".settings", ".outboundMessage",
        ".aiApplication", ".mlDomain", ".weblink", ".permissionset", ".profile", ".md", ".xml",
    }
)  # fmt: skip
# Endings that other things have too: read as metadata only when the content is XML.
SHARED_SUFFIXES = (".md", ".xml")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to read."""

    path: str  # below the root, with forward slashes
    absolute: Path
    kind: Kind
    size: int


def kind_of(name: str) -> Kind:
    """By the name alone; content decides later whether that holds."""
    lower = name.lower()
    if lower.endswith("-meta.xml"):
        return Kind.XML
    suffix = os.path.splitext(name)[1]  # noqa: PTH122 -- a name, not a path
    if lower.endswith((".test.js", ".spec.js", ".test.ts", ".spec.ts", ".d.ts")):
        return Kind.OTHER
    if found := _SUFFIXES.get(suffix.lower()):
        return found
    return Kind.XML if suffix in _METADATA_SUFFIXES else Kind.OTHER


def walk(root: Path) -> Iterator[SourceFile | tuple[str, str]]:
    """The files in order; a pair of path and reason for what was not looked into."""
    if not root.exists():
        raise ConfigError(f"{root} does not exist", rule="PATH is a directory of retrieved metadata or one file", fix="check the path")
    if root.is_file():
        yield SourceFile(root.name, root, kind_of(root.name), root.stat().st_size)
        return
    yield from _walk(root, root.resolve())


def _walk(root: Path, resolved: Path) -> Iterator[SourceFile | tuple[str, str]]:
    pending = [""]
    while pending:
        below = pending.pop()
        try:
            entries = sorted(os.scandir(root / below), key=lambda entry: entry.name)
        except OSError as error:
            yield below, f"cannot be listed: {error.strerror}"
            continue
        directories = []
        for entry in entries:
            path = f"{below}/{entry.name}" if below else entry.name
            try:
                if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(resolved):
                    yield path, "a link out of the scanned tree, not followed"
                elif entry.is_dir():
                    # A link to a directory inside the tree leads to what is walked anyway, or in circles.
                    if entry.name not in SKIPPED_DIRECTORIES and not entry.is_symlink():
                        directories.append(path)
                elif entry.is_file():
                    yield SourceFile(path, Path(entry.path), kind_of(entry.name), entry.stat().st_size)
            except OSError as error:
                yield path, f"cannot be looked at: {error.strerror}"
        pending.extend(reversed(directories))


def read(source: SourceFile) -> bytes:
    """The bytes; ``ValueError`` with the reason when they are too many or not text."""
    if source.size > MAX_BYTES:
        raise ValueError(f"{source.size} bytes; files over {MAX_BYTES} are not read")
    data = source.absolute.read_bytes()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        data = _DECLARED.sub(rb"\1UTF-8\2", data.decode("utf-16", "replace").encode(), count=1)
    if b"\0" in data[:8192]:
        raise ValueError("binary content")
    return data.removeprefix(b"\xef\xbb\xbf")


def members(source: SourceFile) -> Iterator[tuple[str, bytes]]:
    """Scripts and markup inside a zipped static resource, with bounds on number and size; nothing is written to disk."""
    budget = MAX_ZIP_BYTES
    with zipfile.ZipFile(source.absolute) as archive:
        infos = archive.infolist()
        if len(infos) > MAX_ZIP_MEMBERS:
            raise ValueError(f"an archive of {len(infos)} files; over {MAX_ZIP_MEMBERS} are not read")
        for info in sorted(infos, key=lambda item: item.filename):
            if kind_of(info.filename) not in (Kind.SCRIPT, Kind.MARKUP):
                continue
            with archive.open(info) as stream:
                data = stream.read(min(MAX_BYTES, budget) + 1)
            budget -= len(data)
            if len(data) > MAX_BYTES or budget < 0:
                raise ValueError("an archive that unpacks to more than is read")
            yield info.filename, data
