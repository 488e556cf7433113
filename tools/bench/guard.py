"""Guard figures on this machine: ``python tools/bench/guard.py [--fingerprints N] [--documents N]`` prints one JSON document.

* ``documents_per_second``: one process judging documents of the templates against that many fingerprints, reading the file included;
* ``false_alarms``: share of clean documents that were refused;
* ``recall_exact``, ``recall_near``: share of 2,000 records found letter for letter, and with one word in five replaced;
* ``generated_per_second``: documents the generator writes.

Exit 1 when a promised figure is missed.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from curtilage.finetune.generator import generate
from curtilage.finetune.guard import Guard, check
from curtilage.finetune.guard_make import fingerprint
from curtilage.finetune.guard_records import texts
from curtilage.output import print_json

KEY = b"bench guard key, thirty-two byte"
SYLLABLES = ("ba", "ko", "ri", "ten", "mul", "sor", "vi", "gra", "pel", "dun", "hest", "ol", "quin", "ta", "ne", "wer", "zam", "lo")
TESTED = 2_000


def main() -> int:
    """Measure, print, compare with what is promised."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fingerprints", type=int, default=1_000_000)
    parser.add_argument("--documents", type=int, default=50_000)
    options = parser.parse_args()
    rng = random.Random(1)  # noqa: S311 - repeatable on purpose
    words = ["".join(rng.choices(SYLLABLES, k=rng.randint(1, 4))) for _ in range(8_000)]
    weights = [1 / (rank + 5) for rank in range(len(words))]
    # About 220 fingerprints come from a record of 100 words.
    records = [" ".join(rng.choices(words, weights, k=rng.choice([40, 80, 160]))) for _ in range(max(TESTED, options.fingerprints // 200))]
    began = time.perf_counter()
    known = fingerprint(((str(index), [text]) for index, text in enumerate(records)), KEY)
    making = time.perf_counter() - began
    with tempfile.TemporaryDirectory(prefix="curtilage-bench-") as scratch:
        began = time.perf_counter()
        generate(Path(scratch), count=options.documents, seed=77)
        generating = time.perf_counter() - began
        began = time.perf_counter()
        report = check(Path(scratch), known, KEY)
        judging = time.perf_counter() - began
        assert sum(1 for _ in texts(Path(scratch))) == report.documents  # noqa: S101 - a figure over fewer documents would be wrong
    guard = Guard(known, KEY)
    found = {}
    for kind in ("exact", "near"):
        wanted = []
        for index, text in enumerate(records[:TESTED]):
            spoken = text.split(" ")
            if kind == "near":
                for at in rng.sample(range(len(spoken)), len(spoken) // 5):
                    spoken[at] = "".join(rng.choices("abcdefghijkl", k=6))
            wanted.append((str(index), [" ".join(spoken)]))
        _, findings = guard.judge(wanted)
        found[kind] = len({finding.document for finding in findings}) / TESTED
    figures = {
        "fingerprints": known.about["fingerprints"],
        "records": known.about["records"],
        "fingerprint_seconds": round(making, 1),
        "generated_per_second": round(options.documents / generating),
        "documents": report.documents,
        "documents_per_second": round(report.documents / judging),
        "false_alarms": report.refused / report.documents,
        "recall_exact": found["exact"],
        "recall_near": found["near"],
    }
    promised = {
        "documents_per_second": report.documents / judging >= 5_000,
        "false_alarms": report.refused <= 0.001 * report.documents,
        "recall_exact": found["exact"] == 1.0,
        "recall_near": found["near"] >= 0.99,
        "generated_per_second": options.documents / generating >= 2_000,
    }
    print_json({"figures": figures, "held": promised})
    return 0 if all(promised.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
