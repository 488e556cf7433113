"""C2SP signed notes and transparency-log checkpoints with Ed25519 (c2sp.org/signed-note, c2sp.org/tlog-checkpoint).

Keys are PKCS#8 PEM files on disk; the public half travels as the one-line *verifier key* that note tools read:
``<name>+<key id, 8 hex>+<base64(0x01 || public key)>``.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from curtilage.errors import ConfigError

_ED25519 = b"\x01"
_NAME = re.compile(r"[^\s+\x00-\x1f]{1,200}")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_MAX_NOTE = 64 * 1024


class NoteError(ValueError):
    """A note that is malformed or not signed by the key asked for."""


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"key name {name!r}", rule="a key name has no space and no plus sign", fix="name it like a host path: gateway.example/ledger"
        )
    return name


def key_id(name: str, public: bytes) -> bytes:
    """``SHA-256(name || 0x0A || 0x01 || public key)[:4]``."""
    return sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]


@dataclass(frozen=True)
class VerifierKey:
    """The public half of a note key."""

    name: str
    public: bytes

    @property
    def fingerprint(self) -> str:
        """``sha256:<hex>`` of the raw public key: what people compare when they pin a key."""
        return "sha256:" + sha256(self.public).hexdigest()

    def __str__(self) -> str:
        return f"{self.name}+{key_id(self.name, self.public).hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"

    @classmethod
    def parse(cls, text: str, *, source: Path | str | None = None) -> VerifierKey:
        """Read the one-line form; the key id must match, so that a damaged line is noticed."""
        try:
            name, identifier, encoded = text.strip().split("+", 2)
            blob = base64.b64decode(encoded, validate=True)
            if len(blob) != 33 or blob[:1] != _ED25519 or key_id(name, blob[1:]).hex() != identifier:
                raise ValueError
        except (ValueError, binascii.Error) as error:
            raise ConfigError(
                f"{text.strip()[:80]!r} is not an Ed25519 verifier key",
                rule="a verifier key reads <name>+<key id>+<base64>",
                fix="pass the .pub file written beside the key, unchanged",
                file=source,
            ) from error
        return cls(_check_name(name), blob[1:])

    @classmethod
    def load(cls, path: Path) -> VerifierKey:
        """Read a ``.pub`` file."""
        try:
            return cls.parse(path.read_text(encoding="utf-8"), source=path)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read {path}: {error}", rule="--key names a .pub file", fix="check the path", file=path) from error

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Whether the raw Ed25519 signature over ``message`` is this key's."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True)
class Signer:
    """An Ed25519 key with the name under which it signs. Its ``repr`` never shows the key."""

    name: str
    key: Ed25519PrivateKey = field(repr=False)

    def __post_init__(self) -> None:
        _check_name(self.name)

    @classmethod
    def generate(cls, name: str) -> Signer:
        """A fresh key."""
        return cls(name, Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path, name: str | None = None) -> Signer:
        """Read a PEM key; the name comes from the caller or from the ``.pub`` file beside it."""
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as error:
            raise ConfigError(
                f"cannot read the key {path}: {error}",
                rule="a signing key is an Ed25519 PKCS#8 PEM file",
                fix="check the path and its mode",
                file=path,
            ) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigError("the key is not Ed25519", rule="ledger and evidence are signed with Ed25519", fix="make a new key", file=path)
        return cls(name or VerifierKey.load(path.with_suffix(".pub")).name, key)

    def save(self, path: Path) -> None:
        """Write ``path`` (0600, never over an existing key) and the verifier key beside it as ``.pub``."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        pem = self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(pem)
            stream.flush()
            os.fsync(stream.fileno())
        path.with_suffix(".pub").write_text(f"{self.verifier}\n", encoding="utf-8")

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        return VerifierKey(self.name, self.key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw))

    def sign_note(self, text: str) -> bytes:
        """The signed note over ``text``, which ends in a newline."""
        signature = key_id(self.name, self.verifier.public) + self.key.sign(text.encode())
        return f"{text}\n— {self.name} {base64.b64encode(signature).decode()}\n".encode()


def open_note(note: bytes, key: VerifierKey) -> str:
    """The text of a note signed by ``key``; raises :class:`NoteError` for anything else.

    Signatures by other keys are ignored, a wrong one by this key rejects the note (c2sp.org/signed-note).
    """
    if len(note) > _MAX_NOTE:
        raise NoteError("the note is too large")
    try:
        decoded = note.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NoteError("the note is not UTF-8") from error
    if any(character < " " and character != "\n" for character in decoded):
        raise NoteError("the note has control characters")
    head, blank, tail = decoded.rpartition("\n\n")
    if not blank or not tail.endswith("\n"):
        raise NoteError("the note has no signature block")
    text, signed = head + "\n", False
    for line in tail[:-1].split("\n"):
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != "—":
            raise NoteError("the note has a malformed signature line")
        try:
            blob = base64.b64decode(parts[2], validate=True)
        except binascii.Error as error:
            raise NoteError("the note has a malformed signature") from error
        if base64.b64encode(blob).decode() != parts[2] or len(blob) < 5:
            raise NoteError("the note has a malformed signature")
        if parts[1] == key.name and blob[:4] == key_id(key.name, key.public):
            if not key.verify(blob[4:], text.encode()):
                raise NoteError(f"the signature of {key.name} is wrong")
            signed = True
    if not signed:
        raise NoteError(f"the note is not signed by {key}")
    return text


@dataclass(frozen=True)
class Checkpoint:
    """A signed tree head: which log, how many records, which root."""

    origin: str
    size: int
    root: bytes

    def sign(self, signer: Signer) -> bytes:
        """The checkpoint as a signed note."""
        return signer.sign_note(f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n")

    @classmethod
    def open(cls, note: bytes, key: VerifierKey) -> Checkpoint:
        """Verify and parse; extension lines are refused, because our logs never write any."""
        lines = open_note(note, key).split("\n")
        if len(lines) != 4 or not lines[0] or not _DECIMAL.fullmatch(lines[1]):
            raise NoteError("the note is not a checkpoint of three lines")
        try:
            root = base64.b64decode(lines[2], validate=True)
        except binascii.Error as error:
            raise NoteError("the checkpoint's root is not base64") from error
        if len(root) != 32 or base64.b64encode(root).decode() != lines[2]:
            raise NoteError("the checkpoint's root is not 32 bytes")
        return cls(lines[0], int(lines[1]), root)
