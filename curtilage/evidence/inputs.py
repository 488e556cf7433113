"""What a run leaves behind for its bundle, so that ``curtilage evidence build`` can make it again.

The run's own time is part of it: building again later does not make old results new.
"""

from __future__ import annotations

import base64
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from curtilage.audit.note import Signer
from curtilage.audit.tiles import write_durably
from curtilage.errors import ConfigError
from curtilage.evidence.bundle import build_bundle
from curtilage.paths import state_dir


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
            tools=self.tools,
            collected=datetime.fromisoformat(self.collected.isoformat()),
            out=out,
        )


def inputs_path(region: str) -> Path:
    """Where a region's last run is remembered."""
    return state_dir() / "evidence" / f"{region}.json"


def remember(inputs: BundleInputs) -> Path:
    """Keep a run's inputs; the next run of the region replaces them."""
    path = inputs_path(inputs.region)
    write_durably(path, inputs.model_dump_json(indent=1).encode())
    return path


def recall(region: str, path: Path | None = None) -> BundleInputs:
    """The inputs of a region's last run."""
    path = path or inputs_path(region)
    try:
        inputs = BundleInputs.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise ConfigError(
            f"no run of {region!r} is remembered",
            rule="evidence is built from a run",
            fix=f"run `curtilage up {region}` or `curtilage verify {region}` first",
            file=path,
        ) from error
    except ValidationError as error:
        raise ConfigError(
            f"not a run's inputs: {error.errors()[0]['msg']}", rule="the file is written by a run, not by hand", fix="run again", file=path
        ) from error
    if inputs.region != region:
        raise ConfigError(
            f"the run of region {inputs.region!r}, not of {region!r}",
            rule="evidence of one region",
            fix="name the file of this region's run",
            file=path,
        )
    return inputs
