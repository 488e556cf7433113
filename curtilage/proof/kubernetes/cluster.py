"""ClusterNetworkPolicy (v1alpha2, v1beta1) and its elders AdminNetworkPolicy and BaselineAdminNetworkPolicy (v1alpha1).

Tiers Admin, then NetworkPolicy, then Baseline; in a tier by priority, in a policy by the order of rules; the first rule that speaks of a
packet decides: Accept, Deny, or Pass to the next tier. Where two policies of one priority speak of the same packet and disagree, the
implementation may choose: undecided. A peer that cannot be read is fail closed twice: the specification takes an Accept with one for
nothing and a Deny for everything, and the proof relies on neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from curtilage.proof.formula import FALSE, TRUE, All, Either, Formula, Not, Unknown
from curtilage.proof.kubernetes.objects import Manifest
from curtilage.proof.kubernetes.rules import PROTOCOLS, Peer, Port, Rule, port_name, port_number, read_network, unknown_keys
from curtilage.proof.kubernetes.select import Selector, World, is_pod, read_selector

Note = Callable[[str], None]
ADMIN, BASELINE = "Admin", "Baseline"
MOST_RULES, MOST_PRIORITY = 25, 1000
_ELDERS = {"AdminNetworkPolicy": ADMIN, "BaselineAdminNetworkPolicy": BASELINE}


@dataclass(frozen=True, eq=False)
class ClusterPolicy:
    """One policy of either tier."""

    manifest: Manifest
    tier: str
    priority: int
    namespaces: Selector
    pods: Selector
    rules: tuple[Rule, ...]
    doubt: str = ""

    def subject(self, world: World, side: str) -> Formula:
        """The end on a side is a pod that the policy is about; a host-networked one never is."""
        base = (is_pod(side), world.spaces(side, self.namespaces), world.pods(side, self.pods))
        return All((*base, Unknown(f"{self.manifest}: {self.doubt}"))) if self.doubt else All(base)

    def selectors(self) -> list[Selector]:
        """Every namespace selector in it."""
        return [self.namespaces, *(peer.namespaces for rule in self.rules for peer in rule.peers or () if peer.namespaces is not None)]


@dataclass(frozen=True)
class Tier:
    """What a tier makes of packets."""

    accept: Formula
    deny: Formula
    rules: tuple[tuple[Rule, Formula], ...]
    """Each rule with the packets it decides; for paths."""


def tier(world: World, policies: Iterable[ClusterPolicy], own: str, peer: str, destination: str, direction: str) -> Tier:
    """The decisions of one tier about packets of the pod on side ``own``."""
    accept: list[Formula] = []
    deny: list[Formula] = []
    told: list[tuple[Rule, Formula]] = []
    earlier: list[Formula] = []
    ordered = sorted(policies, key=lambda item: item.priority)
    for priority, group in groupby(ordered, key=lambda item: item.priority):
        decisions = [_decide(world, item, own, peer, destination, direction, told, tuple(earlier)) for item in group]
        open_ = Not(Either(tuple(earlier))) if earlier else TRUE
        for number, (accepts, denies, _) in enumerate(decisions):
            others = decisions[:number] + decisions[number + 1 :]
            tie = Unknown(f"policies of priority {priority} in one tier disagree, and which one counts is not defined")
            accept.append(All((open_, accepts, _unless(Either(tuple(part for item in others for part in item[1:])), tie))))
            deny.append(All((open_, denies, _unless(Either(tuple(part for item in others for part in (item[0], item[2]))), tie))))
        earlier += [part for item in decisions for part in item]
    return Tier(Either(tuple(accept)), Either(tuple(deny)), tuple(told))


def _unless(condition: Formula, doubt: Unknown) -> Formula:
    return TRUE if condition == FALSE else Either((Not(condition), doubt))


def _decide(
    world: World,
    policy: ClusterPolicy,
    own: str,
    peer: str,
    destination: str,
    direction: str,
    told: list[tuple[Rule, Formula]],
    earlier: tuple[Formula, ...],
) -> tuple[Formula, Formula, Formula]:
    subject = policy.subject(world, own)
    found: dict[str, list[Formula]] = {"Accept": [], "Deny": [], "Pass": []}
    before: list[Formula] = []
    for rule in policy.rules:
        if rule.direction != direction:
            continue
        speaks = rule.formula(world, peer, destination, None)
        first = All((subject, speaks, Not(Either(tuple(before))))) if before else All((subject, speaks))
        found[rule.action].append(first)
        told.append((rule, All((first, Not(Either(earlier)))) if earlier else first))
        before.append(speaks)
    return Either(tuple(found["Accept"])), Either(tuple(found["Deny"])), Either(tuple(found["Pass"]))


def read_cluster_policy(item: Manifest, gap: Callable[[Manifest, str], None]) -> ClusterPolicy:
    """The policy of an object; what is wrong with it goes to ``gap``."""
    doubts: list[str] = []

    def note(what: str) -> None:
        doubts.append(what)
        gap(item, what)

    elder = item.kind in _ELDERS
    spec = item.body.get("spec")
    if not isinstance(spec, dict):
        note("spec is not known, or no object")
        spec = {}
    known = ["subject", "ingress", "egress"]
    known += [] if item.kind == "BaselineAdminNetworkPolicy" else ["priority"]
    known += [] if elder else ["tier"]
    wrong = unknown_keys(spec, *known)
    if wrong:
        note(f"spec.{wrong} is no field of {item.kind} {item.version}")
    level = _ELDERS.get(item.kind) or spec.get("tier")
    if level not in (ADMIN, BASELINE):
        note("spec.tier is not known, or neither Admin nor Baseline")
        level = BASELINE
    priority = 0 if item.kind == "BaselineAdminNetworkPolicy" else spec.get("priority")
    if not isinstance(priority, int) or isinstance(priority, bool) or not 0 <= priority <= MOST_PRIORITY:
        note(f"spec.priority is not known, or not 0 to {MOST_PRIORITY}")
        priority = 0
    spaces, pods = _pods_of(spec.get("subject"), "spec.subject", note)
    actions = {"Allow": "Accept", "Deny": "Deny", "Pass": "Pass"} if elder else {"Accept": "Accept", "Deny": "Deny", "Pass": "Pass"}
    if item.kind == "BaselineAdminNetworkPolicy":
        del actions["Pass"]
    rules: list[Rule] = []
    for direction, peers in (("egress", "to"), ("ingress", "from")):
        listed = spec.get(direction)
        if listed is not None and (not isinstance(listed, list) or len(listed) > MOST_RULES):
            note(f"spec.{direction} is not known, no list, or longer than {MOST_RULES}")
            listed = listed if isinstance(listed, list) else [None]
        rules += [_rule(item, direction, number, rule, peers, actions, note) for number, rule in enumerate(listed or [])]
    return ClusterPolicy(item, str(level), priority, spaces, pods, tuple(rules), doubts[0] if doubts else "")


def _pods_of(value: Any, where: str, note: Note) -> tuple[Selector, Selector]:
    """``namespaces`` or ``pods`` of a subject or peer."""
    if isinstance(value, dict) and set(value) == {"namespaces"} and value["namespaces"] is not None:
        return read_selector(value["namespaces"], f"{where}.namespaces", note), Selector()
    if isinstance(value, dict) and set(value) == {"pods"} and isinstance(value["pods"], dict):
        both = value["pods"]
        wrong = unknown_keys(both, "namespaceSelector", "podSelector")
        if not wrong:
            return (
                read_selector(both.get("namespaceSelector"), f"{where}.pods.namespaceSelector", note),
                read_selector(both.get("podSelector"), f"{where}.pods.podSelector", note),
            )
    what = f"{where} is not known, or neither namespaces nor pods"
    note(what)
    return Selector(doubt=what), Selector(doubt=what)


def _rule(item: Manifest, direction: str, number: int, value: Any, peers: str, actions: dict[str, str], note: Note) -> Rule:
    where = f"spec.{direction}[{number}]"
    value = value if isinstance(value, dict) else {"action": None}
    wrong = unknown_keys(value, "name", "action", peers, "protocols", "ports")
    if wrong:
        note(f"{where}.{wrong} is no field of a rule")
    action = value.get("action")
    if not isinstance(action, str) or action not in actions:
        note(f"{where}.action is not known, or none of {', '.join(actions)}")
        # Of the three the one that proves least: nothing is denied by it, and it is in doubt as a whole.
        action = next(iter(actions))
    name = value.get("name") if isinstance(value.get("name"), str) else ""
    listed = value.get(peers)
    if not isinstance(listed, list) or not 1 <= len(listed) <= MOST_RULES:
        note(f"{where}.{peers} is not known, or not 1 to {MOST_RULES} peers")
        listed = [None]
    found = tuple(_peer(entry, f"{where}.{peers}[{index}]", direction, note) for index, entry in enumerate(listed))
    ports = _ports(value, where, note)
    if ports is not None and any(item.name for item in ports) and any(peer.networks for peer in found):
        note(f"{where} has a named port beside networks: the API refuses it")
    return Rule(item, direction, number, found, ports, actions[action], str(name or ""))


def _peer(value: Any, where: str, direction: str, note: Note) -> Peer:
    def doubtful(what: str) -> Peer:
        note(what)
        return Peer(doubt=what)

    if not isinstance(value, dict) or len(value) != 1:
        return doubtful(f"{where} is not known, or not one kind of peer")
    (key, found), *_ = value.items()
    if key in ("namespaces", "pods"):
        spaces, pods = _pods_of(value, where, note)
        return Peer(pods=pods, namespaces=spaces)
    if direction == "egress" and key == "networks" and isinstance(found, list) and 1 <= len(found) <= MOST_RULES:
        networks = [read_network(text) for text in found]
        if any(item is None for item in networks):
            return doubtful(f"{where}.networks has a value that is not known, or no network that every implementation reads alike")
        return Peer(networks=tuple(item for item in networks if item is not None))
    if direction == "egress" and key == "nodes":
        # Well formed, so the policy as a whole stands; which addresses nodes have is not in the manifests.
        return Peer(doubt=f"{where}.nodes stands for addresses that the manifests do not hold", addresses=True)
    if direction == "egress" and key == "domainNames":
        return Peer(doubt=f"{where}.domainNames stands for whatever addresses names resolve to", addresses=True)
    return doubtful(f"{where}.{key} is no peer that this model knows")


def _ports(value: dict[str, Any], where: str, note: Note) -> tuple[Port, ...] | None:
    found: list[Port] = []
    for key, read in (("protocols", _protocol), ("ports", _elder_port)):
        listed = value.get(key)
        if listed is None:
            continue
        if not isinstance(listed, list) or len(listed) > MOST_RULES or not listed:
            note(f"{where}.{key} is not known, or not 1 to {MOST_RULES} entries")
            listed = [None]
        for index, entry in enumerate(listed):
            port = read(entry)
            if port is None:
                port = Port(doubt=f"{where}.{key}[{index}] is not known, or none the API accepts")
                note(port.doubt)
            found.append(port)
    return tuple(found) or None


def _protocol(value: Any) -> Port | None:
    if not isinstance(value, dict) or len(value) != 1:
        return None
    (key, found), *_ = value.items()
    if key == "destinationNamedPort":
        name = port_name(found)
        return Port(name=name) if name else None
    protocol = str(key).upper()
    if protocol not in PROTOCOLS or key != protocol.lower():
        return None
    if found == {}:
        return Port(protocol=protocol)
    if not isinstance(found, dict) or set(found) != {"destinationPort"} or not isinstance(found["destinationPort"], dict):
        return None
    port = found["destinationPort"]
    if set(port) == {"number"}:
        number = port_number(port["number"])
        return Port(protocol=protocol, low=number, high=number) if number else None
    return _range(protocol, port["range"]) if set(port) == {"range"} and isinstance(port["range"], dict) else None


def _range(protocol: str, value: dict[str, Any]) -> Port | None:
    if unknown_keys(value, "start", "end"):
        return None
    low, high = port_number(value.get("start")), port_number(value.get("end"))
    return Port(protocol=protocol, low=low, high=high) if low and high and low <= high else None


def _elder_port(value: Any) -> Port | None:
    """v1alpha1's ``ports``, which early v1alpha2 kept."""
    if not isinstance(value, dict) or len(value) != 1:
        return None
    (key, found), *_ = value.items()
    if key == "namedPort":
        name = port_name(found)
        return Port(name=name) if name else None
    if not isinstance(found, dict):
        return None
    protocol = found.get("protocol", "TCP")
    if not isinstance(protocol, str) or protocol not in PROTOCOLS:
        return None
    if key == "portNumber" and not unknown_keys(found, "protocol", "port"):
        number = port_number(found.get("port"))
        return Port(protocol=str(protocol), low=number, high=number) if number else None
    if key == "portRange" and not unknown_keys(found, "protocol", "start", "end"):
        return _range(str(protocol), {key: number for key, number in found.items() if key != "protocol"})
    return None
