"""Checksums and shape rules: what tells an identifier from a number that looks like one.

Each check takes the matched text and says how many of its characters are the identifier (None: it is none). A check may shorten a
greedy match, e.g. an IBAN followed by a word. Sources are named per function.
"""

# ruff: noqa: SIM905 - a list of words is read as words

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_address

from curtilage.sanitize import names

Check = Callable[[str], int | None]

# ISO 13616 registry, release 99: total lengths.
_IBAN_TABLE = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 FO18 FR27 GB22 "
    "GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 "
    "MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 "
    "VA22 VG24 XK20"
)
_IBAN_LENGTHS = {entry[:2]: int(entry[2:]) for entry in _IBAN_TABLE.split()}


def digits_of(text: str) -> str:
    """Only the digits."""
    return "".join(char for char in text if char.isdigit())


def _prefix_of(text: str, count: int) -> int | None:
    """How far into the text the first ``count`` letters and digits reach."""
    seen = 0
    for index, char in enumerate(text):
        seen += char.isalnum()
        if seen == count:
            return index + 1
    return None


def whole(accepts: Callable[[str], bool]) -> Check:
    """A check of the match as it stands."""
    return lambda text: len(text) if accepts(text) else None


def iban(text: str) -> int | None:
    """ISO 13616 length and ISO 7064 mod 97-10."""
    compact = "".join(char for char in text if char.isalnum()).upper()
    length = _IBAN_LENGTHS.get(compact[:2], 0)
    if not length or len(compact) < length:
        return None
    number = compact[4:length] + compact[:4]
    if int("".join(str(int(char, 36)) for char in number)) % 97 != 1:
        return None
    return _prefix_of(text, length)


def luhn(number: str) -> bool:
    """ISO/IEC 7812-1 annex B."""
    total = 0
    for index, char in enumerate(reversed(number)):
        value = int(char) * (1 + index % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


# ISO/IEC 7812 issuer ranges in use, by length.
_CARD_PREFIXES = {
    12: re.compile(r"5[0-8]|6"),
    13: re.compile(r"4|5[0-8]|6"),
    14: re.compile(r"3(?:0[0-5]|[689])"),
    15: re.compile(r"3[47]"),
    16: re.compile(r"4|5[0-8]|6|2(?:2[2-9]|[3-6]|7[01]|720)|35|30|36|38"),
    17: re.compile(r"6"),
    18: re.compile(r"6"),
    19: re.compile(r"4|5[0-8]|6|35"),
}


def card(text: str) -> bool:
    """A payment card: a length and an issuer range that are in use, Luhn, not one digit over and over."""
    number = digits_of(text)
    prefix = _CARD_PREFIXES.get(len(number))
    return prefix is not None and prefix.match(number) is not None and len(set(number)) > 1 and luhn(number)


def de_tax_id(text: str) -> bool:
    """German Steuer-ID: § 139b AO, ISO 7064 mod 11,10; exactly one digit of the first ten appears two or three times."""
    number = digits_of(text)
    if len(number) != 11 or number[0] == "0":
        return False
    counts = sorted((number[:10].count(digit) for digit in set(number[:10])), reverse=True)
    return counts[0] in (2, 3) and all(count == 1 for count in counts[1:]) and _mod_11_10(number)


def _mod_11_10(number: str) -> bool:
    product = 10
    for char in number[:-1]:
        total = (int(char) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(number[-1])


def de_vat(text: str) -> bool:
    """German USt-IdNr.: nine digits, ISO 7064 mod 11,10."""
    return _mod_11_10(digits_of(text))


def de_pension(text: str) -> bool:
    """German Rentenversicherungsnummer (§ 147 SGB VI): weights 2 1 2 5 7 1 2 1 2 1 2 1 over letter-expanded digits."""
    compact = "".join(char for char in text if char.isalnum()).upper()
    if not re.fullmatch(r"\d{8}[A-Z]\d{3}", compact) or not 1 <= int(compact[4:6]) <= 12:
        return False
    expanded = compact[:8] + f"{ord(compact[8]) - 64:02d}" + compact[9:11]
    total = sum(sum(divmod(int(char) * weight, 10)) for char, weight in zip(expanded, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1), strict=True))
    return total % 10 == int(compact[11])


def fr_nir(text: str) -> bool:
    """French NIR: key = 97 - number mod 97; Corsica 2A = 19, 2B = 18."""
    compact = "".join(char for char in text if char.isascii() and char.isalnum()).upper().replace("CL", "")
    body = compact[:13].replace("2A", "19").replace("2B", "18")
    return len(compact) == 15 and body.isdigit() and compact[13:].isdigit() and 97 - int(body) % 97 == int(compact[13:])


def fr_tax_id(text: str) -> bool:
    """French numéro fiscal (SPI): 13 digits, last three = first ten mod 511."""
    number = digits_of(text)
    return len(number) == 13 and int(number[:10]) % 511 == int(number[10:])


def luhn_whole(text: str) -> bool:
    """SIREN, SIRET: Luhn over all digits."""
    number = digits_of(text)
    return len(set(number)) > 1 and luhn(number)


def uk_nino(text: str) -> bool:
    """UK National Insurance number: prefixes never issued (HMRC NIM39110)."""
    return "".join(text.split()).upper()[:2] not in {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"}


def uk_nhs(text: str) -> bool:
    """NHS number: mod 11 with weights 10 to 2."""
    number = digits_of(text)
    remainder = 11 - sum(int(char) * weight for char, weight in zip(number, range(10, 1, -1), strict=False)) % 11
    return len(number) == 10 and len(set(number)) > 1 and remainder != 10 and remainder % 11 == int(number[9])


def ch_ahv(text: str) -> bool:
    """Swiss AHV number: EAN-13 with the country code 756."""
    number = digits_of(text)
    total = sum(int(char) * (3 if index % 2 else 1) for index, char in enumerate(number[:12]))
    return len(number) == 13 and number.startswith("756") and (10 - total % 10) % 10 == int(number[12])


def ch_uid(text: str) -> bool:
    """Swiss UID: mod 11 with weights 5 4 3 2 7 6 5 4 (eCH-0097)."""
    number = digits_of(text)
    check = 11 - sum(int(char) * weight for char, weight in zip(number, (5, 4, 3, 2, 7, 6, 5, 4), strict=False)) % 11
    return len(number) == 9 and check != 10 and check % 11 == int(number[8])


def us_ssn(text: str) -> bool:
    """US SSN or ITIN: areas 000, 666 and groups or serials of zeros were never issued; 9xx only as ITIN."""
    number = digits_of(text)
    area, group, serial = number[:3], number[3:5], number[5:]
    if area in {"000", "666"} or group == "00" or serial == "0000":
        return False
    return area[0] != "9" or int(group) >= 50


def us_routing(text: str) -> bool:
    """ABA routing number: weights 3 7 1."""
    number = digits_of(text)
    return (
        len(number) == 9
        and number != "0" * 9
        and sum(int(char) * weight for char, weight in zip(number, (3, 7, 1) * 3, strict=True)) % 10 == 0
    )


def ie_pps(text: str) -> bool:
    """Irish PPS number: mod 23 with weights 8 to 2, second letter weighs 9."""
    compact = text.replace(" ", "").upper()
    extra = compact[8:9]
    total = sum(int(char) * weight for char, weight in zip(compact[:7], range(8, 1, -1), strict=True)) + (
        9 * (ord(extra) - 64) if extra.isalpha() and extra != "W" else 0
    )
    return "WABCDEFGHIJKLMNOPQRSTUV"[total % 23] == compact[7]


def nl_bsn(text: str) -> bool:
    """Dutch BSN: the eleven test."""
    number = digits_of(text)
    return (
        len(number) == 9
        and number != "0" * 9
        and sum(int(char) * weight for char, weight in zip(number, (9, 8, 7, 6, 5, 4, 3, 2, -1), strict=True)) % 11 == 0
    )


_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)


def it_fiscal(text: str) -> bool:
    """Italian codice fiscale: DM 23-12-1976 control letter."""
    code = text.replace(" ", "").upper()
    total = 0
    for index, char in enumerate(code[:15]):
        value = int(char) if char.isdigit() else ord(char) - 65
        total += value if index % 2 else _ODD[value]
    return chr(65 + total % 26) == code[15]


def es_id(text: str) -> bool:
    """Spanish DNI and NIE: mod 23 letter."""
    compact = text.replace("-", "").replace(" ", "").replace(".", "").upper()
    number = {"X": "0", "Y": "1", "Z": "2"}.get(compact[0], compact[0]) + compact[1:-1]
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == compact[-1]


def phone(text: str) -> bool:
    """A telephone number: 8 to 15 digits (ITU-T E.164), nine for a national one, and no date."""
    number = digits_of(text)
    return (8 if text.startswith(("+", "00")) else 9) <= len(number) <= 15 and len(set(number)) > 2


_DATE_LIKE = re.compile(r"\(?0?\d{1,2}[./\- ]{1,3}[01]?\d[./\- ]{1,3}(?:19|20)\d\d")


def phone_national(text: str) -> bool:
    """A national number with its trunk zero; a date is written with the same separators."""
    return phone(text) and not _DATE_LIKE.match(text)


def phone_prefix(text: str) -> int | None:
    """An international number with its extension."""
    return len(text) if phone(re.split("[a-zA-Z]", text, maxsplit=1)[0]) else None


def phone_labelled(text: str) -> bool:
    """Behind a label, six digits are enough."""
    return 6 <= len(digits_of(text)) <= 15


def address(text: str) -> bool:
    """An IP address of a person or host; loopback and unspecified say nothing about anyone."""
    try:
        found = ip_address(text)
    except ValueError:
        return False
    return not (found.is_loopback or found.is_unspecified)


def lei(text: str) -> bool:
    """Legal entity identifier: ISO 17442, ISO 7064 mod 97-10; one of digits alone is a number."""
    return any(char.isalpha() for char in text) and int("".join(str(int(char, 36)) for char in text)) % 97 == 1


def vat_shape(text: str) -> bool:
    """A VAT number by its state's shape (Directive 2006/112/EC annex); Romanian ones may be short enough to be anything."""
    return not text.startswith("RO") or len(digits_of(text)) >= 6


def siret(text: str) -> bool:
    """Luhn, but not a time stamp such as 20240131093000."""
    return luhn_whole(text) and not re.match(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])", text)


def es_cif(text: str) -> bool:
    """Spanish CIF (Orden EHA/451/2008): a control digit or letter."""
    compact = "".join(char for char in text if char.isalnum())
    even = sum(int(char) for char in compact[2:8:2])
    odd = sum(sum(divmod(int(char) * 2, 10)) for char in compact[1:8:2])
    control = (10 - (even + odd) % 10) % 10
    return compact[8] in (str(control), "JABCDEFGHI"[control])


_BIC_COUNTRIES = frozenset("AT BE BG CA CH CY CZ DE DK EE ES FI FR GB GR HR HU IE IT LI LT LU LV MT NL NO PL PT RO SE SI SK US".split())


def bic(text: str) -> bool:
    """A BIC (ISO 9362) that stands without its label: a bank's country, and no everyday word in capitals."""
    if text[4:6] not in _BIC_COUNTRIES:
        return False
    if any(char.isdigit() for char in text) or text.endswith("XXX"):
        return True
    return not names.is_common(text)


def mrz(text: str) -> bool:
    """The second line of a passport's machine-readable zone (ICAO 9303-4): the check digits of number and birth."""
    return _mrz_digit(text[:9]) == text[9] and _mrz_digit(text[13:19]) == text[19]


def _mrz_digit(field: str) -> str:
    return str(sum((0 if char == "<" else int(char, 36)) * (7, 3, 1)[index % 3] for index, char in enumerate(field)) % 10)


def de_document(text: str) -> bool:
    """A German identity card's or passport's number with its check digit (ICAO weights 7 3 1)."""
    return sum(char.isdigit() for char in text[:9]) >= 2 and _mrz_digit(text[:9]) == text[9]


def has_digits(text: str) -> int | None:
    """A number has digits; a word behind a label is a word."""
    return len(text) if sum(char.isdigit() for char in text) >= 2 else None


_PLAIN_DATE = re.compile(r"\d{1,2}[./\-]\d{1,2}[./\-](?:\d{4}|\d{2})|(?:19|20)\d{2}-[01]\d-[0-3]\d|(?:19|20)\d{2}")


def file_number(text: str) -> int | None:
    """A file's number behind a label: three digits, and neither a date nor a year by itself."""
    return None if _PLAIN_DATE.fullmatch(text.strip()) else has_digits(text)


_SALESFORCE = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def salesforce_id(text: str) -> bool:
    """An 18-character record id: its last three characters say which letters of the first fifteen are upper case."""
    if len(text) == 15:
        return bool(re.match(r"(?:00[1356DGQTUX]|015|500|701|80[01]|a[0-9A-Z])", text)) and not text.isdigit() and not text.islower()
    if len(text) != 18:
        return False
    for chunk in range(3):
        value = sum(1 << bit for bit, char in enumerate(text[chunk * 5 : chunk * 5 + 5]) if char.isascii() and char.isupper())
        if text[15 + chunk].upper() != _SALESFORCE[value]:
            return False
    return True


def trimmed(text: str) -> int | None:
    """Without separators at its end."""
    if _COURTS.search(text):
        return None
    return len(text.rstrip(" ,;\n-")) or None


_COURTS = re.compile(
    r"^(?:19|20)\d\d |\b(?:Supreme|High|District|Circuit|Appeals?|Federal|County|Crown|Family|Commercial|Regional|Higher) Court"
)
_STREET = re.compile(r"(\S+) \d{1,4}\b")
_DOUBTFUL = ("ring", "damm", "ufer", "pfad", "markt", "graben", "steig", "weg", "platz")


def street(text: str) -> int | None:
    """A street and a house number, not a word of the language and a year."""
    found = _STREET.search(text)
    if found is None or re.search(r" (?:19|20)\d\d\b", found.group()):
        return None
    word = found.group(1)
    if word.lower().endswith(_DOUBTFUL) and word.lower() not in ("marktplatz", "kirchplatz", "bahnhofplatz") and names.is_common(word):
        return None
    return trimmed(text)


def uk_postcode(text: str) -> int | None:
    """A postcode stands with its space, or is long enough to be nothing else."""
    return len(text) if " " in text else None


def eircode(text: str) -> int | None:
    """An Irish postcode: letters and digits behind the routing key, or it may be a year."""
    return len(text) if any(map(str.isalpha, text[-4:])) and any(map(str.isdigit, text[-4:])) else None


_WEAK_VALUES = re.compile(
    r"(?i)(?:protected|required|policy|reset|manager|is|was|the|must|should|not|none|null|true|false|changed|expired|unknown)\W*"
)


def password(text: str) -> int | None:
    """What stands behind a password's label and looks like one: letters and digits or signs, no everyday word."""
    if _WEAK_VALUES.fullmatch(text) or text.startswith(("[", "{", "<", "$")):
        return None
    kinds = sum((any(map(str.isalpha, text)), any(map(str.isdigit, text)), any(not char.isalnum() for char in text[:-1])))
    return len(text.rstrip(".,;)")) if kinds > 1 else None
