"""What a lab needs before it is sealed, made side by side: engine, base filesystem, Python trees, signed models. All of it cached.

``python -m curtilage.commands.prepare`` makes it and starts nothing: the near side of an air gap (tools/far_side.sh).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from curtilage.canonical import digest_of
from curtilage.engine_build import ensure_engine
from curtilage.errors import CurtilageError, StepError
from curtilage.models import rollout
from curtilage.models.build import LAB_MODEL, build_lab_model, sign_to, signing_key, trusts_another
from curtilage.models.files import MANIFEST
from curtilage.models.naming import named
from curtilage.models.quantize import quantize
from curtilage.models.signing import verify
from curtilage.models.store import short, stage
from curtilage.output import print_json, progress, stderr
from curtilage.paths import state_dir

LAB_EMBEDDER = "lab-embed"
LAB_MODELS = (LAB_MODEL, LAB_EMBEDDER)
TREES = ("curtilage", "crm", "crm-old", "vllm")


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Everything that is fetched or made before sealing.

    Attributes:
        images: what runs on the hosts, by name → digest (the lab's stand-in for container images).
        models: model name → digest of the staged, signed directory.
        store: the model store to stage on the gpu hosts.
    """

    images: dict[str, str]
    models: dict[str, str]
    store: Path


NOTHING_TO_PREPARE = Prepared(images={}, models={}, store=Path("/nonexistent"))
"""A real site: its images and models are imported and staged beforehand (docs/quickstart.md)."""


def prepare_lab(say: Callable[[str], None], region: str = "") -> Prepared:
    """Make what is missing; a second run finds all of it.

    Two lanes, because one is bound by the processor (engine) and the other by the network and the disk (filesystem, trees); training comes
    last in the second, when the first is mostly done.
    """
    from lab.base import ensure_base  # the lab is a checkout's, not a wheel's
    from lab.trees import ensure_tree

    def files_and_model() -> Prepared:
        base = ensure_base(say)
        trees = {name: ensure_tree(name, say) for name in TREES}
        store = state_dir() / "models"
        if trusts_another():
            _hold_carried(store, say)
        else:
            _make(store, say)
        # A tree's directory is named by the digest of its lock: that names the bytes, because every wheel in it is hash-locked.
        made = {f"lab-tree/{name}": tree for name, tree in trees.items()} | {"lab-base": base}
        images = {name: digest_of({name: path.name}) for name, path in made.items()}
        return Prepared(images=images, models={name: _served(store, name, region) for name in LAB_MODELS}, store=store)

    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="prepare") as lanes:
        engine: Future[Path] = lanes.submit(ensure_engine)
        rest: Future[Prepared] = lanes.submit(files_and_model)
        # The first failure is told at once, not after the other lane's minutes.
        for lane in as_completed(cast("tuple[Future[object], ...]", (engine, rest))):
            lane.result()
        return rest.result()


def _make(store: Path, say: Callable[[str], None]) -> None:
    built, key = build_lab_model(say), signing_key()
    sign_to(built, key, store)
    # The whole path, down to what a card would be given: the 16-bit version lies beside it, to be compared with and gone back to.
    stage(quantize(built.directory, say).directory, key.private, key.public, store)
    # The same weights embed, in 16 bits: rounding them again would move every vector.
    stage(named(built.directory, LAB_EMBEDDER), key.private, key.public, store)


def _served(store: Path, name: str, region: str) -> str:
    """What was promoted; without a promotion, what was just made, quantized where it is that too, or what was carried here."""
    served = (rollout.serving(region, name) if region else None) or rollout.newest(store, name)
    if served is None or not (store / name / short(served) / MANIFEST).is_file():
        raise StepError("model store", f"{name} {served} was promoted and is not in {store}", fix="promote a version that is")
    return served


def _hold_carried(store: Path, say: Callable[[str], None]) -> None:
    """What a bundle brought: nothing is made or signed here, and only what verifies is served."""
    for name in LAB_MODELS:
        digest = rollout.newest(store, name)
        if digest is None:
            raise StepError("model store", f"no {name} in {store}", fix="load the region's bundle again: curtilage bundle load")
        result = verify(store / name / short(digest), state_dir() / "keys" / "model-signing.pub")
        if not result.ok:
            raise StepError("model store", f"{name} {digest}: {result.reason}", fix="load the region's bundle again: curtilage bundle load")
        say(f"{name} {short(digest)[:12]} was carried here and verifies")


def main() -> int:
    """Make what the lab needs; images and models by digest are the one JSON document on stdout."""
    try:
        made = prepare_lab(progress, "lab")
    except CurtilageError as error:
        stderr.print(f"error: {error}", markup=False)
        return error.exit_code
    print_json({"images": made.images, "models": made.models})
    return 0


if __name__ == "__main__":
    sys.exit(main())
