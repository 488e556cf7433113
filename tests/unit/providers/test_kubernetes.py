"""If this fails, the Kubernetes stand-in answers the engine otherwise than the official plugin was measured to, request by request.

Numbers are items of that measurement. The engine itself drives the stand-in in tests/policy/test_kubernetes_standin.py; here each answer
is asked for alone, over a cluster in memory, so that the rare ones (conflicts, a namespace to come, nobody there, never ready) are too.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, NoReturn

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from lab.providers import kubernetes
from lab.providers.kube_api import ApiError, Kind, Unreachable
from lab.providers.kubernetes import Kubernetes
from lab.providers.schema import UNKNOWN
from lab.providers.server import to_plain, to_struct

KINDS = {
    "ConfigMap": Kind("configmaps", True),
    "Deployment": Kind("deployments", True),
    "Namespace": Kind("namespaces", False),
    "NetworkPolicy": Kind("networkpolicies", True),
    "ResourceQuota": Kind("resourcequotas", True),
}
TYPES = {"NetworkPolicy": "networking.k8s.io/v1", "Deployment": "apps/v1"}


class Aborted(Exception):
    """What the engine is told instead of an answer."""

    def __init__(self, code: Any, details: str) -> None:
        super().__init__(details)
        self.code = code


class Context:
    """Of one request."""

    def __init__(self) -> None:
        self.metadata: Any = ()

    def abort(self, code: Any, details: str) -> NoReturn:
        raise Aborted(code, details)

    def set_trailing_metadata(self, metadata: Any) -> None:
        self.metadata = metadata


class Memory:
    """Objects by path, with what a server adds; ``refuse`` answers a call with an error instead."""

    namespace = "of-the-context"

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}
        self.calls: list[tuple[str, str, dict[str, str]]] = []
        self.refuse: dict[tuple[str, bool], list[Exception]] = {}
        self.served = dict(KINDS)

    def kind(self, api_version: str, kind: str) -> Kind | None:
        return self.served.get(kind)

    def path(self, item: dict[str, Any], *, named: bool) -> str:
        where = self.served.get(item["kind"])
        if where is None:
            raise LookupError(f'no matches for kind "{item["kind"]}"')
        meta = item["metadata"]
        scope = f"{meta['namespace']}/" if where.namespaced else ""
        return f"/{scope}{where.plural}" + (f"/{meta['name']}" if named else "")

    def call(self, method: str, path: str, body: Any = None, kind: str = "", **query: str) -> Any:
        self.calls.append((method, path, query))
        errors = self.refuse.get((method, "dryRun" in query))
        if errors:
            raise errors.pop(0)
        if method == "POST":
            path = f"{path}/{body['metadata']['name']}"
            if path in self.objects:
                raise ApiError(409, "AlreadyExists", path)
            found = {**deepcopy(body), "status": {"server": True}}
            found["metadata"] |= {"uid": "u1", "managedFields": [{"manager": query["fieldManager"], "operation": "Update"}]}
        elif path not in self.objects:
            raise ApiError(404, "NotFound", path)
        elif method == "PATCH":
            found = {**self.objects[path], **{key: value for key, value in deepcopy(body).items() if key != "metadata"}}
        elif method == "DELETE":
            return self.objects.pop(path)
        else:
            return deepcopy(self.objects[path])
        if "dryRun" not in query:
            self.objects[path] = found
        return deepcopy(found)


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def provider(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> Kubernetes:
    found = Kubernetes()
    found.cluster = memory  # type: ignore[assignment]
    monkeypatch.setattr(kubernetes.time, "sleep", lambda seconds: None)
    return found


def policy(**meta: Any) -> dict[str, Any]:
    spec = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "shut", "namespace": "legal", **meta},
        "spec": spec,
    }


def urn(item: dict[str, Any], name: str = "res") -> str:
    version = item["apiVersion"] if "/" in item["apiVersion"] else f"core/{item['apiVersion']}"
    return f"urn:pulumi:s::p::kubernetes:{version}:{item['kind']}::{name}"


def checked(provider: Kubernetes, item: dict[str, Any], olds: dict[str, Any] | None = None) -> Any:
    request = provider_pb2.CheckRequest(urn=urn(item), news=to_struct(item), olds=to_struct(olds or {}), randomSeed=b"\x01\x02\x03\x04\x05")
    return provider.Check(request, Context())


def created(provider: Kubernetes, item: dict[str, Any], context: Context | None = None, **given: Any) -> Any:
    return provider.Create(provider_pb2.CreateRequest(urn=urn(item), properties=to_struct(item), **given), context or Context())


def test_1_it_takes_secrets_previews_and_names_and_refuses_the_handshake(provider: Kubernetes) -> None:
    found = provider.Configure(provider_pb2.ConfigureRequest(), Context())
    assert (found.acceptSecrets, found.supportsPreview, found.supports_autonaming_configuration) == (True, True, True)
    assert not found.acceptResources
    with pytest.raises(Aborted) as refused:
        provider.Handshake(None, Context())
    assert refused.value.code is grpc.StatusCode.UNIMPLEMENTED


def test_2_an_id_is_namespace_and_name_or_the_name_alone_and_a_preview_has_none(provider: Kubernetes) -> None:
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "legal"}}
    assert created(provider, policy(), preview=True).id == ""
    assert created(provider, policy()).id == "legal/shut"
    assert created(provider, space).id == "legal"


def test_4_the_namespace_is_the_programs_then_the_providers_then_the_contexts(provider: Kubernetes, memory: Memory) -> None:
    item = policy()
    assert to_plain(checked(provider, item).inputs)["metadata"]["namespace"] == "legal"
    del item["metadata"]["namespace"]
    assert to_plain(checked(provider, item).inputs)["metadata"]["namespace"] == "of-the-context"
    memory.namespace = "default"
    assert to_plain(checked(provider, item).inputs)["metadata"]["namespace"] == "default"
    provider.namespace = "of-the-provider"
    assert to_plain(checked(provider, item).inputs)["metadata"]["namespace"] == "of-the-provider"
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "legal"}}
    assert "namespace" not in to_plain(checked(provider, space).inputs)["metadata"]


def test_3_a_generated_name_is_refused(provider: Kubernetes) -> None:
    failures = checked(provider, policy(generateName="shut-")).failures
    assert [item.property for item in failures] == ["metadata.generateName"]


def test_5_nothing_vanishes_while_a_value_is_unknown(provider: Kubernetes) -> None:
    item = policy()
    item["spec"] |= {"egress": [], "nonsense": 1}
    assert to_plain(checked(provider, item).inputs)["spec"] == policy()["spec"], "unknown fields and empty lists vanish"
    item["spec"]["podSelector"] = UNKNOWN
    assert set(to_plain(checked(provider, item).inputs)["spec"]) == {"podSelector", "policyTypes", "egress", "nonsense"}


def test_7_what_the_server_writes_is_no_input(provider: Kubernetes) -> None:
    found = to_plain(checked(provider, policy(uid="u", resourceVersion="7", managedFields=[{"manager": "x"}])).inputs)
    assert set(found["metadata"]) == {"name", "namespace"}


def test_8_a_preview_is_a_dry_run_without_its_status_and_an_invalid_object_fails_it(provider: Kubernetes, memory: Memory) -> None:
    found = to_plain(created(provider, policy(), preview=True).properties)
    assert memory.calls[-1][2]["dryRun"] == "All"
    assert memory.objects == {}
    assert "status" not in found
    assert found["metadata"]["uid"] == "u1", "what admission and defaults made of it is shown"
    memory.refuse["POST", True] = [ApiError(422, "Invalid", "spec.policyTypes")]
    with pytest.raises(Aborted, match=r"spec\.policyTypes"):
        created(provider, policy(), preview=True)


@pytest.mark.parametrize(
    "error",
    [
        ApiError(403, "Forbidden", "an admission policy with reason Forbidden"),
        ApiError(404, "NotFound", 'namespaces "legal" not found'),
        ApiError(409, "AlreadyExists", "it is there"),
        Unreachable("nobody"),
    ],
    ids=["9 forbidden", "9 namespace to come", "10 there already", "11 nobody answers"],
)
def test_what_a_preview_does_not_see(error: Exception, provider: Kubernetes, memory: Memory) -> None:
    memory.refuse["POST", True] = [error]
    assert to_plain(created(provider, policy(), preview=True).properties) == policy(), "the inputs, unchecked"


def test_9_a_kind_that_is_not_served_yet_and_an_unknown_value_are_echoed(provider: Kubernetes, memory: Memory) -> None:
    del memory.served["NetworkPolicy"]
    assert to_plain(created(provider, policy(), preview=True).properties) == policy()
    item = policy(labels={"owner": UNKNOWN})
    assert to_plain(created(provider, item, preview=True).properties) == item
    assert memory.calls == []


def test_10_12_an_object_that_is_there_is_an_error_and_stays_as_it_is(provider: Kubernetes, memory: Memory) -> None:
    there = policy() | {"spec": {"egress": [{}]}}
    memory.objects["/legal/networkpolicies/shut"] = there
    with pytest.raises(Aborted, match="AlreadyExists"):
        created(provider, policy())
    assert memory.objects["/legal/networkpolicies/shut"] == there


def test_11_nobody_there_fails_a_look_an_update_and_a_create(provider: Kubernetes, memory: Memory) -> None:
    state = to_struct(policy())
    for method, ask in (
        (
            "GET",
            lambda: provider.Read(provider_pb2.ReadRequest(id="legal/shut", urn=urn(policy()), properties=state, inputs=state), Context()),
        ),
        ("POST", lambda: created(provider, policy())),
        ("DELETE", lambda: provider.Delete(provider_pb2.DeleteRequest(id="legal/shut", urn=urn(policy()), properties=state), Context())),
    ):
        memory.refuse[method, False] = [Unreachable("127.0.0.1:1: refused")]
        with pytest.raises(Aborted, match="refused") as seen:
            ask()
        assert seen.value.code is grpc.StatusCode.UNAVAILABLE, "an empty cluster and a silent one are two things"


def test_13_what_is_about_to_be_there_is_waited_for_and_then_given_up(provider: Kubernetes, memory: Memory) -> None:
    memory.refuse["POST", False] = [ApiError(404, "NotFound", "namespace") for _ in range(3)]
    assert created(provider, policy()).id == "legal/shut"
    memory.objects.clear()
    memory.refuse["POST", False] = [ApiError(404, "NotFound", "namespace") for _ in range(kubernetes.RETRIES + 1)]
    with pytest.raises(Aborted, match="namespace"):
        created(provider, policy())
    memory.refuse["POST", False] = [ApiError(403, "Forbidden", "by admission")]
    before = len(memory.calls)
    with pytest.raises(Aborted, match="by admission"):
        created(provider, policy())
    assert len(memory.calls) == before + 1, "a refusal is not asked for again"


def test_12_14_the_state_is_the_live_object_with_inputs_and_the_owner_of_its_fields(provider: Kubernetes, memory: Memory) -> None:
    found = to_plain(created(provider, policy()).properties)
    assert memory.calls[0][2] == {"fieldManager": "pulumi-kubernetes"}
    assert found["__inputs"] == policy()
    assert found["__initialApiVersion"] == "networking.k8s.io/v1"
    manager = found["__fieldManager"]
    assert manager.startswith("pulumi-kubernetes-")
    assert len(manager) == len("pulumi-kubernetes-") + 8
    assert found["status"] == {"server": True}
    assert "annotations" not in found["metadata"], "nothing of a last-applied annotation"
    # For life: an update goes on under it.
    request = provider_pb2.UpdateRequest(id="legal/shut", urn=urn(policy()), olds=to_struct(found), news=to_struct(policy()))
    after = to_plain(provider.Update(request, Context()).properties)
    assert after["__fieldManager"] == manager
    assert next(call for call in memory.calls if call[0] == "PATCH")[2]["fieldManager"] == manager


def test_15_what_never_gets_ready_is_an_error_that_keeps_the_object_and_its_state(provider: Kubernetes, memory: Memory) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "cards", "namespace": "legal", "annotations": {"pulumi.com/timeoutSeconds": "0"}},
        "spec": {"hard": {"requests.nvidia.com/gpu": "4"}},
    }
    provider.stopped.set()
    context = Context()
    with pytest.raises(Aborted, match="not ready after 0 s"):
        created(provider, quota, context)
    assert "/legal/resourcequotas/cards" in memory.objects
    assert [key for key, _ in context.metadata] == ["grpc-status-details-bin"], "the engine keeps what was made, and tries again"
    quota["metadata"]["annotations"] = {"pulumi.com/skipAwait": "true"}
    memory.objects.clear()
    assert created(provider, quota).id == "legal/cards"


def diffed(provider: Kubernetes, old: dict[str, Any], live: dict[str, Any], new: dict[str, Any]) -> Any:
    request = provider_pb2.DiffRequest(id="x", urn=urn(new), olds=to_struct(live), old_inputs=to_struct(old), news=to_struct(new))
    return provider.Diff(request, Context())


def test_16_the_live_object_is_compared_in_the_shape_of_the_old_inputs(provider: Kubernetes) -> None:
    opened = deepcopy(policy()) | {"status": {"server": True}}
    opened["spec"]["egress"] = [{}]
    assert diffed(provider, policy(), opened, policy()).changes == provider_pb2.DiffResponse.DIFF_NONE, "left out, so not seen (20)"
    opened["spec"]["policyTypes"] = ["Ingress"]
    found = diffed(provider, policy(), opened, policy())
    assert found.changes == provider_pb2.DiffResponse.DIFF_SOME
    assert found.hasDetailedDiff
    assert list(found.detailedDiff) == ["spec.policyTypes"]


def test_17_18_a_new_name_is_made_first_and_a_kept_one_is_freed_first(provider: Kubernetes) -> None:
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "legal"}, "data": {"k": "1"}}
    changed = settings | {"data": {"k": "2"}}
    found = diffed(provider, settings, settings, changed)
    assert (list(found.replaces), found.deleteBeforeReplace) == (["data.k"], True)
    renamed = settings | {"metadata": {"name": "b", "namespace": "legal"}}
    found = diffed(provider, settings, settings, renamed)
    assert (list(found.replaces), found.deleteBeforeReplace) == (["metadata.name"], False)


def test_19_what_is_gone_or_of_a_kind_that_is_gone_is_deleted(provider: Kubernetes, memory: Memory) -> None:
    state = to_struct(policy())
    request = provider_pb2.ReadRequest(id="legal/shut", urn=urn(policy()), properties=state, inputs=state)
    assert provider.Read(request, Context()).id == ""
    created(provider, policy())
    assert provider.Read(request, Context()).id == "legal/shut"
    del memory.served["NetworkPolicy"]
    assert provider.Read(request, Context()).id == ""


@pytest.mark.parametrize(
    ("drift", "seen"),
    [
        (lambda spec: spec.update(policyTypes=["Ingress"]), True),
        (lambda spec: spec.update(podSelector={"matchLabels": {"a": "b"}}), False),
        (lambda spec: spec.update(egress=[{}]), False),
        (lambda spec: spec["ingress"].append({}), False),
        (lambda spec: spec["ingress"].insert(0, {"from": [{"podSelector": {}}]}), True),
        (lambda spec: spec["ingress"][0]["from"].append({"ipBlock": {"cidr": "0.0.0.0/0"}}), False),
    ],
    ids=["value changed", "label added to a selector", "field that was left out", "rule appended", "rule prepended", "peer appended"],
)
def test_20_drift_is_seen_only_in_what_the_program_set(drift: Any, seen: bool, provider: Kubernetes, memory: Memory) -> None:
    item = policy()
    item["spec"]["ingress"] = [{"from": [{"namespaceSelector": {"matchLabels": {"a": "b"}}}]}]
    created(provider, item)
    drift(memory.objects["/legal/networkpolicies/shut"]["spec"])
    state = to_struct(item)
    read = provider.Read(provider_pb2.ReadRequest(id="legal/shut", urn=urn(item), properties=state, inputs=state), Context())
    assert (to_plain(read.inputs) != item) is seen


def updated(provider: Kubernetes, **given: Any) -> Any:
    olds = policy() | {"__fieldManager": "pulumi-kubernetes-0a0b0c0d"}
    news = policy(**given.pop("meta", {}))
    return provider.Update(
        provider_pb2.UpdateRequest(id="legal/shut", urn=urn(policy()), olds=to_struct(olds), news=to_struct(news), **given), Context()
    )


@pytest.mark.parametrize(
    ("manager", "meta", "forced"),
    [
        ("kubectl-edit", {}, "true"),
        ("before-first-apply", {}, "true"),
        ("argocd-controller", {}, "false"),
        ("argocd-controller", {"annotations": {"pulumi.com/patchForce": "true"}}, "true"),
    ],
)
def test_23_fields_of_kubectl_are_taken_over_and_anothers_are_a_conflict(
    manager: str, meta: dict[str, Any], forced: str, provider: Kubernetes, memory: Memory
) -> None:
    created(provider, policy())
    memory.objects["/legal/networkpolicies/shut"]["metadata"]["managedFields"] = [{"manager": manager, "operation": "Update"}]
    updated(provider, meta=meta)
    assert [call[2]["force"] for call in memory.calls if call[0] == "PATCH"] == [forced]
    memory.refuse["PATCH", False] = [ApiError(409, "Conflict", "conflict with argocd-controller")]
    with pytest.raises(Aborted, match="conflict with"):
        updated(provider)


def test_24_a_preview_takes_nothing_over(provider: Kubernetes, memory: Memory) -> None:
    created(provider, policy())
    memory.objects["/legal/networkpolicies/shut"]["metadata"]["managedFields"] = [{"manager": "kubectl-edit", "operation": "Update"}]
    updated(provider, preview=True)
    query = memory.calls[-1][2]
    assert (query["force"], query["dryRun"]) == ("false", "All")


def test_25_a_deletion_waits_until_it_is_gone_and_what_is_gone_is_deleted(provider: Kubernetes, memory: Memory) -> None:
    created(provider, policy())
    request = provider_pb2.DeleteRequest(id="legal/shut", urn=urn(policy()), properties=to_struct(policy()))
    provider.Delete(request, Context())
    assert [call[0] for call in memory.calls[-2:]] == ["DELETE", "GET"]
    assert memory.objects == {}
    provider.Delete(request, Context())
