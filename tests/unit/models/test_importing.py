"""If these fail, weights that carry code, or half of a model, could get a manifest and be served."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curtilage.errors import ConfigError, StepError
from curtilage.models import store
from curtilage.models.hub import parse
from curtilage.models.importing import Imported, import_directory, variant_of
from curtilage.models.signing import check_manifest, create_keys, sign, verify

CONFIG = {"architectures": ["MistralForCausalLM"], "max_position_embeddings": 4096, "torch_dtype": "float32"}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def tensors(*names: str, values: int = 16) -> bytes:
    size = values * 4
    entries = {name: {"dtype": "F32", "shape": [values], "data_offsets": [at * size, (at + 1) * size]} for at, name in enumerate(names)}
    header = json.dumps(entries).encode()
    return struct.pack("<Q", len(header)) + header + b"\x01" * (size * len(names))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CURTILAGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two shards with their index, as a maker publishes them."""
    directory = tmp_path / "source"
    directory.mkdir()
    (directory / "config.json").write_text(json.dumps(CONFIG))
    (directory / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    (directory / "tokenizer.json").write_text("{}")
    (directory / "README.md").write_text("# A model\n")
    (directory / "LICENSE").write_text("Apache\n")
    (directory / "model-00001-of-00002.safetensors").write_bytes(tensors("a", "b"))
    (directory / "model-00002-of-00002.safetensors").write_bytes(tensors("c"))
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00001-of-00002.safetensors",
                            "c": "model-00002-of-00002.safetensors"}}  # fmt: skip
    (directory / "model.safetensors.index.json").write_text(json.dumps(index))
    return directory


def bring_in(source: Path, **other: Any) -> Imported:
    words: dict[str, Any] = {"name": "small", "licence": "Apache-2.0", "repository": None, "revision": None, "say": lambda _: None}
    return import_directory(source, **(words | other))


def left(cache: Path) -> list[str]:
    return sorted(str(path.relative_to(cache)) for path in (cache / "models").rglob("*")) if (cache / "models").is_dir() else []


def test_a_whole_model_is_copied_listed_and_can_be_signed(source: Path, tmp_path: Path) -> None:
    found = bring_in(source, repository="maker/small", revision=COMMIT)
    assert found.manifest.parameters == 48
    assert found.manifest.provenance.revision == COMMIT
    assert {"tokenizer_config.json", "tokenizer.json", "LICENSE", "model-card.json"} <= {file.path for file in found.manifest.files}
    card = json.loads((found.directory / "model-card.json").read_bytes())
    assert (card["licence"], card["licence_file"], card["chat_template"]) == ("Apache-2.0", "LICENSE", ["tokenizer_config.json"])
    assert check_manifest(found.directory) == found.manifest
    private, public = tmp_path / "a.key", tmp_path / "a.pub"
    create_keys(private, public)
    sign(found.directory, private)
    assert verify(found.directory, public).ok


def test_the_same_files_get_the_same_digest_and_a_changed_template_another(source: Path, cache: Path) -> None:
    first = bring_in(source)
    assert bring_in(source).manifest == first.manifest
    (source / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ other }}"}))
    assert bring_in(source).manifest.digest != first.manifest.digest
    assert (first.directory / "manifest.json").is_file(), "the version before stays"


def cut(source: Path) -> None:
    path = source / "model-00002-of-00002.safetensors"
    path.write_bytes(path.read_bytes()[:-3])


def remote(source: Path) -> None:
    (source / "config.json").write_text(json.dumps(CONFIG | {"auto_map": {"AutoModelForCausalLM": "modeling.Model"}}))


def link(source: Path) -> None:
    (source / "notes.txt").symlink_to("/etc/hostname")


def nested(source: Path) -> None:
    (source / "x").mkdir()
    (source / "x" / "model.safetensors").write_bytes(tensors("a"))


def executable(source: Path) -> None:
    (source / "README.md").chmod(0o755)


ATTACKS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a truncated shard": (cut, "truncated"),
    "a missing shard": (lambda s: (s / "model-00002-of-00002.safetensors").unlink(), "missing shard"),
    "a shard that no index names": (lambda s: (s / "more.safetensors").write_bytes(tensors("d")), "extra weights"),
    "a shard with a tensor more": (lambda s: (s / "model-00002-of-00002.safetensors").write_bytes(tensors("c", "d")), "index differs"),
    "weights in a subdirectory": (nested, "subdirectory"),
    "a pickle by its name": (lambda s: (s / "pytorch_model.bin").write_bytes(b"x"), "unknown kind of file"),
    "a pickle under another name": (lambda s: (s / "vocab.txt").write_bytes(pickle.dumps({"a": os.getcwd}, protocol=4)), "pickle"),
    "an old pickle under another name": (lambda s: (s / "merges.txt").write_bytes(b"cposix\nsystem\n(S'true'\ntR."), "pickle"),
    "an archive as tokenizer": (lambda s: (s / "tokenizer.model").write_bytes(b"PK\x03\x04rest"), "zip"),
    "code beside the weights": (lambda s: (s / "modeling.py").write_text("pass"), "unknown kind of file"),
    "remote code": (remote, "auto_map"),
    "a link out of the tree": (link, "symlink"),
    "a program": (lambda s: (s / "NOTICE").write_bytes(b"\x7fELF"), "program"),
    "an executable file": (executable, "executable"),
    "no tokenizer": (lambda s: (s / "tokenizer.json").unlink(), "no tokenizer"),
    "an architecture that is not served": (
        lambda s: (s / "config.json").write_text(json.dumps(CONFIG | {"architectures": ["OtherModel"]})), "architecture"),
    "a quantization that is not served": (
        lambda s: (s / "config.json").write_text(json.dumps(CONFIG | {"quantization_config": {"quant_method": "odd"}})), "quantization"),
    "a configuration that is a list": (lambda s: (s / "config.json").write_text("[]"), "architecture"),
    "a manifest of its own": (lambda s: (s / "manifest.json").write_text("{}"), "not part of a model"),
    "a list of ignored files": (lambda s: (s / ".gitattributes").write_text("*"), "not part of a model"),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_what_must_not_be_loaded_is_refused_and_nothing_is_left(name: str, source: Path, cache: Path) -> None:
    change, said = ATTACKS[name]
    change(source)
    with pytest.raises(StepError, match=said):
        bring_in(source)
    assert left(cache) == []


def test_without_space_nothing_is_left_and_the_version_before_stays(source: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = bring_in(source)
    before = left(cache)
    (source / "README.md").write_text("# Another\n")
    usage = shutil.disk_usage(cache)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(StepError, match="1,000 are free"):
        bring_in(source)
    assert left(cache) == before
    assert check_manifest(first.directory) == first.manifest


def test_a_file_that_changes_while_it_is_read_is_found(source: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = store.make

    def late(target: Path, build: Callable[[Path], None]) -> Path:
        (source / "README.md").write_text("# Changed after it was judged\n")
        return made(target, build)

    monkeypatch.setattr("curtilage.models.importing.make", late)
    with pytest.raises(StepError, match="changed while it was read"):
        bring_in(source)
    assert left(cache) == ["models/small"]


@pytest.mark.parametrize("words", [{"licence": " "}, {"name": "Not A Name"}, {"revision": "main"}])
def test_a_model_without_licence_name_or_commit_is_refused(words: dict[str, str], source: Path, cache: Path) -> None:
    with pytest.raises(ConfigError):
        bring_in(source, **words)
    assert left(cache) == []


@pytest.mark.parametrize(
    "reference", ["a/b", "a/b@main", "a/b@" + COMMIT[:-1], "../b@" + COMMIT, "a/..@" + COMMIT, "a/b@" + COMMIT.upper()]
)
def test_a_hub_model_is_named_by_its_whole_commit(reference: str) -> None:
    with pytest.raises(ConfigError):
        parse(reference)
    assert parse(f"a/b@{COMMIT}") == ("a/b", COMMIT)


def test_the_variant_is_what_the_configuration_says() -> None:
    assert variant_of({}) == "bf16"
    assert variant_of({"quantization_config": {"quant_method": "awq", "bits": 4}}) == "awq-int4"
    weights = {"weights": {"type": "int", "num_bits": 8}}
    assert variant_of({"quantization_config": {"quant_method": "compressed-tensors", "config_groups": {"group_0": weights}}}) == "int8"
