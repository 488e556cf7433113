"""If these fail, the resolver may ask someone outside, or answer more than the segment needs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from curtilage.allowance import Role
from curtilage.derive.firewall import render_ruleset
from curtilage.derive.inventory import inventory
from curtilage.derive.resolver import ANSWERS, FAILOVER_TTL_SECONDS, render_answers, render_unbound
from curtilage.proof.regions import prove_host
from curtilage.region import Region, load_region
from curtilage.verdict import Verdict


@pytest.fixture
def text(lab: Region) -> str:
    """The gateway's configuration."""
    return render_unbound(lab, lab.host("gw-1"))


def test_everything_is_refused_that_no_zone_answers(text: str) -> None:
    assert '    local-zone: "." always_refuse\n' in text
    for word in ("forward-zone", "stub-zone", "forward-addr", "root-hints", "auto-trust-anchor", "trust-anchor", "tls-upstream"):
        assert word not in text
    assert "do-not-query-address: 0.0.0.0/0" in text
    assert "do-not-query-address: ::0/0" in text


def test_only_the_segment_is_answered(text: str) -> None:
    rules = [line.strip() for line in text.splitlines() if "access-control:" in line]
    assert rules == [
        "access-control: 0.0.0.0/0 refuse",
        "access-control: ::0/0 refuse",
        "access-control: 192.0.2.0/24 allow",
        "access-control: 2001:db8:1::/64 allow",
    ]


def test_intercepted_names_and_all_below_them_are_the_gateway(text: str) -> None:
    for name in ("api.openai.com", "api.anthropic.com"):
        assert f'local-zone: "{name}." redirect' in text
        assert f'local-data: "{name}. 60 IN A 192.0.2.21"' in text
        assert f'local-data: "{name}. 60 IN AAAA 2001:db8:1::21"' in text
    assert 'local-zone: "use-application-dns.net." always_nxdomain' in text


def test_every_query_reply_and_local_answer_is_logged(text: str) -> None:
    for option in ("log-queries", "log-replies", "log-local-actions"):
        assert f"    {option}: yes\n" in text


def test_it_is_controlled_by_a_socket_file_alone(text: str) -> None:
    assert "control-interface: /run/unbound.ctl" in text


def test_a_host_that_is_no_gateway_has_no_resolver(lab: Region) -> None:
    with pytest.raises(ValueError, match="only a gateway"):
        render_unbound(lab, lab.host("gpu-1"))


@pytest.mark.skipif(shutil.which("unbound-checkconf") is None, reason="NOT-RUN: unbound-checkconf is not installed")
def test_unbound_accepts_it(text: str, tmp_path: Path) -> None:
    file = tmp_path / "unbound.conf"
    file.write_text(text)
    done = subprocess.run(["unbound-checkconf", str(file)], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


TWO = load_region("ch-zurich")


def answered(text: str) -> dict[str, set[str]]:
    """The addresses a text gives for each name."""
    found: dict[str, set[str]] = {}
    for line in text.splitlines():
        if "local-data" in line:
            name, seconds, _, _, address = line.split('"')[1].split()
            assert int(seconds) == FAILOVER_TTL_SECONDS
            found.setdefault(name.rstrip("."), set()).add(address)
    return found


def test_a_lone_gateway_has_its_answers_in_its_configuration(lab: Region) -> None:
    assert render_answers(lab, lab.host("gw-1")) is None
    assert "include:" not in render_unbound(lab, lab.host("gw-1"))


@pytest.mark.parametrize("name", ["gw-1", "gw-2"])
def test_of_several_gateways_each_answers_with_itself_or_with_the_others_and_with_nothing_else(name: str) -> None:
    own, other = TWO.host(name), TWO.host({"gw-1": "gw-2", "gw-2": "gw-1"}[name])
    texts = render_answers(TWO, own)
    assert texts is not None
    for which, host in (("own", own), ("others", other)):
        assert answered(texts[which]) == {item: {str(host.ipv4), str(host.ipv6)} for item in TWO.gateway.intercept}
    text = render_unbound(TWO, own)
    assert f'include: "{ANSWERS}"' in text
    assert not any(item in text for item in TWO.gateway.intercept), "an answer outside of the link would hold whatever the checker says"
    assert '    local-zone: "." always_refuse\n' in text


def test_the_seal_of_two_gateways_is_that_of_one() -> None:
    """Names move, not addresses: no rule is for a gateway's way to another, and every host's ruleset is proved."""
    gateways = TWO.hosts_by_role(Role.GATEWAY)
    for host in TWO.hosts:
        assert prove_host(TWO, host, render_ruleset(TWO, host)).verdict is Verdict.PASS
    for host, other in (gateways, gateways[::-1]):
        peers = [line for line in render_ruleset(TWO, host).splitlines() if str(other.ipv4) in line and "flow:" in line]
        assert peers
        assert {line.split("flow:")[1].rstrip('"') for line in peers} == {"names"}


def test_libc_asks_two_machines_before_it_asks_one_twice() -> None:
    asked = inventory(TWO)["all"]["vars"]["curtilage_resolvers"]
    assert asked == ["10.41.0.21", "10.41.0.22", "fd41:7a75:7269:1::21", "fd41:7a75:7269:1::22"]


@pytest.mark.skipif(shutil.which("unbound-checkconf") is None, reason="NOT-RUN: unbound-checkconf is not installed")
@pytest.mark.parametrize("which", ["own", "others"])
def test_unbound_accepts_either_answer(which: str, tmp_path: Path) -> None:
    host = TWO.host("gw-1")
    answers, file = tmp_path / "answers.conf", tmp_path / "unbound.conf"
    answers.write_text((render_answers(TWO, host) or {})[which])
    file.write_text(render_unbound(TWO, host).replace(ANSWERS, str(answers)))
    done = subprocess.run(["unbound-checkconf", str(file)], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    answers.write_text('    forward-zone:\n        name: "."\n')
    done = subprocess.run(["unbound-checkconf", str(file)], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode != 0, "the included text is read at all"
