"""Names, tags and addresses of a region on AWS.

Every physical name is stated: a name that the provider makes up differs between two checkouts, and so would their plans.
"""

from __future__ import annotations

from ipaddress import IPv4Network

from curtilage.errors import ConfigError
from curtilage.region import Region
from curtilage.region_aws import AwsSettings

POD_ROUTE_HTTPS = 443
PURPOSES = ("logs", "evidence", "models", "cluster", "disks", "images")
"""A key a purpose: who may read logs is not who may read weights, and each can be withdrawn alone."""
ADDON_REGISTRY = "602401143452"
"""AWS's own registry of EKS add-ons in its commercial regions (EKS User Guide, "Amazon container image registries for add-ons")."""
LOG_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
"""Retentions that CloudWatch Logs takes."""
UNDECIDED_DAYS = 365
"""Where neither the owner nor the law on record says: a year, so that an attack found late can still be read."""


def settings(region: Region) -> AwsSettings:
    """The region's part about AWS.

    Raises:
        ConfigError: it is on another platform.
    """
    if region.aws is None:
        raise ConfigError(f"region {region.name} is on {region.platform}", rule="an AWS account", fix="name a region on aws")
    return region.aws


def tags(region: Region, name: str, data_class: str = "privileged") -> dict[str, str]:
    """What every resource says of itself."""
    return {
        "Name": f"{region.name}-{name}",
        "curtilage:region": region.name,
        "curtilage:jurisdiction": region.jurisdiction,
        "curtilage:segment": "legal",
        "curtilage:data-class": data_class,
        "curtilage:owner": region.owner,
        "curtilage:cost-centre": region.cost_centre,
    }


def subnets(region: Region) -> dict[str, IPv4Network]:
    """One subnet a zone, of equal size; the fourth quarter stays free for a zone that joins."""
    quarters = list(region.segment.ipv4.subnets(prefixlen_diff=2))
    return dict(zip(settings(region).zones, quarters, strict=False))


def bucket(region: Region, purpose: str) -> str:
    """A bucket's name; the account makes it ours alone among all of the world's."""
    return f"curtilage-{settings(region).account}-{region.name}-{purpose}"


def arn(region: Region, service: str, resource: str, *, anywhere: bool = False) -> str:
    """An ARN of the own account."""
    found = settings(region)
    where = "" if anywhere else region.site
    return f"arn:{found.partition}:{service}:{where}:{found.account}:{resource}"


def bucket_arns(region: Region, purpose: str) -> list[str]:
    """A bucket and its objects."""
    name = f"arn:{settings(region).partition}:s3:::{bucket(region, purpose)}"
    return [name, f"{name}/*"]


def retention_days(region: Region) -> int:
    """How long records are kept."""
    return region.effective_retention_days() or UNDECIDED_DAYS


def log_days(region: Region) -> int:
    """The same for CloudWatch Logs, which takes certain numbers: the next longer one, at most its longest."""
    return next((days for days in LOG_DAYS if days >= retention_days(region)), LOG_DAYS[-1])


def endpoints(region: Region) -> tuple[str, ...]:
    """The smallest set of interface endpoints that a private cluster of ours works with; S3 is a gateway beside them.

    No ssm, ssmmessages or ec2messages: sessions would tunnel through them (EG-07). No sns, sqs, ses, lambda: nobody calls them (EG-06).
    """
    return ("ec2", "ecr.api", "ecr.dkr", "eks", "eks-auth", "elasticfilesystem", "kms", "logs", "sts")


def domains(region: Region) -> list[str]:
    """Names that resolve in the VPC: AWS's own endpoints of this region, and the cluster's; nothing else, so that no label leaves."""
    return [f"{region.site}.amazonaws.com.", f"*.{region.site}.amazonaws.com.", f"*.{region.site}.compute.internal."]


def registry(region: Region) -> str:
    """The registry inside."""
    return f"{settings(region).account}.dkr.ecr.{region.site}.amazonaws.com"
