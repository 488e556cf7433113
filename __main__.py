"""The Pulumi program: the stack's region, its resources, its outputs. ``stacks/`` is read by ``load_region`` alone."""

import pulumi

from components.region import LegalRegion, LegalRegionArgs
from curtilage.region import load_region

region = load_region(pulumi.get_stack())
built = LegalRegion(region.name, LegalRegionArgs(region=region))
pulumi.export("region", built.document)
pulumi.export("inventory", built.inventory)
