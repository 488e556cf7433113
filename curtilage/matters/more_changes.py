"""Changes beside the everyday ones: subjects of identity providers, break-glass, the matter's dictionary, crypto-shredding."""

from __future__ import annotations

import re
import secrets
import time
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from curtilage.errors import ConfigError
from curtilage.matters.store import Execute, Rows, Store

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PURPOSE = re.compile(r"[a-z][a-z0-9-]{0,39}")
_TYPE = re.compile(r"[A-Z]+(?:_[A-Z]+)*")
LONGEST_GRANT_MINUTES = 480


def identifier(kind: str, value: str) -> str:
    """An id, or a message that says what one is."""
    if not _IDENTIFIER.fullmatch(value):
        raise ConfigError(
            f"{kind} id {value!r}",
            rule="an id is 1 to 64 of A-Z a-z 0-9 . _ - and starts with a letter or digit",
            fix="use a pseudonymous id; names belong in the CRM, not in the ledger",
        )
    return value


def words(text: str) -> frozenset[str]:
    """A list as a column holds it."""
    return frozenset(filter(None, text.split(",")))


def purposes_of(values: list[str]) -> frozenset[str]:
    """Purposes as given on the command line."""
    for value in values:
        if not _PURPOSE.fullmatch(value):
            raise ConfigError(
                f"purpose {value!r}", rule="a purpose is lower-case letters, digits and -", fix="e.g. litigation, due-diligence"
            )
    return frozenset(values)


class MoreChanges(ABC):
    """Methods of :class:`curtilage.matters.directory.Directory`."""

    path: Path
    _store: Store

    @abstractmethod
    def _change(self, action: str, subject: str, **detail: Any) -> AbstractContextManager[Execute]: ...

    @abstractmethod
    def _must_hit(self, done: Rows, kind: str, subject: str) -> None: ...

    # ---- who an identity is elsewhere

    def add_subject(self, identity: str, *, kind: str, issuer: str, subject: str) -> None:
        """Map an identity provider's subject (``oidc``), or a client certificate's (``mtls``), to an identity."""
        with self._change("subject.add", identity, kind=kind, issuer=issuer, external=subject) as execute:
            execute("INSERT INTO subjects (kind, issuer, subject, identity) VALUES (?, ?, ?, ?)", (kind, issuer, subject, identity))

    def remove_subject(self, *, kind: str, issuer: str, subject: str) -> None:
        """Take a mapping away; its tokens and certificates are worth nothing at the next call."""
        with self._change("subject.remove", subject, kind=kind, issuer=issuer) as execute:
            done = execute("DELETE FROM subjects WHERE kind = ? AND issuer = ? AND subject = ?", (kind, issuer, subject))
            self._must_hit(done, "subject", subject)

    # ---- break-glass

    def request_grant(self, identity: str, matter: str, *, reason: str, minutes: int, requested_by: str) -> str:
        """Ask for a time-boxed place on a matter; it is worth nothing until somebody else approves it."""
        if not reason.strip() or not 1 <= minutes <= LONGEST_GRANT_MINUTES:
            raise ConfigError(
                f"break-glass for {minutes} minutes, reason {reason!r}",
                rule=f"a reason, and 1 to {LONGEST_GRANT_MINUTES} minutes",
                fix="--reason '…' --minutes 60",
            )
        grant = f"bg-{secrets.token_hex(4)}"
        with self._change(
            "grant.request", matter, grant=grant, identity=identity, reason=reason, minutes=minutes, requested_by=requested_by
        ) as execute:
            execute(
                "INSERT INTO grants (id, identity, matter, reason, requested_by, requested_at, minutes) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (grant, identity, matter, reason, requested_by, time.time(), minutes),
            )
        return grant

    def approve_grant(self, grant: str, *, approved_by: str) -> None:
        """Approve, as an active identity that is neither the one who asked nor the one it is for; the clock starts now."""
        with self._store.reading() as query:
            row = query("SELECT identity, requested_by, minutes FROM grants WHERE id = ?", (grant,)).fetchone()
            active = query("SELECT 1 FROM identities WHERE id = ? AND active = 1 AND kind = 'person'", (approved_by,)).fetchone()
        if row is None or active is None or approved_by in (row[0], row[1]):
            raise ConfigError(
                f"{approved_by} approving {grant}",
                rule="a second, active person approves: neither who asked nor whom it is for",
                fix="let somebody else approve",
                file=self.path,
            )
        with self._change("grant.approve", grant, approved_by=approved_by) as execute:
            done = execute(
                "UPDATE grants SET approved_by = ?, expires_at = ? WHERE id = ? AND approved_by IS NULL AND revoked = 0",
                (approved_by, time.time() + row[2] * 60, grant),
            )
            self._must_hit(done, "open grant", grant)

    def revoke_grant(self, grant: str) -> None:
        """End a grant at once."""
        with self._change("grant.revoke", grant) as execute:
            self._must_hit(execute("UPDATE grants SET revoked = 1 WHERE id = ?", (grant,)), "grant", grant)

    # ---- the matter's dictionary

    def add_term(self, matter: str, term: str, type_: str = "CLIENT_TERM") -> None:
        """A word or number that is taken out of this matter's calls; the audit trail says that one was added, not which."""
        if len(term.strip()) < 3 or len(term) > 200 or not _TYPE.fullmatch(type_):
            raise ConfigError(
                "a term", rule="3 to 200 characters, and a type in capitals such as CLIENT_TERM", fix="give a longer term", file=self.path
            )
        with self._change("term.add", matter, type=type_, length=len(term)) as execute:
            execute("INSERT INTO terms (matter, term, type) VALUES (?, ?, ?)", (matter, term, type_))

    def remove_term(self, matter: str, term: str) -> None:
        """Take a term out of the dictionary."""
        with self._change("term.remove", matter, length=len(term)) as execute:
            self._must_hit(execute("DELETE FROM terms WHERE matter = ? AND term = ?", (matter, term)), "term", "in the dictionary")

    # ---- the end of a matter

    def shred_matter(self, matter: str, *, not_before: float) -> None:
        """Destroy a matter's secret and dictionary: what was derived from it, stored content included, can never be read again.

        Args:
            matter: its id.
            not_before: when its retention ends; from :mod:`curtilage.audit.retention`.
        """
        with self._store.reading() as query:
            row = query("SELECT is_open, legal_hold, shredded_at FROM matters WHERE id = ?", (matter,)).fetchone()
        if row is None or row[0] or row[1] or row[2] is not None or time.time() < not_before:
            why = (
                "not there" if row is None else "open" if row[0] else "under legal hold" if row[1] else "shredded" if row[2] else "retained"
            )
            raise ConfigError(
                f"matter {matter} is {why}",
                rule="a matter is shredded when it is closed, free of legal hold, and past its retention",
                fix="wait, or close it; a hold is lifted by who ordered it",
                file=self.path,
            )
        with self._change("matter.shred", matter) as execute:
            done = execute(
                "UPDATE matters SET secret = ?, shredded_at = ? WHERE id = ? AND is_open = 0 AND legal_hold = 0", (b"", time.time(), matter)
            )
            self._must_hit(done, "closed matter without a hold", matter)
            execute("DELETE FROM terms WHERE matter = ?", (matter,))
        self._store.sweep()
