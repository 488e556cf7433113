"""What is watched: scrapes and alerts where the cluster has the Prometheus operator, and a dashboard as data everywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator

from curtilage.derive.kubernetes.names import APP_LABEL, GATEWAY, MODELS, SEALED, Manifest, metadata, settings_of
from curtilage.region import Region

_NAMESPACES = "|".join(SEALED)
ALERTS: tuple[tuple[str, str, str, str], ...] = (
    (
        "ModelPodsMissing",
        f'kube_deployment_status_replicas_available{{namespace="{MODELS}"}} < kube_deployment_spec_replicas{{namespace="{MODELS}"}}',
        "15m",
        "Fewer model pods answer than the plan has; see docs/regions.md.",
    ),
    (
        "GatewayPodsMissing",
        f'kube_statefulset_status_replicas_ready{{namespace="{GATEWAY}"}} < kube_statefulset_replicas{{namespace="{GATEWAY}"}}',
        "5m",
        "Fewer gateways answer than the plan has.",
    ),
    (
        "PodRestarts",
        f'increase(kube_pod_container_status_restarts_total{{namespace=~"{_NAMESPACES}"}}[1h]) > 3',
        "0m",
        "A pod of the segment starts over again and again.",
    ),
    (
        "RequestsWait",
        "vllm:num_requests_waiting > 8",
        "10m",
        "Requests wait for a card: add replicas or nodes.",
    ),
    (
        "CacheFull",
        "vllm:gpu_cache_usage_perc > 0.95",
        "10m",
        "The key-value cache is full, so requests are preempted.",
    ),
)


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
            "spec": {
                "groups": [
                    {
                        "name": "curtilage",
                        "rules": [
                            {
                                "alert": name,
                                "expr": expression,
                                "for": duration,
                                "labels": {"severity": "warning", "region": region.name},
                                "annotations": {"summary": text},
                            }
                            for name, expression, duration, text in ALERTS
                        ],
                    }
                ]
            },
        }
    dashboard = metadata(region, "dashboard-curtilage", MODELS)
    dashboard["labels"]["grafana_dashboard"] = "1"
    yield {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": dashboard,
        "data": {"curtilage.json": json.dumps(_dashboard(region), indent=2, sort_keys=True) + "\n"},
    }


def _dashboard(region: Region) -> dict[str, object]:
    panels = (
        ("Requests running", "sum(vllm:num_requests_running) by (model_name)"),
        ("Requests waiting", "sum(vllm:num_requests_waiting) by (model_name)"),
        (
            "Time to first token, 95 %",
            "histogram_quantile(0.95, sum(rate(vllm:time_to_first_token_seconds_bucket[5m])) by (le, model_name))",
        ),
        ("Tokens a second", "sum(rate(vllm:generation_tokens_total[5m])) by (model_name)"),
        ("Cache in use", "vllm:gpu_cache_usage_perc"),
        ("Pods ready", f'sum(kube_pod_status_ready{{namespace=~"{_NAMESPACES}",condition="true"}}) by (namespace)'),
    )
    return {
        "title": f"Curtilage {region.name}",
        "uid": f"curtilage-{region.name}"[:40],
        "schemaVersion": 39,
        "editable": False,
        "panels": [
            {
                "id": number + 1,
                "type": "timeseries",
                "title": title,
                "gridPos": {"h": 8, "w": 12, "x": 12 * (number % 2), "y": 8 * (number // 2)},
                "targets": [{"expr": expression, "refId": "A"}],
            }
            for number, (title, expression) in enumerate(panels)
        ],
    }
