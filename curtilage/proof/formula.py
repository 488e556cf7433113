"""What a rule asks of a packet, as a formula over packet fields, and its value where not everything is known.

Values are Kleene's three: ``must`` (true whatever the unknown parts are) and ``may`` (true for some choice of them). A rate limit, a socket
lookup or a set that fills at run time is an :class:`Unknown`: it makes ``must`` and ``may`` differ, and with them PASS and NOT-PROVEN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import z3

B = TypeVar("B")


class Formula:
    """A condition on a packet."""


@dataclass(frozen=True)
class Test(Formula):
    """``low <= (field & mask) <= high``; a field the packet does not define is unknown."""

    __test__ = False  # the name is not pytest's

    field: str
    low: int
    high: int
    mask: int | None = None


@dataclass(frozen=True)
class Unknown(Formula):
    """A condition the model does not decide, and why."""

    reason: str


@dataclass(frozen=True)
class All(Formula):
    """Conjunction; of nothing, true."""

    parts: tuple[Formula, ...]


@dataclass(frozen=True)
class Either(Formula):
    """Disjunction; of nothing, false."""

    parts: tuple[Formula, ...]


@dataclass(frozen=True)
class Not(Formula):
    """Negation."""

    part: Formula


TRUE: Formula = All(())
FALSE: Formula = Either(())


def equals(name: str, value: int) -> Formula:
    """The field has one value."""
    return Test(name, value, value)


def one_of(name: str, values: tuple[int, ...]) -> Formula:
    """The field has one of some values."""
    return Either(tuple(equals(name, value) for value in values))


HOP_FIELDS = frozenset({"ip.ttl", "ip6.hoplimit", "ip.checksum"})
"""A router takes one off before its forward hook (net/ipv4/ip_forward.c, net/ipv6/ip6_output.c); later hooks read the new value."""
EXPIRED: Formula = Either(
    (
        All((equals("protocol", 0x0800), Test("ip.ttl", 0, 1))),
        All((equals("protocol", 0x86DD), Test("ip6.hoplimit", 0, 1))),
    )
)
"""What a router does not forward: it answers that the packet's time is exceeded."""


def routed(test: Test) -> Formula:
    """A test of a hop count behind the router, as one of the count the packet came with."""
    if test.field == "ip.checksum":
        return Unknown("a checksum that the router writes anew")
    if test.mask is None:
        low, high = (test.low if test.low <= 0 else test.low + 1), min(test.high + 1, 255)
        return _Came(test.field, low, high) if low <= high else FALSE
    mask = test.mask
    return Either(tuple(_Came(test.field, value, value) for value in range(1, 256) if test.low <= (value - 1) & mask <= test.high))


@dataclass(frozen=True)
class _Came(Formula):
    """A range of the hop count that the packet came with."""

    field: str
    low: int
    high: int


@dataclass(frozen=True)
class Kleene(Generic[B]):
    """A three-valued truth: ``must`` implies ``may``."""

    must: B
    may: B


class Algebra(Generic[B]):
    """Boolean operations over packets; subclasses say what a truth is."""

    true: Kleene[B]
    false: Kleene[B]
    forwarded: bool = False
    """Whether the packet has been routed: what follows reads the hop count that the router wrote."""

    def conj(self, left: B, right: B) -> B:
        """And."""
        raise NotImplementedError

    def disj(self, left: B, right: B) -> B:
        """Or."""
        raise NotImplementedError

    def neg(self, value: B) -> B:
        """Not."""
        raise NotImplementedError

    def test(self, test: Test) -> Kleene[B]:
        """The value of a test."""
        raise NotImplementedError

    def never(self, value: Kleene[B]) -> bool:
        """Whether the value is plainly false, so that what it guards need not be walked."""
        raise NotImplementedError

    def both(self, left: Kleene[B], right: Kleene[B]) -> Kleene[B]:
        """Three-valued and."""
        must = self.conj(left.must, right.must)
        return Kleene(must, must if left.must is left.may and right.must is right.may else self.conj(left.may, right.may))

    def any(self, left: Kleene[B], right: Kleene[B]) -> Kleene[B]:
        """Three-valued or."""
        must = self.disj(left.must, right.must)
        return Kleene(must, must if left.must is left.may and right.must is right.may else self.disj(left.may, right.may))

    def inverse(self, value: Kleene[B]) -> Kleene[B]:
        """Three-valued not."""
        if value.must is value.may:
            flipped = self.neg(value.must)
            return Kleene(flipped, flipped)
        return Kleene(self.neg(value.may), self.neg(value.must))

    def doubt(self, value: Kleene[B]) -> Kleene[B]:
        """Something that may happen where ``value`` may hold, and must nowhere."""
        return Kleene(self.false.must, value.may)

    def unknown(self, unknown: Unknown) -> Kleene[B]:
        """Neither true nor false."""
        return Kleene(self.false.must, self.true.may)

    def some(self, parts: tuple[Formula, ...]) -> Kleene[B]:
        """The disjunction of formulas."""
        result = self.false
        for part in parts:
            result = self.any(result, self.value(part))
        return result

    def value(self, formula: Formula) -> Kleene[B]:
        """The three-valued truth of a formula."""
        match formula:
            case Test():
                return self.value(routed(formula)) if self.forwarded and formula.field in HOP_FIELDS else self.test(formula)
            case All(parts):
                result = self.true
                for part in parts:
                    result = self.both(result, self.value(part))
                    if self.never(result):
                        return self.false
                return result
            case Either(parts):
                return self.some(parts)
            case Not(part):
                return self.inverse(self.value(part))
            case _Came(name, low, high):
                return self.test(Test(name, low, high))
            case Unknown():
                return self.unknown(formula)
        raise TypeError(f"not a formula: {formula!r}")


@dataclass
class Concrete(Algebra[bool]):
    """One packet: a mapping of fields to values. Fields it lacks are unknown; ``reasons`` collects what was not decided."""

    fields: Mapping[str, int]
    reasons: list[str] = field(default_factory=list)

    true = Kleene(True, True)
    false = Kleene(False, False)

    def conj(self, left: bool, right: bool) -> bool:
        """And."""
        return left and right

    def disj(self, left: bool, right: bool) -> bool:
        """Or."""
        return left or right

    def neg(self, value: bool) -> bool:
        """Not."""
        return not value

    def test(self, test: Test) -> Kleene[bool]:
        """Compare; a field this packet does not state is unknown."""
        value = self.fields.get(test.field)
        if value is None:
            return self.unknown(Unknown(f"the packet does not state {test.field}"))
        if test.mask is not None:
            value &= test.mask
        return self.true if test.low <= value <= test.high else self.false

    def never(self, value: Kleene[bool]) -> bool:
        """Plainly false."""
        return not value.may

    def unknown(self, unknown: Unknown) -> Kleene[bool]:
        """Note the reason."""
        if unknown.reason not in self.reasons:
            self.reasons.append(unknown.reason)
        return Kleene(False, True)


class Symbolic(Algebra[Any]):
    """All packets at once: fields are bit vectors, made on first use and renamed by ``suffix``."""

    def __init__(self, widths: Mapping[str, int], suffix: str = "", shared: Mapping[str, Any] | None = None) -> None:
        self.widths, self.suffix = widths, suffix
        self.variables: dict[str, Any] = dict(shared or {})
        always, never = z3.BoolVal(True), z3.BoolVal(False)
        self.true, self.false = Kleene(always, always), Kleene(never, never)

    def variable(self, name: str) -> Any:
        """The bit vector of a field."""
        if name not in self.variables:
            self.variables[name] = z3.BitVec(name + self.suffix, self.width(name))
        return self.variables[name]

    def width(self, name: str) -> int:
        """Bits of a field; what the table does not know is given room for any value."""
        return self.widths.get(name, 64)

    def conj(self, left: Any, right: Any) -> Any:
        """And, simplified at the constants that most rules have; they are single objects, so identity tells them."""
        never, always = self.false.must, self.true.must
        if left is never or right is always:
            return left
        return right if left is always or right is never else _node(z3.Z3_mk_and, left, right)

    def disj(self, left: Any, right: Any) -> Any:
        """Or, simplified at constants."""
        never, always = self.false.must, self.true.must
        if left is always or right is never:
            return left
        return right if left is never or right is always else _node(z3.Z3_mk_or, left, right)

    def neg(self, value: Any) -> Any:
        """Not, simplified at constants."""
        never, always = self.false.must, self.true.must
        if value is always:
            return never
        return always if value is never else z3.Not(value)

    def test(self, test: Test) -> Kleene[Any]:
        """A comparison; a range that is a prefix becomes one comparison of its leading bits, which z3 likes best."""
        variable, width = self.variable(test.field), self.width(test.field)
        top = (1 << width) - 1
        low, high = max(test.low, 0), min(test.high, top)
        if low > high:
            return self.false
        if test.mask is not None:
            variable = variable & z3.BitVecVal(test.mask & top, width)
        elif low == 0 and high == top:
            return self.true
        size = high - low + 1
        free = size.bit_length() - 1
        if size == 1:
            result = variable == z3.BitVecVal(low, width)
        elif size == 1 << free and low % size == 0:
            result = z3.Extract(width - 1, free, variable) == z3.BitVecVal(low >> free, width - free) if free < width else self.true.must
        else:
            result = z3.And(z3.UGE(variable, z3.BitVecVal(low, width)), z3.ULE(variable, z3.BitVecVal(high, width)))
        return Kleene(result, result)

    def never(self, value: Kleene[Any]) -> bool:
        """Plainly false, without asking the solver."""
        return value.may is self.false.may


def _node(make: Any, left: Any, right: Any) -> Any:
    """And, or: as ``z3.And`` and ``z3.Or`` do it, without their coercions, which cost more than the solving."""
    context = left.ctx
    return z3.BoolRef(make(context.ref(), 2, (z3.Ast * 2)(left.as_ast(), right.as_ast())), context)
