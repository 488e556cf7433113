"""Searches for packets that leave: one solver question a namespace, repeated without each rule that was found to let one through."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network
from typing import Any

import z3

from curtilage.allowance import Allowance
from curtilage.proof.formula import All, Concrete, Either, Formula, Kleene, Not, Symbolic, equals, one_of
from curtilage.proof.kubernetes.build import SYSTEM_NAMESPACES
from curtilage.proof.kubernetes.decision import DST, SRC, Cluster, Decision, decide
from curtilage.proof.kubernetes.objects import Template
from curtilage.proof.kubernetes.rules import PROTOCOLS, Network, Rule, in_network
from curtilage.proof.kubernetes.select import ADDRESS, KIND, LABEL, NAMED, NAMESPACE, OTHER, POD, among
from curtilage.proof.kubernetes.words import Widths, describe, minimise, source_words
from curtilage.proof.report import Finding
from curtilage.verdict import Verdict

STAYS: tuple[Network, ...] = (
    IPv4Network("127.0.0.0/8"),
    IPv6Network("::1/128"),
    IPv6Network("fe80::/10"),
    IPv6Network("ff01::/16"),
    IPv6Network("ff02::/16"),
)
"""No router forwards these; what they reach is the pod itself, or its node."""
PRIVATE: tuple[Network, ...] = (
    IPv4Network("10.0.0.0/8"),
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv4Network("100.64.0.0/10"),
    IPv6Network("fc00::/7"),
)
"""Where no network of the segment is named, these may be inside it."""
METADATA: tuple[Network, ...] = (IPv4Network("169.254.169.254/32"), IPv6Network("fd00:ec2::254/128"))
RESOLVERS = "kube-system"
TIMEOUT_MS, MOST_FINDINGS, MOST_SORTS, MOST_NAMES = 20_000, 25, 100, 12
OTHER_PROTOCOLS = (
    "the CNI drops protocols other than TCP, UDP and SCTP (ICMP, raw IP) of isolated pods: the specification leaves them open,"
    " and no ClusterNetworkPolicy of these manifests denies them by network; Cilium drops them"
)


@dataclass(frozen=True)
class Question:
    """What is asked of every namespace: the cluster, which namespaces are legal, which addresses are inside."""

    cluster: Cluster
    legal: frozenset[str]
    networks: tuple[Network, ...]

    def code(self, name: str) -> int:
        """A namespace's number."""
        found = self.cluster.world.named(name)
        assert found is not None, name  # noqa: S101 - build() makes room for every legal name
        return found.code

    def outside(self, side: str, *, certain: bool) -> Formula:
        """An end that is neither inside nor the pod itself. ``certain``: not even if private networks were inside."""
        kept = (*self.networks, *STAYS, *(PRIVATE if certain and not self.networks else ()))
        elsewhere = Not(Either(tuple(in_network(side, item) for item in kept)))
        legal = among(f"{side}.{NAMESPACE}", (self.code(name) for name in self.legal))
        address = All((equals(f"{side}.{KIND}", ADDRESS), elsewhere))
        # A pod of another namespace has some address or other: a rule by selector finds one outside, a rule by network only its own.
        return Either((address, All((equals(f"{side}.{KIND}", POD), Not(legal), elsewhere))))

    def resolver(self) -> Formula:
        """A query to the cluster's resolver; judged by what the resolver does with it."""
        if RESOLVERS in self.legal:
            return Either(())
        return All(
            (
                equals(f"{DST}.{KIND}", POD),
                equals(f"{DST}.{NAMESPACE}", self.code(RESOLVERS)),
                one_of("protocol", (PROTOCOLS["TCP"], PROTOCOLS["UDP"])),
                equals("port", 53),
                Not(Either(tuple(in_network(DST, item) for item in self.networks))),
            )
        )

    def domain(self, algebra: Symbolic) -> list[Any]:
        """What holds of every flow: numbers stand for something."""
        var, world = algebra.variable, self.cluster.world
        facts = [z3.Or(var("version") == 4, var("version") == 6)]
        facts.append(z3.Or(*(var("protocol") == number for number in PROTOCOLS.values()), var("port") == 0))
        for name in list(algebra.variables):
            side, _, what = name.partition(".")
            if what == KIND:
                facts.append(z3.ULE(var(name), POD))
            elif what == NAMESPACE:
                facts.append(z3.ULT(var(name), len(world.namespaces)))
            elif what.startswith(NAMED):
                # Only a pod has ports with names.
                facts.append(z3.Or(var(name) == 0, var(f"{side}.{KIND}") == POD))
            elif side in (SRC, DST) and what.startswith(LABEL):
                facts.append(z3.ULE(var(name), OTHER + len(world.values.get(what.removeprefix(LABEL), {}))))
        return facts


@dataclass(frozen=True)
class _Why:
    """What lets a witness through."""

    rule: Rule | None
    formula: Formula
    layered: tuple[Rule, ...]
    """Rules of the admin tier that stop it all the same."""


class Leaks:
    """The packets of one namespace's pods."""

    def __init__(self, question: Question, namespace: str, openings: tuple[Allowance, ...] = ()) -> None:
        self.question, self.namespace, self.openings = question, namespace, openings
        self.cluster = question.cluster
        self.rests: set[str] = set()
        self.code = question.code(namespace)
        self.decision: Decision = decide(self.cluster, self.code, "egress")
        self.algebra = Symbolic(Widths())
        self.source = All((equals(f"{SRC}.{KIND}", POD), equals(f"{SRC}.{NAMESPACE}", self.code)))
        self.free = Not(Either((question.resolver(), *map(opening, openings))))
        value = self.algebra.value
        self.alone, self.together = value(self.decision.network_policy), value(self.decision.allowed)
        self.leaves: Kleene[Any] = self.algebra.any(self.alone, self.together)

    @cached_property
    def alike(self) -> dict[tuple[int, ...], list[Template]]:
        """The namespace's listed workloads, those together that no policy tells apart."""
        found: dict[tuple[int, ...], list[Template]] = {}
        world = self.cluster.world
        for item in self.cluster.templates:
            if item.namespace == self.namespace and item.labels is not None:
                codes = (-1 if key in item.loose else world.known_code(key, item.labels.get(key)) for key in world.values)
                found.setdefault(tuple(codes), []).append(item)
        return found

    @cached_property
    def templates(self) -> list[Template]:
        """One workload of each sort."""
        return [group[0] for group in self.alike.values()][:MOST_SORTS]

    def find(self) -> list[Finding]:
        """Every way out, worst first: by what lets the packet through."""
        findings: list[Finding] = []
        self._other_protocols()
        blocked: list[Any] = []
        for certain in (True, False) if not self.question.networks else (True,):
            outside = self.algebra.value(All((self.source, self.question.outside(DST, certain=certain), self.free))).must
            verdict = Verdict.FAIL if certain else Verdict.NOT_PROVEN
            findings += self._search(outside, self.leaves.must, verdict, blocked)
        if not any(item.verdict is Verdict.FAIL for item in findings) and self.leaves.must is not self.leaves.may:
            outside = self.algebra.value(All((self.source, self.question.outside(DST, certain=False), self.free))).must
            findings += self._search(outside, self.leaves.may, Verdict.NOT_PROVEN, blocked, doubtful=True)
        return findings

    def _search(self, outside: Any, leaves: Any, verdict: Verdict, blocked: list[Any], *, doubtful: bool = False) -> Iterator[Finding]:
        for _ in range(MOST_FINDINGS):
            solver = self._solver(outside, leaves, *blocked)
            answer = solver.check()
            if answer == z3.unsat:
                return
            if answer != z3.sat:
                yield Finding("K8S-UNKNOWN", self.namespace, Verdict.NOT_PROVEN, "the solver did not decide within its time")
                return
            values = minimise(solver, self.algebra, self.cluster.world, self.templates)
            why = self._why(values)
            yield self._finding(values, why, verdict, doubtful=doubtful, leaves=leaves, outside=outside)
            if why.rule is None and doubtful:
                return  # a doubt about who is isolated: the gaps name what causes it
            blocked.append(z3.Not(self.algebra.value(why.formula).may))
        yield Finding("K8S-UNKNOWN", self.namespace, Verdict.NOT_PROVEN, f"more than {MOST_FINDINGS} ways out: mend these, then ask again")

    def _solver(self, *constraints: Any) -> Any:
        solver = z3.Solver()
        solver.set("timeout", TIMEOUT_MS)
        solver.add(*constraints, *self.question.domain(self.algebra))
        return solver

    def usable(self, item: Allowance) -> bool:
        """Whether some pod of the namespace can use an allowance."""
        wanted = self.algebra.value(All((self.source, equals(f"{DST}.{KIND}", ADDRESS), opening(item)))).must
        return bool(self._solver(wanted, self.together.may).check() == z3.sat)

    def unlayered(self) -> Iterator[Finding]:
        """A packet that no rule of the admin tier denies: one more network policy would let it out."""
        outside = self.algebra.value(All((self.source, self.question.outside(DST, certain=True), self.free))).must
        solver = self._solver(outside, z3.Not(self.algebra.value(self.decision.admin.deny).must))
        answer = solver.check()
        if answer == z3.unsat:
            return
        if answer != z3.sat:
            yield Finding("K8S-UNKNOWN", self.namespace, Verdict.NOT_PROVEN, "the solver did not decide within its time")
            return
        values = minimise(solver, self.algebra, self.cluster.world, self.templates)
        source, where = source_words(values, self.cluster.world, self.templates, self.namespace)
        shown = describe(values, self.cluster.world, self.templates, self.namespace)
        reason = (
            f"no ClusterNetworkPolicy denies it to {source}, though the region declares one: whoever writes a NetworkPolicy can open it"
        )
        path = (f"{source}{f' ({where})' if where else ''}", "no rule of tier Admin denies it", shown["destination"])
        change = "change: an Admin-tier ClusterNetworkPolicy whose subject selects the namespace, or the labels it selects by"
        yield Finding("EG-23", self.namespace, Verdict.FAIL, reason, shown, (*path, change))

    def asks_resolver(self) -> tuple[dict[str, int], Rule | None] | None:
        """A query to the cluster's resolver that may leave a pod, and the rule that lets it."""
        wanted = self.algebra.value(All((self.source, self.question.resolver()))).must
        solver = self._solver(wanted, self.leaves.may)
        if solver.check() != z3.sat:
            return None
        values = minimise(solver, self.algebra, self.cluster.world, self.templates)
        return values, self._why(values).rule

    def _other_protocols(self) -> None:
        """Note the assumption about ICMP where nothing but it keeps ICMP in."""
        value = self.algebra.value
        facts = All((self.source, self.question.outside(DST, certain=True), Not(one_of("protocol", tuple(PROTOCOLS.values())))))
        if self._solver(value(facts).must, z3.Not(value(self.decision.admin.deny).must)).check() != z3.unsat:
            self.rests.add(OTHER_PROTOCOLS)

    def _why(self, values: dict[str, int]) -> _Why:
        algebra = Concrete(values)
        denies = tuple(rule for rule, formula in self.decision.admin.rules if rule.action == "Deny" and algebra.value(formula).may)
        for rule, formula in self.decision.admin.rules:
            if rule.action == "Accept" and algebra.value(formula).may:
                return _Why(rule, formula, denies)
        if algebra.value(self.decision.isolated).must:
            for rule, formula in self.decision.rules:
                if algebra.value(formula).may:
                    return _Why(rule, formula, denies)
        return _Why(None, Not(self.decision.isolated), denies)

    def _finding(self, values: dict[str, int], why: _Why, verdict: Verdict, *, doubtful: bool, leaves: Any, outside: Any) -> Finding:
        world = self.cluster.world
        shown = describe(values, world, self.templates, self.namespace)
        who = self._affected(why, leaves, outside)
        source, where = source_words(values, world, self.templates, self.namespace)
        path = [f"{source}{f' ({where})' if where else ''}"]
        if why.rule is None:
            path.append(f"no NetworkPolicy with policyTypes Egress in namespace {self.namespace} selects it, so everything may leave it")
            change = f"add a NetworkPolicy to namespace {self.namespace}: podSelector {{}}, policyTypes [Ingress, Egress], no rules"
            cause, id = f"no egress policy of namespace {self.namespace} selects it, so {source} sends a packet", "K8S-UNSEALED"
        else:
            path.append(f"{why.rule} ({why.rule.policy.where}): {why.rule.says}")
            change = why.rule.policy.where
            cause, id = f"{why.rule} lets {source} send a packet", self._id(values, why.rule)
        if doubtful:
            algebra = Concrete(values)
            algebra.value(Either((self.decision.network_policy, self.decision.allowed)))
            reason = f"not decided for {source}: {'; '.join(sorted(algebra.reasons)) or 'a part the model cannot follow'}"
        elif verdict is Verdict.NOT_PROVEN:
            reason = f"{cause} to an address that may be inside or outside: no --segment or --region says which"
        elif why.layered:
            stop = why.layered[0]
            path.append(f"{stop} ({stop.policy.where}) {stop.says}: it alone still stops the packet")
            reason = f"{cause} outside the segment and its allowances, and a ClusterNetworkPolicy alone still stops it"
        else:
            reason = f"{cause} to a destination outside the segment and its allowances"
        if not why.layered:
            path.append("no ClusterNetworkPolicy denies it" if self.cluster.cluster_policies else "no ClusterNetworkPolicy is there")
        path += [shown["destination"], f"change: {change}"]
        if who:
            reason += f" (workloads: {', '.join(who)})"
        return Finding(id, self.namespace, verdict, reason, shown, tuple(path))

    def _id(self, values: dict[str, int], rule: Rule) -> str:
        algebra = Concrete(values)
        if values.get(f"{DST}.{KIND}") == ADDRESS and algebra.value(Either(tuple(in_network(DST, item) for item in METADATA))).must:
            return "EG-16"
        return "EG-28" if rule.ports is not None and all(item.low == item.high == 53 for item in rule.ports) else "EG-23"

    def _affected(self, why: _Why, leaves: Any, outside: Any) -> list[str]:
        """Listed workloads whose pods can do the same."""
        through = self.algebra.value(why.formula).may
        found: list[str] = []
        for group in list(self.alike.values())[:MOST_SORTS]:
            labels = labels_formula(self.cluster, SRC, group[0], self.algebra)
            if self._solver(outside, leaves, through, labels).check() == z3.sat:
                found += [str(item.owner) for item in group]
        more = len(found) - MOST_NAMES
        return [*found[:MOST_NAMES], f"and {more} more"] if more > 0 else found


def labels_formula(cluster: Cluster, side: str, template: Template, algebra: Symbolic) -> Any:
    """The pod on a side has a workload's labels; those that a controller chooses are left open."""
    facts = []
    for key in cluster.world.values:
        if key not in template.loose:
            code = cluster.world.known_code(key, (template.labels or {}).get(key))
            facts.append(algebra.variable(f"{side}.{LABEL}{key}") == code)
    return z3.And(*facts) if facts else z3.BoolVal(True)


def opening(item: Allowance) -> Formula:
    """The packets an allowance covers."""
    return All((in_network(DST, item.destination), equals("protocol", PROTOCOLS[item.protocol.upper()]), one_of("port", item.ports)))


__all__ = ["SYSTEM_NAMESPACES", "Leaks", "Question", "labels_formula", "opening"]
