"""Checksums of further states' personal numbers. Sources are named per function."""

from __future__ import annotations

from curtilage.sanitize.checks import digits_of, luhn


def is_day(day: str, month: str) -> bool:
    """Whether these can be a day and a month."""
    return 1 <= int(day) <= 31 and 1 <= int(month) <= 12


def be_nrn(text: str) -> bool:
    """Belgian national register number: 97 minus the first nine digits mod 97, with a leading 2 for those born from 2000 on."""
    number = digits_of(text)
    if len(number) != 11 or int(number[2:4]) % 20 > 12 or int(number[4:6]) > 31:
        return False
    return int(number[9:]) in (97 - int(number[:9]) % 97, 97 - int("2" + number[:9]) % 97)


def at_svnr(text: str) -> bool:
    """Austrian insurance number: weights 3 7 9 . 5 8 4 2 1 6, mod 11 in the fourth place."""
    number = digits_of(text)
    if len(number) != 10 or not 1 <= int(number[4:6]) <= 31 or not 1 <= int(number[6:8]) <= 15:
        return False
    total = sum(int(char) * weight for char, weight in zip(number, (3, 7, 9, 0, 5, 8, 4, 2, 1, 6), strict=True))
    return total % 11 == int(number[3])


def pl_pesel(text: str) -> bool:
    """Polish PESEL: weights 1 3 7 9; a date whose month carries the century."""
    number = digits_of(text)
    if len(number) != 11 or not is_day(number[4:6], str(int(number[2:4]) % 20)):
        return False
    return sum(int(char) * weight for char, weight in zip(number, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1), strict=True)) % 10 == 0


def se_personnummer(text: str) -> bool:
    """Swedish personal number: Luhn over the last ten digits; a day above 60 is a coordination number."""
    number = digits_of(text)[-10:]
    return len(number) == 10 and is_day(str(int(number[4:6]) % 60 or 1), number[2:4]) and luhn(number)


def dk_cpr(text: str) -> bool:
    """Danish CPR: a date and four digits; numbers since 2007 have no check digit (CPR-kontoret)."""
    number = digits_of(text)
    return len(number) == 10 and is_day(number[:2], number[2:4])


def fi_hetu(text: str) -> bool:
    """Finnish personal code: date and serial mod 31."""
    number = text[:6] + text[7:10]
    return is_day(text[:2], text[2:4]) and "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(number) % 31] == text[10]


def cz_rodne(text: str) -> bool:
    """Czech and Slovak birth number: divisible by 11 since 1954; women's months are raised by 50, overflow by 20 or 70."""
    number = digits_of(text)
    if not is_day(number[4:6], str(int(number[2:4]) % 50 % 20)):
        return False
    return len(number) == 10 and (int(number) % 11 == 0 or (int(number[:9]) % 11 == 10 and number[9] == "0"))


def ro_cnp(text: str) -> bool:
    """Romanian CNP: weights 2 7 9 1 4 6 3 5 8 2 7 9, mod 11."""
    if not is_day(text[5:7], text[3:5]):
        return False
    total = sum(int(char) * weight for char, weight in zip(text, (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9), strict=False)) % 11
    return (1 if total == 10 else total) == int(text[12])
