"""The lab's model, from templates to weights: documents, tokenizer, training without a network, manifest.

Everything that decides the result is digested first, so a second call finds the first one's work and returns at once.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson

from curtilage.canonical import digest_of, file_digest
from curtilage.finetune.card import model_card, model_card_text
from curtilage.finetune.generator import generate, templates_digest
from curtilage.finetune.recipe import Recipe, code_digest, library_versions
from curtilage.finetune.training import cleared_by_generator, train
from curtilage.models.files import MANIFEST, check_loadable, walk
from curtilage.models.manifest import ModelFile, ModelManifest, Provenance, Quantization, content_digest
from curtilage.models.signing import create_keys
from curtilage.models.store import cached_models, make, short, stage
from curtilage.output import progress
from curtilage.paths import state_dir

LAB_MODEL = "lab-mistral"
LAB_DOCUMENTS = 6_000
LAB_RECIPE = Recipe()
Say = Callable[[str], None]


@dataclass(frozen=True)
class BuiltModel:
    """An unsigned model in the cache. ``digest`` names its inputs, ``content`` its files."""

    name: str
    digest: str
    content: str
    directory: Path


@dataclass(frozen=True)
class KeyPair:
    """The files of a signing key."""

    private: Path
    public: Path


def signing_key() -> KeyPair:
    """The key this machine signs models with, made on first use."""
    keys = state_dir() / "keys"
    pair = KeyPair(private=keys / "model-signing.key", public=keys / "model-signing.pub")
    create_keys(pair.private, pair.public)
    return pair


def trusts_another() -> bool:
    """Whether this machine's models were signed elsewhere: it holds the signer's public key, as a bundle brought it, and no private one."""
    keys = state_dir() / "keys"
    return (keys / "model-signing.pub").is_file() and not (keys / "model-signing.key").exists()


def input_digest(name: str = LAB_MODEL, recipe: Recipe = LAB_RECIPE, count: int = LAB_DOCUMENTS) -> str:
    """What a build of this name would be called, known before it is made: templates, code, recipe and library versions."""
    here = Path(__file__).parent
    return digest_of(
        {
            "name": name,
            "documents": count,
            "templates": templates_digest(),
            "code": code_digest(),
            "writer": {module: file_digest(here / module) for module in ("build.py", "manifest.py")},
            "recipe": recipe.model_dump(),
            "libraries": library_versions(),
        }
    )


def build_lab_model(say: Say = progress, *, recipe: Recipe = LAB_RECIPE, count: int = LAB_DOCUMENTS) -> BuiltModel:
    """The lab's model in the cache, made if it is not there.

    Raises:
        MachineError: no namespace without interfaces can be made here, so training is refused.
        StepError: training failed, or there is no space.
    """
    digest = input_digest(LAB_MODEL, recipe, count)
    target = cached_models() / LAB_MODEL / short(digest)
    if (target / MANIFEST).is_file():
        say(f"{LAB_MODEL} {short(digest)[:12]} is in the cache")
    make(target, lambda work: _build(work, digest, recipe, count, say))
    manifest = ModelManifest.model_validate_json((target / MANIFEST).read_bytes())
    return BuiltModel(name=LAB_MODEL, digest=digest, content=manifest.content, directory=target)


def sign_to(built: BuiltModel, key: KeyPair, destination: Path) -> Path:
    """A signed, verified copy at ``destination/<name>/<digest>``; kept when it is there and verifies under this key."""
    return stage(built.directory, key.private, key.public, destination)


def _build(work: Path, digest: str, recipe: Recipe, count: int, say: Say) -> None:
    with tempfile.TemporaryDirectory(prefix="curtilage-model-") as scratch:
        corpus, weights = Path(scratch) / "corpus", Path(scratch) / "model"
        dataset = generate(corpus, count=count, seed=recipe.seed)
        say(f"{dataset.count} synthetic documents, {dataset.digest[:19]}")
        # Beside the model's place, not in scratch: a killed build goes on from there.
        saved = cached_models() / LAB_MODEL / f".{short(digest)}.checkpoint"
        record = train(corpus, weights, recipe, say, clearance=cleared_by_generator(corpus), checkpoint=saved)
        for path in sorted(weights.iterdir()):
            shutil.copyfile(path, work / path.name)
    card = model_card(LAB_MODEL, record)
    (work / "model-card.json").write_bytes(orjson.dumps(card, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
    (work / "README.md").write_text(model_card_text(card), encoding="utf-8")
    check_loadable(work)
    files = tuple(_entry(path, work) for path in sorted(walk(work)))
    manifest = ModelManifest(
        name=LAB_MODEL,
        architecture=card["architecture"],
        parameters=card["parameters"],
        context_tokens=recipe.context,
        dtype=card["dtype"],
        variant=Quantization.BF16,
        licence=card["licence"],
        digest=digest,
        content=content_digest(files),
        files=files,
        provenance=Provenance(kind="trained", data=record["data"], seed=recipe.seed, code=record["code"], libraries=record["libraries"]),
    )
    (work / MANIFEST).write_bytes(orjson.dumps(manifest.model_dump(mode="json"), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))


def _entry(path: Path, root: Path) -> ModelFile:
    with path.open("rb") as stream:
        return ModelFile(
            path=str(path.relative_to(root)), sha256=hashlib.file_digest(stream, "sha256").hexdigest(), size_bytes=path.stat().st_size
        )
