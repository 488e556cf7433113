"""Whether a call that is under way may still go on: a key revoked, a membership ended or a wall raised ends its stream too.

Asked about once a second while an answer is relayed, and once before a whole answer is given; the directory tells in microseconds whether
anything changed since.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from curtilage.gateway.access import authorize, select_matter
from curtilage.gateway.reasons import Reason, Refusal
from curtilage.gateway.record import CallState
from curtilage.matters.model import Snapshot

SECONDS = 1.0
_MESSAGE = "the access that this call began with has ended"


def recheck(state: CallState, directory: Snapshot, now: float | None = None) -> None:
    """Refuse what goes on of a call whose caller could not begin it now.

    Args:
        state: the call.
        directory: the current directory.
        now: seconds since 1970; the host's clock unless given.
    """
    caller, matter = state.caller, state.matter
    if caller is None or matter is None:
        return
    now = time.time() if now is None else now
    identity, key = directory.identities.get(caller.identity.id), directory.keys.get(caller.key_id)
    ended = identity is None or not identity.active
    if key is not None:
        ended = ended or key.revoked or (key.expires_at is not None and key.expires_at <= now)
    elif caller.key_id.startswith(("oidc-", "mtls-")):
        # A token or certificate that was good stays what it was; what its subject may do is the directory's to say.
        ended = ended or caller.identity.id not in directory.subjects.values()
    else:
        ended = True
    if ended or identity is None:
        raise Refusal(Reason.ACCESS_ENDED, _MESSAGE)
    caller = replace(caller, identity=identity)  # with the clearance it has now
    try:
        authorize(caller, select_matter(caller, matter.id, directory, now), directory, state.access.purpose or None, now)
    except Refusal:
        raise Refusal(Reason.ACCESS_ENDED, _MESSAGE) from None


class Rechecker:
    """Rechecks one call at most once a second.

    Args:
        state: the call.
        current: gives the current directory.
    """

    def __init__(self, state: CallState, current: Callable[[], Awaitable[Snapshot]]) -> None:
        self._state, self._current = state, current
        self._due = time.monotonic() + SECONDS

    def due(self) -> bool:
        """Whether a second has gone by."""
        return time.monotonic() >= self._due

    async def __call__(self) -> None:
        """Refuse the rest of the call when its access has ended, or when nobody can tell."""
        self._due = time.monotonic() + SECONDS
        recheck(self._state, await self._current())
