"""DSSE envelopes with Ed25519 (github.com/secure-systems-lab/dsse, protocol 1.0.2).

Twenty lines of our own instead of a library, because the verifier has to run where only the package's base dependencies are;
the tests open our envelopes with securesystemslib.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from curtilage.audit.note import Signer, VerifierKey
from curtilage.canonical import canonical_json

IN_TOTO = "application/vnd.in-toto+json"


class EnvelopeError(ValueError):
    """Not an envelope, or not signed by the key."""


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: what is signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def seal(payload_type: str, payload: bytes, signer: Signer) -> bytes:
    """The canonical envelope of ``payload``."""
    signature = signer.key.sign(pae(payload_type, payload))
    return canonical_json(
        {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": payload_type,
            "signatures": [{"keyid": signer.verifier.fingerprint, "sig": base64.b64encode(signature).decode()}],
        }
    )


def _decode(text: str) -> bytes:
    """Base64 in its one canonical form: the spare bits of a last character would otherwise be bytes that may change unnoticed."""
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise EnvelopeError("base64 that is not canonical")
    return data


def unseal(envelope: Any, payload_type: str, key: VerifierKey) -> bytes:
    """The payload of a parsed envelope, if it has this type and one signature, by this key."""
    try:
        if set(envelope) != {"payload", "payloadType", "signatures"} or envelope["payloadType"] != payload_type:
            raise EnvelopeError(f"not an envelope of {payload_type}")
        (signature,) = envelope["signatures"]
        payload, raw = _decode(envelope["payload"]), _decode(signature["sig"])
    except (TypeError, KeyError, binascii.Error, ValueError) as error:
        raise EnvelopeError(str(error) or "not an envelope") from error
    if signature.get("keyid") != key.fingerprint:
        raise EnvelopeError(f"signed by key {signature.get('keyid')}, not by {key.fingerprint}")
    if not key.verify(raw, pae(payload_type, payload)):
        raise EnvelopeError("the signature is wrong")
    return payload
