"""If these fail, the proof answers wrongly about rulesets nobody here wrote, or answers where it should say that it does not know."""

from __future__ import annotations

import json
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path

import pytest

from curtilage.errors import ConfigError
from curtilage.proof.allowed import Allowed
from curtilage.proof.decide import Model, prove
from curtilage.proof.kernel import links_named
from curtilage.proof.packet import Packet
from curtilage.proof.report import ProofResult
from curtilage.verdict import Verdict

SEGMENT = Allowed(segment="legal", networks=(ip_network("192.0.2.0/24"), ip_network("2001:db8:1::/64")), sources=("192.0.2.21",))
INSIDE_ONLY = "ip daddr 192.0.2.0/24 accept\nip6 daddr 2001:db8:1::/64 accept"
EGRESS = "@ll,96,16 0x0806 accept\n@ll,96,16 0x0800 ip daddr 192.0.2.0/24 accept\n@ll,96,16 0x86dd ip6 daddr 2001:db8:1::/64 accept"


def ruleset(output: str = INSIDE_ONLY, input_: str = "iifname lo accept", forward: str = "", extra: str = "", egress: str = EGRESS) -> str:
    """Drops everywhere, with the given rules in each chain."""
    chains = "".join(
        f"chain {name} {{\ntype filter hook {name} priority 0; policy drop;\n{rules}\n}}\n"
        for name, rules in (("input", input_), ("forward", forward), ("output", output))
    )
    raw = f'table netdev raw {{\nchain egress {{\ntype filter hook egress device "eth0" priority 0; policy drop;\n{egress}\n}}\n}}\n'
    return f"table inet filter {{\n{extra}\n{chains}}}\n{raw}"


def decide(text: str) -> ProofResult:
    return prove(text, SEGMENT)


def ids(result: ProofResult, verdict: Verdict) -> set[str]:
    return {finding.id for finding in result.findings if finding.verdict is verdict}


SHUT = "chain f {\ntype filter hook forward priority 0; policy drop;\n}\n"
OPEN_EGRESS = "meta protocol ip accept"
PASSES = {
    "segment only": ruleset(),
    "established, nothing from outside let in": ruleset(
        output=f"ct state established,related accept\n{INSIDE_ONLY}", input_="ip saddr 192.0.2.0/24 accept"
    ),
    "loopback": ruleset(output=f"oifname lo accept\n{INSIDE_ONLY}"),
    "a limited log before the drop": ruleset(output=f"{INSIDE_ONLY}\nlimit rate 5/second log"),
    "a limit on what is allowed": ruleset(output="ip daddr 192.0.2.0/24 limit rate 5/second accept"),
    "a set": ruleset(
        output="ip daddr @peers accept", extra="set peers {\ntype ipv4_addr\nflags interval\nelements = { 192.0.2.11, 192.0.2.64/26 }\n}"
    ),
    "a verdict map": ruleset(output="ip daddr vmap { 192.0.2.0/25 : accept, 198.51.100.0/24 : drop }"),
    "goto that does not come back": ruleset(
        output="ip daddr 198.51.100.0/24 goto nowhere\nip daddr 192.0.2.0/24 accept", extra="chain nowhere {\ncounter\n}"
    ),
    "accept undone by a later chain": ruleset(
        extra="chain late {\ntype filter hook output priority 10; policy drop;\n" + INSIDE_ONLY + "\n}", output="accept"
    ),
    "neighbour discovery": ruleset(output=f"{INSIDE_ONLY}\nip6 daddr {{ fe80::/10, ff02::/16 }} icmpv6 type {{ 133, 135, 136 }} accept"),
}


@pytest.mark.parametrize("what", PASSES)
def test_a_sealed_ruleset_is_proved(what: str) -> None:
    result = decide(PASSES[what])
    assert result.verdict is Verdict.PASS, result.document()


# Where a leak is only in the inet layer, the egress chain is opened with it for IPv4, honestly or not.
V4_RAW = {"nft-raw-ip4", "nft-raw-ip6", "nft-raw-other"}
FAILS = {
    "HTTPS to the world": (ruleset(output="tcp dport 443 accept", egress="accept"), {"nft-output-ip4", "nft-output-ip6"} | V4_RAW),
    "one address": (ruleset(output="ip daddr 198.51.100.9 accept", egress=OPEN_EGRESS), {"nft-output-ip4"} | V4_RAW),
    "a prefix one bit too wide": (ruleset(output="ip daddr 192.0.2.0/23 accept", egress=OPEN_EGRESS), {"nft-output-ip4"} | V4_RAW),
    "a negated match": (ruleset(output="ip daddr != 198.51.100.0/24 accept", egress=OPEN_EGRESS), {"nft-output-ip4"} | V4_RAW),
    "replies to anyone": (
        ruleset(output="ct state established accept", input_="tcp dport 22 accept", egress=OPEN_EGRESS),
        {"nft-output-ip4-reply"} | V4_RAW,
    ),
    "errors about rejected packets": (
        ruleset(output="ct state related accept", input_="ip protocol udp reject", egress=OPEN_EGRESS),
        {"nft-output-ip4-related"} | V4_RAW,
    ),
    "later fragments": (
        ruleset(output=f"tcp dport 0-65535 drop\nudp dport 0-65535 drop\nip protocol udp accept\n{INSIDE_ONLY}", egress=OPEN_EGRESS),
        {"nft-output-ip4"} | V4_RAW,
    ),
    "a table of one family": (
        "table ip filter {\nchain o {\ntype filter hook output priority 0; policy drop;\n}\n" + SHUT + "}\n",
        {"nft-output-ip6", "nft-forward-ip6"} | V4_RAW,
    ),
    "nothing at all": ("", {"nft-output-ip4", "nft-output-ip6", "nft-forward-ip4", "nft-forward-ip6"} | V4_RAW),
    "a return from a base chain that accepts": (
        "table inet t {\nchain o {\ntype filter hook output priority 0; policy accept;\nip daddr 198.51.100.0/24 return\ndrop\n}\n"
        + SHUT
        + "}\n",
        {"nft-output-ip4"} | V4_RAW,
    ),
    "a table whose chains no hook runs": (
        ruleset(extra="flags dormant", egress="accept"),
        {"nft-output-ip4", "nft-output-ip6", "nft-forward-ip4", "nft-forward-ip6"} | V4_RAW,
    ),
    "a chain for addresses to translate, which sees first packets alone": (
        "table inet t {\nchain o {\ntype nat hook output priority -100; policy drop;\n}\n" + SHUT + "}\n",
        {"nft-output-ip4", "nft-output-ip6"} | V4_RAW,
    ),
    "an interface that packets come in by, and may leave by": (
        ruleset(output="accept", input_='iifname "eth1" accept', egress=""),
        {"nft-output-ip4", "nft-output-ip6"} | V4_RAW,
    ),
    "every interface but the one with an egress chain": (
        ruleset(output='oifname != "eth0" accept', egress=""),
        {"nft-output-ip4", "nft-output-ip6"} | V4_RAW,
    ),
    "an interface that is another way out": (ruleset(output='oifname "wg0" accept'), {"nft-output-ip4", "nft-output-ip6"} | V4_RAW),
}


@pytest.mark.parametrize("what", FAILS)
def test_an_open_ruleset_fails_with_a_packet_that_the_model_lets_out(what: str) -> None:
    text, expected = FAILS[what]
    result = decide(text)
    assert result.verdict is Verdict.FAIL
    assert ids(result, Verdict.FAIL) == expected, result.document()
    for finding in result.findings:
        shown = finding.counterexample
        assert shown is not None
        assert {"family", "protocol", "source", "destination", "port"} <= set(shown)
        if shown["destination"] is not None and not shown.get("claimed"):
            assert not any(shown["destination"] in map(str, network.hosts()) for network in SEGMENT.networks if network.version == 4)


DOUBTS = {
    "a rate limit that accepts": ruleset(output="ip daddr 198.51.100.9 limit rate 5/second accept", egress=OPEN_EGRESS),
    "a queue": ruleset(output="ip daddr 198.51.100.9 queue num 1", egress=OPEN_EGRESS),
    "a socket lookup": ruleset(output="socket transparent 1 accept", egress=OPEN_EGRESS),
    "a quota": ruleset(output="ip daddr 198.51.100.9 quota 10 mbytes accept", egress=OPEN_EGRESS),
    "a set that fills itself": ruleset(
        output="ip daddr @learned accept", extra="set learned {\ntype ipv4_addr\nflags dynamic,timeout\ntimeout 1m\n}", egress=OPEN_EGRESS
    ),
    "destination translation": ruleset(
        extra="chain nat {\ntype nat hook output priority -100; policy accept;\nip daddr 192.0.2.9 dnat ip to 198.51.100.9\n}"
    ),
    "a copy to another link": ruleset(egress=f'ip daddr 192.0.2.9 dup to "eth0"\n{EGRESS}'),
    "a state before connection tracking has seen the packet": ruleset(
        output=f"{INSIDE_ONLY}\nct state invalid drop\naccept",
        extra="chain early {\ntype filter hook output priority raw; policy accept;\n" + INSIDE_ONLY + "\nct state != invalid drop\n}",
        egress=OPEN_EGRESS,
    ),
    "a mark by which packets are routed anew": ruleset(
        extra="chain again {\ntype route hook output priority 100; policy accept;\nmeta mark set 1\n}"
    ),
    "a rejection that goes straight to the link": f"{ruleset()}table netdev early {{\nchain i {{\n"
    'type filter hook ingress device "eth0" priority 0; policy accept;\nip daddr 192.0.2.21 reject\n}\n}\n',
    "routes": ruleset(output="fib daddr type local accept", egress=OPEN_EGRESS),
}


@pytest.mark.parametrize("what", DOUBTS)
def test_what_the_model_cannot_decide_is_never_a_pass(what: str) -> None:
    result = decide(DOUBTS[what])
    assert ids(result, Verdict.NOT_PROVEN), result.document()
    assert all("not decided" in finding.reason for finding in result.findings if finding.verdict is Verdict.NOT_PROVEN)


def test_a_doubt_that_cannot_open_anything_does_not_spoil_a_proof() -> None:
    assert decide(ruleset(output=f"ip daddr 192.0.2.9 limit rate over 5/second drop\n{INSIDE_ONLY}")).verdict is Verdict.PASS


def test_translation_that_nothing_reaches_does_not_spoil_a_proof() -> None:
    nat = (
        "chain nat {\ntype nat hook output priority -100; policy accept;\nip daddr 192.0.2.9 ip daddr 192.0.2.10 dnat ip to 198.51.100.9\n}"
    )
    assert decide(ruleset(extra=nat)).verdict is Verdict.PASS


def test_links_a_ruleset_names_exist_when_it_is_loaded() -> None:
    assert links_named('define wan = "eth7"\niif eth1 accept\noif { "br0", lo } drop\ndevices = { a0, b0 }') == (
        "a0",
        "b0",
        "br0",
        "eth1",
        "eth7",
    )


def test_a_packet_without_a_needed_field_is_not_guessed() -> None:
    model = Model.of(ruleset(output="ip saddr 192.0.2.21 accept", egress="accept"))
    verdict, _, reasons = model.evaluate(Packet.model_validate({"destination": "192.0.2.1", "dport": 1}))
    assert (verdict, reasons) == ("not_proven", ["the packet does not state ip.saddr"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "table inet t {\nchain a {\njump b\n}\nchain b {\njump a\n}\nchain c {\ntype filter hook output priority 0;\njump a\n}\n}\n",
            "jumps go in no circle",
        ),
        ("table inet t {\nchain c {\nnonsense\n}\n}\n", "syntax error"),
        ("table inet t {\nchain c {\njump nowhere\n}\n}\n", "Could not process rule"),
    ],
)
def test_what_the_kernel_refuses_is_told_in_its_words(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        decide(text)


def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "curtilage.cli", "prove", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_answers_in_one_json_document_and_by_its_exit_code(tmp_path: Path) -> None:
    file = tmp_path / "some.nft"
    segments = ("--segment", "192.0.2.0/24", "--segment", "2001:db8:1::/64")
    for text, verdict, code in (
        (ruleset(), "PASS", 0),
        (ruleset(output="accept", egress="accept"), "FAIL", 1),
        (
            DOUBTS["a quota"].replace(OPEN_EGRESS, EGRESS + "\n@ll,96,16 0x0800 ip daddr 198.51.100.9 limit rate 1/second accept"),
            "NOT_PROVEN",
            3,
        ),
    ):
        file.write_text(text)
        done = run("--nft", str(file), *segments, "--json")
        document = json.loads(done.stdout)
        assert (document["verdict"], done.returncode) == (verdict, code), done.stderr
        for finding in document["findings"]:
            assert {"id", "segment", "counterexample", "path", "reason"} <= set(finding)


def test_the_command_decides_packets_a_line_each(tmp_path: Path) -> None:
    file, packets = tmp_path / "some.nft", tmp_path / "packets.jsonl"
    file.write_text(ruleset(output=f"{INSIDE_ONLY}\nip daddr 198.51.100.9 limit rate 5/second accept", egress="accept"))
    packets.write_text(
        '{"protocol": "tcp", "source": "192.0.2.21", "destination": "192.0.2.9", "dport": 443}\n'
        '{"protocol": "udp", "source": "192.0.2.21", "destination": "203.0.113.9", "port": 53}\n'
        '{"protocol": "icmp", "source": "192.0.2.21", "destination": "198.51.100.9"}\n'
    )
    done = run("packets", "--nft", str(file), "--packets", str(packets))
    assert done.stdout.split() == ["allow", "deny", "not_proven"], done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not JSON"),
        ('{"protocol": "tcp"}', "an IP packet has a destination"),
        ('{"destination": "192.0.2.1", "colour": 1}', "Extra inputs"),
        ('{"destination": "192.0.2.1", "source": "2001:db8::1"}', "different families"),
        ('{"destination": "192.0.2.1", "protocol": "smoke"}', "smoke"),
        ('{"destination": "192.0.2.1", "dport": 70000}', "65535"),
    ],
)
def test_a_malformed_packet_is_an_input_error_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    file, packets = tmp_path / "some.nft", tmp_path / "packets.jsonl"
    file.write_text(ruleset())
    packets.write_text(f'{{"destination": "192.0.2.1"}}\n{line}\n')
    done = run("packets", "--nft", str(file), "--packets", str(packets))
    assert done.returncode == 2
    assert said in done.stderr
    assert "packets.jsonl:2" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [("--nft", "/nonexistent"), ("--segment", "192.0.2.0/24"), (), ("--region", "nowhere")])
def test_a_wrong_call_is_an_input_error_without_a_traceback(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert "fix:" in done.stderr
    assert "Traceback" not in done.stderr
