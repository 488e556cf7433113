"""Figures of the proof on this machine: ``python tools/bench/proof.py kernel|lab|region|regions`` prints one JSON document each.

* ``kernel``: rulesets and packets from the grammar of the packet tests, each packet decided by the model and by the kernel; a disagreement
  ends the run with the ruleset;
* ``lab``: the derived rulesets of the lab, proved from their text;
* ``region``: an AWS region of 300 resources, from the preview's bytes to the verdict;
* ``regions``: 25, 50 and 100 such regions, each with its own accounts, organisation, addresses and policies, over two processes; with
  ``--plot FILE`` the seconds as an SVG.

Each ends with 1 when it takes longer than promised, or decides otherwise than expected.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import os
import random
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import Any

from curtilage.output import print_json, progress
from curtilage.paths import CHECKOUT

sys.path.insert(0, str(CHECKOUT))

SIZES = (25, 50, 100)
RESOURCES = 300
PROMISED = {"comparisons_per_second": 200, "lab_seconds": 1.0, "region_seconds": 3.0, "regions_seconds": 60.0}
LINEAR = 1.3
"""How much longer than in proportion the largest run may take, against the smallest."""


def kernel(count: int, seed: int, batch: int) -> dict[str, Any]:
    """Comparisons a second; hypothesis draws the rulesets, a seeded generator the packets, many to a ruleset."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    from curtilage.errors import ConfigError
    from curtilage.proof.decide import Model
    from curtilage.proof.wire import Wire

    tests = _module("tests/packets/test_model_equals_packets.py")
    chance = random.Random(seed)  # noqa: S311 -- reproducible, not secret
    done = {"compared": 0, "undecided": 0, "rulesets": 0, "refused": 0}

    with Wire() as wire:

        def compare(ruleset: str) -> None:
            if done["compared"] >= count:
                return
            packets = [_packet(tests, chance, number) for number in range(batch)]
            try:
                model = Model.of(ruleset)
            except ConfigError as refused:
                if "conflicting" not in str(refused):
                    raise
                done["refused"] += 1  # nft refuses matches that exclude one another in one rule
                return
            answers = [model.evaluate(packet) for packet in packets]
            wire.apply(ruleset)
            for packet, (verdict, trace, _), through in zip(packets, answers, wire.send(packets), strict=True):
                if verdict == "not_proven":
                    done["undecided"] += 1
                elif (verdict == "allow") != through:
                    steps = "\n".join(map(str, trace))
                    raise SystemExit(f"model {verdict}, kernel {'passed' if through else 'dropped'}\n{packet!r}\n{ruleset}\n{steps}")
                else:
                    done["compared"] += 1
            done["rulesets"] += 1

        drawn = given(tests.rulesets())(compare)
        wanted = settings(
            max_examples=count // batch * 2,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )(drawn)
        began = time.perf_counter()
        for turn in range(20):
            if done["compared"] >= count:
                break
            seeded(seed + turn)(wanted)()
        seconds = time.perf_counter() - began
    rate = done["compared"] / seconds
    held = done["compared"] >= count and rate >= PROMISED["comparisons_per_second"]
    return {**done, "batch": batch, "seconds": round(seconds, 1), "per_second": round(rate), "disagreements": 0, "held": held}


def _packet(tests: ModuleType, chance: random.Random, number: int) -> Any:
    """As the tests draw one: any hook, family, protocol, port and claim; a source port of its own."""
    from curtilage.proof.packet import Packet
    from curtilage.proof.wire import HOST, INSIDE, NEAR, UPLINK

    hook, version = chance.choice(["output", "forward", "input", "egress"]), chance.choice([4, 6])
    protocol = chance.choice(["tcp", "udp", "icmp"])
    claimed = chance.choice([None, None, "ipv4", "ipv6", "arp"]) if hook == "egress" else None
    source = HOST[version] if hook in ("output", "egress") else NEAR[version]
    if version == 6 and claimed == "ipv4" and chance.random() < 0.5:
        source = "2001:db8:0:0:cb00:7105::"
    return Packet.model_validate(
        {
            "hook": hook,
            "source": source,
            "destination": HOST[version] if hook == "input" else chance.choice(tests.V4 if version == 4 else tests.V6),
            "protocol": protocol,
            "sport": 20000 + number,
            "dport": chance.choice(tests.PORTS),
            "icmp_type": chance.choice((8, 0) if version == 4 else (128, 129)) if protocol == "icmp" else None,
            "claimed": claimed,
            "iif": INSIDE if hook in ("forward", "input") else None,
            "oif": None if hook == "input" else UPLINK,
        }
    )


def _module(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("drawn", CHECKOUT / path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"no {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def lab() -> dict[str, Any]:
    """The lab's rulesets, three times; the median counts."""
    from curtilage.proof.regions import prove_region
    from curtilage.region import load_region

    region = load_region("lab")
    prove_region(region)  # the solver's library loads once
    runs = [prove_region(region) for _ in range(3)]
    seconds = sorted(run.seconds for run in runs)[1]
    verdicts = {str(run.verdict) for run in runs}
    held = seconds <= PROMISED["lab_seconds"] and verdicts == {"PASS"}
    return {"hosts": len(region.hosts), "seconds": round(seconds, 3), "verdicts": sorted(verdicts), "held": held}


def plan_bytes(number: int) -> bytes:
    """A sealed region of 300 resources as the engine prints it. Every region has accounts, an organisation and addresses of its own."""
    from tests.sabotage.aws.plans import ACCOUNT, ORG, Ref, sealed_region

    stack = sealed_region(subnets=24)
    index = 0
    while len(stack.items) < RESOURCES:
        index += 1
        stack.add("aws:ec2/securityGroup:SecurityGroup", f"more-{index}", vpcId=Ref("vpc"), egress=[
            {"protocol": "tcp", "fromPort": 8000 + index, "toPort": 8000 + index, "cidrBlocks": [f"10.40.{index % 9}.0/24"]}])  # fmt: skip
        kind = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
        rule = {"securityGroupId": Ref(f"more-{index}"), "ipProtocol": "tcp", "fromPort": 443, "toPort": 443}
        stack.add(kind, f"rule-{index}", **rule, referencedSecurityGroupId=Ref("nodes"))
        if index % 6 == 0:
            stack.add("aws:iam/role:Role", f"role-{index}", assumeRolePolicy=stack["node-role"]["assumeRolePolicy"])
            resource = f"arn:aws:s3:::curtilage-legal-logs/{index}/*"
            statement = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": resource}
            policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            stack.add("aws:iam/rolePolicy:RolePolicy", f"role-policy-{index}", role=Ref(f"role-{index}", "name"), policy=policy)
    document = json.dumps(stack.preview())
    return (
        document.replace(ACCOUNT, f"{211122220000 + number}")
        .replace(ORG, f"o-curtilage{number:03d}")
        .replace("10.40.", f"10.{number % 200 + 10}.")
        .replace("de-frankfurt", f"region-{number}")
        .replace("curtilage-legal-logs", f"logs-of-{number}")
        .encode()
    )


def prove_file(path: str) -> tuple[str, int, float]:
    """Verdict, resources and seconds of one plan, read from its file."""
    from curtilage.proof.aws import prove_plan, read_plan

    began = time.perf_counter()
    plan = read_plan(Path(path), "preview")
    verdict = str(prove_plan(plan).verdict)
    gc.collect()
    return verdict, len(plan.resources), time.perf_counter() - began


def region() -> dict[str, Any]:
    """One region, in a process that has loaded the solver and decided nothing yet."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "plan.json"
        file.write_bytes(plan_bytes(0))
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            pool.submit(_warm).result()
            verdict, resources, seconds = pool.submit(prove_file, str(file)).result()
    held = seconds <= PROMISED["region_seconds"] and verdict == "PASS" and resources >= RESOURCES
    return {"resources": resources, "verdict": verdict, "seconds": round(seconds, 3), "held": held}


def _warm() -> None:
    import curtilage.proof.aws  # noqa: F401 -- what is measured is the proof, not the import


def regions(plot: Path | None, processes: int) -> dict[str, Any]:
    """All sizes; the whole wall clock, processes started and files read included."""
    figures: dict[int, float] = {}
    verdicts: set[str] = set()
    with tempfile.TemporaryDirectory() as name:
        files = []
        for number in range(max(SIZES)):
            file = Path(name) / f"{number}.json"
            file.write_bytes(plan_bytes(number))
            files.append(str(file))
        for size in SIZES:
            began = time.perf_counter()
            with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
                verdicts |= {verdict for verdict, _, _ in pool.map(prove_file, files[:size])}
            figures[size] = time.perf_counter() - began
            progress(f"{size} regions: {figures[size]:.1f} s")
    smallest, largest = min(SIZES), max(SIZES)
    growth = (figures[largest] / largest) / (figures[smallest] / smallest)
    held = figures[largest] <= PROMISED["regions_seconds"] and growth <= LINEAR and verdicts == {"PASS"}
    if plot is not None:
        draw(figures, plot)
    return {
        "resources_each": RESOURCES,
        "processes": processes,
        "seconds": {str(size): round(seconds, 1) for size, seconds in figures.items()},
        "per_region_against_smallest": round(growth, 2),
        "verdicts": sorted(verdicts),
        "held": held,
    }


def draw(figures: dict[int, float], file: Path) -> None:
    """A small SVG, written by hand: a few points need no plotting library."""
    width, height, left, bottom = 560, 320, 60, 46
    most_x, most_y = max(figures) * 1.1, max(PROMISED["regions_seconds"], *figures.values()) * 1.1

    def at(x: float, y: float) -> tuple[float, float]:
        return left + x / most_x * (width - left - 20), height - bottom - y / most_y * (height - bottom - 30)

    points = [at(size, seconds) for size, seconds in sorted(figures.items())]
    limit = at(0, PROMISED["regions_seconds"])[1]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{left}" y="18">Seconds to prove AWS regions of {RESOURCES} resources, two processes</text>',
        f'<line x1="{left}" y1="{height - bottom}" x2="{width - 20}" y2="{height - bottom}" stroke="black"/>',
        f'<line x1="{left}" y1="30" x2="{left}" y2="{height - bottom}" stroke="black"/>',
        f'<line x1="{left}" y1="{limit:.1f}" x2="{width - 20}" y2="{limit:.1f}" stroke="#b00" stroke-dasharray="5 4"/>',
        f'<text x="{width - 130}" y="{limit - 5:.1f}" fill="#b00">promised: {PROMISED["regions_seconds"]:.0f} s</text>',
        f'<polyline fill="none" stroke="#06c" stroke-width="2" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>',
    ]
    for (size, seconds), (x, y) in zip(sorted(figures.items()), points, strict=True):
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#06c"/>')
        parts.append(f'<text x="{x:.1f}" y="{y - 9:.1f}" text-anchor="middle">{seconds:.1f} s</text>')
        parts.append(f'<text x="{x:.1f}" y="{height - bottom + 18}" text-anchor="middle">{size}</text>')
    parts.append(f'<text x="{(left + width) / 2:.0f}" y="{height - 8}" text-anchor="middle">regions</text>')
    file.write_text("\n".join([*parts, "</svg>"]) + "\n")


def main() -> int:
    """One measurement; 1 when it does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("kernel", "lab", "region", "regions"))
    parser.add_argument("--count", type=int, default=50_000, help="kernel: how many comparisons")
    parser.add_argument("--batch", type=int, default=250, help="kernel: packets a ruleset")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--plot", type=Path, default=None)
    given = parser.parse_args()
    found = {
        "kernel": lambda: kernel(given.count, given.seed, given.batch),
        "lab": lab,
        "region": region,
        "regions": lambda: regions(given.plot, given.processes),
    }[given.what]()
    print_json(found | {"load_average": round(os.getloadavg()[0], 2), "cores": os.cpu_count()})
    return 0 if found["held"] else 1


if __name__ == "__main__":
    sys.exit(main())
