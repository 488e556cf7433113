"""Names and addresses of the wire that the canaries need too; standard library only, because they run without our dependencies."""

from __future__ import annotations

PREFIX = "curtilage-"
EDGE = PREFIX + "edge"
INTERNET = PREFIX + "internet"
OPS = PREFIX + "ops"
BRIDGE = "legal0"
UPLINK = "host0"  # the one name a host knows its uplink by; rulesets name it
EDGE_WAN = "wan0"
INTERNET_LINK = "edge0"

# The transfer link between edge and internet. The canary's own address is where the name server answers and what every name resolves to.
WAN_EDGE4, WAN_INTERNET4 = "198.51.100.254", "198.51.100.1"
WAN_EDGE6, WAN_INTERNET6 = "fe80::1", "fe80::2"
CANARY4, CANARY6 = WAN_INTERNET4, "2001:db8:f::1"
