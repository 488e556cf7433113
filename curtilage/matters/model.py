"""What the directory knows, as immutable values: the gateway decides on a snapshot, never on half a transaction."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Confidentiality(StrEnum):
    """How closely a matter is held, and how far a person is cleared; ordered from open to closed."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    PRIVILEGED = "privileged"

    @property
    def rank(self) -> int:
        """The order; a clearance covers every level of the same or a lower rank."""
        return list(Confidentiality).index(self)


class IdentityKind(StrEnum):
    """A person, or a service such as the CRM's application server."""

    PERSON = "person"
    SERVICE = "service"


class PersonalData(StrEnum):
    """What a matter says about personal data in prompts."""

    PLACEHOLDER = "placeholder"  # the model sees placeholders, the caller gets the values back
    ALLOW = "allow"  # counsel directed that this matter's model calls may carry them; privileged fields still go


@dataclass(frozen=True, slots=True)
class Identity:
    """Someone who may call."""

    id: str
    kind: IdentityKind
    clearance: Confidentiality
    active: bool


SIGNING_PREFIX = "CT"


@dataclass(frozen=True, slots=True)
class Key:
    """A gateway-issued key: only its salt and digest are kept, but of one that signs, whose secret stands in the digest's place."""

    id: str
    identity: str
    salt: bytes
    digest: bytes
    expires_at: float | None
    revoked: bool

    @property
    def signs(self) -> bool:
        """Whether it is a key for signatures, and for nothing else."""
        return self.id.startswith(SIGNING_PREFIX)


@dataclass(frozen=True, slots=True)
class Matter:
    """A legal matter and the rules it brings with it."""

    id: str
    jurisdiction: str
    confidentiality: Confidentiality
    personal_data: PersonalData
    legal_hold: bool
    is_open: bool
    secret: bytes = field(repr=False)
    purposes: frozenset[str] = frozenset()
    """What calls on the matter may be for; empty: the matter does not ask."""
    direction: str = ""
    """The reference of counsel's direction under which a model is used on the matter."""
    closed_at: float | None = None
    shredded_at: float | None = None

    def derive(self, purpose: str, subject: str = "") -> bytes:
        """A key of this matter for one purpose; deleting the matter's secret makes everything derived unguessable (crypto-shredding)."""
        return hmac.digest(self.secret, f"{purpose}\0{subject}".encode(), hashlib.sha256)


@dataclass(frozen=True, slots=True)
class Membership:
    """An identity's place on a matter."""

    purposes: frozenset[str] = frozenset()
    expires_at: float | None = None

    def holds(self, now: float) -> bool:
        """Whether it has not run out."""
        return self.expires_at is None or now < self.expires_at


@dataclass(frozen=True, slots=True)
class Grant:
    """Break-glass: a place on a matter for minutes, asked for by one person and approved by another."""

    id: str
    identity: str
    matter: str
    expires_at: float | None
    approved_by: str | None
    revoked: bool

    def holds(self, now: float) -> bool:
        """Whether it was approved, and neither revoked nor over."""
        return self.approved_by is not None and not self.revoked and self.expires_at is not None and now < self.expires_at


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole directory at one commit."""

    version: tuple[int, ...]
    identities: Mapping[str, Identity]
    keys: Mapping[str, Key]
    matters: Mapping[str, Matter]
    memberships: Mapping[str, frozenset[str]]  # identity -> matters
    walled_off: frozenset[tuple[str, str]]  # (identity, matter): an ethical wall that membership cannot climb
    places: Mapping[tuple[str, str], Membership] = field(default_factory=dict)  # (identity, matter) -> the terms of a membership
    grants: tuple[Grant, ...] = ()
    subjects: Mapping[tuple[str, str, str], str] = field(default_factory=dict)  # (kind, issuer, subject) -> identity
    terms: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)  # matter -> (term, type)

    def grant_for(self, identity: str, matter: str, now: float) -> Grant | None:
        """The break-glass grant that holds now, if any."""
        return next((grant for grant in self.grants if grant.identity == identity and grant.matter == matter and grant.holds(now)), None)

    def matters_of(self, identity: str, now: float) -> frozenset[str]:
        """The matters an identity has now: by memberships that have not run out, and by break-glass."""
        own = self.memberships.get(identity, frozenset())
        kept = {matter for matter in own if self.places.get((identity, matter), _UNBOUND).holds(now)}
        return frozenset(kept | {grant.matter for grant in self.grants if grant.identity == identity and grant.holds(now)})


_UNBOUND = Membership()
