"""The seeded values a template may use: one dictionary for each document, in the document's language."""

from __future__ import annotations

from random import Random
from typing import Any

from curtilage.finetune import names

_MONTHS = {
    "en": ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"],
    "de": ["Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"],
    "fr": ["janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"],
}
_CURRENCY = {"en": "EUR {}", "de": "{} EUR", "fr": "{} euros"}
_THOUSANDS = {"en": ",", "de": ".", "fr": " "}
_COURTS = {"en": "the High Court at {}", "de": "das Landgericht {}", "fr": "le tribunal judiciaire de {}"}


def _date(rng: Random, language: str) -> str:
    day, month, year = rng.randint(1, 28), rng.choice(_MONTHS[language]), rng.randint(2019, 2035)
    return f"{day}. {month} {year}" if language == "de" else f"{day} {month} {year}"


def _amount(rng: Random, language: str) -> str:
    number = f"{rng.randint(2, 400) * 2_500:,}".replace(",", _THOUSANDS[language])
    return _CURRENCY[language].format(number)


def draw(rng: Random, language: str) -> dict[str, Any]:
    """All values of one document.

    ``one_of`` draws from the same generator, so the wording of a document is as repeatable as its names.
    """
    town = names.place(rng, language)
    return {
        "one_of": lambda *options: options[int(rng.random() * len(options))],
        "party_a": names.company(rng, language),
        "party_b": names.company(rng, language),
        "person_a": names.person(rng),
        "person_b": names.person(rng),
        "town": town,
        "court": _COURTS[language].format(town),
        "date_a": _date(rng, language),
        "date_b": _date(rng, language),
        "amount_a": _amount(rng, language),
        "amount_b": _amount(rng, language),
        "matter": f"M-{rng.randint(2019, 2035)}-{rng.randint(1, 9999):04d}",
        "docket": f"{rng.randint(1, 30)} O {rng.randint(1, 900)}/{rng.randint(19, 35)}",
        "number": f"{rng.randint(1, 500):04d}",
        "clause": rng.randint(2, 24),
        "years": rng.randint(2, 10),
        "months": rng.randint(3, 24),
        "days": rng.choice((5, 10, 14, 21, 30, 45, 60)),
        "hours": rng.choice((12, 24, 36, 48, 72)),
        "percent": rng.choice((3, 5, 8, 10, 15, 20)),
    }
