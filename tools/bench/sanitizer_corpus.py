"""Write the labelled corpus for the sanitizer's bench to standard output, one JSON record a line.

Made apart from the rules: names come from Mimesis (the product's table is made from others), numbers from random digits that
python-stdnum accepts, addresses, dates and telephone numbers from Mimesis' and this file's own formats. It runs in a throwaway environment
(tools/bench_sanitizer.py makes it); nothing here is a dependency of the product, and nothing of the product is imported here.

A record: {"id", "language", "text", "labels": [{"type", "value"}]}; one without labels is a hard negative.
"""

# ruff: noqa: E501, S311 - shapes are listed one a line; a corpus is made, not kept secret

from __future__ import annotations

import argparse
import json
import random
import string
import sys
from collections.abc import Callable
from typing import Any

from mimesis import Address, Person
from mimesis.locales import Locale
from sanitizer_sentences import NAME_SENTENCES, NEGATIVES, SENTENCES
from stdnum import iban, lei, luhn
from stdnum.at import uid as at_uid
from stdnum.at import vnr as at_vnr
from stdnum.be import nn as be_nn
from stdnum.be import vat as be_vat
from stdnum.ch import ssn as ch_ssn
from stdnum.ch import uid as ch_uid
from stdnum.de import idnr, vat
from stdnum.es import cif, dni, nie
from stdnum.fi import hetu
from stdnum.fr import nir, siren, siret, tva
from stdnum.gb import nhs, utr
from stdnum.gb import vat as gb_vat
from stdnum.ie import pps
from stdnum.iso7064 import mod_97_10
from stdnum.it import codicefiscale, iva
from stdnum.nl import bsn
from stdnum.pl import pesel
from stdnum.pt import nif as pt_nif
from stdnum.se import personnummer
from stdnum.us import ein, itin, rtn, ssn

SEED = int(sys.argv[sys.argv.index("--seed") + 1]) if "--seed" in sys.argv else 20_261_124
RND = random.Random(SEED)
LANGUAGES = ("en", "de", "fr", "it", "es")
LOCALES = {
    "en": (Locale.EN, Locale.EN_GB, Locale.EN_CA, Locale.EN_AU),
    "de": (Locale.DE, Locale.DE_AT, Locale.DE_CH, Locale.TR, Locale.PL),
    "fr": (Locale.FR, Locale.PT, Locale.NL_BE),
    "it": (Locale.IT, Locale.CS, Locale.HU),
    "es": (Locale.ES, Locale.ES_MX, Locale.SV, Locale.NL),
}
PEOPLE = {locale: Person(locale, seed=SEED) for group in LOCALES.values() for locale in group}
PLACES = {
    "en": Address(Locale.EN, seed=SEED),
    "de": Address(Locale.DE, seed=SEED),
    "fr": Address(Locale.FR, seed=SEED),
    "it": Address(Locale.IT, seed=SEED),
    "es": Address(Locale.ES, seed=SEED),
}


def digits(count: int) -> str:
    return "".join(RND.choice(string.digits) for _ in range(count))


def letters(count: int) -> str:
    return "".join(RND.choice(string.ascii_uppercase) for _ in range(count))


def valid(make: Callable[[], str], module: Any) -> str:
    """Random text until the library accepts it."""
    for _ in range(200_000):
        text = make()
        if module.is_valid(text):
            return text
    raise RuntimeError(module.__name__)


def grouped(text: str, *sizes: int, by: str = " ") -> str:
    parts, position = [], 0
    for size in sizes:
        parts.append(text[position : position + size])
        position += size
    return by.join([*parts, text[position:]] if position < len(text) else parts)


_BBAN = {
    "DE": lambda: digits(18), "AT": lambda: digits(16), "CH": lambda: digits(5) + letters(1) + digits(11), "FR": lambda: digits(10) + digits(6) + letters(1) + digits(4) + digits(2),
    "GB": lambda: letters(4) + digits(14), "IT": lambda: letters(1) + digits(10) + digits(12), "ES": lambda: digits(20), "NL": lambda: letters(4) + digits(10), "BE": lambda: digits(12),
    "IE": lambda: letters(4) + digits(14), "LU": lambda: digits(3) + digits(13), "PL": lambda: digits(24), "PT": lambda: digits(21), "SE": lambda: digits(20),
}  # fmt: skip


def an_iban() -> str:
    country = RND.choice(list(_BBAN))
    body = _BBAN[country]()
    check = f"{98 - int(''.join(str(int(char, 36)) for char in body + country + '00')) % 97:02d}"
    text = country + check + body
    assert iban.is_valid(text, check_country=False)  # noqa: S101 - the library must agree
    return RND.choice((text, " ".join(text[i : i + 4] for i in range(0, len(text), 4)), text.lower() if RND.random() < 0.1 else text))


def a_card() -> str:
    body = RND.choice(("4", "51", "55", "2221", "37", "6011", "3530"))
    length = 15 if body == "37" else 16
    body += digits(length - 1 - len(body))
    text = body + luhn.calc_check_digit(body)
    return RND.choice(
        (
            text,
            grouped(text, 4, 6, 5) if length == 15 else grouped(text, 4, 4, 4, 4),
            text if length == 15 else grouped(text, 4, 4, 4, 4, by="-"),
        )
    )


def a_birth() -> tuple[int, int, int]:
    return RND.randint(1940, 2005), RND.randint(1, 12), RND.randint(1, 28)


def dated(module: Any, shape: Callable[[int, int, int], str]) -> str:
    return valid(lambda: shape(*a_birth()), module)


def a_fiscal_code() -> str:
    year, month, day = a_birth()
    consonants = "BCDFGHLMNPRSTVZ"
    body = (
        "".join(RND.choice(consonants) for _ in range(6))
        + f"{year % 100:02d}"
        + "ABCDEHLMPRST"[month - 1]
        + f"{day + RND.choice((0, 40)):02d}"
        + RND.choice("ABCDFGHL")
        + digits(3)
    )
    return body + codicefiscale.calc_check_digit(body)


def an_email() -> str:
    person = PEOPLE[RND.choice(list(PEOPLE))]
    user = RND.choice((person.username(mask="l.l"), person.username(mask="l_d"), person.username(mask="ld")))
    return f"{user}@{RND.choice(('example.com', 'kanzlei-nord.example', 'mail.example.org', 'lex.example.co.uk', 'avocats.example.fr'))}"


_PHONES = (
    "+49 30 #######", "+49 (0)89 ########", "0171 #######", "030 / ######-##", "0049 221 #######", "+33 1 ## ## ## ##", "06 ## ## ## ##", "+44 20 7### ####", "020 7### ####", "07### ######",
    "+39 06 #######", "347 #######", "+34 6## ### ###", "91 ### ## ##", "+41 44 ### ## ##", "079 ### ## ##", "+1 212-555-####", "(415) 555-####", "212-555-####", "+43 1 #######", "+31 20 #######", "+353 1 ### ####",
)  # fmt: skip


def a_phone() -> str:
    return "".join(RND.choice("23456789") if char == "#" else char for char in RND.choice(_PHONES))


_MONTHS = {
    "en": ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"],
    "de": ["Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"],
    "fr": ["janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"],
    "it": [
        "gennaio",
        "febbraio",
        "marzo",
        "aprile",
        "maggio",
        "giugno",
        "luglio",
        "agosto",
        "settembre",
        "ottobre",
        "novembre",
        "dicembre",
    ],
    "es": ["enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"],
}


def a_birth_date(language: str) -> str:
    year, month, day = a_birth()
    name = _MONTHS[language][month - 1]
    spelled = {
        "en": RND.choice((f"{name} {day}, {year}", f"{day} {name} {year}")),
        "de": f"{day}. {name} {year}",
        "fr": f"{day} {name} {year}",
        "it": f"{day} {name} {year}",
        "es": f"{day} de {name} de {year}",
    }
    return RND.choice(
        (
            spelled[language],
            f"{day:02d}.{month:02d}.{year}" if language == "de" else f"{day:02d}/{month:02d}/{year}",
            f"{year}-{month:02d}-{day:02d}",
        )
    )


def an_address(language: str) -> str:
    place, town = PLACES[language], PLACES[language].city()
    number = RND.randint(1, 180)
    street = place.street_name()
    if language == "en":
        kind = RND.choice(("Street", "Road", "Avenue", "Lane", "Drive", "Close", "Square"))
        word = street.split()[0]
        return RND.choice(
            (
                f"{number} {word} {kind}, {town}, {RND.choice(('NY', 'CA', 'TX', 'IL'))} {digits(5)}",
                f"{number} {word} {kind}, London {RND.choice(('EC1A 1BB', 'SW1A 2AA', 'N1 9GU', 'W1K 7AA'))}",
                f"{number} {word} {kind}",
            )
        )
    if language == "de":
        return RND.choice((f"{street} {number}, {digits(5).replace('0', '1')} {town}", f"{street} {number}"))
    if language == "fr":
        return (
            f"{number} {street}, {digits(5).replace('0', '7')} {town}"
            if street[:3].lower() in ("rue", "ave", "bou", "all", "qua", "pla", "che", "imp")
            else f"{number} rue {street}, {digits(5).replace('0', '7')} {town}"
        )
    if language == "it":
        return f"{street if street.split()[0] in ('Via', 'Viale', 'Piazza', 'Corso') else 'Via ' + street} {number}, {digits(5)} {town}"
    return f"{street if street.split()[0] in ('Calle', 'Avenida', 'Plaza', 'Paseo', 'Avda.') else 'Calle ' + street}, {number}, {digits(5)} {town}"


def a_passport() -> str:
    return RND.choice(
        (
            digits(9),
            letters(2) + digits(7),
            "C" + "".join(RND.choice("CFGHJKLMNPRTVWXYZ0123456789") for _ in range(6)) + digits(2),
            letters(2) + digits(5) + letters(2),
            letters(1) + digits(8),
        )
    )


def a_case(language: str) -> str:
    year, short = RND.randint(2012, 2026), RND.randint(12, 26)
    number = RND.randint(1, 9999)
    german = (f"{RND.randint(1, 40)} {RND.choice(('O', 'C', 'U', 'S', 'T', 'F', 'Ca', 'Sa', 'K', 'B', 'StR', 'OWi'))} {number}/{short}", f"{RND.choice(('I', 'II', 'VI', 'VIII', 'XII'))} {RND.choice(('ZR', 'ZB', 'AZR', 'R'))} {RND.randint(1, 400)}/{short}",
              f"{RND.randint(1, 2)} BvR {number}/{short}", f"{RND.randint(100, 999)} Js {number}/{short}", f"B {RND.randint(1, 14)} KR {RND.randint(1, 60)}/{short} R", f"4A_{RND.randint(1, 700)}/{year}", f"{RND.randint(1, 10)} Ob {RND.randint(1, 250)}/{short}{RND.choice('abdhk')}")  # fmt: skip
    french = (f"{short}/{RND.randint(10000, 99999)}", f"{short}-{RND.randint(10, 25)}.{digits(3)}")
    english = (
        f"1:{short}-cv-{RND.randint(10000, 99999)}",
        f"2:{short}-cr-{RND.randint(100, 999):05d}-ABC",
        f"HC-{year}-00{digits(4)}",
        f"CL-{year}-000{digits(3)}",
        f"[{year}] EWHC {RND.randint(1, 3500)} (Ch)",
        f"[{year}] UKSC {RND.randint(1, 60)}",
        f"{RND.choice('ABCDEFGHJK')}{digits(2)}YX{digits(3)}",
    )
    european = (
        f"C-{RND.randint(1, 800)}/{short}",
        f"T-{RND.randint(1, 800)}/{short} P",
        f"ECLI:EU:C:{year}:{RND.randint(1, 1200)}",
        f"ECLI:DE:BGH:{year}:{digits(6)}UXIIZR{digits(2)}.{digits(2)}.0",
    )
    return RND.choice(
        {"en": english, "de": german, "fr": french, "it": (f"{RND.randint(1, 99999)}/{year}",), "es": (f"{RND.randint(1, 3000)}/{year}",)}[
            language
        ]
        + (european if RND.random() < 0.25 else ())
    )


def a_matter() -> str:
    return RND.choice(
        (
            f"{RND.randint(2018, 2026)}-{digits(5)}",
            f"M-{digits(4)}-{digits(3)}",
            f"{digits(6)}.{digits(4)}",
            f"LIT/{RND.randint(2018, 2026)}/{digits(4)}",
            f"{digits(5)}/{RND.randint(10, 26)}",
        )
    )


def a_salesforce_id() -> str:
    body = (
        RND.choice(("001", "003", "006", "500", "00Q", "a0B"))
        + "".join(RND.choice(string.ascii_letters + string.digits) for _ in range(2))
        + "0"
        + "".join(RND.choice(string.ascii_letters + string.digits) for _ in range(9))
    )
    suffix = "".join(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[sum(1 << bit for bit, char in enumerate(body[k : k + 5]) if char.isupper())] for k in (0, 5, 10)
    )
    return body + suffix


def a_secret() -> str:
    alphabet = string.ascii_letters + string.digits
    return RND.choice((
        "AKIA" + "".join(RND.choice(string.ascii_uppercase + "234567") for _ in range(16)), "ghp_" + "".join(RND.choice(alphabet) for _ in range(36)), "sk-" + "".join(RND.choice(alphabet) for _ in range(48)),
        "xoxb-" + digits(12) + "-" + "".join(RND.choice(alphabet) for _ in range(24)), "eyJhbGciOiJIUzI1NiJ9.eyJ" + "".join(RND.choice(alphabet) for _ in range(40)) + "." + "".join(RND.choice(alphabet) for _ in range(43)),
        "-----BEGIN PRIVATE KEY-----\n" + "\n".join("".join(RND.choice(alphabet + "+/") for _ in range(64)) for _ in range(3)) + "\n-----END PRIVATE KEY-----",
    ))  # fmt: skip


def an_lei() -> str:
    body = digits(4) + "00" + "".join(RND.choice(string.ascii_uppercase + string.digits) for _ in range(12))
    text = body + mod_97_10.calc_check_digits(body)
    return text if lei.is_valid(text) and any(map(str.isalpha, text)) else an_lei()


# type -> (languages it is written in, maker)
def makers() -> dict[str, tuple[tuple[str, ...], Callable[[str], str]]]:
    every = LANGUAGES
    return {
        "EMAIL": (every, lambda _: an_email()),
        "IBAN": (every, lambda _: an_iban()),
        "CREDIT_CARD": (every, lambda _: a_card()),
        "PHONE": (every, lambda _: a_phone()),
        "DATE_OF_BIRTH": (every, a_birth_date),
        "ADDRESS": (every, an_address),
        "PASSPORT": (every, lambda _: a_passport()),
        "CASE_NUMBER": (every, a_case),
        "MATTER_NUMBER": (every, lambda _: a_matter()),
        "IP_ADDRESS": (
            every,
            lambda _: RND.choice(
                (
                    f"203.0.113.{RND.randint(1, 254)}",
                    f"10.{RND.randint(0, 255)}.{RND.randint(0, 255)}.{RND.randint(1, 254)}",
                    f"2001:db8:{RND.randint(1, 9999):x}::{RND.randint(1, 9999):x}",
                )
            ),
        ),
        "SECRET": (every, lambda _: a_secret()),
        "SALESFORCE_ID": (every, lambda _: a_salesforce_id()),
        "LEI": (every, lambda _: an_lei()),
        "BIC": (
            every,
            lambda _: RND.choice(
                (
                    "DEUTDEFF",
                    "COBADEFFXXX",
                    "BNPAFRPP",
                    "BARCGB22",
                    "UBSWCHZH80A",
                    "INGBNL2A",
                    "UNCRITMM",
                    "CAIXESBB",
                    "CHASUS33",
                    "SOGEFRPPXXX",
                    "BYLADEM1001",
                    "GENODEF1ABC",
                )
            ),
        ),
        "DE_TAX_ID": (
            ("de",),
            lambda _: (lambda text: RND.choice((text, grouped(text, 2, 3, 3, 3))))(
                valid(lambda: str(RND.randint(1, 9)) + digits(10), idnr)
            ),
        ),
        "DE_PENSION_ID": (("de",), lambda _: a_pension()),
        "DE_TAX_NUMBER": (("de",), lambda _: RND.choice((f"{digits(2)}/{digits(3)}/{digits(5)}", f"{digits(3)}/{digits(4)}/{digits(4)}"))),
        "VAT_ID": (every, lambda language: a_vat(language)),
        "FR_NIR": (("fr",), lambda _: a_nir()),
        "FR_SIREN": (
            ("fr",),
            lambda _: RND.choice(
                (
                    grouped(valid(lambda: digits(9), siren), 3, 3, 3),
                    grouped(valid(lambda: digits(14), siret), 3, 3, 3, 5),
                    valid(lambda: digits(14), siret),
                )
            ),
        ),
        "IT_FISCAL_CODE": (("it",), lambda _: a_fiscal_code()),
        "IT_VAT": (("it",), lambda _: valid(lambda: digits(11), iva)),
        "ES_ID": (
            ("es",),
            lambda _: RND.choice(
                (valid(lambda: digits(8) + letters(1), dni), valid(lambda: RND.choice("XYZ") + digits(7) + letters(1), nie))
            ),
        ),
        "ES_CIF": (("es",), lambda _: valid(lambda: RND.choice("ABEFGHJ") + digits(8), cif)),
        "NL_BSN": (("en", "de"), lambda _: valid(lambda: digits(9), bsn)),
        "BE_NRN": (
            ("fr", "en"),
            lambda _: (lambda t: RND.choice((t, f"{t[:2]}.{t[2:4]}.{t[4:6]}-{t[6:9]}.{t[9:]}")))(
                dated(be_nn, lambda y, m, d: f"{y % 100:02d}{m:02d}{d:02d}{digits(5)}")
            ),
        ),
        "AT_SVNR": (
            ("de",),
            lambda _: grouped(
                valid(lambda: (lambda y, m, d: f"{RND.randint(1, 9)}{digits(3)}{d:02d}{m:02d}{y % 100:02d}")(*a_birth()), at_vnr), 4, 6
            ),
        ),
        "CH_AHV": (
            ("de", "fr", "it"),
            lambda _: (lambda t: f"{t[:3]}.{t[3:7]}.{t[7:11]}.{t[11:]}")(valid(lambda: "756" + digits(10), ch_ssn)),
        ),
        "CH_UID": (("de", "fr", "it"), lambda _: (lambda t: f"CHE-{t[3:6]}.{t[6:9]}.{t[9:]}")(valid(lambda: "CHE" + digits(9), ch_uid))),
        "IE_PPS": (("en",), lambda _: valid(lambda: digits(7) + letters(1) + RND.choice(("", "A")), pps)),
        "UK_NINO": (
            ("en",),
            lambda _: RND.choice(
                (f"AB {digits(2)} {digits(2)} {digits(2)} C", f"JK{digits(6)}D", f"PX {digits(2)} {digits(2)} {digits(2)} A")
            ),
        ),
        "UK_NHS": (("en",), lambda _: grouped(valid(lambda: digits(10), nhs), 3, 3, 4)),
        "UK_UTR": (("en",), lambda _: valid(lambda: digits(10), utr)),
        "UK_SORT_CODE": (("en",), lambda _: grouped(digits(6), 2, 2, 2, by="-")),
        "US_SSN": (("en",), lambda _: valid(lambda: f"{digits(3)}-{digits(2)}-{digits(4)}", ssn)),
        "US_ITIN": (("en",), lambda _: valid(lambda: f"9{digits(2)}-{digits(2)}-{digits(4)}", itin)),
        "US_EIN": (("en",), lambda _: valid(lambda: f"{digits(2)}-{digits(7)}", ein)),
        "US_ROUTING": (("en",), lambda _: valid(lambda: digits(9), rtn)),
        "PL_PESEL": (
            ("en", "de"),
            lambda _: dated(pesel, lambda y, m, d: f"{y % 100:02d}{m if y < 2000 else m + 20:02d}{d:02d}{digits(5)}"),
        ),
        "SE_PERSONNUMMER": (("en", "de"), lambda _: dated(personnummer, lambda y, m, d: f"{y % 100:02d}{m:02d}{d:02d}-{digits(4)}")),
        "FI_HETU": (
            ("en",),
            lambda _: dated(
                hetu,
                lambda y, m, d: (
                    f"{d:02d}{m:02d}{y % 100:02d}{'-' if y < 2000 else 'A'}{RND.randint(2, 899):03d}{RND.choice('0123456789ABCDEFHJKLMNPRSTUVWXY')}"
                ),
            ),
        ),
        "PT_NIF": (("es", "en"), lambda _: valid(lambda: digits(9), pt_nif)),
        "BANK_ACCOUNT": (every, lambda _: digits(RND.choice((8, 9, 10)))),
    }


def a_pension() -> str:
    for _ in range(100_000):
        year, month, day = a_birth()
        text = f"{RND.randint(10, 89)}{day:02d}{month:02d}{year % 100:02d}{letters(1)}{digits(3)}"
        spread = text[:8] + f"{ord(text[8]) - 64:02d}" + text[9:11]
        total = sum(
            sum(map(int, str(int(char) * weight))) for char, weight in zip(spread, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1), strict=True)
        )
        if total % 10 == int(text[11]):
            return RND.choice((text, f"{text[:2]} {text[2:8]} {text[8]} {text[9:]}"))
    raise RuntimeError


def a_nir() -> str:
    def make() -> str:
        year, month, _ = a_birth()
        return f"{RND.choice('12')}{year % 100:02d}{month:02d}{RND.choice(('75', '69', '13', '33', '59'))}{digits(6)}{digits(2)}"

    text = valid(make, nir)
    return RND.choice((text, grouped(text, 1, 2, 2, 2, 3, 3, 2)))


def a_vat(language: str) -> str:
    return {
        "en": lambda: RND.choice((valid(lambda: "GB" + digits(9), gb_vat), valid(lambda: "BE0" + digits(9), be_vat))),
        "de": lambda: RND.choice((valid(lambda: "DE" + digits(9), vat), valid(lambda: "ATU" + digits(8), at_uid))),
        "fr": lambda: valid(lambda: "FR" + digits(11), tva),
        "it": lambda: "IT" + valid(lambda: digits(11), iva),
        "es": lambda: "ES" + valid(lambda: RND.choice("ABEFGHJ") + digits(8), cif),
    }[language]()


def main() -> None:
    """Write the corpus."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--per-cell", type=int, default=8, help="records for each type and language")
    parser.add_argument("--names", type=int, default=150, help="records with names for each language")
    parser.add_argument("--seed", type=int, help="other names, numbers and formats in the same sentences")
    arguments = parser.parse_args()
    records: list[dict[str, Any]] = []

    def emit(language: str, text: str, labels: list[tuple[str, str]]) -> None:
        records.append(
            {
                "id": f"{language}-{len(records):05d}",
                "language": language,
                "text": text,
                "labels": [{"type": type_, "value": value} for type_, value in labels],
            }
        )

    for type_, (languages, make) in makers().items():
        for language in languages:
            sentences = SENTENCES[language].get(type_) or SENTENCES["en"][type_]
            for number in range(arguments.per_cell):
                value = make(language)
                emit(language, sentences[number % len(sentences)].format(value), [(type_, value)])
    for language in LANGUAGES:
        for number in range(arguments.names):
            locale = RND.choice(LOCALES[language][:1] * 3 + LOCALES[language])
            person = PEOPLE[locale]
            first, last = person.first_name(), person.last_name()
            sentence = NAME_SENTENCES[language][number % len(NAME_SENTENCES[language])]
            name = (
                f"{first} {last}"
                if "{full}" in sentence
                else f"{last}, {first}"
                if "{reversed}" in sentence
                else last
                if "{last}" in sentence
                else first
            )
            emit(
                language,
                sentence.replace("{full}", name).replace("{reversed}", name).replace("{last}", name).replace("{first}", name),
                [("PERSON", name)],
            )
        for text in NEGATIVES[language]:
            emit(language, text, [])
    for record in records:
        sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
