"""Whether this caller may take this matter to a model here: membership, clearance, ethical walls, residency.

What a request says about a matter only selects among the matters the caller already has; classification comes from the directory alone.
A matter that does not exist and one that is not the caller's get the same answer.
"""

from __future__ import annotations

from curtilage.gateway.identity import Caller
from curtilage.gateway.reasons import Reason, Refusal
from curtilage.jurisdiction import may_process
from curtilage.matters.model import Matter, Snapshot


def select_matter(caller: Caller, wanted: str | None, directory: Snapshot) -> Matter:
    """The matter this call is on.

    Args:
        caller: who asks.
        wanted: the matter the request names, if any.
        directory: the current directory.
    """
    own = directory.memberships.get(caller.identity.id, frozenset())
    if wanted is None:
        if len(own) != 1:
            raise Refusal(
                Reason.MATTER_REQUIRED,
                "this key has not exactly one matter; name one in the X-Curtilage-Matter header or in metadata.matter",
            )
        wanted = next(iter(own))
    matter = directory.matters.get(wanted) if wanted in own else None
    if matter is None or not matter.is_open:
        raise Refusal(Reason.MATTER_DENIED, "the matter is not open to this identity")
    return matter


def authorize(caller: Caller, matter: Matter, directory: Snapshot) -> None:
    """Refuse a caller whom the matter's confidentiality or a wall keeps out."""
    if (caller.identity.id, matter.id) in directory.walled_off:
        raise Refusal(Reason.ETHICAL_WALL, "an ethical wall stands between this identity and the matter")
    if caller.identity.clearance.rank < matter.confidentiality.rank:
        raise Refusal(
            Reason.CLEARANCE_TOO_LOW, f"the matter is {matter.confidentiality}; this identity is cleared for {caller.identity.clearance}"
        )


def check_residency(matter: Matter, region_jurisdiction: str) -> str:
    """Refuse a matter that may not be processed in this region's jurisdiction; returns the ground on which it may."""
    decision = may_process(matter.jurisdiction, region_jurisdiction)
    if not decision.allowed:
        raise Refusal(
            Reason.RESIDENCY, f"a matter of {matter.jurisdiction} may not be processed in {region_jurisdiction}: {decision.basis}"
        )
    return decision.basis
