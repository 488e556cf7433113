"""Policy documents as SMT: whether a request exists that a policy allows although its principal or its resource is foreign.

A request is an action, a resource, a principal and condition keys. Keys that say who or whose are bound to the principal and the resource;
every other key is free, so a policy that hangs on one is judged by the value that suits an attacker. An operator or a variable that is not
modelled stands as a free truth value, and a leak that needs one is not proven rather than found.

Semantics: IAM User Guide, "Policy evaluation logic", "IAM JSON policy elements: Condition operators" and "Multivalued context keys".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import orjson
import z3

OWN, FOREIGN, ANONYMOUS, SERVICE_OWN, SERVICE_FOREIGN = range(5)
KINDS = {
    OWN: "a principal of the own account",
    FOREIGN: "a foreign principal",
    ANONYMOUS: "anyone, unauthenticated",
    SERVICE_OWN: "an AWS service for the own account",
    SERVICE_FOREIGN: "an AWS service for a foreign account",
}

_CHAR = z3.AllChar(z3.ReSort(z3.StringSort()))
_ANY = z3.Star(_CHAR)
_NOT_COLON = z3.Star(z3.Diff(_CHAR, z3.Re(":")))
_TWELVE_DIGITS = z3.Loop(z3.Range("0", "9"), 12, 12)
HEADS = ("arn:aws:iam::", "arn:aws:sts::", "arn:aws-cn:iam::", "arn:aws-cn:sts::", "arn:aws-us-gov:iam::", "arn:aws-us-gov:sts::")
"""How the ARN of a principal begins: partition, service, no region."""
_ACCOUNT = re.compile(r"^\d{12}$")
_VARIABLE = re.compile(r"\$\{([^}]*)\}")


class PolicyError(Exception):
    """A document that is no policy."""


@dataclass(frozen=True)
class Owner:
    """Who is own: the organisation and the accounts; empty where a plan does not say."""

    organisation: str | None = None
    accounts: tuple[str, ...] = ()
    buckets: tuple[str, ...] = ()


def parse(document: Any) -> list[dict[str, Any]]:
    """The statements of a policy, as text or as an object."""
    if isinstance(document, str):
        try:
            document = orjson.loads(document)
        except orjson.JSONDecodeError as exc:
            raise PolicyError("not JSON") from exc
    if not isinstance(document, dict) or "Statement" not in document:
        raise PolicyError("no Statement in it")
    found = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    for item in found:
        if not isinstance(item, dict) or item.get("Effect") not in ("Allow", "Deny"):
            raise PolicyError("a statement without Effect Allow or Deny")
        known = {
            "Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal", "Condition",
        }  # fmt: skip
        if set(item) - known:
            raise PolicyError(f"element {sorted(set(item) - known)[0]} is not modelled")
    return found


def glob(pattern: str, many: Any = _ANY) -> Any:
    """``*`` any text, ``?`` any character."""
    parts = [many if part == "*" else _CHAR if part == "?" else z3.Re(z3.StringVal(part)) for part in re.split(r"([*?])", pattern) if part]
    return parts[0] if len(parts) == 1 else z3.Concat(*parts) if parts else z3.Re("")


def arn_glob(pattern: str) -> Any:
    """As ARN operators match: an asterisk does not cross a colon of the first five."""
    pieces = pattern.split(":", 5)
    if len(pieces) < 6:
        return glob(pattern)
    parts: list[Any] = []
    for piece in pieces[:5]:
        parts += [glob(piece, _NOT_COLON), z3.Re(":")]
    return z3.Concat(*parts, glob(pieces[5]))


def like(variable: Any, pattern: str) -> Any:
    """A string variable matches a pattern; equality where the pattern has no wildcard, which decides faster."""
    if pattern == "*":
        return z3.BoolVal(True)
    if "*" not in pattern and "?" not in pattern:
        return variable == z3.StringVal(pattern)
    head, _, tail = pattern.partition("*")
    if not tail and "?" not in head:
        return z3.PrefixOf(z3.StringVal(head), variable)
    return z3.InRe(variable, glob(pattern))


def texts(value: Any) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return ["true" if item is True else "false" if item is False else str(item) for item in items if item is not None]


@dataclass
class Key:
    """A condition key: values that may be there. Single-valued keys have one slot, sets have two, which suffices for a counterexample."""

    slots: list[tuple[Any, Any]]

    @property
    def present(self) -> Any:
        return z3.Or(*(there for there, _ in self.slots))


@dataclass
class Request:
    """The variables of one question, and what binds them to one another."""

    owner: Owner
    keys: dict[str, Key] = field(default_factory=dict)
    unknown: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.kind = z3.Int("kind")
        self.action, self.resource = z3.String("action"), z3.String("resource")
        # A named principal's ARN in the parts that policies ask about; as one text a solver takes seconds over a pattern.
        self.head, self.account, self.rest = z3.String("head"), z3.String("account"), z3.String("rest")
        self.principal, self.service = z3.String("principal"), z3.String("service")
        self.foreign_resource = z3.Bool("foreign_resource")
        self.named = z3.Or(self.kind == OWN, self.kind == FOREIGN)
        self.serving = z3.Or(self.kind == SERVICE_OWN, self.kind == SERVICE_FOREIGN)

    def key(self, name: str, *, many: bool = False) -> Key:
        name = name.lower()
        if name not in self.keys:
            width = 2 if many and name not in _BOUND else 1
            self.keys[name] = Key([(z3.Bool(f"{name}#{slot}"), z3.String(f"{name}={slot}")) for slot in range(width)])
        return self.keys[name]

    def principal_like(self, pattern: str) -> Any:
        """The named principal's ARN matches a pattern part by part, as ARN operators do."""
        pieces = pattern.split(":", 5)
        if len(pieces) < 6:
            return z3.BoolVal(pattern == "*")
        heads = [item for item in HEADS if all(fnmatchcase(a, b) for a, b in zip(item.split(":")[:4], pieces[:4], strict=True))]
        head = z3.Or(*(self.head == z3.StringVal(item) for item in heads))
        return z3.And(head, like(self.account, pieces[4]), like(self.rest, pieces[5]))

    def not_modelled(self) -> Any:
        found = z3.Bool(f"unknown{len(self.unknown)}")
        self.unknown.append(found)
        return found

    def constraints(self) -> Iterator[Any]:
        """What holds for every request."""
        owner = self.owner
        yield z3.And(self.kind >= OWN, self.kind <= SERVICE_FOREIGN)
        mine = z3.Or(*(self.account == z3.StringVal(item) for item in owner.accounts)) if owner.accounts else None
        yield z3.Or(*(self.head == z3.StringVal(item) for item in HEADS))
        yield z3.InRe(self.account, _TWELVE_DIGITS)
        yield z3.Implies(self.named, self.principal == z3.Concat(self.head, self.account, z3.StringVal(":"), self.rest))
        if mine is not None:
            yield z3.Implies(self.kind == OWN, mine)
            yield z3.Implies(self.kind == FOREIGN, z3.Not(mine))
        homes = [z3.Contains(self.resource, z3.StringVal(f":{item}:")) for item in owner.accounts]
        for bucket in owner.buckets:
            arn = f"arn:aws:s3:::{bucket}"
            homes += [self.resource == z3.StringVal(arn), z3.PrefixOf(z3.StringVal(arn + "/"), self.resource)]
        yield z3.Implies(self.foreign_resource, z3.Not(z3.Or(*homes)) if homes else z3.BoolVal(True))
        for name, found in self.keys.items():
            there, value = found.slots[0]
            yield from self._bind(name, there, value)

    def _bind(self, name: str, there: Any, value: Any) -> Iterator[Any]:
        owner, org = self.owner, self.owner.organisation
        if name in ("aws:principalorgid", "aws:principalorgpaths"):
            yield z3.Implies(z3.Not(self.named), z3.Not(there))
            yield z3.Implies(self.kind == OWN, z3.And(there, _of_org(value, org, name)))
            yield z3.Implies(z3.And(self.kind == FOREIGN, there), z3.Not(_of_org(value, org, name)))
        elif name in ("aws:principalaccount", "kms:calleraccount"):
            yield z3.Implies(z3.Not(self.named), z3.Not(there))
            yield z3.Implies(self.named, there)
            yield z3.Implies(self.kind == OWN, _in(value, owner.accounts, unknown=True))
            yield z3.Implies(self.kind == FOREIGN, z3.Not(_in(value, owner.accounts)))
        elif name == "aws:principalarn":
            yield there == self.named
            yield z3.Implies(there, value == self.principal)
        elif name == "aws:principalisawsservice":
            yield there
            yield value == z3.If(self.serving, z3.StringVal("true"), z3.StringVal("false"))
        elif name in ("aws:resourceorgid", "aws:resourceorgpaths"):
            yield z3.Implies(z3.And(self.foreign_resource, there), z3.Not(_of_org(value, org, name)))
        elif name in ("aws:resourceaccount", "s3:resourceaccount"):
            yield z3.Implies(z3.And(self.foreign_resource, there), z3.Not(_in(value, owner.accounts)))
        elif name in ("aws:sourceaccount", "aws:sourceowner", "aws:sourceorgid", "aws:sourceorgpaths", "aws:sourcearn"):
            if name == "aws:sourcearn":
                mine = (
                    z3.Or(*(z3.Contains(value, z3.StringVal(f":{item}:")) for item in owner.accounts))
                    if owner.accounts
                    else z3.BoolVal(False)
                )
            elif "org" in name:
                mine = _of_org(value, org, name)
            else:
                mine = _in(value, owner.accounts)
            yield z3.Implies(z3.And(self.kind == SERVICE_FOREIGN, there), z3.Not(mine))


_BOUND = {
    "aws:principalorgid", "aws:principalorgpaths", "aws:principalaccount", "kms:calleraccount", "aws:principalarn", "aws:resourceorgid",
    "aws:resourceorgpaths", "aws:resourceaccount", "s3:resourceaccount", "aws:sourceaccount", "aws:sourceowner", "aws:sourceorgid",
    "aws:sourceorgpaths", "aws:sourcearn", "aws:principalisawsservice",
}  # fmt: skip


def _of_org(value: Any, organisation: str | None, name: str) -> Any:
    if organisation is None:
        return z3.BoolVal(False) if name else z3.BoolVal(True)
    if name.endswith("paths"):
        return z3.PrefixOf(z3.StringVal(organisation + "/"), value)
    return value == z3.StringVal(organisation)


def _in(value: Any, texts: Iterable[str], *, unknown: bool = False) -> Any:
    found = [value == z3.StringVal(item) for item in texts]
    return z3.Or(*found) if found else z3.BoolVal(unknown)


# Elements.


def actions(request: Request, statement: Mapping[str, Any]) -> Any:
    # Actions match without regard to case; the variable is lower case.
    if "Action" in statement:
        return z3.Or(*(like(request.action, item.lower()) for item in texts(statement["Action"])))
    if "NotAction" in statement:
        return z3.Not(z3.Or(*(like(request.action, item.lower()) for item in texts(statement["NotAction"]))))
    raise PolicyError("a statement without Action or NotAction")


def resources(request: Request, statement: Mapping[str, Any]) -> Any:
    negated = "NotResource" in statement
    given = statement.get("NotResource" if negated else "Resource")
    if given is None:
        return z3.BoolVal(True)  # trust policies have none
    found = z3.Or(*(_resource(request, item, negated) for item in texts(given)))
    return z3.Not(found) if negated else found


def _resource(request: Request, pattern: str, negated: bool) -> Any:
    if _VARIABLE.search(pattern):
        return z3.And(z3.InRe(request.resource, glob(_VARIABLE.sub("*", pattern))), request.not_modelled())
    return like(request.resource, pattern)


def principals(request: Request, statement: Mapping[str, Any], *, default: bool) -> Any:
    negated = "NotPrincipal" in statement
    given = statement.get("NotPrincipal" if negated else "Principal")
    if given is None:
        return z3.BoolVal(default)
    if given == "*":
        return z3.BoolVal(not negated)
    if not isinstance(given, dict):
        raise PolicyError("a Principal that is not understood")
    found = z3.Or(*(_principal(request, kind, item) for kind, values in given.items() for item in texts(values)))
    return z3.Not(found) if negated else found


def _principal(request: Request, kind: str, item: str) -> Any:
    if kind == "Service":
        return z3.And(request.serving, like(request.service, item))
    if kind == "CanonicalUser":
        return request.kind == FOREIGN
    if kind not in ("AWS", "Federated"):
        return request.not_modelled()
    if item == "*":
        return z3.Or(request.named, request.kind == ANONYMOUS)
    if _ACCOUNT.match(item):
        return z3.And(request.named, request.account == z3.StringVal(item))
    if item.endswith(":root") and item.count(":") == 5:
        return z3.And(request.named, like(request.account, item.split(":")[4]))
    if kind == "Federated" and (not item.startswith("arn:") or (":oidc-provider/" in item and ":oidc-provider/oidc.eks." not in item)):
        # A public identity provider, or one outside AWS: whoever it lets in comes from outside. A cluster's own names its pods.
        return request.kind == FOREIGN
    if not item.startswith("arn:"):
        return request.not_modelled()  # the unique id of a principal: whose it is is not told
    return z3.And(request.named, request.principal_like(item))


def conditions(request: Request, statement: Mapping[str, Any]) -> Any:
    blocks = statement.get("Condition") or {}
    if not isinstance(blocks, dict):
        raise PolicyError("a Condition that is not understood")
    parts = []
    for operator, tests in blocks.items():
        if not isinstance(tests, dict):
            raise PolicyError("a Condition that is not understood")
        parts += [_condition(request, operator, key, texts(values)) for key, values in tests.items()]
    return z3.And(*parts)


def _condition(request: Request, operator: str, key: str, values: list[str]) -> Any:
    scope, _, name = operator.rpartition(":")
    exists = name.endswith("IfExists")
    base = name.removesuffix("IfExists")
    found = request.key(key, many=bool(scope))
    if base == "Null":
        wants_absent = z3.Or(*(z3.BoolVal(value.lower() == "true") for value in values))
        return z3.If(wants_absent, z3.Not(found.present), found.present)
    negated = "Not" in base
    plain = base.replace("Not", "", 1)
    if key.lower() == "aws:principalarn" and plain in ("ArnEquals", "ArnLike") and not any(map(_VARIABLE.search, values)):
        test: Any = lambda _: z3.Or(*(request.principal_like(text) for text in values))  # noqa: E731 -- the key is the principal's ARN
    else:
        test = _tests(request, plain, values)
    if test is None or scope not in ("", "ForAllValues", "ForAnyValue"):
        return request.not_modelled()
    matched = [(there, test(value)) for there, value in found.slots]
    one = [z3.Not(hit) if negated else hit for _, hit in matched]
    if scope == "ForAllValues":
        # True for a key that is absent: the pitfall that a Null test beside it closes.
        result = z3.And(*(z3.Implies(there, hit) for (there, _), hit in zip(matched, one, strict=True)))
    elif scope == "ForAnyValue":
        result = z3.Or(*(z3.And(there, hit) for (there, _), hit in zip(matched, one, strict=True)))
    elif negated:
        result = z3.And(*(z3.Implies(there, hit) for (there, _), hit in zip(matched, one, strict=True)))
    else:
        result = z3.Or(*(z3.And(there, hit) for (there, _), hit in zip(matched, one, strict=True)))
    return z3.Or(z3.Not(found.present), result) if exists else result


def _tests(request: Request, base: str, values: list[str]) -> Any:
    def variable(value: Any, text: str) -> Any:
        whole = _VARIABLE.fullmatch(text)
        if whole and "," not in whole[1]:
            other = request.key(whole[1].strip())
            return z3.And(other.present, other.slots[0][1] == value)
        return request.not_modelled()

    def over(match: Any) -> Any:
        return lambda value: z3.Or(*(variable(value, text) if _VARIABLE.search(text) else match(value, text) for text in values))

    if base == "StringEquals":
        return over(lambda value, text: value == z3.StringVal(text))
    if base == "StringEqualsIgnoreCase":
        letters = [lambda value, text: z3.InRe(value, _any_case(text))]
        return over(letters[0])
    if base == "StringLike":
        return over(like)
    if base in ("ArnEquals", "ArnLike"):
        return over(lambda value, text: z3.InRe(value, arn_glob(text)) if "*" in text or "?" in text else value == z3.StringVal(text))
    if base == "Bool":
        return over(lambda value, text: value == z3.StringVal(text.lower()))
    return None


def _any_case(text: str) -> Any:
    parts = [z3.Union(z3.Re(c.lower()), z3.Re(c.upper())) if c.lower() != c.upper() else z3.Re(c) for c in text]
    return z3.Concat(*parts) if len(parts) > 1 else parts[0] if parts else z3.Re("")
