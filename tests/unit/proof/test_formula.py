"""If these fail, the algebra under the proof is wrong: an unknown could count as known, or z3 and booleans could differ."""

from __future__ import annotations

import z3
from hypothesis import given
from hypothesis import strategies as st

from curtilage.proof.formula import FALSE, TRUE, All, Concrete, Either, Formula, Not, Symbolic, Test, Unknown

WIDTHS = {"a": 8, "b": 8}
TESTS = st.builds(
    lambda name, ends, mask: Test(name, min(ends), max(ends), mask),
    st.sampled_from(["a", "b"]),
    st.tuples(st.integers(0, 255), st.integers(0, 255)),
    st.one_of(st.none(), st.integers(0, 255)),
)


def formulas(leaves: st.SearchStrategy[Formula]) -> st.SearchStrategy[Formula]:
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(lambda parts: All(tuple(parts))),
            st.lists(inner, max_size=3).map(lambda parts: Either(tuple(parts))),
            inner.map(Not),
        ),
        max_leaves=8,
    )


KNOWN: st.SearchStrategy[Formula] = st.one_of(TESTS, st.sampled_from([TRUE, FALSE]))


@given(formulas(KNOWN), st.integers(0, 255), st.integers(0, 255))
def test_z3_and_booleans_agree_on_every_formula(formula: Formula, a: int, b: int) -> None:
    concrete = Concrete({"a": a, "b": b}).value(formula)
    assert concrete.must == concrete.may
    algebra = Symbolic(WIDTHS)
    symbolic = algebra.value(formula)
    solver = z3.Solver()
    solver.add(algebra.variable("a") == a, algebra.variable("b") == b, symbolic.must)
    assert (solver.check() == z3.sat) == concrete.must


@given(formulas(st.one_of(KNOWN, st.just(Unknown("why")))), st.integers(0, 255), st.integers(0, 255), st.booleans())
def test_whatever_an_unknown_turns_out_to_be_lies_between_must_and_may(formula: Formula, a: int, b: int, truth: bool) -> None:
    def settle(part: Formula) -> Formula:
        match part:
            case Unknown():
                return TRUE if truth else FALSE
            case All(parts):
                return All(tuple(map(settle, parts)))
            case Either(parts):
                return Either(tuple(map(settle, parts)))
            case Not(inner):
                return Not(settle(inner))
        return part

    packet = {"a": a, "b": b}
    doubtful, settled = Concrete(packet).value(formula), Concrete(packet).value(settle(formula))
    assert not doubtful.must or settled.must
    assert not settled.may or doubtful.may


def test_a_field_the_packet_lacks_is_unknown_and_named() -> None:
    algebra = Concrete({"a": 1})
    value = algebra.value(All((Test("a", 1, 1), Test("b", 0, 9))))
    assert (value.must, value.may) == (False, True)
    assert algebra.reasons == ["the packet does not state b"]
