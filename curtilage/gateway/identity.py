"""Who calls: a gateway-issued key or a token of the house's identity provider, in whichever slot the vendor's SDK has for its key, or a
client certificate.

Only salted digests are stored. An unknown key id costs the same comparison as a wrong secret, so time tells nothing about which ids exist.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from curtilage.gateway import sigv4
from curtilage.gateway.reasons import Reason, Refusal
from curtilage.gateway.tokens import TokenRefused, TokenVerifier
from curtilage.gateway.wire import Scope
from curtilage.matters.directory import KEY_PREFIX, hash_secret
from curtilage.matters.model import Identity, Snapshot

_DUMMY_SALT, _DUMMY_DIGEST = b"\0" * 16, b"\0" * 32
_MESSAGE = "no valid gateway key; put the key issued by `curtilage gateway keys issue` where the vendor's API key goes"


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated identity and what it used: a key's id, or ``oidc`` or ``mtls`` and a digest that tells two apart."""

    identity: Identity
    key_id: str


_KEY_HEADERS = (b"x-api-key", b"api-key", b"x-goog-api-key")


def presented_key(headers: Mapping[bytes, bytes], query_key: str = "") -> str:
    """The key in the request; two different ones are ambiguous and refused."""
    found = {value for name in _KEY_HEADERS if (value := headers.get(name, b"").strip())}
    if query_key:
        found.add(query_key.encode())
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


def authenticate(
    headers: Mapping[bytes, bytes],
    directory: Snapshot,
    now: float | None = None,
    *,
    tokens: TokenVerifier | None = None,
    certificate: bytes | None = None,
    query_key: str = "",
) -> Caller:
    """The caller, or a refusal that does not say which part was wrong.

    Args:
        headers: the request's.
        directory: the current directory.
        now: seconds since 1970; the host's clock unless given.
        tokens: the identity providers that are believed, if any.
        certificate: the client certificate (DER) that TLS has verified, if there was one. With a key or a token beside it, both must
            speak of the same identity.
        query_key: the ``key`` of the query, where Google's older clients put it.
    """
    now = time.time() if now is None else now
    by_certificate = None if certificate is None else _by_certificate(certificate, directory)
    if by_certificate is not None and not (_presents(headers) or query_key):
        return by_certificate
    presented = presented_key(headers, query_key)
    if tokens is not None and presented.count(".") == 2 and not presented.startswith(KEY_PREFIX):
        caller = _by_token(presented, directory, tokens, now)
    else:
        caller = _by_key(presented, directory, now)
    if by_certificate is not None and by_certificate.identity.id != caller.identity.id:
        raise Refusal(Reason.IDENTITY_UNKNOWN, _MESSAGE)
    return caller


def _presents(headers: Mapping[bytes, bytes]) -> bool:
    return any(headers.get(name, b"").strip() for name in (*_KEY_HEADERS, b"authorization"))


def is_signed(headers: Mapping[bytes, bytes]) -> bool:
    """Whether the request is signed instead of carrying a key."""
    return headers.get(b"authorization", b"").startswith(sigv4.ALGORITHM.encode())


def expect_signer(headers: Mapping[bytes, bytes], directory: Snapshot) -> None:
    """Refuse a signature by an unknown key before its body is read; whether it holds, only the body will tell."""
    try:
        key = directory.keys.get(sigv4.parse(headers[b"authorization"]).key_id)
    except sigv4.SignatureRefused:
        key = None
    if key is None or not key.signs:
        raise Refusal(Reason.IDENTITY_UNKNOWN, _MESSAGE)


def authenticate_signed(
    scope: Scope,
    headers: Mapping[bytes, bytes],
    body: bytes,
    directory: Snapshot,
    now: float | None = None,
    *,
    certificate: bytes | None = None,
) -> Caller:
    """The caller of a signed request, or a refusal that does not say which part was wrong. The key's id alone proves nothing."""
    now = time.time() if now is None else now
    try:
        claim = sigv4.parse(headers[b"authorization"])
        key = directory.keys.get(claim.key_id)
        usable = key is not None and key.signs and not key.revoked and (key.expires_at is None or key.expires_at > now)
        sigv4.verify(claim, scope, headers, body, key.digest if key is not None and usable else _DUMMY_DIGEST, now)
    except sigv4.SignatureRefused:
        raise Refusal(Reason.IDENTITY_UNKNOWN, _MESSAGE) from None
    if key is None or not usable or any(headers.get(name, b"").strip() for name in _KEY_HEADERS):
        raise Refusal(Reason.IDENTITY_UNKNOWN, _MESSAGE)
    caller = _caller(key.identity, key.id, directory)
    if certificate is not None and _by_certificate(certificate, directory).identity.id != caller.identity.id:
        raise Refusal(Reason.IDENTITY_UNKNOWN, _MESSAGE)
    return caller


def _by_key(presented: str, directory: Snapshot, now: float) -> Caller:
    key_id, _, secret = presented.removeprefix(KEY_PREFIX).partition("-")
    key = directory.keys.get(key_id) if presented.startswith(KEY_PREFIX) else None
    salt, digest = (key.salt, key.digest) if key else (_DUMMY_SALT, _DUMMY_DIGEST)
    matches = hmac.compare_digest(hash_secret(salt, secret), digest)
    if key is None or key.signs or not matches or key.revoked:
        raise Refusal(Reason.IDENTITY_UNKNOWN, _MESSAGE)
    if key.expires_at is not None and key.expires_at <= now:
        raise Refusal(Reason.IDENTITY_UNKNOWN, _MESSAGE)
    return _caller(key.identity, key_id, directory)


def _by_token(token: str, directory: Snapshot, tokens: TokenVerifier, now: float) -> Caller:
    try:
        subject = tokens.verify(token, now)
    except TokenRefused:
        raise Refusal(Reason.IDENTITY_UNKNOWN, _MESSAGE) from None
    used = hashlib.sha256(f"{subject.issuer}\0{subject.subject}".encode()).hexdigest()[:12]
    return _caller(directory.subjects.get(("oidc", subject.issuer, subject.subject)), f"oidc-{used}", directory)


def _by_certificate(certificate: bytes, directory: Snapshot) -> Caller:
    digest = certificate_subject(certificate)
    return _caller(directory.subjects.get(("mtls", "", digest)), f"mtls-{digest[:12]}", directory)


def certificate_subject(certificate: bytes) -> str:
    """What a client certificate is known by: the digest of its public key, so that a renewed one is the same caller."""
    key = x509.load_der_x509_certificate(certificate).public_key()
    encoded = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(encoded).hexdigest()


def _caller(identity_id: str | None, used: str, directory: Snapshot) -> Caller:
    identity = directory.identities.get(identity_id) if identity_id is not None else None
    if identity is None or not identity.active:
        raise Refusal(Reason.IDENTITY_UNKNOWN, _MESSAGE)
    return Caller(identity, used)
