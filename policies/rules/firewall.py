"""A host's ruleset drops by default on every hook, and every host has one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from curtilage.canonical import digest_of
from policies.rules._rule import Resource, Rule

FIREWALL = "curtilage:hosts:EgressFirewall"
_BASE_CHAIN = re.compile(r"type\s+filter\s+hook\s+(?P<hook>\w+)(?P<rest>[^;]*);(?P<policy>[^\n]*)")
_TABLE = re.compile(r"^table\s+(?P<family>\w+)\s+\w+\s*\{", re.MULTILINE)
REQUIRED = {("inet", "input"), ("inet", "forward"), ("inet", "output"), ("netdev", "egress")}
_OPENINGS = ("policy accept", "flush ruleset", "type nat", "masquerade", "include ")


def _default_drop(props: Mapping[str, Any]) -> Iterator[str]:
    text = _without_comments(props["ruleset"])
    tables = [*_TABLE.finditer(text)]
    dropped: set[tuple[str, str]] = set()
    for chain in _BASE_CHAIN.finditer(text):
        family = next((table["family"] for table in reversed(tables) if table.start() < chain.start()), "")
        if re.fullmatch(r"\s*policy drop;\s*", chain["policy"]):
            dropped.add((family, chain["hook"]))
        else:
            yield f"The base chain on {family} {chain['hook']} must have policy drop."
    for family, hook in sorted(REQUIRED - dropped):
        yield f"The ruleset must have a base chain with policy drop on {family} {hook}."
    for opening in _OPENINGS:
        if opening in text:
            yield f"The ruleset must not contain '{opening.strip()}'."
    if props["rulesetDigest"] != digest_of(props["ruleset"]):
        yield "The ruleset's digest must be that of its text."


def _every_host_sealed(resources: list[Resource]) -> Iterator[str]:
    hosts = [name for item in resources if item.type == "curtilage:index:LegalRegion" for name in item.props["hosts"]]
    sealed = Counter(item.props["host"] for item in resources if item.type == FIREWALL)
    platforms = [item.props["platform"] for item in resources if item.type == "curtilage:index:LegalRegion"]
    if not platforms or (not hosts and "hosts" in platforms):
        yield "The stack must hold a region with hosts."
    for name in hosts:
        if sealed[name] != 1:
            yield f"Host {name} must have exactly one firewall, not {sealed[name]}."
    for name in sorted(set(sealed) - set(hosts)):
        yield f"Firewall of {name} must belong to a host of the region."


def _without_comments(text: str) -> str:
    """The text without comments and quoted strings, which could hold words that only look like rules."""
    return re.sub(r'"[^"\n]*"', '""', re.sub(r"(?m)#.*$", "", text))


RULES = (
    Rule(
        name="firewall-default-drop",
        description="A host's ruleset drops by default on input, forward, output and the uplink's egress.",
        resource_type=FIREWALL,
        check=_default_drop,
    ),
    Rule(name="every-host-sealed", description="Each host of the region has exactly one firewall.", stack_check=_every_host_sealed),
)
