"""Runs the sabotage corpus through our proof and through public scanners, and writes docs/detection.md: ``make bench-detection``.

A case counts as detected by a tool when the tool finds something in the sabotaged region that it does not find in the sealed one. The
scanners are installed into the cache, never into the project; one that cannot be had is said to be NOT-RUN with the reason.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from curtilage.canonical import digest_of
from curtilage.derive.firewall import render_ruleset
from curtilage.errors import ConfigError
from curtilage.output import progress
from curtilage.paths import CHECKOUT, cache_dir
from curtilage.region import load_region

sys.path[:0] = [str(CHECKOUT), str(CHECKOUT / "tools")]

from detection.terraform import translate  # noqa: E402 -- the checkout is put on the path above

from tests.sabotage.aws.mutations import BENIGN, SABOTAGE  # noqa: E402
from tests.sabotage.aws.plans import Stack, sealed_region  # noqa: E402
from tests.sabotage.hosts import mutations as hosts  # noqa: E402

OUT = CHECKOUT / "docs" / "detection.md"
BASE = "the sealed region"
CHECKOV, TFSEC, KICS = "3.3.30", "v1.26.0", "v2.2.0"
CHUNK = 28
"""Cases a run of a scanner that loads its rules anew each time; labels differ from case to case, so cases do not meet."""
Finding = tuple[str, str]


@dataclass
class Case:
    """One change of one platform."""

    platform: str
    name: str
    sabotage: bool
    stack: Stack | None = None
    ruleset: str | None = None
    lost: list[str] = field(default_factory=list)


@dataclass
class Tool:
    """A scanner: how it is had, and what it finds in folders of Terraform."""

    name: str
    version: str
    command: str
    purpose: str
    scan: Callable[[Path, list[str]], dict[str, set[Finding]]] | None
    reason: str = ""


def cases() -> list[Case]:
    """The whole corpus, in its own order."""
    found = [Case("aws", BASE, False, stack=sealed_region())]
    for name, change in {**{name: change for name, (change, _) in SABOTAGE.items()}, **BENIGN}.items():
        stack = sealed_region()
        change(stack)
        found.append(Case("aws", name, name in SABOTAGE, stack=stack))
    lab = load_region("lab")
    text = render_ruleset(lab, lab.host(hosts.HOST))
    for name, edit in {**hosts.SABOTAGE, **hosts.BENIGN}.items():
        found.append(Case("hosts", name, name in hosts.SABOTAGE, ruleset=edit(text)))
    return found


def ours(case: Case) -> tuple[str, tuple[str, ...]]:
    """Our verdict and the ids behind it."""
    from curtilage.proof.aws import parse_plan, prove_plan
    from curtilage.proof.regions import prove_host

    if case.stack is not None:
        proof = prove_plan(parse_plan(case.stack.preview()))
        return str(proof.verdict), tuple(sorted({item.id for item in proof.findings}))
    lab = load_region("lab")
    try:
        result = prove_host(lab, lab.host(hosts.HOST), case.ruleset)
    except ConfigError:
        return "refused", ("nft-refused",)
    return str(result.verdict), tuple(sorted({item.id for item in result.findings}))


# Scanners.


def home() -> Path:
    """Where scanners are kept between runs."""
    path = cache_dir() / "scanners"
    path.mkdir(parents=True, exist_ok=True)
    return path


def run(*command: str, seconds: int = 900, **environment: str) -> str:
    """A scanner's standard output; its exit code says that something was found, so it is not looked at."""
    done = subprocess.run(
        ["nice", "-n", "10", *command], capture_output=True, text=True, timeout=seconds, check=False, env=os.environ | environment
    )
    return done.stdout


def checkov() -> Tool:
    """Checkov in a virtual environment of its own."""
    place = home() / f"checkov-{CHECKOV}"
    purpose = "misconfigurations of single resources in infrastructure code, many platforms, over a thousand checks"
    shown = "checkov -d DIR --framework terraform -o json --compact --quiet --skip-download"
    if not (place / "bin" / "checkov").exists():
        uv = str(CHECKOUT / ".venv" / "bin" / "uv")
        run(uv, "venv", "-q", str(place))
        run(uv, "pip", "install", "-q", "--python", str(place / "bin" / "python"), f"checkov=={CHECKOV}")
    if not (place / "bin" / "checkov").exists():
        return Tool("Checkov", CHECKOV, shown, purpose, None, "the package could not be installed here")

    def scan(root: Path, names: list[str]) -> dict[str, set[Finding]]:
        found: dict[str, set[Finding]] = {name: set() for name in names}
        text = run(
            str(place / "bin" / "checkov"), "-d", str(root), "--framework", "terraform", "-o", "json", "--compact", "--quiet",
            "--skip-download",
        )  # fmt: skip
        documents = json.loads(text[text.index("{" if not text.lstrip().startswith("[") else "[") :])
        for document in documents if isinstance(documents, list) else [documents]:
            for item in document.get("results", {}).get("failed_checks", []):
                case = item["file_path"].strip("/").split("/")[0]
                found[case].add((item["check_id"], plain(item["resource"], case)))
        return found

    return Tool("Checkov", CHECKOV, shown, purpose, scan)


def tfsec() -> Tool:
    """tfsec, whose rules for Terraform are those that Trivy took over."""
    purpose = "misconfigurations in Terraform; its rules went into Trivy, which takes its place"
    shown = "tfsec DIR --format json --soft-fail"
    binary = go_install("tfsec", f"github.com/aquasecurity/tfsec/cmd/tfsec@{TFSEC}")
    if binary is None:
        return Tool("tfsec", TFSEC, shown, purpose, None, "the module could not be built here")

    def scan(root: Path, names: list[str]) -> dict[str, set[Finding]]:
        found: dict[str, set[Finding]] = {}
        for name in names:
            text = run(str(binary), str(root / name), "--format", "json", "--soft-fail", "--no-colour")
            results = json.loads(text or "{}").get("results") or []
            found[name] = {(item["long_id"], plain(item["resource"], name)) for item in results}
        return found

    return Tool("tfsec", TFSEC, shown, purpose, scan)


def kics() -> Tool:
    """KICS with the queries of its own module."""
    purpose = "misconfigurations in infrastructure code, many platforms, queries in Rego"
    shown = "kics scan -p DIR --type Terraform --queries-path assets/queries/terraform/aws --report-formats json"
    binary = go_install("console", f"github.com/Checkmarx/kics/v2/cmd/console@{KICS}")
    modules = subprocess.run(["go", "env", "GOMODCACHE"], capture_output=True, text=True, check=False).stdout.strip()
    assets = Path(modules) / "github.com" / "!checkmarx" / "kics" / f"v2@{KICS}" / "assets"
    if binary is None or not assets.is_dir():
        return Tool("KICS", KICS, shown, purpose, None, "the module could not be built here")

    queries = assets / "queries" / "terraform" / "aws"

    def scan(root: Path, names: list[str]) -> dict[str, set[Finding]]:
        found: dict[str, set[Finding]] = {name: set() for name in names}
        with tempfile.TemporaryDirectory() as out:
            run(
                str(binary), "scan", "-p", str(root), "--type", "Terraform", "--queries-path", str(queries),
                "--libraries-path", str(assets / "libraries"), "--report-formats", "json", "-o", out, "--no-progress", "--ci",
                DISABLE_CRASH_REPORT="1",
            )  # fmt: skip
            document = json.loads((Path(out) / "results.json").read_text())
        for query in document.get("queries", []):
            for item in query["files"]:
                case = Path(item["file_name"]).parent.name
                found[case].add((query["query_name"], plain(f"{item.get('resource_type')}.{item.get('resource_name')}", case)))
        return found

    return Tool("KICS", KICS, shown, purpose, scan)


def go_install(name: str, module: str) -> Path | None:
    """A tool built from its module, kept by name and version."""
    place = home() / f"{name}-{module.rsplit('@', 1)[-1]}"
    if not (place / name).exists() and shutil.which("go"):
        progress(f"building {module}")
        run("go", "install", module, GOBIN=str(place), GOFLAGS="-p=1")
    return place / name if (place / name).exists() else None


NOT_RUN = (
    Tool("Trivy", "-", "-", "vulnerabilities, secrets and misconfigurations; its Terraform rules came from tfsec", None,
         "its module is not served by the module proxy used here; tfsec stands for its older Terraform rules"),
    Tool("Prowler", "-", "-", "the settings of running cloud accounts, and compliance frameworks", None,
         "it reads a running account; the emulated account has no DNS Firewall, no Network Firewall rules and no data plane"),
)  # fmt: skip


def plain(resource: str, case: str) -> str:
    """A resource's address without the case's prefix of its label."""
    return resource.replace(f"{case}_", "")


def write(found: list[Case], root: Path) -> dict[str, Case]:
    """Each AWS case as a folder; labels carry the folder's name, so that no two cases share one."""
    placed = {}
    for number, case in enumerate(found):
        if case.stack is None:
            continue
        key = f"c{number:03d}"
        text, case.lost = translate(case.stack, prefix=f"{key}_")
        (root / key).mkdir()
        (root / key / "main.tf").write_text(text)
        placed[key] = case
    return placed


def scan(tool: Tool, root: Path, keys: list[str]) -> dict[str, set[Finding]]:
    """A tool over all cases, some at a time."""
    found: dict[str, set[Finding]] = {}
    if tool.scan is None:
        return found
    # The same tool over the same cases finds the same: kept by what makes it, so that a page can be written again in seconds.
    texts = {key: (root / key / "main.tf").read_text() for key in keys}
    kept = home() / f"{tool.name}-{tool.version}-{digest_of(texts).removeprefix('sha256:')[:16]}.json"
    if kept.exists():
        return {key: {(check, resource) for check, resource in items} for key, items in json.loads(kept.read_text()).items()}
    for first in range(0, len(keys), CHUNK):
        some = keys[first : first + CHUNK]
        part = kept.with_suffix(f".{first}.part")
        if part.exists():
            found |= {key: {(check, resource) for check, resource in items} for key, items in json.loads(part.read_text()).items()}
            continue
        with tempfile.TemporaryDirectory() as name:
            for key in some:
                shutil.copytree(root / key, Path(name) / key)
            new = tool.scan(Path(name), some)
        part.write_text(json.dumps({key: sorted(items) for key, items in new.items()}))
        found |= new
        progress(f"{tool.name}: {min(first + CHUNK, len(keys))} of {len(keys)}")
    kept.write_text(json.dumps({key: sorted(items) for key, items in found.items()}))
    return found


# The page.


def cell(new: Iterable[str]) -> str:
    """What a tool newly finds, or that it finds nothing."""
    names = sorted(set(new))
    return ", ".join(f"`{name}`" for name in names[:3]) + (f" +{len(names) - 3}" if len(names) > 3 else "") if names else "–"


def row(case: Case, verdict: str, ids: tuple[str, ...], others: dict[str, set[str] | None]) -> str:
    """One line of the table."""
    shown = verdict.replace("_", "-")
    best = "–" if case.platform != "aws" else ", ".join(name for name, new in others.items() if new) or "none"
    cells = ["n/a" if case.platform != "aws" else "NOT-RUN" if new is None else cell(new) for new in others.values()]
    ours_cell = f"{shown} {' '.join(f'`{name}`' for name in ids)}".strip()
    return f"| {case.platform} | {case.name} | {ours_cell} | {' | '.join(cells)} | {best} |"


def render(
    found: list[Case], verdicts: dict[str, tuple[str, tuple[str, ...]]], tools: list[Tool], new: dict[str, dict[str, set[str]]]
) -> str:
    """The page."""
    ran = [tool for tool in tools if tool.scan is not None]
    lines = [HEAD.format(date=datetime.datetime.now(datetime.UTC).date().isoformat())]
    lines += ["| tool | version | command | what it is for |", "|---|---|---|---|"]
    lines.append("| Curtilage | this commit | `curtilage prove --plan FILE`, `--nft FILE` | one claim: nothing leaves a sealed region |")
    for tool in (*tools, *NOT_RUN):
        lines.append(
            f"| {tool.name} | {tool.version} | `{tool.command}` | {tool.purpose}{'' if tool.scan else f'. **NOT-RUN**: {tool.reason}'} |"
        )
    lines += ["", "## Sums", "", f"| | cases | Curtilage | {' | '.join(tool.name for tool in ran)} |", f"|---|---|---|{'---|' * len(ran)}"]
    for title, platform, sabotage in (
        ("AWS, sabotaged: detected", "aws", True), ("AWS, harmless: not disturbed", "aws", False),
        ("hosts, sabotaged: detected", "hosts", True), ("hosts, harmless: not disturbed", "hosts", False),
    ):  # fmt: skip
        some = [case for case in found if case.platform == platform and case.sabotage is sabotage and case.name != BASE]
        good = sum((verdicts[key(case)][0] != "PASS") is sabotage for case in some)
        sums = [str(sum(bool(new[tool.name].get(case.name)) is sabotage for case in some)) if platform == "aws" else "n/a" for tool in ran]
        lines.append(f"| {title} | {len(some)} | {good} | {' | '.join(sums)} |")
    lines += ["", "## Cases", "", f"| platform | case | Curtilage | {' | '.join(tool.name for tool in ran)} | detected by others |",
              f"|---|---|---|{'---|' * (len(ran) + 1)}"]  # fmt: skip
    for case in found:
        if case.name != BASE:
            lines.append(row(case, *verdicts[key(case)], {tool.name: new[tool.name].get(case.name, set()) for tool in ran}))
    lost = sorted({f"{case.stack.items[name].type}" for case in found if case.stack for name in case.lost})
    lines += [
        "",
        f"Types without a counterpart in the translation, left out of it: {', '.join(f'`{name}`' for name in lost) or 'none'}.",
        "",
    ]
    return "\n".join(lines)


def key(case: Case) -> str:
    """A case's name among all platforms."""
    return f"{case.platform}/{case.name}"


HEAD = """# Detection: the sabotage corpus through our proof and through public scanners

Generated by `make bench-detection` on {date}; a test regenerates our column. Each case changes one thing of a sealed region
(`tests/sabotage`). For a scanner a case is **detected** when it finds something (a check on a resource) that it does not find in the
unchanged region: `–` means no new finding, and the table shows the first new ones, whether or not they are about egress. For us it is
detected when the verdict is FAIL or NOT-PROVEN.

How to read it fairly:

* The scanners look for many things in many products, one resource at a time, and none claims to prove that nothing leaves. The corpus is
  about exactly that claim, and it is ours. On their own ground (encryption, logging, public buckets, hundreds of services) they find what
  we do not look for; run them as well.
* They read Terraform, so each plan is translated (`tools/detection/terraform.py`): resources of the AWS provider with their inputs,
  references as references, policies as JSON text, values not known as variables. Components, states and the resources named at the end are
  lost in it. Scanners that read a Terraform *plan* might see a little more.
* `hosts` cases are nftables rulesets; none of these scanners reads them (n/a).

"""


def main() -> int:
    """Write the page; 1 when a sabotaged case passes with us."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], epilog="Example: python tools/bench_detection.py --tools checkov tfsec"
    )
    parser.add_argument("--tools", nargs="*", default=["checkov", "tfsec", "kics"], choices=["checkov", "tfsec", "kics"])
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    found = cases()
    tools = []
    for name, make in {"checkov": checkov, "tfsec": tfsec, "kics": kics}.items():
        tool = make()
        if name not in given.tools:
            tool.scan, tool.reason = None, "not asked for in this run"
        tools.append(tool)
    new: dict[str, dict[str, set[str]]] = {}
    with tempfile.TemporaryDirectory(prefix="curtilage-detection-") as name:
        placed = write(found, Path(name))
        for tool in tools:
            results = scan(tool, Path(name), list(placed))
            base = next((results[place] for place, case in placed.items() if case.name == BASE and place in results), set())
            new[tool.name] = {placed[place].name: {check for check, _ in items - base} for place, items in results.items()}
    verdicts = {key(case): ours(case) for case in found}
    given.out.write_text(render(found, verdicts, tools, new))
    passed = [key(case) for case in found if case.sabotage and verdicts[key(case)][0] == "PASS"]
    for item in passed:
        progress(f"passes with us: {item}")
    return 1 if passed else 0


if __name__ == "__main__":
    sys.exit(main())
