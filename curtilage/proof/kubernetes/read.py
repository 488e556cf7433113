"""Reads manifests: YAML of several documents, JSON, `kubectl get -o json` lists, a file, a directory or standard input.

What a person wrote is refused rather than guessed: a key that appears twice, a document that is no object, an alias that unfolds without
end. Messages name a file, a line and a rule, never a value: manifests hold secrets.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from curtilage.errors import ConfigError
from curtilage.proof.kubernetes.objects import Manifest, Manifests, make_object

JSON_LIMIT_MIB, YAML_LIMIT_MIB = 96, 16
"""A namespace is some 100 KiB. JSON is read at 30 MiB a second and held eight times over; YAML is read at about 1 MiB a second."""
NODE_LIMIT = 2_000_000
DEPTH_LIMIT = 100
SUFFIXES = (".yaml", ".yml", ".json")
_RULE = "manifests are YAML or JSON documents with apiVersion, kind and metadata.name"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML as the API's clients read it: no dates, no base-60 numbers, and no key twice."""


# PyYAML's table has dates and sexagesimal integers, which Go's YAML has not: `22:22` would become a number.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag not in ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:int")]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int",
    re.compile(r"^(?:[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+)$"),
    list("-+0123456789"),
)


def _mapping(loader: Any, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            continue
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, (str, int, float, bool, type(None))):
            raise yaml.MarkedYAMLError(problem="a key that is no text", problem_mark=key_node.start_mark)
        if key in seen:
            raise yaml.MarkedYAMLError(problem="a key appears twice", problem_mark=key_node.start_mark)
        seen.add(key)
    loader.flatten_mapping(node)
    return {loader.construct_object(key, deep=True): loader.construct_object(value, deep=True) for key, value in node.value}


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_manifests(*paths: Path) -> Manifests:
    """Everything the files say.

    Raises:
        ConfigError: a file cannot be read, is too large, or says something that is no Kubernetes object.
    """
    digest, found = hashlib.sha256(), list[Manifest]()
    for path in paths:
        for file in _files(path):
            data = _bytes(file)
            digest.update(len(data).to_bytes(8, "big") + data)
            found += _documents(data, str(file) if str(file) != "-" else "standard input")
    if not found:
        raise ConfigError(
            "no document in it", rule=_RULE, fix="name manifests, or what `kubectl get -A -o json` prints", file=", ".join(map(str, paths))
        )
    return Manifests(tuple(found), "sha256:" + digest.hexdigest())


def _files(path: Path) -> list[Path]:
    if str(path) == "-" or not path.is_dir():
        return [path]
    found = sorted(item for item in path.rglob("*") if item.suffix.lower() in SUFFIXES and item.is_file())
    if not found:
        raise ConfigError(
            f"no {', '.join(SUFFIXES)} file in the directory",
            rule="--manifests names a file, or a directory with manifests at any depth",
            fix="render them first (`kustomize build`, `helm template`, `pulumi preview`)",
            file=path,
        )
    return found


def _bytes(file: Path) -> bytes:
    limit = (JSON_LIMIT_MIB << 20) + 1
    try:
        if str(file) == "-":
            data = sys.stdin.buffer.read(limit)
        else:
            with file.open("rb") as stream:
                data = stream.read(limit)
    except OSError as exc:
        raise ConfigError(f"cannot read it: {exc.strerror}", rule=_RULE, fix="name a file that exists", file=file) from exc
    kind, most = ("JSON", JSON_LIMIT_MIB) if data.lstrip()[:1] in (b"{", b"[") else ("YAML", YAML_LIMIT_MIB)
    if len(data) > most << 20:
        raise ConfigError(
            f"more than {most} MiB of {kind}",
            rule=f"a file has at most {JSON_LIMIT_MIB} MiB of JSON or {YAML_LIMIT_MIB} MiB of YAML: it is held in memory whole",
            fix="give the segment's namespaces alone, or JSON in place of YAML",
            file=file,
        )
    return data


def _documents(data: bytes, file: str) -> Iterator[Manifest]:
    try:
        # YAML is read as bytes, so that its own encoding rules (UTF-8, UTF-16 with a mark) hold; a mark before JSON is not JSON.
        loaded = _loaded(data, file)
        for number, document in enumerate(loaded, start=1):
            yield from _objects(document, file, number if len(loaded) > 1 else 0)
    except (UnicodeDecodeError, yaml.reader.ReaderError):
        raise ConfigError("not text", rule=_RULE, fix="write it as UTF-8", file=file) from None
    except _NotJsonError as error:
        raise ConfigError(str(error), rule="JSON with each key once", fix="correct it there", file=file) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1} column {mark.column + 1}" if mark else ""
        twice = "a key appears twice" if getattr(error, "problem", "") == "a key appears twice" else "not YAML"
        raise ConfigError(
            f"{twice}{where}", rule="YAML with each key once", fix="correct the line; a template is rendered before", file=file
        ) from None
    except (RecursionError, ValueError):
        raise ConfigError("nested too deep, or a value no reader accepts", rule=_RULE, fix="unfold it", file=file) from None


def _loaded(data: bytes, file: str) -> list[Any]:
    if data.lstrip()[:1] not in (b"{", b"["):
        return _yaml(data)
    try:
        return [_json(data)]
    except _NotJsonError:
        # YAML's flow style begins alike; what calls itself JSON is told what is wrong with it as JSON.
        if file.endswith(".json") or len(data) > YAML_LIMIT_MIB << 20:
            raise
        return _yaml(data)


class _NotJsonError(Exception):
    """What is wrong, and where; never the text."""


def _json(data: bytes) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise _NotJsonError("a key appears twice in one object")
        return found

    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise _NotJsonError(f"not JSON at line {error.lineno} column {error.colno}") from None


def _yaml(data: bytes) -> list[Any]:
    depth = 0
    for event in yaml.parse(data, Loader=_Loader):
        # The composer below calls itself for each level, in C: it must never meet more than a person writes.
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH_LIMIT:
            raise yaml.MarkedYAMLError(problem="nested too deep")
    found = []
    loader = _Loader(data)
    try:
        while loader.check_node():
            node = loader.get_node()
            if _size(node) > NODE_LIMIT:
                raise yaml.MarkedYAMLError(problem="aliases unfold without end", problem_mark=node.start_mark)
            found.append(loader.construct_document(node))
    finally:
        loader.dispose()
    return found


def _size(root: yaml.Node) -> int:
    """How many nodes a document has once its aliases are unfolded; an alias to what encloses it counts as endless."""
    sizes: dict[int, int] = {}
    pending: list[tuple[yaml.Node, bool]] = [(root, False)]
    while pending:
        node, done = pending.pop()
        if isinstance(node, yaml.ScalarNode):
            sizes[id(node)] = 1
            continue
        children = [item for pair in node.value for item in pair] if isinstance(node, yaml.MappingNode) else node.value
        if done:
            sizes[id(node)] = min(1 + sum(sizes.get(id(item), 0) or NODE_LIMIT + 1 for item in children), NODE_LIMIT + 1)
        elif id(node) not in sizes:
            sizes[id(node)] = 0  # under way: met again below itself, it never ends
            pending.append((node, True))
            pending += [(item, False) for item in children if sizes.get(id(item)) is None]
    return sizes[id(root)]


def _objects(document: Any, file: str, number: int) -> Iterator[Manifest]:
    if document is None:
        return
    where = f"{file} document {number}" if number else file
    if isinstance(document, list):
        for item in document:
            yield from _objects(item, file, number)
        return
    if not isinstance(document, dict) or not isinstance(document.get("kind"), str) or not isinstance(document.get("apiVersion"), str):
        raise ConfigError("a document without apiVersion and kind", rule=_RULE, fix="keep other files out of the directory", file=where)
    items = document.get("items")
    if document["kind"].endswith("List") and (isinstance(items, list) or (items is None and "metadata" not in document)):
        for item in items or []:
            if isinstance(item, dict):
                # A typed list (`NetworkPolicyList`) may leave both out of its items.
                yield from _objects(
                    {"apiVersion": document["apiVersion"], "kind": document["kind"].removesuffix("List"), **item}, file, number
                )
            else:
                raise ConfigError("a list with an item that is no object", rule=_RULE, fix="correct the list", file=where)
        return
    if document["kind"] == "Kustomization":
        raise ConfigError("a kustomization, not what it makes", rule=_RULE, fix="give the output of `kustomize build`", file=where)
    yield make_object(document, where)
