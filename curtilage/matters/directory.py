"""The directory: one writer's methods for the CLI and the roles, and a snapshot that reloads itself for the gateway.

A change is visible to a running gateway at its next call: the store's version is asked for each time and moves when anybody else commits,
so a revoked key is dead without a restart and without a cache that could outlive it.
"""

from __future__ import annotations

import base64
import getpass
import hashlib
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from curtilage.canonical import canonical_json, digest_of
from curtilage.errors import ConfigError
from curtilage.matters.model import (
    SIGNING_PREFIX,
    Confidentiality,
    Grant,
    Identity,
    IdentityKind,
    Key,
    Matter,
    Membership,
    PersonalData,
    Snapshot,
)
from curtilage.matters.more_changes import MoreChanges, identifier, words
from curtilage.matters.store import Clash, Execute, Rows, Store

KEY_PREFIX = "ct-"


def hash_secret(salt: bytes, secret: str) -> bytes:
    """Salted SHA-256 of a key's secret part; a slow hash would add nothing to 256 random bits and cost every call."""
    return hashlib.sha256(salt + secret.encode()).digest()


def acting_user() -> str:
    """Who changes the directory: the operating system's user, through sudo when there is one."""
    return os.environ.get("SUDO_USER") or getpass.getuser()


class Directory(MoreChanges):
    """People and services, keys, matters, memberships and walls.

    Args:
        store: where they are kept.
    """

    def __init__(self, store: Store) -> None:
        self._store, self.path, self.waits = store, store.place, store.waits
        self._snapshot: Snapshot | None = None
        self._one_reader = threading.Lock()  # the console asks from a thread of its own

    def close(self) -> None:
        """Close it."""
        self._store.close()

    # ---- reading

    def snapshot(self) -> Snapshot:
        """The current directory; read again only when another connection, or this one, has committed.

        Raises:
            DirectoryUnavailable: it does not answer, so nobody knows who may do what.
        """
        with self._one_reader:
            version = self._store.version()
            if self._snapshot is None or self._snapshot.version != version:
                self._snapshot = self._load(version)
            return self._snapshot

    def _load(self, version: tuple[int, ...]) -> Snapshot:
        with self._store.reading() as query:
            identities = {
                row[0]: Identity(row[0], IdentityKind(row[1]), Confidentiality(row[2]), bool(row[3]))
                for row in query("SELECT id, kind, clearance, active FROM identities")
            }
            keys = {
                row[0]: Key(row[0], row[1], row[2], row[3], row[4], bool(row[5]))
                for row in query("SELECT id, identity, salt, digest, expires_at, revoked FROM keys")
            }
            matters = {
                row[0]: Matter(
                    row[0],
                    row[1],
                    Confidentiality(row[2]),
                    PersonalData(row[3]),
                    bool(row[4]),
                    bool(row[5]),
                    row[6],
                    words(row[7]),
                    *row[8:],
                )
                for row in query(
                    "SELECT id, jurisdiction, confidentiality, personal_data, legal_hold, is_open, secret, purposes, direction,"
                    " closed_at, shredded_at FROM matters"
                )
            }
            members: dict[str, set[str]] = {}
            places: dict[tuple[str, str], Membership] = {}
            for identity, matter, purposes, expires_at in query("SELECT identity, matter, purposes, expires_at FROM memberships"):
                members.setdefault(identity, set()).add(matter)
                places[identity, matter] = Membership(words(purposes), expires_at)
            grants = tuple(
                Grant(row[0], row[1], row[2], row[3], row[4], bool(row[5]))
                for row in query("SELECT id, identity, matter, expires_at, approved_by, revoked FROM grants WHERE revoked = 0")
            )
            subjects = {(row[0], row[1], row[2]): row[3] for row in query("SELECT kind, issuer, subject, identity FROM subjects")}
            terms: dict[str, tuple[tuple[str, str], ...]] = {}
            for matter, term, type_ in query("SELECT matter, term, type FROM terms ORDER BY matter, term"):
                terms[matter] = (*terms.get(matter, ()), (term, type_))
            walls = frozenset((row[0], row[1]) for row in query("SELECT identity, matter FROM walls"))
        return Snapshot(
            version=version,
            identities=MappingProxyType(identities),
            keys=MappingProxyType(keys),
            matters=MappingProxyType(matters),
            memberships=MappingProxyType({identity: frozenset(found) for identity, found in members.items()}),
            walled_off=walls,
            places=MappingProxyType(places),
            grants=grants,
            subjects=MappingProxyType(subjects),
            terms=MappingProxyType(terms),
        )

    def changes(self) -> Iterator[dict[str, Any]]:
        """Every change ever made, oldest first."""
        columns = ("number", "at", "actor", "action", "subject", "detail", "previous", "digest")
        with self._store.reading() as query:
            rows = list(query(f"SELECT {', '.join(columns)} FROM changes ORDER BY number"))  # noqa: S608 - the names above
        for row in rows:
            yield dict(zip(columns, row, strict=True))

    def verify_changes(self) -> bool:
        """Whether the chain of changes is unbroken."""
        previous = ""
        for change in self.changes():
            digest = change.pop("digest")
            if change["previous"] != previous or digest_of({**change, "number": None}) != digest:
                return False
            previous = digest
        return True

    # ---- writing

    @contextmanager
    def _change(self, action: str, subject: str, **detail: Any) -> Iterator[Execute]:
        """One change and its audit row in one transaction: neither is there without the other."""
        try:
            with self._store.writing() as execute:
                yield execute
                last = execute("SELECT digest FROM changes ORDER BY number DESC LIMIT 1").fetchone()
                row = {
                    "number": None,
                    "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                    "actor": acting_user(),
                    "action": action,
                    "subject": subject,
                    "detail": canonical_json(detail).decode(),
                    "previous": last[0] if last else "",
                }
                execute(
                    "INSERT INTO changes (at, actor, action, subject, detail, previous, digest) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (row["at"], row["actor"], action, subject, row["detail"], row["previous"], digest_of(row)),
                )
        except Clash as error:
            raise ConfigError(
                f"{action} {subject}: {error}",
                rule="every identity and matter named is in the directory, and each id is given once",
                fix="add it first, or use another id",
                file=self.path,
            ) from error
        self._snapshot = None

    def add_identity(
        self, identity: str, *, kind: IdentityKind = IdentityKind.PERSON, clearance: Confidentiality = Confidentiality.INTERNAL
    ) -> None:
        """Add a person or a service."""
        with self._change("identity.add", identifier("identity", identity), kind=kind, clearance=clearance) as execute:
            execute("INSERT INTO identities (id, kind, clearance) VALUES (?, ?, ?)", (identity, kind.value, clearance.value))

    def set_identity(self, identity: str, *, clearance: Confidentiality | None = None, active: bool | None = None) -> None:
        """Change a clearance, or switch an identity off and on."""
        with self._change("identity.set", identity, clearance=clearance, active=active) as execute:
            done = execute(
                "UPDATE identities SET clearance = coalesce(?, clearance), active = coalesce(?, active) WHERE id = ?",
                (clearance, active, identity),
            )
            self._must_hit(done, "identity", identity)

    def add_matter(
        self,
        matter: str,
        *,
        jurisdiction: str,
        confidentiality: Confidentiality = Confidentiality.CONFIDENTIAL,
        personal_data: PersonalData = PersonalData.PLACEHOLDER,
    ) -> None:
        """Open a matter; its secret is made here and never shown."""
        with self._change(
            "matter.add",
            identifier("matter", matter),
            jurisdiction=jurisdiction,
            confidentiality=confidentiality,
            personal_data=personal_data,
        ) as execute:
            execute(
                "INSERT INTO matters (id, jurisdiction, confidentiality, personal_data, secret) VALUES (?, ?, ?, ?, ?)",
                (matter, jurisdiction, confidentiality.value, personal_data.value, secrets.token_bytes(32)),
            )

    def set_matter(
        self,
        matter: str,
        *,
        confidentiality: Confidentiality | None = None,
        personal_data: PersonalData | None = None,
        legal_hold: bool | None = None,
        is_open: bool | None = None,
        purposes: frozenset[str] | None = None,
        direction: str | None = None,
    ) -> None:
        """Change what a matter says; one that was shredded stays closed."""
        shown = None if purposes is None else ",".join(sorted(purposes))
        with self._change(
            "matter.set",
            matter,
            confidentiality=confidentiality,
            personal_data=personal_data,
            legal_hold=legal_hold,
            is_open=is_open,
            purposes=shown,
            direction=direction,
        ) as execute:
            closed_at = None if is_open is None or is_open else time.time()
            done = execute(
                "UPDATE matters SET confidentiality = coalesce(?, confidentiality), personal_data = coalesce(?, personal_data),"
                " legal_hold = coalesce(?, legal_hold), is_open = coalesce(?, is_open), purposes = coalesce(?, purposes),"
                " direction = coalesce(?, direction), closed_at = CASE WHEN ? = 1 THEN NULL ELSE coalesce(?, closed_at) END"
                " WHERE id = ? AND (shredded_at IS NULL OR coalesce(?, 0) = 0)",
                (confidentiality, personal_data, legal_hold, is_open, shown, direction, is_open, closed_at, matter, is_open),
            )
            self._must_hit(done, "matter", matter)

    def add_member(self, identity: str, matter: str, *, purposes: frozenset[str] = frozenset(), expires_at: float | None = None) -> None:
        """Let an identity work on a matter, for some purposes and for a time where these are given."""
        shown = ",".join(sorted(purposes))
        detail = {key: value for key, value in (("purposes", shown), ("expires_at", expires_at)) if value}
        with self._change("member.add", matter, identity=identity, **detail) as execute:
            execute(
                "INSERT INTO memberships (identity, matter, purposes, expires_at) VALUES (?, ?, ?, ?)",
                (identity, matter, shown, expires_at),
            )

    def remove_member(self, identity: str, matter: str) -> None:
        """Take an identity off a matter."""
        with self._change("member.remove", matter, identity=identity) as execute:
            done = execute("DELETE FROM memberships WHERE identity = ? AND matter = ?", (identity, matter))
            self._must_hit(done, "membership", f"{identity} on {matter}")

    def add_wall(self, identity: str, matter: str, reason: str) -> None:
        """Raise an ethical wall; membership does not climb it."""
        with self._change("wall.add", matter, identity=identity, reason=reason) as execute:
            execute("INSERT INTO walls (identity, matter, reason) VALUES (?, ?, ?)", (identity, matter, reason))

    def remove_wall(self, identity: str, matter: str) -> None:
        """Take an ethical wall down."""
        with self._change("wall.remove", matter, identity=identity) as execute:
            done = execute("DELETE FROM walls WHERE identity = ? AND matter = ?", (identity, matter))
            self._must_hit(done, "wall", f"{identity} against {matter}")

    def issue_key(self, identity: str, *, valid_seconds: float | None = None) -> str:
        """Make a key for an identity and return it: the only time it is seen in clear."""
        key_id, secret, salt = secrets.token_hex(6), secrets.token_urlsafe(32), secrets.token_bytes(16)
        expires_at = time.time() + valid_seconds if valid_seconds is not None else None
        with self._change("key.issue", key_id, identity=identity, expires_at=expires_at) as execute:
            execute(
                "INSERT INTO keys (id, identity, salt, digest, expires_at) VALUES (?, ?, ?, ?, ?)",
                (key_id, identity, salt, hash_secret(salt, secret), expires_at),
            )
        return f"{KEY_PREFIX}{key_id}-{secret}"

    def issue_signing_key(self, identity: str, *, valid_seconds: float | None = None) -> tuple[str, str]:
        """Make a key that signs (AWS Signature Version 4) and return its id and its secret: the only time the secret is seen in clear.

        A signature is checked with the secret itself, so that is what is kept, where matters' secrets are. Such a key is good for nothing
        but signatures, and no other key is good for them (docs/adr/0010).
        """
        key_id, secret, salt = SIGNING_PREFIX + secrets.token_hex(9).upper(), secrets.token_bytes(30), secrets.token_bytes(16)
        expires_at = time.time() + valid_seconds if valid_seconds is not None else None
        with self._change("key.issue", key_id, identity=identity, expires_at=expires_at, signs=True) as execute:
            execute(
                "INSERT INTO keys (id, identity, salt, digest, expires_at) VALUES (?, ?, ?, ?, ?)",
                (key_id, identity, salt, secret, expires_at),
            )
        return key_id, base64.b64encode(secret).decode()

    def revoke_key(self, key_id: str) -> None:
        """Kill a key, at once, for every running gateway on this directory."""
        with self._change("key.revoke", key_id) as execute:
            self._must_hit(execute("UPDATE keys SET revoked = 1 WHERE id = ?", (key_id,)), "key", key_id)

    def _must_hit(self, done: Rows, kind: str, subject: str) -> None:
        if done.rowcount != 1:
            raise ConfigError(
                f"no {kind} {subject}",
                rule="only what is there can be changed",
                fix="look at `curtilage gateway matters list`",
                file=self.path,
            )
