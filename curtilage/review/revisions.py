"""Previews two git revisions, so that a review needs no files: each in a checkout of its own, with its own program, rules and stacks."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from curtilage.engine import Engine
from curtilage.errors import ConfigError, StepError
from curtilage.output import progress
from curtilage.paths import CHECKOUT
from curtilage.region import load_region
from curtilage.review.plans import Planned, planned_of

STACK = re.compile(r"^Pulumi\.([A-Za-z0-9][A-Za-z0-9._-]*)\.yaml$")


@contextmanager
def checked_out(revision: str, repository: Path = CHECKOUT) -> Iterator[Path]:
    """A temporary checkout of a revision, without touching the repository's own."""
    if revision.startswith("-"):
        raise ConfigError(f"revision '{revision}'", rule="a revision is a name git knows", fix="name a branch, tag or commit")
    commit = _git(repository, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").strip()
    if not commit:
        raise ConfigError(f"revision '{revision}'", rule="a revision is a commit of this repository", fix="fetch it, or name another")
    with tempfile.TemporaryDirectory(prefix="curtilage-review-") as name:
        archive = Path(name) / "tree.tar"
        _git(repository, "archive", "--format=tar", f"--output={archive}", commit)
        tree = Path(name) / "tree"
        tree.mkdir()
        subprocess.run(["tar", "-xf", str(archive), "-C", str(tree)], check=True, capture_output=True)
        yield tree


def preview_revision(revision: str, names: tuple[str, ...] = (), repository: Path = CHECKOUT) -> dict[str, Planned]:
    """The plans of a revision's regions, previewed by the revision's own program against an empty state.

    Against an empty state the engine cannot tell a replacement; two previews of a live stack, given as files, can.
    """
    found: dict[str, Planned] = {}
    with checked_out(revision, repository) as tree, tempfile.TemporaryDirectory(prefix="curtilage-review-state-") as state:
        stacks = sorted((tree / "stacks").glob("Pulumi.*.yaml"))
        for path in stacks:
            match = STACK.match(path.name)
            if match is None or (names and match[1] not in names):
                continue
            progress(f"review: previewing {match[1]} of {revision}")
            found[match[1]] = planned_of(_preview(tree, path, Path(state)), f"{revision}:{path.name}")
    return found


def _preview(tree: Path, stack: Path, state: Path) -> object:
    try:
        engine = Engine(load_region(stack), checkout=tree, state=state)
        return engine.preview(judged=False).document
    except StepError as error:
        raise StepError(
            "review", f"{stack.name}: {error.reason}", fix="mend the program of that revision, or give plans as files"
        ) from None


def _git(repository: Path, *arguments: str) -> str:
    environment = {name: os.environ[name] for name in ("HOME", "PATH", "LANG") if name in os.environ}
    done = subprocess.run(
        ["git", "-C", str(repository), *arguments], capture_output=True, text=True, check=False, env=environment, timeout=120
    )
    if done.returncode != 0 and arguments[0] != "rev-parse":
        raise StepError("review", f"git {arguments[0]}: {done.stderr.strip()}", fix="run it in a checkout with that revision")
    return done.stdout
