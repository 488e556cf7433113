"""Ranges of ports over which a model answers alike, as tables of flows show them."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def port_ranges(cuts: Sequence[int], verdict_of: Callable[[int], str]) -> list[tuple[str, str]]:
    """Each verdict but ``deny`` with the ports it holds for, such as ``22, 8000-8003``.

    Args:
        cuts: the first port of each range over which the model does not change its mind, in order.
        verdict_of: the model's answer for a port.
    """
    ranges: list[tuple[str, int, int]] = []
    for low, after in zip(cuts, [*cuts[1:], 65536], strict=True):
        verdict = verdict_of(low)
        if verdict == "deny":
            continue
        if ranges and ranges[-1][0] == verdict and ranges[-1][2] == low - 1:
            ranges[-1] = (verdict, ranges[-1][1], after - 1)
        else:
            ranges.append((verdict, low, after - 1))
    by_verdict: dict[str, list[str]] = {}
    for verdict, low, high in ranges:
        by_verdict.setdefault(verdict, []).append(str(low) if low == high else f"{low}-{high}")
    return [(verdict, ", ".join(found)) for verdict, found in by_verdict.items()]
