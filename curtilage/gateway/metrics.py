"""Metrics without content: no label names a matter, a person or a key."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from curtilage.audit.push import PushStats
from curtilage.gateway.reasons import Reason
from curtilage.gateway.serving import Rollout
from curtilage.gateway.surfaces import SURFACES

RESULTS = ("completed", "failed", "refused", "disconnected", "interrupted")
_FAST = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
_SLOW = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class GatewayMetrics:
    """The gateway's own registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._seen = PushStats()
        self.calls = Counter("curtilage_gateway_calls", "Calls by dialect and result.", ("surface", "result"), registry=self.registry)
        self.refusals = Counter("curtilage_gateway_refusals", "Refusals by reason.", ("reason",), registry=self.registry)
        self.removed = Counter(
            "curtilage_gateway_removed", "What the sanitizer took out, by class.", ("type", "side"), registry=self.registry
        )
        self.overhead = Histogram(
            "curtilage_gateway_overhead_seconds", "Time a call took less the model's.", buckets=_FAST, registry=self.registry
        )
        self.model = Histogram("curtilage_gateway_model_seconds", "Time the model took.", buckets=_SLOW, registry=self.registry)
        self.open_calls = Gauge("curtilage_gateway_open_calls", "Calls in progress.", registry=self.registry)
        self.upstream_healthy = Gauge(
            "curtilage_gateway_upstream_healthy", "1 when a model host answers.", ("upstream",), registry=self.registry
        )
        self.upstream_outstanding = Gauge(
            "curtilage_gateway_upstream_outstanding", "Calls a model host works on.", ("upstream",), registry=self.registry
        )
        self.queued_calls = Gauge("curtilage_gateway_queued_calls", "Calls that wait for a model host.", registry=self.registry)
        self.reloads = Counter(
            "curtilage_gateway_config_reloads", "Configurations read again, by result.", ("result",), registry=self.registry
        )
        self.canary_withdrawn = Gauge(
            "curtilage_gateway_canary_withdrawn", "1 or more when the gateway took a new version back.", ("model",), registry=self.registry
        )
        self.ledger_records = Gauge("curtilage_gateway_ledger_records", "Durable records in the ledger.", registry=self.registry)
        self.witnessed_records = Gauge(
            "curtilage_gateway_witnessed_records", "Records under the newest head the evidence store keeps.", registry=self.registry
        )
        self.witness_failures = Counter(
            "curtilage_gateway_witness_failures", "Heads that did not reach the evidence store.", registry=self.registry
        )
        self.witness_refusals = Counter(
            "curtilage_gateway_witness_refusals", "Heads the evidence store says contradict one it keeps.", registry=self.registry
        )
        # From the start, at nought: of a series that appears with its first event, Prometheus cannot tell that there was one.
        for surface in (*SURFACES, "none"):
            for result in RESULTS:
                self.calls.labels(surface, result)
        for reason in Reason:
            self.refusals.labels(reason.value)

    def witnessed(self, stats: PushStats) -> None:
        """Take over what the checkpoint push counted since the last call."""
        self.witnessed_records.set(stats.kept_size)
        self.witness_failures.inc(stats.failures - self._seen.failures)
        self.witness_refusals.inc(stats.refused - self._seen.refused)
        self._seen = replace(stats)

    def show_canaries(self, rollout: Rollout) -> None:
        """Which new versions were taken back."""
        self.canary_withdrawn.clear()
        for canary in rollout.serving.canaries:
            self.canary_withdrawn.labels(canary.model).set(rollout.is_withdrawn(canary))

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)


def samples(metric: Counter) -> Iterator[tuple[dict[str, str], float]]:
    """A counter's labels and values."""
    for family in metric.collect():
        for sample in family.samples:
            if sample.name.endswith("_total"):
                yield sample.labels, sample.value


class _Sum:
    """Several workers' metrics as one: everything adds up, but health, which is the worst of what they say."""

    def __init__(self, texts: Sequence[bytes]) -> None:
        self._texts = texts

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        values: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
        for text in self._texts:
            for family in text_string_to_metric_families(text.decode()):
                if family.name.endswith("_created"):
                    continue
                families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                found = values.setdefault(family.name, {})
                for sample in family.samples:
                    key = (sample.name, tuple(sorted(sample.labels.items())))
                    join = min if family.name.endswith("_healthy") else sum
                    found[key] = join((found[key], sample.value)) if key in found else sample.value
        for name, family in families.items():
            for (sample_name, labels), value in values[name].items():
                family.add_sample(sample_name, dict(labels), value)
            yield family


def merged(texts: Sequence[bytes]) -> bytes:
    """One exposition of all workers: a collector knows one gateway, however many processes it is."""
    if len(texts) == 1:
        return texts[0]
    registry = CollectorRegistry()
    registry.register(_Sum(texts))  # a collector by its one method
    return generate_latest(registry)


def write_textfile(path: Path, text: bytes) -> None:
    """Write the node-exporter textfile; the collector must never see half of it."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
