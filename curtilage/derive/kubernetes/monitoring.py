"""What is watched on a cluster: both the rules and the dashboard come from curtilage/derive/monitoring.yaml."""

from __future__ import annotations

from collections.abc import Iterator

from curtilage.derive.kubernetes.names import APP_LABEL, MODELS, Manifest, metadata, settings_of
from curtilage.derive.monitoring import dashboard, rule_groups
from curtilage.region import Region


def monitoring(region: Region) -> Iterator[Manifest]:
    """Scrape, alerts and dashboard."""
    if settings_of(region).prometheus_operator:
        yield {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PodMonitor",
            "metadata": metadata(region, "vllm", MODELS, "vllm"),
            "spec": {
                "selector": {"matchLabels": {APP_LABEL: "vllm"}},
                "podMetricsEndpoints": [{"port": "http", "path": "/metrics", "interval": "15s", "followRedirects": False}],
            },
        }
        yield {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": metadata(region, "curtilage", MODELS),
            "spec": {"groups": rule_groups(region)},
        }
    labelled = metadata(region, "dashboard-curtilage", MODELS)
    labelled["labels"]["grafana_dashboard"] = "1"
    yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": labelled, "data": {"curtilage.json": dashboard(region)}}
