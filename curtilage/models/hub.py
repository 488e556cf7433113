"""Fetch one commit of a hub repository on a connected staging machine: named by its 40-digit commit, checked by the hub's own digests.

Speaks the two read-only calls a hub serves (``/api/models/ID/tree/COMMIT`` and ``/ID/resolve/COMMIT/PATH``) with the standard library, so
that no client library caches, reports or executes anything. Interrupted, it goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from curtilage.errors import ConfigError, StepError
from curtilage.models.pickles import LEFT_OUT, NAMES, PLAIN

REFERENCE = re.compile(r"^(?P<id>[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})@(?P<commit>[0-9a-f]{40})$")
CHUNK = 4 * 1024 * 1024
MAX_FILES = 1_000
TIMEOUT_SECONDS = 60
AGAIN = "run the same command again; what was fetched is kept"


def parse(reference: str) -> tuple[str, str]:
    """Repository and commit of ``owner/name@<40 hex>``.

    Raises:
        ConfigError: a branch, a tag, a short hash: anything that may mean something else tomorrow.
    """
    found = REFERENCE.match(reference)
    if not found or ".." in reference:
        raise ConfigError(
            f"'{reference}'", rule="a hub model is OWNER/NAME@COMMIT with all 40 digits", fix="resolve the branch to its commit"
        )
    return found["id"], found["commit"]


def fetch(reference: str, endpoint: str, into: Path, say: Callable[[str], None], *, token: str | None = None) -> tuple[str, str]:
    """Every file a model needs of that commit into a directory; files already whole are kept.

    Raises:
        ConfigError: the reference or the endpoint breaks a rule.
        StepError: the hub says no, serves something else than it lists, or lists what no model holds.
    """
    repository, commit = parse(reference)
    into.mkdir(parents=True, exist_ok=True)
    parts = urllib.parse.urlsplit(endpoint)
    local = parts.hostname in {"127.0.0.1", "::1", "localhost"}
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise ConfigError(
            f"endpoint '{endpoint}'", rule="a hub is reached by https (http on loopback alone)", fix="pass --endpoint https://…"
        )
    base = endpoint.rstrip("/")
    listing = _json(f"{base}/api/models/{repository}/tree/{commit}?recursive=true", token)
    if not isinstance(listing, list) or not 1 <= len(listing) <= MAX_FILES:
        raise StepError("import", f"{repository}: no list of 1 to {MAX_FILES} files", fix="check the repository and the commit")
    for entry in listing:
        if not isinstance(entry, dict) or entry.get("type") == "directory":
            continue
        path = _inside(entry.get("path"))
        if path.name in LEFT_OUT or (path.suffix.lower() not in PLAIN and path.name not in NAMES) or len(path.parts) > 1:
            say(f"left on the hub: {path}")
            continue
        _file(f"{base}/{repository}/resolve/{commit}/{urllib.parse.quote(str(path))}", into / path, entry, token, say)
    return repository, commit


def _inside(value: Any) -> PurePosixPath:
    path = PurePosixPath(value) if isinstance(value, str) and value else PurePosixPath("/")
    if path.is_absolute() or ".." in path.parts or "\\" in str(path) or "\0" in str(path):
        raise StepError("import", f"the hub lists the path {value!r}", fix="do not import from this hub")
    return path


def _open(url: str, token: str | None, begin: int = 0) -> http.client.HTTPResponse:
    headers = {"User-Agent": "curtilage"} | ({"Range": f"bytes={begin}-"} if begin else {})
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the scheme was checked
    if token:
        # Not sent again when the hub redirects to another host for the bytes.
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)  # noqa: S310
    except (OSError, http.client.HTTPException) as error:
        raise StepError("import", f"{url}: {error}", fix=AGAIN) from error
    return response


def _json(url: str, token: str | None) -> Any:
    with _open(url, token) as response:
        if response.headers.get("Link"):
            raise StepError("import", "the list of files has more than one page", fix="import from a directory instead")
        try:
            return json.loads(response.read(16 * 1024 * 1024))
        except (ValueError, http.client.HTTPException) as error:
            raise StepError("import", f"{url}: no JSON", fix="check --endpoint") from error


def _file(url: str, target: Path, entry: dict[str, Any], token: str | None, say: Callable[[str], None]) -> None:
    size, large = entry.get("size"), entry.get("lfs")
    if not isinstance(size, int) or size < 0:
        raise StepError("import", f"the hub names no size for {target.name}", fix="import from a directory instead")
    if target.is_file() and target.stat().st_size == size and _as_listed(target, entry):
        return
    partial = target.with_name(target.name + ".part")
    have = partial.stat().st_size if partial.is_file() and large else 0
    have = have if have < size else 0
    say(f"{target.name}: {size:,} bytes" + (f", {have:,} kept" if have else ""))
    with _open(url, token, have) as response:
        have = have if response.status == 206 else 0  # a hub that knows no ranges begins again
        have = _receive(response, partial, have, size)
    if have != size:
        raise StepError("import", f"{target.name}: {min(have, size + 1)} of {size} bytes came", fix=AGAIN)
    if not _as_listed(partial, entry):
        partial.unlink()
        raise StepError(
            "import", f"{target.name} is not what the hub lists for this commit", fix="fetch again; if it stays so, do not use it"
        )
    partial.replace(target)


def _receive(response: http.client.HTTPResponse, partial: Path, have: int, size: int) -> int:
    """Append what comes to the ``have`` bytes that are there; returns how many there are then, at most one block beyond ``size``."""
    with partial.open("ab" if have else "wb") as stream:
        while True:
            try:
                block = response.read(CHUNK)
            except (OSError, http.client.HTTPException) as error:
                raise StepError("import", f"{partial.stem}: {error}", fix=AGAIN) from error
            have += len(block)
            if not block or have > size:
                break
            stream.write(block)
        stream.flush()
        os.fsync(stream.fileno())
    return have


def _as_listed(path: Path, entry: dict[str, Any]) -> bool:
    """Large files are listed by SHA-256, small ones by git's own digest of a blob; a listing without either proves nothing."""
    large = entry.get("lfs")
    if isinstance(large, dict):
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == str(large.get("oid", "")).removeprefix("sha256:")
    content = path.read_bytes()
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    return blob == entry.get("oid")
