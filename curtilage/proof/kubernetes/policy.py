"""NetworkPolicy v1, exactly as the API says (staging/src/k8s.io/api/networking/v1/types.go and the validation beside it).

Policies add up: what any of those that select a pod allows is allowed. A policy that cannot be read, or that the API server would refuse,
neither isolates for certain nor allows for certain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from curtilage.proof.formula import FALSE, All, Formula, Unknown
from curtilage.proof.kubernetes.objects import Manifest
from curtilage.proof.kubernetes.rules import PROTOCOLS, Peer, Port, Rule, port_name, port_number, read_network, unknown_keys
from curtilage.proof.kubernetes.select import Selector, World, is_pod, read_selector

DIRECTIONS = {"egress": ("Egress", "to"), "ingress": ("Ingress", "from")}


@dataclass(frozen=True, eq=False)
class NetworkPolicy:
    """One policy: whom it selects, which directions it isolates, what it lets through."""

    manifest: Manifest
    selector: Selector
    isolates: frozenset[str]
    rules: tuple[Rule, ...]
    doubt: str = ""

    def selects(self, world: World, side: str, direction: str) -> Formula:
        """The pod on a side is isolated by this policy, in a direction."""
        if self.doubt:
            # Also the direction may be what could not be read.
            return All((is_pod(side), Unknown(f"{self.manifest}: {self.doubt}")))
        if direction not in self.isolates:
            return FALSE
        return All((is_pod(side), world.pods(side, self.selector)))

    def of(self, direction: str) -> tuple[Rule, ...]:
        """Its rules in a direction that it isolates."""
        return tuple(item for item in self.rules if item.direction == direction and (self.doubt or direction in self.isolates))

    def selectors(self) -> list[Selector]:
        """Every namespace selector in it."""
        return [peer.namespaces for rule in self.rules for peer in rule.peers or () if peer.namespaces is not None]


def read_policy(item: Manifest, gap: Callable[[Manifest, str], None]) -> NetworkPolicy:
    """The policy of an object; what is wrong with it goes to ``gap``."""
    doubts: list[str] = []

    def note(what: str) -> None:
        doubts.append(what)
        gap(item, what)

    spec = item.body.get("spec")
    if spec is not None and not isinstance(spec, dict):
        note("spec is not known, or no object")
    found = spec if isinstance(spec, dict) else {}
    wrong = unknown_keys(found, "podSelector", "policyTypes", "ingress", "egress")
    if wrong:
        note(f"spec.{wrong} is no field of a NetworkPolicy: the API refuses it, or drops it and the policy means something else")
    selector = read_selector(found.get("podSelector"), "spec.podSelector", note)
    rules: list[Rule] = []
    present: dict[str, bool] = {}
    for direction, (_, peers) in DIRECTIONS.items():
        listed = found.get(direction)
        if listed is not None and not isinstance(listed, list):
            note(f"spec.{direction} is not known, or no list")
            listed = [None]
        present[direction] = bool(listed)
        rules += [_rule(item, direction, number, rule, peers, note) for number, rule in enumerate(listed or [])]
    isolates = _directions(found.get("policyTypes"), present, note)
    return NetworkPolicy(item, selector, isolates, tuple(rules), doubts[0] if doubts else "")


def _directions(value: Any, present: dict[str, bool], note: Callable[[str], None]) -> frozenset[str]:
    if value is not None and not isinstance(value, list):
        note("spec.policyTypes is not known, or no list")
        return frozenset(DIRECTIONS)
    if not value:
        # pkg/apis/networking/v1/defaults.go: Ingress always, Egress where there are egress rules.
        return frozenset({"ingress", *(["egress"] if present["egress"] else [])})
    names = {api: direction for direction, (api, _) in DIRECTIONS.items()}
    known = [text for text in value if isinstance(text, str) and text in names]
    if len(known) != len(value):
        note("spec.policyTypes has a value other than Ingress and Egress")
    return frozenset(names[text] for text in known)


def _rule(item: Manifest, direction: str, number: int, value: Any, peers: str, note: Callable[[str], None]) -> Rule:
    where = f"spec.{direction}[{number}]"
    if value is None:
        value = {}
    if not isinstance(value, dict):
        note(f"{where} is not known, or no rule")
        return Rule(item, direction, number, (Peer(doubt=f"{where} is not known"),), None)
    wrong = unknown_keys(value, peers, "ports")
    if wrong:
        note(f"{where}.{wrong} is no field of an {direction} rule")
    lists: dict[str, list[Any]] = {}
    for key in (peers, "ports"):
        listed = value.get(key)
        if listed is not None and not isinstance(listed, list):
            note(f"{where}.{key} is not known, or no list")
            listed = [object()]
        lists[key] = listed or []
    found = tuple(_peer(entry, f"{where}.{peers}[{index}]", note) for index, entry in enumerate(lists[peers]))
    ports = tuple(_port(entry, f"{where}.ports[{index}]", note) for index, entry in enumerate(lists["ports"]))
    # An empty list is the same as none: every peer, every port.
    return Rule(item, direction, number, found or None, ports or None)


def _peer(value: Any, where: str, note: Callable[[str], None]) -> Peer:
    def doubtful(what: str) -> Peer:
        note(what)
        return Peer(doubt=what)

    if not isinstance(value, dict) or unknown_keys(value, "podSelector", "namespaceSelector", "ipBlock"):
        return doubtful(f"{where} is not known, or no peer of a NetworkPolicy")
    given = {key: entry for key, entry in value.items() if entry is not None}
    if not given:
        return doubtful(f"{where} names nothing: the API refuses it")
    if "ipBlock" in given:
        if len(given) > 1:
            return doubtful(f"{where} has ipBlock beside a selector: the API refuses it")
        return _block(given["ipBlock"], where, doubtful)
    pods = read_selector(given["podSelector"], f"{where}.podSelector", note) if "podSelector" in given else None
    spaces = read_selector(given["namespaceSelector"], f"{where}.namespaceSelector", note) if "namespaceSelector" in given else None
    return Peer(pods=pods, namespaces=spaces)


def _block(value: Any, where: str, doubtful: Callable[[str], Peer]) -> Peer:
    if not isinstance(value, dict) or unknown_keys(value, "cidr", "except"):
        return doubtful(f"{where}.ipBlock is not known, or no block")
    network, excepted = read_network(value.get("cidr")), value.get("except")
    if network is None:
        return doubtful(f"{where}.ipBlock.cidr is not known, or no network that every implementation reads alike")
    if excepted is not None and not isinstance(excepted, list):
        return doubtful(f"{where}.ipBlock.except is not known, or no list")
    out = [read_network(text) for text in excepted or []]
    if any(item is None or item.version != network.version or item == network or not item.subnet_of(network) for item in out):  # type: ignore[arg-type]
        return doubtful(f"{where}.ipBlock.except has a value that is not known, or no network inside the block")
    return Peer(networks=(network,), excepted=tuple(item for item in out if item is not None))


def _port(value: Any, where: str, note: Callable[[str], None]) -> Port:
    def doubtful(what: str) -> Port:
        note(what)
        return Port(doubt=what)

    if value is None:
        value = {}
    if not isinstance(value, dict) or unknown_keys(value, "protocol", "port", "endPort"):
        return doubtful(f"{where} is not known, or no port of a NetworkPolicy")
    protocol, port, end = value.get("protocol"), value.get("port"), value.get("endPort")
    protocol = "TCP" if protocol is None else protocol
    if not isinstance(protocol, str) or protocol not in PROTOCOLS:
        return doubtful(f"{where}.protocol is not known, or none of TCP, UDP, SCTP")
    base = Port(protocol=str(protocol))
    if port is None:
        return base if end is None else doubtful(f"{where}.endPort without port: the API refuses it")
    name, low = port_name(port), port_number(port)
    if name is not None:
        return replace(base, name=name) if end is None else doubtful(f"{where}.endPort beside a named port: the API refuses it")
    high = low if end is None else port_number(end)
    if low is None or high is None or high < low:
        return doubtful(f"{where} is not known, or no range of ports")
    return replace(base, low=low, high=high)
