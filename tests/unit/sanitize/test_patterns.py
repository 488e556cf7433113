"""Patterns: what has an identifier's shape and checksum is found, what only looks like one is not."""

# ruff: noqa: E501 - one case a line

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
    # Spacing and signs that people put between the groups
    ("CREDIT_CARD", "4111 - 1111 - 1111 - 1111"), ("CREDIT_CARD", "3782  822463  10005"), ("CREDIT_CARD", "2221 0000 0000 0009"),
    ("CREDIT_CARD", "3056  9309  0259  04"),
    ("CH_AHV", "756-9217-0769-85"), ("DE_TAX_ID", "86-095-742-719"), ("US_SSN", "123.45.6789"), ("FR_NIR", "2.55.08.14.168.025.38"),
    ("FR_NIR", "2550814168025 clé 38"), ("FR_NIR", "2550814168025/38"), ("IT_FISCAL_CODE", "RSS MRA 85T10 A562S"), ("BE_NRN", "850730-033-28"),
    ("EMAIL", "jane.roe @ example.com"), ("EMAIL", "jane.roe@example .com"), ("EMAIL", "jane dot roe at example dot com"),
    # Files of courts
    ("CASE_NUMBER", "2-06 O 234/22"), ("CASE_NUMBER", "I-20 U 35/22"), ("CASE_NUMBER", "VG 1 K 234.22"), ("CASE_NUMBER", "GSSt 1/17"),
    ("CASE_NUMBER", "W123 2234567-1"), ("CASE_NUMBER", "HG210045-O"), ("CASE_NUMBER", "LB220034"), ("CASE_NUMBER", "21PA01234"),
    ("CASE_NUMBER", "2020-843 QPC"), ("CASE_NUMBER", "C/13/712345 / HA ZA 22-123"), ("CASE_NUMBER", "200.312.456/01"),
    ("CASE_NUMBER", "AMS 21/1234"), ("CASE_NUMBER", "201901234/1/A2"), ("CASE_NUMBER", "23-001234-21"), ("CASE_NUMBER", "9876543 CV EXPL 22-1234"),
    ("CASE_NUMBER", "HQ18X01234"), ("CASE_NUMBER", "UT/2021/000123"), ("CASE_NUMBER", "UKEAT/0123/20/BA"), ("CASE_NUMBER", "20STCV12345"),
    ("CASE_NUMBER", "CGC-21-591234"), ("CASE_NUMBER", "A-22-123456-C"), ("CASE_NUMBER", "2D21-1234"), ("CASE_NUMBER", "22-10964-MG"),
    ("CASE_NUMBER", "2021-0123-JTL"),
    ("CRYPTO_WALLET", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"), ("POSTCODE", "D08 X2Y3"),
    ("ADDRESS", "ul. Marszałkowska 10/12, 00-590 Warszawa"), ("ADDRESS", "Rua Augusta 25, 1100-053 Lisboa"),
]  # fmt: skip
IN_CONTEXT = [
    ("PASSPORT", "passport no. C01X00T47", "C01X00T47"), ("MATTER_NUMBER", "Matter No. 2024-00123", "2024-00123"),
    ("DATE_OF_BIRTH", "geboren am 12.03.1975 in Bonn", "12.03.1975"), ("DATE_OF_BIRTH", "date of birth: March 12, 1975", "March 12, 1975"),
    ("CASE_NUMBER", "RG n° 21/04567", "21/04567"), ("UK_SORT_CODE", "sort code 20-00-00", "20-00-00"),
    ("NL_BSN", "BSN 111222333", "111222333"),
    ("CASE_NUMBER", "siehe S 12 KR 345/20 für Details", "S 12 KR 345/20"), ("CASE_NUMBER", "Aktenzeichen 12345/22/MM", "12345/22/MM"),
    ("CASE_NUMBER", "CE, n° 442364", "442364"), ("CASE_NUMBER", "(No. 21-1234)", "21-1234"), ("CASE_NUMBER", "MDL No. 2738", "2738"),
    ("CASE_NUMBER", "v. Austria (no. 58170/13)", "58170/13"), ("MATTER_NUMBER", "Ons kenmerk: 2023-0456", "2023-0456"),
    ("DATE_OF_BIRTH", "La teste è nata il 5 febbraio 1967", "5 febbraio 1967"),
    ("ADDRESS", "de Calle Rúa Canella do Castro, 41, 77909 Ejea de los Caballeros está", "Calle Rúa Canella do Castro, 41, 77909 Ejea de los Caballeros"),
    ("DATE_OF_BIRTH", "geboren op 12 maart 1984 te Utrecht", "12 maart 1984"), ("DATE_OF_BIRTH", "Data urodzenia: 12.03.1984", "12.03.1984"),
    ("DATE_OF_BIRTH", "data de nascimento: 12/03/1984", "12/03/1984"), ("LICENCE_PLATE", "targa FG 123 HJ", "FG 123 HJ"),
    ("LICENCE_PLATE", "Kennzeichen HH AB 123 E", "HH AB 123 E"), ("DE_TAX_NUMBER", "Steuernummer 93815/08152", "93815/08152"),
    ("VEHICLE_ID", "VIN WVWZZZ1JZXW000001", "WVWZZZ1JZXW000001"), ("DEVICE_ID", "IMEI 490154203237518", "490154203237518"),
    ("PROFILE", "https://www.linkedin.com/in/jane-roe-5b4", "jane-roe-5b4"), ("VAT_ID", "EORI DE1234567", "DE1234567"),
]  # fmt: skip
NOT_FOUND = [
    "on 01.02.2024 at 10:30", "Section 12.3.4.5 of the agreement", "version 1.2.3.4", "EUR 1,234,567.89", "4111 1111 1111 1112",
    "§ 823 BGB",
    "DE89 3704 0044 0532 0130 01", "Article 6(1)(f) GDPR", "2016/679", "clause 4.2.1", "123456789 units", "the years 2019-2024",
    "order 20240102", "invoice No. 21-1234", "Nos. 12-14 of the list", "report 2019-2020-FY", "Regulation No. 1408/71", "2020   2021   2022   2023",
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
