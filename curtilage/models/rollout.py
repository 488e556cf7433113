"""Which version of a model a region serves: versions lie side by side in the store, one small file per region says which one is meant.

The file is replaced by rename, so a process that is killed at any point leaves the old answer or the new one. Nothing is served that does
not verify at the moment of the switch; each host verifies again at its start. What this deliberately does not do: touch a host. `curtilage
configure` brings the hosts to what the file says, one replica after another, so that a pool without a spare card keeps answering.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from curtilage.audit.tiles import write_durably
from curtilage.errors import ConfigError, StepError
from curtilage.models.files import MANIFEST
from curtilage.models.manifest import Digest, ModelManifest, Name, read_manifest
from curtilage.models.signing import VerifyResult, verify
from curtilage.models.store import short, stored
from curtilage.paths import state_dir

KEPT = 8
"""Earlier versions remembered per model; a rollback goes one back each time."""


class Trial(BaseModel):
    """A new version beside the one that serves: its share of the matters, and since when."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Digest
    share: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    began: Annotated[str, Field(min_length=1, max_length=40)]


class MatterAdapter(BaseModel):
    """A matter's own adapter: a signed model of its own, named by its digest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    matter: Annotated[str, Field(min_length=1, max_length=200)]
    model: Name
    served: Name
    version: Digest


class Pointer(BaseModel):
    """What is served of one model, a new version on trial, what was served before (newest first), and what was taken back.

    ``ended`` is the trial that was rolled back last: its host goes on serving it until it is configured again, and no gateway may ask it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    serving: Digest
    canary: Trial | None = None
    ended: Trial | None = None
    previous: tuple[Digest, ...] = ()
    withdrawn: tuple[Digest, ...] = ()


class Rollout(BaseModel):
    """A region's pointers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    region: Name
    models: dict[Name, Pointer] = {}
    adapters: tuple[MatterAdapter, ...] = ()


class Version(BaseModel):
    """One directory of the store, judged."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    digest: str
    state: Literal["serving", "canary", "previous", "withdrawn", "staged"]
    verified: VerifyResult


def store_dir() -> Path:
    """Signed models of this checkout, as `curtilage up` stages them."""
    return state_dir() / "models"


def state_file(region: str) -> Path:
    """Where a region's pointers are kept."""
    return state_dir() / "rollout" / f"{region}.json"


def load(region: str) -> Rollout:
    """A region's pointers; none before the first promotion.

    Raises:
        ConfigError: the file is there and is not one of ours; nothing is guessed from it.
    """
    path = state_file(region)
    try:
        found = Rollout.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Rollout(region=region)
    except (OSError, ValidationError) as error:
        first = " ".join(str(error).split())[:200]
        raise ConfigError(first, rule="a rollout file follows its schema", fix="restore it, or remove it and promote", file=path) from error
    if found.region != region:
        raise ConfigError(f"region '{found.region}'", rule="a rollout file is named by its region", fix="restore it", file=path)
    return found


def serving(region: str, model: str) -> str | None:
    """The promoted version's digest; None when nothing was ever promoted."""
    pointer = load(region).models.get(model)
    return pointer.serving if pointer else None


def newest(store: Path, model: str) -> str | None:
    """What a lab serves until something is promoted: the version staged last, in its quantized form where that is staged too."""
    found = [(path, manifest) for path, manifest in stored(store) if manifest.name == model]
    made = [item for item in found if item[1].provenance.quantized_from is None]
    if not made:
        return None
    last = max(made, key=lambda item: item[0].stat().st_mtime)[1].digest
    smaller = [item for item in found if item[1].provenance.quantized_from == last]
    return max(smaller, key=lambda item: item[0].stat().st_mtime)[1].digest if smaller else last


def promote(
    region: str,
    model: str,
    digest: str,
    *,
    store: Path,
    key: Path,
    current: str | None,
    share: float | None = None,
    again: bool = False,
) -> Pointer:
    """Serve another version from now on, or try it on a share of the matters.

    Args:
        region: the region.
        model: the model's name.
        digest: the version, as its manifest says.
        store: where versions lie.
        key: the public key they must be signed with.
        current: what is served when no pointer says so, to be gone back to.
        share: the part of the matters that the new version answers while the old one goes on; None: all, and the old one ends.
        again: also take a version that was withdrawn.

    Raises:
        StepError: the version is not there, does not verify, or was withdrawn; nothing changed.
    """
    with _lock(region):
        _require(store, model, digest, key)
        state = load(region)
        old = state.models.get(model)
        if old is not None and digest in old.withdrawn and not again:
            raise StepError("promote", f"{model} {digest} was rolled back before; nothing changed", fix="pass --again to serve it anyway")
        before = old.serving if old else current
        if share is not None:
            pointer = _trial(model, old, before, digest, share)
        elif before == digest and old is not None and old.canary is not None:
            raise StepError("promote", f"{model} {digest} serves already, beside a canary; nothing changed", fix="roll the canary back")
        elif before == digest:
            pointer = old or Pointer(serving=digest)
        else:
            bound = [item.matter for item in state.adapters if item.model == model]
            if bound:
                raise StepError(
                    "promote",
                    f"{', '.join(bound)}: adapters made for {before}; nothing changed",
                    fix="take them off (`curtilage model adapter --off`), promote, and give adapters made for the new version",
                )
            kept = tuple(item for item in ((before,) if before else ()) + (old.previous if old else ()) if item != digest)
            pointer = Pointer(
                serving=digest,
                ended=_still_ended(old, digest),
                previous=kept[:KEPT],
                withdrawn=tuple(item for item in (old.withdrawn if old else ()) if item != digest),
            )
        _write(state, model, pointer)
    return pointer


def rollback(region: str, model: str, *, store: Path, key: Path) -> Pointer:
    """End a canary, or serve the version before again; the one taken back is remembered as withdrawn.

    Raises:
        StepError: there is none before, or it does not verify; nothing changed.
    """
    with _lock(region):
        state = load(region)
        old = state.models.get(model)
        if old is not None and old.canary is not None:
            # The version that serves never stopped: only the one on trial goes.
            gone = (old.canary.version, *(item for item in old.withdrawn if item != old.canary.version))
            pointer = old.model_copy(update={"canary": None, "ended": old.canary, "withdrawn": gone[:KEPT]})
            _write(state, model, pointer)
            return pointer
        if old is None or not old.previous:
            raise StepError(
                "rollback", f"{region} has served no other version of {model}; nothing changed", fix="promote one by its digest"
            )
        target = old.previous[0]
        _require(store, model, target, key)
        withdrawn = (old.serving, *(item for item in old.withdrawn if item not in {old.serving, target}))
        pointer = Pointer(serving=target, ended=_still_ended(old, target), previous=old.previous[1:], withdrawn=withdrawn[:KEPT])
        _write(state, model, pointer)
    return pointer


def versions(region: str, model: str, *, store: Path, key: Path, current: str | None) -> list[Version]:
    """Every version of a model in the store, each verified now."""
    pointer = load(region).models.get(model)
    meant = pointer.serving if pointer else current
    found = []
    for path in sorted((store / model).glob("*")):
        if path.name.startswith("."):
            continue
        digest = f"sha256:{path.name}"
        state: Literal["serving", "canary", "previous", "withdrawn", "staged"] = "staged"
        if digest == meant:
            state = "serving"
        elif pointer and pointer.canary and digest == pointer.canary.version:
            state = "canary"
        elif pointer and digest in pointer.withdrawn:
            state = "withdrawn"
        elif pointer and digest in pointer.previous:
            state = "previous"
        found.append(Version(model=model, digest=digest, state=state, verified=verify(path, key)))
    return found


def give_adapter(region: str, adapter: MatterAdapter, *, store: Path, key: Path, current: str | None) -> Rollout:
    """Let a matter's own adapter answer on it from now on: one made for the version that serves, or for what that was quantized from.

    Raises:
        StepError: it is not there, does not verify, was made for another version, or has a matter already; nothing changed.
    """
    with _lock(region):
        found = _require(store, adapter.served, adapter.version, key)
        state = load(region)
        pointer = state.models.get(adapter.model)
        base = pointer.serving if pointer else current
        made_for = {base} | ({_require(store, adapter.model, base, key).provenance.quantized_from} if base else set())
        if found.adapter_of is None or found.adapter_of not in made_for:
            raise StepError(
                "adapter",
                f"{adapter.served} was made for {found.adapter_of or 'no other model'}, served is {base}; nothing changed",
                fix="tune it on the version that serves",
            )
        others = tuple(item for item in state.adapters if (item.matter, item.model) != (adapter.matter, adapter.model))
        if any(item.served == adapter.served or item.version == adapter.version for item in others):
            raise StepError(
                "adapter", f"{adapter.served} is another matter's; nothing changed", fix="tune one of its own; adapters are never shared"
            )
        changed = state.model_copy(update={"adapters": (*others, adapter)})
        _save(changed)
    return changed


def take_adapter(region: str, matter: str, model: str) -> Rollout:
    """Let the model itself answer on a matter again.

    Raises:
        StepError: the matter has no adapter.
    """
    with _lock(region):
        state = load(region)
        others = tuple(item for item in state.adapters if (item.matter, item.model) != (matter, model))
        if len(others) == len(state.adapters):
            raise StepError("adapter", f"{matter} has no adapter on {model}", fix="see `curtilage model versions`")
        changed = state.model_copy(update={"adapters": others})
        _save(changed)
    return changed


def serving_document(state: Rollout) -> dict[str, Any]:
    """``serving.json`` for the region's gateways (curtilage.gateway.serving); a trial that was rolled back has the share of nobody."""
    trials = {name: (pointer, pointer.canary or pointer.ended) for name, pointer in sorted(state.models.items())}
    return {
        "canaries": [
            {"model": name, "stable": pointer.serving, **trial.model_dump(mode="json"), **({} if pointer.canary else {"share": 0.0})}
            for name, (pointer, trial) in trials.items()
            if trial is not None
        ],
        "adapters": [adapter.model_dump(mode="json") for adapter in state.adapters],
    }


def _still_ended(old: Pointer | None, serving: str) -> Trial | None:
    """The trial that was rolled back stays so, unless its version serves now."""
    return old.ended if old is not None and old.ended is not None and old.ended.version != serving else None


def _trial(model: str, old: Pointer | None, before: str | None, digest: str, share: float) -> Pointer:
    if before is None:
        raise StepError("promote", f"no version of {model} serves yet; nothing changed", fix="promote it without --canary")
    if before == digest:
        raise StepError("promote", f"{model} {digest} serves already; nothing changed", fix="promote another version")
    running = old.canary if old else None
    if running is not None and running.version != digest:
        raise StepError(
            "promote", f"{model} {running.version} is on trial already; nothing changed", fix="promote that one whole, or roll it back"
        )
    # A larger share of the same trial goes on with what was measured.
    began = running.began if running else datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    kept = old or Pointer(serving=before)
    return kept.model_copy(
        update={
            "canary": Trial(version=digest, share=share, began=began),
            "ended": None,
            "withdrawn": tuple(item for item in kept.withdrawn if item != digest),
        }
    )


def _require(store: Path, model: str, digest: str, key: Path) -> ModelManifest:
    directory = store / model / short(digest)
    if not directory.is_dir():
        raise StepError(
            "rollout", f"{model} {digest} is not in {store}; nothing changed", fix="stage it: curtilage model build, import, sign"
        )
    result = verify(directory, key)
    if not result.ok:
        raise StepError("rollout", f"{directory}: {result.reason}; nothing changed", fix="stage it again, and find out who changed it")
    if (result.name, result.digest) != (model, digest):
        raise StepError("rollout", f"{directory} holds {result.name} {result.digest}; nothing changed", fix="stage it under its own name")
    return read_manifest(directory / MANIFEST)


def _write(state: Rollout, model: str, pointer: Pointer) -> None:
    _save(state.model_copy(update={"models": {**state.models, model: pointer}}))


def _save(changed: Rollout) -> None:
    path = state_file(changed.region)
    try:
        write_durably(path, orjson.dumps(changed.model_dump(mode="json"), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
    except OSError as error:
        raise StepError(
            "rollout", f"{path}: {error.strerror or error}; the old version stays", fix="free space, then run it again"
        ) from error


@contextlib.contextmanager
def _lock(region: str) -> Iterator[None]:
    """One switch of a region at a time; a second one waits for the first and judges what that left."""
    path = state_file(region).with_suffix(".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
