"""The evidence store: keeps checkpoints and bundles away from the machines they speak about.

A raw ASGI application behind mutual TLS (the server refuses a handshake without a client certificate of its CA):

* ``PUT /v1/<kind>/<name>`` stores once; the same name again is 409, whatever the content;
* ``PUT /v1/checkpoint/<log>.<size>`` takes ``old <size>``, the consistency proof, a blank line and the signed note (the body of
  C2SP tlog-witness *add-checkpoint*). A head that is older than, or does not extend, the newest one kept is refused: that is how
  a rolled-back or rewritten ledger is noticed;
* ``GET /v1/<kind>/<name>``, ``GET /v1/<kind>`` (names), ``GET /v1/checkpoint/<log>.latest``, ``GET /v1/health``.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from curtilage.audit.merkle import verify_consistency
from curtilage.audit.note import Checkpoint, NoteError, VerifierKey
from curtilage.audit.tiles import sync_directory
from curtilage.canonical import canonical_json

log = logging.getLogger("curtilage.evidence")

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

KINDS = ("bundle", "checkpoint", "report")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,150}")
_HEAD = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]{0,80})\.([0-9]{20})")
_BODY_SECONDS = 30.0


class Refused(Exception):
    """An HTTP answer that is not success."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


def log_slug(origin: str) -> str:
    """A ledger's origin as part of a file name."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", origin).strip("-")[:80] or "log"


class EvidenceStore:
    """The application.

    Args:
        directory: where things are kept.
        logs: verifier keys of the ledgers whose heads are taken; the key's name is the ledger's origin.
        max_bytes: the largest body taken.
    """

    def __init__(self, directory: Path, logs: list[VerifierKey], *, max_bytes: int = 64 * 1024 * 1024) -> None:
        self.directory, self.max_bytes = directory, max_bytes
        self._logs = {log_slug(key.name): key for key in logs}
        if len(self._logs) != len(logs):
            raise ValueError("two ledgers have origins that read alike")
        self._locks = {name: asyncio.Lock() for name in self._logs}
        for kind in KINDS:
            (directory / kind).mkdir(mode=0o750, parents=True, exist_ok=True)
            for litter in (directory / kind).glob(".tmp-*"):
                litter.unlink()

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        try:
            status, kind, body = await self._answer(scope, receive)
        except Refused as refused:
            status, kind, body = refused.status, "application/json", canonical_json({"error": refused.reason})
        except OSError as error:
            log.error("%s %s: %s", scope["method"], scope["path"], error)
            status, kind, body = 507, "application/json", canonical_json({"error": "the store cannot write; nothing was kept"})
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        if status in (408, 413):
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return

    async def _answer(self, scope: Mapping[str, Any], receive: Receive) -> tuple[int, str, bytes]:
        method, parts = scope["method"], scope["path"].split("/")[1:]
        if parts == ["v1", "health"] and method == "GET":
            return 200, "application/json", canonical_json({"logs": {name: self._newest(name)[0] for name in self._logs}, "status": "ok"})
        if len(parts) not in (2, 3) or parts[0] != "v1" or parts[1] not in KINDS:
            raise Refused(404, "there is only /v1/" + "|".join(KINDS))
        kind, name = parts[1], parts[2] if len(parts) == 3 else ""
        if method == "GET":
            return await asyncio.to_thread(self._get, kind, name)
        if method != "PUT":
            raise Refused(405, "the store appends (PUT) and reads (GET); it changes and deletes nothing")
        if not _NAME.fullmatch(name):
            raise Refused(400, "a name has letters, digits, dots, hyphens and underscores, and begins with a letter or digit")
        body = await self._body(scope, receive)
        if kind == "checkpoint":
            await self._checkpoint(name, body)
        else:
            await asyncio.to_thread(self._keep, kind, name, body)
        return 201, "application/json", canonical_json({"kept": f"{kind}/{name}"})

    async def _body(self, scope: Mapping[str, Any], receive: Receive) -> bytes:
        stated = dict(scope["headers"]).get(b"content-length", b"0")
        if not stated.isdigit() or int(stated) > self.max_bytes:
            raise Refused(413, f"at most {self.max_bytes} bytes")
        chunks, size = [], 0
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refused(400, "the body ended early")
                    chunks.append(message.get("body", b""))
                    size += len(chunks[-1])
                    if size > self.max_bytes:
                        raise Refused(413, f"at most {self.max_bytes} bytes")
                    if not message.get("more_body"):
                        return b"".join(chunks)
        except TimeoutError as error:
            raise Refused(408, f"the body took more than {_BODY_SECONDS:.0f} seconds") from error

    def _get(self, kind: str, name: str) -> tuple[int, str, bytes]:
        if not name:
            names = sorted(path.name for path in (self.directory / kind).iterdir() if not path.name.startswith("."))
            return 200, "application/json", canonical_json(names)
        if kind == "checkpoint" and name.endswith(".latest"):
            size, _ = self._newest(name.removesuffix(".latest"))
            name = f"{name.removesuffix('.latest')}.{size:020d}"
        if not _NAME.fullmatch(name) or not (path := self.directory / kind / name).is_file():
            raise Refused(404, f"no {kind} of that name")
        return 200, "application/octet-stream", path.read_bytes()

    def _keep(self, kind: str, name: str, body: bytes) -> None:
        """Store once: written aside, synced, then *linked* to its name, which fails if the name exists."""
        path = self.directory / kind / name
        temporary = path.with_name(f".tmp-{os.getpid()}-{os.urandom(8).hex()}")
        try:
            with temporary.open("wb") as stream:
                stream.write(body)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.chmod(0o440)
            os.link(temporary, path)
        except FileExistsError as error:
            raise Refused(409, "that name is taken, and nothing is overwritten") from error
        finally:
            temporary.unlink(missing_ok=True)
        sync_directory(path.parent)

    def _newest(self, name: str) -> tuple[int, bytes | None]:
        heads = sorted(
            path
            for path in (self.directory / "checkpoint").glob(f"{name}.*")
            if _HEAD.fullmatch(path.name) and path.name.rpartition(".")[0] == name
        )
        return (int(heads[-1].name.rpartition(".")[2]), heads[-1].read_bytes()) if heads else (0, None)

    async def _checkpoint(self, name: str, body: bytes) -> None:
        match = _HEAD.fullmatch(name)
        key = self._logs.get(match[1]) if match else None
        if match is None or key is None:
            raise Refused(403, "no such ledger, or the name is not <ledger>.<size as 20 digits>")
        old, proof, note = split_submission(body)
        try:
            head = Checkpoint.open(note, key)
        except NoteError as error:
            raise Refused(403, str(error)) from error
        if head.origin != key.name or head.size != int(match[2]):
            raise Refused(422, "the name does not fit the checkpoint")
        async with self._locks[match[1]]:
            newest, kept = await asyncio.to_thread(self._newest, match[1])
            if head.size < newest:
                log.error("%s: a head of %d records after one of %d: rolled back", key.name, head.size, newest)
                raise Refused(409, f"rollback: a head of {newest} records is kept already")
            if old != newest:
                raise Refused(409, f"prove consistency with {newest}, not with {old}")
            if kept is not None:
                before = Checkpoint.open(split_submission(kept)[2], key)
                if not verify_consistency(newest, head.size, before.root, head.root, proof):
                    log.error("%s: a head of %d records does not extend the one of %d: rewritten", key.name, head.size, newest)
                    raise Refused(422, f"inconsistent: this head does not extend the kept one of {newest} records")
            await asyncio.to_thread(self._keep, "checkpoint", name, body)


def split_submission(body: bytes) -> tuple[int, list[bytes], bytes]:
    """``(old size, proof, note)`` of an add-checkpoint body."""
    head, blank, note = body.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    match = re.fullmatch(rb"old (0|[1-9][0-9]{0,18})", first)
    try:
        proof = [base64.b64decode(line, validate=True) for line in lines]
    except binascii.Error as error:
        raise Refused(400, "the proof is not base64") from error
    if not match or not blank or len(proof) > 63 or any(len(node) != 32 for node in proof):
        raise Refused(400, "a checkpoint comes as: old <size>, proof lines, a blank line, the signed note")
    return int(match[1]), proof, note


def submission(old: int, proof: list[bytes], note: bytes) -> bytes:
    """The body that :func:`split_submission` reads."""
    return f"old {old}\n".encode() + b"".join(base64.b64encode(node) + b"\n" for node in proof) + b"\n" + note
