"""A ruleset as the model sees it, read from the kernel's own JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curtilage.errors import ConfigError
from curtilage.proof.kernel import Loaded

Key = tuple[str, str]
"""Family and table."""

MODELLED_FAMILIES = ("inet", "ip", "ip6", "netdev", "arp", "bridge")


@dataclass(frozen=True)
class Rule:
    """A rule: its statements as the kernel lists them."""

    handle: int
    text: str
    statements: tuple[Mapping[str, Any], ...]
    by_wire: bool = False
    """Its IP header matches depend on the EtherType in the frame, and not on what the kernel takes the packet for."""


@dataclass(frozen=True)
class Chain:
    """A chain; ``hook`` is None for one that is only jumped to."""

    family: str
    table: str
    name: str
    kind: str | None
    hook: str | None
    priority: int
    policy: str
    devices: tuple[str, ...]
    rules: tuple[Rule, ...]

    @property
    def title(self) -> str:
        """How reports name it."""
        return f"{self.family} {self.table} {self.name}"


TRACKING_PRIORITY = -200
"""Where the kernel looks a packet's connection up: NF_IP_PRI_CONNTRACK."""


@dataclass(frozen=True)
class Stage:
    """Where on its way a packet meets a chain: the hook, and what the base chain there is."""

    hook: str
    tracked: bool = True
    """Connection tracking has seen the packet; before, its state reads as invalid whatever it will be."""
    kind: str | None = None

    @classmethod
    def of(cls, hook: str, chain: Chain) -> Stage:
        """The stage of a base chain."""
        early = hook == "ingress" or (hook in ("prerouting", "output") and chain.priority <= TRACKING_PRIORITY)
        return cls(hook, not early, chain.kind)


@dataclass(frozen=True)
class Collection:
    """A named set or map. One that can change by itself, by packets or by time, has no contents the model could trust."""

    name: str
    types: tuple[str, ...]
    elements: tuple[Any, ...]
    changes: bool


@dataclass(frozen=True)
class Ruleset:
    """Everything the model reads, in the order in which hooks run it."""

    chains: Mapping[tuple[str, str, str], Chain]
    collections: Mapping[tuple[str, str, str], Collection]
    interfaces: tuple[str, ...]
    sets_mark: bool

    def base_chains(self, hook: str) -> list[Chain]:
        """Base chains of a hook by priority."""
        return sorted((chain for chain in self.chains.values() if chain.hook == hook), key=lambda chain: chain.priority)

    @property
    def egress_devices(self) -> tuple[str, ...]:
        """Links with a netdev egress chain."""
        return tuple(sorted({device for chain in self.base_chains("egress") for device in chain.devices}))

    @property
    def hooks(self) -> tuple[str, ...]:
        """What is registered, as ``family hook``; for the report."""
        return tuple(sorted({f"{chain.family} {chain.hook}" for chain in self.chains.values() if chain.hook}))


def read(loaded: Loaded) -> Ruleset:
    """Read what the kernel listed."""
    texts, devices, dormant = _listing(loaded.listing)
    hidden = _hidden(loaded.code)
    rules: dict[tuple[str, str, str], list[Rule]] = {}
    sets_mark, updated = False, set()
    for document in _kind(loaded, "rule"):
        place = (document["family"], document["table"], document["chain"])
        statements = tuple(document.get("expr", ()))
        sets_mark |= any("mark" in str(item.get("mangle", {}).get("key", "")) for item in statements if isinstance(item, dict))
        updated |= {(*place[:2], name) for name in _updates(statements)}
        text = texts.get((*place, document["handle"]), "")
        ethertype = hidden.get((*place, document["handle"]))
        if ethertype is not None and "'ll'" not in str(statements) and "'ether'" not in str(statements):
            guard = {"match": {"op": "==", "left": {"payload": {"base": "ll", "offset": 96, "len": 16}}, "right": ethertype}}
            rules.setdefault(place, []).append(Rule(document["handle"], text, (guard, *statements), by_wire=True))
        else:
            rules.setdefault(place, []).append(Rule(document["handle"], text, statements))
    chains: dict[tuple[str, str, str], Chain] = {}
    for document in _kind(loaded, "chain"):
        place = (document["family"], document["table"], document["name"])
        if document["family"] not in MODELLED_FAMILIES:
            raise ConfigError(
                f"table family '{document['family']}'", rule=f"the model knows {', '.join(MODELLED_FAMILIES)}", fix="report it"
            )
        declared = document.get("dev", ())
        chains[place] = Chain(
            family=document["family"],
            table=document["table"],
            name=document["name"],
            kind=document.get("type"),
            hook=None if place[:2] in dormant else document.get("hook"),
            priority=int(document.get("prio", 0)),
            policy=document.get("policy", "accept"),
            devices=tuple([declared] if isinstance(declared, str) else declared) or devices.get(place, ()),
            rules=tuple(rules.get(place, ())),
        )
    collections: dict[tuple[str, str, str], Collection] = {}
    for kind in ("set", "map"):
        for document in _kind(loaded, kind):
            place = (document["family"], document["table"], document["name"])
            types = document["type"]
            changes = (
                place in updated
                or "dynamic" in document.get("flags", ())
                or "timeout" in document.get("flags", ())
                or "timeout" in document
            )
            collections[place] = Collection(
                document["name"], tuple([types] if isinstance(types, str) else types), tuple(document.get("elem", ())), changes
            )
    return Ruleset(chains, collections, _interfaces(loaded, chains.values()), sets_mark)


def _kind(loaded: Loaded, kind: str) -> Iterable[dict[str, Any]]:
    return (item[kind] for item in loaded.objects if kind in item)


def _updates(statements: Iterable[Any]) -> Iterable[str]:
    for statement in statements:
        for kind in ("set", "map"):
            if isinstance(statement, dict) and isinstance(statement.get(kind), dict) and isinstance(statement[kind].get(kind), str):
                yield statement[kind][kind].removeprefix("@")


_TABLE = re.compile(r"^table (\S+) (\S+) \{")
_CHAIN = re.compile(r"^\tchain (\S+) \{")
_RULE = re.compile(r"^\t\t(.*) # handle (\d+)$")
_LINK = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,14}$")
_LINK_KEY = re.compile(r"'[io]if(name)?'")
UNNAMED_LINK = "uplink"
_LINK_TYPES = ("ifname", "iface_index")
_DORMANT = re.compile(r"^\tflags .*\bdormant\b")
_DEVICE = re.compile(r"\bdevices? (?:= )?(\{[^}]*\}|\S+)")


def _listing(text: str) -> tuple[dict[tuple[str, str, str, int], str], dict[tuple[str, str, str], tuple[str, ...]], set[Key]]:
    """Rule texts by handle; the devices of base chains and the tables whose chains no hook runs, which this JSON leaves out."""
    texts: dict[tuple[str, str, str, int], str] = {}
    devices: dict[tuple[str, str, str], tuple[str, ...]] = {}
    dormant: set[Key] = set()
    table, chain, pending = ("", ""), "", ""
    for line in text.splitlines():
        if found := _TABLE.match(line):
            table = (found[1], found[2])
        elif _DORMANT.match(line):
            dormant.add(table)
        elif found := _CHAIN.match(line):
            chain, pending = found[1], ""
        elif chain and line.strip().startswith("type ") and " hook " in line:
            if named := _DEVICE.search(line):
                devices[*table, chain] = tuple(re.findall(r"[^\s\",{}]+", named[1]))
        elif line == "\t}":
            chain = ""
        elif chain:
            # A long anonymous set is broken over lines; the handle stands on the last.
            pending = f"{pending} {line.strip()}".strip()
            if found := _RULE.match(f"\t\t{pending}"):
                texts[*table, chain, int(found[2])] = found[1]
                pending = ""
    return texts, devices, dormant


_RULE_CODE = re.compile(r"^(\S+) (\S+) (\S+) (\d+)(?: \d+)?\s*$")
_ETHERTYPE_LOAD = re.compile(r"payload load 2b @ link header \+ 12 => reg (\d+)")
_COMPARISON = re.compile(r"cmp eq reg (\d+) 0x([0-9a-f]{8})")


def _hidden(code: str) -> dict[tuple[str, str, str, int], int]:
    """EtherType checks by rule. ``ether type ip ip daddr X`` is listed, in text and in JSON, like ``ip daddr X``, which is another rule."""
    found: dict[tuple[str, str, str, int], int] = {}
    place: tuple[str, str, str, int] | None = None
    register = ""
    for line in code.splitlines():
        if start := _RULE_CODE.match(line):
            place, register = (start[1], start[2], start[3], int(start[4])), ""
        elif load := _ETHERTYPE_LOAD.search(line):
            register = load[1]
        elif register and place and (comparison := _COMPARISON.search(line)):
            if comparison[1] == register:
                found[place] = int.from_bytes(bytes.fromhex(comparison[2])[:1:-1], "big")
            register = ""
    return found


def _interfaces(loaded: Loaded, chains: Iterable[Chain]) -> tuple[str, ...]:
    """Every interface name the ruleset knows; a wildcard stands for one name that it matches, "every link but" for one without a name."""
    known = {device for chain in chains for device in chain.devices}
    for item in loaded.objects:
        for expression in _expressions(item.get("rule", {}).get("expr", [])):
            for left, right in (("left", "right"), ("key", "data")):
                operand = expression.get(left)
                parts = operand["concat"] if isinstance(operand, dict) and "concat" in operand else [operand]
                at = [number for number, part in enumerate(parts) if _LINK_KEY.search(str(part))]
                names = set(_keys(expression.get(right), at))
                known |= names
                if expression.get("op") == "!=" and "'oif" in str(operand) and names - {"lo"}:
                    known.add(UNNAMED_LINK)
        for kind in ("set", "map"):
            types = item.get(kind, {}).get("type", ())
            at = [number for number, name in enumerate([types] if isinstance(types, str) else types) if name in _LINK_TYPES]
            known |= set(_keys({"set": item[kind].get("elem", [])}, at)) if at else set()
    plain = {f"{name[:-1]}0" if name.endswith("*") else name for name in known}
    return tuple(sorted(name for name in plain if _LINK.match(name)))


def _expressions(statements: Iterable[Any]) -> Iterable[dict[str, Any]]:
    """The bodies of match and vmap statements."""
    for statement in statements:
        if isinstance(statement, dict):
            for kind in ("match", "vmap"):
                if isinstance(statement.get(kind), dict):
                    yield statement[kind]


def _keys(value: Any, at: Sequence[int]) -> Iterable[str]:
    """Strings at some places of the values or keys of a right-hand side, at any depth of ranges; never a map's verdicts."""
    if isinstance(value, str) and at:
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _keys(item, at)
    elif isinstance(value, dict):
        if isinstance(parts := value.get("concat"), list):
            yield from _keys([parts[number] for number in at if number < len(parts)], at)
        for kind in ("range", "elem", "val"):
            yield from _keys(value.get(kind), at)
        for item in value.get("set", []) if isinstance(value.get("set"), list) else [value.get("set")]:
            yield from _keys(item[0] if isinstance(item, list) else item, at)
