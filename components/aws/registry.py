"""The registry inside: images by digest, scanned, never overwritten. Invariant: nothing is pulled through from a registry outside."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_aws import ecr

from components.aws.legal_segment import LegalSegment
from curtilage.derive.aws.names import registry, tags
from curtilage.derive.aws.policies import repository_policy
from curtilage.region import Region

REPOSITORIES = ("curtilage", "vllm", "nvidia-device-plugin")


@dataclass(frozen=True, kw_only=True)
class RegistryArgs:
    """The region and its keys."""

    region: Region
    segment: LegalSegment


class Registry(pulumi.ComponentResource):
    """Repositories of the own account."""

    host: pulumi.Output[str]
    """The registry's name."""

    def __init__(self, name: str, args: RegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        region = args.region
        super().__init__("curtilage:aws:Registry", name, {"region": region.name, "repositories": list(REPOSITORIES)}, opts)
        child, kept = pulumi.ResourceOptions(parent=self), pulumi.ResourceOptions(parent=self, protect=True)
        for image in REPOSITORIES:
            repository = ecr.Repository(
                f"{name}-{image}",
                name=f"curtilage/{region.name}/{image}",
                image_tag_mutability="IMMUTABLE",
                image_scanning_configuration={"scan_on_push": True},
                encryption_configurations=[{"encryption_type": "KMS", "kms_key": args.segment.keys["images"].arn}],
                force_delete=False,
                tags=tags(region, image),
                opts=kept,
            )
            ecr.RepositoryPolicy(f"{name}-{image}-policy", repository=repository.name, policy=repository_policy(region), opts=child)
        self.host = pulumi.Output.from_input(registry(region))
        self.register_outputs({"host": self.host})
