"""Names of people in prose: a table of names, the words beside them, and nothing that needs a model.

A capitalised word is weighed by what the table says of it and by what stands beside it: a title, a role in a case, a given name, an
initial, a company's suffix. The rules are linear in the text and look at capitalised words only, so there is no deadline to miss and no
worker to lose (docs/adr/0007). What a rule is not sure of stays, except behind a title, a role or a label, where a name is expected.
"""

# ruff: noqa: E501 - an expression is read whole

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Set

import re2

from curtilage.sanitize import people_words as words
from curtilage.sanitize.names import COMMON, FREQUENT_SURNAME, GIVEN, NAME, PLACE, SURNAME
from curtilage.sanitize.people_context import behind_sure_title, expected_before, particles_behind_title
from curtilage.sanitize.people_rules import is_particle, name_length, reversed_length, strong_given
from curtilage.sanitize.people_tokens import Token, capitalised, frequent_given, is_dull, lower_case_names, tokens_of

PERSON = "PERSON"

_GAP = re.compile(
    r"[ \t]{0,2}\n?[ \t]{0,2}(?:(?:von|van|vom|zu|zum|zur|der|den|ten|ter|de|los|las|del|della|delle|dello|degli|dei|di|da|dal|do|dos|das|du|des|la|le|lo|el|al|te|op|af|bin|bint|ibn|ben|abu|av|af|y|e|i|(?:in[ \t]+|op[ \t]+)?['’][tT])"
    r"[ \t]+){0,3}(?:(?:d|l|dell|all)?['’]|(?:[ae]l|a[dnrstz]|ash|ul)-)?"
)
_JOINED = re.compile(r"[ \t](?:e|i|y)[ \t]+$")
_ARTICLE = re.compile(r"[ \t]+(?:der|den|des|dem)[ \t]+")
_SURE_TITLE_ANYWHERE = re2.compile(words.SURE_ANYWHERE)
_ORG_AFTER = re.compile(words.ORGANISATIONS)
_PLACE_BEFORE = re.compile(words.PLACES_BEFORE + r"$")
_TITLE_WORDS = words.TITLE_WORDS
_ROMAN = re.compile(r"[IVXLC]{1,5}")
_LONGEST = 5


def find_people(text: str, known: Set[str] = frozenset()) -> list[tuple[int, int]]:
    """Where people are named, left to right.

    Args:
        text: folded text.
        known: words, as the table spells them, that were part of a name earlier in the call; they are names here too.
    """
    if text.islower():
        return lower_case_names(text, sure=False)
    # People who type in a hurry leave the capitals out of names before they leave them out of sentences.
    spans: list[tuple[int, int]] = [] if frequent_given().isdisjoint(text.split()) else lower_case_names(text, sure=True)
    titled = _SURE_TITLE_ANYWHERE.search(text) is not None
    if not titled and not known and all(map(is_dull, capitalised(text))):
        return spans
    tokens = tokens_of(text)
    learned: set[str] = set()
    index = 0
    while index < len(tokens):
        token = tokens[index]
        if token.flags & COMMON and not token.flags & NAME and not (titled and behind_sure_title(text, token.start)):
            index += 1
            continue
        taken, person = _name_at(text, tokens, index)
        if person:
            run = tokens[index : index + taken]
            spans.append((particles_behind_title(text, run[0].start), run[-1].end))
            learned.update(token.key for token in run if _telling(token))
        index += max(1, taken)
    spans.sort()
    learned |= known
    if learned:
        spans += [
            (token.start, token.end)
            for token in tokens
            if not token.initial
            and token.key in learned
            and not _overlaps(spans, token)
            and not _ORG_AFTER.match(text, token.end)
            and not _PLACE_BEFORE.search(text, max(0, token.start - 24), token.start)
        ]
        spans.sort()
    return spans


def _overlaps(spans: list[tuple[int, int]], token: Token) -> bool:
    """Whether one of the sorted spans, which share nothing, lies over the token."""
    at = bisect_left(spans, (token.end, 0))
    return at > 0 and spans[at - 1][1] > token.start


def words_of(name: str) -> set[str]:
    """The words of a found name that stand for the person by themselves."""
    return {token.key for token in tokens_of(name) if _telling(token)}


def _telling(token: Token) -> bool:
    """Whether a part of a name stands for the person by itself, and is not a word of the language."""
    return not token.initial and not token.flags & (COMMON | PLACE) and len(token.word) > 2 and token.key not in words.NEVER


def _name_at(text: str, tokens: list[Token], index: int) -> tuple[int, bool]:
    """How many tokens from here belong together, and whether they are a person's name."""
    first = tokens[index]
    if first.key in words.NEVER:
        return 1, False
    expected = expected_before(text, first.start)
    if first.word in _TITLE_WORDS and not (expected > 1 and first.flags & SURNAME):
        return 1, False
    if index + 1 < len(tokens) and f"{first.key} {tokens[index + 1].key}" in words.NOT_PEOPLE:
        return 2, False
    run = _run(text, tokens, index)
    if not run:
        return 1, False
    if first.word in _TITLE_WORDS and len(run) > 1:
        return 1, False
    length = max(name_length(text, run, expected), reversed_length(text, tokens, index, expected))
    if not length:
        return 1, False
    begins = particles_behind_title(text, first.start)
    if _ORG_AFTER.match(text, tokens[index + length - 1].end) or _PLACE_BEFORE.search(text, max(0, begins - 24), begins):
        return length, False
    return length, True


def _run(text: str, tokens: list[Token], index: int) -> list[Token]:
    """The tokens that could belong to one name: side by side, with particles between; none when a company's suffix follows."""
    run = [tokens[index]]
    for token in tokens[index + 1 : index + _LONGEST + 1]:
        before = run[-1]
        if _ORG_AFTER.match(text, before.end) and not (token.flags & FREQUENT_SURNAME and strong_given(before)):
            return []
        gap = _GAP.match(text, before.end, token.start)
        if gap is None or gap.end() != token.start or (token.start == before.end and not before.initial):
            break
        if _ARTICLE.fullmatch(gap.group()) and not strong_given(before):
            break  # "Einrede der Verjährung"
        if _JOINED.match(gap.group()) and (token.flags & GIVEN or not token.flags):
            break  # "Anna Bruni e Carla Neri": another one begins
        if "\n" in gap.group() and not (token.flags & SURNAME and not token.flags & COMMON and before.flags & GIVEN):
            break
        if (
            (token.key in words.NEVER and not (token.word.isupper() and is_particle(token) and is_particle(before)))  # "JOOST VAN DER MEER"
            or _ROMAN.fullmatch(token.word)
            or (token.word in _TITLE_WORDS and not (token.flags & SURNAME and strong_given(before)))
        ):
            break
        run.append(token)
    return run
