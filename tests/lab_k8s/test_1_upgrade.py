"""If this fails, the next release does not take over what an older one brought up: it replaces pods, or leaves something undone."""

from __future__ import annotations

from pathlib import Path

import pytest

from curtilage.engine import Engine
from lab.providers.kube_api import Cluster
from tests.checkouts import copy_checkout

OLDER = (
    # Policies went by themselves, before their namespace.
    ("components/kubernetes/objects.py", 'if item["kind"] == "NetworkPolicy" and namespaces is not None:', "if False:"),
    # A field that the server drops was in the plan.
    ("curtilage/derive/kubernetes/segment.py", '"value": value,', '"value": value, "globalDefault": False,'),
    # The gateway knew fewer of the vendors' names for models.
    ("curtilage/derive/kubernetes/gateway.py", 'stands_for(region.tasks) | {"default"', '{"default"'),
)
"""What an older release did otherwise: file, its text now, its text then."""
READ = (
    "/api/v1/namespaces",
    "/api/v1/configmaps",
    "/api/v1/serviceaccounts",
    "/api/v1/services",
    "/api/v1/persistentvolumeclaims",
    "/api/v1/pods",
    "/apis/apps/v1/deployments",
    "/apis/apps/v1/statefulsets",
    "/apis/networking.k8s.io/v1/networkpolicies",
    "/apis/policy.networking.k8s.io/v1alpha2/clusternetworkpolicies",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "/apis/rbac.authorization.k8s.io/v1/rolebindings",
    "/apis/scheduling.k8s.io/v1/priorityclasses",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
)


def older_release(folder: Path) -> Path:
    """A checkout that is this one but for OLDER."""
    directory = copy_checkout(folder)
    for name, now, then in OLDER:
        file = directory / name
        text = file.read_text(encoding="utf-8")
        assert text.count(now) == 1, f"{name} no longer says {now}"
        file.write_text(text.replace(now, then), encoding="utf-8")
    return directory


def standing(api: Cluster) -> dict[str, str]:
    """The uid of every object that is there: another one means that it was made anew."""
    return {
        f"{path.rpartition('/')[2]} {item['metadata'].get('namespace', '')}/{item['metadata']['name']}": item["metadata"]["uid"]
        for path in READ
        for item in api.call("GET", path)["items"]
    }


@pytest.mark.timeout(900)
def test_a_region_of_an_older_release_is_taken_over_and_its_pods_never_notice(engine: Engine, api: Cluster, tmp_path: Path) -> None:
    older = Engine(engine.region, checkout=older_release(tmp_path), state=engine._state.parent)
    assert set(older.up()) - {"same"}, "the older release is another one"
    assert not engine.no_changes()
    before = standing(api)
    assert set(engine.up()) - {"same"} == {"replace"}
    after = standing(api)
    assert after.keys() == before.keys()
    assert {name for name, uid in after.items() if uid != before[name]} == {"configmaps legal-gateway/gateway"}
    assert engine.no_changes()
