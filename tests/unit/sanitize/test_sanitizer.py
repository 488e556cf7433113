"""The walker: privileged fields are gone for good, personal data is reversible, clean text is untouched, and doubt refuses."""

from __future__ import annotations

import contextlib
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curtilage.errors import ConfigError
from curtilage.sanitize.fields import FieldRules
from curtilage.sanitize.placeholders import Vault
from curtilage.sanitize.redact import redact_text
from curtilage.sanitize.sanitizer import Findings, Sanitizer, SanitizerRefusal

SANITIZER = Sanitizer()
KEY = b"k" * 32


def clean(node, **more):
    return SANITIZER.clean(node, Findings(Vault(KEY), **more))


@pytest.mark.parametrize(
    "key",
    [
        "legal_case_strategy__c", "LEGAL_CASE_STRATEGY__C", "acme__Legal_Case_Strategy__c", "Case__r.legal_case_strategy__c",
        "legalCaseStrategy__c",
        "Privileged_Communication__c", "privileged_communications__r", "privileged_communication__r", "Sensitive__c", "very_sensitive__c",
        "ns__Client_Sensitive__c", "Client_Sensitive__pc", "Legal Case Strategy", "legal\u200b_case_strategy__c", "ｌegal_case_strategy__c",
    ],
)  # fmt: skip
def test_a_privileged_fields_name_is_known_in_every_dress(key) -> None:
    assert FieldRules().matches(key)
    assert clean({"a": [{key: {"deep": "gone"}, "kept": 1}]}) == {"a": [{"kept": 1}]}


@pytest.mark.parametrize(
    "key", ["Name", "Case_Strategy_Date__c", "sensitive", "insensitivec", "Communication__c", "legal_case__c", "strategy"]
)
def test_other_fields_stay(key) -> None:
    assert clean({key: "kept"}) == {key: "kept"}


def test_a_record_of_a_privileged_object_is_emptied() -> None:
    assert clean([{"attributes": {"type": "Privileged_Communication__c"}, "Subject": "gone"}]) == [{}]


def test_clean_text_passes_byte_for_byte() -> None:
    for text in ('{"a":  1,"b": [ ]}', "Plain prose.", "über 100 % & mehr", "https://a.example/?q=a%20b", "[1, 2", '"quoted"', "a\\u0041b"):
        assert clean(text) == text


def test_values_come_back_for_the_caller_and_privileged_fields_do_not() -> None:
    vault = Vault(KEY)
    text = SANITIZER.clean_text("mail jane@example.com; legal_case_strategy__c: settle", Findings(vault))
    assert "settle" not in text
    assert vault.restore(text) == "mail jane@example.com; [REMOVED]"


def test_one_value_has_one_placeholder_within_a_matter_and_another_in_another() -> None:
    tokens = [Vault(key).placeholder("EMAIL", "jane@example.com") for key in (KEY, KEY, b"x" * 32)]
    assert tokens[0] == tokens[1] != tokens[2]


def test_a_matter_that_allows_personal_data_still_loses_fields_and_secrets() -> None:
    text = "jane@example.com AKIAIOSFODNN7EXAMPLE legal_case_strategy__c: settle"
    assert clean(text, personal_data=False) == "jane@example.com [REMOVED] [REMOVED]"


def test_nesting_without_end_is_refused() -> None:
    tree: object = "x"
    for _ in range(80):
        tree = [tree]
    with pytest.raises(SanitizerRefusal):
        clean(tree)
    text = json.dumps("x")
    for _ in range(9):
        text = json.dumps({"a": text})
    assert clean(text) == text


def test_numbers_are_leaves_too() -> None:
    assert clean({"card": 4111111111111111, "n": 12}) == {"card": Vault(KEY).placeholder("CREDIT_CARD", "4111111111111111"), "n": 12}


def test_keys_are_text_too() -> None:
    assert "jane" not in json.dumps(clean({"jane@example.com": 1}))


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        st.text(max_size=12) | st.integers() | st.none() | st.booleans(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=12,
    ),
    st.integers(0, 3),
)
def test_a_privileged_value_never_survives_wherever_it_is_put(tree, encodings) -> None:
    node = {"outer": tree, "Legal_Case_Strategy__c": "zebra-clause", "inner": [{"x__r": {"a_sensitive__c": ["zebra-clause"]}}]}
    text: object = node
    for _ in range(encodings):
        text = json.dumps(text)
    assert "zebra" not in json.dumps(clean({"content": text}))


def test_no_text_makes_the_walker_slow() -> None:
    hostile = (
        "{" * 60_000, "[" * 60_000, '{"a":' * 20_000, "%41" * 30_000, "&#" * 50_000, "\\" * 100_000, '\\"' * 50_000,
        "legal_case_strategy__c: " * 3_000,
        "legal_case_strategy__c,a\n" * 2_000, "A" * 200_000, "<legal_case_strategy__c>" * 2_000,
        "a " * 50_000, "U+0041 " * 20_000, "=?" * 50_000, "<b>" * 30_000, "*" * 100_000, "A_" * 50_000, "A.B" * 30_000, "\u202ea" * 20_000,
        "\U000e0041" * 50_000, "\\101" * 20_000, "\\u" * 50_000, "<!--" * 20_000, "a+b=" * 20_000,
    )  # fmt: skip
    for text in hostile:
        started = time.perf_counter()
        with contextlib.suppress(SanitizerRefusal):
            clean(text)
        assert time.perf_counter() - started < 5.0, text[:12]


def test_spans_are_places_in_the_given_text() -> None:
    text = 'Write to jane@example.com about {"legal_case_strategy__c": "settle"} today'
    cleaned, spans = redact_text(text, SANITIZER, KEY)
    assert "jane" not in cleaned
    assert [(span.type, text[span.start : span.end]) for span in spans] == [
        ("EMAIL", "jane@example.com"), ("PRIVILEGED_FIELD", 'legal_case_strategy__c": "settle"'),
    ]  # fmt: skip


@pytest.mark.parametrize("rule", ["*", "name", "a__r", "*__c c", ".*__c"])
def test_a_rule_that_is_no_field_name_is_refused(rule) -> None:
    with pytest.raises(ConfigError):
        FieldRules([rule])
