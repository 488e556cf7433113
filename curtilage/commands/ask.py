"""The interception, shown: the vendors' own SDKs on the CRM's application server, answered by the local model."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from curtilage.commands.reach import Reach
from curtilage.paths import state_dir
from curtilage.region import Region
from curtilage.vendors import dialect_of

LEDGER = "/var/lib/curtilage/ledger"
MATTERS = "/var/lib/curtilage/gateway/matters.db"
HOST_PYTHON = ["env", "PYTHONPATH=/opt/curtilage", "/usr/bin/python3", "-m", "curtilage"]


def first_matter(region: Region) -> str:
    """The matter that a region's first identity works on until the CRM's own matters are imported."""
    return f"{region.name}-matter-1"


def crm_key(region: Region, where: Reach) -> str:
    """The key of the CRM's service identity, issued on the gateway when it has none; kept 0600 in the state directory.

    A key is shown once, by the gateway that issued it. If our copy is gone or the gateway was made anew, a fresh one is issued.
    """
    gateway = region.hosts_by_role("gateway")[0].name
    identity = region.hosts_by_role("crm")[0].name
    kept = _key_file(region, identity)
    as_gateway = ["runuser", "-u", "curtilage-gateway", "--", *HOST_PYTHON, "gateway"]
    order = ["provision", "--db", MATTERS, "--identity", identity, "--matter", first_matter(region), "--jurisdiction", region.jurisdiction]
    made = json.loads(where.run(gateway, [*as_gateway, *order], step="issue a key"))["key"]
    if made is None and not kept.is_file():
        made = json.loads(where.run(gateway, [*as_gateway, "keys", "issue", identity, "--db", MATTERS], step="issue a key"))["key"]
    if made is not None:
        kept.touch(mode=0o600)
        kept.write_text(made)
    return kept.read_text()


def _key_file(region: Region, identity: str) -> Path:
    directory = state_dir() / "keys"
    directory.mkdir(mode=0o700, exist_ok=True)
    return directory / f"{region.name}-{identity}.gateway-key"


def ask(region: Region, where: Reach) -> list[dict[str, Any]]:
    """Every call of :mod:`curtilage.probes.sdk_client`, made on the CRM's application server."""
    host = region.hosts_by_role("crm")[0].name
    order = json.dumps({"key": crm_key(region, where), "model_openai": "gpt-4o", "model_anthropic": "claude-sonnet-4-5"})
    source = files("curtilage.probes").joinpath("sdk_client.py").read_text()
    environment = ["PYTHONPATH=/opt/crm", "SSL_CERT_FILE=/etc/curtilage/ca.pem"]
    answer = where.run(host, ["env", *environment, "/usr/bin/python3", "-c", source, order], step="ask", timeout_seconds=180)
    calls: list[dict[str, Any]] = json.loads(answer)["calls"]
    return calls


def ask_generation(region: Region, where: Reach, tree: str) -> dict[str, Any]:
    """Every call of :mod:`curtilage.probes.sdk_calls`, made on the CRM's application server by the SDKs in a tree under ``/opt``."""
    gateway, host = region.hosts_by_role("gateway")[0].name, region.hosts_by_role("crm")[0].name
    issue = ["runuser", "-u", "curtilage-gateway", "--", *HOST_PYTHON, "gateway", "keys", "issue", host, "--db", MATTERS, "--aws"]
    pair = json.loads(where.run(gateway, issue, step="issue a pair that signs"))
    named = {dialect_of(name): name for name in sorted(region.gateway.intercept)}
    order = {
        "key": crm_key(region, where),
        "access_key_id": pair["aws_access_key_id"],
        "secret_access_key": pair["aws_secret_access_key"],
        "azure": named["azure"],
        "foundry": named["foundry"],
    }
    source = files("curtilage.probes").joinpath("sdk_calls.py").read_text()
    ca = "/etc/curtilage/ca.pem"
    environment = [f"PYTHONPATH=/opt/{tree}", f"SSL_CERT_FILE={ca}", f"AWS_CA_BUNDLE={ca}"]
    command = ["env", *environment, "/usr/bin/python3", "-W", "ignore", "-c", source, json.dumps(order)]
    found: dict[str, Any] = json.loads(where.run(host, command, step=f"ask with {tree}", timeout_seconds=300))
    return found


def ledger_state(region: Region, where: Reach) -> dict[str, Any]:
    """What the independent verifier says of the gateway's ledger, its signed checkpoint and the key to check it with."""
    gateway = region.hosts_by_role("gateway")[0].name
    verified = where.run(
        gateway, [*HOST_PYTHON, "audit", "verify", LEDGER, "--key", "/etc/curtilage/ledger.pub", "--json"], step="verify the ledger"
    )
    checkpoint = where.run(gateway, ["cat", f"{LEDGER}/checkpoint"], step="read the checkpoint")
    key = where.run(gateway, ["cat", "/etc/curtilage/ledger.pub"], step="read the ledger's key")
    return {"verified": json.loads(verified), "checkpoint": checkpoint, "key": key.strip()}


def ledger_rows(region: Region, where: Reach, since: datetime) -> list[dict[str, Any]]:
    """What the first gateway's ledger, verified, has on record since then: one row a call."""
    gateway = region.hosts_by_role("gateway")[0].name
    order = ["audit", "query", LEDGER, "--key", "/etc/curtilage/ledger.pub", "--from", since.isoformat(), "--json"]
    rows: list[dict[str, Any]] = json.loads(where.run(gateway, [*HOST_PYTHON, *order], step="query the ledger"))["rows"]
    return rows


def ledger_entries(region: Region, where: Reach, calls: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """One allowed, one redacted and one refused call of those that were made, each as the gateway's ledger has it.

    Args:
        region: whose gateway is asked.
        where: how to get there.
        calls: from :func:`ask`.
    """
    known = {call["entry"]: call for call in calls if call.get("entry")}
    since = datetime.fromtimestamp(min((call["began"] for call in calls), default=0) - 300, UTC)
    found: dict[str, dict[str, Any]] = {}
    for row in ledger_rows(region, where, since):
        kind = "refused" if row["kind"] == "refused" else "redacted" if row.get("removed") else "allowed"
        ended = row.get("result") in ("completed", "refused")
        if row["call"] in known and ended:
            found.setdefault(kind, {**row, "asked": f"{known[row['call']]['sdk']} {known[row['call']]['call']}"})
    return found
