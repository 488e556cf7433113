"""One test a cell: nothing leaves, and each silence is attributed (breaks: 'no packet leaves the legal segment')."""

from __future__ import annotations

from curtilage.probes.runner import CellResult
from curtilage.verdict import Verdict


def test_packet_is_stopped_and_seen_to_be_stopped(results: dict[str, CellResult], cell_id: str) -> None:
    cell = results[cell_id]
    assert cell.verdict is Verdict.PASS, f"{cell.verdict}: {cell.reason}"
