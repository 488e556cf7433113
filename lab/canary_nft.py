"""The internet namespace's own ruleset: every address and every port of both families ends at one of the canary's listeners.

A leak must *work*, or a broken path would look like a seal: whatever destination a packet names, it reaches a listener that answers. The
original destination is known from the connection (TCP) or from the sniffer's copy of the frame, which is taken before this rewriting.
"""

from __future__ import annotations

from lab.network_names import CANARY4, CANARY6, INTERNET_LINK

TCP_PORT, UDP_PORT, DNS_PORT, NTP_PORT = 10000, 10001, 10053, 10123


def ruleset() -> str:
    """The nftables text for the internet namespace."""
    return f"""\
table inet canary {{
    chain prerouting {{
        type nat hook prerouting priority dstnat; policy accept;
        iifname != "{INTERNET_LINK}" return
        meta l4proto tcp redirect to :{TCP_PORT}
        udp dport 53 redirect to :{DNS_PORT}
        udp dport 123 redirect to :{NTP_PORT}
        meta l4proto udp redirect to :{UDP_PORT}
        icmp type echo-request dnat ip to {CANARY4}
        icmpv6 type echo-request dnat ip6 to {CANARY6}
    }}
}}
"""
