"""Why a call was not answered: stable codes, told to the caller in its dialect and written to the ledger."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """A ``curtilage.*`` reason code; part of the contract, so one is never renamed."""

    ROUTE_UNKNOWN = "curtilage.route_unknown"
    HOST_MISMATCH = "curtilage.host_mismatch"
    IDENTITY_UNKNOWN = "curtilage.identity_unknown"
    MATTER_REQUIRED = "curtilage.matter_required"
    MATTER_DENIED = "curtilage.matter_denied"
    CLEARANCE_TOO_LOW = "curtilage.clearance_too_low"
    ETHICAL_WALL = "curtilage.ethical_wall"
    PURPOSE_DENIED = "curtilage.purpose_denied"
    LEGAL_HOLD = "curtilage.legal_hold"
    ACCESS_ENDED = "curtilage.access_ended"
    RESIDENCY = "curtilage.residency"
    POLICY_DENIED = "curtilage.policy_denied"
    MODEL_UNMAPPED = "curtilage.model_unmapped"
    FEATURE_REFUSED = "curtilage.feature_refused"
    ATTACHMENT_REFUSED = "curtilage.attachment_refused"
    ENCODING_REFUSED = "curtilage.encoding_refused"
    BODY_MALFORMED = "curtilage.body_malformed"
    BODY_TOO_LARGE = "curtilage.body_too_large"
    BODY_TOO_SLOW = "curtilage.body_too_slow"
    SANITIZER_FAILED = "curtilage.sanitizer_failed"
    DIRECTORY_UNAVAILABLE = "curtilage.directory_unavailable"
    LEDGER_UNAVAILABLE = "curtilage.ledger_unavailable"
    DRAINING = "curtilage.draining"
    BUSY = "curtilage.busy"
    BUDGET_EXHAUSTED = "curtilage.budget_exhausted"
    UPSTREAM_UNAVAILABLE = "curtilage.upstream_unavailable"
    UPSTREAM_TIMEOUT = "curtilage.upstream_timeout"
    UPSTREAM_REJECTED = "curtilage.upstream_rejected"
    UPSTREAM_GARBAGE = "curtilage.upstream_garbage"
    UPSTREAM_TRUNCATED = "curtilage.upstream_truncated"
    INTERNAL = "curtilage.internal"


# 403 unless named: SDKs retry 408, 409, 429 and 5xx, so a policy decision must not look like a passing fault.
_STATUS = {
    Reason.BODY_MALFORMED: 400,
    Reason.BODY_TOO_LARGE: 413,
    Reason.BODY_TOO_SLOW: 400,
    Reason.DIRECTORY_UNAVAILABLE: 503,
    Reason.DRAINING: 503,
    Reason.BUSY: 429,
    Reason.BUDGET_EXHAUSTED: 429,
    Reason.UPSTREAM_UNAVAILABLE: 503,
    Reason.UPSTREAM_TIMEOUT: 504,
    Reason.UPSTREAM_REJECTED: 400,
    Reason.UPSTREAM_GARBAGE: 502,
    Reason.UPSTREAM_TRUNCATED: 502,
    Reason.INTERNAL: 500,
}


class Refusal(Exception):
    """The call ends here.

    Args:
        reason: the stable code.
        message: for the caller: which rule, and what to do; never text from the request.
        retry_after_seconds: when it is worth asking again, for a passing refusal.
        allowance: the budget that refused it, as (calls a minute, calls left), where one did.
    """

    def __init__(
        self, reason: Reason, message: str, *, retry_after_seconds: float | None = None, allowance: tuple[int, int] | None = None
    ) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message
        self.retry_after_seconds, self.allowance = retry_after_seconds, allowance

    @property
    def status(self) -> int:
        """The HTTP status that goes with the reason."""
        return _STATUS.get(self.reason, 403)
