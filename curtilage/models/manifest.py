"""What a model is: the manifest inside a built model, and the catalogue entry in ``model_images/<name>/manifest.yaml``.

Components read these too, so this module imports the foundations alone. It holds no digest of its own making: an entry whose weights
were not imported says ``weights: null`` and cannot be deployed.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from curtilage.canonical import digest_of
from curtilage.errors import ConfigError
from curtilage.paths import CHECKOUT

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")]
CATALOGUE = CHECKOUT / "model_images"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Quantization(StrEnum):
    """How weights are stored."""

    BF16 = "bf16"
    FP8 = "fp8"
    INT8 = "int8"
    AWQ_INT4 = "awq-int4"
    GPTQ_INT4 = "gptq-int4"


class ModelFile(_Part):
    """One file of a model, by path below the model's directory."""

    path: str
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    size_bytes: Annotated[int, Field(ge=0)]


class Provenance(_Part):
    """Where weights come from: our own pipeline, or an import with its repository and commit."""

    kind: Literal["trained", "imported"]
    data: Digest | None = None
    seed: int | None = None
    code: Digest | None = None
    libraries: dict[str, str] = {}
    repository: str | None = None
    revision: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")] | None = None
    quantized_from: Digest | None = None


class ModelManifest(_Part):
    """``manifest.json`` of a built model; signed together with the files it lists.

    ``digest`` names the inputs (documents, code, recipe, library versions): it is known before the model is made and the same on two
    machines, so a plan can hold it. ``content`` is the digest of the files that came out, which processors of different kinds may
    round differently; the signature binds the two.
    """

    schema_version: Literal[1] = 1
    name: Name
    architecture: str
    parameters: Annotated[int, Field(gt=0)]
    context_tokens: Annotated[int, Field(gt=0)]
    dtype: str
    variant: Quantization
    licence: str
    digest: Digest
    content: Digest
    files: Annotated[tuple[ModelFile, ...], Field(min_length=1)]
    provenance: Provenance
    adapter_of: Digest | None = None
    """The version an adapter was made for; an adapter alone is no model."""


class Variant(_Part):
    """One way to store a catalogue model and the memory its weights need on a card."""

    quantization: Quantization
    weights_gib: Annotated[float, Field(gt=0)]
    cards: str


class CatalogueModel(_Part):
    """``model_images/<name>/manifest.yaml``: a model a region may name.

    Exactly one of these holds: ``pipeline`` (ours, made on the spot), ``weights`` (imported, by digest), or neither: not imported.
    """

    name: Name
    title: str
    architecture: str
    repository: str | None
    revision: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")] | None = None
    licence: str
    licence_terms: str
    parameters_billion: Annotated[float, Field(gt=0)]
    layers: Annotated[int, Field(gt=0)]
    kv_heads: Annotated[int, Field(gt=0)]
    head_dim: Annotated[int, Field(gt=0)]
    context_tokens: Annotated[int, Field(gt=0)]
    variants: Annotated[tuple[Variant, ...], Field(min_length=1)]
    pipeline: Literal["curtilage.models.build"] | None = None
    weights: Digest | None

    @property
    def deployable(self) -> bool:
        """True when there are weights to deploy: imported ones, or those our pipeline makes."""
        return self.weights is not None or self.pipeline is not None

    @property
    def kv_cache_bytes_per_token(self) -> int:
        """Key and value in 16 bits for each layer: what one more token of context costs."""
        return 2 * self.layers * self.kv_heads * self.head_dim * 2


def content_digest(files: tuple[ModelFile, ...]) -> str:
    """One digest for a set of files, whatever order they were listed in."""
    return digest_of({file.path: file.sha256 for file in files})


def read_manifest(path: Path) -> ModelManifest:
    """A built model's manifest.

    Raises:
        ConfigError: no such file, or it is not a manifest.
    """
    try:
        return ModelManifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read", rule="a model has a manifest.json", fix="build or import the model again") from error
    except ValidationError as error:
        raise ConfigError(_first(error), rule="manifest.json follows its schema", fix="build or import it again", file=path) from error


def read_catalogue_model(path: Path) -> CatalogueModel:
    """One catalogue entry.

    Raises:
        ConfigError: no such file, not YAML, or it breaks a rule.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        entry = CatalogueModel.model_validate(document)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read", rule="a model is model_images/<name>/manifest.yaml", fix="write that file") from error
    except yaml.YAMLError as error:
        raise ConfigError("not YAML: " + " ".join(str(error).split()), rule="a manifest is YAML", fix="correct it", file=path) from error
    except ValidationError as error:
        raise ConfigError(_first(error), rule="a manifest follows its schema", fix="see curtilage/models/manifest.py", file=path) from error
    if entry.name != path.parent.name:
        raise ConfigError(f"name '{entry.name}'", rule="a manifest's name is its directory's", fix=f"write {path.parent.name}", file=path)
    if entry.weights is not None and entry.pipeline is not None:
        raise ConfigError("both weights and pipeline", rule="weights are imported or made, not both", fix="remove one", file=path)
    return entry


def catalogue(root: Path = CATALOGUE) -> tuple[CatalogueModel, ...]:
    """Every catalogue entry, by name; none on a host that carries the package alone."""
    return tuple(read_catalogue_model(path) for path in sorted(root.glob("*/manifest.yaml")))


def _first(error: ValidationError) -> str:
    found = error.errors(include_url=False)[0]
    return f"{'.'.join(str(part) for part in found['loc']) or 'document'}: {found['msg']}"
