"""What an observation means: the verdict lattice applied to one cell. Pure; the only place where silence becomes PASS."""

from __future__ import annotations

from dataclasses import dataclass

from curtilage.probes.cells import Cell
from curtilage.verdict import Verdict

# What an attacker sees when the packet got through and something answered.
THROUGH = ("connected", "answered", "rcode:NOERROR")


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What was seen of one cell.

    Attributes:
        signature: what the attacker saw; None if the attacker never ran.
        canary_hits: how many records of this probe's UUID (or 5-tuple) any canary holds.
        path_control: the same packet from an unsealed sender was recorded by the canary in this run.
        tool_control: the same code on the same host reached a permitted target in this run.
        attributed: how far the named counter (or the resolver's log) moved for this probe; None if it could not be read.
    """

    signature: str | None
    canary_hits: int
    path_control: bool
    tool_control: bool
    attributed: int | None


def judge(cell: Cell, seen: Observation) -> tuple[Verdict, str]:
    """The verdict of one cell and the reason, worst finding first (FAIL > INVALID > NOT_RUN > PASS)."""
    if seen.canary_hits:
        return Verdict.FAIL, f"the canary heard it {seen.canary_hits} time(s)"
    if seen.signature is None:
        return Verdict.INVALID, "the attacker did not run on this host"
    if seen.signature in THROUGH:
        return Verdict.FAIL, f"the attacker saw '{seen.signature}'"
    if not seen.tool_control:
        return Verdict.INVALID, "tool control failed: the same code could not reach a permitted target from this host"
    if not seen.path_control:
        return Verdict.INVALID, "path control failed: an unsealed sender's packet did not reach the canary"
    if seen.signature not in cell.expected:
        return Verdict.INVALID, f"unexpected signature '{seen.signature}', expected {' or '.join(sorted(cell.expected))}"
    if seen.attributed is None:
        return Verdict.INVALID, f"{cell.counter} on {cell.counter_host} could not be read"
    if seen.attributed < 1:
        return Verdict.INVALID, f"{cell.counter} on {cell.counter_host} did not move: something else stopped it"
    return Verdict.PASS, f"{seen.signature}; {cell.counter}@{cell.counter_host} +{seen.attributed}"
