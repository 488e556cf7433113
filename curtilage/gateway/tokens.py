"""Tokens of the house's own identity provider (OIDC, RFC 7519), checked offline.

The issuer's algorithms are pinned in the configuration and are all asymmetric; the token's header chooses nothing but a key id among the
issuer's keys. Keys are read from a file that somebody inside refreshes (``curtilage gateway keys fetch``): the gateway itself asks nobody.
A verdict is cached by the digest of the whole token, and what runs out is checked again at each use.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import re
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from pydantic import BaseModel, ConfigDict, Field, model_validator

from curtilage.errors import ConfigError

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
MAX_TOKEN = 16 << 10
_CACHE = 4096
_SEGMENT = re.compile(r"[A-Za-z0-9_-]+")
# jku, jwk, x5u, x5c would bring a key along; crit and b64 change what is signed. A thumbprint (AD FS, Entra ID) is not read.
_HEADER = frozenset(("alg", "kid", "typ", "x5t", "x5t#S256"))
_TYPES = frozenset((None, "jwt", "at+jwt", "application/at+jwt"))
_HASHES: dict[str, hashes.HashAlgorithm] = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
_CURVES: dict[str, tuple[str, type[ec.EllipticCurve], int]] = {
    "ES256": ("P-256", ec.SECP256R1, 32),
    "ES384": ("P-384", ec.SECP384R1, 48),
    "ES512": ("P-521", ec.SECP521R1, 66),
}
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


class Issuer(BaseModel):
    """One issuer that is believed, and about what."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: Annotated[str, Field(pattern=r"^https://[^\s?#]+$")]
    audience: Annotated[str, Field(min_length=1)]
    jwks: Path
    algorithms: Annotated[tuple[Algorithm, ...], Field(min_length=1)]
    subject: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")] = "sub"
    leeway_seconds: Annotated[float, Field(ge=0, le=120)] = 30.0
    longest_seconds: Annotated[float, Field(gt=0, le=86400)] = 43200.0

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(set(self.algorithms)) != len(self.algorithms):
            raise ValueError("an algorithm is named twice")
        return self


class TokenRefused(Exception):
    """The token is not believed; the reason is for logs and tests, never for the caller."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Who a token speaks of."""

    issuer: str
    subject: str


@dataclass(slots=True)
class _Keys:
    path: Path
    stamp: tuple[int, int, int] = (0, 0, 0)
    keys: tuple[tuple[str | None, str, PublicKey], ...] = ()  # kid, alg or "", key


@dataclass(slots=True)
class TokenVerifier:
    """Believes tokens of the configured issuers.

    Args:
        issuers: from the configuration; each name once.
    """

    issuers: Sequence[Issuer]
    _by_name: dict[str, Issuer] = field(init=False)
    _keys: dict[str, _Keys] = field(init=False)
    _cache: OrderedDict[bytes, tuple[Subject, float, float, tuple[int, int, int]]] = field(init=False, default_factory=OrderedDict)

    def __post_init__(self) -> None:
        """Index the issuers and read their keys once, so that a wrong file is told at the start."""
        self._by_name = {issuer.issuer: issuer for issuer in self.issuers}
        if len(self._by_name) != len(self.issuers):
            raise ConfigError("an issuer is named twice", rule="each issuer once", fix="remove one", key="issuers")
        self._keys = {issuer.issuer: _Keys(issuer.jwks) for issuer in self.issuers}
        for issuer in self.issuers:
            _refresh(self._keys[issuer.issuer], issuer, strict=True)

    def verify(self, token: str, now: float | None = None) -> Subject:
        """Who the token speaks of. Raises :class:`TokenRefused`."""
        now = time.time() if now is None else now
        if len(token) > MAX_TOKEN or not token.isascii():
            raise TokenRefused("too long, or not ASCII")
        digest = hashlib.sha256(token.encode()).digest()
        cached = self._cache.get(digest)
        if cached is not None:
            subject, not_before, expires, stamp = cached
            keys = self._keys[subject.issuer]
            _refresh(keys, self._by_name[subject.issuer])
            if keys.stamp == stamp:
                if not not_before <= now < expires:
                    raise TokenRefused("outside its time")
                self._cache.move_to_end(digest)
                return subject
            del self._cache[digest]
        subject, not_before, expires, stamp = self._verify(token, now)
        self._cache[digest] = (subject, not_before, expires, stamp)
        while len(self._cache) > _CACHE:
            self._cache.popitem(last=False)
        return subject

    def _verify(self, token: str, now: float) -> tuple[Subject, float, float, tuple[int, int, int]]:
        parts = token.split(".")
        if len(parts) != 3 or not all(map(_SEGMENT.fullmatch, parts)):
            raise TokenRefused("not a compact JWS")
        header, claims, signature = _json(parts[0]), _json(parts[1]), _decode(parts[2])
        named = claims.get("iss")
        issuer = self._by_name.get(named) if isinstance(named, str) else None
        if issuer is None:
            raise TokenRefused("issuer not on the list")
        if set(header) - _HEADER:
            raise TokenRefused("a header that nobody asked for")
        algorithm, kid, type_ = header.get("alg"), header.get("kid"), header.get("typ")
        if algorithm not in issuer.algorithms:
            raise TokenRefused("algorithm not pinned for this issuer")
        if (kid is not None and not isinstance(kid, str)) or (type_.lower() if isinstance(type_, str) else type_) not in _TYPES:
            raise TokenRefused("kid or typ")
        keys = self._keys[issuer.issuer]
        _refresh(keys, issuer)
        candidates = [
            key for found, pinned, key in keys.keys if (kid is None or found == kid) and pinned in ("", algorithm) and _fits(algorithm, key)
        ]
        if len(candidates) != 1:
            raise TokenRefused("not exactly one key for it")
        _check_signature(algorithm, candidates[0], f"{parts[0]}.{parts[1]}".encode(), signature)
        not_before, expires = _times(claims, issuer, now)
        audience = claims.get("aud")
        if issuer.audience not in (audience if isinstance(audience, list) else [audience]):
            raise TokenRefused("for another audience")
        subject = claims.get(issuer.subject)
        if not isinstance(subject, str) or not 0 < len(subject) <= 256:
            raise TokenRefused("no subject")
        return Subject(issuer.issuer, subject), not_before, expires, keys.stamp


def _times(claims: dict[str, Any], issuer: Issuer, now: float) -> tuple[float, float]:
    """From when until when the token holds, the leeway included; it holds now."""
    expires, issued, not_before = (_number(claims, name) for name in ("exp", "iat", "nbf"))
    if expires is None:
        raise TokenRefused("no exp")
    start = max((value for value in (issued, not_before) if value is not None), default=-math.inf) - issuer.leeway_seconds
    end = expires + issuer.leeway_seconds
    if issued is not None:
        end = min(end, issued + issuer.longest_seconds)
    elif expires - now > issuer.longest_seconds:
        raise TokenRefused("valid for too long")
    if not start <= now < end:
        raise TokenRefused("outside its time")
    return start, end


def _number(claims: dict[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or abs(value) > 1e12:
        raise TokenRefused(f"{name} is no time")
    return float(value)


def _decode(segment: str) -> bytes:
    try:
        raw = base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise TokenRefused("not base64url") from error
    if base64.urlsafe_b64encode(raw).rstrip(b"=") != segment.encode():
        raise TokenRefused("not the one encoding of its bytes")
    return raw


def _json(segment: str) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        built = dict(pairs)
        if len(built) != len(pairs):
            raise TokenRefused("a name twice")
        return built

    try:
        tree = json.loads(_decode(segment).decode(), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise TokenRefused("not JSON") from error
    if not isinstance(tree, dict):
        raise TokenRefused("not an object")
    return tree


def _fits(algorithm: str, key: PublicKey) -> bool:
    if algorithm == "EdDSA":
        return isinstance(key, ed25519.Ed25519PublicKey)
    if algorithm.startswith("ES"):
        return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES[algorithm][1])
    return isinstance(key, rsa.RSAPublicKey)


def _check_signature(algorithm: str, key: PublicKey, message: bytes, signature: bytes) -> None:
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, message)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            size = _CURVES[algorithm][2]
            if len(signature) != 2 * size:
                raise TokenRefused("signature of another length")
            encoded = utils.encode_dss_signature(int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big"))
            key.verify(encoded, message, ec.ECDSA(_HASHES[algorithm[2:]]))
        else:
            found = _HASHES[algorithm[2:]]
            scheme = padding.PKCS1v15() if algorithm.startswith("RS") else padding.PSS(padding.MGF1(found), found.digest_size)
            key.verify(signature, message, scheme, found)
    except InvalidSignature as error:
        raise TokenRefused("signature") from error


def _refresh(keys: _Keys, issuer: Issuer, *, strict: bool = False) -> None:
    """Read the key file again when it has changed; a broken one leaves the old keys, and no keys are no belief."""
    try:
        found = keys.path.stat()
        stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
        if stamp == keys.stamp:
            return
        keys.keys, keys.stamp = parse_jwks(keys.path.read_bytes()), stamp
    except (OSError, ValueError) as error:
        if strict:
            raise ConfigError(
                f"no keys of {issuer.issuer}: {error}",
                rule="jwks is the issuer's key set (RFC 7517), with public keys only",
                fix="curtilage gateway keys fetch --issuer … --out FILE",
                file=keys.path,
                key="issuers",
            ) from error


def parse_jwks(raw: bytes) -> tuple[tuple[str | None, str, PublicKey], ...]:
    """A key set's signing keys. Raises ValueError for a set that holds a secret, a weak key, or none."""
    tree = json.loads(raw)
    if not isinstance(tree, dict) or not isinstance(tree.get("keys"), list):
        raise ValueError("not a key set")  # noqa: TRY004 - one kind of error: not a key set
    found = []
    for entry in tree["keys"]:
        if not isinstance(entry, dict) or entry.get("kty") == "oct" or "d" in entry:
            raise ValueError("a key set for verifying holds public keys only")
        if entry.get("use", "sig") != "sig" or entry.get("kty") not in ("RSA", "EC", "OKP"):
            continue
        key = _public_key(entry)
        if key is not None:
            kid = entry.get("kid")
            found.append((kid if isinstance(kid, str) else None, str(entry.get("alg", "")), key))
    if not found:
        raise ValueError("no signing key in it")
    return tuple(found)


def _public_key(entry: dict[str, Any]) -> PublicKey | None:
    def number(name: str) -> int:
        return int.from_bytes(_octets(entry[name]), "big")

    try:
        if entry["kty"] == "RSA":
            key = rsa.RSAPublicNumbers(number("e"), number("n")).public_key()
            if key.key_size < 2048:
                raise ValueError("an RSA key shorter than 2048 bits")
            return key
        if entry["kty"] == "EC":
            curve = next((kind for name, kind, _ in _CURVES.values() if name == entry["crv"]), None)
            return None if curve is None else ec.EllipticCurvePublicNumbers(number("x"), number("y"), curve()).public_key()
        return ed25519.Ed25519PublicKey.from_public_bytes(_octets(entry["x"])) if entry.get("crv") == "Ed25519" else None
    except (KeyError, TypeError) as error:
        raise ValueError(f"a key without its {error}") from error


def _octets(text: Any) -> bytes:
    if not isinstance(text, str):
        raise ValueError("a key's number is text")  # noqa: TRY004 - one kind of error: not a key set
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
