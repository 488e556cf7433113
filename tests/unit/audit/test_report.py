"""The privilege report: every sentence tied to records that are proved, nothing said that the record does not hold."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import Result
from typer.testing import CliRunner

from curtilage.audit.commands import app
from curtilage.audit.ledger import Ledger
from curtilage.audit.merkle import leaf_hash, verify_inclusion
from curtilage.audit.note import Checkpoint, Signer
from curtilage.audit.report_law import Topic, template, templates
from curtilage.errors import ConfigError, StepError
from curtilage.jurisdiction import jurisdictions
from curtilage.matters.model import Confidentiality, IdentityKind
from curtilage.matters.opening import open_directory

HOSTILE = "<script>alert(1)</script>"
CALL = {
    "matter": "M-1", "identity": "svc-crm", "surface": "openai", "model": "lab-mistral", "region": "lab", "jurisdiction": "DE",
    "residency": "the matter does not leave the jurisdiction", "upstream": "http://192.0.2.11:8000", "readers": ["p-anna", "svc-crm"],
    "readers_count": 2, "direction": "GC-2030-4", "purpose": "drafting", "removed": {"iban": 2}, "personal_data": "placeholder",
}  # fmt: skip

Write = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, signer: Signer) -> Path:
    signer.save(tmp_path / "ledger.key")
    directory = open_directory(tmp_path / "matters.db", create=True)
    directory.add_identity("svc-crm", kind=IdentityKind.SERVICE, clearance=Confidentiality.PRIVILEGED)
    directory.add_identity("p-anna", clearance=Confidentiality.PRIVILEGED)
    directory.add_identity("p-low", clearance=Confidentiality.PUBLIC)
    directory.add_identity("p-wall", clearance=Confidentiality.PRIVILEGED)
    directory.add_matter("M-1", jurisdiction="DE", confidentiality=Confidentiality.PRIVILEGED)
    for identity in ("svc-crm", "p-anna", "p-low", "p-wall"):
        directory.add_member(identity, "M-1")
    directory.add_wall("p-wall", "M-1", "conflict")
    directory.close()
    return tmp_path


@pytest.fixture
def ledger(folder: Path, signer: Signer) -> Write:
    """A ledger of two calls on M-1, one on another matter and one refusal; a call can be changed, ``end=False`` leaves it open."""

    def make(*, end: bool = True, **changes: Any) -> Path:
        path = folder / f"ledger-{len(list(folder.iterdir()))}"

        async def run() -> None:
            log = Ledger.open(path, signer, checkpoint_seconds=3600, checkpoint_records=10**9)
            for number, matter in enumerate(("M-1", "M-2", "M-1")):
                index = await log.intent({"call": f"c{number}", **CALL, "matter": matter, **(changes if matter == "M-1" else {})})
                if end or number == 0:
                    await log.outcome(index, {"result": "answered", "status": 200, "removed_from_answer": {"name": 1}})
            await log.refused(
                {"call": "c9", "matter": "M-1", "identity": "p-wall", "result": "refused", "reason": "curtilage.ethical_wall"}
            )
            log.close()

        asyncio.run(run())
        return path

    return make


def report(ledger: Path, folder: Path, *more: str, matter: str = "M-1") -> Result:
    out = folder / "out"
    out.mkdir(exist_ok=True)
    arguments = ["report", str(ledger), "--matter", matter, "--key", str(folder / "ledger.pub"), "--out", str(out), *more]
    return CliRunner().invoke(app, arguments)


def full(ledger: Path, folder: Path, *more: str) -> dict[str, Any]:
    done = report(ledger, folder, "--matters", str(folder / "matters.db"), "--region", "lab", "--content", "none", "--json", *more)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    told: dict[str, Any] = json.loads(done.stdout)
    return told | {"code": done.exit_code}


def texts(told: dict[str, Any], topic: Topic) -> str:
    return "\n".join(fact["text"] for fact in told["facts"][topic])


def test_a_matter_with_nothing_open_passes_and_says_what_the_ledger_shows(ledger: Write, folder: Path) -> None:
    told = full(ledger(), folder)
    assert (told["verdict"], told["code"], told["interactions"]) == ("PASS", 0, 3)
    assert "a host of region lab" in texts(told, Topic.THIRD_PARTIES)
    assert "no destination outside its segments" in texts(told, Topic.THIRD_PARTIES)
    readers = texts(told, Topic.READERS)
    assert "p-anna could have called on the matter when 2 of the calls were made" in readers
    assert "p-wall (person) is a member, and an ethical wall" in readers
    assert "p-low (person) is a member and lacks the clearance" in readers
    assert "no call of the matter was made under break-glass" in readers
    assert "processed in region lab (DE, site lab)" in texts(told, Topic.LOCATION)
    assert "4 × iban" in texts(told, Topic.REDACTIONS)
    assert "2 × name" in texts(told, Topic.REDACTIONS)
    assert "counsel's direction GC-2030-4" in texts(told, Topic.DIRECTION)
    assert "curtilage.ethical_wall" in texts(told, Topic.REFUSALS)


def test_every_sentence_that_the_ledger_shows_names_records_and_every_record_is_proved(ledger: Write, folder: Path, signer: Signer) -> None:
    told = full(ledger(), folder)
    proofs = orjson.loads((folder / "out" / "privilege-M-1.proofs.json").read_bytes())
    head = Checkpoint.open(proofs["checkpoint"].encode(), signer.verifier)
    proved = {}
    for entry in proofs["records"]:
        leaf = leaf_hash(entry["record"].encode())
        path = [base64.b64decode(node) for node in entry["proof"]]
        assert verify_inclusion(leaf, entry["index"], head.size, path, head.root)
        proved[entry["index"]] = json.loads(entry["record"])
    assert all(record["data"].get("matter", "M-1") == "M-1" for record in proved.values()), "another matter's records stay out"
    page = (folder / "out" / "privilege-M-1.html").read_text(encoding="utf-8")
    assert {int(found) for found in re.findall(r'href="#record-(\d+)"', page)} <= set(proved)
    assert {int(found) for found in re.findall(r'id="record-(\d+)"', page)} == set(proved)
    for topic, facts in told["facts"].items():
        for fact in facts:
            assert set(fact["refs"]) <= set(proved)
            rests = fact["refs"] or topic == Topic.CONTROLS or not fact["text"].startswith("Shown:")
            assert rests, fact["text"]


@pytest.mark.parametrize(
    ("changes", "topic", "words", "verdict"),
    [
        ({"upstream": "https://198.51.100.7"}, Topic.THIRD_PARTIES, "NOT a host of region lab", "FAIL"),
        ({"upstream": "https://models.example/v1"}, Topic.THIRD_PARTIES, "a third party until explained", "FAIL"),
        ({"direction": None}, Topic.DIRECTION, "2 calls record no direction of counsel", "NOT_PROVEN"),
        ({"readers": None}, Topic.READERS, "2 calls do not record who could read", "NOT_PROVEN"),
        ({"readers_count": 90}, Topic.READERS, "90 readers in all", "NOT_PROVEN"),
        ({"region": "ch-zurich"}, Topic.LOCATION, "in region ch-zurich", "NOT_PROVEN"),
        ({"break_glass": "bg-1"}, Topic.READERS, "break-glass bg-1 was used for 2 calls", "PASS"),
        ({"personal_data": "allow"}, Topic.REDACTIONS, "allowed personal data to reach the model", "PASS"),
    ],
)
def test_what_speaks_against_or_is_open_is_said(
    changes: dict[str, Any], topic: Topic, words: str, verdict: str, ledger: Write, folder: Path
) -> None:
    told = full(ledger(**changes), folder)
    assert words in texts(told, topic)
    assert told["verdict"] == verdict
    assert told["code"] == {"PASS": 0, "FAIL": 1}.get(verdict, 3)


def test_what_was_not_given_is_open_and_never_assumed(ledger: Write, folder: Path) -> None:
    done = report(ledger(), folder, "--json")
    told = json.loads(done.stdout)
    assert (told["verdict"], done.exit_code) == ("NOT_PROVEN", 3)
    open_facts = [fact["text"] for facts in told["facts"].values() for fact in facts if fact["verdict"] == "NOT_PROVEN"]
    for words in ("name it with --region", "matter directory was not given", "--content"):
        assert any(words in text for text in open_facts), words


def test_calls_whose_end_is_not_on_record_are_named(ledger: Write, folder: Path) -> None:
    told = full(ledger(end=False), folder)
    assert "1 calls are interrupted" in texts(told, Topic.CONTROLS)


def test_break_glass_on_the_matter_is_told_with_who_approved_it(ledger: Write, folder: Path) -> None:
    directory = open_directory(folder / "matters.db")
    directory.add_identity("p-night", clearance=Confidentiality.PRIVILEGED)
    grant = directory.request_grant("p-night", "M-1", reason="hearing tomorrow", minutes=30, requested_by="p-night")
    directory.approve_grant(grant, approved_by="p-anna")
    directory.close()
    readers = texts(full(ledger(), folder), Topic.READERS)
    assert f"p-night (person, cleared privileged) can call on the matter by break-glass {grant}" in readers
    assert f"break-glass {grant} for p-night, approved by p-anna, ends 20" in readers


def test_kept_content_is_told(ledger: Write, folder: Path) -> None:
    from curtilage.audit.content import ContentStore

    directory = open_directory(folder / "matters.db")
    store = ContentStore(folder / "content")
    store.put(directory.snapshot().matters["M-1"], "c0", {"prompt": b"secret words", "answer": b"more"})
    directory.close()
    told = full(ledger(), folder, "--content", str(folder / "content"))
    assert "2 contents of the matter are kept" in texts(told, Topic.RETENTION)
    assert b"secret words" not in (folder / "out" / "privilege-M-1.html").read_bytes()


def test_a_ledger_that_does_not_verify_gets_no_report(ledger: Write, folder: Path) -> None:
    path = ledger()
    tile = next((path / "tile" / "entries").rglob("*.p/*"))
    data = bytearray(tile.read_bytes())
    data[20] ^= 1
    tile.chmod(0o644)
    tile.write_bytes(data)
    done = report(path, folder)
    assert isinstance(done.exception, StepError)
    assert not list((folder / "out").iterdir())
    Signer.generate("gateway.example/ledger").save(folder / "other.key")
    assert isinstance(report(ledger(), folder, "--key", str(folder / "other.pub")).exception, StepError)


def test_another_ledger_s_head_kept_elsewhere_stops_the_report(ledger: Write, folder: Path) -> None:
    kept = folder / "kept"
    kept.write_bytes((ledger(upstream="http://192.0.2.12:8000") / "checkpoint").read_bytes())
    path = ledger()
    assert isinstance(report(path, folder, "--checkpoint", str(kept)).exception, StepError)
    told = full(path, folder, "--checkpoint", str(path / "checkpoint"))
    assert told["code"] == 0
    assert "yes, of" in (folder / "out" / "privilege-M-1.html").read_text(encoding="utf-8")


def test_a_matter_nobody_knows_is_refused_and_a_known_one_without_calls_is_reported(ledger: Write, folder: Path) -> None:
    path = ledger()
    assert isinstance(report(path, folder, matter="M-404").exception, ConfigError)
    assert isinstance(report(path, folder, matter="").exception, ConfigError)
    directory = open_directory(folder / "matters.db")
    directory.add_matter("M-9", jurisdiction="FR")
    directory.close()
    done = report(path, folder, "--matters", str(folder / "matters.db"), "--region", "lab", "--content", "none", "--json", matter="M-9")
    told = json.loads(done.stdout)
    assert (told["interactions"], told["verdict"]) == (0, "PASS")
    assert "none sends anything of this matter to a model" in texts(told, Topic.THIRD_PARTIES)
    assert "Secret professionnel" in (folder / "out" / "privilege-M-9.html").read_text(encoding="utf-8")


def test_the_pdf_is_a_pdf_of_one_form_and_hostile_names_stay_text(ledger: Write, folder: Path) -> None:
    full(ledger(identity=HOSTILE, model=HOSTILE, direction="漢字 " + HOSTILE), folder)
    page, pdf = (folder / "out" / f"privilege-M-1.{form}" for form in ("html", "pdf"))
    assert "<script" not in page.read_text(encoding="utf-8")
    assert "漢字" in page.read_text(encoding="utf-8")
    assert pdf.read_bytes().startswith(b"%PDF-1.")
    assert pdf.read_bytes().rstrip().endswith(b"%%EOF")
    for form, there in (("html", {"html", "json"}), ("pdf", {"pdf", "json"})):
        for path in (folder / "out").iterdir():
            path.unlink()
        report(ledger(), folder, "--format", form)
        assert {path.suffix[1:] for path in (folder / "out").iterdir()} == there


def test_each_jurisdiction_on_record_has_its_questions_with_sources() -> None:
    assert set(templates()) == {entry.code for entry in jurisdictions()}
    for found in templates().values():
        assert found.counsel_reviewed is None, "say who reviewed it, in the commit that sets the date"
        assert found.sources
        assert any(Topic.THIRD_PARTIES in factor.rests_on for factor in found.factors)
    assert template("GB").code == "UK"
    with pytest.raises(ConfigError, match="no privilege template for 'JP'"):
        template("JP")
