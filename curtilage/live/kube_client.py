"""Reads a Kubernetes API over HTTPS with a kubeconfig's context: GET and nothing else, no kubectl, no default context, no proxy.

A server whose certificate is not checked proves nothing about the region, so a context that says so is refused.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import ssl
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from curtilage.errors import ConfigError
from curtilage.kubeconfig import Context

TIMEOUT_SECONDS = 30
LOGIN_SECONDS = 60
PAGE = 500
MOST_PAGES = 2000
MOST_BYTES = 256 << 20
"""A page of 500 objects of the largest kind is some 50 MiB; what sends more is no API server."""
_EXEC = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


class UnansweredError(Exception):
    """Nobody answers, or what answers is no API."""


class RefusedError(Exception):
    """The API's own refusal."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code} {message}".strip())
        self.code = code


class KubeClient:
    """One cluster, read only.

    Args:
        context: see :func:`curtilage.kubeconfig.context_of`.

    Raises:
        ConfigError: its way in is not one that this client trusts or knows.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        parts = urlsplit(context.server)
        if parts.scheme != "https":
            raise _refused(context, f"its server is {parts.scheme or 'without a scheme'}", "an API is read over HTTPS")
        if context.cluster.get("insecure-skip-tls-verify"):
            raise _refused(context, "insecure-skip-tls-verify is set", "the server's certificate is checked")
        if context.cluster.get("proxy-url"):
            raise _refused(context, "proxy-url is set", "the API is read directly, from inside")
        try:
            self._host, self._port = str(parts.hostname), parts.port or 443
        except ValueError:
            raise _refused(context, "its server has no valid port", "an API is read over HTTPS") from None
        self._base = parts.path.rstrip("/")
        user = _logged_in(context)
        self._token = _token(context, user)
        try:
            self._tls = _tls(context, user)
        except (OSError, ValueError) as error:
            raise _refused(context, f"its certificates cannot be read ({type(error).__name__})", "certificates are PEM") from None

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """One object, or one page of a list.

        Raises:
            UnansweredError: nobody answers, or no JSON object comes.
            RefusedError: the API refuses.
        """
        target = self._base + path + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": "application/json", "User-Agent": "curtilage-audit"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        connection = _Connection(
            self._host, self._port, timeout=TIMEOUT_SECONDS, context=self._tls, name=self.context.cluster.get("tls-server-name")
        )
        try:
            connection.request("GET", target, headers=headers)
            answer = connection.getresponse()
            data = answer.read(MOST_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            raise UnansweredError(f"{self._host}:{self._port}: {type(error).__name__} {error}") from error
        finally:
            connection.close()
        if len(data) > MOST_BYTES:
            raise UnansweredError(f"{self._host}:{self._port}: {path}: more than {MOST_BYTES >> 20} MiB in one answer")
        try:
            found = json.loads(data) if data else {}
        except (ValueError, RecursionError):
            found = None
        if answer.status >= 300:
            message = found.get("message") if isinstance(found, dict) else None
            raise RefusedError(answer.status, str(message or answer.reason or "")[:300])
        if not isinstance(found, dict):
            raise UnansweredError(f"{self._host}:{self._port}: {path}: no JSON object")
        return found

    def pages(self, path: str) -> Iterator[Mapping[str, Any]]:
        """Every item of a list, page by page.

        Raises:
            UnansweredError: a page does not come, is no list, or there is no end to them.
            RefusedError: the API refuses; 410 where the list grew too old between two pages.
        """
        query = {"limit": str(PAGE)}
        for _ in range(MOST_PAGES):
            page = self.get(path, **query)
            items, meta = page.get("items"), page.get("metadata")
            # A server writes an empty list as null; without the key it is no list at all.
            named = isinstance(page.get("kind"), str) and page["kind"].endswith("List")
            if not named or "items" not in page or not (items is None or isinstance(items, list)) or not isinstance(meta, dict):
                raise UnansweredError(f"{path}: what came is no list")
            for item in items or []:
                if not isinstance(item, dict):
                    raise UnansweredError(f"{path}: an item that is no object")
                yield item
            token = meta.get("continue")
            if not token:
                if meta.get("remainingItemCount"):
                    raise UnansweredError(f"{path}: {meta['remainingItemCount']} items are left, and no way to them is given")
                return
            query = {"limit": str(PAGE), "continue": str(token)}
        raise UnansweredError(f"{path}: more than {MOST_PAGES} pages")


class _Connection(http.client.HTTPSConnection):
    """Asks for the certificate of the name that the kubeconfig gives, where that is not the address."""

    def __init__(self, host: str, port: int, *, timeout: float, context: ssl.SSLContext, name: Any) -> None:
        super().__init__(host, port, timeout=timeout, context=context)
        self._tls_context, self._name = context, name if isinstance(name, str) and name else host

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self._tls_context.wrap_socket(self.sock, server_hostname=self._name)


def _refused(context: Context, given: str, rule: str) -> ConfigError:
    return ConfigError(f"context '{context.name}': {given}", rule=rule, fix="correct the kubeconfig", key="kubernetes.context")


def _token(context: Context, user: Mapping[str, Any]) -> str:
    if isinstance(user.get("tokenFile"), str):
        try:
            return Path(user["tokenFile"]).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise _refused(context, f"its tokenFile cannot be read ({type(error).__name__})", "a token is a file of text") from None
    return user["token"] if isinstance(user.get("token"), str) else ""


def _tls(context: Context, user: Mapping[str, Any]) -> ssl.SSLContext:
    data, file = context.cluster.get("certificate-authority-data"), context.cluster.get("certificate-authority")
    trusted = base64.b64decode(data).decode() if data else None
    found = ssl.create_default_context(cadata=trusted, cafile=None if trusted else file or None)
    certificate, key = user.get("client-certificate-data"), user.get("client-key-data")
    if certificate and key:
        # The library reads a pair from a file alone; it is the operator's own, 0600, and gone at once.
        with tempfile.NamedTemporaryFile("wb", suffix=".pem") as pair:
            pair.write(base64.b64decode(certificate) + b"\n" + base64.b64decode(key))
            pair.flush()
            found.load_cert_chain(pair.name)
    elif user.get("client-certificate") and user.get("client-key"):
        found.load_cert_chain(user["client-certificate"], user["client-key"])
    return found


def _logged_in(context: Context) -> Mapping[str, Any]:
    """The user, with what its login command gives (client-go's credential plugins: `aws eks get-token` and the like)."""
    plugin = context.user.get("exec")
    if "auth-provider" in context.user:
        raise _refused(context, "auth-provider is set", "logins are certificates, tokens or a command; clusters took auth-provider away")
    if plugin is None:
        return context.user
    if not isinstance(plugin, dict) or not isinstance(plugin.get("command"), str) or plugin.get("apiVersion") not in _EXEC:
        raise _refused(context, "its exec login is not one that is known", f"exec.apiVersion is one of {', '.join(_EXEC)}")
    argv = [plugin["command"], *(str(item) for item in plugin.get("args") or [])]
    extra = {str(item.get("name")): str(item.get("value")) for item in plugin.get("env") or [] if isinstance(item, dict)}
    info = {"apiVersion": plugin["apiVersion"], "kind": "ExecCredential", "spec": {"interactive": False}}
    environment = {**os.environ, **extra, "KUBERNETES_EXEC_INFO": json.dumps(info)}
    try:
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=LOGIN_SECONDS, check=False)
        found = json.loads(done.stdout) if done.returncode == 0 else None
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise _refused(
            context, f"its login command {argv[0]} failed ({type(error).__name__})", "a login command prints a credential"
        ) from None
    status = found.get("status") if isinstance(found, dict) else None
    if not isinstance(status, dict):
        # Its standard error may hold a secret, so only that it failed is said.
        raise _refused(context, f"its login command {argv[0]} gave no credential", "a login command prints a credential")
    user: dict[str, Any] = {"token": status.get("token")}
    for given, key in (("clientCertificateData", "client-certificate-data"), ("clientKeyData", "client-key-data")):
        if isinstance(status.get(given), str):
            user[key] = base64.b64encode(status[given].encode()).decode()
    return user
