"""What a resource type takes and gives, read from the official SDK's own classes.

The SDK is generated from the provider's schema, so an input that it does not know is one that the provider does not know either.
"""

from __future__ import annotations

import collections.abc
import difflib
import importlib
import inspect
import json
import re
import typing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import UnionType
from typing import Any

from pulumi import _types

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
UNKNOWNS = frozenset(
    {
        UNKNOWN,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
"""The engine's words for a value that is not known yet (sdk/go/common/resource/plugin/rpc.go)."""
SIGNATURE, SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
_REGISTER = re.compile(r'resource_modules="""(.*?)"""', re.DOTALL)
_SCALARS: dict[type, tuple[type, ...]] = {str: (str,), bool: (bool, str), int: (int, float, str), float: (int, float, str)}
"""What may stand for a type: Pulumi hands numbers and booleans over as text where a program did."""


@dataclass(frozen=True)
class ResourceType:
    """One resource type: inputs, those that must be there, outputs."""

    token: str
    inputs: dict[str, Any]
    required: frozenset[str]
    outputs: dict[str, Any]


class Schema:
    """The resource types of one SDK.

    Args:
        package: the SDK's import name.
    """

    def __init__(self, package: str) -> None:
        self._package = package
        root = importlib.import_module(package)
        text = Path(str(root.__file__)).read_text(encoding="utf-8")
        found = _REGISTER.search(text)
        modules = json.loads(found[1]) if found else []
        self._classes = {token: (item["fqn"], name) for item in modules for token, name in item["classes"].items()}

    def knows(self, token: str) -> bool:
        """Whether the SDK has a type."""
        return token in self._classes

    def type(self, token: str) -> ResourceType:
        """A type's inputs and outputs."""
        module, name = self._classes[token]
        return _resource_type(token, module, name)


@lru_cache(maxsize=512)
def _resource_type(token: str, module: str, name: str) -> ResourceType:
    resource = getattr(importlib.import_module(module), name)
    arguments = _arguments(resource, module, name)
    return ResourceType(token, _inputs(arguments), _required(arguments), dict(_types.resource_types(resource)))


def _arguments(resource: Any, module: str, name: str) -> Any:
    """The class of a resource's arguments; a few types call it ``<Name>InitArgs``."""
    home = importlib.import_module(resource.__module__)
    for space in (home, importlib.import_module(module)):
        for candidate in (f"{name}InitArgs", f"{name}Args"):
            if hasattr(space, candidate):
                return getattr(space, candidate)
    raise LookupError(f"{module}.{name} has no class of arguments")


@lru_cache(maxsize=4096)
def _inputs(arguments: Any) -> dict[str, Any]:
    return dict(_types.input_type_types(arguments))


@lru_cache(maxsize=4096)
def _required(arguments: Any) -> frozenset[str]:
    names = _types.input_type_py_to_pulumi_names(arguments)
    parameters = inspect.signature(arguments.__init__).parameters
    return frozenset(names[name] for name, item in parameters.items() if name in names and item.default is inspect.Parameter.empty)


def made_up(wanted: Any, word: str, depth: int = 4) -> Any:
    """A value of an output's type that nobody could take for a real one: every text in it begins with ``recorded``.

    Args:
        wanted: the type, as the SDK states it.
        word: what texts say after that.
        depth: how deep objects are made; the SDK has types that hold themselves.
    """
    choice = _choices(wanted)[0]
    origin, parts = typing.get_origin(choice), typing.get_args(choice)
    if origin in (list, collections.abc.Sequence):
        return [made_up(parts[0], word, depth - 1)] if depth else []
    if _types.is_output_type(choice):
        return (
            {name: made_up(item, f"{word}-{name}", depth - 1) for name, item in _types.output_type_types(choice).items()} if depth else {}
        )
    if origin in (dict, collections.abc.Mapping) or choice is dict:
        return {}
    return {bool: False, int: 0, float: 0.0}.get(choice, f"recorded-{word}")


def is_unknown(value: Any) -> bool:
    """Whether a value is not known yet."""
    return isinstance(value, str) and value in UNKNOWNS


def plain(value: Any) -> Any:
    """A value without its secret's wrapping."""
    return value["value"] if isinstance(value, dict) and value.get(SIGNATURE) == SECRET and "value" in value else value


def problems(kind: ResourceType, inputs: dict[str, Any]) -> list[tuple[str, str]]:
    """What is wrong with a resource's inputs: the property and a sentence."""
    found = [
        (key, f"unknown input: {kind.token} takes {_near(key, kind.inputs)}")
        for key in inputs
        if key not in kind.inputs and key[:2] != "__"
    ]
    found += [(key, "a required input is missing") for key in sorted(kind.required) if plain(inputs.get(key)) is None]
    for key, value in inputs.items():
        if key in kind.inputs:
            found += list(_mismatch(key, plain(value), kind.inputs[key]))
    return found


def _near(key: str, known: typing.Iterable[str]) -> str:
    close = difflib.get_close_matches(key, list(known), n=3)
    return ", ".join(close or sorted(known)[:12])


def _mismatch(path: str, value: Any, wanted: Any) -> typing.Iterator[tuple[str, str]]:
    value = plain(value)
    if value is None or is_unknown(value):
        return
    choices = _choices(wanted)
    answers = [list(_against(path, value, choice)) for choice in choices]
    if answers and all(answers):
        yield from min(answers, key=len)


def _choices(wanted: Any) -> list[Any]:
    """The types an annotation allows, without the wrappers that stand for values of later."""
    origin = typing.get_origin(wanted)
    if origin in (typing.Union, UnionType):
        found: list[Any] = []
        for item in typing.get_args(wanted):
            if typing.get_origin(item) is collections.abc.Awaitable or "Output" in str(item) or item is type(None):
                continue
            found += _choices(item)
        return found
    return [wanted]


def _against(path: str, value: Any, wanted: Any) -> typing.Iterator[tuple[str, str]]:
    origin, parts = typing.get_origin(wanted), typing.get_args(wanted)
    if wanted is Any or isinstance(wanted, str | typing.TypeVar | typing.ForwardRef):
        return
    if origin is typing.Literal:
        if value not in parts:
            yield path, f"{value!r} is not {' or '.join(map(repr, parts))}"
    elif origin in (list, collections.abc.Sequence):
        if not isinstance(value, list):
            yield path, f"a list is wanted, not {type(value).__name__}"
        else:
            for index, item in enumerate(value):
                yield from _mismatch(f"{path}[{index}]", item, parts[0])
    elif origin in (dict, collections.abc.Mapping):
        if not isinstance(value, dict):
            yield path, f"a map is wanted, not {type(value).__name__}"
        elif len(parts) == 2:
            for key, item in value.items():
                yield from _mismatch(f"{path}.{key}", item, parts[1])
    elif _types.is_input_type(wanted):
        if not isinstance(value, dict):
            yield path, f"an object is wanted, not {type(value).__name__}"
            return
        known = _inputs(wanted)
        for key, item in value.items():
            if key not in known:
                yield f"{path}.{key}", f"unknown input: there is {_near(key, known)}"
            else:
                yield from _mismatch(f"{path}.{key}", item, known[key])
        yield from ((f"{path}.{key}", "a required input is missing") for key in sorted(_required(wanted)) if value.get(key) is None)
    elif wanted in _SCALARS:
        if not isinstance(value, _SCALARS[wanted]) or (wanted is str and isinstance(value, bool)):
            yield path, f"{wanted.__name__} is wanted, not {type(value).__name__}"
    elif isinstance(wanted, type) and issubclass(wanted, str) and not isinstance(value, str):
        yield path, f"text is wanted, not {type(value).__name__}"
