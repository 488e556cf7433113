"""What a run leaves behind for its bundle, so that ``curtilage evidence build`` can make it again.

The run's own time is part of it: building again later does not make old results new. The file is sealed with the evidence key when the run
ends, so results edited or dated afresh by hand are refused.
"""

from __future__ import annotations

import base64
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from curtilage.audit.note import Signer
from curtilage.audit.tiles import write_durably
from curtilage.errors import ConfigError
from curtilage.evidence.bundle import MANIFEST, build_bundle
from curtilage.evidence.documents import generate
from curtilage.evidence.dossier import Dossier
from curtilage.evidence.dsse import EnvelopeError, seal, unseal
from curtilage.evidence.keys import load_or_create
from curtilage.paths import state_dir

INPUTS_TYPE = "application/vnd.curtilage.run-inputs+json"


class BundleInputs(BaseModel):
    """Everything :func:`build_bundle` needs but the key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    region: str
    plan_digest: str
    collected: AwareDatetime
    required: list[str]
    rulesets: dict[str, str] = {}
    images: dict[str, str] = {}
    models: dict[str, str] = {}
    probe_results: list[dict[str, Any]] = []
    audit_checkpoint: str | None = None
    audit_key: str | None = None
    extra: dict[str, str] = {}
    """Name → base64."""
    tools: dict[str, str] = {}
    dossier: Dossier | None = None
    """What the documents are made of; without it the bundle has none, and every requirement's artefact is missing."""

    def documents(self) -> dict[str, bytes]:
        """The generated documents of this run, by name in the bundle."""
        if self.dossier is None:
            return {}
        others = [MANIFEST, "attestations/test-result.dsse.json", "attestations/provenance.dsse.json", "probes.json"]
        others += [f"rulesets/{host}.nft" for host in self.rulesets] + (["audit/checkpoint"] if self.audit_checkpoint else [])
        return generate(
            self.dossier,
            region=self.region,
            plan_digest=self.plan_digest,
            collected=self.collected,
            cells=self.probe_results,
            images=self.images,
            models=self.models,
            others=others,
        )

    def build(self, key: Signer, out: Path | None = None) -> Path:
        """The bundle of this run."""
        return build_bundle(
            self.region,
            plan_digest=self.plan_digest,
            rulesets=self.rulesets,
            images=self.images,
            models=self.models,
            probe_results=self.probe_results,
            required=self.required,
            key=key,
            audit_checkpoint=None if self.audit_checkpoint is None else self.audit_checkpoint.encode(),
            audit_key=self.audit_key,
            extra={name: base64.b64decode(content) for name, content in self.extra.items()},
            documents=self.documents(),
            tools=self.tools,
            collected=datetime.fromisoformat(self.collected.isoformat()),
            out=out,
        )


def inputs_path(region: str) -> Path:
    """Where a region's last run is remembered."""
    return state_dir() / "evidence" / f"{region}.json"


def remember(inputs: BundleInputs) -> Path:
    """Keep a run's inputs, sealed; the next run of the region replaces them."""
    path = inputs_path(inputs.region)
    write_durably(path, seal(INPUTS_TYPE, inputs.model_dump_json().encode(), load_or_create("evidence")))
    return path


def recall(region: str, path: Path | None = None) -> BundleInputs:
    """The inputs of a region's last run."""
    path = path or inputs_path(region)
    try:
        sealed = orjson.loads(path.read_bytes())
        inputs = BundleInputs.model_validate_json(unseal(sealed, INPUTS_TYPE, load_or_create("evidence").verifier))
    except OSError as error:
        raise ConfigError(
            f"no run of {region!r} is remembered ({error.strerror})",
            rule="evidence is built from a run",
            fix=f"run `curtilage up {region}` first",
            file=path,
        ) from error
    except (ValidationError, ValueError, EnvelopeError) as error:
        said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise ConfigError(
            f"not a run's inputs: {said}", rule="the file is sealed by a run, not written by hand", fix="run again", file=path
        ) from error
    if inputs.region != region:
        raise ConfigError(
            f"the run of region {inputs.region!r}, not of {region!r}",
            rule="evidence of one region",
            fix="name the file of this region's run",
            file=path,
        )
    return inputs
