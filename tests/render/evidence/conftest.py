"""A run of the lab region as `curtilage up` leaves it, without a lab: every cell and host test the region has, all PASS."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from curtilage.audit.note import Checkpoint, Signer
from curtilage.derive.firewall import render_ruleset
from curtilage.evidence.dossier import Asked, Connection, NotRun, Observed, dossier_of
from curtilage.evidence.inputs import BundleInputs
from curtilage.evidence.junit import TestOutcome
from curtilage.evidence.universe import DECISIONS, universe
from curtilage.paths import CHECKOUT
from curtilage.probes.cells import region_cells
from curtilage.region import load_region

LAB = load_region("lab")
PLAN = "sha256:" + "1" * 64
WHEN = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
LEDGER = Signer.generate("gateway.example/ledger")
KEY = Signer.generate("curtilage/evidence")
HOST_TESTS = [result.id for result in universe(LAB, CHECKOUT / "tests") if result.id.startswith("host/")]
OWN_TESTS = [result.id for result in universe(LAB, CHECKOUT / "tests") if result.id.startswith("tests/")]
PROOF = {
    "subject": "gw-1", "verdict": "PASS", "findings": [], "assumptions": ["no service holds CAP_NET_ADMIN"],
    "out_of_scope": ["management controllers"],
}  # fmt: skip

Run = Callable[..., BundleInputs]


def observed(**changes: Any) -> Observed:
    given: dict[str, Any] = {
        "at": WHEN,
        "counters": {host.name: {"output_drop": 31, "forward_drop": 2, "netdev_drop": 5, "input_drop": 0} for host in LAB.hosts},
        "connections": (Connection(host="gw-1", protocol="tcp", source="192.0.2.41", destination="192.0.2.21", port=9100, count=3),),
        "names": (Asked(client="192.0.2.31", answered=("api.openai.com",), counts={"NOERROR": 12, "REFUSED": 4}),),
        "calls": ({"client": "192.0.2.31", "count": 9, "result": "answered", "upstream": "http://192.0.2.11:8000"},),
    }
    return Observed(**(given | changes))


@pytest.fixture
def run() -> Run:
    """Inputs of a run; ``cells``, ``seen``, ``tests``, ``models`` and any field of the inputs can be changed."""

    def make(**changes: Any) -> BundleInputs:
        cells = changes.pop("cells", None)
        if cells is None:
            cells = [
                {"id": cell.id, "host": cell.host, "control": cell.control, "catalogue": cell.catalogue, "verdict": "PASS",
                 "reason": f"timeout; {cell.counter}@{cell.counter_host} +1"}
                for cell in region_cells(LAB)
            ]  # fmt: skip
        tests = changes.pop("tests", [TestOutcome(id=name, verdict="PASS", time=WHEN - timedelta(hours=2)) for name in OWN_TESTS])
        models = {"tiny": {"manifest": {"licence": "Apache-2.0", "architecture": "MistralForCausalLM"}, "card": {"limits": "small"}}}
        dossier = dossier_of(
            LAB,
            proofs=[PROOF],
            observed=changes.pop("seen", observed()),
            tests=tests,
            not_run=[NotRun(what="configuration of gpu-1", reason="no GPU", command="curtilage configure ch-zurich")],
            models=changes.pop("model_documents", models),
            lock=CHECKOUT / "requirements.lock",
            tables={"Controls": "| control | red |\n|---|---|\n| `output` | `nft-output` |\n"},
        )
        single = [{"id": name, "verdict": "PASS"} for name in [*HOST_TESTS, *DECISIONS]]
        given: dict[str, Any] = {
            "region": "lab",
            "plan_digest": PLAN,
            "collected": WHEN,
            "required": [str(cell["id"]) for cell in cells] + [str(item["id"]) for item in single],
            "rulesets": {host.name: render_ruleset(LAB, host) for host in LAB.hosts},
            "images": {"lab-base": "sha256:" + "2" * 64},
            "models": {"tiny": "sha256:" + "3" * 64},
            "probe_results": [*cells, *single],
            "audit_checkpoint": Checkpoint(LEDGER.name, 7, bytes(32)).sign(LEDGER).decode(),
            "audit_key": str(LEDGER.verifier),
            "dossier": dossier,
        }
        return BundleInputs(**(given | changes))

    return make


@pytest.fixture
def signer() -> Signer:
    return KEY
