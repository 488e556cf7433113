"""Metrics: no label names a matter or a person, and several workers are one gateway."""

from __future__ import annotations

import json
import re

from prometheus_client.parser import text_string_to_metric_families

from curtilage.gateway.metrics import GatewayMetrics, merged


def worker(calls: int, healthy: int) -> bytes:
    metrics = GatewayMetrics()
    metrics.calls.labels("openai", "completed").inc(calls)
    metrics.overhead.observe(0.0007)
    metrics.upstream_healthy.labels("http://192.0.2.11:8000").set(healthy)
    metrics.ledger_records.set(calls * 2)
    return metrics.text()


def values(text: bytes) -> dict[str, float]:
    return {
        sample.name + json.dumps(sample.labels, sort_keys=True): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_several_workers_add_up_and_the_worst_health_counts() -> None:
    found = values(merged([worker(3, 1), worker(4, 0)]))
    assert found['curtilage_gateway_calls_total{"result": "completed", "surface": "openai"}'] == 7
    assert found['curtilage_gateway_upstream_healthy{"upstream": "http://192.0.2.11:8000"}'] == 0
    assert found["curtilage_gateway_ledger_records{}"] == 14
    assert found["curtilage_gateway_overhead_seconds_count{}"] == 2
    assert found['curtilage_gateway_overhead_seconds_bucket{"le": "0.001"}'] == 2
    assert len(re.findall(rb"# TYPE curtilage_gateway_calls_total counter", merged([worker(1, 1), worker(1, 1)]))) == 1


def test_no_label_can_name_a_matter_a_person_or_a_key() -> None:
    labels = {name for metric in GatewayMetrics().registry._collector_to_names for name in getattr(metric, "_labelnames", ())}
    assert labels == {"surface", "result", "reason", "type", "side", "upstream", "model"}
