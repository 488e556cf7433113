"""Who calls: a gateway-issued key in whichever slot the vendor's SDK has for its key.

Only salted digests are stored. An unknown key id costs the same comparison as a wrong secret, so time tells nothing about which ids exist.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass

from curtilage.gateway.reasons import Reason, Refusal
from curtilage.matters.directory import KEY_PREFIX, hash_secret
from curtilage.matters.model import Identity, Snapshot

_DUMMY_SALT, _DUMMY_DIGEST = b"\0" * 16, b"\0" * 32
_MESSAGE = "no valid gateway key; put the key issued by `curtilage gateway keys issue` where the vendor's API key goes"


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated identity and the key it used."""

    identity: Identity
    key_id: str


def presented_key(headers: Mapping[bytes, bytes]) -> str:
    """The key in the request; two different ones are ambiguous and refused."""
    found = {value for name in (b"x-api-key", b"api-key") if (value := headers.get(name, b"").strip())}
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer" and token.strip():
        found.add(token.strip())
    elif scheme:
        raise Refusal(Reason.IDENTITY_UNKNOWN, _MESSAGE)
    if len(found) != 1:
        raise Refusal(Reason.IDENTITY_UNKNOWN, _MESSAGE)
    try:
        return found.pop().decode("ascii")
    except UnicodeDecodeError:
        raise Refusal(Reason.IDENTITY_UNKNOWN, _MESSAGE) from None


def authenticate(headers: Mapping[bytes, bytes], directory: Snapshot, now: float | None = None) -> Caller:
    """The caller, or a refusal that does not say which part was wrong."""
    presented = presented_key(headers)
    key_id, _, secret = presented.removeprefix(KEY_PREFIX).partition("-")
    key = directory.keys.get(key_id) if presented.startswith(KEY_PREFIX) else None
    salt, digest = (key.salt, key.digest) if key else (_DUMMY_SALT, _DUMMY_DIGEST)
    matches = hmac.compare_digest(hash_secret(salt, secret), digest)
    if key is None or not matches or key.revoked:
        raise Refusal(Reason.IDENTITY_UNKNOWN, _MESSAGE)
    if key.expires_at is not None and key.expires_at <= (time.time() if now is None else now):
        raise Refusal(Reason.IDENTITY_UNKNOWN, _MESSAGE)
    identity = directory.identities.get(key.identity)
    if identity is None or not identity.active:
        raise Refusal(Reason.IDENTITY_UNKNOWN, _MESSAGE)
    return Caller(identity, key.id)
