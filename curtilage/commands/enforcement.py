"""What packets showed of a cluster's CNI: known of the lab's cluster, whose every start tries it."""

from __future__ import annotations

from curtilage.region import Platform, Region
from curtilage.verdict import Verdict


def enforcement(region: Region) -> tuple[Verdict, str] | None:
    """The trial's verdict and reason; None for any other cluster, where no pod of ours may be started to find out."""
    if not region.lab or region.platform is not Platform.KUBERNETES:
        return None
    from lab.kubernetes.cluster import LabCluster  # the lab is a checkout's, not a wheel's

    return LabCluster().enforcement()


def said(region: Region, found: tuple[Verdict, str]) -> list[str]:
    """For a human; a CNI that was seen to ignore policies is no seal, whatever the API holds."""
    lines = [f"packets   {found[0]}: {found[1]}"]
    if found[0] is Verdict.FAIL:
        lines.append(f"{region.name} is not sealed, whatever the API holds: nobody enforces it")
    return lines
