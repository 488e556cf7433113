"""The gateway's controls and how each is taken out of its source: rows of docs/mutations.md, made by tools/mutation_table.py.

Each row replaces one piece of text in a copy of the checkout and runs one file of tests there. Red is the names of the tests that fail.
A piece that is not there any more stops the table: it is then rewritten for the source as it is.
"""

# ruff: noqa: E501 - one control a line

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from curtilage.paths import CHECKOUT

ACCESS, IDENTITY, WIRE = "curtilage/gateway/access.py", "curtilage/gateway/identity.py", "curtilage/gateway/wire.py"
SANITIZER, DETECT = "curtilage/sanitize/sanitizer.py", "curtilage/sanitize/detect.py"
STORE, VERIFY = "curtilage/audit/store.py", "curtilage/audit/verify.py"
ENCODINGS, ON_ACCESS, ON_WIRE = (
    "tests/unit/sanitize/test_encodings.py",
    "tests/unit/gateway/test_access.py",
    "tests/unit/gateway/test_wire.py",
)
LEDGER, VERIFIER = "tests/unit/audit/test_ledger.py", "tests/unit/audit/test_verify.py"
POSTGRESQL, ON_POSTGRESQL = "curtilage/matters/postgresql.py", "tests/unit/matters/test_postgresql.py"


class Control(NamedTuple):
    """One control: what it is, the file and text that make it, what stands there without it, and the tests to ask."""

    name: str
    file: str
    text: str
    without: str
    tests: str


CONTROLS = (
    Control("ethical wall", ACCESS, "if (identity.id, matter.id) in directory.walled_off:", "if False:", ON_ACCESS),
    Control("membership", ACCESS, "if not member and grant is None:", "if False:", ON_ACCESS),
    Control("clearance", ACCESS, "if not cleared and grant is None:", "if False:", ON_ACCESS),
    Control("purpose", ACCESS, "if named not in allowed:", "if False:", ON_ACCESS),
    Control("legal hold", ACCESS, "if matter.legal_hold and not chosen:", "if False:", ON_ACCESS),
    Control("residency", ACCESS, "if not decision.allowed:", "if False:", ON_ACCESS),
    Control("second approver of break-glass", "curtilage/matters/model.py", "return self.approved_by is not None and", "return", ON_ACCESS),
    Control("revoked keys", IDENTITY, "not matches or key.revoked:", "not matches:", "tests/unit/matters/test_directory.py"),
    Control("access that ends amid a call", "curtilage/gateway/recheck.py", "if ended or identity is None:", "if identity is None:", "tests/unit/gateway/test_recheck.py"),
    Control("an error in the owner's policies", "curtilage/gateway/cedar.py", " and not result.diagnostics.errors", "", "tests/unit/gateway/test_cedar.py"),
    Control("the owner's policies", "curtilage/gateway/cedar.py", "if not allowed:", "if False:", "tests/unit/gateway/test_cedar.py"),
    Control("budgets", "curtilage/gateway/pressure.py", "if bucket.level < min(amount, per_minute):", "if False:", "tests/unit/gateway/test_budgets.py"),
    Control("one answer a call", "curtilage/gateway/client.py", 'self._break("a second answer")', "pass", "tests/unit/gateway/test_client.py"),
    Control("an answer's end", "curtilage/gateway/client.py", 'self._error = BrokenAnswer("the answer broke off") if self._begun else NoAnswer("closed before an answer")', "self._complete = self._begun", "tests/unit/gateway/test_client.py"),
    Control("each key of a body once", WIRE, "if len(built) != len(pairs):", "if False:", ON_WIRE),
    Control("depth of a body", WIRE, "        check_depth(tree)\n", "", ON_WIRE),
    Control("size of a body", WIRE, "if size > limit:", "if False:", ON_WIRE),
    Control("no compressed body", WIRE, 'if headers.get(b"content-encoding", b"identity").lower() != b"identity":', "if False:", ON_WIRE),
    Control("headers that decide come once", WIRE, "if name in found and name in _ONCE:", "if False:", ON_WIRE),
    Control("privileged fields by key", SANITIZER, "if self.rules.matches(key) or", "if", ENCODINGS),
    Control("privileged fields in prose", SANITIZER, "if self.rules.is_mentioned(folded_text[0]):", "if False:", ENCODINGS),
    Control("default deny of unclassified fields", "curtilage/sanitize/classification.py", "return _field(lower) not in self.allowed", "return False", ENCODINGS),
    Control("personal fields of a classification", SANITIZER, "if text and self.rules.is_personal(key)", "if False", ENCODINGS),
    Control("patterns", DETECT, "ranks = patterns.candidates(folded) if", "ranks = [] if", ENCODINGS),
    Control("names of people", DETECT, "    if people:\n", "    if False:\n", ENCODINGS),
    Control("the matter's dictionary", SANITIZER, "extra = findings.terms.find(text) if", "extra = () if", ENCODINGS),
    Control("other encodings", SANITIZER, "through_views(shown(text, clean), clean)", "shown(text, clean)", ENCODINGS),
    Control("hidden and backward text", SANITIZER, "through_views(shown(text, clean), clean)", "through_views(text, clean)", ENCODINGS),
    Control("emphasis inside words", SANITIZER, "self._through_marks(through_views(shown(text, clean), clean), findings)", "through_views(shown(text, clean), clean)", ENCODINGS),
    Control("look-alikes", "curtilage/sanitize/unicode.py", "return _lookalike(folded)", "return folded", ENCODINGS),
    Control("borders of parts and messages", SANITIZER, "self._clean(self._clean_across(node, findings), findings", "self._clean(node, findings", ENCODINGS),
    Control("deadline of cleaning", SANITIZER, "if time.monotonic() > findings.deadline:", "if False:", ENCODINGS),
    Control("the way back", "curtilage/gateway/guard.py", "in self._sanitizer.spans(text, self._personal_data):", "in ():", "tests/unit/gateway/test_guard.py"),
    Control("no text in the ledger", "curtilage/audit/records.py", "    if name in CONTENT_KEYS:\n", "    if False:\n", LEDGER),
    Control("one writer", STORE, "fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)", "pass", LEDGER),
    Control("one outcome an intent", "curtilage/audit/ledger.py", "if call is None or intent_index in self._closing:", "if call is None:", LEDGER),
    Control("outcomes of calls that a crash cut off", STORE, "        self._load_open()\n", "", LEDGER),
    Control("the verifier's root", VERIFY, "if root != head.root:", "if False:", VERIFIER),
    Control("the verifier's pairs", VERIFY, 'if self.open.pop(record.get("intent"), None) != call or not call:', "if self.open.pop(record.get('intent'), None) is None and False:", VERIFIER),
    Control("the verifier's tiles", VERIFY, "elif content is None or content != raw[: ends[width - 1]]:", "elif content is None:", VERIFIER),
    Control("a truncated ledger against its exported head", VERIFY, "if self.compare and self.compare.size > total:", "if False:", VERIFIER),
    Control("TLS to a shared directory", POSTGRESQL, '"sslmode": "verify-full",', '"sslmode": "prefer",', ON_POSTGRESQL),
    Control("a shared directory stands inside", POSTGRESQL, "not is_inside(self.address)", "False", ON_POSTGRESQL),
    Control("a bound on a shared directory's answers", POSTGRESQL, "self._settings.answer_seconds + 0.25", "60.0", ON_POSTGRESQL),
    Control("each change to a shared directory is seen", POSTGRESQL, "SET revision = revision + 1", "SET revision = revision", "tests/unit/matters/test_directory.py"),
    Control("no call without the directory", "curtilage/gateway/current.py", "raise Refusal(Reason.DIRECTORY_UNAVAILABLE, _NO_DIRECTORY) from None", "return self._directory._snapshot", "tests/unit/gateway/test_current.py"),
    Control("an answer newer than its question", "curtilage/gateway/current.py", "if self._next is None:", "if (self._next or self._running) is None:", "tests/unit/gateway/test_current.py"),
)  # fmt: skip


def _copy(target: Path) -> None:
    """The tracked and new files of the checkout, as they are now."""
    listed = subprocess.run(
        ["git", "-C", str(CHECKOUT), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "curtilage", "tests", "pyproject.toml"],
        capture_output=True, check=True,
    ).stdout.decode().split("\0")  # fmt: skip
    for name in filter(None, listed):
        if (CHECKOUT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, target / name)


def _failing(folder: Path, tests: str) -> list[str]:
    """The names of the tests that fail there, without their parameters."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    # No property tests: whether one meets the case that shows the missing control is chance, also with a seed (it draws from what is loaded).
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--tb=no",
        "-p",
        "no:cacheprovider",
        "-m",
        "not hypothesis",
        "-rfE",
        "--maxfail=3",
        tests,
    ]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{tests} could not be run: {done.stdout[-800:]}{done.stderr[-400:]}")
    return sorted(
        {f"{Path(file).name}::{name}" for file, name in re.findall(r"^(?:FAILED|ERROR) (\S+?)::(\w+)", done.stdout, re.MULTILINE)}
    )


def removals(every: int = 1) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each control's name and what turned red without it; ``every`` takes a sample."""
    sample = CONTROLS[::every]
    with tempfile.TemporaryDirectory(prefix="curtilage-mutations-") as temporary:
        folder = Path(temporary)
        _copy(folder)
        for tests in dict.fromkeys(control.tests for control in sample):
            if red := _failing(folder, tests):
                raise SystemExit(f"{tests} fails with every control in place ({', '.join(red)}): it shows nothing")
        for control in sample:
            path = folder / control.file
            source = path.read_text()
            if control.text not in source:
                raise SystemExit(f"{control.file} has no {control.text!r}: the table is not of this source")
            path.write_text(source.replace(control.text, control.without))
            yield control.name, tuple(_failing(folder, control.tests))
            path.write_text(source)
