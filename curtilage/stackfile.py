"""Reads a stack file and tells a reader of it what is wrong, naming file, key, rule and fix.

Kept apart from the region's rules: this module knows YAML, Pulumi's own keys and pydantic's error list, and nothing about regions.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from curtilage.errors import ConfigError
from curtilage.paths import CHECKOUT

KEY = "curtilage:region"
_PULUMI_KEYS = {"config", "encryptionsalt", "encryptedkey", "secretsprovider", "environment"}
_NAME = re.compile(r"^[a-z][a-z0-9-]*$")
_WRAPPERS = ("function-", "nullable", "lax-or-strict")
"""How pydantic names steps of its own in the place of a finding."""


class _StrictLoader(yaml.SafeLoader):
    """YAML without the silent habit that the last of two equal keys wins; what is no value of its kind is refused with its line."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value of a node."""
        try:
            return super().construct_object(node, deep=deep)
        except ValueError as error:
            # A date that no calendar has, a number of thousands of digits.
            raise yaml.MarkedYAMLError(problem=str(error), problem_mark=node.start_mark) from error


def _mapping_without_repeats(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, list | dict | set):
            raise yaml.MarkedYAMLError(problem="a key that is no text", problem_mark=key_node.start_mark)
        if key in seen:
            raise yaml.MarkedYAMLError(problem=f"the key '{key}' appears twice", problem_mark=key_node.start_mark)
        seen.add(key)
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping_without_repeats)


def stack_path(name_or_path: str | Path) -> Path:
    """The file of a region named (``lab``) or pointed at (``stacks/Pulumi.lab.yaml``)."""
    text = str(name_or_path)
    if _NAME.match(text):
        path = CHECKOUT / "stacks" / f"Pulumi.{text}.yaml"
        if not path.is_file():
            known = sorted(found.name.removeprefix("Pulumi.").removesuffix(".yaml") for found in path.parent.glob("Pulumi.*.yaml"))
            raise ConfigError(
                f"no region '{text}'",
                rule="a region is a file stacks/Pulumi.<region>.yaml",
                fix=f"use one of: {', '.join(known) or 'none yet'}",
            )
        return path
    path = Path(text)
    if not path.is_file():
        raise ConfigError(f"no file {text}", rule="a region is a file", fix="name a region of stacks/ or an existing file")
    return path


def shown(path: Path) -> str:
    """The path as a message shows it: relative to the checkout when inside it."""
    return str(path.resolve().relative_to(CHECKOUT)) if path.resolve().is_relative_to(CHECKOUT) else str(path)


def read_stack(path: Path) -> Any:
    """The value of ``config: {curtilage:region: ...}``, every other key of ours refused."""
    file = shown(path)
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(
            f"not YAML: {error}", rule="a stack file is YAML with each key once", fix="correct the line", file=file
        ) from error
    if not isinstance(document, dict) or not isinstance(document.get("config"), dict):
        raise ConfigError("no mapping 'config'", rule=f"a stack file has config: {{{KEY}: ...}}", fix="add it", file=file, key="config")
    for key in document:
        if key not in _PULUMI_KEYS:
            raise ConfigError(
                f"unknown key '{key}'", rule=f"a stack file has {', '.join(sorted(_PULUMI_KEYS))}", fix="remove it", file=file, key=str(key)
            )
    for key in document["config"]:
        if str(key).startswith("curtilage:") and key != KEY:
            raise ConfigError(
                f"unknown key '{key}'",
                rule=f"the only key of ours is {KEY}",
                fix="remove it or move it into the region",
                file=file,
                key=f"config.{key}",
            )
    if KEY not in document["config"]:
        raise ConfigError(f"no '{KEY}'", rule=f"a stack file has config: {{{KEY}: ...}}", fix="add it", file=file, key=f"config.{KEY}")
    return document["config"][KEY]


def config_error(error: ValidationError, file: str) -> ConfigError:
    """The first of pydantic's findings as a :class:`ConfigError`; the others are listed so that one run tells all."""
    findings = error.errors(include_url=False)
    told = [_told(finding) for finding in findings]
    key, given, rule, fix = told[0]
    if len(told) > 1:
        given += "".join(f"\n  also: {other[0]}: {other[1]}" for other in told[1:])
    return ConfigError(given, rule=rule, fix=fix, file=file, key=key)


def _told(finding: Any) -> tuple[str, str, str, str]:
    """One finding as key, given, rule, fix."""
    context = finding.get("ctx") or {}
    where = [str(part) for part in finding["loc"] if not (isinstance(part, str) and part.startswith(_WRAPPERS))]
    if context.get("key"):
        where += [part for part in str(context["key"]).split(".") if where[-1:] != [part]]
    key = ".".join(where) or KEY
    if finding["type"] == "curtilage_rule":
        return key, context["given"], context["rule"], context["fix"]
    if finding["type"] == "extra_forbidden":
        return (
            key,
            f"unknown key '{where[-1]}'",
            "unknown keys are refused, so that a misspelt one is not silently ignored",
            "correct or remove it",
        )
    if finding["type"] == "missing":
        return key, "missing", "the key has no default", "add it"
    given = finding.get("input")
    short = given if isinstance(given, str | int | float | bool) or given is None else type(given).__name__
    return key, f"{short!r}", finding["msg"], "see the schema in curtilage/region.py"
