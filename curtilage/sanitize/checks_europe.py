"""Checksums of the numbers that the smaller states of Europe give to people and companies. Sources are named per function."""

from __future__ import annotations

from collections.abc import Iterable

from curtilage.sanitize.checks import digits_of, luhn
from curtilage.sanitize.checks_national import is_day


def _weighed(number: str, weights: Iterable[int]) -> int:
    return sum(int(char) * weight for char, weight in zip(number, weights, strict=False))


def baltic(text: str) -> bool:
    """Estonian isikukood and Lithuanian asmens kodas: century, date, serial; weights 1–9 1, then 3–9 1 2 3 where that gives 10."""
    number = digits_of(text)
    if len(number) != 11 or number[0] not in "12345678" or not is_day(number[5:7], number[3:5]):
        return False
    check = _weighed(number, (1, 2, 3, 4, 5, 6, 7, 8, 9, 1)) % 11
    if check == 10:
        check = _weighed(number, (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)) % 11 % 10
    return check == int(number[10])


def lv_personal(text: str) -> bool:
    """Latvian personas kods: weights 1 6 3 7 9 10 5 8 4 2, 1101 minus the sum, mod 11; since 2017 they begin with 32 and have no date."""
    number = digits_of(text)
    if number.startswith("32"):
        return len(number) == 11
    return is_day(number[:2], number[2:4]) and (1101 - _weighed(number, (1, 6, 3, 7, 9, 10, 5, 8, 4, 2))) % 11 % 10 == int(number[10])


def bg_egn(text: str) -> bool:
    """Bulgarian EGN: weights 2 4 8 5 10 9 7 3 6, mod 11; the month carries the century."""
    number = digits_of(text)
    if len(number) != 10 or not is_day(number[4:6], str(int(number[2:4]) % 20)):
        return False
    return _weighed(number, (2, 4, 8, 5, 10, 9, 7, 3, 6)) % 11 % 10 == int(number[9])


def mod_11_10(text: str) -> bool:
    """Croatian OIB: ISO 7064 mod 11,10."""
    product = 10
    number = digits_of(text)
    for char in number[:-1]:
        product = ((int(char) + product) % 10 or 10) * 2 % 11
    return len(number) == 11 and (11 - product) % 10 == int(number[-1])


def si_emso(text: str) -> bool:
    """EMŠO and JMBG of Yugoslavia's successors: date, region, serial; weights 7 6 5 4 3 2 twice, mod 11."""
    number = digits_of(text)
    if len(number) != 13 or not is_day(number[:2], number[2:4]) or number[4] not in "089":
        return False
    return (11 - _weighed(number, (7, 6, 5, 4, 3, 2) * 2) % 11) % 11 % 10 == int(number[12])


def si_tax(text: str) -> bool:
    """Slovenian davčna številka: weights 8 to 2, mod 11."""
    number = digits_of(text)
    return len(number) == 8 and (11 - _weighed(number, range(8, 1, -1)) % 11) % 10 == int(number[7])


def gr_afm(text: str) -> bool:
    """Greek AFM: powers of two, mod 11."""
    number = digits_of(text)
    return len(number) == 9 and number != "0" * 9 and _weighed(number, (256, 128, 64, 32, 16, 8, 4, 2)) % 11 % 10 == int(number[8])


def gr_amka(text: str) -> bool:
    """Greek AMKA: a date, then Luhn over all digits."""
    number = digits_of(text)
    return len(number) == 11 and is_day(number[:2], number[2:4]) and luhn(number)


_VERHOEFF_PRODUCT = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_VERHOEFF_ORDER = ("0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258")


def _verhoeff(number: str) -> bool:
    check = 0
    for place, char in enumerate(reversed(number)):
        check = int(_VERHOEFF_PRODUCT[check][int(_VERHOEFF_ORDER[place % 8][int(char)])])
    return check == 0


def lu_matricule(text: str) -> bool:
    """Luxembourg's matricule nationale: a date, then one digit by Luhn and one by Verhoeff over the first eleven."""
    number = digits_of(text)
    return len(number) == 13 and is_day(number[6:8], number[4:6]) and luhn(number[:12]) and _verhoeff(number[:11] + number[12])


def at_tax(text: str) -> bool:
    """Austrian Abgabenkontonummer: weights 1 2 1 2 1 2 1 2 with sums of digits, mod 10."""
    number = digits_of(text)
    total = sum(sum(divmod(int(char) * weight, 10)) for char, weight in zip(number, (1, 2) * 4, strict=False))
    return len(number) == 9 and (10 - total % 10) % 10 == int(number[8])


def dk_cvr(text: str) -> bool:
    """Danish CVR: weights 2 7 6 5 4 3 2 1, divisible by 11."""
    number = digits_of(text)
    return len(number) == 8 and number[0] != "0" and _weighed(number, (2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


def fi_business(text: str) -> bool:
    """Finnish Y-tunnus: weights 7 9 10 5 8 4 2, mod 11."""
    number = digits_of(text)
    rest = _weighed(number, (7, 9, 10, 5, 8, 4, 2)) % 11
    return len(number) == 8 and rest != 1 and (11 - rest) % 11 == int(number[7])


def hu_tax(text: str) -> bool:
    """Hungarian adószám: weights 9 7 3 1 9 7 3, mod 10, over the first eight digits."""
    number = digits_of(text)
    return len(number) in (8, 11) and (10 - _weighed(number, (9, 7, 3, 1, 9, 7, 3)) % 10) % 10 == int(number[7])


def hu_personal_tax(text: str) -> bool:
    """Hungarian adóazonosító jel: an eight, weights 1 to 9, mod 11."""
    number = digits_of(text)
    return len(number) == 10 and number[0] == "8" and _weighed(number, range(1, 10)) % 11 == int(number[9])


def hu_taj(text: str) -> bool:
    """Hungarian TAJ: weights 3 and 7 by turns, mod 10."""
    number = digits_of(text)
    return len(number) == 9 and _weighed(number, (3, 7) * 4) % 10 == int(number[8])


def pl_nip(text: str) -> bool:
    """Polish NIP: weights 6 5 7 2 3 4 5 6 7, mod 11."""
    number = digits_of(text)
    return len(number) == 10 and _weighed(number, (6, 5, 7, 2, 3, 4, 5, 6, 7)) % 11 == int(number[9])


def pl_regon(text: str) -> bool:
    """Polish REGON: weights 8 9 2 3 4 5 6 7, mod 11, over the first nine digits."""
    number = digits_of(text)
    return len(number) in (9, 14) and _weighed(number, (8, 9, 2, 3, 4, 5, 6, 7)) % 11 % 10 == int(number[8])


def pl_card(text: str) -> bool:
    """Polish identity card: three letters and six digits, weights 7 3 1 9 7 3 1 7 3, divisible by 10."""
    compact = text.replace(" ", "").upper()
    return sum(int(char, 36) * weight for char, weight in zip(compact, (7, 3, 1, 9, 7, 3, 1, 7, 3), strict=False)) % 10 == 0


def pt_nif(text: str) -> bool:
    """Portuguese NIF: weights 9 to 2, mod 11."""
    number = digits_of(text)
    return len(number) == 9 and number[0] != "0" and (11 - _weighed(number, range(9, 1, -1)) % 11) % 11 % 10 == int(number[8])


def pt_card(text: str) -> bool:
    """Portuguese Cartão de Cidadão: every second value doubled from the right, divisible by 10."""
    total = 0
    for index, char in enumerate(reversed(text.replace(" ", "").upper())):
        value = int(char, 36) * (1 + index % 2)
        total += value - 9 if index % 2 and value > 9 else value
    return total % 10 == 0


def se_company(text: str) -> bool:
    """Swedish organisationsnummer: a third digit of two or more, and Luhn."""
    number = digits_of(text)[-10:]
    return len(number) == 10 and number[2] >= "2" and luhn(number)


def no_birth(text: str) -> bool:
    """Norwegian fødselsnummer: a date and two check digits, weights 3 7 6 1 8 9 4 5 2 and 5 4 3 2 7 6 5 4 3 2, mod 11."""
    number = digits_of(text)
    if len(number) != 11 or not is_day(str(int(number[:2]) % 40), str(int(number[2:4]) % 40)):
        return False
    first = (11 - _weighed(number, (3, 7, 6, 1, 8, 9, 4, 5, 2)) % 11) % 11
    second = (11 - _weighed(number, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11) % 11
    return (first, second) == (int(number[9]), int(number[10]))


def is_kennitala(text: str) -> bool:
    """Icelandic kennitala: a date, weights 3 2 7 6 5 4 3 2, mod 11."""
    number = digits_of(text)
    day = str(int(number[:2]) % 40)
    return len(number) == 10 and is_day(day, number[2:4]) and (11 - _weighed(number, (3, 2, 7, 6, 5, 4, 3, 2)) % 11) % 11 == int(number[8])


def ro_cui(text: str) -> bool:
    """Romanian CUI: weights 7 5 3 2 1 7 5 3 2 aligned to the right, times ten, mod 11."""
    number = digits_of(text).zfill(10)
    return len(number) == 10 and _weighed(number, (7, 5, 3, 2, 1, 7, 5, 3, 2)) * 10 % 11 % 10 == int(number[9])


def cy_tic(text: str) -> bool:
    """Cypriot TIC: digits in odd places by a table, mod 26, as a letter."""
    compact = text.replace(" ", "").upper().removeprefix("CY")
    odd = {"0": 1, "1": 0, "2": 5, "3": 7, "4": 9, "5": 13, "6": 15, "7": 17, "8": 19, "9": 21}
    total = sum(odd[char] for char in compact[:8:2]) + sum(int(char) for char in compact[1:8:2])
    return len(compact) == 9 and chr(65 + total % 26) == compact[8]
