"""If this fails, a run's bundle lacks what hosts saw, or a host that could not be read passes for a quiet one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from curtilage.audit.note import Signer
from curtilage.commands import dossier
from curtilage.commands.plan import Decision
from curtilage.commands.prepare import Prepared
from curtilage.commands.reach import Reach
from curtilage.commands.up_platform import PlatformOutcome
from curtilage.derive.firewall import render_ruleset
from curtilage.engine import Plan
from curtilage.errors import StepError
from curtilage.evidence.flowmap import flow_map
from curtilage.evidence.verify import verify_bundle
from curtilage.region import load_region
from curtilage.verdict import Verdict

LAB = load_region("lab")
DIGEST = "sha256:" + "a" * 64
COUNTERS = json.dumps({"nftables": [{"counter": {"name": "output_drop", "packets": 7}}]})
TRACKED = (
    "ipv4 2 tcp 6 10 ESTABLISHED src=192.0.2.21 dst=192.0.2.11 sport=40000 dport=8000 src=192.0.2.11 dst=192.0.2.21 sport=8000 dport=40000"
)
REPLY = "unbound[1:0] info: 192.0.2.31 api.openai.com. A IN NOERROR 0.000000 1 48"


class Hosts:
    """Hosts that answer as the lab's do; those named ``dead`` do not."""

    def __init__(self, *, dead: Sequence[str] = (), extra: str = "", rows: Sequence[dict[str, Any]] = ()) -> None:
        self.dead, self.extra, self.rows, self.asked = dead, extra, rows, list[tuple[str, ...]]()

    def run(self, host: str, argv: Sequence[str], *, step: str, timeout_seconds: float = 120) -> str:
        self.asked.append((host, *argv))
        if host in self.dead:
            raise StepError(step, f"{host} did not answer", fix="look")
        if argv[0] == "journalctl":
            return REPLY
        if "query" in argv:
            return json.dumps({"rows": list(self.rows)})
        return f"{COUNTERS}\n--- connection table\n{TRACKED if host == 'gw-1' else ''}\n{self.extra}\n"


def reach(hosts: Hosts) -> Reach:
    return cast(Reach, hosts)


def plan() -> Plan:
    class Planned:
        digest = DIGEST

        def rulesets(self) -> dict[str, str]:
            return {host.name: render_ruleset(LAB, host) for host in LAB.hosts}

    return cast(Plan, Planned())


def collected(hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dossier.Dossier:
    monkeypatch.setenv("CURTILAGE_STATE", str(tmp_path))
    folder = tmp_path / "models" / "tiny" / ("b" * 64)
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"licence": "Apache-2.0"}))
    prepared = Prepared(images={}, models={"tiny": "sha256:" + "b" * 64}, store=tmp_path / "models")
    return dossier.collect(
        LAB, plan=plan(), prepared=prepared, not_run={"gpu-1": ("no GPU",), "gpu-2": ("no GPU",)}, where=reach(hosts),
        since=datetime(2030, 1, 1, tzinfo=UTC),
    )  # fmt: skip


def test_a_run_s_dossier_holds_what_hosts_resolver_and_ledger_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"kind": "intent", "client": "192.0.2.31", "upstream": "http://192.0.2.11:8000", "result": "answered"}]
    hosts = Hosts(rows=rows)
    found = collected(hosts, tmp_path, monkeypatch)
    assert found.observed is not None
    assert found.observed.unread == ()
    assert {host: counted["output_drop"] for host, counted in found.observed.counters.items()} == {host.name: 7 for host in LAB.hosts}
    assert [item.destination for item in found.observed.connections] == ["192.0.2.11"]
    assert flow_map(found).verdict is Verdict.PASS
    assert len(hosts.asked) == len(LAB.hosts) + 2, "one login a host, and two more on the gateway"
    assert any("2030-01-01T00:00:00+00:00" in argv for argv in hosts.asked), "calls of earlier runs are not this run's"
    assert {proof["verdict"] for proof in found.proofs} == {"PASS"}
    assert not any("seconds" in proof for proof in found.proofs)
    assert found.models["tiny"] == {"manifest": {"licence": "Apache-2.0"}, "card": None}
    assert {item.what for item in found.not_run} >= {"configuration of gpu-1, gpu-2", "the product's own tests"}


def test_a_host_that_cannot_be_read_is_named_and_the_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = collected(Hosts(dead=["gw-1"]), tmp_path, monkeypatch)
    assert found.observed is not None
    assert [line.split(":")[0] for line in found.observed.unread] == ["kernel of gw-1", "resolver of gw-1", "ledger of gw-1"]
    flows = flow_map(found)
    assert (flows.verdict, flows.conclusive) == (Verdict.NOT_RUN, False)


@pytest.mark.parametrize("answer", ["", "not json\n--- connection table\n", "{}\n--- connection table\n"])
def test_an_answer_that_is_none_is_unread(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = Hosts()
    monkeypatch.setattr(hosts, "run", lambda host, argv, **_: answer)
    observed = dossier.observe(LAB, reach(hosts), datetime(2030, 1, 1, tzinfo=UTC))
    assert sum(line.startswith("kernel of") for line in observed.unread) == len(LAB.hosts)


def test_a_connection_that_nothing_allows_fails_even_where_another_host_was_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = "ipv4 2 tcp 6 9 ESTABLISHED src=192.0.2.21 dst=198.51.100.7 sport=1 dport=443 src=198.51.100.7 dst=192.0.2.21 sport=443 dport=1"
    flows = flow_map(collected(Hosts(dead=["gpu-1"], extra=extra), tmp_path, monkeypatch))
    assert flows.verdict is Verdict.FAIL
    assert flows.conclusive


def test_a_report_of_tests_that_cannot_be_read_does_not_stop_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "unit.xml").write_text("<broken")
    found = collected(Hosts(), tmp_path, monkeypatch)
    assert found.tests == ()
    assert any("not a test report" in item.reason for item in found.not_run)


def test_a_region_that_its_platform_converges_has_a_bundle_in_which_attacks_are_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURTILAGE_STATE", str(tmp_path))
    region = load_region("fr-paris")
    decision = Decision(region=region, plan=Plan(digest=DIGEST, changes={}, violations=(), document={}), proof=Verdict.PASS, findings=())
    inputs = dossier.platform_inputs(PlatformOutcome(region=region, decision=decision, changes={}, unchanged=True))
    key = Signer.generate("curtilage/evidence")
    result = verify_bundle(inputs.build(key, tmp_path / "x.tar"), key=key.verifier, region="fr-paris", plan_digest=DIGEST)
    assert result.verdict is Verdict.NOT_RUN
    assert [finding.id for finding in result.findings] == ["verify/attacks-from-inside"]
