"""Patterns: what has an identifier's shape and checksum is found, what only looks like one is not."""

from __future__ import annotations

import time

import pytest

from curtilage.sanitize.detect import find
from curtilage.sanitize.patterns import default_patterns

FOUND = [
    ("EMAIL", "jane.roe@example.com"), ("EMAIL", "jürgen.müller@müller-recht.de"), ("EMAIL", "jane (at) example (dot) com"),
    ("IBAN", "DE89 3704 0044 0532 0130 00"), ("IBAN", "FR1420041010050500013M02606"), ("IBAN", "GB29 NWBK 6016 1331 9268 19"),
    ("IBAN", "CH93 0076 2011 6238 5295 7"), ("CREDIT_CARD", "4111 1111 1111 1111"), ("CREDIT_CARD", "5500-0055-5555-5559"),
    ("CH_AHV", "756.9217.0769.85"), ("DE_TAX_ID", "86095742719"), ("DE_TAX_ID", "86 095 742 719"), ("UK_NINO", "AB 12 34 56 C"),
    ("UK_NHS", "943 476 5919"), ("US_SSN", "123-45-6789"), ("FR_NIR", "2 55 08 14 168 025 38"), ("IT_FISCAL_CODE", "RSSMRA85T10A562S"),
    ("ES_ID", "12345678Z"), ("ES_ID", "X1234567L"), ("IE_PPS", "1234567T"), ("CH_UID", "CHE-109.322.551"),
    ("DE_PENSION_ID", "65 170839 J 003"),
    ("VAT_ID", "DE136695976"), ("PHONE", "+49 30 901820"), ("PHONE", "+44 20 7946 0958"), ("PHONE", "(212) 555-0123"),
    ("PHONE", "01 23 45 67 89"),
    ("PHONE", "030 / 901820-15"), ("PHONE", "0044 20 7946 0958"), ("CASE_NUMBER", "12 O 345/21"), ("CASE_NUMBER", "XII ZR 123/20"),
    ("CASE_NUMBER", "4A_123/2020"), ("CASE_NUMBER", "1:21-cv-01234-ABC"), ("CASE_NUMBER", "HC-2016-003456"), ("IP_ADDRESS", "203.0.113.7"),
    ("IP_ADDRESS", "2001:db8::7"), ("SECRET", "AKIAIOSFODNN7EXAMPLE"),
]  # fmt: skip
IN_CONTEXT = [
    ("PASSPORT", "passport no. C01X00T47", "C01X00T47"), ("MATTER_NUMBER", "Matter No. 2024-00123", "2024-00123"),
    ("DATE_OF_BIRTH", "geboren am 12.03.1975 in Bonn", "12.03.1975"), ("DATE_OF_BIRTH", "date of birth: March 12, 1975", "March 12, 1975"),
    ("CASE_NUMBER", "RG n° 21/04567", "21/04567"), ("UK_SORT_CODE", "sort code 20-00-00", "20-00-00"),
    ("NL_BSN", "BSN 111222333", "111222333"),
]  # fmt: skip
NOT_FOUND = [
    "on 01.02.2024 at 10:30", "Section 12.3.4.5 of the agreement", "version 1.2.3.4", "EUR 1,234,567.89", "4111 1111 1111 1112",
    "§ 823 BGB",
    "DE89 3704 0044 0532 0130 01", "Article 6(1)(f) GDPR", "2016/679", "clause 4.2.1", "123456789 units", "the years 2019-2024",
    "order 20240102",
    "86095742710", "000-12-3456", "pages 100-200", "a ratio of 3:2", "OJ L 119, 4.5.2016", "ISO 27001:2022", "100,000 shares at $12.50",
]  # fmt: skip


@pytest.mark.parametrize(("type_", "value"), FOUND)
def test_an_identifier_is_found_whole_in_a_sentence(type_, value) -> None:
    text = f"The record says {value} and nothing else."
    spans = find(text, default_patterns())
    assert [(span.type, text[span.start : span.end]) for span in spans] == [(type_, value)]


@pytest.mark.parametrize(("type_", "text", "value"), IN_CONTEXT)
def test_a_number_is_an_identifier_by_its_context(type_, text, value) -> None:
    spans = find(text, default_patterns())
    assert [(span.type, text[span.start : span.end]) for span in spans] == [(type_, value)]


@pytest.mark.parametrize("text", NOT_FOUND)
def test_what_only_looks_like_an_identifier_stays(text) -> None:
    assert find(f"The text says {text} here.", default_patterns()) == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("qty 2 4111 1111 1111 1111", "4111 1111 1111 1111"),
        ("2024 4111 1111 1111 1111 12/27 123", "4111 1111 1111 1111"),
        ("4111 1111 1111 1111 123", "4111 1111 1111 1111"),
        ("378282246310005 1234", "378282246310005"),
        ("DE893704004Pay to DE89370400440532013000", "DE89370400440532013000"),
        ("AT12 and then DE89 3704 0044 0532 0130 00", "DE89 3704 0044 0532 0130 00"),
        ("myIBANDE89370400440532013000", "DE89370400440532013000"),
    ],
)
def test_what_stands_beside_it_does_not_hide_it(text, value) -> None:
    covered = {at for span in find(text, default_patterns()) for at in range(span.start, span.end)}
    start = text.index(value)
    assert set(range(start, start + len(value))) <= covered


def test_folding_finds_disguised_text_and_cuts_the_original() -> None:
    text = "Mail \u200bj\u200ban\u0435@ex\u00adample.com now"  # zero-width, Cyrillic e, soft hyphen
    span = find(text, default_patterns())[0]
    assert text[: span.start].strip("\u200b ") == "Mail"
    assert text[span.end :] == " now"


def test_no_text_makes_the_patterns_slow() -> None:
    for hostile in ("1 " * 50_000, "a@" * 50_000, "(" * 100_000, "DE" + "0" * 100_000, "a." * 50_000, "-----BEGIN " * 9_000):
        started = time.perf_counter()
        find(hostile, default_patterns())
        assert time.perf_counter() - started < 2.0, hostile[:10]
