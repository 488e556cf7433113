"""Invented people, companies, places and courts, made from syllables.

No list of real names is kept here, so none can leak into a corpus: a likeness to anyone is chance. Every function takes its own
random generator; the same seed gives the same name on every machine.
"""

from __future__ import annotations

from random import Random

_ONSETS = ("b", "br", "d", "dr", "f", "fl", "g", "gr", "h", "k", "kl", "l", "m", "n", "p", "pr", "r", "s", "st", "t", "tr", "v", "z")
_VOWELS = ("a", "e", "i", "o", "u", "ae", "ei", "io")
_CODAS = ("", "", "", "l", "n", "r", "s", "th", "x")
_SYLLABLES = tuple(onset + vowel for onset in _ONSETS for vowel in _VOWELS)
_PLACE_ENDINGS = {"en": ("bury", "mere", "wick", "holm"), "de": ("felden", "rode", "heim", "kirch"), "fr": ("ville", "mont", "ac", "lieu")}
_COMPANY_FORMS = {"en": ("Ltd", "plc", "LLP", "Holdings Ltd"), "de": ("GmbH", "AG", "SE", "KG"), "fr": ("SAS", "SARL", "SA", "SCS")}
_TRADES = {
    "en": ("Logistics", "Instruments", "Foods", "Analytics", "Energy", "Textiles"),
    "de": ("Logistik", "Messtechnik", "Lebensmittel", "Analytik", "Energie", "Textil"),
    "fr": ("Logistique", "Instruments", "Alimentation", "Analyses", "Énergie", "Textiles"),
}


def word(rng: Random, syllables: int) -> str:
    """A capitalised word of so many syllables."""
    pick = rng.random
    parts = [_SYLLABLES[int(pick() * len(_SYLLABLES))] for _ in range(syllables)]
    return "".join(parts).capitalize() + _CODAS[int(pick() * len(_CODAS))]


def person(rng: Random) -> str:
    """A given name and a family name."""
    return f"{word(rng, 2)} {word(rng, 2 if rng.random() < 0.6 else 3)}"


def company(rng: Random, language: str) -> str:
    """A company with a trade and a legal form of the language."""
    return f"{word(rng, 2)} {rng.choice(_TRADES[language])} {rng.choice(_COMPANY_FORMS[language])}"


def place(rng: Random, language: str) -> str:
    """A town."""
    return word(rng, 1 if rng.random() < 0.5 else 2) + rng.choice(_PLACE_ENDINGS[language])
