"""The egress delta of hosts: packets that the new ruleset lets out and the old one did not, decided by SMT over both at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any

import z3
from pydantic import ValidationError

from curtilage.allowance import Allowance
from curtilage.derive.firewall import UPLINK
from curtilage.errors import ConfigError
from curtilage.proof.allowed import Allowed, Network, Opening
from curtilage.proof.aws.predicates import smallest
from curtilage.proof.decide import Model, prove
from curtilage.proof.fields import CT_ESTABLISHED, CT_NEW, CT_RELATED, ETHERTYPE, L4, WIDTHS, WITH_PORTS
from curtilage.proof.formula import Symbolic
from curtilage.proof.kernel import KernelLacksError
from curtilage.proof.witness import OUTSIDE, PROTOCOL_NAMES, describe
from curtilage.review.model import Delta, Flow, Proof
from curtilage.review.plans import FIREWALL, SEGMENT, Planned
from curtilage.verdict import Verdict, worst

STARTS = {"output": "sent by the host", "forward": "forwarded by the host", "egress": "written as frames"}
MOST = 8
"""Destinations listed a host and direction; the rest is said to be there."""
SOLVER_MS = 20_000


def rulesets_of(plan: Planned | None) -> dict[str, dict[str, Any]]:
    """The firewall of each host, by the host's name."""
    return {str(item["inputs"].get("host")): item["inputs"] for item in plan.of(FIREWALL)} if plan else {}


def allowed_by(plan: Planned, firewall: Mapping[str, Any]) -> Allowed:
    """Where a host may go by the plan's own words: segments, and allowances that are valid today.

    An allowance that is not valid opens nothing here, so what uses it is a leak. The policy pack judges the segments.
    """
    openings = []
    for given in firewall.get("allowances") or []:
        try:
            found = Allowance.model_validate(given)
        except (ValidationError, ConfigError):
            continue
        openings.append(Opening(found.id, found.destination, found.protocol, found.ports))
    return Allowed(segment=str(firewall.get("segment") or "legal"), networks=segments_of(plan), openings=tuple(openings))


def segments_of(plan: Planned) -> tuple[Network, ...]:
    """The networks that a plan calls segments."""
    networks: list[Network] = []
    for item in plan.of(SEGMENT):
        for text in item["inputs"].get("networks") or []:
            try:
                networks.append(ip_network(str(text)))
            except ValueError:
                continue
    return tuple(networks)


def prove_hosts(plan: Planned) -> Proof:
    """Every host's planned ruleset, as ``curtilage plan`` proves it."""
    verdicts: list[Verdict] = []
    findings: list[dict[str, Any]] = []
    unused: set[str] = set()
    named = [str(name) for item in plan.of("curtilage:index:LegalRegion") for name in item["inputs"].get("hosts") or []]
    firewalls = rulesets_of(plan)
    for name in sorted({*named, *firewalls}):
        text = firewalls.get(name, {}).get("ruleset")
        if not isinstance(text, str):
            verdicts.append(Verdict.NOT_PROVEN)
            findings.append(_gap(name, "no-ruleset", f"the plan holds no ruleset for {name} that can be read"))
            continue
        try:
            result = prove(text, allowed_by(plan, firewalls[name]), subject=name, uplinks=(UPLINK,), layered=True)
        except ConfigError as error:
            verdicts.append(Verdict.FAIL)
            findings.append(_gap(name, "nft-refused", error.given, Verdict.FAIL))
            continue
        verdicts.append(result.verdict)
        findings += [{"host": name, **item.document()} for item in result.findings]
        unused |= {opening for opening, used in result.allowances.items() if not used}
    return Proof(verdict=worst(verdicts), findings=tuple(findings), unused_allowances=tuple(sorted(unused)))


def _gap(host: str, id: str, reason: str, verdict: Verdict = Verdict.NOT_PROVEN) -> dict[str, Any]:
    return {"host": host, "id": id, "segment": "", "verdict": verdict, "counterexample": None, "path": [], "reason": reason}


def hosts_delta(old: Planned | None, new: Planned | None, delta: Delta) -> None:
    """Add what changes for each host."""
    before, after = rulesets_of(old), rulesets_of(new)
    for name in sorted({*before, *after}):
        _allowances(before.get(name, {}), after.get(name, {}), delta, name)
        texts = [side.get(name, {}).get("ruleset") for side in (before, after)]
        if texts[0] == texts[1]:
            continue
        try:
            # A host that was not there let nothing out; one that goes lets nothing out any more.
            models = [Model.of(text, uplinks=(UPLINK,)) if isinstance(text, str) else None for text in texts]
        except KernelLacksError as lacks:
            delta.undecided.append(f"{name}: this kernel has no '{lacks.statement}', so the rulesets cannot be compared here")
            continue
        except ConfigError as error:
            delta.undecided.append(f"{name}: {error.given}")
            continue
        if models[1] is None and name in after:
            delta.undecided.append(f"{name}: the new plan holds no ruleset that can be read")
            continue
        _compare(name, models[0], models[1], _common(old, new), delta)
        if models[0] is not None and models[1] is not None:
            delta.denies_removed += [f"{name}: {item}" for item in _denies(models[0]) if item not in _denies(models[1])]


def _allowances(before: Mapping[str, Any], after: Mapping[str, Any], delta: Delta, host: str) -> None:
    def said(side: Mapping[str, Any]) -> set[str]:
        found = set()
        for item in side.get("allowances") or []:
            if isinstance(item, dict):
                ports = ",".join(str(port) for port in item.get("ports") or [])
                found.add(
                    f"{host}: {item.get('id')} to {item.get('destination')} {item.get('protocol')} {ports} until {item.get('expires')},"
                    f" owner {item.get('owner')}, reason: {item.get('reason')}"
                )
        return found

    delta.allowances_added += sorted(said(after) - said(before))
    delta.allowances_removed += sorted(said(before) - said(after))


def _denies(model: Model) -> list[str]:
    """What refuses: base chains whose policy drops, and rules that drop or reject."""
    found = []
    for chain in model.ruleset.chains.values():
        if chain.hook and chain.policy == "drop":
            found.append(f"{chain.title}: policy drop on {chain.hook}")
        found += [
            f"{chain.title}: {' '.join(rule.text.split()) or 'a rule that drops'}"
            for rule in chain.rules
            if any(isinstance(item, dict) and {"drop", "reject"} & set(item) for item in rule.statements)
        ]
    return found


def _common(old: Planned | None, new: Planned | None) -> tuple[Network, ...]:
    """The segments of both plans, or of the one there is: what a plan newly calls a segment is a destination like any other."""
    found = [set(segments_of(side)) for side in (old, new) if side is not None and side.of(SEGMENT)]
    return tuple(sorted(set.intersection(*found), key=str)) if found else ()


def _compare(host: str, old: Model | None, new: Model | None, segments: tuple[Network, ...], delta: Delta) -> None:
    names = tuple(sorted({*(old.interfaces if old else ()), *(new.interfaces if new else ())}))
    for model in (old, new):
        if model is not None:
            model.interfaces = names  # one numbering of links, so that a packet means the same to both
    networks = sorted({*(_networks(old) if old else ()), *(_networks(new) if new else ())}, key=lambda item: (-item.prefixlen, str(item)))
    for start in STARTS:
        algebra = Symbolic(WIDTHS)
        ways = [model.way(start, algebra).accept if model else None for model in (old, new)]
        nothing = z3.BoolVal(False)
        must = [way.must if way else nothing for way in ways]
        may = [way.may if way else nothing for way in ways]
        some = new or old
        if some is None:
            continue
        facts = some_facts(some, start, algebra)
        where = f"{host}, {STARTS[start]}"
        within = algebra.value(Allowed("", segments).formula()).must
        for inside in (False, True):
            side = within if inside else z3.Not(within)
            show = _Show(f"{where}, inside the segment" if inside else where, host, algebra, networks, inside)
            delta.added += show.flows([*facts, side, must[1], z3.Not(may[0])])
            delta.removed += show.flows([*facts, side, must[0], z3.Not(may[1])])
            # What one side leaves open: a rate limit, a set that fills at run time.
            doubtful = z3.And(may[1], z3.Not(must[0]), z3.Not(z3.And(must[1], z3.Not(may[0]))))
            known_doubt = z3.And(may[0], z3.Not(must[0]))
            delta.added += show.flows([*facts, side, doubtful, z3.Not(known_doubt)], certain=False)


def some_facts(model: Model, start: str, algebra: Symbolic) -> list[Any]:
    """What holds of every packet of a start: it leaves by an uplink, in a state that exists, and is what it claims to be."""
    var = algebra.variable
    links = [model.interfaces.index(name) + 1 for name in model.uplinks if name in model.interfaces]
    wire = var("wire")
    facts = [
        z3.Or(*(var("oif") == number for number in links)),
        z3.Or(*(var("ct.state") == value for value in (CT_NEW, CT_ESTABLISHED, CT_RELATED))),
        z3.Implies(wire == ETHERTYPE["ip"], (var("fragment") == 1) == ((var("ip.frag-off") & 0x1FFF) != 0)),
        z3.Or(wire == ETHERTYPE["ip"], wire == ETHERTYPE["ip6"]) if start != "egress" else wire != ETHERTYPE["arp"],
    ]
    if start != "egress":
        facts.append(wire == var("protocol"))
    lo = model.interfaces.index("lo") + 1
    facts.append(z3.And(var("iif") > 0, var("iif") != lo) if start == "forward" else var("iif") == 0)
    return facts


def _networks(model: Model) -> set[Network]:
    """Every network a ruleset names, so that a delta is told in its own words."""
    found: set[Network] = set()
    for document in _leaves([rule.statements for chain in model.ruleset.chains.values() for rule in chain.rules]):
        found |= _as_network(document)
    for collection in model.ruleset.collections.values():
        for document in _leaves(list(collection.elements)):
            found |= _as_network(document)
    return found


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        if "prefix" in value:
            return [value["prefix"]]
        return [leaf for item in value.values() for leaf in _leaves(item)]
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]


def _as_network(value: Any) -> set[Network]:
    text = f"{value.get('addr')}/{value.get('len')}" if isinstance(value, Mapping) else value
    if not isinstance(text, str) or not ("." in text or ":" in text):
        return set()
    try:
        return {ip_network(text, strict=False)}
    except ValueError:
        return set()


@dataclass(frozen=True)
class _Show:
    """Tells a difference of two rulesets a destination at a time, each with one packet as plain as can be."""

    where: str
    host: str
    algebra: Symbolic
    networks: list[Network]
    inside: bool

    def flows(self, terms: list[Any], *, certain: bool = True) -> list[Flow]:
        solver = z3.Solver()
        solver.set("timeout", SOLVER_MS)
        solver.add(*terms)
        found: list[Flow] = []
        while len(found) < MOST:
            answer = solver.check()
            if answer == z3.unsat:
                return found
            if answer == z3.unknown:
                return [*found, self._flow("not decided in time", "any", "any", {}, certain=False)]
            values = self._plain(solver)
            cell, label = self._cell(values)
            protocol, ports = self._services(solver, values, cell)
            found.append(self._flow(label, protocol, ports, self._witness(values), certain=certain))
            solver.add(z3.Not(cell))
        if solver.check() != z3.unsat:
            found.append(self._flow(f"and more than these {MOST}", "any", "any", {}, certain=certain))
        return found

    def _flow(self, destination: str, protocol: str, ports: str, witness: dict[str, Any], *, certain: bool) -> Flow:
        return Flow(
            where=self.where,
            destination=destination,
            protocol=protocol,
            ports=ports,
            witness=witness,
            leaves=True,
            certain=certain,
            inside=self.inside,
        )

    def _witness(self, values: Mapping[str, int]) -> dict[str, Any]:
        shown = describe(dict(values))
        return shown | {"source": self.host} if shown.get("source") else shown

    def _plain(self, solver: z3.Solver) -> dict[str, int]:
        var = self.algebra.variable
        wishes = [
            var("protocol") == var("wire"),
            var("fragment") == 0,
            var("ct.state") == CT_NEW,
            var("ct.direction") == 0,
            *(self._address(text) for text in OUTSIDE),
            var("l4proto") == L4["tcp"],
            z3.Or(*(var("l4proto") == number for number in WITH_PORTS)),
            *(var("dport") == port for port in (443, 53, 80)),
            var("sport") == 40000,
            var("tcp.flags") == 2,
            var("ip.ttl") == 64,
            var("ip6.hoplimit") == 64,
        ]
        best = solver.model()
        solver.push()
        for wish in wishes:
            solver.push()
            solver.add(wish)
            if solver.check() == z3.sat:
                best = solver.model()
            else:
                solver.pop()
        # What the wishes leave open is the smallest there is: the same plans give the same comment in every process.
        names = ["wire", "protocol", "ct.state", "l4proto", "dport", "icmp.type", "icmpv6.type"]
        for name in [*names, "ip.daddr" if best.eval(var("wire")).as_long() == ETHERTYPE["ip"] else "ip6.daddr"]:
            smallest(solver, var(name))
        solver.check()
        best = solver.model()
        while solver.num_scopes():
            solver.pop()
        return {name: best.eval(variable, model_completion=True).as_long() for name, variable in self.algebra.variables.items()}

    def _address(self, text: str) -> Any:
        version = 6 if ":" in text else 4
        wire, name = (ETHERTYPE["ip6"], "ip6.daddr") if version == 6 else (ETHERTYPE["ip"], "ip.daddr")
        value = int(IPv6Address(text)) if version == 6 else int(IPv4Address(text))
        return z3.And(self.algebra.variable("wire") == wire, self.algebra.variable(name) == value)

    def _cell(self, values: Mapping[str, int]) -> tuple[Any, str]:
        """The destination network that the rulesets name around a packet, with its protocol."""
        var, wire = self.algebra.variable, values.get("wire", 0)
        if wire not in (ETHERTYPE["ip"], ETHERTYPE["ip6"]):
            # One frame of an odd type stands for all of them.
            odd = z3.And(var("wire") != ETHERTYPE["ip"], var("wire") != ETHERTYPE["ip6"])
            return odd, f"frames of EtherType 0x{wire:04x} and the like"
        version, name = (4, "ip.daddr") if wire == ETHERTYPE["ip"] else (6, "ip6.daddr")
        value = values.get(name, 0)
        for network in self.networks:
            low, high = int(network.network_address), int(network.broadcast_address)
            if network.version == version and network.prefixlen and low <= value <= high:
                bare = network.prefixlen == network.max_prefixlen
                inside = z3.And(var("wire") == wire, z3.UGE(var(name), low), z3.ULE(var(name), high))
                return inside, str(network.network_address) if bare else str(network)
        return var("wire") == wire, f"any other IPv{version} address"

    def _services(self, solver: z3.Solver, values: Mapping[str, int], cell: Any) -> tuple[str, str]:
        """Protocol and ports of a destination: all of them where they are few, else one and that there are others."""
        if values.get("wire") not in (ETHERTYPE["ip"], ETHERTYPE["ip6"]):
            return "frame", "-"
        protocol = values.get("l4proto", 0)
        others = self._several(solver, cell, "l4proto", protocol)
        ports = [str(values.get("dport", 0))]
        same = z3.And(cell, self.algebra.variable("l4proto") == protocol)
        if protocol in WITH_PORTS:
            more = self._several(solver, same, "dport", values.get("dport", 0))
            ports = [", ".join(map(str, sorted([values.get("dport", 0), *more])))] if len(more) < 3 else [f"{ports[0]} and others"]
        names = [PROTOCOL_NAMES.get(number, str(number)) for number in sorted([protocol, *others])]
        shown = ", ".join(names) if len(others) < 3 else f"{PROTOCOL_NAMES.get(protocol, protocol)} and others"
        return shown, ports[0] if protocol in WITH_PORTS else "-"

    def _several(self, solver: z3.Solver, cell: Any, field: str, first: int) -> list[int]:
        """Up to three further values of a field in a cell."""
        var, found = self.algebra.variable(field), list[int]()
        solver.push()
        solver.add(cell, var != first)
        while len(found) < 3 and solver.check() == z3.sat:
            found.append(solver.model().eval(var, model_completion=True).as_long())
            solver.add(var != found[-1])
        solver.pop()
        return found
