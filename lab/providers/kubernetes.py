"""Stand-in for ``pulumi-resource-kubernetes``: a provider that behaves as the official one was measured to.

Numbers in comments are items of that measurement: what Check changes (3-7), what a preview shows and what it does not (8-11), create as
POST (12-14), waiting (15), differences against the live object (16-18), refresh that sees only what the program set (19-20), update by
server-side apply (23), delete (25). Autonamed replacement order and CRD PUT follow; ``kubectl`` fields are taken over by force on conflict
with managers of that name.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import grpc  # type: ignore[import-untyped]
from google.protobuf import any_pb2, empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import provider_pb2
from pulumi.runtime.proto.status_pb2 import Status

from lab.providers.kube_api import ApiError, Cluster, Unreachable
from lab.providers.kube_objects import (
    CLUSTER_SCOPED,
    READONLY,
    autoname,
    bare,
    differences,
    has_unknown,
    place,
    pruned,
    replaces,
    secret,
    shaped,
)
from lab.providers.schema import SECRET, SIGNATURE, Schema, problems
from lab.providers.server import Provider, serve, to_plain, to_struct

MANAGER = "pulumi-kubernetes"
RECORDED = "CURTILAGE_AWS_RECORDED"
WAIT_SECONDS = 600
RETRIES = 5
_KINDS = {
    "add": (provider_pb2.PropertyDiff.ADD, provider_pb2.PropertyDiff.ADD_REPLACE),
    "delete": (provider_pb2.PropertyDiff.DELETE, provider_pb2.PropertyDiff.DELETE_REPLACE),
    "update": (provider_pb2.PropertyDiff.UPDATE, provider_pb2.PropertyDiff.UPDATE_REPLACE),
}
_OWN = ("kubectl", "before-first-apply", "pulumi-kubernetes", "pulumi-resource-kubernetes")


class Kubernetes(Provider):
    """The stand-in."""

    name = "kubernetes"
    version = "4.0.0-standin"

    def __init__(self) -> None:
        super().__init__()
        self.schema = Schema("pulumi_kubernetes")
        self.cluster: Cluster | None = None
        self.why = "not configured"
        self.namespace = ""
        self.recorded = False

    def Configure(self, request: Any, context: Any) -> Any:
        found = bare(to_plain(request.args))
        self.namespace = str(found.get("namespace") or "")
        # The stand-in for AWS marks a cluster that it only recorded: there is no API to ask, so its objects are recorded too.
        self.recorded = os.environ.get(RECORDED) == "1" and '"server": "recorded-' in str(found.get("kubeconfig") or "")
        if self.recorded:
            self.why = "the cluster is recorded, not made"
        elif has_unknown(found):
            self.why = "the cluster's address is not known before the update"
        else:
            try:
                self.cluster = Cluster(str(found.get("kubeconfig") or ""), str(found.get("context") or ""))
            except LookupError as error:
                self.why = str(error)
        # 1: what the official one answers.
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=False, supports_autonaming_configuration=True
        )

    def Check(self, request: Any, context: Any) -> Any:
        news, olds = to_plain(request.news), to_plain(request.olds)
        kind = _token(request)
        if "generateName" in news.get("metadata", {}):
            failure = provider_pb2.CheckFailure(
                property="metadata.generateName", reason="generateName is not supported: the name must stay"
            )
            return provider_pb2.CheckResponse(inputs=request.news, failures=[failure])
        autoname(news, olds, request.urn.rsplit("::", 1)[-1], request.randomSeed)
        place(news, self.namespace or (self.cluster.namespace if self.cluster else ""), namespaced=self._namespaced(news))
        for field in READONLY:
            news["metadata"].pop(field, None)
        failures: list[Any] = []
        if self.schema.knows(kind) and not has_unknown(news):
            # 5: what the type does not know vanishes without a word, so a word is said here.
            news, gone = pruned(self.schema, kind, news)
            failures = [
                provider_pb2.CheckFailure(property=key, reason=why)
                for key, why in problems(self.schema.type(kind), bare(news))
                if key not in ("apiVersion", "kind")
            ]
            for path in gone:
                self.warn(f"{kind} {news['metadata'].get('name')}: field {path} is unknown and was dropped, as the official plugin does")
        if news.get("kind") == "Secret":
            secret(news)
        return provider_pb2.CheckResponse(inputs=to_struct(news), failures=failures)

    def warn(self, text: str) -> None:
        """Say something; the engine shows a plugin's standard error."""
        sys.stderr.write(f"warning: {text}\n")

    def Diff(self, request: Any, context: Any) -> Any:
        olds, old_inputs, news = to_plain(request.olds), to_plain(request.old_inputs), to_plain(request.news)
        # 16: against the live object in the state, in the shape of the old inputs.
        live = shaped(bare(olds), bare(old_inputs))
        found = differences(live, bare(news))
        replacing = replaces(str(news.get("kind")), list(found))
        detail = {path: provider_pb2.PropertyDiff(kind=_KINDS[what][path in replacing]) for path, what in found.items()}
        changes = provider_pb2.DiffResponse.DIFF_SOME if found else provider_pb2.DiffResponse.DIFF_NONE
        same = (news.get("metadata", {}).get("name"), news.get("metadata", {}).get("namespace")) == (
            olds.get("metadata", {}).get("name"),
            olds.get("metadata", {}).get("namespace"),
        )
        return provider_pb2.DiffResponse(
            changes=changes,
            replaces=replacing,
            diffs=sorted({path.split(".")[0].split("[")[0] for path in found}),
            detailedDiff=detail,
            hasDetailedDiff=True,
            # 18: the old one goes first only where the new one takes its name.
            deleteBeforeReplace=bool(replacing) and same,
        )

    def Create(self, request: Any, context: Any) -> Any:
        inputs = to_plain(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(id="", properties=to_struct(self._previewed(inputs, context)))
        if self.recorded:
            return provider_pb2.CreateResponse(id=_id(bare(inputs)), properties=to_struct(self._kept(inputs)))
        cluster = self._reached(context)
        item = bare(inputs)
        manager = f"{MANAGER}-{request.urn.encode().hex()[-8:]}"
        live: dict[str, Any] = {}
        for attempt in range(RETRIES + 1):
            try:
                # 12: a plain POST: an object that is there already is an error, never taken over.
                live = cluster.call("POST", cluster.path(item, named=False), item, fieldManager=MANAGER)
                break
            except Unreachable as error:
                context.abort(grpc.StatusCode.UNAVAILABLE, f"{item['kind']} {_id(item)}: {error}")
            except (LookupError, ApiError) as error:
                # 13: a kind or a namespace that is about to be there.
                if attempt == RETRIES or (isinstance(error, ApiError) and error.code != 404):
                    context.abort(grpc.StatusCode.UNKNOWN, f"{item['kind']} {_id(item)}: {error}")
                time.sleep(2**attempt / 2)
        return self._settled(cluster, inputs, live, manager, context)

    def _previewed(self, inputs: dict[str, Any], context: Any) -> dict[str, Any]:
        """8 to 11: a dry run on the server where one can be made, else the inputs as they are."""
        if self.cluster is None or has_unknown(inputs):
            return inputs
        item = bare(inputs)
        try:
            found = self.cluster.call("POST", self.cluster.path(item, named=False), item, dryRun="All", fieldManager=MANAGER)
        except (LookupError, Unreachable):
            return inputs
        except ApiError as error:
            if error.code in (403, 404, 409):
                return inputs
            context.abort(grpc.StatusCode.UNKNOWN, f"{item['kind']} {_id(item)}: {error}")
        found.pop("status", None)
        return _sealed(found)

    def Read(self, request: Any, context: Any) -> Any:
        if self.recorded:
            return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)
        state, old_inputs = to_plain(request.properties), to_plain(request.inputs)
        cluster = self._reached(context)
        item = bare(state) or _named_by(request)
        try:
            live = cluster.call("GET", cluster.path(item, named=True))
        except LookupError:
            return provider_pb2.ReadResponse(id="")
        except Unreachable as error:
            # 11: a look that sees nobody is a failed look, not an empty cluster.
            context.abort(grpc.StatusCode.UNAVAILABLE, f"{request.id}: {error}")
        except ApiError as error:
            if error.code == 404:
                return provider_pb2.ReadResponse(id="")
            context.abort(grpc.StatusCode.UNKNOWN, f"{request.id}: {error}")
        # 19, 20: inputs are the live object in the shape of the old inputs; what the program left out is never seen.
        seen = shaped(live, bare(old_inputs)) if old_inputs else live
        return provider_pb2.ReadResponse(
            id=request.id,
            properties=to_struct(self._state(old_inputs or seen, live, str(state.get("__fieldManager") or MANAGER))),
            inputs=to_struct(_sealed(seen)),
        )

    def Update(self, request: Any, context: Any) -> Any:
        olds, news = to_plain(request.olds), to_plain(request.news)
        manager = str(olds.get("__fieldManager") or MANAGER)
        if self.recorded and not request.preview:
            return provider_pb2.UpdateResponse(properties=to_struct(self._kept(news)))
        if request.preview and (self.cluster is None or has_unknown(news)):
            return provider_pb2.UpdateResponse(properties=to_struct(olds | news))
        cluster = self._reached(context)
        item = bare(news)
        dry = {"dryRun": "All"} if request.preview else {}
        notes = item["metadata"].get("annotations") or {}
        force = notes.get("pulumi.com/patchForce") == "true"
        path = cluster.path(item, named=True)
        if not force and not request.preview:
            force = self._only_ours(cluster, path)
        try:
            live = cluster.call("PATCH", path, item, "application/apply-patch+yaml", fieldManager=manager, force=str(force).lower(), **dry)
        except Unreachable as error:
            if request.preview:
                return provider_pb2.UpdateResponse(properties=to_struct(olds | news))
            context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        except ApiError as error:
            context.abort(grpc.StatusCode.UNKNOWN, f"{item['kind']} {_id(item)}: {error}")
        if not request.preview:
            self._wait(cluster, live)
            live = cluster.call("GET", path)
        return provider_pb2.UpdateResponse(properties=to_struct(self._state(news, live, manager)))

    def _only_ours(self, cluster: Cluster, path: str) -> bool:
        """23: fields of kubectl and of our own kind are taken over; any other manager's is a conflict that a person decides."""
        managers = cluster.call("GET", path).get("metadata", {}).get("managedFields", [])
        return all(str(item.get("manager", "")).startswith(_OWN) or item.get("subresource") for item in managers)

    def Delete(self, request: Any, context: Any) -> Any:
        if self.recorded:
            return empty_pb2.Empty()
        cluster = self._reached(context)
        item = bare(to_plain(request.properties))
        policy = (item["metadata"].get("annotations") or {}).get("pulumi.com/deletionPropagationPolicy", "foreground").capitalize()
        try:
            path = cluster.path(item, named=True)
            cluster.call("DELETE", path, {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": policy})
            end = time.monotonic() + WAIT_SECONDS
            while time.monotonic() < end and not self.stopped.wait(0.2):
                cluster.call("GET", path)
        except LookupError:
            return empty_pb2.Empty()
        except Unreachable as error:
            context.abort(grpc.StatusCode.UNAVAILABLE, f"{request.id}: {error}")
        except ApiError as error:
            if error.code == 404:
                return empty_pb2.Empty()
            context.abort(grpc.StatusCode.UNKNOWN, f"{request.id}: {error}")
        return context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, f"{request.id} is still there after {WAIT_SECONDS} s: see its finalizers")

    # How.

    def _namespaced(self, inputs: dict[str, Any]) -> bool:
        if self.cluster is not None:
            try:
                found = self.cluster.kind(str(inputs.get("apiVersion")), str(inputs.get("kind")))
            except (Unreachable, ApiError):
                found = None
            if found is not None:
                return found.namespaced
        return inputs.get("kind") not in CLUSTER_SCOPED

    def _kept(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """What an update would leave in the state, marked: no cluster has it."""
        return self._state(inputs, {**inputs, "metadata": {**inputs["metadata"], "uid": "recorded"}}, "recorded")

    def _reached(self, context: Any) -> Cluster:
        if self.cluster is None:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"no cluster: {self.why}")
        cluster = self.cluster
        assert cluster is not None  # noqa: S101 - abort raises; for the type checker
        return cluster

    def _settled(self, cluster: Cluster, inputs: dict[str, Any], live: dict[str, Any], manager: str, context: Any) -> Any:
        """15: wait for what has a state of its own; one that never comes stays, and its state is kept."""
        try:
            self._wait(cluster, live)
        except TimeoutError as error:
            state = self._state(inputs, live, manager)
            detail = provider_pb2.ErrorResourceInitFailed(
                id=_id(live), properties=to_struct(state), reasons=[str(error)], inputs=to_struct(inputs)
            )
            packed = any_pb2.Any()
            packed.Pack(detail)
            status = Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error), details=[packed])
            context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
        live = cluster.call("GET", cluster.path(live, named=True))
        return provider_pb2.CreateResponse(id=_id(live), properties=to_struct(self._state(inputs, live, manager)))

    def _wait(self, cluster: Cluster, live: dict[str, Any]) -> None:
        notes = live["metadata"].get("annotations") or {}
        if notes.get("pulumi.com/skipAwait") == "true" or not _awaited(live):
            return
        limit = int(notes.get("pulumi.com/timeoutSeconds", WAIT_SECONDS))
        path, end = cluster.path(live, named=True), time.monotonic() + limit
        while not _ready(live):
            if time.monotonic() > end or self.stopped.wait(0.5):
                raise TimeoutError(f"{live['kind']} {_id(live)} is not ready after {limit} s")
            live = cluster.call("GET", path)

    def _state(self, inputs: dict[str, Any], live: dict[str, Any], manager: str) -> dict[str, Any]:
        """14: the live object, the checked inputs, and who owns our fields for life."""
        own = {"__inputs": inputs, "__initialApiVersion": live.get("apiVersion", ""), "__fieldManager": manager}
        return _sealed(live) | own


def _awaited(live: dict[str, Any]) -> bool:
    return live["kind"] in ("Deployment", "StatefulSet", "DaemonSet", "Job", "Pod", "PersistentVolumeClaim", "ResourceQuota")


def _ready(live: dict[str, Any]) -> bool:
    spec, status = live.get("spec", {}), live.get("status", {})
    current = status.get("observedGeneration", 0) >= live["metadata"].get("generation", 0)
    match live["kind"]:
        case "Deployment":
            wanted = spec.get("replicas", 1)
            return bool(current and status.get("updatedReplicas", 0) >= wanted and status.get("availableReplicas", 0) >= wanted)
        case "StatefulSet":
            wanted = spec.get("replicas", 1)
            return bool(current and status.get("readyReplicas", 0) >= wanted and status.get("updatedReplicas", wanted) >= wanted)
        case "DaemonSet":
            return bool(current and status.get("numberReady", 0) >= status.get("desiredNumberScheduled", 1))
        case "Job":
            return any(item.get("type") == "Complete" and item.get("status") == "True" for item in status.get("conditions", []))
        case "Pod":
            return any(item.get("type") == "Ready" and item.get("status") == "True" for item in status.get("conditions", []))
        case "PersistentVolumeClaim":
            return bool(status.get("phase") == "Bound")
        case _:
            return "hard" in status


def _sealed(item: dict[str, Any]) -> dict[str, Any]:
    """6: a Secret's data is secret as a whole in every answer."""
    if item.get("kind") == "Secret" and item.get("data"):
        return item | {"data": {SIGNATURE: SECRET, "value": bare(item["data"])}}
    return item


def _id(item: dict[str, Any]) -> str:
    """2: ``namespace/name``, or the name alone."""
    meta = item["metadata"]
    return f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else str(meta["name"])


def _token(request: Any) -> str:
    return str(request.type or request.urn.split("::")[2].rsplit("$", 1)[-1])


def _named_by(request: Any) -> dict[str, Any]:
    """An import has an id and no state: the object that the id names."""
    version, kind = _token(request).removeprefix("kubernetes:").rsplit(":", 1)
    namespace, _, name = request.id.rpartition("/")
    meta = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": version.removeprefix("core/"), "kind": kind, "metadata": meta}


if __name__ == "__main__":
    serve(Kubernetes())
