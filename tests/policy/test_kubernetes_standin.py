"""If this fails, the Kubernetes stand-in behaves otherwise than the official plugin was measured to, and what CI sees is not what happens.

The real engine drives it against a small API server in memory, on loopback: objects are made by POST, seen only in fields that the program
set, replaced where their names or data change, and gone at the end.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from curtilage.drift import of_events
from curtilage.engine import Engine
from curtilage.engine_build import engine_path
from curtilage.errors import StepError
from curtilage.paths import CHECKOUT
from curtilage.plugins import STANDIN
from curtilage.region import load_region

pytestmark = pytest.mark.skipif(engine_path() is None, reason="no Pulumi engine here: `python -m curtilage.engine_build` makes one")

PROGRAM = """
import pulumi, pulumi_kubernetes as k
cluster = k.Provider("cluster", context="fr-paris-legal")
opts = pulumi.ResourceOptions(provider=cluster)
k.core.v1.ConfigMap("settings", metadata={"name": "settings", "namespace": "legal"}, data={"a": "DATA"}, opts=opts)
k.core.v1.Secret("key", metadata={"name": "key", "namespace": "legal"}, string_data={"token": "cleartext-token"}, opts=opts)
k.networking.v1.NetworkPolicy("shut", metadata={"name": "shut", "namespace": "legal"},
    spec={"pod_selector": {}, "policy_types": TYPES}, opts=opts)
"""
KINDS = {
    "v1": {"ConfigMap": "configmaps", "Secret": "secrets"},
    "networking.k8s.io/v1": {"NetworkPolicy": "networkpolicies"},
}


class Api(BaseHTTPRequestHandler):
    """Objects by path, with what a server adds: uid, managers, a version."""

    objects: dict[str, Any]
    calls: list[tuple[str, str, dict[str, list[str]]]]

    def _answer(self, code: int, document: Any) -> None:
        data = json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _any(self) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        self.calls.append((self.command, parts.path, query))
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "null")
        version = parts.path.removeprefix("/apis/").removeprefix("/api/")
        if self.command == "GET" and version in KINDS:
            resources = [{"kind": kind, "name": name, "namespaced": True} for kind, name in KINDS[version].items()]
            return self._answer(200, {"resources": resources})
        path = f"{parts.path}/{body['metadata']['name']}" if self.command == "POST" else parts.path
        there = self.objects.get(path)
        if self.command == "POST":
            if there is not None:
                return self._answer(409, {"reason": "AlreadyExists", "message": f"{path} is there"})
            manager = {"manager": query["fieldManager"][0], "operation": "Update"}
            found = {**body, "metadata": {**body["metadata"], "uid": "u1", "managedFields": [manager]}}
            if "dryRun" not in query:
                self.objects[path] = found
            return self._answer(201, found)
        if there is None:
            return self._answer(404, {"reason": "NotFound", "message": path})
        if self.command == "PATCH":
            others = [item["manager"] for item in there["metadata"].get("managedFields", []) if not item["manager"].startswith("pulumi-")]
            if others and query["force"] != ["true"]:
                message = f'Apply failed with 1 conflict: conflict with "{others[0]}" using v1: .spec.policyTypes'
                return self._answer(409, {"reason": "Conflict", "message": message})
            changed = {**there, **{key: value for key, value in body.items() if key != "metadata"}}
            if "dryRun" not in query:
                self.objects[path] = changed
            return self._answer(200, changed)
        if self.command == "DELETE":
            del self.objects[path]
        return self._answer(200, there)

    do_GET = do_POST = do_PATCH = do_DELETE = _any

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def api() -> Iterator[type[Api]]:
    class Here(Api):
        objects: dict[str, Any] = {}  # noqa: RUF012 - one server, one store
        calls: list[tuple[str, str, dict[str, list[str]]]] = []  # noqa: RUF012

    server = ThreadingHTTPServer(("127.0.0.1", 0), Here)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    Here.port = server.server_port  # type: ignore[attr-defined]
    yield Here
    server.shutdown()
    server.server_close()
    thread.join()


class Stack:
    """A program of its own, run by the engine with our choice of plugins."""

    def __init__(self, directory: Path, api: type[Api]) -> None:
        self.directory = directory / "checkout"
        (self.directory / "stacks").mkdir(parents=True)
        shutil.copy(CHECKOUT / "Pulumi.yaml", self.directory)
        shutil.copy(CHECKOUT / "stacks" / "Pulumi.fr-paris.yaml", self.directory / "stacks")
        self.engine = Engine(load_region("fr-paris"), checkout=self.directory, state=directory / "state")
        context = {"name": "fr-paris-legal", "context": {"cluster": "c", "user": "u"}}
        cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{api.port}"}}  # type: ignore[attr-defined]
        self.config = directory / "kubeconfig"
        # The default context is another one, which does not exist: only the named one may be used.
        self.config.write_text(json.dumps({"current-context": "other", "contexts": [context], "clusters": [cluster], "users": []}))

    def written(self, data: str = "one", types: str = '["Ingress", "Egress"]') -> None:
        (self.directory / "__main__.py").write_text(PROGRAM.replace("DATA", data).replace("TYPES", types))

    def run(self, verb: str, *flags: str, data: str = "one", types: str = '["Ingress", "Egress"]') -> subprocess.CompletedProcess[str]:
        self.written(data, types)
        self.engine._prepare()
        return self.engine._run(verb, *flags, *self.engine._on_stack())


@pytest.fixture
def stack(tmp_path: Path, api: type[Api], monkeypatch: pytest.MonkeyPatch) -> Stack:
    found = Stack(tmp_path, api)
    if found.engine.plugins[0].kind != STANDIN:
        pytest.skip("the official plugin is installed; it is what was measured")
    monkeypatch.setenv("KUBECONFIG", str(found.config))
    return found


def test_the_life_of_objects_is_that_of_the_official_plugin(stack: Stack, api: type[Api], tmp_path: Path) -> None:
    policy = "/apis/networking.k8s.io/v1/namespaces/legal/networkpolicies/shut"
    settings, key = "/api/v1/namespaces/legal/configmaps/settings", "/api/v1/namespaces/legal/secrets/key"

    previewed = stack.run("preview")
    assert previewed.returncode == 0, previewed.stderr
    assert api.objects == {}, "a preview is a dry run"
    assert any(call[0] == "POST" and call[2].get("dryRun") == ["All"] for call in api.calls)

    made = stack.run("up", "--yes", "--skip-preview")
    assert made.returncode == 0, made.stdout + made.stderr
    assert set(api.objects) == {policy, settings, key}
    assert api.objects[key]["data"] == {"token": "Y2xlYXJ0ZXh0LXRva2Vu"}
    assert {call[2]["fieldManager"][0] for call in api.calls if call[0] == "POST"} == {"pulumi-kubernetes"}
    state = "".join(path.read_text() for path in (tmp_path / "state").rglob("*.json*") if path.is_file())
    assert "fr-paris" in state
    assert "cleartext-token" not in state
    assert "Y2xlYXJ0ZXh0LXRva2Vu" not in state, "a Secret's data is secret as a whole"

    api.calls.clear()
    again = stack.run("preview", "--expect-no-changes")
    assert again.returncode == 0, again.stdout
    assert not [call for call in api.calls if call[0] != "GET"], "unchanged inputs are not even looked at"

    api.objects[policy]["spec"]["egress"] = [{}]
    unseen = stack.run("refresh", "--preview-only", "--expect-no-changes")
    assert unseen.returncode == 0, "an opening in a field that the program left out is not seen: the auditor reads live objects itself"
    api.objects[policy]["spec"]["policyTypes"] = ["Ingress"]
    seen = stack.run("refresh", "--preview-only", "--expect-no-changes")
    assert seen.returncode != 0, "drift in a field that the program set is seen"

    api.calls.clear()
    replaced = stack.run("up", "--yes", "--skip-preview", data="two")
    assert replaced.returncode == 0, replaced.stdout
    order = [call[0] for call in api.calls if "configmaps" in call[1] and call[0] in ("POST", "DELETE")]
    assert order == ["DELETE", "POST"], "a ConfigMap's data replaces it, and its name is free first"
    assert api.objects[settings]["data"] == {"a": "two"}

    gone = stack.run("destroy", "--yes", "--skip-preview", data="two")
    assert gone.returncode == 0, gone.stdout
    assert api.objects == {}


def test_drift_is_one_finding_a_resource_and_red_where_the_seal_may_be_open(stack: Stack, api: type[Api]) -> None:
    with pytest.raises(StepError, match="not up"):
        stack.engine.refreshed()
    assert stack.run("up", "--yes", "--skip-preview").returncode == 0
    assert of_events(stack.engine.refreshed()) == ()

    api.objects["/apis/networking.k8s.io/v1/namespaces/legal/networkpolicies/shut"]["spec"]["policyTypes"] = ["Ingress"]
    api.objects["/api/v1/namespaces/legal/secrets/key"]["data"] = {"token": "b3RoZXItY2xlYXJ0ZXh0"}
    del api.objects["/api/v1/namespaces/legal/configmaps/settings"]
    before, api.calls[:] = dict(api.objects), []
    found = of_events(stack.engine.refreshed())
    assert [(item.name, item.area, item.change, item.red) for item in found] == [
        ("key", "keys", "update", True),
        ("shut", "network", "update", True),
        ("settings", "other", "delete", False),
    ]
    assert found[1].details == ('spec.policyTypes: ["Ingress", "Egress"] -> ["Ingress"]',)
    assert "cleartext" not in str(found)
    assert "b3RoZXI" not in str(found)
    assert api.objects == before, "it only looks"
    assert {call[0] for call in api.calls} == {"GET"}
    assert of_events(stack.engine.refreshed()) == found, "a look does not make the drift the new state"


def test_an_object_that_is_there_already_is_never_taken_over(stack: Stack, api: type[Api]) -> None:
    api.objects["/api/v1/namespaces/legal/configmaps/settings"] = {
        "kind": "ConfigMap",
        "metadata": {"name": "settings"},
        "data": {"a": "x"},
    }
    assert stack.run("preview").returncode == 0, "a preview does not see it"
    refused = stack.run("up", "--yes", "--skip-preview")
    assert refused.returncode != 0
    assert "AlreadyExists" in refused.stdout + refused.stderr
    assert api.objects["/api/v1/namespaces/legal/configmaps/settings"]["data"] == {"a": "x"}


def test_one_preview_that_looks_says_whether_anything_is_to_do_and_up_repairs_what_it_saw(stack: Stack, api: type[Api]) -> None:
    assert stack.run("up", "--yes", "--skip-preview").returncode == 0
    stack.written()
    looked = stack.engine.preview(judged=False, refresh=True)
    assert looked.nothing_to_do, looked.changes

    policy = "/apis/networking.k8s.io/v1/namespaces/legal/networkpolicies/shut"
    api.objects[policy]["spec"]["policyTypes"] = ["Ingress"]
    assert stack.engine.preview(judged=False).nothing_to_do, "a plan alone never looks at what stands"
    before = json.dumps(api.objects)
    drifted = stack.engine.preview(judged=False, refresh=True)
    assert not drifted.nothing_to_do
    assert drifted.digest == looked.digest, "what the plan leads to is the same; only the way there differs"
    assert json.dumps(api.objects) == before, "it only looks"

    done = stack.engine._run("up", "--yes", "--skip-preview", "--refresh", "--plan", str(drifted.saved), *stack.engine._on_stack())
    assert done.returncode == 0, done.stdout + done.stderr
    assert api.objects[policy]["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_an_edit_by_kubectl_does_not_stop_the_repair_and_an_edit_by_a_controller_does(stack: Stack, api: type[Api]) -> None:
    assert stack.run("up", "--yes", "--skip-preview").returncode == 0
    policy = "/apis/networking.k8s.io/v1/namespaces/legal/networkpolicies/shut"

    def edited(manager: str) -> None:
        api.objects[policy]["spec"]["policyTypes"] = ["Ingress"]
        api.objects[policy]["metadata"]["managedFields"] = [{"manager": manager, "operation": "Update"}]

    edited("argocd-controller")
    with pytest.raises(StepError, match="argocd-controller"):
        stack.engine.preview(judged=False, refresh=True)
    edited("kubectl-edit")
    plan = stack.engine.preview(judged=False, refresh=True)
    assert plan.contested
    assert plan.refreshed
    assert not plan.nothing_to_do
    assert plan.saved is None, "its record knows of no repair"
    done = stack.engine._run("up", "--yes", "--skip-preview", "--refresh", *stack.engine._on_stack())
    assert done.returncode == 0, done.stdout + done.stderr
    assert api.objects[policy]["spec"]["policyTypes"] == ["Ingress", "Egress"]
