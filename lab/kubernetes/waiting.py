"""Waits for something of a cluster, and says what its namespace's events were when it does not come."""

from __future__ import annotations

import time
from collections.abc import Callable

from curtilage.errors import StepError
from lab.providers.kube_api import Cluster

PATIENCE_SECONDS = 90.0


def await_(api: Cluster, done: Callable[[], bool], what: str, namespace: str = "", *, patience_seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for something of the cluster.

    Raises:
        StepError: it did not come; the namespace's last events say why.
    """
    deadline = time.monotonic() + patience_seconds
    while not done():
        if time.monotonic() > deadline:
            events = api.call("GET", f"/api/v1/namespaces/{namespace}/events")["items"] if namespace else []
            said = "\n".join(f"    | {item['involvedObject']['name']}: {item['message']}" for item in events[-8:])
            raise StepError("cluster", f"{what} did not come within {patience_seconds:.0f} s\n{said}", fix="see the events")
        time.sleep(0.2)
