"""Take one control out, and exactly the cells it answers for turn red; put it back, and they turn green (breaks: a control nobody tests).

Defence in depth is why red is not always FAIL: with the output chain open the frame still dies at the netdev hook, so the canary stays
silent, but the cell says that its own control no longer stopped it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from curtilage.paths import CHECKOUT
from curtilage.probes.verify import verify_region
from lab.lab import Lab

INSERT = "nft insert rule inet curtilage {chain} {match} accept"
OPEN_NETDEV = "nft flush chain netdev curtilage_raw egress && nft 'add chain netdev curtilage_raw egress { policy accept; }'"
RESEAL = "nft -f /etc/nftables.conf"
FORWARDING = 'sed -i \'s/^\\( *\\)local-zone: "\\." always_refuse/\\1local-zone: "." transparent/\' /etc/unbound/unbound.conf'


def attacked(lab: Lab, out: Path, *hosts: str) -> dict[str, dict[str, Any]]:
    found = verify_region(
        region="lab", prefix=lab.ops_argv([]), ssh_config=lab.ssh_config_path, canary=lab.canaries.directory, out=out, hosts=hosts
    )
    return {cell["id"]: cell for cell in found.cells}


def red(cells: dict[str, dict[str, Any]]) -> set[str]:
    return {name for name, cell in cells.items() if cell["verdict"] != "PASS"}


@contextmanager
def opened(lab: Lab, host: str, hole: str, mend: str) -> Iterator[None]:
    done = lab.exec(host, ["sh", "-ec", hole])
    assert done.returncode == 0, done.stderr
    try:
        yield
    finally:
        done = lab.exec(host, ["sh", "-ec", mend])
        assert done.returncode == 0, done.stderr


def on_crm(control: str, family: int | None = None) -> Callable[[dict[str, Any]], bool]:
    def related(cell: dict[str, Any]) -> bool:
        of_family = family is None or f"{cell['id'].split('/')[1].split('-')[0][-1]}" == str(family)
        return bool(cell["control"] == control and of_family)

    return related


HOLES = {
    "output chain": ("crm-1", INSERT.format(chain="output", match=""), RESEAL, ("crm-1",), on_crm("output")),
    "forward chain": ("crm-1", INSERT.format(chain="forward", match=""), RESEAL, ("crm-1",), on_crm("forward")),
    "netdev chain": ("crm-1", OPEN_NETDEV, RESEAL, ("crm-1",), on_crm("netdev")),
    "IPv6 family": ("crm-1", INSERT.format(chain="output", match="meta nfproto ipv6"), RESEAL, ("crm-1",), on_crm("output", 6)),
    "resolver refusal": (
        "gw-1",
        f"cp -p /etc/unbound/unbound.conf /run/unbound.kept && {FORWARDING} && systemctl restart unbound",
        "cp -p /run/unbound.kept /etc/unbound/unbound.conf && systemctl restart unbound",
        ("crm-1",),
        on_crm("resolver"),
    ),
    "gateway-only access to vLLM": (
        "gpu-1",
        INSERT.format(chain="input", match="tcp dport 8000"),
        RESEAL,
        ("ops",),
        lambda cell: "192.0.2.11" in cell["id"] or "2001:db8:1::11" in cell["id"],
    ),
}  # fmt: skip


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", HOLES)
def test_removing_a_control_turns_exactly_its_own_cells_red(lab: Lab, tmp_path: Path, name: str) -> None:
    host, hole, mend, attackers, related = HOLES[name]
    with opened(lab, host, hole, mend):
        cells = attacked(lab, tmp_path, *attackers)
    expected = {cell_id for cell_id, cell in cells.items() if related(cell)}
    assert expected, "the hole must have cells that answer for it"
    assert red(cells) == expected, {cell_id: cells[cell_id]["reason"] for cell_id in red(cells) ^ expected}


@pytest.mark.timeout(300)
def test_a_deliberate_hole_is_heard_by_the_canary_and_green_again_once_closed(lab: Lab, tmp_path: Path) -> None:
    whole = "nft flush ruleset"
    with opened(lab, "crm-1", whole, RESEAL):
        cells = attacked(lab, tmp_path, "crm-1")
    heard = {name for name, cell in cells.items() if cell["verdict"] == "FAIL" and cell["canary_hits"]}
    assert {cell["control"] for name, cell in cells.items() if name in heard} >= {"output", "netdev", "forward"}
    assert not red(attacked(lab, tmp_path, "crm-1"))


def drift() -> tuple[int, set[str]]:
    """The verb's exit code, and the hosts it names."""
    argv = [sys.executable, "-m", "curtilage", "configure", "lab", "--check", "--tag", "egress_firewall", "--json"]
    done = subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, {change["host"] for change in json.loads(done.stdout)["changes"]}


def findings() -> tuple[int, list[dict[str, object]]]:
    """What ``curtilage drift`` ends with and says of all hosts and roles."""
    argv = [sys.executable, "-m", "curtilage", "drift", "lab", "--json"]
    done = subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=240)
    return done.returncode, json.loads(done.stdout)["findings"]


@pytest.mark.timeout(420)
def test_a_hole_opened_by_hand_is_caught_by_drift_from_the_plan_and_by_the_probes(lab: Lab, tmp_path: Path) -> None:
    assert drift() == (0, set())
    with opened(lab, "crm-1", INSERT.format(chain="output", match="udp dport 443"), RESEAL):
        assert drift() == (1, {"crm-1"})
        code, found = findings()
        assert (code, [(item["name"], item["type"], item["area"]) for item in found]) == (1, [("crm-1", "egress_firewall", "network")])
        assert any(":443" in name for name in red(attacked(lab, tmp_path, "crm-1")))
    assert drift() == (0, set())
