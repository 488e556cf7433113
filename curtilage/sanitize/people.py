"""Names of people in prose: a table of names, the words beside them, and nothing that needs a model.

A capitalised word is weighed by what the table says of it and by what stands beside it: a title, a role in a case, a given name, an
initial, a company's suffix. The rules are linear in the text and look at capitalised words only, so there is no deadline to miss and no
worker to lose (docs/adr/0007). What a rule is not sure of stays, except behind a title, a role or a label, where a name is expected.
"""

from __future__ import annotations

import re
from typing import NamedTuple

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
    flags_of,
    key_of,
)

PERSON = "PERSON"

_TOKEN = re.compile(r"(?:[dDlLO]['’])?[A-ZÀ-ÖØ-ÞĀ-Ɏ](?:[^\W\d_]|['’\-](?=[^\W\d_]))*\.?")
_GAP = re.compile(
    r"[ \t]{0,2}\n?[ \t]{0,2}(?:(?:von|van|vom|zu|zum|zur|der|den|ten|ter|de|del|della|delle|dello|degli|dei|di|da|dal|do|dos|das|du|des|la|le|lo|el|al|bin|bint|ibn|ben|abu|av|af|y|e|i)"
    r"[ \t]+){0,3}"
)
_LOWER_PARTICLE = re.compile(r"[ \t](?:von|van|de|del|della|di|da|du|der|den|ter|la|le|bin|ibn|al|el|y)[ \t]")
_CUE = re.compile(words.CUES + r"$", re.IGNORECASE)
_TITLE_BEFORE = re.compile(words.TITLES + r"$")
_LABEL_BEFORE = re.compile(words.LABELS + r"$", re.IGNORECASE)
_ORG_AFTER = re.compile(words.ORGANISATIONS)
_PLACE_BEFORE = re.compile(words.PLACES_BEFORE + r"$")
_PERSON_AFTER = re.compile(words.PERSON_AFTER)
_TITLE_WORDS = words.TITLE_WORDS
_LONGEST = 5


class Token(NamedTuple):
    """A capitalised word."""

    start: int
    end: int
    word: str
    flags: int
    initial: bool


def _tokens(text: str) -> list[Token]:
    found: list[Token] = []
    for match in _TOKEN.finditer(text):
        word, start, end = match.group(), match.start(), match.end()
        if not word[0].isupper() and word[1:2] not in "'’":
            continue
        if word.endswith("."):
            if len(word) > 2 and not (len(word) <= 5 and "-" in word):
                word, end = word[:-1], end - 1
            else:
                found.append(Token(start, end, word, 0, True))
                continue
        if word.endswith(("'s", "’s")) and len(word) > 3:
            word, end = word[:-2], end - 2
        if len(word) == 1:
            found.append(Token(start, end, word, 0, True))
            continue
        found.append(Token(start, end, word, flags_of(word), False))
    return found


def find_people(text: str, known: frozenset[str] | set[str] = frozenset()) -> list[tuple[int, int]]:
    """Where people are named, left to right.

    Args:
        text: folded text.
        known: words, as the table spells them, that were part of a name earlier in the call; they are names here too.
    """
    tokens = _tokens(text)
    if not tokens:
        return []
    spans: list[tuple[int, int]] = []
    learned: set[str] = set()
    index = 0
    while index < len(tokens):
        taken = _name_at(text, tokens, index)
        if not taken:
            index += 1
            continue
        run = tokens[index : index + taken]
        spans.append((run[0].start, run[-1].end))
        learned.update(key_of(token.word) for token in run if not token.initial and not token.flags & COMMON and len(token.word) > 2)
        index += taken
    learned |= known
    if learned:
        spans += [
            (token.start, token.end)
            for token in tokens
            if not token.initial
            and key_of(token.word) in learned
            and not any(start < token.end and end > token.start for start, end in spans)
            and not _ORG_AFTER.match(text, token.end)
            and not _PLACE_BEFORE.search(text, max(0, token.start - 24), token.start)
        ]
        spans.sort()
    return spans


def words_of(name: str) -> set[str]:
    """The words of a found name that stand for the person by themselves."""
    return {key_of(token.word) for token in _tokens(name) if not token.initial and not token.flags & COMMON and len(token.word) > 2}


# ---- one candidate


def _name_at(text: str, tokens: list[Token], index: int) -> int:
    """How many tokens from here are a person's name; 0 when none."""
    first = tokens[index]
    if first.word in _TITLE_WORDS or key_of(first.word) in words.NEVER:
        return 0
    run = _run(text, tokens, index)
    expected = _expected(text, first.start)
    length = _length(text, run, expected)
    if not length:
        return 0
    last = run[length - 1]
    if _ORG_AFTER.match(text, last.end):
        return 0
    if _PLACE_BEFORE.search(text, max(0, first.start - 24), first.start):
        return 0
    if length > 1 and " ".join(key_of(token.word) for token in run[:2]) in words.NOT_PEOPLE:
        return 0
    return length


def _run(text: str, tokens: list[Token], index: int) -> list[Token]:
    """The tokens that could belong to one name: side by side, with particles between."""
    run = [tokens[index]]
    for token in tokens[index + 1 : index + _LONGEST + 1]:
        before = run[-1]
        gap = _GAP.match(text, before.end, token.start)
        if gap is None or gap.end() != token.start or (token.start == before.end and not before.initial):
            break
        if "\n" in gap.group() and not (token.flags & SURNAME and not token.flags & COMMON and before.flags & GIVEN):
            break
        if key_of(token.word) in words.NEVER or token.word in _TITLE_WORDS:
            break
        run.append(token)
    return run


def _expected(text: str, start: int) -> int:
    """How strongly the words before ask for a name: 2 behind a title or a label, 1 behind a role, 0 otherwise."""
    window = max(0, start - 48)
    before = text[window:start]
    if _TITLE_BEFORE.search(before) or _LABEL_BEFORE.search(before):
        return 2
    return 1 if _CUE.search(before) else 0


def _plausible(token: Token) -> bool:
    """A word that may be a surname nobody listed."""
    return len(token.word) > 2 and not token.flags & (COMMON | PLACE) and key_of(token.word) not in words.NEVER


def _is_surname(token: Token, *, sure: bool) -> bool:
    flags = token.flags
    if not flags & SURNAME:
        return bool(flags & GIVEN and not flags & GIVEN_OR_WORD)
    return not flags & SURNAME_OR_WORD or bool(flags & FREQUENT_SURNAME) or (not sure and flags & NAME == NAME)


def _strong_given(token: Token) -> bool:
    flags = token.flags
    if not flags & GIVEN or flags & GIVEN_OR_WORD:
        return False
    return not (flags & FREQUENT_SURNAME and not flags & FREQUENT_GIVEN)


def _length(text: str, run: list[Token], expected: int) -> int:
    first = run[0]
    if first.initial:
        return _after_initials(text, run, expected)
    if expected == 2:
        return _after_title(run)
    if first.flags & GIVEN:
        found = _from_given(text, run, expected)
        if found:
            return found
    if first.flags & SURNAME:
        found = _surname_first(text, run, expected)
        if found:
            return found
    if expected == 1:
        return _after_role(text, run)
    if len(run) > 1 and _person_follows(text, run):
        return min(len(run), 3)
    return 0


def _after_initials(text: str, run: list[Token], expected: int) -> int:
    count = next((number for number, token in enumerate(run) if not token.initial), len(run))
    if count == len(run) or count > 3 or not run[0].word.endswith("."):
        return 0
    surname = run[count]
    if surname.flags & COMMON and not (surname.flags & FREQUENT_SURNAME):
        return 0
    if not (surname.flags & SURNAME or expected or (_plausible(surname) and count > 1)):
        return 0
    return count + 1 + _more(run[count + 1 :])


def _more(rest: list[Token]) -> int:
    """Further parts of a double surname."""
    count = 0
    for token in rest[:2]:
        if token.flags & SURNAME and not token.flags & (COMMON | PLACE):
            count += 1
        else:
            break
    return count


def _after_title(run: list[Token]) -> int:
    """Behind a title or a label: the first word is a name unless it is a word of the language and no name; then names go on."""
    count = 0
    for number, token in enumerate(run[:4]):
        common = token.flags & COMMON and not token.flags & NAME
        if common and number == 0:
            return 0
        if common or (number > 0 and token.flags & COMMON and not token.flags & (FREQUENT_SURNAME | GIVEN)):
            break
        count += 1
        if number > 0 and not token.initial and not token.flags & GIVEN and number >= 2:
            break
    return count if any(not token.initial for token in run[:count]) else 0


def _from_given(text: str, run: list[Token], expected: int) -> int:
    """From a given name on: more given names and initials, then a surname."""
    first = run[0]
    strong = _strong_given(first)
    count = 1
    while count < len(run) and count < 4 and (run[count].initial or (run[count].flags & GIVEN and not run[count].flags & GIVEN_OR_WORD)):
        count += 1
    if count < len(run):
        surname = run[count]
        particle = _LOWER_PARTICLE.search(text, run[count - 1].end - 1, surname.start + 1) is not None
        if particle and surname.flags & PLACE and not surname.flags & SURNAME and not strong:
            return 0
        listed = _is_surname(surname, sure=strong or expected > 0 or run[count - 1].initial)
        if (
            listed and (strong or expected or not surname.flags & COMMON or surname.flags & FREQUENT_SURNAME and not first.flags & PLACE)
        ) or (strong and (_plausible(surname) or (particle and not surname.flags & COMMON))):
            if not strong and not expected and not surname.flags & SURNAME:
                return 0
            if not strong and first.flags & PLACE and not expected and surname.flags & (SURNAME_OR_WORD | PLACE):
                return 0
            return count + 1 + _more(run[count + 1 :])
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


def _surname_first(text: str, run: list[Token], expected: int) -> int:
    """ "Müller, Anna", "DUPONT Jean", and a surname by itself where a role asks for one."""
    first = run[0]
    comma = re.compile(r", ?(?=[A-ZÀ-Þ])").match(text, first.end)
    if comma is not None and not first.flags & (SURNAME_OR_WORD | PLACE):
        following = _tokens(text[comma.end() : comma.end() + 40])
        if following and following[0].start == 0 and _strong_given(following[0]) and not following[0].flags & (PLACE | SURNAME):
            return 1  # the given name is found by itself
    if len(run) > 1 and (first.word.isupper() or expected) and not first.flags & COMMON and _strong_given(run[1]):
        return 2
    if len(run) > 1 and not first.flags & (COMMON | PLACE) and _strong_given(run[1]) and not run[1].flags & (SURNAME | PLACE):
        return 2
    if expected and not first.flags & (COMMON | PLACE):
        return 1 + _more(run[1:])
    return 0


def _after_role(text: str, run: list[Token]) -> int:
    """Behind a role ("the witness …"): two capitalised words that are no words of the language, or one that is surely a surname."""
    if len(run) > 1 and _plausible(run[0]) and _plausible(run[1]) and not _ORG_AFTER.match(text, run[1].end):
        return 2 + _more(run[2:])
    return 0


def _person_follows(text: str, run: list[Token]) -> bool:
    """Whether what comes after can only be said of a person."""
    last = run[min(len(run), 3) - 1]
    return all(_plausible(token) or token.flags & NAME for token in run[:2]) and _PERSON_AFTER.match(text, last.end) is not None
