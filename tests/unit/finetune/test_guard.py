"""The contamination guard: if one of these fails, a real record can reach a model, or a clean corpus is refused."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from curtilage.errors import ConfigError, StepError
from curtilage.finetune.generator import documents, generate
from curtilage.finetune.guard import Guard, check, require_pass
from curtilage.finetune.guard_hash import siphash
from curtilage.finetune.guard_make import fingerprint
from curtilage.finetune.guard_records import texts
from curtilage.finetune.guard_store import load, make_key, read_key, save
from curtilage.finetune.guard_text import fold, identifiers, strings, words
from curtilage.finetune.training import cleared_by_guard
from curtilage.verdict import Verdict

KEY = b"\x07" * 32
_SYLLABLES = ("ba", "ko", "ri", "ten", "mul", "sor", "vi", "gra", "pel", "dun", "hest", "ol", "quin", "ta", "ne", "wer", "zam", "lo")


@cache
def vocabulary() -> list[str]:
    rng = random.Random(11)
    return ["".join(rng.choices(_SYLLABLES, k=rng.randint(1, 4))) for _ in range(8_000)]


@cache
def records() -> list[str]:
    """Letters of a client's file, 40 to 160 words, as varied as prose (word frequencies fall off as Zipf found)."""
    rng, weights = random.Random(12), [1 / (rank + 5) for rank in range(8_000)]
    return [" ".join(rng.choices(vocabulary(), weights, k=rng.choice([40, 80, 160]))) for _ in range(600)]


@cache
def guard() -> Guard:
    return Guard(
        fingerprint(
            ((str(index), [text]) for index, text in enumerate(records())),
            KEY,
            terms=["Bergmann Werke", "Société Générale de Test"],
            canaries=["the violet heron crosses at noon 4711"],
        ),
        KEY,
    )


def kinds(text: str) -> set[str]:
    return {finding.kind for finding in guard().judge([("d", [text])])[1]}


def changed(text: str, how: str, rng: random.Random) -> str:
    found = text.split(" ")
    if how == "one word in five replaced":
        for index in rng.sample(range(len(found)), len(found) // 5):
            found[index] = "".join(rng.choices("abcdefghijklmno", k=rng.randint(3, 9)))
    elif how == "every fifth word replaced":
        found[::5] = [f"xy{rng.randint(0, 99)}" for _ in found[::5]]
    elif how == "one word in five left out":
        left = set(rng.sample(range(len(found)), len(found) // 5))
        found = [word for index, word in enumerate(found) if index not in left]
    elif how == "cut at four fifths":
        found = found[: len(found) * 4 // 5]
    elif how == "inside a longer text":
        found = [*rng.choices(vocabulary(), k=200), *found[: len(found) * 4 // 5], *rng.choices(vocabulary(), k=200)]
    return " ".join(found)


def test_siphash_gives_the_reference_value() -> None:
    key, message = (np.frombuffer(bytes(range(size)), dtype=np.uint64) for size in (16, 8))
    assert int(siphash(message, key[0], key[1])[0]) == 0x93F5F5799A932462  # the authors' vectors, message of 8 bytes


def test_every_record_is_found_letter_for_letter() -> None:
    _, findings = guard().judge((str(index), [text]) for index, text in enumerate(records()))
    assert {finding.document for finding in findings if finding.kind == "exact"} == {str(index) for index in range(len(records()))}


@pytest.mark.parametrize(
    "how",
    [
        "one word in five replaced",
        "every fifth word replaced",
        "one word in five left out",
        "cut at four fifths",
        "inside a longer text",
    ],
)
def test_a_record_of_which_four_fifths_are_left_is_found_in_99_of_100(how: str) -> None:
    rng = random.Random(13)
    _, findings = guard().judge((str(index), [changed(text, how, rng)]) for index, text in enumerate(records()))
    assert len({finding.document for finding in findings}) >= 0.99 * len(records())


def test_a_corpus_of_the_templates_raises_at_most_one_false_alarm_in_a_thousand() -> None:
    count, findings = guard().judge((document["id"], list(strings(document))) for document in documents(3_000, seed=5))
    assert count == 3_000
    assert len({finding.document for finding in findings}) <= 3


def test_other_prose_of_the_same_words_raises_no_alarm() -> None:
    rng, weights = random.Random(99), [1 / (rank + 5) for rank in range(8_000)]
    other = [" ".join(rng.choices(vocabulary(), weights, k=100)) for _ in range(1_000)]
    _, findings = guard().judge((str(index), [text]) for index, text in enumerate(other))
    assert len({finding.document for finding in findings}) <= 1


@pytest.mark.parametrize(
    "trick",
    [
        str.upper,
        lambda text: "\u200b".join(text),
        lambda text: text.replace(" ", " \n\t\u00a0 "),
        lambda text: text.replace("o", "о").replace("e", "е").replace("a", "а"),  # Cyrillic
        lambda text: "".join(chr(ord(letter) + 0xFEE0) if letter.isalpha() else letter for letter in text),  # full width
        lambda text: text.replace("e", "é").replace("u", "u\u0308"),
        lambda text: " ".join(text),
        lambda text: text.replace(" ", ", "),
        lambda text: text.replace("a", "&#97;"),
        lambda text: text.replace(" ", "\u00ad "),
    ],
    ids=["case", "zero-width", "whitespace", "look-alikes", "full-width", "accents", "spaced", "punctuation", "entities", "soft-hyphen"],
)
def test_a_record_in_disguise_is_still_exact(trick: object) -> None:
    assert "exact" in kinds(trick(records()[3]))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Dear Ms X, the matter of BERGMANN-WERKE is closed.", "dictionary"),
        ("we wrote to B e r g m a n n W e r k e yesterday", "dictionary"),
        ("for societe generale de test only", "dictionary"),
        ("note: The violet heron crosses at noon, 4711!", "canary"),
    ],
)
def test_terms_and_canaries_are_found_however_they_are_written(text: str, kind: str) -> None:
    assert kinds(text) == {kind}


def test_a_near_miss_of_a_term_is_no_finding() -> None:
    assert kinds("The Bergmann works are not ours; the heron crosses at noon.") == set()


def test_identifiers_of_a_record_are_found_in_another_text() -> None:
    one = Guard(
        fingerprint(
            [("r", ["Pay to DE89 3704 0044 0532 0130 00; reach a.b@client.example or +49 89 123 456 789. File KX-778812-A."])],
            KEY,
            samples=60,
        ),
        KEY,
    )
    for text in (
        "iban de89370400440532013000 please",
        "mail A.B@CLIENT.EXAMPLE now",
        "call +49 (89) 123456789",
        "our file kx 778812 a / KX-778812-A",
    ):
        assert {finding.kind for finding in one.judge([("d", [text])])[1]} == {"identifier"}, text
    for text in ("EUR 250,000.00 on 12.03.2024", "matter M-2024-0017", "DE02120300000000202051"):
        assert one.judge([("d", [text])])[1] == [], text


def test_amounts_and_dates_are_no_identifiers() -> None:
    assert identifiers(fold("on 12.03.2024 and 2024-03-12 paid EUR 1,250,000 under M-2024-0001")) == set()


def test_one_real_record_in_ten_thousand_is_caught(tmp_path: Path) -> None:
    generate(tmp_path / "corpus", count=10_000, seed=8)
    path = tmp_path / "corpus" / "documents.jsonl"
    lines = path.read_text().splitlines()
    lines[6_543] = json.dumps(
        {"id": "slipped", "kind": "nda", "language": "en", "document": changed(records()[77], "cut at four fifths", random.Random(1))}
    )
    poisoned = tmp_path / "poisoned.jsonl"
    poisoned.write_text("\n".join(lines) + "\n")
    report = check(poisoned, guard().known, KEY)
    assert report.verdict is Verdict.FAIL
    assert "slipped" in {finding.document for finding in report.findings}
    assert report.refused <= 11
    assert records()[77][:30] not in report.model_dump_json()


def test_a_record_pasted_into_a_template_is_told_when_fingerprints_are_made() -> None:
    from curtilage.finetune.generator import TEMPLATES

    source = (TEMPLATES / "en" / "nda.j2").read_text()
    pasted = next(line for line in source.splitlines() if line.startswith("2. Duty"))
    with pytest.raises(StepError, match="stands in the templates"):
        fingerprint([("r1", [pasted])], KEY, samples=60)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "guard.key"
    make_key(path)
    return path


def test_the_file_holds_no_text_and_reads_back(tmp_path: Path, key: Path) -> None:
    secret, path = read_key(key), tmp_path / "real.fingerprints"
    save(
        fingerprint([("r", ["Hieronymus Quastenflosser owes a.b@client.example nothing at all since yesterday."])], secret, samples=60),
        secret,
        path,
    )
    raw = path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    for word in (b"Hieronymus", b"hieronymus", b"quastenflosser", b"client.example"):
        assert word not in raw
    assert (
        check_text(tmp_path, path, secret, "hieronymus quastenflosser OWES a.b@client.example nothing at all since yesterday")
        is Verdict.FAIL
    )


def check_text(tmp_path: Path, path: Path, secret: bytes, text: str) -> Verdict:
    dataset = tmp_path / "d.jsonl"
    dataset.write_text(json.dumps({"text": text}) + "\n")
    return check(dataset, load(path, secret), secret).verdict


def test_another_key_gives_other_fingerprints() -> None:
    one, two = (fingerprint([("r", [records()[0]])], key, samples=60) for key in (b"\1" * 32, b"\2" * 32))
    assert not set(one.exact.tolist()) & set(two.exact.tolist())
    assert not np.isin(one.shingles, two.shingles).any()


@pytest.mark.parametrize("harm", ["flip", "cut", "key", "nothing"])
def test_a_fingerprint_file_that_was_touched_is_refused(tmp_path: Path, key: Path, harm: str) -> None:
    secret, path = read_key(key), tmp_path / "real.fingerprints"
    save(fingerprint([("r", [records()[0]])], secret, samples=60), secret, path)
    raw = bytearray(path.read_bytes())
    if harm == "flip":
        raw[len(raw) // 2] ^= 1
    path.write_bytes(raw[:-5] if harm == "cut" else b"" if harm == "nothing" else raw)
    with pytest.raises(ConfigError):
        load(path, b"\3" * 32 if harm == "key" else secret)


def test_no_records_or_an_unknown_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no record"):
        fingerprint([], KEY, samples=60)
    with pytest.raises(ConfigError, match="no record"):
        fingerprint([("r", ["  \n "])], KEY, samples=60)
    (tmp_path / "letter.docx").write_bytes(b"PK")
    with pytest.raises(ConfigError, match="unknown kind"):
        list(texts(tmp_path))
    (tmp_path / "x.jsonl").write_text('{"a": "b"}\nnot json\n')
    with pytest.raises(ConfigError, match="one JSON value a line"):
        list(texts(tmp_path / "x.jsonl"))


def test_a_key_that_others_may_read_is_refused(key: Path) -> None:
    key.chmod(0o644)
    with pytest.raises(ConfigError, match="readable by others"):
        read_key(key)


@pytest.fixture
def checked(tmp_path: Path, key: Path) -> Iterator[tuple[Path, Path]]:
    """A corpus and the report of its passing check."""
    secret, corpus, report = read_key(key), tmp_path / "corpus", tmp_path / "report.json"
    generate(corpus, count=30, seed=4)
    report.write_text(check(corpus, fingerprint([("r", [records()[0]])], secret, samples=60), secret).model_dump_json())
    return corpus, report  # type: ignore[return-value]


def test_training_asks_for_a_passing_report_of_this_very_corpus(checked: tuple[Path, Path], key: Path, tmp_path: Path) -> None:
    corpus, report = checked
    assert cleared_by_guard(corpus, report, key).kind == "guard"
    with pytest.raises(ConfigError, match="is no report"):
        require_pass(corpus, tmp_path / "absent.json", read_key(key))
    generate(corpus, count=31, seed=4)
    with pytest.raises(ConfigError, match="is about"):
        cleared_by_guard(corpus, report, key)


def test_a_report_written_by_hand_is_refused(checked: tuple[Path, Path], key: Path) -> None:
    corpus, report = checked
    document = json.loads(report.read_text())
    report.write_text(json.dumps(document | {"documents": 31}))
    with pytest.raises(ConfigError, match="not written under this key"):
        cleared_by_guard(corpus, report, key)


def test_an_empty_dataset_is_not_run_and_clears_nothing(tmp_path: Path) -> None:
    empty = tmp_path / "e.jsonl"
    empty.write_text("")
    assert check(empty, guard().known, KEY).verdict is Verdict.NOT_RUN


def test_words_are_the_same_whatever_stands_between_them() -> None:
    assert words(fold("A-b  c_D\n(e)")) == "abcde"  # five letters set apart are one word
    assert words(fold("Straße, ÉTÉ")) == "strasse ete"
