"""The same weights under another name: what a region serves has a name of its own, and a signature covers that name.

The lab's embedding model is made so: the weights that generate, pooled by vLLM. Nothing is trained a second time.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import orjson

from curtilage.canonical import digest_of
from curtilage.models.files import MANIFEST
from curtilage.models.manifest import ModelManifest
from curtilage.models.signing import check_manifest
from curtilage.models.store import cached_models, make, short


def named(source: Path, name: str) -> Path:
    """A model of the cache under another name, in the cache; a second call finds it.

    Args:
        source: an unsigned model directory.
        name: its other name.

    Returns:
        The directory; its files and their ``content`` digest are the source's.

    Raises:
        Unsafe: the source is not whole.
        StepError: there is no space.
    """
    manifest = check_manifest(source)
    other = ModelManifest.model_validate(
        manifest.model_dump() | {"name": name, "digest": digest_of({"named": name, "of": manifest.digest, "content": manifest.content})}
    )

    def write(work: Path) -> None:
        for file in manifest.files:
            path = work / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / file.path, path)
        written = orjson.dumps(other.model_dump(mode="json"), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
        (work / MANIFEST).write_bytes(written)

    return make(cached_models() / name / short(other.digest), write)
