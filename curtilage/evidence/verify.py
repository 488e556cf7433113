"""The bundle's offline verifier: needs one file, the key it should be signed with, and no network."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from curtilage.audit.note import Checkpoint, NoteError, VerifierKey
from curtilage.canonical import canonical_json
from curtilage.errors import ConfigError
from curtilage.evidence.archive import MAX_BYTES, ArchiveError, unpack
from curtilage.evidence.bundle import MANIFEST, MANIFEST_TYPE, SCHEMA, STAMP, TIMESTAMP, read_verdicts, sha256_of
from curtilage.evidence.consistency import contradictions
from curtilage.evidence.dsse import IN_TOTO, EnvelopeError, unseal
from curtilage.evidence.statements import PROVENANCE, STATEMENT, TEST_RESULT, descriptor, test_result
from curtilage.evidence.timestamp import SKEW_SECONDS, TimestampError, stamped_at
from curtilage.verdict import Verdict, worst

DIGEST = r"^sha256:[0-9a-f]{64}$"


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
    timestamp: str | None = None
    probes_digest: str = ""
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
            "timestamp": self.timestamp,
            "tools": self.tools,
            "verdict": self.verdict,
        }


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0)]


class _Manifest(BaseModel):
    """The form of a manifest. Its key may be anybody's, so nothing in it is used before it has this form."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    collected: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$")]
    files: dict[str, _File]
    images: dict[str, Annotated[str, Field(pattern=DIGEST)]]
    key: str
    models: dict[str, Annotated[str, Field(pattern=DIGEST)]]
    plan_digest: Annotated[str, Field(pattern=DIGEST)]
    region: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
    required: list[str]
    schema_: Annotated[str, Field(alias="schema")]
    tools: dict[str, str]


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
    region: str | None = None,
    newer_than: Path | None = None,
    max_age_days: float | None = None,
    tsa_ca: Path | None = None,
) -> BundleResult:
    """Verify a bundle.

    Args:
        path: the bundle.
        key: the key it must be signed with, obtained elsewhere. Without it the bundle can at best be NOT_PROVEN.
        plan_digest: the plan it must be about.
        not_before: the run must have ended at this time or later.
        required: ids that must be there and PASS, beside those the bundle itself requires.
        now: the time at which a later run would lie in the future; now unless told.
        region: the region it must be about.
        newer_than: a bundle of the region that is known already; this one must be of a later run, with results of its own.
        max_age_days: how old the run may be.
        tsa_ca: certificates a time stamp must lead to; given, there must be one.
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
    now = now or datetime.now(UTC)
    result.probes_digest = sha256_of(files["probes.json"])
    _about(result, plan_digest, region)
    _age(result, not_before, max_age_days, now)
    _timestamp(files, result, tsa_ca)
    _audit(files, result)
    if newer_than is not None:
        _newer(result, verify_bundle(newer_than, key=key, now=now), newer_than)
    result.findings += [Finding("evidence.documents", Verdict.FAIL, reason) for reason in contradictions(files, manifest)]
    return result


def _manifest(files: dict[str, bytes], key: VerifierKey | None, result: BundleResult) -> dict[str, Any]:
    try:
        envelope = orjson.loads(files[MANIFEST])
        claimed = VerifierKey.parse(orjson.loads(_payload(envelope))["key"])
        result.fingerprint, result.pinned = (key or claimed).fingerprint, key is not None
        manifest = orjson.loads(unseal(envelope, MANIFEST_TYPE, key or claimed))
    except (KeyError, ValueError, TypeError, AttributeError, EnvelopeError, ConfigError) as error:
        reason = f"there is no {error}" if isinstance(error, KeyError) else str(error)
        raise _Broken("evidence.signature", f"{MANIFEST}: {reason}") from error
    if key is not None and (not isinstance(manifest, dict) or str(key) != manifest.get("key")):
        raise _Broken("evidence.signature", "the manifest names another key than the one it is signed with")
    try:
        formed = _Manifest.model_validate(manifest)
        datetime.strptime(formed.collected, STAMP)  # noqa: DTZ007 - only whether it is a time
    except ValidationError as error:
        place, said = ".".join(map(str, error.errors()[0]["loc"])), error.errors()[0]["msg"]
        raise _Broken("evidence.schema", f"the manifest's {place}: {said}") from error
    except ValueError as error:
        raise _Broken("evidence.schema", f"the manifest's time: {error}") from error
    if formed.schema_ != SCHEMA or canonical_json(envelope) != files[MANIFEST]:
        raise _Broken("evidence.schema", f"not a canonical manifest of {SCHEMA}")
    result.region, result.plan_digest, result.collected = manifest["region"], manifest["plan_digest"], manifest["collected"]
    result.tools = manifest["tools"]
    return dict(manifest)


def _payload(envelope: Any) -> bytes:
    return base64.b64decode(envelope["payload"], validate=True)


def _files(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
    listed, present = set(manifest["files"]), set(files) - {MANIFEST, TIMESTAMP}
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
    except (KeyError, ValueError, TypeError, AttributeError, EnvelopeError, ConfigError) as error:
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


def _about(result: BundleResult, plan_digest: str | None, region: str | None) -> None:
    if plan_digest is not None and plan_digest != result.plan_digest:
        result.findings.append(Finding("evidence.plan", Verdict.FAIL, f"evidence of plan {result.plan_digest}, not of {plan_digest}"))
    if region is not None and region != result.region:
        result.findings.append(Finding("evidence.region", Verdict.FAIL, f"evidence of region {result.region}, not of {region}"))


def _age(result: BundleResult, not_before: datetime | None, max_age_days: float | None, now: datetime) -> None:
    collected = datetime.strptime(result.collected, STAMP).replace(tzinfo=UTC)
    if not_before is not None and collected < not_before.astimezone(UTC).replace(microsecond=0):
        result.findings.append(
            Finding("evidence.age", Verdict.FAIL, f"collected {result.collected}, before {not_before.astimezone(UTC).strftime(STAMP)}")
        )
    age_days = (now - collected).total_seconds() / 86400
    if max_age_days is not None and age_days > max_age_days:
        result.findings.append(
            Finding("evidence.age", Verdict.FAIL, f"collected {result.collected}, {age_days:.1f} days ago; at most {max_age_days:g}")
        )
    if (collected - now).total_seconds() > SKEW_SECONDS:
        result.findings.append(
            Finding("evidence.age", Verdict.INVALID, f"collected {result.collected}, which lies in the future: a clock is wrong")
        )


def _newer(result: BundleResult, known: BundleResult, path: Path) -> None:
    """Against a bundle that is known: results copied from it, an earlier run, another region, a ledger that became shorter."""
    broken = [finding for finding in known.findings if finding.id.startswith("evidence.") and finding.verdict is Verdict.FAIL]
    reasons = []
    if not known.collected or broken:
        reasons.append(f"{path} is no good bundle itself: {broken[0].reason if broken else 'unreadable'}")
    elif known.region != result.region:
        reasons.append(f"{path} is of region {known.region}")
    elif known.collected >= result.collected:
        reasons.append(f"collected {result.collected}, which is not after {known.collected}")
    if known.probes_digest and known.probes_digest == result.probes_digest:
        reasons.append("its results are byte for byte those of the known bundle: older results passed off as new")
    if (known.audit_size or 0) > (result.audit_size or 0):
        reasons.append(f"its ledger has {result.audit_size or 0} records, the known one {known.audit_size}: cut short or another")
    result.findings += [Finding("evidence.newer", Verdict.FAIL, reason) for reason in reasons]


def _timestamp(files: dict[str, bytes], result: BundleResult, tsa_ca: Path | None) -> None:
    """A time stamp counts only when it leads to certificates that the verifier chose."""
    token = files.get(TIMESTAMP)
    if tsa_ca is None:
        return
    if token is None:
        result.findings.append(Finding("evidence.timestamp", Verdict.NOT_RUN, "a time stamp is wanted, and the bundle has none"))
        return
    try:
        when = stamped_at(token, files[MANIFEST], tsa_ca)
    except TimestampError as error:
        result.findings.append(Finding("evidence.timestamp", Verdict.FAIL, str(error)))
        return
    result.timestamp = when.strftime(STAMP)
    collected = datetime.strptime(result.collected, STAMP).replace(tzinfo=UTC)
    if (collected - when).total_seconds() > SKEW_SECONDS:
        reason = f"collected {result.collected}, but stamped before, at {result.timestamp}: a clock is wrong"
        result.findings.append(Finding("evidence.timestamp", Verdict.INVALID, reason))


def _audit(files: dict[str, bytes], result: BundleResult) -> None:
    """A tree head that the bundle's own ledger key did not sign would send the reader to a ledger that does not exist."""
    if "audit/checkpoint" not in files or "audit/key.pub" not in files:
        return
    try:
        key = VerifierKey.parse(files["audit/key.pub"].decode())
        result.audit_size = Checkpoint.open(files["audit/checkpoint"], key).size
    except (NoteError, ConfigError, UnicodeDecodeError) as error:
        result.findings.append(Finding("evidence.audit", Verdict.FAIL, f"audit/checkpoint: {error}"))
