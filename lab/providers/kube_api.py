"""A small client of the Kubernetes API: kubeconfig in, JSON over TLS out. Knows nothing of Pulumi."""

from __future__ import annotations

import base64
import http.client
import json
import os
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import yaml

TIMEOUT_SECONDS = 20


class Unreachable(Exception):
    """Nobody answers at the cluster's address."""


class ApiError(Exception):
    """The API server's refusal."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(f"{reason or code}: {message}")
        self.code, self.reason = code, reason


@dataclass(frozen=True)
class Kind:
    """Where objects of a kind live."""

    plural: str
    namespaced: bool


class Cluster:
    """One cluster, by kubeconfig and context.

    Args:
        kubeconfig: a path, or the document itself; the environment's or the home's when empty.
        context: the context; the current one when empty.

    Attributes:
        impersonate: headers by which an administrator asks as someone else (Kubernetes, "User impersonation"); none by default.

    Raises:
        LookupError: no such context.
    """

    def __init__(self, kubeconfig: str, context: str) -> None:
        document = _read(kubeconfig)
        contexts = {item["name"]: item.get("context") or {} for item in document.get("contexts") or []}
        name = context or document.get("current-context") or ""
        if name not in contexts:
            raise LookupError(f"context '{name}' is not in the kubeconfig; it has {', '.join(sorted(contexts)) or 'none'}")
        chosen = contexts[name]
        self.namespace = chosen.get("namespace") or "default"
        cluster = _named(document, "clusters", "cluster", chosen.get("cluster", ""))
        self._user = _named(document, "users", "user", chosen.get("user", ""))
        self._server = urlsplit(str(cluster.get("server", "")))
        self._tls = _tls(cluster, self._user)
        self._kinds: dict[str, dict[str, Kind]] = {}
        self.impersonate: dict[str, str] = {}

    def call(self, method: str, path: str, body: Any = None, kind: str = "application/json", **query: str) -> Any:
        """One request.

        Raises:
            Unreachable: nobody answers.
            ApiError: the server refused.
        """
        return _document(self._ask(method, path, body, kind, query))

    def text(self, path: str, **query: str) -> str:
        """What the server answers as text: a container's log.

        Raises:
            Unreachable: nobody answers.
            ApiError: the server refused.
        """
        return self._ask("GET", path, None, "application/json", query).decode("utf-8", "replace")

    def _ask(self, method: str, path: str, body: Any, kind: str, query: dict[str, str]) -> bytes:
        target = self._server.path.rstrip("/") + path + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": "application/json, */*", "Content-Type": kind, "User-Agent": "curtilage-standin"}
        headers |= self.impersonate
        if token := self._user.get("token"):
            headers["Authorization"] = f"Bearer {token}"
        port = self._server.port or (443 if self._server.scheme == "https" else 80)
        host = self._server.hostname or ""
        connection: http.client.HTTPConnection
        if self._server.scheme == "https":
            connection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=self._tls)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request(method, target, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{host}:{port}: {error}") from error
        finally:
            connection.close()
        if answer.status >= 400:
            found = _document(data)
            raise ApiError(answer.status, str(found.get("reason", "")), str(found.get("message", "")))
        return data

    def kind(self, api_version: str, kind: str) -> Kind | None:
        """Where a kind lives, as the cluster serves it now; None when it does not."""
        if kind not in self._kinds.get(api_version, {}):
            try:
                found = self.call("GET", f"{_root(api_version)}")
            except ApiError as error:
                if error.code == 404:
                    return None
                raise
            self._kinds[api_version] = {
                item["kind"]: Kind(item["name"], bool(item["namespaced"])) for item in found.get("resources", []) if "/" not in item["name"]
            }
        return self._kinds[api_version].get(kind)

    def path(self, item: dict[str, Any], *, named: bool) -> str:
        """The object's address; its collection's when not named.

        Raises:
            LookupError: the cluster does not serve the kind.
        """
        where = self.kind(item["apiVersion"], item["kind"])
        if where is None:
            raise LookupError(f'no matches for kind "{item["kind"]}" in version "{item["apiVersion"]}"')
        meta = item["metadata"]
        scope = f"/namespaces/{meta['namespace']}" if where.namespaced else ""
        return f"{_root(item['apiVersion'])}{scope}/{where.plural}" + (f"/{meta['name']}" if named else "")


def _document(data: bytes) -> Any:
    try:
        return json.loads(data) if data else {}
    except json.JSONDecodeError:
        return {"message": data.decode(errors="replace")[:300]}


def _root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _read(kubeconfig: str) -> dict[str, Any]:
    text = kubeconfig
    if "\n" not in kubeconfig and not kubeconfig.lstrip().startswith("{"):
        first = (kubeconfig or os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")).split(os.pathsep)[0]
        try:
            text = Path(first).read_text(encoding="utf-8")
        except OSError as error:
            raise LookupError(f"no kubeconfig: {error.strerror}") from error
    found = yaml.safe_load(text)
    return found if isinstance(found, dict) else {}


def _named(document: dict[str, Any], group: str, part: str, name: str) -> dict[str, Any]:
    return next((item.get(part) or {} for item in document.get(group) or [] if item.get("name") == name), {})


def _tls(cluster: dict[str, Any], user: dict[str, Any]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if data := cluster.get("certificate-authority-data"):
        context = ssl.create_default_context(cadata=base64.b64decode(data).decode())
    elif file := cluster.get("certificate-authority"):
        context = ssl.create_default_context(cafile=file)
    certificate, key = user.get("client-certificate"), user.get("client-key")
    if user.get("client-certificate-data") and user.get("client-key-data"):
        # The library reads a pair from a file alone; it is the operator's own, 0600, and gone at once.
        with tempfile.NamedTemporaryFile("wb", suffix=".pem") as pair:
            pair.write(base64.b64decode(user["client-certificate-data"]) + b"\n" + base64.b64decode(user["client-key-data"]))
            pair.flush()
            context.load_cert_chain(pair.name)
    elif certificate and key:
        context.load_cert_chain(certificate, key)
    return context
