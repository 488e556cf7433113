"""``curtilage model versions|promote|rollback|judge``: which version a region serves."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from pydantic import ValidationError

from curtilage.allowance import Role
from curtilage.errors import ConfigError, StepError
from curtilage.models import rollout
from curtilage.models.compare import Comparison
from curtilage.models.rollback_rule import Judgement, Limits, judge, measured
from curtilage.output import print_json, progress, stdout
from curtilage.paths import state_dir
from curtilage.region import Model, Region, load_region
from curtilage.vendor_models import Task
from curtilage.verdict import Verdict

RegionName = Annotated[str, typer.Argument(metavar="REGION", help="The region's name.")]
ModelName = Annotated[str | None, typer.Option("--model", help="Which of the region's models; needed when it serves several.")]
Store = Annotated[Path | None, typer.Option("--store", help="Where versions lie; default: this checkout's signed models.")]
Key = Annotated[Path | None, typer.Option("--key", help="Public key in PEM; default: this machine's own.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


def versions(region: RegionName, model: ModelName = None, store: Store = None, key: Key = None, as_json: Json = False) -> None:
    """List the versions in the store, each verified now, and say which one the region serves."""
    found = load_region(region)
    names = [item.name for item in found.models] if model is None else [_model(found, model).name]
    where, public = _store(store), _key(key)
    listed = [
        version
        for name in names
        for version in rollout.versions(found.name, name, store=where, key=public, current=_current(found, _model(found, name), where))
    ]
    if as_json:
        print_json({"region": found.name, "versions": [version.model_dump(mode="json") for version in listed]})
        return
    for version in listed:
        stdout.print(
            f"{version.model:<24} {version.digest}  {version.state:<9} {version.verified.verdict}: {version.verified.reason}", markup=False
        )
    if not listed:
        stdout.print(f"no version of {', '.join(names)} in {where}", markup=False)


def promote(
    region: RegionName,
    digest: Annotated[str, typer.Argument(help="The version: sha256:…, or its first digits if they name one alone.")],
    model: ModelName = None,
    store: Store = None,
    key: Key = None,
    canary: Annotated[float | None, typer.Option("--canary", help="Only on this part of the matters, from 0 to 1.", min=0, max=1)] = None,
    comparison: Annotated[
        Path | None, typer.Option("--comparison", help="What `curtilage model compare OLD NEW --json` printed: a worse version is refused.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Also a version that was rolled back before.")] = False,
    as_json: Json = False,
) -> None:
    """Serve another version from now on, or try it on a part of the matters; it is verified first, and the switch is one rename."""
    found = load_region(region)
    chosen, where = _model(found, model), _store(store)
    if canary is not None and len(found.hosts_by_role(Role.GPU)) < 2:
        raise ConfigError(
            f"{found.name} has one model host", rule="a canary is a host of its own beside those that serve", fix="promote without --canary"
        )
    if comparison is not None:
        _not_worse(comparison, _whole(where, chosen.name, digest))
    pointer = rollout.promote(
        found.name,
        chosen.name,
        _whole(where, chosen.name, digest),
        store=where,
        key=_key(key),
        current=_current(found, chosen, where),
        share=canary,
        again=again,
    )
    _tell(found.name, chosen.name, pointer, as_json)


def adapter(
    region: RegionName,
    matter: Annotated[str, typer.Argument(help="The matter that the adapter belongs to.")],
    version: Annotated[str, typer.Argument(metavar="NAME@sha256:DIGEST", help="The signed adapter in the store.")] = "",
    model: ModelName = None,
    off: Annotated[bool, typer.Option("--off", help="Take the matter's adapter off.")] = False,
    store: Store = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Let a matter's own adapter answer on it, and on nothing else; or take it off."""
    found = load_region(region)
    chosen, where = _model(found, model), _store(store)
    if off:
        state = rollout.take_adapter(found.name, matter, chosen.name)
    else:
        name, _, digest = version.partition("@")
        try:
            wanted = rollout.MatterAdapter(matter=matter, model=chosen.name, served=name, version=digest)
        except ValidationError as error:
            raise ConfigError(f"adapter '{version}'", rule="an adapter is NAME@sha256:DIGEST", fix="see `curtilage model list`") from error
        state = rollout.give_adapter(found.name, wanted, store=where, key=_key(key), current=_current(found, chosen, where))
    if as_json:
        print_json({"region": found.name, "adapters": [item.model_dump(mode="json") for item in state.adapters]})
        return
    for item in state.adapters:
        stdout.print(f"{item.matter} on {item.model}: {item.served} {item.version}", markup=False)
    progress(f"hosts follow with: curtilage configure {found.name}")


def _not_worse(path: Path, digest: str) -> None:
    """Refuse a version whose right answers became less likely than the rule allows; the score is a token's mean chance, 1/perplexity."""
    try:
        found = Comparison.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ConfigError(
            f"{path} is no comparison", rule="--comparison is what `curtilage model compare --json` printed", fix="compare again"
        ) from error
    if found.second != digest:
        raise ConfigError(f"{path} judges {found.second}", rule="a comparison is of the very version", fix=f"compare {digest}")
    before, after = 1 / found.perplexity_first, 1 / found.perplexity_second
    if before - after > Limits().evaluation_drop:
        raise StepError(
            "promote",
            f"evaluation {after:.4f}, before {before:.4f}; at most {Limits().evaluation_drop} less is allowed; nothing changed",
            fix="keep the version that serves",
        )


def rollback(region: RegionName, model: ModelName = None, store: Store = None, key: Key = None, as_json: Json = False) -> None:
    """Serve the version before again."""
    found = load_region(region)
    chosen = _model(found, model)
    pointer = rollout.rollback(found.name, chosen.name, store=_store(store), key=_key(key))
    _tell(found.name, chosen.name, pointer, as_json)


def judge_version(
    region: RegionName,
    calls: Annotated[Path, typer.Option("--calls", help="What `curtilage audit query DIR --key PUB --json` printed.")],
    model: ModelName = None,
    evaluation_before: Annotated[float | None, typer.Option("--evaluation-before", help="The version before, evaluated.")] = None,
    evaluation_after: Annotated[float | None, typer.Option("--evaluation-after", help="The version served now, evaluated.")] = None,
    take_back: Annotated[bool, typer.Option("--rollback", help="Take the version back when it is judged worse.")] = False,
    store: Store = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Compare the version served with the one before, by the ledger's calls; FAIL means that it has to go."""
    found = load_region(region)
    chosen = _model(found, model)
    pointer = rollout.load(found.name).models.get(chosen.name)
    if pointer is None or not pointer.previous:
        raise ConfigError(f"{found.name} has served one version of {chosen.name}", rule="two are compared", fix="promote one first")
    rows = _rows(calls)
    try:
        before = measured(rows, pointer.previous[0], evaluation_before)
        after = measured(rows, pointer.serving, evaluation_after)
    except ValidationError as error:
        raise ConfigError(error.errors()[0]["msg"], rule="measures are finite and not negative", fix="correct them") from error
    judgement = judge(before, after)
    done = None
    if judgement.verdict is Verdict.FAIL and take_back:
        done = rollout.rollback(found.name, chosen.name, store=_store(store), key=_key(key))
        progress(f"rolled back to {done.serving}; next: curtilage configure {found.name}")
    _tell_judgement(judgement, {"before": before.model_dump(), "after": after.model_dump()}, done, as_json)
    sys.exit(judgement.verdict.exit_code)


def _tell_judgement(judgement: Judgement, figures: dict[str, Any], done: rollout.Pointer | None, as_json: bool) -> None:
    if as_json:
        print_json(judgement.model_dump(mode="json") | figures | {"rolled_back_to": done.serving if done else None})
        return
    stdout.print(str(judgement.verdict), markup=False)
    for reason in judgement.reasons:
        stdout.print(f"  {reason}", markup=False)


def _tell(region: str, model: str, pointer: rollout.Pointer, as_json: bool) -> None:
    if as_json:
        print_json({"region": region, "model": model} | pointer.model_dump(mode="json"))
        return
    stdout.print(f"{region} serves {model} {pointer.serving}", markup=False)
    if pointer.canary is not None:
        stdout.print(f"on trial, {pointer.canary.share:.0%} of the matters: {pointer.canary.version}", markup=False)
    progress(f"gateways follow within seconds with: curtilage configure {region} --serving; hosts with: curtilage configure {region}")


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        document = orjson.loads(path.read_bytes())
        rows = document["rows"]
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise TypeError("its rows are no list of calls")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: {error}", rule="--calls is a ledger's query as JSON", fix="curtilage audit query DIR --json") from error
    if document.get("verified") is not True:
        progress("the ledger was not verified when it was queried: pass --key to `curtilage audit query`")
    return rows


def _model(region: Region, name: str | None) -> Model:
    generating = [model for model in region.models if model.task is Task.GENERATE]
    if name is None and len(generating) == 1:
        return generating[0]
    for model in region.models:
        if model.name == name:
            return model
    names = ", ".join(model.name for model in region.models)
    raise ConfigError(f"model {name!r}", rule=f"{region.name} serves {names}", fix="name one with --model", key="models")


def _current(region: Region, model: Model, store: Path) -> str | None:
    return model.weights or (rollout.newest(store, model.name) if region.lab else None)


def _whole(store: Path, model: str, text: str) -> str:
    """A digest from its beginning; an ambiguous one is refused."""
    wanted = text.removeprefix("sha256:")
    if len(wanted) == 64:
        return f"sha256:{wanted}"
    found = [path.name for path in (store / model).glob("*") if path.name.startswith(wanted)] if len(wanted) >= 8 else []
    if len(found) != 1:
        raise ConfigError(
            f"version '{text}'", rule="eight digits or more name one version of the store", fix="see `curtilage model versions`"
        )
    return f"sha256:{found[0]}"


def _store(store: Path | None) -> Path:
    return store if store is not None else rollout.store_dir()


def _key(key: Path | None) -> Path:
    return key if key is not None else state_dir() / "keys" / "model-signing.pub"
