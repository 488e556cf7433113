"""Names and addresses of the lab's cluster: its namespaces, its node, its networks."""

from __future__ import annotations

from ipaddress import IPv4Interface, IPv6Interface, ip_interface, ip_network
from typing import cast

NAMESPACE = "ct-kubernetes"
"""Where etcd, the API server and the node live; the API server on loopback alone, so that no pod reaches it."""
ROUTER, INTERNET, CRM = f"{NAMESPACE}-router", f"{NAMESPACE}-internet", f"{NAMESPACE}-crm"
NAMESPACES = (NAMESPACE, ROUTER, INTERNET, CRM)
UPLINK = "eth0"
ROUTER_PORT, CRM_PORT = "node0", "crm0"
NODE = "node-1"

NODE4, NODE6 = cast(IPv4Interface, ip_interface("10.240.0.2/24")), cast(IPv6Interface, ip_interface("fd00:240::2/64"))
ROUTER4, ROUTER6 = cast(IPv4Interface, ip_interface("10.240.0.1/24")), cast(IPv6Interface, ip_interface("fd00:240::1/64"))
CRM4, CRM_ROUTER4 = cast(IPv4Interface, ip_interface("10.63.0.2/24")), cast(IPv4Interface, ip_interface("10.63.0.1/24"))
"""The CRM's side: its first address is in the network that the region lets in."""
STRANGER4 = cast(IPv4Interface, ip_interface("10.64.0.2/32"))
"""Another address of the same machine, in a network that the region says nothing of."""
PODS6 = ip_network("fd00:244::/48")
"""What pods have beside the segment's IPv4 network, so that a way out by IPv6 is tried too."""
SERVICES4, SERVICES6 = ip_network("10.96.0.0/16"), ip_network("fd00:96::/112")
API_PORT, ETCD_PORT, ETCD_PEER_PORT, DOOR_PORT = 6443, 2379, 2380, 16443
KUBELET_PORT = 10250
