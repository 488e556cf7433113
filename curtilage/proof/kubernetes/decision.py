"""Whether a packet may leave a pod, and enter one: the three tiers as formulas.

The sides of a flow are ``src`` and ``dst``. Each direction is decided at its own pod: egress at the source, ingress at the destination.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from curtilage.proof.formula import TRUE, All, Either, Formula, Not, Unknown, equals, one_of
from curtilage.proof.kubernetes.cluster import ADMIN, BASELINE, ClusterPolicy, Tier, tier
from curtilage.proof.kubernetes.objects import Manifest, Template
from curtilage.proof.kubernetes.policy import NetworkPolicy
from curtilage.proof.kubernetes.rules import PROTOCOLS, Rule
from curtilage.proof.kubernetes.select import NAMESPACE, World

SRC, DST = "src", "dst"
UNSPECIFIED = "what becomes of protocols other than TCP, UDP and SCTP of an isolated pod is left to the implementation"


@dataclass(eq=False)
class Cluster:
    """All that decides about packets."""

    world: World
    objects: tuple[Manifest, ...]
    templates: tuple[Template, ...]
    policies: tuple[NetworkPolicy, ...]
    cluster_policies: tuple[ClusterPolicy, ...]
    gaps: list[tuple[str, str, str, str]] = field(default_factory=list)
    """What was left open: id, what it is about, the words, where it was read."""

    @cached_property
    def by_namespace(self) -> dict[str, list[NetworkPolicy]]:
        """Network policies by the namespace they stand in."""
        found: dict[str, list[NetworkPolicy]] = {}
        for policy in self.policies:
            found.setdefault(policy.manifest.namespace, []).append(policy)
        return found

    @property
    def rules(self) -> Iterator[Rule]:
        """Every rule of every policy."""
        for policy in self.policies:
            yield from policy.rules
        for cluster_policy in self.cluster_policies:
            yield from cluster_policy.rules

    def gap(self, id: str, about: object, what: str, where: str) -> None:
        """Note what cannot be decided."""
        if (found := (id, str(about), what, where)) not in self.gaps:
            self.gaps.append(found)


@dataclass(frozen=True)
class Decision:
    """One direction, at the pods of one namespace."""

    admin: Tier
    isolated: Formula
    rules: tuple[tuple[Rule, Formula], ...]
    """Each rule of a network policy with the packets it allows."""
    baseline: Tier
    strict: bool

    @property
    def network_policy(self) -> Formula:
        """What network policies alone allow."""
        return Either((All((self.isolated, self._allowed)), Not(self.isolated)))

    @property
    def allowed(self) -> Formula:
        """What all tiers together allow."""
        free = All((Not(self.isolated), Not(self.baseline.deny)))
        inner = Either((All((self.isolated, self._allowed)), free))
        return Either((self.admin.accept, All((Not(self.admin.deny), inner))))

    @property
    def _allowed(self) -> Formula:
        rules = Either(tuple(formula for _, formula in self.rules))
        if not self.strict:
            return rules
        known = one_of("protocol", tuple(PROTOCOLS.values()))
        return Either((All((known, rules)), All((Not(known), Unknown(UNSPECIFIED)))))


def decide(cluster: Cluster, namespace: int | None, direction: str, *, strict: bool = False) -> Decision:
    """The decision about packets that leave (or enter) pods of a namespace.

    Args:
        cluster: policies and labels.
        namespace: the namespace of the deciding pod; None decides for any.
        direction: ``egress`` or ``ingress``.
        strict: other protocols than the three that the API names are undecided; otherwise they count as what most implementations do:
            dropped, unless a rule without ports speaks of them.
    """
    world = cluster.world
    own, peer = (SRC, DST) if direction == "egress" else (DST, SRC)
    isolated: list[Formula] = []
    rules: list[tuple[Rule, Formula]] = []
    here = None if namespace is None else world.namespaces[namespace].name
    for policy in cluster.policies if here is None else cluster.by_namespace.get(here, ()):
        space = world.named(policy.manifest.namespace)
        if space is None:
            continue
        selects = All((equals(f"{own}.{NAMESPACE}", space.code), policy.selects(world, own, direction)))
        isolated.append(selects)
        rules += [(rule, All((selects, rule.formula(world, peer, DST, space.code)))) for rule in policy.of(direction)]
    return Decision(
        admin=_tier(cluster, ADMIN, own, peer, direction),
        isolated=Either(tuple(isolated)),
        rules=tuple(rules),
        baseline=_tier(cluster, BASELINE, own, peer, direction),
        strict=strict,
    )


def _tier(cluster: Cluster, level: str, own: str, peer: str, direction: str) -> Tier:
    return tier(cluster.world, (item for item in cluster.cluster_policies if item.tier == level), own, peer, DST, direction)


def everything(parts: Iterable[Formula]) -> Formula:
    """The conjunction; of nothing, true."""
    found = tuple(parts)
    return All(found) if found else TRUE
