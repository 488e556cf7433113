"""If one of these fails, a rule or a panel reads a series that nobody writes: it is silent for ever and looks like peace."""

from __future__ import annotations

import http.server
import json
import re
import runpy
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from curtilage.audit.push import PushStats
from curtilage.derive.firewall import render_ruleset
from curtilage.derive.monitoring import metric_names, rule_groups, watched
from curtilage.gateway.metrics import GatewayMetrics
from curtilage.paths import CHECKOUT
from curtilage.region import load_region
from lab.trees import ensure_tree
from tests.ports import free_port

ROLES = CHECKOUT / "ansible" / "roles"
# Read in their projects' documentation: neither a cluster's state exporter nor a card is here, so what they expose is NOT-RUN.
FROM_DOCUMENTATION = {
    "kube_deployment_spec_replicas",
    "kube_deployment_status_replicas_available",
    "kube_pod_container_resource_requests",
    "kube_pod_container_status_restarts_total",
    "kube_pod_status_ready",
    "kube_statefulset_replicas",
    "kube_statefulset_status_replicas_ready",
    "DCGM_FI_DEV_FB_USED",
    "DCGM_FI_DEV_GPU_TEMP",
    "DCGM_FI_DEV_GPU_UTIL",
    "DCGM_FI_DEV_XID_ERRORS",
}
DCGM_SAMPLE = '# TYPE DCGM_FI_DEV_GPU_TEMP gauge\nDCGM_FI_DEV_GPU_TEMP{gpu="0"} 41\npython_info 1\n'


def names(text: str) -> set[str]:
    """Sample names of an exposition."""
    return {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}


def wanted() -> set[str]:
    """Every series a rule or a panel reads and no rule makes."""
    found = watched()
    read = set().union(*(metric_names(one.expr) for one in (*found.records, *found.alerts, *found.panels)))
    return read - {one.record for one in found.records} - {"up"}


def gateway_exposition() -> str:
    metrics = GatewayMetrics()
    metrics.calls.labels("openai", "completed").inc()
    metrics.refusals.labels("curtilage.identity").inc()
    metrics.upstream_healthy.labels("http://192.0.2.11:8000").set(1)
    metrics.witnessed(PushStats(pushed=1, failures=2, refused=3, kept_size=7))
    metrics.witnessed(PushStats(pushed=1, failures=5, refused=3, kept_size=9))
    return generate_latest(metrics.registry).decode()


def vllm_names() -> set[str]:
    """What the server's own source of the locked version registers, with the endings that the client library gives each kind."""
    source = (ensure_tree("vllm") / "vllm/v1/metrics/loggers.py").read_text(encoding="utf-8")
    found = re.findall(r'self\._(counter|gauge|histogram)_cls\(\s*name="(vllm:[a-z_]+)"', source)
    assert len(found) > 20, "the server's source registers its metrics in another way than this test reads"
    ending = {"counter": "_total", "gauge": "", "histogram": "_bucket"}
    return {name if kind == "counter" and name.endswith("_total") else name + ending[kind] for kind, name in found}


@contextmanager
def served(text: str) -> Iterator[str]:
    """An exporter on loopback."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/metrics"
        server.shutdown()


def script(role: str, name: str, *words: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROLES / role / "files" / name), *words], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr


def ages(directory: Path) -> str:
    """What the ages script says of a certificate with two days left, one that is none, and a staged model."""
    certificates, model = directory / "certificates", directory / "models" / "m" / ("a" * 64)
    certificates.mkdir()
    model.mkdir(parents=True)
    (model / "manifest.json").write_text("{}")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-days", "2"]
    subprocess.run([*command, "-keyout", str(directory / "k"), "-out", str(certificates / "short.pem")], check=True, capture_output=True)
    (certificates / "broken.pem").write_text("no certificate\n")
    script("monitoring", "publish-ages", str(directory / "ages.prom"), str(certificates), str(directory / "models"))
    return (directory / "ages.prom").read_text()


def seal(directory: Path, harm: str = "true") -> str:
    """What the seal's script says of a host's own ruleset, loaded into a namespace of the test's, after some harm."""
    region = load_region("lab")
    (directory / "host.nft").write_text(render_ruleset(region, region.host("gpu-1")))
    publish = f"{sys.executable} {ROLES}/monitoring/files/publish-seal {directory}/seal.prom"
    inside = f"ip link add host0 type veth peer name wire0; nft -f {directory}/host.nft; {harm}; exec {publish}"
    done = subprocess.run(["unshare", "--net", "sh", "-ec", inside], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return (directory / "seal.prom").read_text()


def node_exporter(base: Path, textfiles: Path) -> str:
    """A scrape of the hosts' own node exporter, on loopback."""
    port = free_port()
    argv = [str(base / "usr/bin/prometheus-node-exporter"), f"--web.listen-address=127.0.0.1:{port}"]
    argv += [f"--collector.textfile.directory={textfiles}", "--no-collector.wifi", "--no-collector.hwmon", "--web.disable-exporter-metrics"]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
                        return str(answer.read().decode())
                except OSError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.1)
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def exposed(base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Each exporter's own words, all of them through the hosts' node exporter as on a host."""
    if shutil.which("unshare") is None or shutil.which("nft") is None:
        pytest.skip("no network namespace or no nft here")
    directory = tmp_path_factory.mktemp("exporters")
    textfiles = directory / "textfiles"
    textfiles.mkdir()
    (textfiles / "gateway.prom").write_text(gateway_exposition())
    (textfiles / "ages.prom").write_text(ages(directory))
    (textfiles / "seal.prom").write_text(seal(directory))
    runpy.run_path(str(ROLES / "gateway/files/answer-by-health"))["publish"](textfiles / "answers.prom", False)
    for prefix, text in (
        ("vllm", "# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running 3\nprocess_x 1\n"),
        ("DCGM", DCGM_SAMPLE),
    ):
        with served(text) as url:
            script("vllm", "publish-metrics", url, str(textfiles / f"{prefix}.prom"), prefix)
    return {"node": node_exporter(base, textfiles), "directory": str(directory)}


def test_every_series_of_a_rule_or_a_panel_is_written_by_an_exporter_of_the_region(exposed: dict[str, str]) -> None:
    made_by_rules = {"curtilage_allowance_ends_seconds", "curtilage_advisory_published_seconds", "curtilage_advisories_newest_seconds"}
    known = names(exposed["node"]) | vllm_names() | FROM_DOCUMENTATION | made_by_rules
    assert wanted() - known == set()


def test_what_is_known_from_documentation_alone_is_used(exposed: dict[str, str]) -> None:
    assert FROM_DOCUMENTATION - wanted() == set()


def test_an_expressions_series_are_told_from_its_functions_labels_and_words() -> None:
    expression = 'sum by (le, host) (rate(a_b_bucket{x="c_d"}[5m])) / on (g_h) vllm:q > 14.4 * 0.005 and up == 0 unless e_f offset 20s'
    assert metric_names(expression) == {"a_b_bucket", "vllm:q", "up", "e_f"}
    for group in (rule_groups(load_region("ch-zurich")), rule_groups(load_region("fr-paris"))):
        assert all(metric_names(rule["expr"]) for rule in group[0]["rules"])


def test_what_a_service_says_beside_its_own_family_does_not_reach_the_exporter(exposed: dict[str, str]) -> None:
    found = names(exposed["node"])
    assert {"vllm:num_requests_running", "DCGM_FI_DEV_GPU_TEMP"} <= found
    assert not {"process_x", "python_info"} & found
    assert "curtilage_vllm_up 1" in exposed["node"]
    assert "curtilage_dcgm_up 1" in exposed["node"]


def test_a_service_that_does_not_answer_is_down(tmp_path: Path) -> None:
    script("vllm", "publish-metrics", "http://127.0.0.1:9/metrics", str(tmp_path / "x.prom"), "DCGM")
    assert (tmp_path / "x.prom").read_text().splitlines() == ["# TYPE curtilage_dcgm_up gauge", "curtilage_dcgm_up 0"]


def test_a_certificates_end_is_told_and_one_that_cannot_be_read_has_ended(exposed: dict[str, str]) -> None:
    values = {
        sample.labels["file"]: sample.value
        for family in text_string_to_metric_families(exposed["node"])
        for sample in family.samples
        if sample.name == "curtilage_certificate_ends_seconds"
    }
    assert values["broken.pem"] == 0
    assert values["short.pem"] - time.time() == pytest.approx(2 * 86400, abs=3600)


@pytest.mark.parametrize(
    "harm",
    ["nft delete table netdev curtilage_raw", "nft flush ruleset", "nft chain inet curtilage output '{ policy accept; }'"],
)
def test_the_seal_is_told_broken_when_a_part_of_it_is_gone(exposed: dict[str, str], tmp_path: Path, harm: str) -> None:
    assert "curtilage_seal_intact 1" in exposed["node"]
    assert "curtilage_seal_intact 0" in seal(tmp_path, harm)


def test_heads_that_were_not_witnessed_are_counted_once(exposed: dict[str, str]) -> None:
    assert "curtilage_gateway_witness_failures_total 5" in exposed["node"]
    assert "curtilage_gateway_witness_refusals_total 3" in exposed["node"]
    assert "curtilage_gateway_witnessed_records 9" in exposed["node"]


def test_the_kept_dashboard_is_json_that_names_its_panels_once() -> None:
    document = json.loads((CHECKOUT / "tests/golden/lab/dashboard.json").read_text())
    titles = [panel["title"] for panel in document["panels"]]
    assert len(titles) == len(set(titles))
