"""RFC 3161 time stamps over a bundle's manifest, with the machine's own OpenSSL.

A stamp says that the manifest existed at a time somebody else vouches for. The authority is the verifier's choice: a token is believed
only under certificates the verifier names. Where the authority cannot be reached from here, the request is carried to it as a file.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from curtilage.errors import ConfigError, StepError
from curtilage.evidence.archive import pack, unpack
from curtilage.evidence.bundle import MANIFEST, TIMESTAMP

SKEW_SECONDS = 300
"""How far two honest clocks may lie apart."""

_TIME = re.compile(rb"^Time stamp: (.+)$", re.MULTILINE)
_MAX_REPLY = 256 * 1024


class TimestampError(ValueError):
    """No token, or not one over these bytes, or not under these certificates."""


def _openssl(*arguments: str) -> bytes:
    try:
        done = subprocess.run(["openssl", "ts", *arguments], capture_output=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TimestampError(f"openssl could not be run: {error}") from error
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise TimestampError(f"openssl ts: {words[-1] if words else done.returncode}")
    return done.stdout


def request_for(bundle: Path) -> bytes:
    """The query to hand to an authority."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "manifest"
        data.write_bytes(unpack(bundle.read_bytes())[MANIFEST])
        return _openssl("-query", "-data", str(data), "-sha256", "-cert")


def ask(url: str, query: bytes) -> bytes:
    """An authority's reply.

    Raises:
        StepError: it did not answer with a reply.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise ConfigError(f"authority {url!r}", rule="an authority is reached over http or https", fix="check --tsa")
    request = Request(url, data=query, headers={"Content-Type": "application/timestamp-query"})  # noqa: S310 - the scheme was checked
    try:
        # No proxy of the environment: an authority inside is not reached through one outside.
        with build_opener(ProxyHandler({})).open(request, timeout=20) as reply:
            body: bytes = reply.read(_MAX_REPLY + 1)
    except (URLError, OSError, ValueError) as error:
        raise StepError(
            "time stamp", f"{url}: {error}", fix="check the authority, or carry the request: curtilage evidence stamp --query-out"
        ) from error
    if len(body) > _MAX_REPLY:
        raise StepError("time stamp", f"{url}: a reply of more than {_MAX_REPLY} bytes", fix="check the authority")
    return body


def attach(bundle: Path, reply: bytes) -> None:
    """Put a reply into its bundle; one for other bytes is refused.

    Raises:
        TimestampError: the reply is none, or is about something else.
    """
    files = unpack(bundle.read_bytes())
    text = _inspect(reply)
    digest = re.sub(rb"[^0-9a-f]", b"", b"".join(re.findall(rb"^ +[0-9a-f]{4} - ((?:[0-9a-f]{2}[ -])+)", text, re.MULTILINE)))
    if sha256(files[MANIFEST]).hexdigest().encode() not in digest:
        raise TimestampError("the reply is about other bytes than this bundle's manifest")
    temporary = bundle.with_name(f".{bundle.name}.new")
    temporary.write_bytes(pack(files | {TIMESTAMP: reply}))
    temporary.replace(bundle)


def _inspect(reply: bytes) -> bytes:
    with tempfile.NamedTemporaryFile() as file:
        file.write(reply)
        file.flush()
        return _openssl("-reply", "-in", file.name, "-text")


def stamped_at(reply: bytes, data: bytes, ca: Path) -> datetime:
    """When the authority saw ``data``, if its token leads to the certificates in ``ca``.

    Raises:
        TimestampError: it does not.
    """
    if not ca.is_file():
        raise TimestampError(f"no certificates at {ca}")
    with tempfile.TemporaryDirectory() as folder:
        token, signed = Path(folder) / "token", Path(folder) / "data"
        token.write_bytes(reply)
        signed.write_bytes(data)
        _openssl("-verify", "-in", str(token), "-data", str(signed), "-CAfile", str(ca))
    found = _TIME.search(_inspect(reply))
    if found is None:
        raise TimestampError("the token tells no time")
    text = re.sub(r"\.\d+", "", found[1].decode().strip())
    try:
        return datetime.strptime(text, "%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC)
    except ValueError as error:
        raise TimestampError(f"the token's time {text!r} is not readable") from error
