"""If these fail, a corpus is no longer what its seed says it is, and a model's provenance is worth nothing."""

from __future__ import annotations

import json
import time
from pathlib import Path
from random import Random

import pytest

from curtilage.errors import ConfigError
from curtilage.finetune.dialogue import conversation
from curtilage.finetune.generator import BLOCKS, KINDS, LANGUAGES, TEMPLATES, documents, generate, read


def test_the_same_seed_gives_the_same_bytes_and_another_seed_gives_others(tmp_path: Path) -> None:
    first = generate(tmp_path / "a", count=120, seed=7)
    second = generate(tmp_path / "b", count=120, seed=7)
    other = generate(tmp_path / "c", count=120, seed=8)
    assert first.digest == second.digest
    assert (tmp_path / "a" / "documents.jsonl").read_bytes() == (tmp_path / "b" / "documents.jsonl").read_bytes()
    assert other.digest != first.digest


def test_a_longer_corpus_begins_with_the_shorter_one() -> None:
    assert list(documents(200, 3))[:50] == list(documents(50, 3))


def test_every_language_has_a_template_of_every_kind_and_every_one_is_used() -> None:
    assert {(path.parent.name, path.stem) for path in TEMPLATES.glob("*/*.j2")} == {(lang, kind) for lang in LANGUAGES for kind in KINDS}
    assert {(found["language"], found["kind"]) for found in documents(96, 1)} == {(lang, kind) for lang in LANGUAGES for kind in KINDS}


def test_no_document_is_empty_or_shows_an_unfilled_value() -> None:
    for document in documents(240, 11):
        for block in BLOCKS:
            assert document[block].strip(), (document["id"], block)
            assert "{{" not in document[block], (document["id"], block)
            assert "Undefined" not in document[block], (document["id"], block)


def test_two_thousand_documents_take_less_than_a_second(tmp_path: Path) -> None:
    began = time.process_time()
    generate(tmp_path, count=2_000, seed=1)
    assert time.process_time() - began < 1.0


def test_the_card_names_the_digest_and_a_changed_byte_is_refused(tmp_path: Path) -> None:
    dataset = generate(tmp_path, count=12, seed=1)
    assert json.loads((tmp_path / "dataset-card.json").read_text())["digest"] == dataset.digest
    assert len(read(tmp_path)[0]) == 12
    path = tmp_path / "documents.jsonl"
    path.write_bytes(path.read_bytes().replace(b"agreement", b"Agreement", 1))
    with pytest.raises(ConfigError, match="never edit it by hand"):
        read(tmp_path)


@pytest.mark.parametrize(("count", "seed"), [(0, 1), (-3, 1), (5, -1), (5, 1 << 32)])
def test_a_count_or_seed_out_of_range_is_refused(tmp_path: Path, count: int, seed: int) -> None:
    with pytest.raises(ConfigError):
        generate(tmp_path, count=count, seed=seed)


def test_a_conversation_ends_with_the_assistant_and_holds_the_question() -> None:
    rng = Random(1)
    for document in documents(60, 5):
        turns = conversation(document, rng)
        assert turns[-1] == {"role": "assistant", "content": document["answer"]}
        assert turns[-2]["role"] == "user"
        assert document["question"] in turns[-2]["content"]
