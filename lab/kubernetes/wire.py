"""The cluster's wire: the node, an open router, the CRM's side, and behind the router the lab's internet with its canaries.

As in the hosts' lab, the router stops nothing, so that only the region's own policies can; and no end of any link is ever in the root
namespace.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from lab.kubernetes import names
from lab.network import add, batch, open_way_out, sysctl
from lab.processes import kill_pids
from lab.shell import run


def create(pods: IPv4Network) -> None:
    """Make the namespaces and links; what a failure leaves, `remove` removes."""
    for namespace in names.NAMESPACES:
        add(namespace)
    batch(names.NAMESPACE, ["link set lo up"])
    batch(
        names.ROUTER,
        [
            "link set lo up",
            f"link add {names.ROUTER_PORT} type veth peer name {names.UPLINK} netns {names.NAMESPACE}",
            f"address add {names.ROUTER4} dev {names.ROUTER_PORT}",
            f"address add {names.ROUTER6} dev {names.ROUTER_PORT} nodad",
            f"link set {names.ROUTER_PORT} promisc on up",
        ],
    )
    sysctl(names.NAMESPACE, ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"])
    batch(
        names.NAMESPACE,
        [
            f"address add {names.NODE4} dev {names.UPLINK}",
            f"address add {names.NODE6} dev {names.UPLINK} nodad",
            f"link set {names.UPLINK} up",
            f"route add default via {names.ROUTER4.ip}",
            f"route add ::/0 via {names.ROUTER6.ip} dev {names.UPLINK}",
        ],
    )
    networks: list[IPv4Network | IPv6Network] = [names.NODE4.network, names.NODE6.network, pods, names.PODS6]
    open_way_out(names.ROUTER, names.INTERNET, behind=networks)
    batch(names.ROUTER, [f"route add {pods} via {names.NODE4.ip}", f"route add {names.PODS6} via {names.NODE6.ip} dev {names.ROUTER_PORT}"])
    batch(
        names.ROUTER,
        [
            f"link add {names.CRM_PORT} type veth peer name {names.UPLINK} netns {names.CRM}",
            f"address add {names.CRM_ROUTER4} dev {names.CRM_PORT}",
            f"link set {names.CRM_PORT} up",
            f"route add {names.STRANGER4} dev {names.CRM_PORT}",
        ],
    )
    batch(
        names.CRM,
        [
            "link set lo up",
            *(f"address add {address} dev {names.UPLINK}" for address in (names.CRM4, names.STRANGER4)),
            f"link set {names.UPLINK} up",
            f"route add default via {names.CRM_ROUTER4.ip}",
        ],
    )


def existing() -> list[str]:
    """The cluster's namespaces that are there now."""
    return [name for name in names.NAMESPACES if Path(f"/run/netns/{name}").exists()]


def remove() -> None:
    """Remove what is there; a process whose line was lost in a crash is found by where it lives."""
    for name in existing():
        kill_pids([int(pid) for pid in run(["ip", "netns", "pids", name], step="cluster").split()])
        run(["ip", "netns", "delete", name], step="cluster")
