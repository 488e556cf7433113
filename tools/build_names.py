"""Build ``curtilage/sanitize/data/names.tsv.gz``: which words are given names, surnames, places, or common words, and how sure that is.

Run it in a throwaway environment; nothing here is a dependency of the product::

    uv venv /tmp/v && uv pip install --python /tmp/v/bin/python faker==40.54.0 names==0.3.0 spacy-lookups-data==1.0.5
    /tmp/v/bin/python tools/build_names.py

Sources, all under the MIT licence: Faker's name lists of 80 locales, ``names`` (the US census of 1990, public domain), and the word
frequencies and lemma tables of spacy-lookups-data, which say what is an everyday word besides; and
names_more.py, written by hand. No list taken from leaked accounts is used.
"""

from __future__ import annotations

import gzip
import importlib
import json
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import faker
import names
import spacy_lookups_data
from names_more import GIVEN_TOO, SURNAMES_TOO

OUT = Path(__file__).resolve().parent.parent / "curtilage" / "sanitize" / "data" / "names.tsv.gz"
LOOKUPS = Path(spacy_lookups_data.__file__).parent / "data"
WORD = re.compile(r"[^\W\d_][^\W\d_'’-]+")
GIVEN, SURNAME, FREQUENT_SURNAME, GIVEN_OR_WORD, PLACE, COMMON, FREQUENT_GIVEN, SURNAME_OR_WORD = 1, 2, 4, 8, 16, 32, 64, 128
NAMES = GIVEN | SURNAME
LOCALES = [
    "de_DE",
    "de_AT",
    "de_CH",
    "fr_FR",
    "fr_CH",
    "fr_BE",
    "it_IT",
    "es_ES",
    "es_MX",
    "en_GB",
    "en_US",
    "nl_NL",
    "nl_BE",
    "pt_PT",
    "pl_PL",
    "tr_TR",
    "sv_SE",
    "da_DK",
    "hr_HR",
    "cs_CZ",
    "ro_RO",
]
# Given names that are nouns or places in German, French, Italian or Spanish, which the English frequencies do not show.
WORDS_TOO = [
    "ernst",
    "wolf",
    "engel",
    "christ",
    "roman",
    "august",
    "kind",
    "held",
    "markus-platz",
    "mai",
    "juli",
    "sommer",
    "winter",
    "linde",
    "viola",
    "aurora",
    "alba",
    "stella",
    "fiore",
    "gloria",
    "grazia",
    "pace",
    "vera",
    "libero",
    "modesto",
    "santo",
    "domenica",
    "luna",
    "sol",
    "cruz",
    "mar",
    "nieves",
    "dolores",
    "pilar",
    "consuelo",
    "remedios",
    "socorro",
    "rosario",
    "mercedes",
    "victoria",
    "esperanza",
    "paz",
    "luz",
    "reyes",
    "fleur",
    "reine",
    "prudence",
    "clemence",
    "constant",
    "parfait",
    "marin",
    "celeste",
    "olive",
    "violette",
    "rose",
    "perle",
    "noel",
    "pascal",
    "ange",
    "blanche",
    "claire",
    "aime",
    "desire",
    "fortune",
    "honore",
    "juste",
    "magnus",
    "major",
    "maximal",
    "prima",
    "optima",
    "marina",
    "regina",
    "carmen",
    "lorraine",
    "chantal",
    "iris",
    "paris",
    "florence",
    "sydney",
    "virginia",
    "georgia",
    "carolina",
    "dakota",
    "india",
    "china",
    "asia",
    "america",
    "africa",
    "europa",
    "jordan",
    "israel",
    "chad",
    "kenya",
    "austin",
    "dallas",
    "houston",
    "madison",
    "lincoln",
    "washington",
    "jackson",
    "brooklyn",
    "chelsea",
    "milan",
    "roma",
    "siena",
    "verona",
    "venezia",
    "vienna",
    "berlin",
    "london",
    "adelaide",
    "geneva",
    "lourdes",
    "guadalupe",
    "santiago",
    "trinidad",
    "cordoba",
    "valencia",
    "leon",
    "medina",
    "salem",
    "bethany",
    "sharon",
    "london",
    "francia",
    "italia",
    "germania",
    "germany",
    "ireland",
]


def key_of(word: str) -> str:
    """Lower case without diacritics, as curtilage.sanitize.names looks words up."""
    lowered = word.casefold().replace("ß", "ss").replace("ø", "o").replace("ł", "l").replace("đ", "d").replace("’", "'")
    return "".join(char for char in unicodedata.normalize("NFD", lowered) if not unicodedata.combining(char))


def keys_of(word: str) -> set[str]:
    """The key, and the one with umlauts written out."""
    spelled = re.sub("[äöüÄÖÜ]", lambda match: {"ä": "ae", "ö": "oe", "ü": "ue"}[match.group().lower()], word)
    return {key_of(word), key_of(spelled)}


def strings(value: object) -> Iterator[str]:
    """Every string in a provider's table."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple | set):
        for inner in value:
            yield from strings(inner)


def provider(kind: str, attributes: re.Pattern[str], locale: str = "") -> Iterator[str]:
    """Faker's words of one kind, of one locale or of all."""
    root = Path(faker.__file__).parent / "providers" / kind
    for folder in sorted(root.iterdir()):
        if (folder / "__init__.py").is_file() and not folder.name.startswith("__") and locale in ("", folder.name):
            cls = importlib.import_module(f"faker.providers.{kind}.{folder.name}").Provider
            for name in sorted(vars(cls)):
                if attributes.search(name) and "suffix" not in name and "prefix" not in name and "format" not in name:
                    yield from strings(vars(cls)[name])


def lookup(name: str) -> dict[str, object]:
    return json.loads(gzip.decompress((LOOKUPS / f"{name}.json.gz").read_bytes()))


def latin(word: str) -> bool:
    return all("LATIN" in unicodedata.name(char, "") for char in word if char.isalpha())


def main() -> None:
    """Write the table."""
    found: dict[str, int] = {}
    seen: dict[str, int] = {}

    def add(words: Iterator[str] | list[str], flag: int) -> None:
        for text in words:
            for word in WORD.findall(text):
                for part in {word, *re.split(r"[-'’]", word)}:
                    if len(part) > 2 and latin(part):
                        for key in keys_of(part):
                            found[key] = found.get(key, 0) | flag

    add(provider("person", re.compile(r"^first_name|^given_name|romanized_name")), GIVEN)
    for locale in LOCALES:  # a given name of two of these is nothing rare
        table_of: set[str] = set()
        before = dict(found)
        found.clear()
        add(provider("person", re.compile(r"^first_name"), locale), GIVEN)
        table_of |= set(found)
        found.clear()
        found.update(before)
        for key in table_of:
            seen[key] = seen.get(key, 0) + 1
    for key, count in seen.items():
        if count > 1:
            found[key] |= FREQUENT_GIVEN
    add(provider("person", re.compile(r"^last_name|^surname")), SURNAME)
    folder = Path(names.__file__).parent
    for file in ("dist.female.first", "dist.male.first"):
        rows = [line.split() for line in (folder / file).read_text().splitlines()]
        add([row[0].title() for row in rows], GIVEN)
        add([row[0].title() for row in rows[:300]], FREQUENT_GIVEN)
    rows = [line.split() for line in (folder / "dist.all.last").read_text().splitlines()]
    add([row[0].title() for row in rows[:60_000]], SURNAME)
    add([row[0].title() for row in rows[:2_500]], FREQUENT_SURNAME)
    add(GIVEN_TOO, GIVEN)
    add(SURNAMES_TOO, SURNAME)
    add(provider("address", re.compile(r"^cit(y|ies)|^countr|^state|^province|^region|^department|^canton|^count(y|ies)")), PLACE)

    # Everyday words: as often, or nearly as often, in lower case as with a capital; German nouns have a capital anyway.
    common: dict[str, float] = {}
    for language, floor in (("en", -14.5), ("es", -14.0), ("de", -14.0)):
        table: dict[str, float] = lookup(f"{language}_lexeme_prob")  # type: ignore[assignment]
        for word, probability in table.items():
            if len(word) > 2 and word.isalpha() and word.islower() and probability > floor and latin(word):
                key = key_of(word)
                if probability > table.get(word.title(), -30.0) - (0.5 if language == "en" else 0.0) or probability > -10:
                    common[key] = max(common.get(key, -30.0), probability)
                    if language == "en" and found.get(key, 0) & GIVEN:
                        found[key] |= GIVEN_OR_WORD
    german: dict[str, str] = lookup("de_lemma_lookup")  # type: ignore[assignment]
    frequency: dict[str, float] = lookup("de_lexeme_prob")  # type: ignore[assignment]
    for word in {word for pair in german.items() for word in pair if word[:1].isupper() and word[1:].islower() and len(word) > 2}:
        # The lemma table has given names too; a given name of the lists is one, unless WORDS_TOO says that it is more.
        if frequency.get(word, -30.0) > -16.0 and not found.get(key_of(word), 0) & GIVEN:
            common[key_of(word)] = max(common.get(key_of(word), -30.0), frequency[word])
    for language in ("fr", "it"):
        for word in lookup(f"{language}_lemma_lookup"):
            if 2 < len(word) <= 12 and word.islower() and word.isalpha() and found.get(key_of(word), 0) & NAMES:
                common.setdefault(key_of(word), -14.0)
    for word in common:
        if found.get(word, 0) & SURNAME:
            found[word] |= SURNAME_OR_WORD
        if not found.get(word, 0) & GIVEN or found[word] & GIVEN_OR_WORD:
            found[word] = found.get(word, 0) | COMMON
    for word in WORDS_TOO:
        if found.get(word, 0) & GIVEN:
            found[word] |= GIVEN_OR_WORD
    lines = "".join(f"{word}\t{flags}\n" for word, flags in sorted(found.items()) if flags != PLACE)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_bytes(gzip.compress(lines.encode(), 9, mtime=0))
    print(len(found), OUT.stat().st_size)  # noqa: T201 - a tool's answer


if __name__ == "__main__":
    main()
