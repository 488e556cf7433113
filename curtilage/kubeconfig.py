"""The cluster a region names, before anything is asked of it: its context exists and its address answers.

A provider reads the kubeconfig itself; this only refuses early, because an unreachable cluster is no error to a preview, and a context that
is not there would otherwise end in a message about another one.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from curtilage.errors import ConfigError, StepError
from curtilage.region import Region

TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a kubeconfig says of one context.

    Attributes:
        name: the context.
        server: the API server's address.
        cluster: the cluster's entry; its paths are absolute.
        user: the user's entry; its paths are absolute.
    """

    name: str
    server: str
    cluster: Mapping[str, Any]
    user: Mapping[str, Any]


def server_of(region: Region, environment: Mapping[str, str] = os.environ) -> str:
    """The API server's address behind the region's context.

    Raises:
        ConfigError: no kubeconfig, or none of its contexts is the region's.
    """
    wanted = region.kubernetes.context if region.kubernetes else None
    return context_of(wanted, f"stacks/Pulumi.{region.name}.yaml", environment).server


def context_of(wanted: str | None, file: str = "", environment: Mapping[str, str] = os.environ) -> Context:
    """The context of that name, never the default one.

    Args:
        wanted: its name.
        file: what names it, for messages.
        environment: where ``KUBECONFIG`` and ``HOME`` are looked up.

    Raises:
        ConfigError: no kubeconfig, or none of its contexts has the name, or it names no cluster.
    """
    paths = [Path(part) for part in environment.get("KUBECONFIG", "").split(os.pathsep) if part] or [_home(environment)]
    found: dict[str, dict[str, Any]] = {"clusters": {}, "contexts": {}, "users": {}}
    for path in paths:
        document = _read(path)
        # The first file that names something wins, as kubectl merges them.
        for group, part in (("clusters", "cluster"), ("contexts", "context"), ("users", "user")):
            for item in document.get(group) or []:
                if isinstance(item, dict):
                    entry = item.get(part)
                    found[group].setdefault(str(item.get("name")), _placed(entry if isinstance(entry, dict) else {}, path))
    contexts, clusters = found["contexts"], found["clusters"]
    if wanted is None or wanted not in contexts:
        raise ConfigError(
            f"context '{wanted}' is in no kubeconfig ({', '.join(sorted(map(str, contexts))) or 'there is none at all'})",
            rule="a region is brought up in the cluster that its context names, never in the default one",
            fix="export KUBECONFIG with a file that has it, or correct kubernetes.context",
            file=file or None,
            key="kubernetes.context",
        )
    chosen = contexts[wanted]
    cluster = clusters.get(chosen.get("cluster"), {})
    server = cluster.get("server")
    if not isinstance(server, str) or not urlsplit(server).hostname:
        raise ConfigError(
            f"context '{wanted}' names no cluster with an address",
            rule="a context names a cluster of its kubeconfig",
            fix="correct the kubeconfig",
            key="kubernetes.context",
        )
    return Context(name=wanted, server=server, cluster=cluster, user=found["users"].get(chosen.get("user"), {}))


def _placed(entry: dict[str, Any], file: Path) -> dict[str, Any]:
    """Relative paths are read beside the kubeconfig they stand in."""
    paths = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
    return {key: str(file.parent / value) if key in paths and isinstance(value, str) and value else value for key, value in entry.items()}


def require_reachable(region: Region, environment: Mapping[str, str] = os.environ) -> str:
    """Its address, once something answers there.

    Raises:
        ConfigError: there is no such context.
        StepError: nobody answers.
    """
    server = server_of(region, environment)
    parts = urlsplit(server)
    address = (str(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80))
    try:
        socket.create_connection(address, timeout=TIMEOUT_SECONDS).close()
    except OSError as error:
        raise StepError(
            "cluster",
            f"nobody answers at {server}: {error}; nothing was changed",
            fix="bring the API server up, or reach it from inside (docs/regions.md), and run the command again",
        ) from error
    return server


def _home(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("HOME") or Path.home()) / ".kube" / "config"


def _read(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError:
        return {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError("not YAML", rule="a kubeconfig is YAML", fix="correct it", file=path.name) from error
    return found if isinstance(found, dict) else {}
