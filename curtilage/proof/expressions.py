"""Turns the kernel's match expressions into formulas. What it does not know becomes :class:`Unknown`, never true and never false."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from curtilage.proof.fields import CT_STATES, ETHERTYPE, IS_PARSED, L4, TRACKED, WIDTHS, link, payload
from curtilage.proof.formula import FALSE, TRUE, All, Either, Formula, Not, Test, Unknown, equals
from curtilage.proof.ruleset import Chain, Ruleset, Stage

NFPROTO = {2: "ip", 3: "arp", 10: "ip6", "ipv4": "ip", "arp": "arp", "ipv6": "ip6"}
FREE_META = ("mark", "skuid", "skgid", "priority", "length", "cgroup", "day", "hour")
"""What a local process, or time, chooses: a proof tries every value."""


class Undecided(Exception):
    """The model has no meaning for a part of a rule; its text says which."""


@dataclass(frozen=True)
class Operand:
    """A field to compare, its mask, and the condition under which a packet has it."""

    field: str
    guard: Formula
    kind: str
    mask: int | None = None

    @property
    def width(self) -> int:
        """Bits."""
        return WIDTHS.get(self.field, 32)


Intervals = list[tuple[int, int]]


class Expressions:
    """Reads the expressions of one ruleset at one stage."""

    def __init__(self, ruleset: Ruleset, interfaces: Sequence[str], chain: Chain, stage: Stage, *, by_wire: bool = False) -> None:
        self.ruleset, self.chain, self.stage, self.by_wire = ruleset, chain, stage, by_wire
        self.links = {name: number for number, name in enumerate(interfaces, start=1)}

    def match(self, body: dict[str, Any]) -> Formula:
        """A match statement."""
        try:
            return self._match(body.get("op", "=="), body["left"], body["right"])
        except Undecided as undecided:
            return Unknown(str(undecided))

    def entries(self, key: Any, data: Any) -> Iterable[tuple[Formula, Any]]:
        """The entries of a verdict map, each with its condition; together they exclude one another.

        Raises:
            Undecided: the key or the map is not modelled.
        """
        operands = self._operands(key)
        elements, changes = self._elements(data)
        if changes:
            raise Undecided(f"map {data} changes at run time")
        seen: list[Formula] = []
        rest: Any = None
        guard = All(tuple(operand.guard for operand in operands))
        for element in elements:
            value, verdict = element
            if value == "*":
                rest = verdict
                continue
            condition = All((guard, self._element(operands, value)))
            seen.append(condition)
            yield condition, verdict
        if rest is not None:
            yield All((guard, Not(Either(tuple(seen))))), rest

    def _match(self, op: str, left: Any, right: Any) -> Formula:
        operands = self._operands(left)
        guard = All(tuple(operand.guard for operand in operands))
        if (isinstance(right, str) and right.startswith("@")) or (isinstance(right, dict) and "set" in right):
            elements, changes = self._elements(right)
            if changes:
                inside: Formula = Unknown(f"set {right} changes at run time")
            else:
                inside = TRUE if "*" in elements else Either(tuple(self._element(operands, element) for element in elements))
            if op not in ("==", "in", "!="):
                raise Undecided(f"'{op}' with a set")
            return All((guard, Not(inside) if op == "!=" else inside))
        if op in ("in", "!"):
            bits = self._bits(operands[0], right)
            none = Test(operands[0].field, 0, 0, bits if operands[0].mask is None else bits & operands[0].mask)
            return All((guard, none if op == "!" else Not(none)))
        if op in ("<", ">", "<=", ">="):
            value = self._number(operands[0], right)
            top = (1 << operands[0].width) - 1
            low, high = {"<": (0, value - 1), "<=": (0, value), ">": (value + 1, top), ">=": (value, top)}[op]
            return All((guard, Test(operands[0].field, low, high, operands[0].mask) if low <= high else FALSE))
        if op not in ("==", "!="):
            raise Undecided(f"operator '{op}'")
        if isinstance(right, list) or (isinstance(right, dict) and "|" in right):
            value = self._bits(operands[0], right)
            same: Formula = Test(operands[0].field, value, value, operands[0].mask)
        else:
            same = self._element(operands, right)
        return All((guard, Not(same) if op == "!=" else same))

    def _elements(self, right: Any) -> tuple[list[Any], bool]:
        if isinstance(right, str):
            place = (self.chain.family, self.chain.table, right.removeprefix("@"))
            collection = self.ruleset.collections.get(place)
            if collection is None:
                raise Undecided(f"set {right} is not listed")
            return [_unwrap(element) for element in collection.elements], collection.changes
        elements = right["set"] if isinstance(right["set"], list) else [right["set"]]
        return [_unwrap(element) for element in elements], False

    def _element(self, operands: Sequence[Operand], value: Any) -> Formula:
        """The condition that the operands equal one element, interval or prefix, component by component."""
        parts = value["concat"] if isinstance(value, dict) and "concat" in value else [value]
        if len(parts) != len(operands):
            raise Undecided(f"an element of {len(parts)} parts for a key of {len(operands)}")
        return All(tuple(self._component(operand, part) for operand, part in zip(operands, parts, strict=True)))

    def _component(self, operand: Operand, part: Any) -> Formula:
        if operand.kind == "link":
            return self._link_names(operand, part)
        if isinstance(part, dict) and "range" in part:
            low, high = (self._number(operand, bound) for bound in part["range"])
            return Test(operand.field, low, high, operand.mask)
        if isinstance(part, dict) and "prefix" in part:
            return self._prefix(operand, part["prefix"])
        if part == "*":
            return TRUE
        value = self._number(operand, part)
        return Test(operand.field, value, value, operand.mask)

    def _prefix(self, operand: Operand, prefix: dict[str, Any]) -> Formula:
        if operand.kind in ("ip", "ip6"):
            network = ip_network(f"{prefix['addr']}/{prefix['len']}", strict=False)
            return Test(operand.field, int(network.network_address), int(network.broadcast_address), operand.mask)
        free = operand.width - int(prefix["len"])
        base = self._number(operand, prefix["addr"]) >> free << free
        return Test(operand.field, base, base + (1 << free) - 1, operand.mask)

    def _link_names(self, operand: Operand, part: Any) -> Formula:
        if not isinstance(part, str):
            raise Undecided(f"interface {part!r}")
        if part.endswith("*"):
            return Either(tuple(equals(operand.field, number) for name, number in self.links.items() if name.startswith(part[:-1])))
        return equals(operand.field, self.links[part]) if part in self.links else FALSE

    def _operands(self, left: Any) -> list[Operand]:
        if isinstance(left, dict) and "concat" in left:
            return [self._operand(part) for part in left["concat"]]
        return [self._operand(left)]

    def _operand(self, left: Any) -> Operand:
        if not isinstance(left, dict) or len(left) != 1:
            raise Undecided(f"expression {left!r}")
        ((kind, body),) = left.items()
        if kind == "&":
            inner = self._operand(body[0])
            return Operand(inner.field, inner.guard, inner.kind, self._bits(inner, body[1]))
        if kind == "payload":
            return self._payload(body)
        if kind == "meta":
            return self._meta(body["key"])
        if kind == "ct":
            if not self.stage.tracked:
                raise Undecided(f"ct {body['key']} before connection tracking has seen the packet")
            if body["key"] == "state" and "dir" not in body:
                return Operand("ct.state", TRUE, "ct state")
            if body["key"] == "direction":
                return Operand("ct.direction", TRACKED, "number")
        raise Undecided(f"{kind} {body.get('key', body) if isinstance(body, dict) else body}")

    def _payload(self, body: dict[str, Any]) -> Operand:
        if "base" in body:
            if (body["base"], body["offset"], body["len"]) == ("ll", 96, 16):
                return self._link_field("type", "number")
            raise Undecided(f"raw payload @{body['base']},{body['offset']},{body['len']}")
        protocol, name = body["protocol"], body["field"]
        if protocol == "ether":
            return self._link_field(name, "ethertype" if name == "type" else "mac")
        if protocol == "ip" and name == "version":
            raise Undecided("ip version")
        found = payload(protocol, name)
        if found is None:
            raise Undecided(f"{protocol} {name}")
        if self.by_wire and protocol in ("ip", "ip6"):
            found = found[0], equals("wire", ETHERTYPE[protocol])
        kind = {"saddr": protocol, "daddr": protocol}.get(name, "number")
        return Operand(found[0], found[1], "l4" if found[0] == "l4proto" else kind)

    def _link_field(self, name: str, kind: str) -> Operand:
        found = link(name, self.stage.hook)
        if found is None:
            raise Undecided(f"ether {name}")
        return Operand(found[0], found[1], kind)

    def _meta(self, key: str) -> Operand:
        if key in ("iifname", "iif"):
            return Operand("iif", TRUE, "link")
        if key in ("oifname", "oif"):
            return Operand("oif", TRUE, "link")
        if key == "protocol":
            return Operand("protocol", TRUE, "ethertype")
        if key == "nfproto":
            return Operand("protocol", TRUE, "nfproto")
        if key == "l4proto":
            return Operand("l4proto", IS_PARSED, "l4")
        if key == "mark" and self.ruleset.sets_mark:
            raise Undecided("a mark that rules of this ruleset set")
        if key in FREE_META:
            return Operand(f"meta.{key}", TRUE, "number")
        raise Undecided(f"meta {key}")

    def _number(self, operand: Operand, value: Any) -> int:
        if isinstance(value, dict) and "|" in value:
            return self._bits(operand, value)
        if operand.kind == "nfproto" and value in NFPROTO:
            return ETHERTYPE[NFPROTO[value]]
        if isinstance(value, bool):
            return int(value)
        if isinstance(value, int):
            # nft lists EtherTypes as they lie in memory; on a little-endian machine their bytes are exchanged.
            return int.from_bytes(value.to_bytes(2, "little"), "big") if operand.kind == "ethertype" else value
        if isinstance(value, str):
            return self._name(operand, value)
        raise Undecided(f"value {value!r} of {operand.field}")

    def _name(self, operand: Operand, value: str) -> int:
        if operand.kind in ("ip", "ip6"):
            try:
                return int(ip_address(value))
            except ValueError:
                raise Undecided(f"address {value!r}") from None
        if operand.kind == "mac":
            return int(value.replace(":", ""), 16)
        for kind, table in (("l4", L4), ("ethertype", ETHERTYPE), ("ct state", CT_STATES)):
            if operand.kind == kind and value in table:
                return table[value]
        try:
            return int(value, 0)
        except ValueError:
            raise Undecided(f"value {value!r} of {operand.field}") from None

    def _bits(self, operand: Operand, value: Any) -> int:
        """The union of flags, listed as one value, a list or an or-expression."""
        if isinstance(value, dict) and "|" in value:
            value = value["|"]
        if isinstance(value, list):
            result = 0
            for item in value:
                result |= self._bits(operand, item)
            return result
        return self._number(operand, value)


def _unwrap(element: Any) -> Any:
    """An element without its counter, timeout or comment."""
    if isinstance(element, dict) and isinstance(element.get("elem"), dict) and "val" in element["elem"]:
        return element["elem"]["val"]
    if isinstance(element, list):
        return [_unwrap(element[0]), element[1]]
    return element
