"""If this fails, `curtilage prove flows --region` shows other flows than the architecture allows, or the rulesets allow others."""

from __future__ import annotations

from itertools import product

import pytest

from curtilage.allowance import Role
from curtilage.proof.hostflows import host_table
from curtilage.region import load_region

pytestmark = pytest.mark.root


def test_the_labs_hosts_allow_the_architectures_flows_and_no_other() -> None:
    region = load_region("lab")
    by_role = {role: [host.name for host in region.hosts if host.role is role] for role in Role}
    everyone = [host.name for host in region.hosts]
    said = [
        (by_role[Role.CRM], by_role[Role.GATEWAY], "tcp", 443),
        (everyone, by_role[Role.GATEWAY], "tcp", 53),
        (everyone, by_role[Role.GATEWAY], "udp", 53),
        (by_role[Role.GATEWAY], by_role[Role.GPU], "tcp", 8000),
        (by_role[Role.GATEWAY], by_role[Role.EVIDENCE], "tcp", 8443),
        (by_role[Role.EVIDENCE], everyone, "tcp", 9100),
        (everyone, by_role[Role.EVIDENCE], "udp", 123),
    ]
    expected = {(a, b, protocol, str(port)) for sources, targets, protocol, port in said for a, b in product(sources, targets) if a != b}
    rows = host_table(region)
    assert {row["verdict"] for row in rows} == {"allow"}
    assert {row["family"] for row in rows} == {"ipv4, ipv6"}
    found = {(row["source"], row["destination"], row["protocol"], port) for row in rows for port in row["ports"].split(", ")}
    assert found == expected
