"""What the independent verifier reads by itself: keys, notes, hashes, bundles, names, and what it says in the end.

Written from the specifications (RFC 6962, C2SP signed-note, tlog-checkpoint, tlog-tiles) without a look at the writer's code.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from curtilage.errors import ConfigError
from curtilage.verdict import Verdict

KINDS = frozenset({"intent", "outcome", "refused", "event"})
TILE = re.compile(r"tile/(entries|[0-9]|[1-5][0-9]|6[0-3])/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")
STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_MAX_PROBLEMS = 100


@dataclass(frozen=True)
class Problem:
    """One contradiction: a stable id, where it is, and what is wrong."""

    id: str
    where: str
    reason: str


@dataclass
class VerifyResult:
    """What was read, and every contradiction found."""

    origin: str = ""
    size: int = 0
    root: str = ""
    unsealed: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(sorted(KINDS), 0))
    open_calls: int = 0
    interrupted: int = 0
    clock_steps: int = 0
    compared_with: int | None = None
    seconds: float = 0.0
    problems: list[Problem] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """PASS only without any contradiction."""
        return Verdict.FAIL if self.problems else Verdict.PASS

    def add(self, identifier: str, where: str, reason: str) -> None:
        """Note a contradiction; the first hundred tell enough."""
        if len(self.problems) < _MAX_PROBLEMS:
            self.problems.append(Problem(identifier, where, reason))


@dataclass(frozen=True)
class Head:
    """A tree head whose signature was checked."""

    origin: str
    size: int
    root: bytes


class Raced(Exception):
    """The writer moved on while we read; start over."""


class Gap(Exception):
    """Records are missing between the checkpoint and the segments."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(reason)
        self.where, self.reason = where, reason


def parse_key(public_key: str) -> tuple[str, bytes, bytes]:
    """``(name, key id, public key)`` of a verifier key line."""
    match = re.fullmatch(r"([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})", public_key.strip())
    if match:
        blob = base64.b64decode(match[3])
        identifier = sha256(match[1].encode() + b"\n" + blob).digest()[:4]
        if blob[0] == 1 and identifier.hex() == match[2]:
            return match[1], identifier, blob[1:]
    raise ConfigError("the key is not an Ed25519 verifier key", rule="<name>+<key id>+<base64>", fix="pass the ledger's .pub file")


def read_head(note: bytes, key: tuple[str, bytes, bytes]) -> Head | str:
    """The tree head of a signed note, or why it is none."""
    name, identifier, public = key
    text, blank, signatures = note.rpartition(b"\n\n")
    lines = text.split(b"\n")
    if not blank or len(lines) != 3 or not signatures.endswith(b"\n"):
        return "not a checkpoint of three lines with a signature"
    try:
        origin, size, root = lines[0].decode(), lines[1].decode("ascii"), base64.b64decode(lines[2], validate=True)
    except (UnicodeDecodeError, binascii.Error):
        return "not a checkpoint: bad encoding"
    if not origin or not re.fullmatch(r"0|[1-9][0-9]{0,18}", size) or base64.b64encode(root) != lines[2] or len(root) != 32:
        return "not a checkpoint: bad size or root"
    good = 0
    for line in signatures[:-1].split(b"\n"):
        match = re.fullmatch("— ([^ +]+) ([A-Za-z0-9+/]+={0,2})".encode(), line)
        if not match:
            return "a malformed signature line"
        try:
            blob = base64.b64decode(match[2], validate=True)
        except binascii.Error:
            return "a malformed signature"
        if base64.b64encode(blob) != match[2]:
            return "a malformed signature"
        if match[1] == name.encode() and blob[:4] == identifier:
            try:
                Ed25519PublicKey.from_public_bytes(public).verify(blob[4:], text + b"\n")
            except InvalidSignature:
                return f"the signature of {name} is wrong"
            good += 1
    return Head(origin, int(size), root) if good else f"not signed by {name} with key id {identifier.hex()}"


def mth(hashes: list[bytes]) -> bytes:
    """MTH over leaf hashes, as RFC 6962 2.1 defines it, with the halves of full subtrees done level by level."""
    count = len(hashes)
    if count == 0:
        return sha256(b"").digest()
    if count & (count - 1) == 0:
        while count > 1:
            hashes = [sha256(b"\x01" + hashes[at] + hashes[at + 1]).digest() for at in range(0, count, 2)]
            count >>= 1
        return hashes[0]
    half = 1 << (count.bit_length() - 1)
    return sha256(b"\x01" + mth(hashes[:half]) + mth(hashes[half:])).digest()


def split_entries(data: bytes) -> list[bytes] | None:
    found, at = [], 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if at + 2 > len(data) or end > len(data):
            return None
        found.append(data[at + 2 : end])
        at = end
    return found


def tile_name(level: str | int, index: int, width: int) -> str:
    digits = str(index)
    digits = "0" * (-len(digits) % 3) + digits
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return f"tile/{level}/" + "".join(f"x{group}/" for group in groups[:-1]) + groups[-1] + ("" if width == 256 else f".p/{width}")
