"""Where the Pulumi engine comes from: the machine's own official CLI when it is new enough, else a build of the pinned Go modules.

The vendor's download site is not needed: the CLI and a Python language host are Go modules, pinned with their checksums in
``tools/engine`` and ``tools/language-host``. The build is kept in ``<cache>/engine/<digest of everything that makes it>/bin`` and
gets there by one rename, so that an interrupted build leaves nothing that looks finished.

Run ``python -m curtilage.engine_build`` to build (or find) it and print the directory.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from curtilage.errors import CurtilageError, MachineError, StepError
from curtilage.output import progress, stderr
from curtilage.paths import CHECKOUT, cache_dir

ENGINE_VERSION = "3.255.0"
# The last Python language host inside the SDK module; it runs programs for the newer CLI (docs/adr/0001).
LANGUAGE_HOST_VERSION = "3.66.0"
MINIMUM_GO = (1, 26)

SDK_MODULE = "github.com/pulumi/pulumi/sdk/v3"
VERSION_SYMBOL = f"{SDK_MODULE}/go/common/version.Version"
# name -> (module directory, package, version stamped into the binary)
BUILDS: dict[str, tuple[str, str, str]] = {
    "pulumi-language-python": ("tools/language-host", f"{SDK_MODULE}/python/cmd/pulumi-language-python", LANGUAGE_HOST_VERSION),
    "pulumi": ("tools/engine", "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi", ENGINE_VERSION),
}
# Scripts of the SDK that the language host runs; taken from the module the CLI itself is built from, so the two agree.
SCRIPTS = ("python/cmd/pulumi-language-python-exec", "python/dist/pulumi-resource-pulumi-python")
FLAGS = ("-mod=readonly", "-trimpath", "-buildvcs=false")
TELL_EVERY_SECONDS = 15
LOG_LINES = 30


def version_of(text: str) -> tuple[int, ...] | None:
    """The dotted version in a tool's answer: ``v3.255.0``, ``go1.26.8``; None when there is none."""
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part) for part in found.groups() if part is not None) if found else None


def official_engine(path: str | None = None) -> Path | None:
    """The directory of an official CLI on PATH that can run us, or None.

    Official means: new enough, and its own Python language host beside it. A CLI alone cannot run a Python program.
    """
    found = shutil.which("pulumi", path=path)
    if not found:
        return None
    directory = Path(found).resolve().parent
    if not (directory / "pulumi-language-python").exists():
        return None
    answer = _answer([found, "version"])
    version = version_of(answer) if answer else None
    return directory if version and version >= tuple(map(int, ENGINE_VERSION.split("."))) else None


def go_version() -> tuple[int, ...] | None:
    """The version of the Go toolchain on PATH, or None."""
    answer = _answer(["go", "version"])
    return version_of(answer) if answer else None


def _answer(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def engine_digest(go: str, root: Path = CHECKOUT) -> str:
    """Digest of what makes the build: both modules' pins and sums, the toolchain, the flags, the stamped versions."""
    digest = hashlib.sha256()
    for module in sorted({module for module, _, _ in BUILDS.values()}):
        for name in ("go.mod", "go.sum"):
            content = (root / module / name).read_bytes()
            digest.update(f"{module}/{name} {len(content)}\n".encode() + content)
    digest.update(repr((go, FLAGS, BUILDS, SCRIPTS)).encode())
    return digest.hexdigest()[:32]


def engine_path(path: str | None = None) -> Path | None:
    """The bin directory of an engine that is ready now, or None; builds nothing."""
    official = official_engine(path)
    if official:
        return official
    go = _answer(["go", "env", "GOVERSION"])
    if go:
        built = cache_dir() / "engine" / engine_digest(go.strip()) / "bin"
        return built if (built / "pulumi").exists() else None
    return _carried()


def _carried() -> Path | None:
    """Without Go nothing says which build would be made here: the one that a bundle brought is taken, if it is of our version."""
    found = [path.parent for path in (cache_dir() / "engine").glob("[!.]*/bin/pulumi")]
    return (
        found[0]
        if len(found) == 1 and version_of(_answer([str(found[0] / "pulumi"), "version"]) or "") == version_of(ENGINE_VERSION)
        else None
    )


def ensure_engine() -> Path:
    """A bin directory holding ``pulumi`` and its Python language host; built from source when the machine has no official one.

    Raises:
        MachineError: neither a new enough ``pulumi`` nor a new enough Go is here.
        StepError: the build failed; the message holds the end of its log.
    """
    ready = engine_path()
    if ready:
        return ready
    version = go_version()
    if version is None or version < MINIMUM_GO:
        have = f"Go {'.'.join(map(str, version))}" if version else "no Go"
        raise MachineError(
            f"no Pulumi CLI >= {ENGINE_VERSION} with its Python language host on PATH, and {have} to build one with\n"
            f"  rule: the engine is an official pulumi >= {ENGINE_VERSION}, or is built with Go >= {'.'.join(map(str, MINIMUM_GO))}\n"
            f"  fix:  install either one and run the same command again (`curtilage doctor` shows how)"
        )
    store = cache_dir() / "engine"
    store.mkdir(parents=True, exist_ok=True)
    with _one_builder(store / ".lock"):
        return engine_path() or _build(store)


@contextmanager
def _one_builder(lock: Path) -> Iterator[None]:
    """Two commands at once build once: the second waits and finds the first one's result."""
    with lock.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("engine: another command is building it; waiting")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _build(store: Path) -> Path:
    go = (_answer(["go", "env", "GOVERSION"]) or "").strip()
    digest = engine_digest(go)
    started = time.monotonic()
    progress(f"engine: building pulumi {ENGINE_VERSION} from its Go modules with {go} (about four minutes, once)")
    # Only the holder of the lock is here, so what an interrupted build left behind is nobody's.
    for left in store.glob(".building-*"):
        shutil.rmtree(left, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=".building-", dir=store))
    try:
        bin_dir = work / "bin"
        bin_dir.mkdir()
        log = work / "build.log"
        for name, (module, package, version) in BUILDS.items():
            flags = [*FLAGS, "-ldflags", f"-s -w -X {VERSION_SYMBOL}=v{version}", "-o", str(bin_dir / name)]
            _go(["build", *flags, package], CHECKOUT / module, log, name, started)
        sdk = _module_directory(CHECKOUT / BUILDS["pulumi"][0], log)
        for script in SCRIPTS:
            target = bin_dir / Path(script).name
            shutil.copyfile(sdk / script, target)
            target.chmod(0o755)
        stamped = _answer([str(bin_dir / "pulumi"), "version"])
        if not stamped or version_of(stamped) != version_of(ENGINE_VERSION):
            raise StepError("engine", f"the built CLI calls itself {stamped!r}, not v{ENGINE_VERSION}", fix=f"see {log}")
        final = store / digest
        if final.exists():  # a directory without its CLI: someone emptied it by hand
            shutil.rmtree(final)
        work.chmod(0o755)
        work.rename(final)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    progress(f"engine: ready after {time.monotonic() - started:.0f} s in {final / 'bin'}")
    return final / "bin"


def _go(arguments: list[str], module: Path, log: Path, name: str, started: float) -> None:
    """Run ``go`` in a module directory, say every few seconds that it lives, and raise with the log's end when it fails."""
    with log.open("a") as handle:
        process = subprocess.Popen(
            ["go", *arguments],
            cwd=module,
            env=_go_environment(os.environ),
            stdout=handle,
            stderr=subprocess.STDOUT,
        )
        told = time.monotonic()
        try:
            while process.poll() is None:
                try:
                    process.wait(timeout=1)
                except subprocess.TimeoutExpired:
                    if time.monotonic() - told >= TELL_EVERY_SECONDS:
                        told = time.monotonic()
                        progress(f"engine: building {name}, {told - started:.0f} s so far")
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if process.returncode:
        excerpt = "\n".join(f"    {line}" for line in log.read_text(errors="replace").splitlines()[-LOG_LINES:])
        raise StepError(
            "engine",
            f"`go {arguments[0]}` of {name} ended with {process.returncode}:\n{excerpt}",
            fix="see the log's end above; usual causes are a full disk (`df -h`) and an unreachable Go module proxy (`go env GOPROXY`)",
        )


def _go_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The user's environment without what would change the result: no C compiler is needed, no workspace or flags leak in."""
    return {**environment, "CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}


def _module_directory(module: Path, log: Path) -> Path:
    """Where Go keeps the SDK module's files, checked against go.sum when it was fetched."""
    done = subprocess.run(
        ["go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", SDK_MODULE],
        cwd=module,
        env=_go_environment(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or not done.stdout.strip():
        raise StepError("engine", f"cannot find the SDK module: {done.stderr.strip()}", fix=f"see {log}")
    return Path(done.stdout.strip())


def main() -> int:
    """Build or find the engine; the directory is the one line on stdout."""
    try:
        print(ensure_engine())
    except CurtilageError as error:
        stderr.print(f"error: {error}", markup=False)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
