"""The probe table on a terminal: one row a control, one column a host, and every cell that is not PASS by name."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.table import Table

from curtilage.verdict import Verdict

_COLOURS = {"PASS": "green", "FAIL": "bold red", "INVALID": "yellow", "NOT_RUN": "dim", "NOT_PROVEN": "yellow"}


def probe_table(cells: list[dict[str, Any]]) -> Table:
    """Cells by control and host as ``passed/all``."""
    hosts = sorted({cell["host"] for cell in cells})
    table = Table(title=f"{len(cells)} attacks from {len(hosts)} places", title_justify="left")
    table.add_column("stopped by")
    for host in hosts:
        table.add_column(host, justify="right")
    for control in sorted({cell["control"] for cell in cells}):
        row = []
        for host in hosts:
            found = [cell["verdict"] for cell in cells if (cell["host"], cell["control"]) == (host, control)]
            worst_verdict = next((verdict for verdict in Verdict if verdict in found), None)
            text = f"{found.count('PASS')}/{len(found)}" if found else "–"
            row.append(f"[{_COLOURS[worst_verdict]}]{text}[/]" if worst_verdict else text)
        table.add_row(control, *row)
    return table


def verdict_counts(cells: list[dict[str, Any]]) -> dict[str, int]:
    """How many cells have each verdict; every verdict is named, also with zero."""
    counts = Counter(cell["verdict"] for cell in cells)
    return {str(verdict): counts.get(verdict, 0) for verdict in Verdict}


def not_passed(cells: list[dict[str, Any]]) -> list[str]:
    """One line for each cell that is not PASS."""
    return [f"{cell['verdict']} {cell['id']} ({cell['control']}): {cell['reason']}" for cell in cells if cell["verdict"] != "PASS"]
