"""What the words before a capitalised word say of it: a title, a label, a role, the other party of a case; and the language around it."""

from __future__ import annotations

import re
from functools import lru_cache

from curtilage.sanitize import people_words as words

_CUE = re.compile(words.CUES + r"$", re.IGNORECASE)
_ROLE = re.compile(words.ROLES + r"$", re.IGNORECASE)
_PARTY_BEFORE = re.compile(r"(?:\./\.|\bc/|\bgegen|/\.|\bcontr[aoe]|(?<=\w )c\.)\s{1,2}$")
_TITLE_BEFORE = re.compile(words.TITLES + r"$")
_SURE_TITLE_BEFORE = re.compile(words.SURE_TITLES + r"$")
_GERMAN = re.compile(r"\b(?:der|die|das|und|ist|nicht|mit|von|dem|den|hat|wurde|wird|ein|eine|auf|sich|bei)\b")
# Languages whose everyday words the table does not have: Dutch, Polish, Portuguese.
_UNLISTED = re.compile(
    r"\b(?:een|het|wordt|worden|heeft|voor|geen|deze|werd|aan|się|nie|jest|został[aoy]?|oraz|przez|dnia|zł|nr|na podstawie|zgodnie"
    r"|wydał[ao]?|złożył[ao]?|não|são|uma|pelo|pela|foi|aos|às|ao|aplicou|os|sua)\b"
)
_LABEL_BEFORE = re.compile(words.LABELS + r"$", re.IGNORECASE)
_ALL_TITLES = frozenset(words.ALL_TITLES.lower().split())
_SURE_TITLES = frozenset(words.SURE.lower().split())
# Small words of a name between a title and its capital: "Frau van der Meer", "Monsieur de la Tour", "Mr d'Arcy".
_PARTICLES = re.compile(
    r"(?:^|(?<=[ \t]))(?:(?:von|van|vom|zu|zum|zur|de|del|della|di|da|do|dos|das|du|des|ten|ter|bin|bint|ibn|ben|abu|al|el|af|av)[ \t]+"
    r"(?:(?:de[rnm]?|la|las|los|le|['’]t)[ \t]+)?(?:[dl]['’])?|d['’]|[ae]l-)$"
)
# Not those that name an office, which has a place behind it: "Giudice di Pace", "Préfet de la Gironde".
_PLAIN_TITLES = frozenset(words.PLAIN_TITLES.lower().split())
_LAST_WORD = re.compile(words.LAST_WORDS, re.IGNORECASE)


def _word_before(text: str, start: int) -> str:
    """The word before, as it is written, with what sticks to its end."""
    before = text[max(0, start - 28) : start].split()
    return before[-1].lstrip("\"'([{„“‘«‹*_") if before else ""


def particles_behind_title(text: str, start: int) -> int:
    """Where the name of a capitalised word begins: before its particles when a title stands in front of them."""
    if text[start - 1 : start] not in ("'", "’", "-") and text[start - 2 : start - 1] not in tuple("nmruealsotfviy"):
        return start
    found = _PARTICLES.search(text, max(0, start - 24), start)
    if found is None or _word_before(text, found.start()).rstrip(".").lower() not in _PLAIN_TITLES:
        return start
    return found.start() if _TITLE_BEFORE.search(text[max(0, found.start() - 48) : found.start()]) else start


def behind_sure_title(text: str, start: int) -> bool:
    """Whether the word before is a title that only people have."""
    return _word_before(text, start).rstrip(".").lower() in _SURE_TITLES


@lru_cache(maxsize=8192)
def _may_be_cue(word: str) -> bool:
    """Whether a word can be the last of a role, a phrase or a greeting; asked before the long expression is."""
    return _LAST_WORD.fullmatch(word) is not None


def expected_before(text: str, start: int) -> int:
    """How strongly the words before ask for a name: 3 behind a sure title, 2 behind a title or a label, 1 behind a role, 0 otherwise."""
    if (begins := particles_behind_title(text, start)) != start:
        return 2 if expected_before(text, begins) else 0
    word = _word_before(text, start)
    if not word:
        return 0
    window = text[max(0, start - 48) : start]
    if word.rstrip(".").lower() in _ALL_TITLES and _TITLE_BEFORE.search(window):
        return 3 if _SURE_TITLE_BEFORE.search(window) else 2
    if (":" in word or "=" in word) and _LABEL_BEFORE.search(window):
        return 2
    return 1 if (_may_be_cue(word) and _ends_in(_CUE, window)) or _PARTY_BEFORE.search(window) else 0


def one_word_expected(text: str, start: int) -> bool:
    """Whether a role or the other party of a case stands before: there a surname by itself is a name."""
    window = text[max(0, start - 48) : start]
    return _PARTY_BEFORE.search(window) is not None or _ends_in(_ROLE, window)


def _ends_in(cue: re.Pattern[str], window: str) -> bool:
    """Whether a role or phrase ends here; tried at the last words' beginnings only, which is most of the expression's cost."""
    position = len(window)
    for _ in range(6):
        position = max(window.rfind(sign, 0, position - 1) for sign in " \n\t(") + 1 if position > 1 else 0
        if cue.match(window, position):
            return True
        if position == 0:
            return False
    return False


_AROUND = 400  # characters to each side that tell the language of a place: a whole text would be read again for each of its names


def is_german(text: str, place: int) -> bool:
    """German writes every noun with a capital, so a capital says less there."""
    return _GERMAN.search(text, max(0, place - _AROUND), place + _AROUND) is not None


def is_unlisted(text: str, place: int) -> bool:
    """Whether the place is in a language whose everyday words the table does not have: there a word that nobody listed says nothing."""
    return _UNLISTED.search(text, max(0, place - _AROUND), place + _AROUND) is not None
