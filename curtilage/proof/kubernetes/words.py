"""A solver's flow in words, and as ordinary as the policies allow: listed workloads, documentation addresses, port 443."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import z3

from curtilage.proof.formula import Symbolic
from curtilage.proof.kubernetes.objects import Template
from curtilage.proof.kubernetes.select import ABSENT, ADDRESS, KIND, LABEL, NAMESPACE, OTHER, POD, World

PROTOCOL_NAMES = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6", 132: "sctp"}
OUTSIDE = ("198.51.100.10", "2001:db8:f::10", "169.254.169.254", "10.0.0.10", "fd00::10")


class Widths(dict[str, int]):
    """Bits of each field, by its name's shape."""

    def get(self, name: str, default: Any = None) -> Any:
        """The width."""
        what = name.partition(".")[2] or name
        fixed = {"version": 4, "protocol": 8, "port": 16, KIND: 2, NAMESPACE: 16, "ip4": 32, "ip6": 128}
        return fixed.get(what) or (1 if what.startswith("named:") else 16)


def minimise(solver: Any, algebra: Symbolic, world: World, templates: list[Template], own: str = "src") -> dict[str, int]:
    """Keep each ordinary trait that still leaves a flow."""
    peer = "dst" if own == "src" else "src"
    var = algebra.variable
    wishes = [_labelled(algebra, world, own, item) for item in templates if item.labels is not None]
    wishes += [var(name) == ABSENT for name in sorted(algebra.variables) if name.startswith(f"{own}.{LABEL}")]
    wishes += [var(f"{peer}.{KIND}") == ADDRESS, var("version") == 4]
    wishes += [
        z3.And(var("version") == ip_address(text).version, var(f"{peer}.ip{ip_address(text).version}") == int(ip_address(text)))
        for text in OUTSIDE
    ]
    wishes += [var("protocol") == number for number in (6, 17, 132)]
    wishes += [var("port") == number for number in (443, 53, 80, 8080, 0)]
    ordinary = [item.code for item in world.namespaces if item.name.startswith("another-namespace")]
    wishes += [var(f"{peer}.{NAMESPACE}") == code for code in ordinary]
    wishes += [var(name) == ABSENT for name in sorted(algebra.variables) if name.startswith(f"{peer}.{LABEL}")]
    solver.check()
    best = solver.model()
    chosen, sources = False, sum(item.labels is not None for item in templates)
    for number, wish in enumerate(wishes):
        if number < sources and chosen:
            continue
        solver.push()
        solver.add(wish)
        if solver.check() == z3.sat:
            best, chosen = solver.model(), True
        else:
            solver.pop()
    return {name: best.eval(variable, model_completion=True).as_long() for name, variable in algebra.variables.items()}


def _labelled(algebra: Symbolic, world: World, side: str, item: Template) -> Any:
    keys = [key for key in world.values if key not in item.loose]
    return z3.And(*(algebra.variable(f"{side}.{LABEL}{key}") == world.known_code(key, (item.labels or {}).get(key)) for key in keys), True)


def labels_of(values: dict[str, int], world: World, side: str) -> dict[str, str]:
    """A pod's labels, as far as selectors ask for them."""
    found = {}
    for key, known in world.values.items():
        code = values.get(f"{side}.{LABEL}{key}", ABSENT)
        if code == OTHER:
            found[key] = "(any other)"
        elif code != ABSENT:
            found[key] = next((text for text, number in known.items() if number == code), "(any other)")
    return found


def pod_words(values: dict[str, int], world: World, side: str) -> str:
    """A pod nobody wrote yet."""
    labels = labels_of(values, world, side)
    shown = ", ".join(f"{key}={value}" for key, value in sorted(labels.items()))
    code = values.get(f"{side}.{NAMESPACE}", 0)
    space = world.namespaces[code].name if code < len(world.namespaces) else "(not known)"
    return f"a pod {f'labelled {shown}' if shown else 'without labels that a policy names'} in namespace {space}"


def source_words(values: dict[str, int], world: World, templates: list[Template], namespace: str, side: str = "src") -> tuple[str, str]:
    """Who sends: a listed workload where its labels fit, else the pod that one could write."""
    for item in templates:
        if item.labels is None:
            continue
        keys = [key for key in world.values if key not in item.loose]
        if all(values.get(f"{side}.{LABEL}{key}", ABSENT) == world.known_code(key, item.labels.get(key)) for key in keys):
            return str(item.owner), item.owner.where
    return pod_words({**values, f"{side}.{NAMESPACE}": world.named(namespace).code}, world, side), ""  # type: ignore[union-attr]


def address_of(values: dict[str, int], side: str) -> str:
    """The address of an end."""
    version = values.get("version", 4)
    number = values.get(f"{side}.ip{version}", 0)
    return str(IPv4Address(number) if version == 4 else IPv6Address(number))


def describe(values: dict[str, int], world: World, templates: list[Template], namespace: str, own: str = "src") -> dict[str, Any]:
    """The counterexample of the contract."""
    peer = "dst" if own == "src" else "src"
    mine, _ = source_words(values, world, templates, namespace, own)
    other = pod_words(values, world, peer) if values.get(f"{peer}.{KIND}") == POD else address_of(values, peer)
    protocol = values.get("protocol", 6)
    return {
        "family": f"ipv{values.get('version', 4)}",
        "protocol": PROTOCOL_NAMES.get(protocol, str(protocol)),
        "source": mine if own == "src" else other,
        "destination": other if own == "src" else mine,
        "port": values.get("port", 0) if protocol in (6, 17, 132) else None,
    }
