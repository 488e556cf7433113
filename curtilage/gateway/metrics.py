"""Metrics without content: no label names a matter, a person or a key."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, start_http_server

_FAST = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
_SLOW = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class GatewayMetrics:
    """The gateway's own registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
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
        self.ledger_records = Gauge("curtilage_gateway_ledger_records", "Durable records in the ledger.", registry=self.registry)

    def write(self, path: Path) -> None:
        """Write the node-exporter textfile; the collector must never see half of it."""
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(generate_latest(self.registry))
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def serve(self, address: str, port: int) -> None:
        """Serve on a loopback address, in a thread of its own."""
        start_http_server(port, addr=address, registry=self.registry)
