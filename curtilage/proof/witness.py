"""Makes a solver's packet one that a person would have written: as ordinary as the ruleset allows."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Any

import z3

from curtilage.proof.allowed import Allowed
from curtilage.proof.fields import CT_NEW, CT_STATES, ETHERTYPE, L4, WITH_PORTS
from curtilage.proof.formula import Symbolic

if TYPE_CHECKING:
    from curtilage.proof.decide import Model

SYN, ACK = 2, 16
EXPERIMENTAL = 0x88B5
"""IEEE 802 local experimental EtherType."""
OUTSIDE = ("198.51.100.10", "203.0.113.10", "2001:db8:f::10")
"""Documentation addresses that stand for the internet."""
PROTOCOL_NAMES = {number: name for name, number in L4.items()}
STATE_NAMES = {number: name for name, number in CT_STATES.items()}


@dataclass(frozen=True)
class Witness:
    """A packet by its fields; ``solved`` is False where the solver gave up."""

    values: dict[str, int]
    solved: bool = True


def minimise(solver: z3.Solver, algebra: Symbolic, allowed: Allowed, model: Model, start: str) -> Witness:
    """Keep each ordinary trait that still leaves a packet."""
    var = algebra.variable
    inner, outer = ("daddr", "saddr") if start == "input" else ("saddr", "daddr")
    wishes: list[Any] = [
        var("protocol") == var("wire"),
        var("parsed") == 1,
        z3.Or(*(var("wire") == value for value in ETHERTYPE.values()), var("wire") == EXPERIMENTAL),
        var("fragment") == 0,
        var("ct.state") == CT_NEW,
        var("l4proto") == L4["tcp"],
        z3.Or(*(var("l4proto") == number for number in WITH_PORTS)),
        var("l4proto") == L4["udp"],
        z3.Or(var("l4proto") == L4["icmp"], var("l4proto") == L4["icmpv6"]),
        var("ip6.nexthdr") == var("l4proto"),
        *(_at(algebra, outer, address) for address in OUTSIDE),
        *(_at(algebra, inner, address) for address in allowed.sources),
        *(
            z3.Implies(var("wire") == ETHERTYPE["ip" if item.version == 4 else "ip6"], _inside(algebra, item, inner))
            for item in allowed.networks
        ),
        *(_at(algebra, inner, str(item[10])) for item in allowed.networks if item.num_addresses > 16),
        *(var("dport") == port for port in (443, 53, 80)),
        var("sport") == 40000,
        var("ct.direction") == 0,
        z3.Or(var("tcp.flags") == SYN, var("tcp.flags") == ACK),
        var("tcp.flags") == SYN,
        var("icmp.type") == 8,
        var("icmpv6.type") == 128,
        var("icmp.code") == 0,
        var("icmpv6.code") == 0,
        var("ip.ttl") == 64,
        var("ip6.hoplimit") == 64,
        var("meta.mark") == 0,
        var("meta.skuid") == 0,
        var("oif") == model.interfaces.index(model.uplinks[0]) + 1,
    ]
    solver.check()
    best = solver.model()
    for wish in wishes:
        if z3.is_true(best.eval(wish, model_completion=False)):
            solver.add(wish)
            continue
        solver.push()
        solver.add(wish)
        if solver.check() == z3.sat:
            best = solver.model()
        else:
            solver.pop()
    for name in ("ip.saddr", "ip.daddr", "ip6.saddr", "ip6.daddr"):
        best = _lowest(solver, var(name), best)
    return Witness({name: best.eval(variable, model_completion=True).as_long() for name, variable in algebra.variables.items()})


def _lowest(solver: z3.Solver, value: Any, best: Any) -> Any:
    """Fix an address to the lowest that still leaves a packet: what is left open differs from run to run."""
    for bit in reversed(range(value.size())):
        clear = z3.Extract(bit, bit, value) == 0
        if not z3.is_true(best.eval(clear, model_completion=True)):
            solver.push()
            solver.add(clear)
            if solver.check() != z3.sat:
                solver.pop()
                continue
            best = solver.model()
        else:
            solver.add(clear)
    return best


def describe(values: dict[str, int]) -> dict[str, Any]:
    """The counterexample of the contract."""
    wire, protocol = values.get("wire", 0), values.get("l4proto", 0)
    if wire not in (ETHERTYPE["ip"], ETHERTYPE["ip6"]):
        return {"family": f"ethertype 0x{wire:04x}", "protocol": None, "source": None, "destination": None, "port": None}
    family, kind = ("ipv4", "ip") if wire == ETHERTYPE["ip"] else ("ipv6", "ip6")
    make = IPv4Address if kind == "ip" else IPv6Address
    shown: dict[str, Any] = {
        "family": family,
        "protocol": PROTOCOL_NAMES.get(protocol, str(protocol)),
        "source": str(make(values.get(f"{kind}.saddr", 0))),
        "destination": str(make(values.get(f"{kind}.daddr", 0))),
        "port": values.get("dport", 0) if protocol in WITH_PORTS else None,
        "state": STATE_NAMES.get(values.get("ct.state", CT_NEW), "new"),
    }
    if values.get("protocol", wire) != wire:
        shown["claimed"] = f"0x{values['protocol']:04x}"
    elif not values.get("parsed", 1):
        shown["malformed"] = "its header is not of its family, so no rule sees a transport protocol"
    if protocol == L4["icmp"] or protocol == L4["icmpv6"]:
        shown["icmp_type"] = values.get("icmp.type" if protocol == L4["icmp"] else "icmpv6.type", 0)
    if values.get("fragment"):
        shown["fragment"] = True
    return shown


def _at(algebra: Symbolic, side: str, text: str) -> Any:
    address = ip_address(text)
    family = "ip" if address.version == 4 else "ip6"
    return z3.Implies(algebra.variable("wire") == ETHERTYPE[family], algebra.variable(f"{family}.{side}") == int(address))


def _inside(algebra: Symbolic, network: Any, side: str) -> Any:
    source = algebra.variable(f"{'ip' if network.version == 4 else 'ip6'}.{side}")
    return z3.And(z3.UGE(source, int(network.network_address)), z3.ULE(source, int(network.broadcast_address)))
