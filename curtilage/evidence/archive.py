"""A tar archive whose bytes are a function of its files alone: sorted names, zeroed metadata, USTAR.

Reading refuses every archive that writing would not have produced byte for byte, so there is no place in it to hide or change
anything that the manifest's digests would not see.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Mapping

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*){0,4}")
MAX_BYTES = 256 * 1024 * 1024


class ArchiveError(ValueError):
    """Not an archive of ours, byte for byte."""


def pack(files: Mapping[str, bytes]) -> bytes:
    """The archive of these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(files):
            if not _NAME.fullmatch(name) or len(name) > 99:
                raise ArchiveError(f"{name!r} is not a file name for a bundle")
            header = tarfile.TarInfo(name)
            header.size, header.mode, header.mtime = len(files[name]), 0o644, 0
            archive.addfile(header, io.BytesIO(files[name]))
    return buffer.getvalue()


def unpack(data: bytes) -> dict[str, bytes]:
    """The files of an archive that :func:`pack` made."""
    if len(data) > MAX_BYTES:
        raise ArchiveError(f"larger than {MAX_BYTES} bytes")
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isreg() else None
                if content is None or member.name in files:
                    raise ArchiveError(f"{member.name!r} is a duplicate or not a plain file")
                files[member.name] = content.read()
        if pack(files) != data:
            raise ArchiveError("its bytes are not the canonical form of its files")
    except (tarfile.TarError, OSError, ValueError, OverflowError) as error:
        raise ArchiveError(str(error)) from error
    return files
