#!/usr/bin/env python3
"""Verify an evidence bundle with this one file: Python 3.9 or newer, nothing installed, no network, none of the product's code.

    python3 verify_evidence.py BUNDLE --key evidence.pub [--region NAME] [--plan-digest sha256:...] [--not-before TIME] [--max-age DAYS]

Written from the formats (USTAR, DSSE, in-toto test-result v0.1, C2SP signed-note, RFC 8032), so that an auditor has a second opinion that
shares no line with the one that made the bundle. A time stamp (--tsa-ca) is checked with the machine's own openssl.
Exit codes: 0 PASS, 1 FAIL, 2 usage, 3 INVALID, NOT_PROVEN or NOT_RUN.
"""

# ruff: noqa: UP017, PTH123, DTZ007 - it runs on Python 3.9, whose datetime has no UTC, and needs no pathlib
from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from datetime import datetime, timezone
from typing import Any

Point = tuple[int, int, int, int]
Key = tuple[str, bytes]

LATTICE = ("FAIL", "INVALID", "NOT_PROVEN", "NOT_RUN", "PASS")
MANIFEST, TIMESTAMP = "manifest.dsse.json", "timestamp/manifest.tsr"
MANIFEST_TYPE = "application/vnd.curtilage.evidence-manifest+json"
IN_TOTO = "application/vnd.in-toto+json"
STATEMENTS = {
    "test-result": "https://in-toto.io/attestation/test-result/v0.1",
    "provenance": "https://slsa.dev/provenance/v1",
}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*){0,4}")
SKEW_SECONDS, MAX_BYTES = 300, 256 * 1024 * 1024

# Ed25519 (RFC 8032, 5.1): the field, the curve, and verification without shortcuts.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_MINUS_1 = pow(2, (P - 1) // 4, P)


class Broken(Exception):
    """The bundle cannot be believed; the reason says why."""


def add(one: Point, two: Point) -> Point:
    a, b = (one[1] - one[0]) * (two[1] - two[0]) % P, (one[1] + one[0]) * (two[1] + two[0]) % P
    c, d = 2 * one[3] * two[3] * D % P, 2 * one[2] * two[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(scalar: int, point: Point) -> Point:
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point, scalar = add(point, point), scalar >> 1
    return result


def equal(one: Point, two: Point) -> bool:
    return (one[0] * two[2] - two[0] * one[2]) % P == 0 and (one[1] * two[2] - two[1] * one[2]) % P == 0


def point(data: bytes) -> Point | None:
    y, sign = int.from_bytes(data, "little") & ((1 << 255) - 1), data[31] >> 7
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * SQRT_MINUS_1 % P
    if (x * x - x2) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little")) or (0, 1, 1, 0)


def signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether ``signature`` is ``public``'s over ``message``."""
    if len(public) != 32 or len(signature) != 64:
        return False
    key, commitment, scalar = point(public), point(signature[:32]), int.from_bytes(signature[32:], "little")
    if key is None or commitment is None or scalar >= L:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    return equal(multiply(scalar, BASE), add(commitment, multiply(challenge, key)))


def parse_key(text: str) -> Key:
    """``name+id+base64`` of a signed-note verifier key: (name, raw public key)."""
    parts = text.strip().split("+", 2)
    try:
        blob = base64.b64decode(parts[2], validate=True)
    except (IndexError, ValueError):
        raise Broken("not a verifier key: " + text.strip()[:80]) from None
    identifier = hashlib.sha256(parts[0].encode() + b"\n" + blob).digest()[:4].hex()
    if len(blob) != 33 or blob[0] != 1 or identifier != parts[1]:
        raise Broken("a damaged verifier key: " + text.strip()[:80])
    return parts[0], blob[1:]


def strict64(text: str) -> bytes:
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise Broken("base64 that is not canonical")
    return data


def canonical(document: Any) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON objects with a key given twice could be read in two ways."""
    document = dict(pairs)
    if len(document) != len(pairs):
        raise Broken("a JSON object with a key given twice")
    return document


def load(data: bytes) -> Any:
    return json.loads(data.decode("utf-8"), object_pairs_hook=once)


def unseal(data: bytes, kind: str, public: bytes) -> Any:
    """The payload of a DSSE envelope of one kind, signed once, by this key."""
    envelope = load(data)
    if set(envelope) != {"payload", "payloadType", "signatures"} or envelope["payloadType"] != kind or canonical(envelope) != data:
        raise Broken("not a canonical envelope of " + kind)
    (signature,) = envelope["signatures"]
    payload = strict64(envelope["payload"])
    if signature.get("keyid") != "sha256:" + hashlib.sha256(public).hexdigest():
        raise Broken("signed by another key, " + str(signature.get("keyid")))
    signed_bytes = b"DSSEv1 %d %b %d %b" % (len(kind), kind.encode(), len(payload), payload)
    if not signed(public, signed_bytes, strict64(signature["sig"])):
        raise Broken("the signature is wrong")
    return load(payload)


def unpack(data: bytes) -> dict[str, bytes]:
    """The files of a canonical archive: any other would have room for things nobody signed."""
    if len(data) > MAX_BYTES:
        raise Broken(f"larger than {MAX_BYTES} bytes")
    files: dict[str, bytes] = {}
    buffer = io.BytesIO()
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for member in archive:
                if not member.isreg() or member.name in files or not NAME.fullmatch(member.name):
                    raise Broken(f"{member.name!r} is a duplicate, not a plain file, or badly named")
                content = archive.extractfile(member)
                files[member.name] = content.read() if content else b""
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for name in sorted(files):
                header = tarfile.TarInfo(name)
                header.size, header.mode, header.mtime = len(files[name]), 0o644, 0
                archive.addfile(header, io.BytesIO(files[name]))
    except (tarfile.TarError, OSError, ValueError, OverflowError, EOFError) as error:
        raise Broken(f"not an archive: {error}") from None
    if buffer.getvalue() != data:
        raise Broken("its bytes are not the canonical form of its files")
    return files


def moment(text: str) -> datetime:
    when = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return when if when.tzinfo else when.replace(tzinfo=timezone.utc)


def checkpoint(files: dict[str, bytes]) -> int:
    """Size of the ledger head, if its own key signed it."""
    note = files["audit/checkpoint"].decode("utf-8")
    name, public = parse_key(files["audit/key.pub"].decode("utf-8"))
    head, blank, tail = note.rpartition("\n\n")
    if not blank or not tail.endswith("\n"):
        raise Broken("audit/checkpoint has no signature block")
    text, good = head + "\n", False
    for line in tail[:-1].split("\n"):
        dash, signer, encoded = line.split(" ")
        blob = strict64(encoded)
        if dash != "\u2014":
            raise Broken("audit/checkpoint has a malformed signature line")
        if signer == name and blob[:4] == hashlib.sha256(name.encode() + b"\n\x01" + public).digest()[:4]:
            if not signed(public, text.encode(), blob[4:]):
                raise Broken("audit/checkpoint: the signature is wrong")
            good = True
    if not good:
        raise Broken("audit/checkpoint is not signed by audit/key.pub")
    lines = text.split("\n")
    if len(lines) != 4 or not re.fullmatch(r"0|[1-9][0-9]{0,18}", lines[1]) or len(strict64(lines[2])) != 32:
        raise Broken("audit/checkpoint is not a tree head")
    return int(lines[1])


def descriptor(name: str, data: bytes) -> dict[str, Any]:
    return {"digest": {"sha256": hashlib.sha256(data).hexdigest()}, "name": name}


def check_form(manifest: Any) -> None:
    """Nothing of a manifest is used before it has its form: its key may be anybody's."""
    texts = ("collected", "key", "plan_digest", "region", "schema")
    tables = ("files", "images", "models", "tools")
    if not isinstance(manifest, dict) or set(manifest) != {*texts, *tables, "required"}:
        raise Broken("the manifest has other fields than it should")
    if not all(isinstance(manifest[name], str) for name in texts) or not all(isinstance(manifest[name], dict) for name in tables):
        raise Broken("the manifest's fields have other types than they should")
    if not all(isinstance(value, str) for value in manifest["tools"].values()):
        raise Broken("the manifest's tools have no versions")
    digests = [manifest["plan_digest"], *manifest["images"].values(), *manifest["models"].values()]
    if not all(isinstance(value, str) and re.fullmatch(r"sha256:[0-9a-f]{64}", value) for value in digests):
        raise Broken("the manifest holds something that is no digest")
    if not isinstance(manifest["required"], list) or not all(isinstance(name, str) for name in manifest["required"]):
        raise Broken("the manifest's required tests are no list of names")
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", manifest["collected"]):
        raise Broken("the manifest's time is no time")
    datetime.strptime(manifest["collected"], "%Y-%m-%dT%H:%M:%SZ")


def about(files: dict[str, bytes], manifest: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """What the test-result statement has to say, from the files themselves: subject and configuration."""

    def listed(kind: str) -> list[Any]:
        return [
            {"digest": {"sha256": value.split(":", 1)[1]}, "name": kind[:-1] + "/" + name} for name, value in sorted(manifest[kind].items())
        ]

    subject = [{"digest": {"sha256": manifest["plan_digest"].split(":", 1)[1]}, "name": "plan"}]
    subject += [descriptor(name, files[name]) for name in sorted(files) if name.startswith("rulesets/")]
    matrix = descriptor("required-tests", canonical(manifest["required"]))
    return subject + listed("images") + listed("models"), [matrix, descriptor("probes.json", files["probes.json"])]


def read(data: bytes, pinned: Key | None) -> tuple[dict[str, bytes], dict[str, Any], dict[str, str], str]:
    """Everything that must hold before a single result is worth reading: (files, manifest, verdicts by id, key's fingerprint)."""
    files = unpack(data)
    if MANIFEST not in files:
        raise Broken("there is no " + MANIFEST)
    claimed = parse_key(load(base64.b64decode(load(files[MANIFEST])["payload"]))["key"])
    name, public = pinned or claimed
    manifest = unseal(files[MANIFEST], MANIFEST_TYPE, public)
    check_form(manifest)
    if (name, public) != claimed:
        raise Broken("the manifest names another key than the pinned one")
    if manifest["schema"] != "curtilage.evidence/v1":
        raise Broken("not a manifest of curtilage.evidence/v1")
    listed, present = set(manifest["files"]), set(files) - {MANIFEST, TIMESTAMP}
    if listed != present:
        raise Broken("missing or added: " + ", ".join(sorted(listed ^ present)))
    for entry, told in sorted(manifest["files"].items()):
        if told != {"sha256": hashlib.sha256(files[entry]).hexdigest(), "size": len(files[entry])}:
            raise Broken("changed: " + entry)
    statements = {key: unseal(files[f"attestations/{key}.dsse.json"], IN_TOTO, public) for key in STATEMENTS}
    for key, kind in STATEMENTS.items():
        if (statements[key]["_type"], statements[key]["predicateType"]) != ("https://in-toto.io/Statement/v1", kind):
            raise Broken(f"attestations/{key} is another statement")
    verdicts: dict[str, str] = {}
    for cell in load(files["probes.json"]):
        if cell["id"] in verdicts or cell["verdict"] not in LATTICE:
            raise Broken(f"a result twice, or without a verdict: {cell['id']}")
        verdicts[cell["id"]] = cell["verdict"]
    told = statements["test-result"]["predicate"]
    groups = {"PASS": "passedTests", "FAIL": "failedTests"}
    expected: dict[str, list[str]] = {"passedTests": [], "failedTests": [], "warnedTests": []}
    for key in sorted(verdicts):
        expected[groups.get(verdicts[key], "warnedTests")].append(key)
    overall = "FAILED" if expected["failedTests"] else "WARNED" if expected["warnedTests"] or not expected["passedTests"] else "PASSED"
    subject, configuration = about(files, manifest)
    if (
        any(told[key] != expected[key] for key in expected)
        or told["result"] != overall
        or told["configuration"] != configuration
        or statements["test-result"]["subject"] != subject
    ):
        raise Broken("the test-result statement does not say what the results say")
    parameters = statements["provenance"]["predicate"]["buildDefinition"]["externalParameters"]
    if parameters != {"planDigest": manifest["plan_digest"], "region": manifest["region"]}:
        raise Broken("the provenance statement is about another plan or region")
    return files, manifest, verdicts, "sha256:" + hashlib.sha256(public).hexdigest()


def stamped(files: dict[str, bytes], ca: str) -> datetime:
    """The time of an RFC 3161 token over the manifest, under the given certificates."""
    with tempfile.NamedTemporaryFile() as token, tempfile.NamedTemporaryFile() as data:
        token.write(files[TIMESTAMP])
        data.write(files[MANIFEST])
        token.flush()
        data.flush()
        for arguments in (["-verify", "-data", data.name, "-CAfile", ca], ["-reply", "-text"]):
            done = subprocess.run(["openssl", "ts", *arguments, "-in", token.name], capture_output=True, check=False)
            if done.returncode:
                raise Broken("the time stamp: " + done.stderr.decode(errors="replace").strip().split("\n")[-1])
    found = re.search(r"^Time stamp: (.+)$", done.stdout.decode(errors="replace"), re.MULTILINE)
    if not found:
        raise Broken("the time stamp tells no time")
    when = datetime.strptime(re.sub(r"\.\d+", "", found[1].strip()), "%b %d %H:%M:%S %Y GMT")
    return when.replace(tzinfo=timezone.utc)


def judge(options: argparse.Namespace, now: datetime) -> tuple[list[tuple[str, str, str]], dict[str, Any]]:
    """(findings, facts): findings are (verdict, id, reason)."""
    findings: list[tuple[str, str, str]] = []
    pinned: Key | None = None
    if options.key:
        with open(options.key, encoding="utf-8") as stream:
            pinned = parse_key(stream.read())
    with open(options.bundle, "rb") as stream:
        data = stream.read(MAX_BYTES + 1)
    try:
        files, manifest, verdicts, fingerprint = read(data, pinned)
        size = checkpoint(files) if "audit/checkpoint" in files and "audit/key.pub" in files else None
    except (Broken, KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        return [("FAIL", "evidence.bundle", str(error) or type(error).__name__)], {}
    collected = datetime.strptime(manifest["collected"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    if pinned is None:
        findings.append(("NOT_PROVEN", "evidence.key", "no key was pinned; the bundle says " + fingerprint))
    wanted = set(manifest["required"])
    if not wanted:
        findings.append(("NOT_RUN", "evidence.required", "the bundle requires no test at all"))
    findings += [("NOT_RUN", key, "required, but there is no result") for key in sorted(wanted - set(verdicts))]
    findings += [(verdict, key, "result") for key, verdict in sorted(verdicts.items()) if verdict != "PASS"]
    if options.region and options.region != manifest["region"]:
        findings.append(("FAIL", "evidence.region", "evidence of region " + manifest["region"]))
    if options.plan_digest and options.plan_digest != manifest["plan_digest"]:
        findings.append(("FAIL", "evidence.plan", "evidence of plan " + manifest["plan_digest"]))
    if options.not_before and collected < moment(options.not_before).replace(microsecond=0):
        findings.append(("FAIL", "evidence.age", "collected " + manifest["collected"]))
    if options.max_age is not None and (now - collected).total_seconds() > options.max_age * 86400:
        findings.append(("FAIL", "evidence.age", f"collected {manifest['collected']}, too long ago"))
    if (collected - now).total_seconds() > SKEW_SECONDS:
        findings.append(("INVALID", "evidence.age", "collected in the future: a clock is wrong"))
    if options.tsa_ca:
        try:
            when = stamped(files, options.tsa_ca)
            if (collected - when).total_seconds() > SKEW_SECONDS:
                findings.append(("INVALID", "evidence.timestamp", "stamped before it was collected: a clock is wrong"))
        except KeyError:
            findings.append(("NOT_RUN", "evidence.timestamp", "the bundle has no time stamp"))
        except (Broken, OSError, ValueError) as error:
            findings.append(("FAIL", "evidence.timestamp", str(error)))
    return findings, {
        "region": manifest["region"], "plan": manifest["plan_digest"], "collected": manifest["collected"], "key": fingerprint,
        "required tests": len(wanted), "results": len(verdicts), "ledger head": size,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description="Verify an evidence bundle offline, with this file alone.")
    parser.add_argument("bundle")
    parser.add_argument("--key", help="the .pub file it must be signed with, obtained from elsewhere")
    parser.add_argument("--region", help="fail unless it is evidence of this region")
    parser.add_argument("--plan-digest", help="fail unless it is evidence of this plan")
    parser.add_argument("--not-before", help="fail if the run ended before this time (ISO 8601)")
    parser.add_argument("--max-age", type=float, help="fail if the run is older than this many days")
    parser.add_argument("--tsa-ca", help="certificates a time stamp must lead to; given, there must be one")
    options = parser.parse_args()
    try:
        findings, facts = judge(options, datetime.now(timezone.utc))
    except (OSError, Broken, ValueError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    for verdict, identifier, reason in findings:
        sys.stdout.write(f"{verdict} {identifier}: {reason}\n")
    overall = min((finding[0] for finding in findings), key=LATTICE.index, default="PASS")
    sys.stdout.write(f"{overall} {options.bundle}\n")
    for name, value in facts.items():
        sys.stdout.write(f"  {name}: {value}\n")
    return {"PASS": 0, "FAIL": 1}.get(overall, 3)


if __name__ == "__main__":
    sys.exit(main())
