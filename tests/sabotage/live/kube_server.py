"""A Kubernetes API on loopback, over TLS: objects in memory, discovery, lists in pages, refusals on demand.

It stands for an API server where none is built: it stores what it is given with what a server adds (uid, version, defaults that matter to
the comparison) and answers as the API does. It judges nothing, and no admission runs in it.
"""

from __future__ import annotations

import copy
import datetime
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from curtilage.live.kube_read import DERIVED
from curtilage.proof.kubernetes.kinds import CLUSTER_KINDS

TOKEN = "an-auditor"
OTHER: dict[tuple[str, str], tuple[str, bool]] = {
    ("", "ConfigMap"): ("v1", True),
    ("", "Secret"): ("v1", True),
    ("", "Event"): ("v1", True),
}
VERSIONS = {"policy.networking.k8s.io": "v1alpha2", "autoscaling": "v2"}


def plural(kind: str) -> str:
    return {"NetworkPolicy": "networkpolicies", "Ingress": "ingresses", "Endpoints": "endpoints"}.get(
        kind, kind.lower()[:-1] + "ies" if kind.endswith("y") else kind.lower() + ("es" if kind.endswith("s") else "s")
    )


class Cluster:
    """Objects by group, kind, namespace and name."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str, str], dict[str, Any]] = {}
        self.served: dict[tuple[str, str], tuple[str, bool]] = {
            key: (VERSIONS.get(key[0], "v1"), key not in CLUSTER_KINDS) for key in sorted(DERIVED)
        } | OTHER
        self.refused: dict[str, int] = {}
        self.answers: dict[str, Any] = {}
        self.page = 500
        self.broken_after: int | None = None
        self.calls: list[tuple[str, str]] = []
        self.methods: set[str] = set()

    def put(self, document: dict[str, Any]) -> dict[str, Any]:
        found = copy.deepcopy(document)
        group, _, version = found["apiVersion"].rpartition("/")
        key = (group, found["kind"])
        meta = found["metadata"]
        self.served.setdefault(key, (version, "namespace" in meta))
        namespaced = self.served[key][1]
        meta |= {"uid": f"u{len(self.objects)}", "resourceVersion": "7", "managedFields": [{"manager": "test"}], "generation": 1}
        if namespaced:
            meta.setdefault("namespace", "default")
        _defaults(found)
        self.objects[(*key, meta.get("namespace", ""), meta["name"])] = found
        return found

    def get(self, kind: str, name: str, namespace: str = "") -> dict[str, Any]:
        (found,) = [item for key, item in self.objects.items() if key[1:] == (kind, namespace, name)]
        return found

    def delete(self, kind: str, name: str, namespace: str = "") -> None:
        (key,) = [key for key in self.objects if key[1:] == (kind, namespace, name)]
        del self.objects[key]


def _defaults(found: dict[str, Any]) -> None:
    """What a server writes into locks."""
    spec = found.get("spec") or {}
    if found["kind"] == "ValidatingAdmissionPolicy":
        spec.setdefault("failurePolicy", "Fail")
        match = spec.get("matchConstraints") or {}
        match |= {
            key: value
            for key, value in {"matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {}}.items()
            if key not in match
        }
        for rule in match.get("resourceRules", []):
            rule.setdefault("scope", "*")
        found["status"] = {"observedGeneration": 1}
    if found["kind"] == "Namespace":
        found["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = found["metadata"]["name"]
        found["spec"] = {"finalizers": ["kubernetes"]}
        found["status"] = {"phase": "Active"}
    if found["kind"] == "NetworkPolicy":
        for side in ("egress", "ingress"):
            if spec.get(side) == []:
                del spec[side]
            for rule in spec.get(side, []):
                for port in rule.get("ports", []):
                    port.setdefault("protocol", "TCP")


class _Handler(BaseHTTPRequestHandler):
    cluster: Cluster

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {key: value[0] for key, value in parse_qs(parts.query).items()}
        self.cluster.calls.append((parts.path, query.get("continue", "")))
        self.cluster.methods.add(self.command)
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._say(401, {"kind": "Status", "message": "Unauthorized"})
        if code := self.cluster.refused.get(parts.path):
            return self._say(code, {"kind": "Status", "message": f"refused with {code}"})
        if parts.path in self.cluster.answers:
            return self._say(200, self.cluster.answers[parts.path])
        return self._answer(parts.path.strip("/").split("/"), query)

    def _any(self) -> None:
        self.cluster.methods.add(self.command)
        self._say(405, {"message": "the audit reads"})

    do_POST = do_PUT = do_PATCH = do_DELETE = _any

    def _answer(self, words: list[str], query: dict[str, str]) -> None:
        served = self.cluster.served
        if words == ["api"]:
            return self._say(200, {"versions": ["v1"]})
        if words == ["apis"]:
            groups: dict[str, set[str]] = {}
            for (group, _), (version, _) in served.items():
                if group:
                    groups.setdefault(group, set()).add(version)
            listed = [
                {"name": name, "versions": [{"version": item} for item in sorted(found)], "preferredVersion": {"version": min(found)}}
                for name, found in sorted(groups.items())
            ]
            return self._say(200, {"groups": listed})
        group, version, rest = ("", words[1], words[2:]) if words[0] == "api" else (words[1], words[2], words[3:])
        kinds = {plural(kind): (kind, spaced) for (owner, kind), (at, spaced) in served.items() if (owner, at) == (group, version)}
        if not rest:
            verbs = ["get", "list", "watch"]
            found = [{"name": name, "kind": kind, "namespaced": spaced, "verbs": verbs} for name, (kind, spaced) in kinds.items()]
            return self._say(200, {"resources": [*found, {"name": "pods/log", "kind": "Pod", "namespaced": True, "verbs": ["get"]}]})
        space = ""
        if rest[0] == "namespaces" and len(rest) >= 3:
            space, rest = rest[1], rest[2:]
        if rest[0] not in kinds:
            return self._say(404, {"message": "no such resource"})
        kind = kinds[rest[0]][0]
        items = [
            item
            for (owner, name, where, _), item in sorted(self.cluster.objects.items())
            if (owner, name) == (group, kind) and space in ("", where)
        ]
        if len(rest) == 2:
            one = [item for item in items if item["metadata"]["name"] == rest[1]]
            return self._say(200, one[0]) if one else self._say(404, {"message": "not found"})
        start = int(query.get("continue") or 0)
        if self.cluster.broken_after is not None and start >= self.cluster.broken_after:
            self.connection.close()
            return None
        size = min(self.cluster.page, int(query.get("limit") or self.cluster.page))
        bare = [{key: value for key, value in item.items() if key not in ("apiVersion", "kind")} for item in items[start : start + size]]
        meta = {"resourceVersion": "9"} | ({"continue": str(start + size)} if start + size < len(items) else {})
        return self._say(200, {"kind": f"{kind}List", "metadata": meta, "items": bare or None})

    def _say(self, code: int, document: Any) -> None:
        data = json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def _certificate(directory: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubernetes")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = directory / "ca.pem", directory / "key.pem"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return public, private


@contextmanager
def serving(cluster: Cluster, directory: Path, context: str) -> Iterator[Path]:
    """The API while the block runs; gives a kubeconfig whose default context leads nowhere."""
    public, private = _certificate(directory)
    handler = type("Handler", (_Handler,), {"cluster": cluster})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(public, private)
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    document = {
        "current-context": "another",
        "contexts": [
            {"name": context, "context": {"cluster": "c", "user": "u"}},
            {"name": "another", "context": {"cluster": "x", "user": "u"}},
        ],
        "clusters": [
            {"name": "c", "cluster": {"server": f"https://127.0.0.1:{server.server_port}", "certificate-authority": "ca.pem"}},
            {"name": "x", "cluster": {"server": "https://127.0.0.1:1"}},
        ],
        "users": [{"name": "u", "user": {"token": TOKEN}}],
    }
    file = directory / "kubeconfig"
    file.write_text(yaml.safe_dump(document))
    try:
        yield file
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
