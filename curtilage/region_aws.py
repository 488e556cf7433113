"""What a region says of AWS: account, organisation, zones, GPU machines, and who on the CRM side may connect.

Account and organisation are written down, because credentials of another account must stop before the first change, and because every
endpoint policy hangs on the organisation's id.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from ipaddress import IPv4Network
from typing import Annotated

from pydantic import Field, field_validator

from curtilage.allowance import refusal
from curtilage.region_parts import ImageByDigest, Part, known_card

Account = Annotated[str, Field(pattern=r"^[0-9]{12}$")]
RoleArn = Annotated[str, Field(pattern=r"^arn:aws(-eusc)?:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,200}$")]
Principal = Annotated[str, Field(pattern=r"^arn:aws(-eusc)?:iam::[0-9]{12}:(root|role/[A-Za-z0-9+=,.@_/-]{1,200})$")]

FAMILIES: dict[str, str] = {
    "g5": "A10G",
    "g6": "L4",
    "g6e": "L40S",
    "p4d": "A100-40",
    "p4de": "A100-80",
    "p5": "H100",
    "p5e": "H200",
    "p5en": "H200",
}
"""Card of each instance family (AWS, Amazon EC2 Instance Types, accelerated computing)."""
_GPUS: dict[str, dict[str, int]] = {
    **{family: {"xlarge": 1, "2xlarge": 1, "4xlarge": 1, "8xlarge": 1, "12xlarge": 4, "16xlarge": 1, "24xlarge": 4, "48xlarge": 8}
       for family in ("g5", "g6", "g6e")},
    "p4d": {"24xlarge": 8},
    "p4de": {"24xlarge": 8},
    "p5": {"4xlarge": 1, "48xlarge": 8},
    "p5e": {"48xlarge": 8},
    "p5en": {"48xlarge": 8},
}  # fmt: skip
_BLOCKS = ("p4d", "p4de", "p5", "p5e", "p5en")
"""Families that capacity blocks are sold for."""


class Capacity(StrEnum):
    """How machines are obtained."""

    ON_DEMAND = "on-demand"
    RESERVATION = "reservation"
    CAPACITY_BLOCK = "capacity-block"


class AwsGpu(Part):
    """The GPU machines: a managed node group."""

    card: str
    instance: Annotated[str, Field(pattern=r"^[a-z0-9]+\.[a-z0-9]+$")]
    nodes: Annotated[int, Field(ge=2, le=4, strict=True)]
    capacity: Capacity = Capacity.ON_DEMAND
    reservation: Annotated[str, Field(pattern=r"^cr-[0-9a-f]{8,17}$")] | None = None
    disk_gib: Annotated[int, Field(ge=100, le=4096, strict=True)] = 300

    @property
    def family(self) -> str:
        """The instance family."""
        return self.instance.split(".")[0]

    @property
    def per_node(self) -> int:
        """Cards in one machine."""
        return _GPUS[self.family][self.instance.split(".")[1]]


class AwsSystem(Part):
    """The machines without a card: gateway, evidence store, cluster services."""

    instance: Annotated[str, Field(pattern=r"^[a-z0-9]+\.[a-z0-9]+$")] = "m7i.xlarge"
    nodes: Annotated[int, Field(ge=2, le=9, strict=True)] = 3
    disk_gib: Annotated[int, Field(ge=50, le=1024, strict=True)] = 100


class AwsSettings(Part):
    """The account and what is built in it.

    Attributes:
        device_plugin_image: image of NVIDIA's device plugin in the own registry; null until it is imported.
        crm_principals: who may ask to connect to the PrivateLink service; the connection is still accepted by hand.
        administrators: roles of the own account that administer the cluster from inside.
    """

    account: Account
    device_plugin_image: ImageByDigest | None = None
    organisation: Annotated[str, Field(pattern=r"^o-[a-z0-9]{10,32}$")]
    zones: tuple[str, str, str]
    gpu: AwsGpu
    system: AwsSystem = AwsSystem()
    kubernetes_version: Annotated[str, Field(pattern=r"^1\.[0-9]{2}$")] = "1.33"
    crm_principals: Annotated[tuple[Principal, ...], Field(min_length=1, max_length=8)]
    administrators: Annotated[tuple[RoleArn, ...], Field(min_length=1, max_length=8)]

    @field_validator("zones")
    @classmethod
    def _three_of_them(cls, zones: tuple[str, str, str]) -> tuple[str, str, str]:
        if len(set(zones)) != 3:
            raise refusal(f"zones {', '.join(zones)}", rule="a region spans three different zones", fix="name three of the region's zones")
        return zones

    @property
    def partition(self) -> str:
        """The partition of the account's ARNs."""
        return self.administrators[0].split(":")[1]


def check_aws(
    settings: AwsSettings, *, site: str, segments: Mapping[str, IPv4Network], second_family: bool, allowances: int, registry: str
) -> None:
    """The rules that need the rest of the region.

    Raises:
        PydanticCustomError: a rule is broken.
    """
    for zone in settings.zones:
        if not re.fullmatch(re.escape(site) + "[a-f]", zone):
            raise refusal(
                f"zone '{zone}' is not of {site}",
                rule="every zone lies in the region's site, and so in its jurisdiction",
                fix=f"name zones such as {site}a",
                key="aws.zones",
            )
    own = f"{settings.account}.dkr.ecr.{site}."
    if registry.endswith((".amazonaws.com", ".amazonaws.eu", ".aws")) and not registry.startswith(own):
        raise refusal(
            f"registry {registry}",
            rule=f"a registry of AWS is the one of the region's own account and site, {own}..., and so of its jurisdiction",
            fix=f"write {own}amazonaws.com",
            key="kubernetes.registry",
        )
    _check_machines(settings.gpu)
    for arn in settings.administrators:
        if arn.split(":")[4] != settings.account:
            raise refusal(
                f"administrator {arn}",
                rule=f"administrators are roles of the region's own account {settings.account}",
                fix="name a role of this account, which people assume from inside",
                key="aws.administrators",
            )
    if set(segments) != {"legal"}:
        raise refusal(
            f"segments {', '.join(sorted(segments))}", rule="on aws a region has the one segment 'legal': its VPC", fix="remove the others",
            key="segments",
        )  # fmt: skip
    if second_family:
        raise refusal(
            "segment 'legal' has IPv6",
            rule="on aws a region is IPv4 alone: the VPC CNI enforces policies for one family, and a second would leave by it (EG-25)",
            fix="write ipv6: none",
            key="segments.legal.ipv6",
        )
    if allowances:
        raise refusal(
            f"{allowances} allowances on platform aws",
            rule="the VPC has no gateway of any kind, so no destination outside can be allowed",
            fix="bring the service inside, behind an endpoint of the organisation, and remove the allowance",
            key="allowances",
        )
    vpc = segments["legal"]
    if not 16 <= vpc.prefixlen <= 20:
        raise refusal(
            f"segment 'legal' ({vpc})",
            rule="a VPC is a /16 to a /20: three zones of pods need the addresses, and AWS takes no wider one",
            fix="choose a network between /16 and /20",
            key="segments.legal.ipv4",
        )


def _check_machines(gpu: AwsGpu) -> None:
    known_card(gpu.card, key="aws.gpu.card", among=tuple(dict.fromkeys(FAMILIES.values())))
    size = gpu.instance.split(".")[1]
    if gpu.family not in FAMILIES or size not in _GPUS[gpu.family]:
        raise refusal(
            f"instance '{gpu.instance}'",
            rule=f"GPU machines are of {', '.join(FAMILIES)}",
            fix="name an instance type of these families that exists",
            key="aws.gpu.instance",
        )
    if FAMILIES[gpu.family] != gpu.card:
        raise refusal(
            f"instance '{gpu.instance}' has {FAMILIES[gpu.family]}, not {gpu.card}",
            rule="the card named is the card in the machine: it decides how models are stored",
            fix=f"write card: {FAMILIES[gpu.family]}, or another instance type",
            key="aws.gpu.card",
        )
    if (gpu.reservation is None) != (gpu.capacity is Capacity.ON_DEMAND):
        raise refusal(
            f"capacity {gpu.capacity} with reservation {gpu.reservation or 'none'}",
            rule="a reservation and a capacity block have an id, on-demand has none",
            fix="add aws.gpu.reservation: cr-..., or write capacity: on-demand",
            key="aws.gpu.reservation",
        )
    if gpu.capacity is Capacity.CAPACITY_BLOCK and gpu.family not in _BLOCKS:
        raise refusal(
            f"a capacity block of {gpu.family}",
            rule=f"capacity blocks are sold for {', '.join(_BLOCKS)}",
            fix="write capacity: reservation or on-demand",
            key="aws.gpu.capacity",
        )
