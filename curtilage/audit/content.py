"""Optional store of what was said, apart from the ledger: sealed under keys of the matter, so that it goes when the matter's secret goes.

The ledger keeps commitments only. Where a matter's jurisdiction or a hold asks for the content itself, it lies here, one file for each call
and name, AES-256-GCM under a key that is derived from the matter's secret and is nowhere on disk. The file's name and associated data bind
it to its call, so no file can stand in for another.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from curtilage.audit.errors import LedgerCorrupt, LedgerUnavailable
from curtilage.errors import ConfigError
from curtilage.matters.model import Matter

_NONCE = 12


class ContentStore:
    """Sealed content of calls.

    Args:
        directory: one folder for each matter is made under it.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, matter: Matter, call: str, contents: Mapping[str, bytes]) -> None:
        """Seal and write, durably; what is there already is not overwritten. Raises LedgerUnavailable when the disk refuses."""
        cipher = _cipher(matter, call)
        try:
            folder = self._folder(matter.id)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name, content in contents.items():
                nonce = secrets.token_bytes(_NONCE)
                descriptor = os.open(folder / _file_name(call, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "wb") as stream:
                    stream.write(nonce + cipher.encrypt(nonce, content, _bound_to(matter.id, call, name)))
                    stream.flush()
                    os.fsync(stream.fileno())
            parent = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(parent)
            finally:
                os.close(parent)
        except OSError as error:
            raise LedgerUnavailable(f"content of {call} not stored: {error.strerror}") from error

    def get(self, matter: Matter, call: str, name: str) -> bytes:
        """Open one content. Raises LedgerCorrupt when it is not what was sealed."""
        try:
            sealed = (self._folder(matter.id) / _file_name(call, name)).read_bytes()
        except FileNotFoundError:
            raise ConfigError(
                f"no {name} of {call}", rule="only what was stored can be read", fix="see the call's commitments in `curtilage audit query`"
            ) from None
        try:
            return _cipher(matter, call).decrypt(sealed[:_NONCE], sealed[_NONCE:], _bound_to(matter.id, call, name))
        except (InvalidTag, ValueError) as error:
            raise LedgerCorrupt(f"{name} of {call} is not what was sealed") from error

    def remove(self, matter: str) -> int:
        """Delete a matter's files; with the secret gone they are noise already. Returns how many there were."""
        folder = self._folder(matter)
        count = 0
        for path in list(folder.glob("*")) if folder.is_dir() else ():
            path.unlink()
            count += 1
        return count

    def matters(self) -> Iterator[str]:
        """The digests of matters that have content."""
        yield from sorted(path.name for path in self.directory.iterdir() if path.is_dir())

    def _folder(self, matter: str) -> Path:
        return self.directory / sha256(matter.encode()).hexdigest()[:32]


def _cipher(matter: Matter, call: str) -> AESGCM:
    if matter.shredded_at is not None or len(matter.secret) < 16:
        raise ConfigError(
            f"matter {matter.id} was shredded", rule="its secret is destroyed and its content with it", fix="there is nothing left to read"
        )
    return AESGCM(matter.derive("content", call))


def _file_name(call: str, name: str) -> str:
    return sha256(f"{call}\0{name}".encode()).hexdigest()


def _bound_to(matter: str, call: str, name: str) -> bytes:
    return f"{matter}\0{call}\0{name}".encode()
