"""What a region says of a Kubernetes cluster: an existing one (platform ``kubernetes``), or the one inside an AWS region.

The cluster itself is not ours on platform ``kubernetes``: what it must already have (a CNI that enforces, GPU drivers in the node image, a
registry inside) is stated here, so that the proof and the probes can hold it against what they find.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated

from pydantic import BeforeValidator, Field

from curtilage.allowance import NOT_A_DESTINATION, Name, as_written, refusal
from curtilage.region_parts import DnsName, ImageByDigest, Part, known_card

Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(as_written)]
Group = Annotated[str, Field(min_length=3, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9:._/@-]*$")]
Label = Annotated[str, Field(max_length=63, pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")]


class Enforcer(StrEnum):
    """Who enforces network policies. A CNI that ignores them leaves every policy a wish, so it is named, never assumed."""

    CILIUM = "cilium"
    CALICO = "calico"
    AWS_VPC_CNI = "aws-vpc-cni"


class Gpu(Part):
    """The GPU nodes that the cluster holds for the legal department."""

    card: str
    nodes: Annotated[int, Field(ge=2, le=4, strict=True)]
    per_node: Annotated[int, Field(ge=1, le=8, strict=True)] = 1


class Groups(Part):
    """Groups of the identity provider that the API server knows; three duties, three groups."""

    operators: Group
    releasers: Group
    auditors: Group

    @property
    def all(self) -> tuple[str, str, str]:
        """The three, in the file's order."""
        return self.operators, self.releasers, self.auditors


class KubernetesSettings(Part):
    """The cluster and who may come in.

    Attributes:
        context: the kubeconfig context; required on platform ``kubernetes``, absent on AWS, where the cluster is made here.
        enforcer: the CNI that enforces policies.
        cluster_network_policy: whether the API ``policy.networking.k8s.io/v1alpha2`` is served, so that a deny exists that no namespace
            can override.
        services: the service network, which is not pod traffic's destination outside.
        registry: the registry inside; images of any other are refused at admission.
        curtilage_image: image of Curtilage itself (gateway, evidence store, verifier of weights); null until it is imported.
        crm_networks: where the CRM side comes in from.
        storage_class: class of the volumes of ledger and evidence, ReadWriteOnce.
        models_storage_class: class of the volume of weights, which many nodes read (ReadOnlyMany).
        prometheus_operator: whether PodMonitor and PrometheusRule are served; without it the scrape is configured by hand.
    """

    context: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9][A-Za-z0-9:._/@-]*$")] | None = None
    enforcer: Enforcer
    cluster_network_policy: Annotated[bool, Field(strict=True)]
    services: Annotated[tuple[Network, ...], Field(min_length=1, max_length=2)]
    registry: DnsName
    curtilage_image: ImageByDigest | None
    crm_networks: Annotated[tuple[Network, ...], Field(min_length=1, max_length=16)]
    groups: Groups
    gpu: Gpu | None = None
    storage_class: Name
    models_storage_class: Name
    monitoring_namespace: Name = "monitoring"
    prometheus_operator: Annotated[bool, Field(strict=True)] = False
    gateway_replicas: Annotated[int, Field(ge=2, le=8, strict=True)] = 2


def check_kubernetes(
    settings: KubernetesSettings, *, networks: Mapping[str, tuple[Network, ...]], own_cluster: bool, lab: bool = False
) -> None:
    """The rules that need the rest of the region.

    Args:
        settings: what the file says of the cluster.
        networks: every segment's networks; pods live in segment ``legal``.
        own_cluster: the cluster is an existing one, not made by an AWS region.
        lab: site lab, where alone a card may be ``cpu``.

    Raises:
        PydanticCustomError: a rule is broken.
    """
    if own_cluster and settings.context is None:
        raise refusal(
            "no context",
            rule="a region names its kubeconfig context; the default one is whatever kubectl last used",
            fix="add kubernetes.context; `kubectl config get-contexts` lists them",
            key="kubernetes.context",
        )
    if not own_cluster and settings.context is not None:
        raise refusal(
            f"context '{settings.context}' on platform aws",
            rule="on aws the cluster is made by the region, and its own address is used",
            fix="remove kubernetes.context",
            key="kubernetes.context",
        )
    if own_cluster == (settings.gpu is None):
        raise refusal(
            "no gpu nodes" if own_cluster else "gpu nodes beside aws.gpu",
            rule="GPU nodes are stated once: kubernetes.gpu for an existing cluster, aws.gpu on AWS",
            fix="add kubernetes.gpu: {card, nodes}" if own_cluster else "remove kubernetes.gpu",
            key="kubernetes.gpu",
        )
    if settings.gpu is not None:
        known_card(settings.gpu.card, key="kubernetes.gpu.card", lab=lab)
    if not own_cluster and settings.enforcer is not Enforcer.AWS_VPC_CNI:
        raise refusal(
            f"enforcer {settings.enforcer} on platform aws",
            rule="the cluster made here enforces policies with the VPC CNI in strict mode",
            fix="write aws-vpc-cni",
            key="kubernetes.enforcer",
        )
    if len(set(settings.groups.all)) != 3 or any(group.startswith("system:") for group in settings.groups.all):
        raise refusal(
            f"groups {', '.join(settings.groups.all)}",
            rule="operators, releasers and auditors are three different groups, none of them the system's",
            fix="name three groups of the identity provider",
            key="kubernetes.groups",
        )
    _check_networks(settings, networks, lab=lab)


def _check_networks(settings: KubernetesSettings, networks: Mapping[str, tuple[Network, ...]], *, lab: bool) -> None:
    pods = networks["legal"]
    for network in settings.services:
        for name, segment in networks.items():
            for other in segment:
                if other.version == network.version and network.overlaps(other):
                    raise refusal(
                        f"service network {network} overlaps segment '{name}' ({other})",
                        rule="services and pods have networks of their own",
                        fix="write the cluster's own service network",
                        key="kubernetes.services",
                    )
    for what, given, key in (
        ("service", settings.services, "kubernetes.services"),
        ("CRM", settings.crm_networks, "kubernetes.crm_networks"),
    ):
        for network in given:
            special = any(item.version == network.version and item.overlaps(network) for item, _ in NOT_A_DESTINATION)
            if not network.is_private or network.prefixlen < (8 if network.version == 4 else 32) or special:
                raise refusal(
                    f"{what} network {network} is not private, or a part of the internet",
                    rule=f"the {what} side is a private network",
                    fix="name the private network it comes from",
                    key=key,
                )
    if {network.version for network in settings.services} != {network.version for network in pods}:
        raise refusal(
            f"services have {', '.join(map(str, settings.services))}, pods {', '.join(map(str, pods))}",
            rule="services have an address family when pods have it: one that is forgotten is one that no policy names",
            fix="state both families for both, or one for both",
            key="kubernetes.services",
        )
