"""The flows that a region's hosts allow one another, and the outside, as the model decides them: output at one, input at the other."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from curtilage.derive.firewall import UPLINK, render_ruleset
from curtilage.proof.decide import Model
from curtilage.proof.fields import WIDTHS
from curtilage.proof.formula import All, Either, Formula, Not, Symbolic, Test
from curtilage.proof.packet import Packet
from curtilage.proof.ports import port_ranges
from curtilage.region import Region

OUTSIDE = {"any address (ipv4)": "198.51.100.10", "any address (ipv6)": "2001:db8:f::10"}
PROTOCOLS = ("tcp", "udp", "icmp")


def host_table(region: Region) -> list[dict[str, str]]:
    """Every allowed flow of new packets between hosts, by protocol and ports; both families where hosts have both."""
    models = {host.name: Model.of(render_ruleset(region, host), uplinks=(UPLINK,)) for host in region.hosts}
    addresses = {host.name: [str(item) for item in (host.ipv4, host.ipv6) if item is not None] for host in region.hosts}
    cuts = _cuts(list(models.values()))
    rows = []
    for source, model in models.items():
        for destination in (*(name for name in models if name != source), *OUTSIDE):
            for protocol in PROTOCOLS:
                found: dict[tuple[str, str], list[str]] = {}
                for mine, theirs in _pairs(addresses[source], addresses.get(destination) or [OUTSIDE[destination]]):
                    version = f"ipv{ip_address(mine).version}"
                    for verdict, ports in _ports(model, models.get(destination), protocol, mine, theirs, cuts):
                        found.setdefault((verdict, ports), []).append(version)
                rows += [
                    {
                        "verdict": verdict,
                        "source": source,
                        "destination": destination,
                        "protocol": protocol,
                        "ports": ports,
                        "family": ", ".join(by),
                    }
                    for (verdict, ports), by in found.items()
                ]
    return rows


def _pairs(left: list[str], right: list[str]) -> Iterator[tuple[str, str]]:
    return ((mine, theirs) for mine in left for theirs in right if ip_address(mine).version == ip_address(theirs).version)


def _ports(out: Model, into: Model | None, protocol: str, source: str, destination: str, cuts: list[int]) -> list[tuple[str, str]]:
    if protocol == "icmp":
        kind = "icmp" if ip_address(source).version == 4 else "icmpv6"
        verdict = _verdict(out, into, {"protocol": kind, "source": source, "destination": destination})
        return [(verdict, "echo request")] if verdict != "deny" else []
    base = {"protocol": protocol, "source": source, "destination": destination}
    return port_ranges(cuts, lambda port: _verdict(out, into, {**base, "dport": port}))


def _verdict(out: Model, into: Model | None, packet: dict[str, object]) -> str:
    """Both ends, the stricter first: what one denies the other is not asked."""
    answers = [out.evaluate(Packet.model_validate({**packet, "hook": "output"}))[0]]
    if into is not None and answers[0] != "deny":
        answers.append(into.evaluate(Packet.model_validate({**packet, "hook": "input", "iif": UPLINK}))[0])
    return next((name for name in ("deny", "not_proven") if name in answers), "allow")


def _cuts(models: list[Model]) -> list[int]:
    """The first port of each range over which no ruleset changes its mind."""
    found = {0}
    for model in models:
        for start in ("output", "input"):
            model.way(start, Symbolic(WIDTHS))
        for formula in model.formulas:
            found |= {port for test in _tests(formula) for port in (max(test.low, 0), test.high + 1)}
    return sorted(port for port in found if port <= 65535)


def _tests(formula: Formula) -> Iterator[Test]:
    match formula:
        case Test(field="dport"):
            yield formula
        case All(parts) | Either(parts):
            for part in parts:
                yield from _tests(part)
        case Not(part):
            yield from _tests(part)
