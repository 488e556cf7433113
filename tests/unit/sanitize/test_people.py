"""Names of people: found by what stands beside them, and what only looks like one stays."""

# ruff: noqa: E501 - one case a line

from __future__ import annotations

import time
from random import Random

import pytest

from curtilage.sanitize import names, people_tokens
from curtilage.sanitize.detect import find
from curtilage.sanitize.patterns import default_patterns
from curtilage.sanitize.people import find_people
from curtilage.sanitize.terms import Terms

FOUND = [
    ("Mr Okonkwo-Reyes refused.", "Okonkwo-Reyes"), ("Sehr geehrte Frau Dr. Vogelsang,", "Vogelsang"), ("Maître Delacroix plaide.", "Delacroix"), ("L'avv. De Bacco ha risposto.", "De Bacco"),
    ("Our client Maria Kowalczyk signed.", "Maria Kowalczyk"), ("Kowalczyk, Maria signed.", "Kowalczyk, Maria"), ("DUPONT Jean a signé.", "DUPONT Jean"), ("signed by J. R. Thornberry", "J. R. Thornberry"),
    ("der Zeuge Ludwig van der Heyden sagte", "Ludwig van der Heyden"), ("D. José García López reside", "José García López"), ("Ms. O'Sullivan said", "O'Sullivan"), ("my name is anna schmidt", "anna schmidt"),
    ("Sehr geehrte Frau bin Rashid,", "bin Rashid"), ("Cher Monsieur de la Rochefoucauld,", "de la Rochefoucauld"), ("Estimada Sra. van der Meulen:", "van der Meulen"), ("Mr. d'Harcourt heeft getekend.", "d'Harcourt"),
    ("Getuige Marieke van 't Hof zei", "Marieke van 't Hof"), ("Selon Édouard d'Harcourt, rien", "Édouard d'Harcourt"), ("M. van 't Hof has left.", "M. van 't Hof"), ("Según Rocío Valdivieso Peña, no", "Rocío Valdivieso Peña"),
    ("signé par N. Van Minh.", "N. Van Minh"), ("De getuige Nguyen Van Minh zei", "Nguyen Van Minh"), ("we met Li Xiaoming in Leeds", "Li Xiaoming"), ("According to AISHWARYA IYER, no notice", "AISHWARYA IYER"),
    ('He wrote: "Mr. O\'Sullivan".', "O'Sullivan"), ("The tenant (Mrs Okonkwo) left.", "Okonkwo"), ("Abdulrahman al-Ghamdi guaranteed it.", "Abdulrahman al-Ghamdi"), ("Dear Mr al-Faisal,", "al-Faisal"), ("JIŘÍ DVOŘÁČEK a signé.", "JIŘÍ DVOŘÁČEK"), ("donnée par Milošević, Dragan hier", "Milošević, Dragan"),
]  # fmt: skip
STAY = [
    "The Sarbanes-Oxley Act applies.", "Müller GmbH und Wagner AG", "Goldman Sachs and Morgan Stanley", "Will the grant cover May?", "Supreme Court of the United Kingdom", "Basel III and the Vienna Convention",
    "See ISBN below.", "A. Sachverhalt", "B. Zulässigkeitsvoraussetzungen", "nella stessa clausola", "for the will and the grant of probate", "./. 12 Euro",
    "Herr Vorsitzender, ich beantrage", "Madame la Présidente", "Der Kläger hat die Klage erhoben.", "Saint-Denis and San Jose", "rue Victor Hugo", "Paris, Texas", "Louis Vuitton Malletier SA",
    "Mit Schriftsatz hat die Beklagte die Einrede der Verjährung erhoben.", "Il Giudice di Pace ha accolto l'opposizione.", "Le Préfet de la Gironde a pris un arrêté.", "De Hoge Raad heeft het arrest vernietigd.",
    "De Kamer van Koophandel heeft geen bezwaar.", "Deze Overeenkomst wordt beheerst door Nederlands recht.", "Trybunał Konstytucyjny orzekł o niezgodności przepisu.", "Komisja Nadzoru Finansowego wydała zezwolenie.",
    "A Caixa Geral de Depósitos concedeu o financiamento.", "As agreed, the Seller pays.",
]  # fmt: skip


CUES = ["my name is", "client", "herr", "terms", "dr.", "name:", "and", "the", "of", "signed", "supplier"]


@pytest.mark.parametrize("sure", [True, False])
def test_the_quick_look_for_names_without_capitals_passes_over_none(monkeypatch, sure) -> None:
    """The quick look says that no pair of words needs a look; without it every pair is looked at. Words of the table, at random."""
    random, table = Random(1), list(names.table())
    texts = [" ".join(random.choice(table if random.random() < 0.6 else CUES) for _ in range(random.randint(2, 9))) for _ in range(4000)]
    texts += [text.replace(" ", random.choice(["\x0b", "\u2003", "\x1f", "  "]), 1) for text in texts[:500]]
    quick = [people_tokens.lower_case_names(text, sure=sure) for text in texts]
    monkeypatch.setattr(people_tokens, "_may_begin", lambda word: True)
    every = [people_tokens.lower_case_names(text, sure=sure) for text in texts]
    assert quick == every
    assert sum(map(bool, every)) > 50, "the positive control: there are names among them"


@pytest.mark.parametrize(("text", "name"), FOUND)
def test_a_name_is_found_whole(text, name) -> None:
    assert any(name in text[start:end] for start, end in find_people(text))


@pytest.mark.parametrize("text", STAY)
def test_what_only_looks_like_a_name_stays(text) -> None:
    assert [text[start:end] for start, end in find_people(text)] == []


def test_a_surname_by_itself_is_known_from_the_full_name() -> None:
    text = "Maria Kowalczyk signed. Later Kowalczyk withdrew."
    assert [text[start:end] for start, end in find_people(text)] == ["Maria Kowalczyk", "Kowalczyk"]


def test_all_patterns_are_asked_that_can_match() -> None:
    table = default_patterns()
    for text in (
        "DE89 3704 0044 0532 0130 00",
        "born on 1 May 1970",
        "1:21-cv-01234-ABC",
        "ünïcödé jane@example.com",
        "x" * 5000 + " +49 30 901820",
    ):
        assert table.candidates(text) == [index for index, pattern in enumerate(table) if pattern.regex.search(text)]


def test_no_text_makes_names_slow() -> None:
    for hostile in (
        "Anna " * 20_000,
        "Li " * 20_000,
        "A. " * 30_000,
        "Mr " * 30_000,
        "Anna, " * 20_000,
        "ÄÖ" * 50_000,
        "Dr. Prof. " * 10_000,
        "anna " * 20_000,
    ):
        started = time.perf_counter()
        find(hostile, default_patterns(), people=True)
        assert time.perf_counter() - started < 6.0, hostile[:10]


def test_a_matters_dictionary_is_found_in_any_dress_and_never_inside_a_word() -> None:
    terms = Terms({"Project Falcon": "PROJECT", "ACME-77": "CLIENT_TERM"})
    text = "PROJECT\u200b  FALCON and acme-77, not acme-778 nor Project Falconry"
    assert [(span.type, text[span.start : span.end]) for span in terms.find(text)] == [
        ("PROJECT", "PROJECT\u200b  FALCON"),
        ("CLIENT_TERM", "acme-77"),
    ]
