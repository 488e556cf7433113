"""If these fail, a control can be taken out of a ruleset and the proof still says PASS."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from curtilage.derive.firewall import render_ruleset
from curtilage.proof.regions import prove_host, prove_region
from curtilage.region import Region
from curtilage.verdict import Verdict

HOSTS = ("gpu-1", "gpu-3", "gw-1", "crm-1", "evidence-1")


def opened_policy(text: str, hook: str) -> str:
    """The hook's policy accepts, and the counted drop at its end is gone."""
    text = re.sub(rf"(hook {hook} [^;]*; policy) drop;", r"\1 accept;", text)
    name = "netdev_drop" if hook == "egress" else f"{hook}_drop"
    return text.replace(f'\t\tcounter name "{name}" drop\n\t}}\n}}', "\t}\n}").replace(f'\t\tcounter name "{name}" drop\n', "")


def without_chain(text: str, name: str) -> str:
    """The base chain is gone."""
    return re.sub(rf"\tchain {name} {{\n.*?\n\t}}\n", "", text, flags=re.DOTALL)


def with_rule(text: str, chain: str, rule: str) -> str:
    """A rule stands first in a base chain."""
    return re.sub(rf"(\tchain {chain} {{\n\t\ttype [^\n]*\n)", rf"\1\t\t{rule}\n", text)


def without_segment_match(text: str) -> str:
    """Replies to operators go to anyone."""
    return text.replace("ip saddr 192.0.2.5 ", "")


RAW = {"nft-raw-ip4", "nft-raw-ip6", "nft-raw-other"}
SABOTAGE: dict[str, tuple[Callable[[str], str], set[str]]] = {
    "output policy": (lambda text: opened_policy(text, "output"), {"nft-output-ip4-layer", "nft-output-ip6-layer"}),
    "forward policy": (lambda text: opened_policy(text, "forward"), {"nft-forward-ip4-layer", "nft-forward-ip6-layer"}),
    "input policy": (lambda text: opened_policy(text, "input"), {"nft-input-ip4", "nft-input-ip6"}),
    "egress policy": (lambda text: opened_policy(text, "egress"), RAW),
    "output chain": (lambda text: without_chain(text, "output"), {"nft-output-ip4-layer", "nft-output-ip6-layer"}),
    "forward chain": (lambda text: without_chain(text, "forward"), {"nft-forward-ip4-layer", "nft-forward-ip6-layer"}),
    "input chain": (lambda text: without_chain(text, "input"), {"nft-input-ip4", "nft-input-ip6"}),
    "egress chain": (lambda text: without_chain(text, "egress"), RAW),
    "output and egress": (
        lambda text: without_chain(without_chain(text, "output"), "egress"),
        {"nft-output-ip4", "nft-output-ip6", *RAW},
    ),
    "forward and egress": (
        lambda text: without_chain(without_chain(text, "forward"), "egress"),
        {"nft-forward-ip4", "nft-forward-ip6", *RAW},
    ),
    "IPv6": (
        lambda text: with_rule(with_rule(text, "output", "meta nfproto ipv6 accept"), "egress", "@ll,96,16 0x86dd accept"),
        {"nft-output-ip6", "nft-raw-ip6"},
    ),
    "EtherType as claimed": (lambda text: re.sub(r"@ll,96,16 0x0800 ip ", "ip ", text), {"nft-raw-ip6", "nft-raw-other"}),
    "ARP as claimed": (lambda text: text.replace("@ll,96,16 0x0806 accept", "meta protocol arp accept"), RAW),
    "neighbour discovery forwarded": (
        lambda text: with_rule(text, "forward", "icmpv6 type nd-neighbor-solicit accept"),
        {"nft-forward-ip6-layer"},
    ),
    "ssh from anywhere": (without_segment_match, {"nft-input-ip4"}),
    "one prefix": (
        lambda text: with_rule(
            with_rule(text, "output", "ip daddr 198.51.100.0/25 tcp dport 443 accept"), "egress", "ip daddr 198.51.100.0/25 accept"
        ),
        {"nft-output-ip4", *RAW},
    ),
}


@pytest.mark.parametrize("name", HOSTS)
@pytest.mark.parametrize("what", SABOTAGE)
def test_taking_a_control_out_turns_exactly_its_findings_red(lab: Region, name: str, what: str) -> None:
    sabotage, expected = SABOTAGE[what]
    host = lab.host(name)
    text = render_ruleset(lab, host)
    broken = sabotage(text)
    assert broken != text, "the sabotage changed nothing"
    result = prove_host(lab, host, broken)
    assert result.verdict is Verdict.FAIL
    assert {finding.id for finding in result.findings if finding.verdict is Verdict.FAIL} == expected
    assert all(finding.path and finding.counterexample for finding in result.findings)


def test_the_lab_region_is_proved_and_names_its_allowance(lab: Region, lab_with_allowances: Region) -> None:
    sealed = prove_region(lab)
    assert sealed.verdict is Verdict.PASS
    assert not sealed.findings
    opened = prove_region(lab_with_allowances)
    assert opened.verdict is Verdict.PASS
    assert opened.hosts["evidence-1"].allowances == {"timestamps": True}
    assert opened.unused_allowances == ()


def test_an_allowance_that_no_rule_carries_is_reported_unused(lab: Region, lab_with_allowances: Region) -> None:
    host = lab_with_allowances.host("evidence-1")
    without = render_ruleset(lab, lab.host("evidence-1"))
    assert prove_host(lab_with_allowances, host, without).allowances == {"timestamps": False}
