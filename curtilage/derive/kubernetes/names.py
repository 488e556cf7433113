"""Names, labels and ports that the objects of a region share, and the smallest parts they are made of."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Any

from curtilage.errors import ConfigError
from curtilage.region import Region
from curtilage.region_kubernetes import KubernetesSettings

Manifest = dict[str, Any]

DOMAIN = "curtilage.dev"
SEGMENT_LABEL = f"{DOMAIN}/segment"
POOL_LABEL = f"{DOMAIN}/pool"
APP_LABEL = "app.kubernetes.io/name"
GATEWAY, MODELS, EVIDENCE, ADMISSION = "legal-gateway", "legal-models", "legal-evidence", "legal-admission"
SEALED = (GATEWAY, MODELS, EVIDENCE)
"""Namespaces with pods; ``legal-admission`` holds the parameters of admission and no pod at all."""

HTTPS, GATEWAY_PORT, MODEL_PORT, STORE_PORT = 443, 8443, 8000, 8443
NODE_PORT = 30443
"""Where the load balancer of an AWS region meets the gateway: the one NodePort of the segment."""
UNPRIVILEGED = 65532
NOT_IMPORTED = "not-imported"
"""Stands where an image or weights have no digest yet. No registry has it, admission does not list it, and an update is refused before."""


def settings_of(region: Region) -> KubernetesSettings:
    """The region's cluster.

    Raises:
        ConfigError: the region is on hosts.
    """
    if region.kubernetes is None:
        raise ConfigError(
            f"region {region.name} is on {region.platform}", rule="its platform has a cluster", fix="name a region on kubernetes or aws"
        )
    return region.kubernetes


def labels(region: Region, component: str = "") -> dict[str, str]:
    """What every object says of itself: whose it is, where the law holds it, and what it may hold."""
    found = {
        "app.kubernetes.io/part-of": "curtilage",
        "app.kubernetes.io/managed-by": "pulumi",
        f"{DOMAIN}/region": region.name,
        f"{DOMAIN}/jurisdiction": region.jurisdiction,
        f"{DOMAIN}/data-class": "privileged",
        f"{DOMAIN}/cost-centre": _label(region.cost_centre),
        f"{DOMAIN}/owner": _label(region.owner),
        SEGMENT_LABEL: "legal",
    }
    return found | ({APP_LABEL: component} if component else {})


def _label(text: str) -> str:
    """Free text as a label's value: at most 63 characters of those that labels take."""
    kept = "".join(char if char.isascii() and (char.isalnum() or char in "-_.") else "-" for char in text)[:63]
    return kept.strip("-_.") or "unnamed"


def metadata(region: Region, name: str, namespace: str | None = None, component: str = "", **annotations: str) -> dict[str, Any]:
    """An object's metadata."""
    found: dict[str, Any] = {"name": name, "labels": labels(region, component)}
    if namespace is not None:
        found["namespace"] = namespace
    if annotations:
        found["annotations"] = annotations
    return found


def service_address(region: Region, offset: int) -> str:
    """A fixed address in the service network, so that the gateway's configuration and the CRM's records name addresses, not names.

    Pods have no resolver at all: a cluster's DNS forwards to its node's, which is a tunnel out (egress catalogue EG-28).
    """
    network = settings_of(region).services[0]
    address: IPv4Address | IPv6Address = network[offset]
    return str(address)


def model_address(region: Region, index: int) -> str:
    """The service address of the region's n-th model."""
    return service_address(region, 40 + index)


def gateway_address(region: Region) -> str:
    """The service address of the gateway, to which the CRM's resolver answers for every intercepted name."""
    return service_address(region, 20)


def store_address(region: Region) -> str:
    """The service address of the evidence store."""
    return service_address(region, 30)


def image(region: Region) -> str:
    """Curtilage's own image."""
    return settings_of(region).curtilage_image or NOT_IMPORTED
