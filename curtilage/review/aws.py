"""The egress delta of an AWS plan: packets, names and requests that become possible, by SMT over the old and the new plan at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from itertools import pairwise
from typing import Any

import networkx as nx
import orjson
import z3

from curtilage.proof.aws.dns import classes, resolver_rules, resolves
from curtilage.proof.aws.groups import Group, build_groups
from curtilage.proof.aws.identity import PolicyText, owner_of, policies_of
from curtilage.proof.aws.model import Net
from curtilage.proof.aws.network import build
from curtilage.proof.aws.plan import Plan, known, parse_plan
from curtilage.proof.aws.policy import ANONYMOUS, FOREIGN, SERVICE_FOREIGN, Owner, PolicyError, Request, parse
from curtilage.proof.aws.predicates import NUMBERS, PORT, PROTOCOL, ROUTED, V6, Network, Packet, Term, any_of, find, in_any, inside, network
from curtilage.proof.aws.prove import prove_plan
from curtilage.proof.aws.question import Question, Witness
from curtilage.proof.aws.reach import LONGEST_PATH, Reach, Sink
from curtilage.region import Region
from curtilage.review.model import Access, Delta, Flow, Proof
from curtilage.review.plans import Planned

MOST, MANY = 8, 3
_NAMES = {number: name for name, number in NUMBERS.items()}
LOCKS = (
    "aws:ec2/vpcBlockPublicAccessOptions:", "aws:s3/bucketPublicAccessBlock:", "aws:s3/accountPublicAccessBlock:",
    "aws:route53/resolverFirewallRuleGroupAssociation:", "aws:route53/resolverFirewallConfig:", "aws:ec2/defaultSecurityGroup:",
    "aws:ec2/defaultNetworkAcl:", "aws:organizations/policy:", "aws:networkfirewall/firewallPolicy:", "aws:s3/bucketObjectLock",
    "aws:ec2/imageBlockPublicAccess:", "aws:ec2/snapshotBlockPublicAccess:", "aws:ec2/vpcEndpointPolicy:",
)  # fmt: skip
"""Resources that do nothing but deny; without one, something is denied no longer."""


@dataclass
class Side:
    """A plan with its network built."""

    plan: Plan
    net: Net
    groups: list[Group]
    reach: Reach

    @classmethod
    def of(cls, planned: Planned) -> Side:
        """Build it."""
        plan = parse_plan(planned.document)
        net = build(plan)
        groups = build_groups(plan, net)
        return cls(plan, net, groups, Reach(plan, net, groups, ()))

    def leaving(self) -> dict[str, Term]:
        """The packets that leave each VPC, by its URN: past routes, access lists and groups."""
        return {urn: any_of(terms) for urn, terms in self._paths(filtered=True).items()}

    def routed(self) -> dict[str, Term]:
        """The packets that routes alone would take out."""
        return {urn: any_of(terms) for urn, terms in self._paths(filtered=False).items()}

    def _paths(self, *, filtered: bool) -> dict[str, list[Term]]:
        found: dict[str, list[Term]] = {vpc.resource.urn: [] for vpc in self.net.vpcs}
        own = in_any(self.net.own)
        for zone in self.reach.zones.values():
            lets = any_of(group.term() for group in self.groups if group.vpc is zone.vpc)
            for sink in sorted((node for node in nx.descendants(self.reach.graph, zone) if isinstance(node, Sink)), key=lambda s: s.label):
                for path in nx.all_simple_paths(self.reach.graph, zone, sink, cutoff=LONGEST_PATH):
                    hops = [(any_of(term for term, _ in self.reach.graph.edges[a, b]["routes"]), a.acl.term()) for a, b in pairwise(path)]
                    parts = [term for route, acl in hops for term in ((route, acl) if filtered else (route,))]
                    parts += [lets] if filtered else []
                    parts += [z3.Not(own)] if sink.own_allowed else []
                    found[zone.vpc.resource.urn].append(z3.And(*parts))
        return found

    def locks(self) -> dict[tuple[str, str], Term]:
        """What each group and access list lets pass to foreign addresses."""
        foreign = z3.Not(in_any(self.net.own))
        found = {("group", group.label): z3.And(group.term(), foreign) for group in self.groups}
        for zone in self.reach.zones.values():
            found["access list", zone.acl.label] = z3.And(zone.acl.term(), foreign)
        return found


def prove_aws(plan: Planned, region: Region | None) -> Proof:
    """The new plan, as ``curtilage prove --plan`` decides it."""
    return Proof.of(prove_plan(parse_plan(plan.document), region=region))


def aws_delta(old: Planned | None, new: Planned | None, delta: Delta) -> None:
    """Add what changes for each VPC, name and policy."""
    sides = [Side.of(item) if item else None for item in (old, new)]
    _packets(sides[0], sides[1], delta)
    _names(sides[0], sides[1], delta)
    _principals(sides[0], sides[1], delta)
    _denies(sides[0], sides[1], delta)
    if sides[1] is not None:
        before = {(gap.resource, gap.what) for gap in sides[0].plan.gaps} if sides[0] else set()
        delta.undecided += [f"{gap.resource}: {gap.what}" for gap in sides[1].plan.gaps if (gap.resource, gap.what) not in before]


def _packets(old: Side | None, new: Side | None, delta: Delta) -> None:
    nothing = z3.BoolVal(False)
    networks = _networks(item.plan for item in (old, new) if item)
    names = {vpc.resource.urn: f"VPC {vpc.name}" for side in (old, new) if side for vpc in side.net.vpcs}
    ways = [side.leaving() if side else {} for side in (old, new)]
    routed = [side.routed() if side else {} for side in (old, new)]
    for urn in sorted({*ways[0], *ways[1]}):
        terms = [way.get(urn, nothing) for way in ways]
        by_route = [way.get(urn, nothing) for way in routed]
        delta.added += _flows(names[urn], [terms[1], z3.Not(terms[0])], networks, leaves=True)
        delta.removed += _flows(names[urn], [terms[0], z3.Not(terms[1])], networks, leaves=True)
        loosened = [by_route[1], z3.Not(by_route[0]), z3.Not(terms[1])]
        delta.added += _flows(f"{names[urn]}, by its routes alone", loosened, networks, leaves=False)
    locks = [side.locks() if side else {} for side in (old, new)]
    for key in sorted({*locks[0], *locks[1]}):
        terms = [found.get(key, nothing) for found in locks]
        where = f"{key[1]} alone"
        delta.added += _flows(where, [terms[1], z3.Not(terms[0])], networks, leaves=False)
        delta.removed += _flows(where, [terms[0], z3.Not(terms[1])], networks, leaves=False)


def _networks(plans: Iterable[Plan]) -> list[Network]:
    found: set[Network] = set()
    for plan in plans:
        for item in plan.resources.values():
            if item.type.startswith("aws:"):
                found |= {net for text in _texts(dict(item.inputs)) if "/" in text and (net := network(text)) is not None}
    return sorted((item for item in found if item.prefixlen), key=lambda item: (-item.prefixlen, str(item)))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _flows(where: str, terms: list[Term], networks: list[Network], *, leaves: bool) -> list[Flow]:
    found: list[Flow] = []
    closed: list[Term] = []
    while len(found) < MOST:
        packet = find(*terms, *closed)
        if packet is None:
            return found
        cell, label = _cell(packet, networks)
        number = _number(packet)
        others = _several(PROTOCOL, number, [*terms, *closed, cell])
        names = [_NAMES.get(item, str(item)) for item in sorted([number, *others])]
        found.append(
            Flow(
                where=where,
                destination=label,
                protocol=", ".join(names) if len(others) < MANY else f"{packet.protocol} and others",
                ports=_ports(packet, [*terms, *closed, cell, number == PROTOCOL]),
                witness=packet.document("any host of it"),
                leaves=leaves,
            )
        )
        closed.append(z3.Not(cell))
    if find(*terms, *closed) is not None:
        found.append(Flow(where=where, destination=f"and more than these {MOST}", protocol="any", ports="any", witness={}, leaves=leaves))
    return found


def _cell(packet: Packet, networks: list[Network]) -> tuple[Term, str]:
    target = ip_network(packet.destination)
    for item in networks:
        if item.version == target.version and target.subnet_of(item):  # type: ignore[arg-type]
            return inside(item), str(item)
    return V6 if target.version == 6 else z3.Not(V6), f"any other IPv{target.version} address"


def _number(packet: Packet) -> int:
    return NUMBERS.get(packet.protocol, int(packet.protocol) if packet.protocol.isdecimal() else 0)


def _several(field: Any, first: int, terms: list[Term]) -> list[int]:
    """Up to three further values of a field."""
    solver, found = z3.Solver(), list[int]()
    solver.add(ROUTED, *terms, field != first)
    while len(found) < MANY and solver.check() == z3.sat:
        found.append(solver.model().eval(field, model_completion=True).as_long())
        solver.add(field != found[-1])
    return found


def _ports(packet: Packet, terms: list[Term]) -> str:
    if packet.port is None:
        return "-"
    others = _several(PORT, packet.port, terms)
    return ", ".join(map(str, sorted([packet.port, *others]))) if len(others) < MANY else f"{packet.port} and others"


def _names(old: Side | None, new: Side | None, delta: Delta) -> None:
    rules: dict[str, list[Any]] = {}
    names: dict[str, str] = {}
    for index, side in enumerate((old, new)):
        for vpc in side.net.vpcs if side else []:
            rules.setdefault(vpc.resource.urn, [None, None])[index] = resolver_rules(side.plan, side.net, vpc)  # type: ignore[union-attr]
            names[vpc.resource.urn] = vpc.name
    for urn, (before, after) in sorted(rules.items()):
        listed = {domain for side in (before, after) for rule in side or [] for domain in rule.domains}
        for name in dict.fromkeys(classes(listed)):
            was, will = resolves(before, name), resolves(after, name)
            if will and not was:
                delta.names_added.append(f"VPC {names[urn]}: {name}")
            elif was and not will:
                delta.names_removed.append(f"VPC {names[urn]}: {name}")


def _principals(old: Side | None, new: Side | None, delta: Delta) -> None:
    """For each policy, a request that the new one allows and the old one did not; a foreign principal or resource is looked for first."""
    if new is None:
        return
    before = {(found.item.urn, found.prop): found for found in policies_of(old.plan)} if old else {}
    owner = owner_of(new.plan)
    if old is not None:
        # Whose it is was settled before this change; what the change calls its own is judged by that.
        was = owner_of(old.plan)
        owner = Owner(was.organisation or owner.organisation, was.accounts or owner.accounts, tuple(sorted({*was.buckets, *owner.buckets})))
    answers: dict[tuple[str, str, str], Witness | None] = {}  # endpoints often share one policy, and a question takes a while
    for found in policies_of(new.plan):
        earlier = before.get((found.item.urn, found.prop))
        if earlier is not None and _text(earlier.value) == _text(found.value):
            continue
        name = f"{found.item}"
        if not known(found.value) or (earlier is not None and not known(earlier.value)):
            delta.undecided.append(f"{name}: {found.prop} is not known")
            continue
        key = (found.asked, _text(found.value), _text(earlier.value) if earlier else "")
        try:
            if key not in answers:
                answers[key] = _newly(found, earlier, owner)
            witness = answers[key]
        except PolicyError as error:
            delta.undecided.append(f"{name}: {found.prop} is no policy that is understood: {error}")
            continue
        except TimeoutError:
            delta.undecided.append(f"{name}: the solver did not decide its {found.prop} in time")
            continue
        if witness is not None:
            delta.principals.append(
                Access(
                    resource=name,
                    policy=f"{found.prop}, {witness.statement}",
                    principal="whoever has this policy" if found.asked == "identity" else witness.principal,
                    action=witness.action,
                    target=witness.resource,
                    foreign=witness.foreign and found.asked != "identity",
                    certain=witness.certain,
                )
            )


def _newly(found: PolicyText, earlier: PolicyText | None, owner: Any) -> Witness | None:
    request = Request(owner)
    principals = found.asked != "identity"
    question = Question(found.value, owner, names_principals=principals, request=request)
    wanted = []
    if earlier is not None:
        wanted.append(z3.Not(Question(earlier.value, owner, names_principals=principals, request=request).allowed))
    if found.asked == "trust":
        wanted.append(z3.PrefixOf(z3.StringVal("sts:assumerole"), request.action))
    outside = z3.Or(request.kind == FOREIGN, request.kind == ANONYMOUS, request.kind == SERVICE_FOREIGN, request.foreign_resource)
    # A new policy allows something, or it would not be there; what counts is whether that reaches outside.
    for extra in ([outside], []) if earlier is not None else ([outside],):
        witness = question.find(*wanted, *extra)
        if witness is not None:
            return witness
    return None


def _text(value: Any) -> str:
    if not known(value):
        return repr(value)
    try:
        return orjson.dumps(orjson.loads(value) if isinstance(value, str) else value, option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONDecodeError:
        return str(value)


def _denies(old: Side | None, new: Side | None, delta: Delta) -> None:
    if old is None or new is None:
        return
    here = set(_said(new))
    delta.denies_removed += sorted(item for item in set(_said(old)) if item not in here)


def _said(side: Side) -> Iterator[str]:
    """Everything that denies, each as a sentence."""
    for acl in side.net.acls.values():
        for rule in acl.rules:
            if not rule.allow:
                yield rule.label
    for vpc in side.net.vpcs:
        for block in resolver_rules(side.plan, side.net, vpc) or []:
            if block.action == "BLOCK":
                listed = ", ".join(block.domains[:4]) or "a list not in the plan"
                yield f"DNS Firewall of VPC {vpc.name} blocks {listed}"
    for item in side.plan.resources.values():
        if item.type.startswith(LOCKS):
            yield f"{item} is there"
    for found in policies_of(side.plan):
        try:
            statements = parse(found.value) if known(found.value) else []
        except PolicyError:
            continue
        for statement in statements:
            if statement["Effect"] == "Deny":
                body = orjson.dumps({k: v for k, v in statement.items() if k != "Sid"}, option=orjson.OPT_SORT_KEYS).decode()
                yield f"{found.item}: {found.prop} denies {body}"
