"""Whether this caller may take this matter to a model here: membership, walls, clearance, purpose, legal hold, residency.

What a request says about a matter or a purpose only selects among what the caller already has; classification comes from the directory
alone. A matter that does not exist and one that is not the caller's get the same answer. Every rule is a reason to refuse and none is a
reason to allow, so each one by itself is enough; break-glass stands in for a membership and a clearance, never for a wall, a purpose, a
hold or residency.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from curtilage.gateway.identity import Caller
from curtilage.gateway.reasons import Reason, Refusal
from curtilage.jurisdiction import may_process
from curtilage.matters.model import Grant, Matter, Snapshot


@dataclass(frozen=True, slots=True)
class Access:
    """What an allowed call goes on record with."""

    purpose: str = ""
    grant: Grant | None = None


def own_matters(caller: Caller, directory: Snapshot, now: float | None = None) -> frozenset[str]:
    """The matters a request may select among."""
    return directory.matters_of(caller.identity.id, time.time() if now is None else now)


def select_matter(caller: Caller, wanted: str | None, directory: Snapshot, now: float | None = None) -> Matter:
    """The matter this call is on.

    Args:
        caller: who asks.
        wanted: the matter the request names, if any.
        directory: the current directory.
        now: seconds since 1970; the host's clock unless given.
    """
    own = own_matters(caller, directory, now)
    if wanted is None:
        if len(own) != 1:
            raise Refusal(
                Reason.MATTER_REQUIRED,
                "this key has not exactly one matter; name one in the X-Curtilage-Matter header or in metadata.matter",
            )
        wanted = next(iter(own))
    matter = directory.matters.get(wanted) if wanted in own else None
    if matter is None or not matter.is_open or matter.shredded_at is not None:
        raise Refusal(Reason.MATTER_DENIED, "the matter is not open to this identity")
    return matter


def authorize(caller: Caller, matter: Matter, directory: Snapshot, purpose: str | None = None, now: float | None = None) -> Access:
    """Refuse a caller whom a wall, the matter's confidentiality, its purposes or a hold keeps out.

    Args:
        caller: who asks.
        matter: from :func:`select_matter`.
        directory: the current directory.
        purpose: what the request says it is for, if it says so; it selects among the purposes the caller has.
        now: seconds since 1970; the host's clock unless given.
    """
    now = time.time() if now is None else now
    identity = caller.identity
    if (identity.id, matter.id) in directory.walled_off:
        raise Refusal(Reason.ETHICAL_WALL, "an ethical wall stands between this identity and the matter")
    grant = directory.grant_for(identity.id, matter.id, now)
    place = directory.places.get((identity.id, matter.id))
    member = matter.id in directory.memberships.get(identity.id, frozenset()) and (place is None or place.holds(now))
    if not member and grant is None:
        raise Refusal(Reason.MATTER_DENIED, "the matter is not open to this identity")
    if not identity.active:
        raise Refusal(Reason.IDENTITY_UNKNOWN, "the identity is switched off")
    cleared = identity.clearance.rank >= matter.confidentiality.rank
    if not cleared and grant is None:
        raise Refusal(
            Reason.CLEARANCE_TOO_LOW, f"the matter is {matter.confidentiality}; this identity is cleared for {identity.clearance}"
        )
    limits = [found for found in (matter.purposes, place.purposes if place is not None and member else frozenset()) if found]
    allowed = frozenset.intersection(*limits) if limits else None
    chosen = _purpose(allowed, purpose)
    if matter.legal_hold and not chosen:
        raise Refusal(
            Reason.LEGAL_HOLD, "the matter is under legal hold: the directory has to say for which purposes a model may be used on it"
        )
    return Access(chosen, None if member and cleared else grant)


def _purpose(allowed: frozenset[str] | None, named: str | None) -> str:
    """The purpose of the call: the named one when the caller has it, the only one when none is named."""
    if allowed is None:
        return ""
    if named is None and len(allowed) == 1:
        return next(iter(allowed))
    if named not in allowed:
        raise Refusal(
            Reason.PURPOSE_DENIED, "the matter may be used for named purposes only; name one of yours in the X-Curtilage-Purpose header"
        )
    return named or ""


def readers_of(directory: Snapshot, matter: Matter, now: float | None = None) -> tuple[str, ...]:
    """Who could technically read what is said on a matter now: who could call on it. For the ledger's privilege view."""
    now = time.time() if now is None else now
    found = []
    for identity in directory.identities.values():
        grant = directory.grant_for(identity.id, matter.id, now) if directory.grants else None
        if (
            identity.active
            and (identity.id, matter.id) not in directory.walled_off
            and matter.id in directory.matters_of(identity.id, now)
            and (grant is not None or identity.clearance.rank >= matter.confidentiality.rank)
        ):
            found.append(identity.id)
    return tuple(sorted(found))


def check_residency(matter: Matter, region_jurisdiction: str) -> str:
    """Refuse a matter that may not be processed in this region's jurisdiction; returns the ground on which it may."""
    decision = may_process(matter.jurisdiction, region_jurisdiction)
    if not decision.allowed:
        raise Refusal(
            Reason.RESIDENCY, f"a matter of {matter.jurisdiction} may not be processed in {region_jurisdiction}: {decision.basis}"
        )
    return decision.basis
