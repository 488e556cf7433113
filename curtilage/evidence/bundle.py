"""The signed bundle: one file that says what was deployed, what was tried against it, and what came of it.

Files in it::

    manifest.dsse.json         signed: region, plan, times, tools, required ids, and the digest of every other file
    attestations/*.dsse.json   in-toto statements: test-result v0.1, SLSA provenance v1
    rulesets/<host>.nft        the very text each host enforces
    probes.json                every cell with its observations
    audit/checkpoint           the ledger's signed tree head, and audit/key.pub to read it with
    documents/<name>           what is generated of the run: coverage, OSCAL, bill of materials, papers, picture
    extra/<name>               what the caller adds
    timestamp/manifest.tsr     optional: an RFC 3161 token over manifest.dsse.json, added after signing, so not listed in it

``required`` names the tests that must be there and pass. It comes from the region's plan, never from the results, so a test that
was removed or did not run is noticed as missing.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import cryptography
import orjson

from curtilage import __version__
from curtilage.audit.note import Signer
from curtilage.audit.tiles import write_durably
from curtilage.canonical import canonical_json
from curtilage.errors import ConfigError
from curtilage.evidence.archive import pack
from curtilage.evidence.dsse import IN_TOTO, seal
from curtilage.evidence.statements import descriptor, digest_set, provenance, test_result
from curtilage.paths import out_dir
from curtilage.verdict import Verdict

SCHEMA = "curtilage.evidence/v1"
MANIFEST = "manifest.dsse.json"
TIMESTAMP = "timestamp/manifest.tsr"
MANIFEST_TYPE = "application/vnd.curtilage.evidence-manifest+json"
STAMP = "%Y-%m-%dT%H:%M:%SZ"
_REGION = re.compile(r"[a-z][a-z0-9-]{0,62}")


def sha256_of(content: bytes) -> str:
    """``sha256:<hex>``."""
    return "sha256:" + sha256(content).hexdigest()


def read_verdicts(cells: Sequence[Mapping[str, Any]]) -> dict[str, Verdict]:
    """Cell id → verdict; an id told twice has no verdict that could be trusted, so it is an error."""
    verdicts: dict[str, Verdict] = {}
    for cell in cells:
        try:
            identifier, verdict = cell["id"], Verdict(cell["verdict"])
        except (KeyError, ValueError, TypeError) as error:
            raise ConfigError(
                f"probe result {dict(cell)!r:.200}",
                rule="a result has an id and a verdict of the lattice",
                fix="pass the probes' own output",
            ) from error
        if not isinstance(identifier, str) or not identifier or identifier in verdicts:
            raise ConfigError(
                f"probe result {identifier!r} occurs twice or has no id",
                rule="one result per test id",
                fix="pass one run, not several joined",
            )
        verdicts[identifier] = verdict
    return verdicts


def build_bundle(
    region: str,
    *,
    plan_digest: str,
    rulesets: Mapping[str, str],
    images: Mapping[str, str],
    models: Mapping[str, str],
    probe_results: Sequence[Mapping[str, Any]],
    required: Sequence[str],
    key: Signer,
    audit_checkpoint: bytes | None = None,
    audit_key: str | None = None,
    extra: Mapping[str, bytes] | None = None,
    documents: Mapping[str, bytes] | None = None,
    tools: Mapping[str, str] | None = None,
    collected: datetime | None = None,
    out: Path | None = None,
) -> Path:
    """Write the bundle of a run; the same input gives the same bytes.

    Args:
        region: its name.
        plan_digest: ``sha256:…`` of the plan that was applied.
        rulesets: host → nftables text as loaded.
        images: image name → digest.
        models: model name → manifest digest.
        probe_results: one JSON object per cell, with at least ``id`` and ``verdict``.
        required: ids that must be there and PASS; from the plan, not from the results.
        key: the evidence signer.
        audit_checkpoint: the ledger's signed tree head.
        audit_key: the ledger's verifier key line.
        extra: further files, stored under ``extra/``.
        documents: generated documents, by their whole name in the bundle.
        tools: name → version of what was used.
        collected: when the run ended; now unless told.
        out: the file to write; ``out/<region>/evidence/…`` unless told.

    Returns:
        The bundle's path.
    """
    if not _REGION.fullmatch(region):
        raise ConfigError(f"region {region!r}", rule="lower case letters, digits and hyphens", fix="pass the region's name")
    digest_set(plan_digest)
    when = (collected or datetime.now(UTC)).astimezone(UTC).strftime(STAMP)
    verdicts = read_verdicts(probe_results)
    probes = canonical_json(sorted((dict(cell) for cell in probe_results), key=lambda cell: str(cell["id"])))
    files = {f"rulesets/{host}.nft": text.encode() for host, text in rulesets.items()}
    files["probes.json"] = probes
    if audit_checkpoint is not None:
        files["audit/checkpoint"] = audit_checkpoint
        if audit_key:
            files["audit/key.pub"] = audit_key.strip().encode() + b"\n"
    files |= {f"extra/{name}": content for name, content in (extra or {}).items()} | dict(documents or {})

    plan = descriptor("plan", plan_digest)
    enforced = [descriptor(name, sha256_of(content)) for name, content in sorted(files.items()) if name.startswith("rulesets/")]
    dependencies = [
        descriptor(f"{kind}/{name}", digest)
        for kind, things in (("image", images), ("model", models))
        for name, digest in sorted(things.items())
    ]
    matrix = descriptor("required-tests", sha256_of(canonical_json(sorted(set(required)))))
    observations = descriptor("probes.json", sha256_of(probes))
    statements = {
        "test-result": test_result([plan, *enforced, *dependencies], verdicts, [matrix, observations]),
        "provenance": provenance(
            [*enforced, plan], region=region, plan_digest=plan_digest, dependencies=dependencies, collected=when, version=__version__
        ),
    }
    for name, document in statements.items():
        files[f"attestations/{name}.dsse.json"] = seal(IN_TOTO, canonical_json(document), key)
    manifest = {
        "collected": when,
        "files": {name: {"sha256": sha256(content).hexdigest(), "size": len(content)} for name, content in files.items()},
        "images": dict(images),
        "key": str(key.verifier),
        "models": dict(models),
        "plan_digest": plan_digest,
        "region": region,
        "required": sorted(set(required)),
        "schema": SCHEMA,
        "tools": {
            "cryptography": cryptography.__version__,
            "curtilage": __version__,
            "orjson": orjson.__version__,
            "python": platform.python_version(),
        }
        | dict(tools or {}),
    }
    files[MANIFEST] = seal(MANIFEST_TYPE, canonical_json(manifest), key)
    data = pack(files)
    path = out or out_dir() / region / "evidence" / f"{when.replace(':', '')}-{sha256(data).hexdigest()[:12]}.tar"
    write_durably(path, data)
    return path
