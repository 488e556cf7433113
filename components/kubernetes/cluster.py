"""An existing cluster, by its named context.

The context is stated and never the default one: an unset context means whatever kubectl last used (style guide, Kubernetes pitfalls). The
path of the kubeconfig is the operator's and stays out of the state.
"""

from __future__ import annotations

import pulumi
import pulumi_kubernetes

from components.kubernetes.region import declare_cluster
from curtilage.derive.kubernetes.names import settings_of
from curtilage.region import Region


def declare_on_kubernetes(region: Region, name: str, child: pulumi.ResourceOptions) -> None:
    """The region in the cluster that its context names."""
    provider = pulumi_kubernetes.Provider(
        f"{name}-cluster",
        context=settings_of(region).context,
        # An unreachable cluster is never taken for an empty one, and nothing is taken over that another made.
        delete_unreachable=False,
        enable_server_side_apply=True,
        opts=child,
    )
    declare_cluster(region, name, pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(provider=provider)))
