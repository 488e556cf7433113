"""The region's list of approved images, changed by hand as someone may who approves images, and put back as it was."""

from __future__ import annotations

from collections.abc import Iterable

from curtilage.derive.kubernetes.admission import PARAMETERS
from curtilage.derive.kubernetes.names import ADMISSION
from lab.providers.kube_api import ApiError, Cluster

_PATH = f"/api/v1/namespaces/{ADMISSION}/configmaps/{PARAMETERS}"


def approve(api: Cluster, references: Iterable[str]) -> str:
    """Put images on the list; returns its text as it stood, for :func:`restore`."""
    before = str(api.call("GET", _PATH)["data"]["images"])
    _write(api, "\n".join([*before.splitlines(), *references]))
    return before


def restore(api: Cluster, text: str) -> None:
    """Put the list back, to the byte: the audit of the live region compares it with what was derived. A region that is gone has none."""
    try:
        _write(api, text)
    except ApiError as error:
        if error.code != 404:
            raise


def _write(api: Cluster, text: str) -> None:
    api.call("PATCH", _PATH, {"data": {"images": text}}, "application/merge-patch+json")
