"""What a lab needs before it is sealed, made side by side: engine, base filesystem, Python trees, signed model. All of it cached."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from curtilage.canonical import digest_of
from curtilage.engine_build import ensure_engine
from curtilage.models.build import build_lab_model, sign_to, signing_key
from curtilage.models.files import MANIFEST
from curtilage.models.manifest import read_manifest
from curtilage.paths import state_dir

TREES = ("curtilage", "crm", "vllm")


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


def prepare_lab(say: Callable[[str], None]) -> Prepared:
    """Make what is missing; a second run finds all of it.

    Two lanes, because one is bound by the processor (engine) and the other by the network and the disk (filesystem, trees); training comes
    last in the second, when the first is mostly done.
    """
    from lab.base import ensure_base  # the lab is a checkout's, not a wheel's
    from lab.trees import ensure_tree

    def files_and_model() -> Prepared:
        base = ensure_base(say)
        trees = {name: ensure_tree(name, say) for name in TREES}
        built = build_lab_model(say)
        store = state_dir() / "models"
        staged = sign_to(built, signing_key(), store)
        # A tree's directory is named by the digest of its lock: that names the bytes, because every wheel in it is hash-locked.
        made = {f"lab-tree/{name}": tree for name, tree in trees.items()} | {"lab-base": base}
        images = {name: digest_of({name: path.name}) for name, path in made.items()}
        return Prepared(images=images, models={built.name: read_manifest(staged / MANIFEST).digest}, store=store)

    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="prepare") as lanes:
        engine: Future[Path] = lanes.submit(ensure_engine)
        rest: Future[Prepared] = lanes.submit(files_and_model)
        # The first failure is told at once, not after the other lane's minutes.
        for lane in as_completed(cast("tuple[Future[object], ...]", (engine, rest))):
            lane.result()
        return rest.result()
