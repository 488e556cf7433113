"""Import weights that were made elsewhere: checked file by file, copied, listed in a manifest, signed; all of it or nothing.

The source is read, never changed. A model whose licence or origin is unknown gets no manifest: a region could not name it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import orjson

from curtilage.canonical import digest_of
from curtilage.errors import ConfigError, StepError
from curtilage.models.files import MANIFEST, SIGNATURE, Unsafe, walk
from curtilage.models.manifest import ModelFile, ModelManifest, Provenance, Quantization, content_digest
from curtilage.models.pickles import LEFT_OUT, check_shards, header, scan
from curtilage.models.store import cached_models, make, short

CARD = "model-card.json"
ARCHITECTURES = frozenset({"MistralForCausalLM", "LlamaForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM"})
"""What vLLM serves from its own code and curtilage counts the memory of; others would need code or a sum we do not have."""
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "tekken.json")


@dataclass(frozen=True)
class Imported:
    """An unsigned, checked copy in the cache."""

    manifest: ModelManifest
    directory: Path


def import_directory(
    source: Path, *, name: str, licence: str, repository: str | None, revision: str | None, say: Callable[[str], None]
) -> Imported:
    """Check a directory and copy it into the cache.

    Raises:
        StepError: the directory holds what must not be loaded, is not whole, or there is no space.
        ConfigError: name, licence or configuration break a rule.
    """
    if not licence.strip():
        raise ConfigError("no licence", rule="a model is imported with its licence", fix="pass --licence", key="licence")
    if not source.is_symlink() and not source.is_dir():
        raise ConfigError(f"no directory at {source}", rule="a model is a directory", fix="correct the path")
    try:
        say(f"{_scan(source)} files looked into")
        check_shards(source)
        config = _config(source)
        variant = variant_of(config)
    except Unsafe as error:
        raise StepError("import", f"{source}: {error}", fix="ask the maker for safetensors and plain files; import nothing else") from error
    except OSError as error:
        raise StepError("import", f"{source}: {error.strerror or error}", fix="make the directory readable") from error
    files = _listed(source)
    card = _card(source, name=name, licence=licence, repository=repository, revision=revision, config=config)
    entry = orjson.dumps(card, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
    files[CARD] = ModelFile(path=CARD, sha256=hashlib.sha256(entry).hexdigest(), size_bytes=len(entry))
    listed = tuple(files[path] for path in sorted(files))
    content = content_digest(listed)
    try:
        manifest = ModelManifest(
            name=name,
            architecture=config["architectures"][0],
            parameters=_parameters(source),
            context_tokens=config["max_position_embeddings"],
            dtype=str(config.get("dtype") or config.get("torch_dtype") or "unknown"),
            variant=variant,
            licence=licence,
            digest=digest_of({"imported": content, "repository": repository, "revision": revision}),
            content=content,
            files=listed,
            provenance=Provenance(kind="imported", repository=repository, revision=revision),
        )
    except ValueError as error:
        first = " ".join(str(error).split())
        raise ConfigError(first, rule="name, revision and configuration follow the manifest's schema", fix="see docs/models.md") from error
    target = cached_models() / name / short(manifest.digest)
    make(target, lambda work: _copy(source, work, manifest, entry))
    return Imported(manifest, target)


def _scan(source: Path) -> int:
    """Like :func:`scan`, and refuses a hub's own dot files and what an import or a signature writes itself."""
    found = sorted({path.name for path in walk(source)} & LEFT_OUT | {name for name in (SIGNATURE, MANIFEST) if (source / name).exists()})
    if found:
        raise Unsafe(f"not part of a model: {', '.join(found)}; remove them first")
    return scan(source)


def _config(source: Path) -> dict[str, Any]:
    for wanted in ("config.json", "tokenizer_config.json"):
        if not (source / wanted).is_file():
            raise Unsafe(f"missing file: {wanted}")
    if not any((source / tokenizer).is_file() for tokenizer in _TOKENIZERS):
        raise Unsafe(f"no tokenizer: one of {', '.join(_TOKENIZERS)}")
    config: Any = json.loads((source / "config.json").read_bytes())
    architectures = config.get("architectures") if isinstance(config, dict) else None
    if not isinstance(architectures, list) or len(architectures) != 1 or architectures[0] not in ARCHITECTURES:
        raise Unsafe(f"architecture {architectures!r}: served are {', '.join(sorted(ARCHITECTURES))}")
    if not isinstance(config.get("max_position_embeddings"), int):
        raise Unsafe("config.json names no max_position_embeddings")
    return dict(config)


def variant_of(config: dict[str, Any]) -> Quantization:
    """How the weights are stored, from the configuration.

    Raises:
        Unsafe: a method we do not know.
    """
    found = config.get("quantization_config")
    if found is None:
        return Quantization.BF16
    method, bits = (found.get("quant_method"), found.get("bits")) if isinstance(found, dict) else (None, None)
    if method in {"awq", "gptq"} and bits == 4:
        return Quantization.AWQ_INT4 if method == "awq" else Quantization.GPTQ_INT4
    if method == "fp8":
        return Quantization.FP8
    if method == "compressed-tensors":
        groups = [group.get("weights") or {} for group in (found.get("config_groups") or {}).values()]
        kinds = {(weights.get("type"), weights.get("num_bits")) for weights in groups}
        known = {("int", 8): Quantization.INT8, ("float", 8): Quantization.FP8, ("int", 4): Quantization.GPTQ_INT4}
        if len(kinds) == 1 and (only := kinds.pop()) in known:
            return known[only]
    raise Unsafe(f"quantization {method!r} with {bits!r} bits is not one we serve")


def _parameters(source: Path) -> int:
    """Numbers stored in the weights; packed ones count as stored."""
    total = 0
    for path in source.glob("*.safetensors"):
        for name, tensor in header(path).items():
            if name != "__metadata__":
                shape = tensor["shape"]
                total += prod(int(extent) for extent in shape) if isinstance(shape, list) else 1
    return total


def _card(source: Path, *, name: str, licence: str, repository: str | None, revision: str | None, config: dict[str, Any]) -> dict[str, Any]:
    """What is known of an imported model; the maker's own card stays beside it as README.md."""
    templates = [file for file in ("chat_template.jinja", "chat_template.json") if (source / file).is_file()]
    settings = json.loads((source / "tokenizer_config.json").read_bytes())
    if isinstance(settings, dict) and settings.get("chat_template"):
        templates.append("tokenizer_config.json")
    return {
        "name": name,
        "architecture": config["architectures"][0],
        "licence": licence,
        "licence_file": next((file for file in ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE") if (source / file).is_file()), None),
        "repository": repository,
        "revision": revision,
        "chat_template": templates,
        "makers_card": "README.md" if (source / "README.md").is_file() else None,
        "training": "by its maker; nothing about it was verified here",
        "limits": "a signature says that these are the files that were imported, not that the model is good or safe",
    }


def _listed(source: Path) -> dict[str, ModelFile]:
    files = {}
    for path in walk(source):
        name = str(path.relative_to(source))
        if name == CARD:
            raise StepError("import", f"{source}: {CARD} is there already", fix=f"remove it; the import writes {CARD}")
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        files[name] = ModelFile(path=name, sha256=digest, size_bytes=path.stat().st_size)
    return files


def _copy(source: Path, work: Path, manifest: ModelManifest, card: bytes) -> None:
    needed = sum(file.size_bytes for file in manifest.files)
    free = shutil.disk_usage(work).free
    if free < needed + (64 << 20):
        raise StepError("import", f"{needed:,} bytes are needed, {free:,} are free", fix="free space, or set CURTILAGE_CACHE elsewhere")
    for file in manifest.files:
        target = work / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.path == CARD:
            target.write_bytes(card)
            continue
        digest = hashlib.sha256()
        # Digested while copied: what was judged, what is listed and what is stored are the same bytes.
        with (source / file.path).open("rb") as read, target.open("wb") as write:
            while block := read.read(4 << 20):
                digest.update(block)
                write.write(block)
        if digest.hexdigest() != file.sha256:
            raise StepError("import", f"{source / file.path} changed while it was read", fix="import from a directory nobody writes to")
    (work / MANIFEST).write_bytes(orjson.dumps(manifest.model_dump(mode="json"), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
    scan(work)
