"""AWS Signature Version 4, checked: Bedrock's SDKs send no key, they sign with one.

Source: "Signature Version 4 signing process", AWS documentation, as botocore carries it out for services other than S3: the path is
escaped once more, the payload's digest is part of what is signed, and the signature is in the ``Authorization`` header.

What is asked beyond a right signature: it covers the host, the date and every ``x-amz-`` and ``x-curtilage-`` header; the date is now, by
the gateway's clock; the payload is signed; region and service are those of the name that was called.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from curtilage.gateway.wire import Scope

ALGORITHM = "AWS4-HMAC-SHA256"
SKEW_SECONDS = 300
_CREDENTIAL = re.compile(r"([A-Z0-9]{16,64})/(\d{8})/([a-z0-9-]{1,40})/(bedrock|bedrock-mantle|aws-external-anthropic)/aws4_request")
_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_DATE = re.compile(r"\d{8}T\d{6}Z")


class SignatureRefused(Exception):
    """The signature does not hold; the reason is for tests, never for the caller."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What an ``Authorization`` header claims."""

    key_id: str
    date: str
    region: str
    service: str
    headers: tuple[str, ...]
    signature: str


def parse(authorization: bytes) -> Claim:
    """Read the header. Raises :class:`SignatureRefused`."""
    try:
        scheme, _, rest = authorization.decode("ascii").partition(" ")
    except UnicodeDecodeError:
        raise SignatureRefused("not ASCII") from None
    fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    credential = _CREDENTIAL.fullmatch(fields.get("Credential", ""))
    signature, headers = fields.get("Signature", ""), tuple(fields.get("SignedHeaders", "").split(";"))
    if scheme != ALGORITHM or set(fields) != {"Credential", "SignedHeaders", "Signature"} or rest.count(",") != 2:
        raise SignatureRefused("not this scheme")
    if credential is None or not _SIGNATURE.fullmatch(signature) or list(headers) != sorted(set(headers)):
        raise SignatureRefused("not well formed")
    return Claim(credential[1], credential[2], credential[3], credential[4], headers, signature)


def verify(claim: Claim, scope: Scope, headers: Mapping[bytes, bytes], body: bytes, secret: bytes, now: float) -> None:
    """Check a claim against the request as it came. Raises :class:`SignatureRefused`."""
    found = {name.decode("latin-1"): value for name, value in headers.items()}
    must = {"host", "x-amz-date"} | {name for name in found if name.startswith(("x-amz-", "x-curtilage-"))}
    if not must <= set(claim.headers) or not set(claim.headers) <= set(found):
        raise SignatureRefused("headers that decide are not signed")
    stamp = found["x-amz-date"].decode("latin-1")
    if not _DATE.fullmatch(stamp) or not stamp.startswith(claim.date):
        raise SignatureRefused("date")
    try:
        when = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise SignatureRefused("date") from None
    if abs(when - now) > SKEW_SECONDS:
        raise SignatureRefused("not now")
    host = found["host"].decode("latin-1").lower()
    if f".{claim.region}." not in host and ".amazonaws." in host:
        raise SignatureRefused("another region")
    digest = hashlib.sha256(body).hexdigest()
    if found.get("x-amz-content-sha256", digest.encode()).decode("latin-1") != digest:
        raise SignatureRefused("payload")
    canonical = "\n".join(
        (
            scope["method"],
            quote(scope["raw_path"].decode("latin-1"), safe="/~"),
            _query(scope.get("query_string", b"")),
            *(f"{name}:{' '.join(found[name].decode('latin-1').split())}" for name in claim.headers),
            "",
            ";".join(claim.headers),
            digest,
        )
    )
    credential_scope = f"{claim.date}/{claim.region}/{claim.service}/aws4_request"
    to_sign = f"{ALGORITHM}\n{stamp}\n{credential_scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = ("AWS4" + base64.b64encode(secret).decode()).encode()
    for part in (claim.date, claim.region, claim.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    if not hmac.compare_digest(hmac.digest(key, to_sign.encode(), "sha256").hex(), claim.signature):
        raise SignatureRefused("signature")


def _query(raw: bytes) -> str:
    return "&".join(sorted(pair if "=" in pair else pair + "=" for pair in raw.decode("latin-1").split("&") if pair))
