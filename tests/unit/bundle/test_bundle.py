"""If these fail, what is loaded on the far side of an air gap is not what was signed, or is half of it.

Each attack is made on a bundle that verifies before it, so that a refusal is due to the attack and nothing else.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from curtilage.audit.note import Signer, VerifierKey
from curtilage.bundle import build as building
from curtilage.bundle import load as loading
from curtilage.bundle import manifest as manifests
from curtilage.bundle.build import Source, build
from curtilage.bundle.load import load
from curtilage.bundle.manifest import BundlePart, Entry, Kind, Manifest, Missing
from curtilage.bundle.verify import check
from curtilage.errors import ConfigError, StepError
from curtilage.verdict import Verdict

CHUNK = 1000


class Made:
    """A bundle of a tree and a model, its sources, and the key it is signed with."""

    def __init__(self, root: Path, signer: Signer) -> None:
        self.root, self.signer, self.path = root, signer, root / "bundle"
        self.tree, self.model = root / "tree", root / "model"
        (self.tree / "pkg" / "empty").mkdir(parents=True)
        (self.tree / "pkg" / "code.py").write_bytes(bytes(range(256)) * 9)
        (self.tree / "pkg" / "run").write_bytes(b"#!/bin/sh\n")
        (self.tree / "pkg" / "run").chmod(0o755)
        (self.tree / "pkg" / "nothing").write_bytes(b"")
        (self.tree / "pkg" / "latest").symlink_to("code.py")
        self.model.mkdir()
        (self.model / "weights").write_bytes(os.urandom(3333))
        self.build()

    def sources(self) -> list[Source]:
        return [Source(Kind.TREE, "tree-1", self.tree), Source(Kind.MODEL, "small_" + "a" * 64, self.model)]

    def build(self, out: Path | None = None, missing: tuple[Missing, ...] = ()) -> Manifest:
        return build(self.sources(), missing, out or self.path, region="lab", signer=self.signer, say=lambda _: None)

    @property
    def key(self) -> VerifierKey:
        return self.signer.verifier

    def load(self) -> dict[str, str]:
        return load(self.path, self.key, "lab", lambda _: None)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    for module in (manifests, building):
        monkeypatch.setattr(module, "CHUNK_BYTES", CHUNK)
    monkeypatch.setenv("CURTILAGE_CACHE", str(tmp_path / "far" / "cache"))
    monkeypatch.setenv("CURTILAGE_STATE", str(tmp_path / "far" / "state"))
    bundle = Made(tmp_path / "near", Signer.generate("test/bundle"))
    assert check(bundle.path, bundle.key, "lab").verdict is Verdict.PASS
    return bundle


def everything(root: Path) -> dict[str, tuple[int, bytes]]:
    """Names, modes and contents below a directory."""
    return {
        str(path.relative_to(root)): (
            path.lstat().st_mode,
            str(path.readlink()).encode() if path.is_symlink() else path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(root.rglob("*"))
    }


def installed(root: Path) -> list[str]:
    far = root.parent / "far"
    return sorted(path.name for kind in ("cache", "state/models") for path in (far / kind).glob("*/*"))


def test_what_is_loaded_is_what_was_bundled(made: Made) -> None:
    places = made.load()
    assert everything(Path(places["tree/tree-1"])) == everything(made.tree)
    assert everything(Path(places["model/small_" + "a" * 64])) == everything(made.model)
    assert Path(places["tree/tree-1"], "pkg/code.py").stat().st_mtime == int((made.tree / "pkg/code.py").stat().st_mtime)
    assert made.load() == places, "a second load finds everything"


def test_the_same_inputs_give_the_same_bytes(made: Made, tmp_path: Path) -> None:
    made.build(tmp_path / "second")
    assert everything(tmp_path / "second") == everything(made.path)


def test_a_build_that_is_run_again_writes_only_what_is_missing_or_spoilt(made: Made) -> None:
    before = everything(made.path)
    chunks = sorted((made.path / "chunks").iterdir())
    times = {path: path.stat().st_mtime_ns for path in chunks}
    chunks[0].unlink()
    chunks[1].write_bytes(b"x" * chunks[1].stat().st_size)
    (made.path / "chunks" / "leftover.tmp").write_bytes(b"half")
    (made.path / "bundle.dsse").unlink()
    made.build()
    assert everything(made.path) == before
    assert all(path.stat().st_mtime_ns == times[path] for path in chunks[2:])


def test_every_flipped_byte_of_statement_and_manifest_and_one_of_each_chunk_is_found(made: Made) -> None:
    for path in [made.path / "bundle.dsse", made.path / "manifest.json", *(made.path / "chunks").iterdir()]:
        content = path.read_bytes()
        step = max(1, len(content) // 60)
        for at in {*range(0, len(content), step), len(content) - 1}:
            path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
            found = check(made.path, made.key, "lab")
            assert found.verdict is Verdict.FAIL, f"{path.name} byte {at}"
        path.write_bytes(content[:-1])
        assert check(made.path, made.key, "lab").verdict is Verdict.FAIL
        path.write_bytes(content)
    assert check(made.path, made.key, "lab").verdict is Verdict.PASS


def _first(made: Made) -> Path:
    return min((made.path / "chunks").iterdir())


@pytest.mark.parametrize(
    "harm",
    [
        lambda made: _first(made).unlink(),
        lambda made: (made.path / "chunks" / ("0" * 64)).write_bytes(b"more"),
        lambda made: (made.path / "README").write_bytes(b"more"),
        lambda made: (made.path / "bundle.dsse").unlink(),
        lambda made: shutil.rmtree(made.path / "chunks"),
        lambda made: (_first(made).rename(made.root / "aside"), _first(made).with_name("0" * 64).symlink_to(made.root / "aside")),
        lambda made: (made.path / "manifest.json").write_text("{}"),
        lambda made: (made.path / "bundle.dsse").write_text('{"payload": 3}'),
    ],
)
def test_a_harmed_bundle_is_refused_and_installs_nothing(harm: Callable[[Made], object], made: Made) -> None:
    harm(made)
    assert check(made.path, made.key, "lab").verdict is Verdict.FAIL
    with pytest.raises(StepError, match="nothing was installed"):
        made.load()
    assert installed(made.root) == []


def test_another_key_or_another_regions_bundle_is_refused(made: Made) -> None:
    assert "signed by key" in check(made.path, Signer.generate("test/bundle").verifier, "lab").reason
    assert "of region lab" in check(made.path, made.key, "de-frankfurt").reason


def test_what_a_bundle_lacks_is_not_run_and_never_passes(made: Made) -> None:
    made.build(missing=(Missing(what="wheels", why="none were given"),))
    found = check(made.path, made.key, "lab")
    assert (found.verdict, found.missing[0].what) == (Verdict.NOT_RUN, "wheels")


def _part(*entries: dict[str, object]) -> BundlePart:
    return BundlePart(kind=Kind.TREE, name="t", entries=tuple(Entry.model_validate({"mode": 0o644, **entry}) for entry in entries))


@pytest.mark.parametrize(
    "entries",
    [
        [{"path": "../up", "type": "file"}],
        [{"path": "/etc/passwd", "type": "file"}],
        [{"path": "a//b", "type": "file"}],
        [{"path": "", "type": "file"}],
        [{"path": "a\0b", "type": "file"}],
        [{"path": "link", "type": "link", "target": "/etc"}, {"path": "link/passwd", "type": "file"}],
        [{"path": "b", "type": "file"}, {"path": "a", "type": "file"}],
        [{"path": "a", "type": "file"}, {"path": "a", "type": "file"}],
        [{"path": "a", "type": "dir", "size": 3}],
        [{"path": "a", "type": "link"}],
        [{"path": "a", "type": "block", "target": "1:1"}],
        [{"path": "a", "type": "char", "target": "one:two"}],
        [{"path": "a", "type": "link", "target": "b\0c"}],
    ],
)
def test_a_manifest_that_would_write_outside_its_part_or_through_a_link_is_no_manifest(entries: list[dict[str, object]]) -> None:
    with pytest.raises(ValueError, match=r"."):
        _part(*entries)


def test_a_part_cannot_choose_its_place() -> None:
    for name in ("..", "../x", "a/b", "", ".hidden"):
        with pytest.raises(ValueError, match="name"):
            BundlePart(kind=Kind.TREE, name=name, entries=())


def test_an_interrupted_load_installs_nothing_and_goes_on_later(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    real, count = loading._lay_out, [0]

    def cut(*words: object) -> None:
        count[0] += 1
        real(*words)  # type: ignore[arg-type]
        if count[0] == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loading, "_lay_out", cut)
        with pytest.raises(KeyboardInterrupt):
            made.load()
    assert installed(made.root) == []
    assert len(made.load()) == 2


def test_no_space_is_told_before_anything_is_written(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(made.root)
    monkeypatch.setattr(loading.shutil, "disk_usage", lambda _: usage._replace(free=loading.SPARE_BYTES))
    with pytest.raises(StepError, match="are needed"):
        made.load()
    assert installed(made.root) == []


def test_a_disk_that_fills_up_on_the_way_leaves_nothing(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr(loading, "_settle", full)
    with pytest.raises(StepError, match="No space left"):
        made.load()
    assert installed(made.root) == []


@pytest.mark.parametrize(
    "harm",
    [
        lambda tree: (tree / "pkg" / "code.py").unlink(),
        lambda tree: (tree / "pkg" / "code.py").write_bytes(b"x" * (tree / "pkg" / "code.py").stat().st_size),
        lambda tree: (tree / "pkg" / "run").chmod(0o4777),
        lambda tree: ((tree / "pkg" / "latest").unlink(), (tree / "pkg" / "latest").symlink_to("run")),
    ],
)
def test_a_part_that_was_changed_on_the_far_side_is_laid_out_again(harm: Callable[[Path], object], made: Made) -> None:
    tree = Path(made.load()["tree/tree-1"])
    harm(tree)
    assert everything(tree) != everything(made.tree)
    made.load()
    assert everything(tree) == everything(made.tree)


def test_a_source_that_changes_while_it_is_read_is_refused(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    real = building._list

    def later(source: Source) -> BundlePart:
        part = real(source)
        if source.kind is Kind.MODEL:
            (made.model / "weights").write_bytes(b"other")
        return part

    monkeypatch.setattr(building, "_list", later)
    with pytest.raises(StepError, match="changed while it was read"):
        made.build()
    assert check(made.path, made.key, "lab").verdict is Verdict.FAIL, "what was not finished is no bundle"


def test_a_bundle_is_not_written_into_somebody_elses_directory(made: Made, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter").write_text("dear")
    with pytest.raises(ConfigError, match="holds letter"):
        made.build(tmp_path / "home")
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["letter"]


def test_a_private_key_named_public_stays_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from curtilage.bundle import gather

    monkeypatch.setenv("CURTILAGE_STATE", str(tmp_path / "state"))
    (tmp_path / "state" / "keys").mkdir(parents=True)
    (tmp_path / "state" / "keys" / "a.pub").write_text("-----BEGIN PRIVATE KEY-----\n")
    (tmp_path / "copies").mkdir()
    with pytest.raises(StepError, match="private key"):
        gather._keys(tmp_path / "copies", [])


def test_wheels_that_no_lock_knows_or_that_are_too_few_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib

    from curtilage.bundle import gather

    wheels, lock = tmp_path / "wheels", tmp_path / "a.lock"
    wheels.mkdir()
    (wheels / "one.whl").write_bytes(b"one")
    digests = [hashlib.sha256(content).hexdigest() for content in (b"one", b"two")]
    monkeypatch.setattr(gather, "LOCKS", (lock,))
    lock.write_text(f"one==1 --hash=sha256:{digests[0]}\ntwo==2 --hash=sha256:{digests[1]}\n")
    with pytest.raises(ConfigError, match="no wheel of two==2"):
        gather._wheels(wheels)
    (wheels / "two.whl").write_bytes(b"two")
    assert len(gather._wheels(wheels)) == 24
    (wheels / "three.whl").write_bytes(b"three")
    with pytest.raises(ConfigError, match=r"three\.whl"):
        gather._wheels(wheels)


def test_the_manifest_is_json_that_reads_back(made: Made) -> None:
    document = json.loads((made.path / "manifest.json").read_bytes())
    assert Manifest.model_validate(document).model_dump(mode="json", exclude_defaults=True) | {"schema_version": 1} == document


def with_keys(made: Made, tmp_path: Path) -> Path:
    """The bundle again, with a signer's public key in it; returns where the far side keeps the one it trusts."""
    (tmp_path / "near" / "public").mkdir()
    (tmp_path / "near" / "public" / "model-signing.pub").write_text("the near side's\n")
    sources = [*made.sources(), Source(Kind.KEYS, "public", tmp_path / "near" / "public")]
    build(sources, [], made.path, region="lab", signer=made.signer, say=lambda _: None)
    return tmp_path / "far" / "state" / "keys" / "model-signing.pub"


def test_a_machine_without_a_signer_trusts_the_one_it_was_brought(made: Made, tmp_path: Path) -> None:
    kept = with_keys(made, tmp_path)
    made.load()
    assert kept.read_text() == "the near side's\n"
    assert kept.parent.stat().st_mode & 0o077 == 0


def test_a_signer_that_is_there_is_never_replaced(made: Made, tmp_path: Path) -> None:
    kept = with_keys(made, tmp_path)
    kept.parent.mkdir(parents=True)
    kept.write_text("the far side's own\n")
    made.load()
    assert kept.read_text() == "the far side's own\n"


def test_a_bundle_that_was_harmed_after_it_was_loaded_leaves_what_is_there(made: Made) -> None:
    places = made.load()
    chunk = _first(made)
    content = bytearray(chunk.read_bytes())
    content[0] ^= 1
    chunk.write_bytes(content)
    with pytest.raises(StepError, match="nothing was installed"):
        made.load()
    assert everything(Path(places["tree/tree-1"])) == everything(made.tree)


def test_chunks_of_the_same_bytes_are_stored_once(made: Made) -> None:
    (made.tree / "pkg" / "zeros").write_bytes(bytes(CHUNK * 7))
    made.build()
    assert made.load()
    assert (made.root.parent / "far/cache/trees/tree-1/pkg/zeros").read_bytes() == bytes(CHUNK * 7)


@pytest.mark.parametrize("at", range(0, 6000, 500))
def test_a_byte_flipped_anywhere_installs_nothing_of_any_part(made: Made, at: int) -> None:
    chunk = sorted((made.path / "chunks").iterdir())[at // CHUNK]
    content = bytearray(chunk.read_bytes())
    content[min(at % CHUNK, len(content) - 1)] ^= 1
    chunk.write_bytes(content)
    with pytest.raises(StepError, match=r"changed chunk.*nothing was installed"):
        made.load()
    assert installed(made.root) == []
    assert not list((made.root.parent / "far").rglob(".loading-*"))
