"""If these fail, a privileged name in prose is passed over, or a text full of names keeps a worker busy for a time that grows squared."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from curtilage.sanitize.classification import Classification
from curtilage.sanitize.fields import FieldRules, Mentions
from curtilage.sanitize.prose import privileged_spans

PIECES = st.lists(
    st.sampled_from(
        [
            "legal_case_strategy__c",
            "Legal Case Strategy",
            '": "',
            ": settle",
            "\nnote: x",
            " ü ",
            "acme__",
            "x.",
            "ssensitive__c",
            "open__c",
            "closed__c",
            "<",
            ">",
        ]
    ),
    max_size=30,
)
RULES = FieldRules()
CLASSIFIED = FieldRules(classification=Classification(allowed=frozenset({"open__c"})))


@given(PIECES, st.sampled_from([RULES, CLASSIFIED]))
def test_names_asked_for_one_after_the_other_are_those_that_a_fresh_look_finds(pieces, rules) -> None:
    text = "".join(pieces).lower()
    mentions, position = rules.mentions(text), 0
    while (found := mentions.after(position)) is not None:
        assert found == rules.mentions(text).after(position)
        position = found[1]
    assert rules.mentions(text).after(position) is None
    assert rules.is_mentioned(text) is (rules.mentions(text).after(0) is not None)


def test_each_place_is_looked_at_once_however_many_names_there_are() -> None:
    asked: list[int] = []

    class Counted:
        def search(self, text, position):
            asked.append(position)
            return RULES._following.search(text, position)

    text = "legal_case_strategy__c: settle\nnote: x\n" * 200
    mentions, position, names = Mentions(text, Counted(), lambda _text, _position: None), 0, 0  # type: ignore[arg-type]
    while (found := mentions.after(position)) is not None:
        position, names = found[1], names + 1
    assert names == 200
    assert len(asked) == 201


def test_every_one_of_many_fields_is_cut() -> None:
    text = "über alles\n" + "legal_case_strategy__c: settle\nnote: x\n" * 500
    assert len(privileged_spans(text, RULES)) == 500
