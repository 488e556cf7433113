"""What a region's bundle is made of, and what of it is not here: named as missing with the command that makes it, never passed over."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from curtilage.bundle import images
from curtilage.bundle.build import Source
from curtilage.bundle.manifest import Kind, Missing
from curtilage.bundle.oci import LayoutError
from curtilage.engine_build import ensure_engine, official_engine
from curtilage.errors import ConfigError, StepError
from curtilage.evidence.keys import load_or_create
from curtilage.evidence.sbom import locked_components
from curtilage.models import rollout
from curtilage.models.files import MANIFEST
from curtilage.models.manifest import read_manifest
from curtilage.models.signing import verify
from curtilage.models.store import short
from curtilage.paths import CHECKOUT, cache_dir, state_dir
from curtilage.region import Platform, Region

LOCKS = (CHECKOUT / "requirements.lock", CHECKOUT / "tools" / "uv.lock", CHECKOUT / "lab" / "trees" / "curtilage.lock")


def gather(
    region: Region, *, wheels: Path | None, image_directories: Sequence[Path], public_keys: Path, say: Callable[[str], None]
) -> tuple[list[Source], list[Missing]]:
    """A region's parts, made where that is possible here.

    Args:
        region: the region.
        wheels: a directory of the wheels of our locks, if there is one.
        image_directories: images of `curtilage bundle image build`; each is checked first.
        public_keys: an empty directory that the public keys are copied to.
        say: progress.

    Raises:
        StepError: a part is there and is not what it should be.
    """
    from lab.base import ensure_base, ensure_packages  # the lab is a checkout's, not a wheel's
    from lab.trees import ensure_tree

    sources: list[Source] = []
    missing: list[Missing] = []
    if official_engine() is not None:
        missing.append(Missing(what="engine", why="this machine runs the vendor's own CLI; carry its installer"))
    else:
        engine = ensure_engine()
        root = engine.parent if engine.name == "bin" else engine
        sources.append(Source(Kind.ENGINE, root.name, root))
    for name in ("curtilage", "crm", "crm-old", "vllm"):
        tree = ensure_tree(name, say)
        sources.append(Source(Kind.TREE, tree.name, tree))
    if region.lab:
        base = ensure_base(say)
        sources.append(Source(Kind.BASE, base.name, base))
    else:
        missing.append(Missing(what="base", why="the hosts of a site are installed by its own mirror or images (docs/airgap.md)"))
        if region.platform is Platform.HOSTS:
            packages = ensure_packages(say)
            sources.append(Source(Kind.PACKAGES, packages.name, packages))
        if not image_directories:
            missing.append(Missing(what="images", why="no --image; curtilage bundle image build, or the site's registry has them"))
    sources.extend(_image(directory) for directory in image_directories)
    for model in region.models:
        _model(region, model.name, model.weights, sources, missing)
    if wheels is None:
        command = "python -m pip download --require-hashes --no-deps --only-binary :all: -d DIR -r LOCK"
        locks = ", ".join(str(lock.relative_to(CHECKOUT)) for lock in LOCKS)
        missing.append(Missing(what="wheels", why=f"no --wheels; fill a directory with `{command}` for each LOCK of {locks}"))
    else:
        sources.append(Source(Kind.WHEELS, _wheels(wheels), wheels))
    _product(sources, missing)
    _keys(public_keys, sources)
    return sources, missing


def _model(region: Region, name: str, weights: str | None, sources: list[Source], missing: list[Missing]) -> None:
    store = rollout.store_dir()
    digest = rollout.serving(region.name, name) or weights or (rollout.newest(store, name) if region.lab else None)
    if digest is None or not (store / name / short(digest) / MANIFEST).is_file():
        missing.append(Missing(what=f"model {name}", why="no signed version in the store; curtilage model build, or import and sign"))
        return
    carried = [digest]
    # A lab finds what it serves by what that was made of (rollout.newest). A site names its version, and carries it alone, for its size.
    made_of = read_manifest(store / name / short(digest) / MANIFEST).provenance.quantized_from if region.lab else None
    if made_of is not None and (store / name / short(made_of) / MANIFEST).is_file():
        carried.append(made_of)
    for version in carried:
        directory = store / name / short(version)
        result = verify(directory, state_dir() / "keys" / "model-signing.pub")
        if not result.ok:
            raise StepError("bundle build", f"{directory}: {result.reason}", fix="stage the model again")
        sources.append(Source(Kind.MODEL, f"{name}_{short(version)}", directory))


def _image(directory: Path) -> Source:
    try:
        digest = images.check(directory, load_or_create(images.KEY_PURPOSE).verifier)
    except LayoutError as error:
        raise StepError("bundle build", f"{directory}: {error}", fix="write the image again") from error
    return Source(Kind.IMAGE, short(digest), directory)


def _wheels(directory: Path) -> str:
    """Check that each wheel has a digest of a lock and each locked package has a wheel; the name is a digest of the locks.

    Raises:
        ConfigError: a file no lock knows, or a package without a wheel.
    """
    if not directory.is_dir():
        raise ConfigError(f"{directory} is not a directory", rule="--wheels names one", fix="fill it with pip download")
    known: dict[str, set[str]] = {}
    for lock in LOCKS:
        for component in locked_components(lock):
            for digest in component.hashes:
                known.setdefault(digest, set()).add(f"{component.name}=={component.version}")
    have: set[str] = set()
    for path in sorted(directory.iterdir()):
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if digest not in known:
            raise ConfigError(f"{path.name} has no digest of our locks", rule="a bundle carries locked wheels alone", fix="remove it")
        have |= known[digest]
    lacking = sorted(set().union(*known.values()) - have)
    if lacking:
        raise ConfigError(
            f"no wheel of {lacking[0]} and {len(lacking) - 1} more", rule="every locked package is carried", fix="download them"
        )
    return hashlib.sha256(b"".join(lock.read_bytes() for lock in LOCKS)).hexdigest()[:24]


def _product(sources: list[Source], missing: list[Missing]) -> None:
    git = shutil.which("git")
    if git is None or not (CHECKOUT / ".git").exists():
        missing.append(Missing(what="product", why="not a checkout with git, so which files belong to it is not known"))
        return
    listed = subprocess.run([git, "-C", str(CHECKOUT), "ls-files", "-z"], capture_output=True, timeout=60, check=False)
    if listed.returncode != 0:
        missing.append(Missing(what="product", why="git does not list the checkout's files"))
        return
    names = tuple(sorted(name for name in listed.stdout.decode().split("\0") if name))
    sources.append(Source(Kind.PRODUCT, "curtilage", CHECKOUT, only=names))


def _keys(directory: Path, sources: list[Source]) -> None:
    """The public halves alone; a private key has no way into a bundle, because only ``.pub`` files without a key's mark are copied."""
    for path in sorted((state_dir() / "keys").glob("*.pub")):
        content = path.read_bytes()
        if b"PRIVATE" in content:
            raise StepError("bundle build", f"{path} holds a private key", fix="replace that key: its name says that it may be shown")
        (directory / path.name).write_bytes(content)
    if any(directory.iterdir()):
        sources.append(Source(Kind.KEYS, "public", directory))


def default_directory(region: str) -> Path:
    """Where a bundle is built unless told."""
    return cache_dir() / "bundles" / region
