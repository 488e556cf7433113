"""Store a model's weights in 8 bits, in the compressed-tensors form that vLLM serves from its own code on cards and processors alike.

Each row of a linear layer is divided by its own largest value over 127 and rounded (symmetric, per output channel); no data is needed for
that, so no document touches the model. Activations stay 16 bits in the file; vLLM rounds them to 8 bits per token while it multiplies,
since its processor kernels have no product of 8-bit weights with 16-bit activations (they have one of 4-bit weights). Embeddings, norms
and the output head keep their 16 bits.

The result is a version of the same model with a digest of its own: the source's digest and this code. It changes answers; `compare` says
by how much, and a version is served only after it was promoted.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from curtilage.canonical import digest_of, file_digest
from curtilage.errors import ConfigError, StepError
from curtilage.models.files import MANIFEST, SIGNATURE, Unsafe
from curtilage.models.importing import ARCHITECTURES
from curtilage.models.manifest import ModelFile, ModelManifest, Quantization, content_digest
from curtilage.models.pickles import check_shards, header, scan
from curtilage.models.signing import check_manifest
from curtilage.models.store import cached_models, make, short

SCHEME = {
    "quant_method": "compressed-tensors",
    "format": "int-quantized",
    "quantization_status": "compressed",
    "global_compression_ratio": None,
    "kv_cache_scheme": None,
    "ignore": ["lm_head"],
    "config_groups": {
        "group_0": {
            "targets": ["Linear"],
            "weights": {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "channel", "dynamic": False},
            "input_activations": {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "token", "dynamic": True},
            "output_activations": None,
        }
    },
}
_LINEAR = re.compile(r"model\.layers\.\d+\.(self_attn|mlp)\.[a-z]+_proj\.weight")
_FLOATS = frozenset({"BF16", "F16", "F32"})
_INDEX = "model.safetensors.index.json"
_CARD = "model-card.json"


@dataclass(frozen=True)
class Quantized:
    """An unsigned version in the cache."""

    manifest: ModelManifest
    directory: Path


def quantize(source: Path, say: Callable[[str], None]) -> Quantized:
    """The 8-bit version of a model directory, in the cache; a second call finds it.

    Raises:
        ConfigError: it is quantized already, or of an architecture whose layers are not known here.
        StepError: the source is not whole, a weight is not finite, or there is no space.
    """
    try:
        manifest = check_manifest(source)
        check_shards(source)
    except (Unsafe, OSError) as error:
        raise StepError("quantize", f"{source}: {error}", fix="build or import the model again") from error
    config: dict[str, Any] = json.loads((source / "config.json").read_bytes())
    if manifest.variant is not Quantization.BF16 or "quantization_config" in config:
        raise ConfigError(
            f"{source} is {manifest.variant} already", rule="16-bit weights are quantized", fix="name the unquantized version"
        )
    if manifest.architecture not in ARCHITECTURES:
        raise ConfigError(f"architecture {manifest.architecture}", rule=f"known are {', '.join(sorted(ARCHITECTURES))}", fix="name another")
    digest = digest_of({"quantized": manifest.digest, "content": manifest.content, "code": file_digest(Path(__file__)), "scheme": SCHEME})
    target = cached_models() / manifest.name / short(digest)
    make(target, lambda work: _write(source, work, manifest, digest, config, say))
    return Quantized(ModelManifest.model_validate_json((target / MANIFEST).read_bytes()), target)


def _write(source: Path, work: Path, manifest: ModelManifest, digest: str, config: dict[str, Any], say: Callable[[str], None]) -> None:
    needed, free = sum(file.size_bytes for file in manifest.files), shutil.disk_usage(work).free
    if free < needed:
        raise StepError("quantize", f"up to {needed:,} bytes are needed, {free:,} are free", fix="free space")
    where: dict[str, str] = {}
    before = after = 0
    for shard in sorted(source.glob("*.safetensors")):
        names = _shard(shard, work / shard.name)
        where |= dict.fromkeys(names, shard.name)
        before, after = before + shard.stat().st_size, after + (work / shard.name).stat().st_size
        say(f"{shard.name}: {sum(name.endswith('.weight_scale') for name in names)} layers in 8 bits")
    if not any(name.endswith(".weight_scale") for name in where):
        raise StepError("quantize", f"{source} has no linear layer by a name known here", fix="serve it unquantized")
    for file in manifest.files:
        path = work / file.path
        if file.path.endswith(".safetensors") or file.path in {"config.json", _INDEX, _CARD, SIGNATURE}:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / file.path, path)
    if (source / _INDEX).is_file():
        total = sum((work / name).stat().st_size for name in set(where.values()))
        _json(work / _INDEX, {"metadata": {"total_size": total}, "weight_map": where})
    _json(work / "config.json", config | {"quantization_config": SCHEME})
    card: dict[str, Any] = json.loads((source / _CARD).read_bytes()) if (source / _CARD).is_file() else {"name": manifest.name}
    card["quantization"] = {
        "from": manifest.digest,
        "method": "round to nearest, symmetric, 8 bits per output channel; activations 8 bits per token, at run time",
        "weights_bytes": {"before": before, "after": after},
        "evaluation": "the figures above are those of the unquantized version; see `curtilage model compare`",
    }
    _json(work / _CARD, card)
    files = tuple(_listed(work, path) for path in sorted(work.rglob("*")) if path.is_file())
    quantized = manifest.model_copy(
        update={
            "variant": Quantization.INT8,
            "digest": digest,
            "content": content_digest(files),
            "files": files,
            "provenance": manifest.provenance.model_copy(update={"quantized_from": manifest.digest}),
        }
    )
    _json(work / MANIFEST, quantized.model_dump(mode="json"))
    scan(work)
    check_shards(work)


def _shard(source: Path, target: Path) -> list[str]:
    """Write one shard with its linear layers in 8 bits; returns the names it holds now."""
    import torch
    from safetensors import safe_open
    from safetensors.torch import save_file

    kinds = {name: entry["dtype"] for name, entry in header(source).items() if name != "__metadata__"}
    made: dict[str, Any] = {}
    with safe_open(source, framework="pt") as stream:
        for name in sorted(kinds):
            tensor = stream.get_tensor(name)
            if not _LINEAR.fullmatch(name) or tensor.dim() != 2 or kinds[name] not in _FLOATS:
                made[name] = tensor
                continue
            weights = tensor.to(torch.float32)
            if not torch.isfinite(weights).all():
                raise StepError("quantize", f"{source.name}: {name} holds numbers that are not finite", fix="import the model again")
            # A row of zeros stays one: any scale does, and none may be zero.
            scale = (weights.abs().amax(1, keepdim=True) / 127).clamp_min(torch.finfo(torch.float32).tiny)
            made[name] = (weights / scale).round().clamp(-127, 127).to(torch.int8)
            made[f"{name}_scale"] = scale
    save_file(made, target, metadata={"format": "pt"})
    target.chmod(0o644)
    return sorted(made)


def _listed(root: Path, path: Path) -> ModelFile:
    return ModelFile(path=str(path.relative_to(root)), sha256=file_digest(path).removeprefix("sha256:"), size_bytes=path.stat().st_size)


def _json(path: Path, document: Any) -> None:
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
