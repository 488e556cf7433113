"""Scanner figures on this machine: ``python tools/bench/scanner.py [--classes N]`` prints one JSON document.

* ``classes_per_second``: a made project of Apex classes, every tenth with a callout and a record in its body; by wall clock and by
  processor time;
* ``pmd_classes_per_second``: PMD's Apex security rules over the same project in the same run, Java start included; null with the reason
  where PMD cannot be installed;
* ``peak_mib``: the scanner's peak memory for the project, for one four times as large, and for the project beside a gigabyte of
  other files;
* ``corpus``: cases, and the lowest precision and recall of any rule on the labelled corpus.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from curtilage.output import print_json, progress
from curtilage.paths import CHECKOUT

sys.path[:0] = [str(CHECKOUT / "tools"), str(CHECKOUT / "tests" / "unit" / "scan")]

_METHOD = """    public static List<Account> load{k}(Set<Id> ids, String name) {{
        Map<Id, Account> found = new Map<Id, Account>();
        for (Account a : [SELECT Id, Name, Industry, OwnerId FROM Account WHERE Id IN :ids AND Name = :name LIMIT 200]) {{
            if (a.Industry == 'Legal' && !String.isBlank(a.Name)) {{
                found.put(a.Id, a);
            }} else {{
                System.debug('skipped ' + a.Name + ' of ' + ids.size());
            }}
        }}
        update found.values();
        return Helper{other}.load{call}(found.keySet(), name);
    }}
"""
_SEND = """    public static void send(Account a) {{
        HttpRequest req = new HttpRequest();
        req.setEndpoint(Helper{other}.BASE + '/v1/' + a.Name);
        req.setBody(JSON.serialize(a));
        new Http().send(req);
    }}
"""
_CHILD = """
import json, resource, sys, time
from pathlib import Path
from curtilage.scan.engine import scan
wall, cpu = time.monotonic(), time.process_time()
result = scan(Path(sys.argv[1]))
print(json.dumps({"wall": time.monotonic() - wall, "cpu": time.process_time() - cpu, "classes": result.counts.apex,
    "bytes": result.counts.bytes, "findings": len(result.reported), "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""


def make(root: Path, count: int) -> None:
    """A project of classes that call each other."""
    chance = random.Random(7)  # noqa: S311 -- the same project each time
    directory = root / "force-app" / "classes"
    directory.mkdir(parents=True)
    for number in range(count):
        methods = [_METHOD.format(k=k, other=chance.randrange(count), call=chance.randrange(12)) for k in range(12)]
        if number % 10 == 0:
            methods.append(_SEND.format(other=(number + 1) % count))
        body = "".join(methods)
        (directory / f"Helper{number}.cls").write_text(
            f"public with sharing class Helper{number} {{\n    public static final String BASE = 'https://api{number}.example.com';\n{body}}}\n"
        )


def measure(root: Path) -> dict[str, Any]:
    """One scan in a process of its own, so that its peak memory is its own."""
    done = subprocess.run([sys.executable, "-c", _CHILD, str(root)], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def pmd(root: Path, count: int) -> tuple[float | None, str]:
    """PMD's classes per second, or why there is none."""
    import salesforce_checks

    try:
        tree, java = salesforce_checks.pmd_tree(), salesforce_checks.tool("java")
    except salesforce_checks.NotRun as reason:
        return None, f"NOT-RUN: {reason}"
    began = time.monotonic()
    done = subprocess.run(salesforce_checks.pmd_command(root, java, tree), capture_output=True, text=True, check=False)
    if done.returncode not in (0, 4):
        return None, f"NOT-RUN: PMD ended with {done.returncode}"
    return count / (time.monotonic() - began), f"PMD {salesforce_checks.PMD}"


def corpus() -> dict[str, Any]:
    """Precision and recall on the labelled corpus."""
    import test_corpus

    total: Counter[tuple[str, str]] = Counter()
    for _, files in test_corpus.CASES:
        with tempfile.TemporaryDirectory() as directory:
            total += test_corpus.run(files, Path(directory))[0]
    rules = sorted({rule for _, rule in total})
    precision = {rule: total["right", rule] / max(1, total["right", rule] + total["extra", rule]) for rule in rules}
    recall = {rule: total["right", rule] / max(1, total["right", rule] + total["missed", rule]) for rule in rules}
    return {
        "cases": len(test_corpus.CASES),
        "labels": sum(number for (kind, _), number in total.items() if kind != "extra"),
        "lowest_precision": min(precision.values()),
        "lowest_recall": min(recall.values()),
        "rules": rules,
    }


def main() -> int:
    """Measure; 1 when a figure is not held."""
    about = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(description=about, epilog="Example: python tools/bench/scanner.py --classes 500")
    parser.add_argument("--classes", type=int, default=2000)
    count = parser.parse_args().classes
    with tempfile.TemporaryDirectory() as directory:
        small, large = Path(directory) / "small", Path(directory) / "large"
        make(small, count)
        progress("scanning")
        once = measure(small)
        peer, said = pmd(small, count)
        make(large, 4 * count)
        progress("scanning four times as much")
        four = measure(large)
        for number in range(64):  # sparse: a gigabyte to walk past, not to store
            with (small / f"attachment{number}.bin").open("wb") as stream:
                stream.truncate(16 << 20)
            with (small / f"library{number}.js").open("wb") as stream:
                stream.truncate(12 << 20)
        progress("scanning beside a gigabyte")
        wide = measure(small)
    figures = corpus()
    speed = once["classes"] / once["wall"]
    held = (speed >= 200 or (peer is not None and speed >= 5 * peer)) and four["mib"] < 1.5 * once["mib"] + 64
    held = held and min(figures["lowest_precision"], figures["lowest_recall"]) >= 0.95
    print_json(
        {
            "classes": count,
            "classes_per_second": round(speed, 1),
            "classes_per_processor_second": round(once["classes"] / once["cpu"], 1),
            "pmd_classes_per_second": peer and round(peer, 1),
            "pmd": said,
            "peak_mib": {"once": round(once["mib"]), "four_times": round(four["mib"]), "beside_gigabyte": round(wide["mib"])},
            "gigabytes_walked": round(wide["bytes"] / 2**30, 2),
            "corpus": figures,
            "held": held,
        }
    )
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
