"""Synthetic legal documents: templates plus seeded values give the same bytes on every machine.

A document depends on the seed and its own index alone, so a corpus may be cut, extended or made in parallel without changing the
documents that stay. What this deliberately does not do: read any real record.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from curtilage.canonical import digest_of, file_digest
from curtilage.errors import ConfigError
from curtilage.finetune.values import draw

TEMPLATES = Path(__file__).parent / "templates"
LANGUAGES = ("en", "de", "fr")
KINDS = ("nda", "contract_clause", "privilege_log", "pleading", "dpa", "correspondence")
# Half of the corpus is English because the lab's calls are; the rest is shared evenly.
_LANGUAGE_OF_SLOT = ("en", "de", "en", "fr")
BLOCKS = ("title", "document", "question", "answer")
DOCUMENTS, CARD, CARD_TEXT = "documents.jsonl", "dataset-card.json", "README.md"


@dataclass(frozen=True)
class Dataset:
    """A generated corpus on disk."""

    directory: Path
    count: int
    seed: int
    digest: str
    templates: str
    by_kind: dict[str, int]
    by_language: dict[str, int]


def templates_digest() -> str:
    """Digest of every template and of the code that draws the values: what a corpus is made of besides its seed."""
    here = Path(__file__).parent
    files = [*sorted(TEMPLATES.glob("*/*.j2")), here / "names.py", here / "values.py", here / "generator.py"]
    return digest_of({str(path.relative_to(here)): file_digest(path) for path in files})


def _load() -> dict[tuple[str, str], Template]:
    # Autoescape is off because the output is plain text for a tokenizer, never markup for a browser.
    environment = Environment(loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, autoescape=False, auto_reload=False)  # noqa: S701
    return {(language, kind): environment.get_template(f"{language}/{kind}.j2") for language in LANGUAGES for kind in KINDS}


def documents(count: int, seed: int) -> Iterator[dict[str, str]]:
    """The first ``count`` documents of a seed."""
    templates = _load()
    for index in range(count):
        language = _LANGUAGE_OF_SLOT[index % len(_LANGUAGE_OF_SLOT)]
        kind = KINDS[index // len(_LANGUAGE_OF_SLOT) % len(KINDS)]
        template = templates[language, kind]
        context = template.new_context(draw(Random(seed << 40 | index), language))  # noqa: S311 - repeatable on purpose, guards nothing
        text = {block: "".join(template.blocks[block](context)) for block in BLOCKS}
        yield {"id": f"{kind}-{language}-{seed}-{index:07d}", "kind": kind, "language": language, **text}


def generate(directory: Path, *, count: int, seed: int) -> Dataset:
    """Write ``documents.jsonl`` and its card to ``directory``.

    Raises:
        ConfigError: the count is not positive, or the seed is negative or too large.
    """
    if count < 1:
        raise ConfigError(f"count {count}", rule="a corpus has at least one document", fix="pass --count 1 or more")
    if not 0 <= seed < 1 << 32:
        raise ConfigError(f"seed {seed}", rule="a seed is between 0 and 4294967295", fix="pass another --seed")
    directory.mkdir(parents=True, exist_ok=True)
    kinds: Counter[str] = Counter()
    languages: Counter[str] = Counter()
    hasher = hashlib.sha256()
    partial = directory / (DOCUMENTS + ".part")
    with partial.open("wb") as stream:
        for document in documents(count, seed):
            line = orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)
            hasher.update(line)
            stream.write(line)
            kinds[document["kind"]] += 1
            languages[document["language"]] += 1
    partial.replace(directory / DOCUMENTS)
    dataset = Dataset(
        directory=directory,
        count=count,
        seed=seed,
        digest="sha256:" + hasher.hexdigest(),
        templates=templates_digest(),
        by_kind=dict(sorted(kinds.items())),
        by_language=dict(sorted(languages.items())),
    )
    (directory / CARD).write_bytes(orjson.dumps(card(dataset), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
    (directory / CARD_TEXT).write_text(card_text(dataset), encoding="utf-8")
    return dataset


def card(dataset: Dataset) -> dict[str, object]:
    """The dataset card as data."""
    return {
        "name": "curtilage-synthetic-legal",
        "documents": dataset.count,
        "seed": dataset.seed,
        "digest": dataset.digest,
        "templates": dataset.templates,
        "by_kind": dataset.by_kind,
        "by_language": dataset.by_language,
        "fields": ["id", "kind", "language", *BLOCKS],
        "licence": "Apache-2.0",
        "personal_data": "none: names are built from syllables, amounts and dates are drawn at random",
        "intended_use": "making and testing the small model of a lab region; not a source of law",
    }


def card_text(dataset: Dataset) -> str:
    """The dataset card for people."""
    kinds = "\n".join(f"| {kind} | {number} |" for kind, number in dataset.by_kind.items())
    languages = ", ".join(f"{language} {number}" for language, number in dataset.by_language.items())
    return (
        f"# Synthetic legal documents\n\n{dataset.count} documents from templates, seed {dataset.seed} ({languages}).\n\n"
        f"* digest of `{DOCUMENTS}`: `{dataset.digest}`\n* templates and generator: `{dataset.templates}`\n\n"
        f"| kind | documents |\n|---|---|\n{kinds}\n\n"
        "Names of people, companies and places are built from syllables; a likeness to anyone is chance. No real record was read.\n"
        "Made for the small model of a lab region and for tests. It is no source of law.\n"
    )


def read(directory: Path) -> tuple[list[dict[str, str]], dict[str, object]]:
    """The documents and the card of a corpus, refused when the bytes are not those the card names.

    Raises:
        ConfigError: a file is missing or the digest differs.
    """
    path, card_path = directory / DOCUMENTS, directory / CARD
    for needed in (path, card_path):
        if not needed.is_file():
            raise ConfigError(
                f"no {needed.name} in {directory}", rule="a corpus has documents and a card", fix="run `curtilage finetune generate`"
            )
    found: dict[str, object] = orjson.loads(card_path.read_bytes())
    actual = file_digest(path)
    if found.get("digest") != actual:
        raise ConfigError(
            f"{path} has {actual}", rule=f"the card names {found.get('digest')}", fix="generate the corpus again; never edit it by hand"
        )
    return [orjson.loads(line) for line in path.read_bytes().splitlines()], found
