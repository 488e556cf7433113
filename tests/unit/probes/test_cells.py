"""The matrix is broad enough and its ids are stable (breaks: evidence that requires cells by name)."""

from __future__ import annotations

from collections import Counter

from curtilage.probes.cells import region_cells
from curtilage.region import load_region

CELLS = region_cells(load_region("lab"))


def test_ids_are_unique() -> None:
    repeated = [name for name, count in Counter(cell.id for cell in CELLS).items() if count > 1]
    assert not repeated


def test_at_least_sixty_cells_from_at_least_four_hosts() -> None:
    assert len(CELLS) >= 60
    assert len({cell.host for cell in CELLS} - {"ops"}) >= 4


def test_every_host_is_attacked_over_both_families_through_every_control() -> None:
    for host in load_region("lab").hosts:
        mine = [cell for cell in CELLS if cell.host == host.name]
        assert {cell.control for cell in mine} >= {"output", "forward", "netdev", "resolver"}, host.name
        assert {cell.family for cell in mine if cell.control == "output"} == {4, 6}, host.name
