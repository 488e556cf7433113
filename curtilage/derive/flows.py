"""Every packet a region's hosts may exchange, derived from their roles.

The ruleset of a host, the proof and the probes all ask this module, so a flow exists once. It deliberately knows no destination outside
the segments: those are allowances, and only :mod:`curtilage.allowance` may name them.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Literal

from curtilage.allowance import Role
from curtilage.region import Host, Operator, Region

Protocol = Literal["tcp", "udp"]


@dataclass(frozen=True, kw_only=True, order=True)
class Flow:
    """One allowed conversation: a client's packets to a server's port, and their replies."""

    name: str
    client: str
    server: str
    protocol: Protocol
    port: int


@dataclass(frozen=True, kw_only=True, order=True)
class Service:
    """A port of one role that other roles may call; ``clients`` None means every host."""

    name: str
    server: Role
    protocol: Protocol
    port: int
    clients: tuple[Role, ...] | None


SERVICES: tuple[Service, ...] = (
    Service(
        name="answers",
        server=Role.GATEWAY,
        protocol="tcp",
        port=443,
        clients=(Role.CRM,),
    ),
    Service(
        name="checkpoints",
        server=Role.EVIDENCE,
        protocol="tcp",
        port=8443,
        clients=(Role.GATEWAY,),
    ),
    Service(
        name="inference",
        server=Role.GPU,
        protocol="tcp",
        port=8000,
        clients=(Role.GATEWAY,),
    ),
    Service(name="names", server=Role.GATEWAY, protocol="tcp", port=53, clients=None),
    Service(name="names", server=Role.GATEWAY, protocol="udp", port=53, clients=None),
    Service(name="time", server=Role.EVIDENCE, protocol="udp", port=123, clients=None),
)
METRICS_PORT = 9100
SSH_PORT = 22
INFERENCE_PORT = 8000


def flows(region: Region) -> tuple[Flow, ...]:
    """Every flow of the region, sorted. A host talks to itself over loopback, so such flows are not listed."""
    found: set[Flow] = set()
    for service in SERVICES:
        for server in region.hosts_by_role(service.server):
            found |= {
                Flow(
                    name=service.name,
                    client=client.name,
                    server=server.name,
                    protocol=service.protocol,
                    port=service.port,
                )
                for client in region.hosts
                if client.name != server.name and (service.clients is None or client.role in service.clients)
            }
    for host in region.hosts:
        for collector in region.hosts_by_role(Role.EVIDENCE):
            if collector.name != host.name:
                found.add(
                    Flow(
                        name="metrics",
                        client=collector.name,
                        server=host.name,
                        protocol="tcp",
                        port=METRICS_PORT,
                    )
                )
        for operator in region.operators:
            found.add(
                Flow(
                    name="operators",
                    client=operator.name,
                    server=host.name,
                    protocol="tcp",
                    port=SSH_PORT,
                )
            )
    return tuple(sorted(found))


def machine(region: Region, name: str) -> Host | Operator:
    """The host or operator with a name; KeyError when the region has none."""
    machines: list[Host | Operator] = [*region.hosts, *region.operators]
    for candidate in machines:
        if candidate.name == name:
            return candidate
    raise KeyError(name)


def address(of: Host | Operator, version: int) -> IPv4Address | IPv6Address | None:
    """A machine's address of one family, None where its segment has no IPv6."""
    return of.ipv4 if version == 4 else of.ipv6
