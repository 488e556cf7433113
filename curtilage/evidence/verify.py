"""The bundle's offline verifier: needs one file, the key it should be signed with, and no network."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from curtilage.audit.note import Checkpoint, NoteError, VerifierKey
from curtilage.canonical import canonical_json
from curtilage.errors import ConfigError
from curtilage.evidence.archive import MAX_BYTES, ArchiveError, unpack
from curtilage.evidence.bundle import MANIFEST, MANIFEST_TYPE, SCHEMA, STAMP, read_verdicts, sha256_of
from curtilage.evidence.dsse import IN_TOTO, EnvelopeError, unseal
from curtilage.evidence.statements import PROVENANCE, STATEMENT, TEST_RESULT, descriptor, test_result
from curtilage.verdict import Verdict, worst


@dataclass(frozen=True)
class Finding:
    """One reason why the bundle is not green."""

    id: str
    verdict: Verdict
    reason: str


@dataclass
class BundleResult:
    """What the bundle says, and whether it may be believed."""

    path: str
    region: str = ""
    plan_digest: str = ""
    collected: str = ""
    fingerprint: str = ""
    pinned: bool = False
    required: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    audit_size: int | None = None
    tools: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """PASS only without any finding."""
        return worst(finding.verdict for finding in self.findings) if self.findings else Verdict.PASS

    def document(self) -> dict[str, Any]:
        """A JSON object."""
        return {
            "audit_size": self.audit_size,
            "bundle": self.path,
            "collected": self.collected,
            "counts": self.counts,
            "findings": [{"id": finding.id, "reason": finding.reason, "verdict": finding.verdict} for finding in self.findings],
            "key": {"fingerprint": self.fingerprint, "pinned": self.pinned},
            "plan_digest": self.plan_digest,
            "region": self.region,
            "required": self.required,
            "tools": self.tools,
            "verdict": self.verdict,
        }


class _Broken(Exception):
    """The bundle is not what its key signed; nothing further in it is worth reading."""

    def __init__(self, identifier: str, reason: str) -> None:
        super().__init__(reason)
        self.finding = Finding(identifier, Verdict.FAIL, reason)


def verify_bundle(
    path: Path,
    *,
    key: VerifierKey | None,
    plan_digest: str | None = None,
    not_before: datetime | None = None,
    required: Iterable[str] | None = None,
    now: datetime | None = None,
) -> BundleResult:
    """Verify a bundle.

    Args:
        path: the bundle.
        key: the key it must be signed with, obtained elsewhere. Without it the bundle can at best be NOT_PROVEN.
        plan_digest: the plan it must be about.
        not_before: the run must have ended at this time or later.
        required: ids that must be there and PASS, beside those the bundle itself requires.
        now: the time at which a later run would lie in the future; now unless told.
    """
    result = BundleResult(str(path))
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _Broken("evidence.archive", f"larger than {MAX_BYTES} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror}", rule="evidence verify reads one bundle file", fix="check the path"
        ) from error
    except _Broken as broken:
        result.findings.append(broken.finding)
        return result
    try:
        files = unpack(data)
        manifest = _manifest(files, key, result)
        _files(files, manifest)
        verdicts = _statements(files, manifest, VerifierKey.parse(manifest["key"]))
    except ArchiveError as error:
        result.findings.append(Finding("evidence.archive", Verdict.FAIL, str(error)))
        return result
    except _Broken as broken:
        result.findings.append(broken.finding)
        return result
    if key is None:
        result.findings.append(
            Finding(
                "evidence.key",
                Verdict.NOT_PROVEN,
                f"no key was pinned; the bundle says {result.fingerprint}: compare it with one you have from elsewhere, or pass --key",
            )
        )
    result.counts = dict(sorted(Counter(str(verdict) for verdict in verdicts.values()).items()))
    wanted = set(manifest["required"]) | set(required or ())
    result.required = len(wanted)
    if not wanted:
        result.findings.append(Finding("evidence.required", Verdict.NOT_RUN, "the bundle requires no test at all, so it proves nothing"))
    for identifier in sorted(wanted - set(verdicts)):
        result.findings.append(Finding(identifier, Verdict.NOT_RUN, "required, but there is no result"))
    for identifier, verdict in sorted(verdicts.items()):
        if verdict is not Verdict.PASS:
            result.findings.append(Finding(identifier, verdict, "required" if identifier in wanted else "not required"))
    _age(result, plan_digest, not_before, now or datetime.now(UTC))
    _audit(files, result)
    return result


def _manifest(files: dict[str, bytes], key: VerifierKey | None, result: BundleResult) -> dict[str, Any]:
    try:
        envelope = orjson.loads(files[MANIFEST])
        claimed = VerifierKey.parse(orjson.loads(_payload(envelope))["key"])
        result.fingerprint, result.pinned = (key or claimed).fingerprint, key is not None
        manifest = orjson.loads(unseal(envelope, MANIFEST_TYPE, key or claimed))
    except (KeyError, ValueError, TypeError, EnvelopeError, ConfigError) as error:
        reason = f"there is no {error}" if isinstance(error, KeyError) else str(error)
        raise _Broken("evidence.signature", f"{MANIFEST}: {reason}") from error
    if key is not None and str(key) != manifest["key"]:
        raise _Broken("evidence.signature", "the manifest names another key than the one it is signed with")
    if manifest.get("schema") != SCHEMA or canonical_json(envelope) != files[MANIFEST]:
        raise _Broken("evidence.schema", f"not a canonical manifest of {SCHEMA}")
    result.region, result.plan_digest, result.collected = manifest["region"], manifest["plan_digest"], manifest["collected"]
    result.tools = manifest["tools"]
    return dict(manifest)


def _payload(envelope: Any) -> bytes:
    return base64.b64decode(envelope["payload"], validate=True)


def _files(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
    listed, present = set(manifest["files"]), set(files) - {MANIFEST}
    if missing := sorted(listed - present):
        raise _Broken("evidence.files", f"missing: {', '.join(missing)}")
    if added := sorted(present - listed):
        raise _Broken("evidence.files", f"added: {', '.join(added)}")
    for name, entry in sorted(manifest["files"].items()):
        if entry != {"sha256": sha256(files[name]).hexdigest(), "size": len(files[name])}:
            raise _Broken("evidence.files", f"changed: {name}")


def _statements(files: dict[str, bytes], manifest: dict[str, Any], key: VerifierKey) -> dict[str, Verdict]:
    """The verdicts, after the statements were found to say the same as the files they stand for."""
    try:
        statements = {
            name: orjson.loads(unseal(orjson.loads(files[f"attestations/{name}.dsse.json"]), IN_TOTO, key))
            for name in ("test-result", "provenance")
        }
        verdicts = read_verdicts(orjson.loads(files["probes.json"]))
        plan = descriptor("plan", manifest["plan_digest"])
        enforced = [descriptor(name, sha256_of(content)) for name, content in sorted(files.items()) if name.startswith("rulesets/")]
        dependencies = [
            descriptor(f"{kind}/{name}", digest)
            for kind, things in (("image", manifest["images"]), ("model", manifest["models"]))
            for name, digest in sorted(things.items())
        ]
        matrix = descriptor("required-tests", sha256_of(canonical_json(manifest["required"])))
        expected = test_result(
            [plan, *enforced, *dependencies], verdicts, [matrix, descriptor("probes.json", sha256_of(files["probes.json"]))]
        )
        parameters = statements["provenance"]["predicate"]["buildDefinition"]["externalParameters"]
    except (KeyError, ValueError, TypeError, EnvelopeError, ConfigError) as error:
        raise _Broken("evidence.statement", str(error)) from error
    if statements["test-result"] != expected:
        raise _Broken("evidence.statement", "the test-result statement does not say what probes.json and the manifest say")
    kinds = [(document["_type"], document["predicateType"]) for document in statements.values()]
    if kinds != [(STATEMENT, TEST_RESULT), (STATEMENT, PROVENANCE)] or parameters != {
        "planDigest": manifest["plan_digest"],
        "region": manifest["region"],
    }:
        raise _Broken("evidence.statement", "the provenance statement is about another plan or region")
    return verdicts


def _age(result: BundleResult, plan_digest: str | None, not_before: datetime | None, now: datetime) -> None:
    if plan_digest is not None and plan_digest != result.plan_digest:
        result.findings.append(Finding("evidence.plan", Verdict.FAIL, f"evidence of plan {result.plan_digest}, not of {plan_digest}"))
    collected = datetime.strptime(result.collected, STAMP).replace(tzinfo=UTC)
    if not_before is not None and collected < not_before.astimezone(UTC).replace(microsecond=0):
        result.findings.append(
            Finding("evidence.age", Verdict.FAIL, f"collected {result.collected}, before {not_before.astimezone(UTC).strftime(STAMP)}")
        )
    if (collected - now).total_seconds() > 300:
        result.findings.append(
            Finding("evidence.age", Verdict.INVALID, f"collected {result.collected}, which lies in the future: a clock is wrong")
        )


def _audit(files: dict[str, bytes], result: BundleResult) -> None:
    """A tree head that the bundle's own ledger key did not sign would send the reader to a ledger that does not exist."""
    if "audit/checkpoint" not in files or "audit/key.pub" not in files:
        return
    try:
        key = VerifierKey.parse(files["audit/key.pub"].decode())
        result.audit_size = Checkpoint.open(files["audit/checkpoint"], key).size
    except (NoteError, ConfigError, UnicodeDecodeError) as error:
        result.findings.append(Finding("evidence.audit", Verdict.FAIL, f"audit/checkpoint: {error}"))
