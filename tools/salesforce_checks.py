"""Check the CRM package with the platform's own offline tools, and print one JSON document: PASS, FAIL or NOT-RUN per check.

Tools are installed once into the cache, keyed by the digest of what names them: Jest for Lightning components and the source converter
from the package's npm lock, PMD's Apex security rules from Maven.
Running Apex needs an org, so that check is NOT-RUN here; its command is given.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from curtilage.paths import CHECKOUT, cache_dir

PACKAGE = CHECKOUT / "salesforce"
PMD = "7.17.0"
ORG = (
    "sf org create scratch -f salesforce/config/project-scratch-def.json -a curtilage -d && "
    "sf project deploy start -d salesforce/force-app -o curtilage && sf apex run test -o curtilage -l RunLocalTests -c -w 20"
)
_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>curtilage</groupId><artifactId>pmd</artifactId><version>1</version><dependencies>
<dependency><groupId>net.sourceforge.pmd</groupId><artifactId>pmd-cli</artifactId><version>{0}</version></dependency>
<dependency><groupId>net.sourceforge.pmd</groupId><artifactId>pmd-apex</artifactId><version>{0}</version></dependency>
</dependencies></project>
"""
_CONVERT = """
const { ComponentSet, MetadataConverter } = require('@salesforce/source-deploy-retrieve');
(async () => {
  const set = ComponentSet.fromSource(process.argv[2]);
  await new MetadataConverter().convert(set, 'metadata', { type: 'directory', outputDirectory: process.argv[3], genUniqueDir: false });
  console.log(set.size);
})().catch((error) => { console.error(String(error)); process.exit(1); });
"""


class NotRun(Exception):
    """The check cannot run on this machine."""


def run(command: list[str], where: Path, seconds: int = 600) -> str:
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=seconds, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{Path(command[0]).name} ended with {done.returncode}: {(done.stdout + done.stderr)[-1500:]}")
    return done.stdout + done.stderr


def cached(kind: str, key: bytes, make: Callable[[Path], None]) -> Path:
    """A directory in the cache, made once; a failed making leaves nothing behind."""
    target = cache_dir() / kind / hashlib.sha256(key).hexdigest()[:16]
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as directory:
        made = Path(directory) / "made"
        made.mkdir()
        try:
            make(made)
        except AssertionError as error:
            raise NotRun(f"cannot be installed: {error}") from None
        made.rename(target)
    return target


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise NotRun(f"{name} is not on PATH")
    return found


def npm_tree() -> Path:
    npm, lock = tool("npm"), (PACKAGE / "package-lock.json").read_bytes()

    def make(where: Path) -> None:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PACKAGE / name, where)
        # Not `npm ci`: it refuses a lock without the optional binaries of other platforms. What the lock names is verified all the same.
        run([npm, "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"], where)

    return cached("salesforce-npm", lock, make)


def pmd_tree() -> Path:
    maven = tool("mvn")

    def make(where: Path) -> None:
        (where / "pom.xml").write_text(_POM.format(PMD))
        run([maven, "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib"], where)

    return cached("pmd", PMD.encode(), make)


def jest() -> str:
    tree = npm_tree()
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "salesforce"
        shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("node_modules"))
        (copy / "node_modules").symlink_to(tree / "node_modules")
        said = run([str(copy / "node_modules" / ".bin" / "sfdx-lwc-jest"), "--", "--ci"], copy)
    return next((line.strip() for line in said.splitlines() if line.startswith("Tests:")), "no summary")


def convert() -> str:
    tree, node = npm_tree(), tool("node")
    with tempfile.TemporaryDirectory(dir=tree) as directory:
        script = Path(directory) / "convert.js"
        script.write_text(_CONVERT)
        said = run([node, str(script), str(PACKAGE / "force-app"), str(Path(directory) / "out")], Path(directory))
        if not (Path(directory) / "out" / "package.xml").is_file():
            raise AssertionError("no package.xml was made")
    return f"{said.split()[-1]} components"


def pmd_command(source: Path, java: str, tree: Path) -> list[str]:
    rules = ["-R", "category/apex/security.xml", "-f", "text", "--no-cache", "--no-progress"]
    return [java, "-cp", f"{tree / 'lib'}/*", "net.sourceforge.pmd.cli.PmdCli", "check", "-d", str(source), *rules]


def pmd() -> str:
    tree, java = pmd_tree(), tool("java")
    bad = "public class Bad { void f() { new HttpRequest().setEndpoint('http://x.example'); delete [SELECT Id FROM Case]; } }"
    with tempfile.TemporaryDirectory() as directory:
        # The positive control: a rule set that finds nothing in bad code says nothing about good code.
        (Path(directory) / "Bad.cls").write_text(bad)
        control = subprocess.run(pmd_command(Path(directory), java, tree), capture_output=True, text=True, timeout=300, check=False)
        if control.returncode != 4:
            raise AssertionError(f"the control was not found: {control.stderr[-500:]}")
    run(pmd_command(PACKAGE / "force-app", java, tree), PACKAGE)
    return f"PMD {PMD}: no finding in the security rules; the control was found"


def apex() -> str:
    raise NotRun(f"Apex runs in an org only: {ORG}")


CHECKS: dict[str, Callable[[], str]] = {"lwc_jest": jest, "source_convert": convert, "pmd_security": pmd, "apex_tests": apex}


def main() -> int:
    """Run the named checks; 1 when one fails."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0] if __doc__ else "", epilog="Example: python tools/salesforce_checks.py pmd_security"
    )
    parser.add_argument("checks", nargs="*", default=list(CHECKS), help=f"of {', '.join(CHECKS)}; all by default")
    results: dict[str, dict[str, object]] = {}
    for name in parser.parse_args().checks:
        began = time.monotonic()
        try:
            verdict, said = "PASS", CHECKS[name]()
        except NotRun as reason:
            verdict, said = "NOT-RUN", str(reason)
        except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
            verdict, said = "FAIL", str(error)
        results[name] = {"verdict": verdict, "said": said, "seconds": round(time.monotonic() - began, 1)}
    sys.stdout.write(json.dumps(results, indent=2) + "\n")
    return int(any(result["verdict"] == "FAIL" for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())
