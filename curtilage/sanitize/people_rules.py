"""How many words of a run are one person's name: by given name, surname, initials, capitals, title, role, or letters alone."""

# ruff: noqa: SIM905 - a list of words is read as words

from __future__ import annotations

import re

from curtilage.sanitize import people_words as words
from curtilage.sanitize.names import (
    COMMON,
    FREQUENT_GIVEN,
    FREQUENT_SURNAME,
    GIVEN,
    GIVEN_OR_WORD,
    NAME,
    PLACE,
    SURNAME,
    SURNAME_OR_WORD,
)
from curtilage.sanitize.people_context import is_german, is_unlisted, one_word_expected
from curtilage.sanitize.people_tokens import PARTICLES, Token
from curtilage.sanitize.shapes import score

_STRONG_PARTICLE = re.compile(r"[ \t](?:von|van|vom|zu|ter|ten|bin|bint|ibn|ben|abu|al|el|af|av)[ \t]")
_LOWER_PARTICLE = re.compile(r"[ \t](?:von|van|de|del|della|di|da|du|der|den|ter|la|le|bin|ibn|al|el|y)[ \t]")
_PARTY_AFTER = re.compile(r"\s{1,2}(?:\./\.|c/|/\.)\s")
_PERSON_AFTER = re.compile(words.PERSON_AFTER)
# Chinese and Korean surnames of two letters, too short for the table.
_SHORT_SURNAMES = frozenset("li wu xu hu lu ma yu ye du su gu fu ke ni qi qu ge mu ji bi yi ko ha".split())
_COMMA = re.compile(r", ?")


def _plausible(token: Token) -> bool:
    """A word that may be a surname nobody listed."""
    return len(token.word) > 1 and not token.flags & (COMMON | PLACE) and token.key not in words.NEVER


def strong_given(token: Token) -> bool:
    """Whether a word is a given name and little else."""
    flags = token.flags
    if not flags & GIVEN or flags & GIVEN_OR_WORD or (token.word.isupper() and len(token.word) < 5):
        return False
    return not (flags & FREQUENT_SURNAME and not flags & FREQUENT_GIVEN)


def name_length(text: str, run: list[Token], expected: int) -> int:
    """How many words from the run's beginning are one name; 0 when none is. ``expected``: see `expected_before`."""
    first = run[0]
    if first.initial:
        return _after_initials(text, run, expected)
    if len(run) > 1 and (_capitals_first(run) or _capitals_after(run) or _capitals_both(run)):
        return 2 + _more(text, run[2:])
    if expected > 1:
        return _after_title(text, run, sure=expected == 3)
    if first.flags & GIVEN:
        found = _from_given(text, run, expected)
        if found:
            return found
    if first.flags & SURNAME:
        found = _surname_first(text, run, expected)
        if found:
            return found
    if first.key in _SHORT_SURNAMES and not first.flags and len(run) > 1 and strong_given(run[1]) and not run[1].flags & PLACE:
        return 2  # "Li Xiaoming"
    return (expected and _after_role(text, run)) or _by_shape(text, run, expected) or _alone(text, run, expected)


def _unlisted(token: Token, at_least: float) -> bool:
    """A word that is in no list and has a name's letters."""
    return not token.flags and not token.initial and len(token.word) > 2 and score(token.key) > at_least


def _alone(text: str, run: list[Token], expected: int) -> int:
    """One word behind a role or a greeting, or a party in a case's caption ("Huber ./. Kern")."""
    token = run[0]
    if token.initial or not (token.flags & SURNAME or _unlisted(token, 0.8)):
        return 0
    if _PARTY_AFTER.match(text, token.end):
        return 1
    if not expected or (token.flags & COMMON and (token.flags & PLACE or is_german(text, token.start))):
        return 0
    return 1 + _more(text, run[1:]) if one_word_expected(text, token.start) else 0


def _weight(token: Token) -> float:
    """How much a word by itself speaks for a name; a word nobody listed is weighed by its letters."""
    flags = token.flags
    if token.initial or len(token.word) < 3 or token.word.isupper():
        return -9.0
    if flags & NAME:
        return (
            (3.0 if flags & GIVEN else 2.0)
            + (1.5 if flags & FREQUENT_SURNAME else 0.0)
            - (3.0 if flags & COMMON else 0.0)
            - (1.5 if flags & PLACE else 0.0)
        )
    if flags:
        return -9.0
    return min(4.0, score(token.key))


def _by_shape(text: str, run: list[Token], expected: int) -> int:
    """Two words side by side that together look like a name, though no rule is sure of either."""
    if len(run) < 2:
        return 0
    parts = 1
    while parts < len(run) - 1 and (is_particle(run[parts]) or run[parts].initial):
        parts += 1
    first, second = _weight(run[0]), _weight(run[parts])
    # An initial or a particle between two words is what names have.
    if parts > 1 or _STRONG_PARTICLE.search(text, run[0].end, run[parts].start + 1):
        first, second = first + 1.5, second + 1.5
    if first + second < 0.5:  # the least that is ever asked for
        return 0
    if not expected and not run[0].flags & GIVEN and is_unlisted(text, run[0].start) and not _person_follows(text, run):
        return 0
    needed = 0.5 if expected or _person_follows(text, run) else 2.5 if is_german(text, run[0].start) else 1.8
    known = run[0].flags & run[parts].flags & NAME
    if (
        first + second < needed
        or min(first, second) < (-1.0 if needed < 1 or parts > 1 else 0.0)
        or (run[0].flags and run[parts].flags and not known and parts == 1)
    ):
        return 0
    return parts + 1 + (len(run) > parts + 1 and _weight(run[parts + 1]) > 1.0)


def _capitals_first(run: list[Token]) -> bool:
    """BRANDT Ilse: the surname in capitals, the given name not."""
    first, second = run[0], run[1]
    if not first.word.isupper() or len(first.word) < 4 or first.flags & (COMMON | PLACE) or second.word.isupper():
        return False
    return (bool(first.flags & SURNAME) or _unlisted(first, 0.5)) and (bool(second.flags & GIVEN) or _unlisted(second, 0.0))


def _capitals_after(run: list[Token]) -> bool:
    """Ilse BRANDT."""
    first, second = run[0], run[1]
    if first.word.isupper() or not second.word.isupper() or len(second.word) < 4 or second.flags & (COMMON | PLACE):
        return False
    return (bool(first.flags & GIVEN) or _unlisted(first, 0.0)) and (bool(second.flags & SURNAME) or _unlisted(second, 0.5))


def _capitals_both(run: list[Token]) -> bool:
    """ILSE BRANDT: each is a name or has a name's letters, and none is anything else."""
    if not all(token.word.isupper() and len(token.word) > 3 for token in run[:2]):
        return False
    if run[0].flags & FREQUENT_GIVEN and not run[0].flags & COMMON and run[1].flags & FREQUENT_SURNAME:
        return True
    return all(not token.flags & (COMMON | PLACE) and (token.flags & NAME or _unlisted(token, 2.0)) for token in run[:2])


def _after_initials(text: str, run: list[Token], expected: int) -> int:
    count = next((number for number, token in enumerate(run) if not token.initial), len(run))
    if count == len(run) or count > 3 or not run[0].word.endswith("."):
        return 0
    while count < len(run) - 1 and is_particle(run[count]):
        count += 1
    surname = run[count]
    particle = _STRONG_PARTICLE.search(text, run[count - 1].end - 1, surname.start + 1) is not None
    meant = surname.flags & FREQUENT_SURNAME or (surname.flags & SURNAME and (particle or score(surname.key) > 2.0))
    if surname.flags & COMMON and not meant:
        return 0
    listed = text[max(0, run[0].start - 2) : run[0].start].strip(" \t") in ("", "\n") and count == 1  # "A. Sachverhalt"
    if not (surname.flags & SURNAME or expected or (_plausible(surname) and count > 1) or _unlisted(surname, 2.5 if listed else 0.5)):
        return 0
    if surname.flags & GIVEN and len(run) > count + 1:
        return count + max(1, _from_given(text, run[count:], expected))
    return count + 1 + _more(text, run[count + 1 :])


def _more(text: str, rest: list[Token]) -> int:
    """Further parts of a double surname; behind one, a frequent surname is one also where it means something."""
    count = 0
    for token in rest[:2]:
        surname = token.flags & SURNAME and not token.flags & COMMON and (token.flags & FREQUENT_SURNAME or not token.flags & PLACE)
        double = token.flags & FREQUENT_SURNAME and not token.word.isascii() and not is_german(text, token.start)
        if surname or double or _unlisted(token, 1.5):
            count += 1
        else:
            break
    return count


def is_particle(token: Token) -> bool:
    """Whether a capitalised word is a small word of names ("Le Corre", "VAN DER MEER")."""
    return token.key in PARTICLES


def _after_title(text: str, run: list[Token], *, sure: bool) -> int:
    """Behind a title or a label: the first word is a name unless it is a word of the language and no name; then names go on."""
    count = words_seen = 0
    for number, token in enumerate(run[:5]):
        if not token.initial and not is_particle(token):
            named = token.flags & (FREQUENT_SURNAME | GIVEN) or (token.flags & SURNAME and number and strong_given(run[number - 1]))
            common = bool(token.flags & COMMON)
            if words_seen == 0 and common and not token.flags & NAME and not sure:
                return 0
            if words_seen and common and not named and (is_german(text, token.start) or not token.flags & SURNAME):
                break
            if words_seen == 3:
                break
            words_seen += 1
        count += 1
    return count if words_seen else 0


def _from_given(text: str, run: list[Token], expected: int) -> int:
    """From a given name on: more given names and initials, then a surname."""
    first = run[0]
    strong = strong_given(first)
    count = 1
    while count < len(run) and count < 4 and (run[count].initial or (run[count].flags & GIVEN and not run[count].flags & GIVEN_OR_WORD)):
        count += 1
    parts = count
    while parts < len(run) - 1 and is_particle(run[parts]):
        parts += 1
    if parts < len(run):
        surname = run[parts]
        particle = parts > count or _LOWER_PARTICLE.search(text, run[count - 1].end - 1, surname.start + 1) is not None
        if strong:
            # A capital particle ("Le Corre") belongs to a name, whatever comes behind it means.
            follows = parts > count or bool(surname.flags & SURNAME) or _plausible(surname)
            follows = follows or (not (surname.flags & COMMON and is_german(text, run[0].start)) and not particle)
        elif run[count - 1].initial and count > 1:
            follows = not surname.flags & COMMON or bool(surname.flags & SURNAME)
        elif surname.flags & SURNAME and not (first.flags & PLACE and surname.flags & (SURNAME_OR_WORD | PLACE) and not expected):
            follows = bool(expected or not surname.flags & COMMON or surname.flags & FREQUENT_SURNAME or run[count - 1].initial)
        else:
            follows = False
        if follows:
            return parts + 1 + _more(text, run[parts + 1 :])
    if count > 1 and (run[count - 1].flags & NAME or run[count - 1].initial):
        # "Jean Martin", "Maria Rosa": given names only; a second one may be the surname.
        if run[count - 1].initial:
            count -= 1
        if count > 1 and (strong or expected or run[1].flags & SURNAME):
            return count
        if count == 1 and not strong and not expected:
            return 0
    if strong and not first.flags & (PLACE | SURNAME_OR_WORD) and (not first.word.isupper() or expected) and len(first.word) > 2:
        return 1
    if expected and strong:
        return 1
    return 1 if first.flags & FREQUENT_GIVEN and strong and not first.word.isupper() and _person_follows(text, run[:1]) else 0


def reversed_length(text: str, tokens: list[Token], index: int, expected: int) -> int:
    """A surname, a comma and a given name."""
    surname = tokens[index]
    if index + 1 == len(tokens) or surname.initial:
        return 0
    given = tokens[index + 1]
    if _COMMA.fullmatch(text, surname.end, given.start) is None or given.key in words.NEVER:
        return 0
    if expected > 1 and not given.flags & (COMMON | PLACE) and (surname.flags & SURNAME or not surname.flags & (COMMON | PLACE)):
        return 2  # "Name: Huber, Sepp"
    if not given.flags & GIVEN:
        return 2 if min(_weight(surname), _weight(given)) > 1.0 and _weight(surname) + _weight(given) > 4.0 else 0
    if not surname.flags & SURNAME:
        return 2 if _weight(surname) + _weight(given) > 3 and _weight(surname) > 0 else 0
    if surname.flags & COMMON and (not surname.flags & FREQUENT_SURNAME or given.flags & COMMON):
        return 2 if strong_given(given) and score(surname.key) > 2.0 and not given.flags & PLACE else 0
    return 0 if given.flags & PLACE and surname.flags & PLACE else 2


def _surname_first(text: str, run: list[Token], expected: int) -> int:
    """DUPONT Jean, and a surname by itself where a role asks for one."""
    first = run[0]
    if len(run) > 1 and (first.word.isupper() or expected) and not first.flags & COMMON and strong_given(run[1]):
        return 2
    if len(run) > 1 and not first.flags & (COMMON | PLACE) and strong_given(run[1]) and not run[1].flags & (SURNAME | PLACE):
        return 2
    if expected and not first.flags & (COMMON | PLACE):
        return 1 + _more(text, run[1:])
    return 0


def _after_role(text: str, run: list[Token]) -> int:
    """Behind a role ("the witness …"): two capitalised words that are no words of the language, or one that is surely a surname."""
    if len(run) < 2 or run[0].word.isupper() or not (_plausible(run[0]) or run[0].flags & GIVEN):
        return 0
    if _plausible(run[1]) or run[1].flags & SURNAME:
        return 2 + _more(text, run[2:])
    return 0


def _person_follows(text: str, run: list[Token]) -> bool:
    """Whether what comes after can only be said of a person."""
    last = run[min(len(run), 3) - 1]
    return all(_plausible(token) or token.flags & NAME for token in run[:2]) and _PERSON_AFTER.match(text, last.end) is not None
