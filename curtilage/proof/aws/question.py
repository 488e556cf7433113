"""One policy and one question: does a request exist that it allows? With a witness that reads well."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import z3

from curtilage.proof.aws.policy import (
    ANONYMOUS,
    FOREIGN,
    HEADS,
    KINDS,
    OWN,
    SERVICE_FOREIGN,
    Owner,
    Request,
    actions,
    conditions,
    parse,
    principals,
    resources,
    texts,
)

TIMEOUT_MS = 4000
FOREIGN_ACCOUNT = "999999999999"
_GUESSES = ("s3:putobject", "sts:assumerole", "logs:putlogevents")


@dataclass(frozen=True)
class Witness:
    """A request that a policy allows."""

    principal: str
    action: str
    resource: str
    certain: bool
    statement: str
    foreign: bool = True

    def document(self) -> dict[str, Any]:
        """The counterexample of a policy."""
        return {
            "family": "api",
            "protocol": "aws",
            "source": self.principal,
            "destination": self.resource,
            "port": None,
            "principal": self.principal,
            "action": self.action,
            "resource": self.resource,
        }


class Question:
    """One policy, and the request that is looked for."""

    def __init__(self, document: Any, owner: Owner, *, names_principals: bool, request: Request | None = None) -> None:
        # Two policies that are compared are asked about one and the same request.
        self.request = request or Request(owner)
        self.statements = parse(document)
        allows: list[Any] = []
        denies: list[Any] = []
        self.terms: list[tuple[str, Any]] = []
        for number, item in enumerate(self.statements, start=1):
            term = z3.And(
                actions(self.request, item),
                resources(self.request, item),
                # An identity's policy has no Principal; in a resource's policy a statement without one names nobody.
                principals(self.request, item, default=not names_principals),
                conditions(self.request, item),
            )
            self.terms.append((f"statement {number} ({item.get('Sid') or item['Effect']})", term))
            (allows if item["Effect"] == "Allow" else denies).append(term)
        self.allowed = z3.And(z3.Or(*allows), z3.Not(z3.Or(*denies)))
        self.allows = [found for found, item in zip(self.terms, self.statements, strict=True) if item["Effect"] == "Allow"]

    def candidates(self) -> list[Any]:
        """Requests that the Allow statements suggest: constants decide at once and read well. The general question is asked after them."""
        request = self.request
        calls = [
            _call(request, "s3:putobject", "arn:aws:s3:::foreign-bucket/object"),
            _call(request, "s3:getobject", "arn:aws:s3:::foreign/x"),
        ]
        for item in self.statements:
            if item["Effect"] != "Allow":
                continue
            named = [text.replace("*", "foreign").replace("?", "x") for text in texts(item.get("Resource", "*"))[:4]]
            patterns = [text.lower() for text in texts(item.get("Action", "*"))[:4]]
            for action in [*_GUESSES, *(text.replace("*", "x").replace("?", "x") for text in patterns)]:
                if "Action" not in item or any(fnmatchcase(action, pattern.replace("[", "[[]")) for pattern in patterns):
                    calls += [_call(request, action, text) for text in named]
        who = [_named(request, FOREIGN, FOREIGN_ACCOUNT, "user/foreign")]
        who += [_named(request, OWN, account, "role/own") for account in request.owner.accounts]
        return [z3.And(one, call) for one in who for call in calls[:24]] + calls[:24]

    def find(self, *wanted: Any) -> Witness | None:
        """An allowed request with these properties; the witness is uncertain when it needs something that is not modelled.

        Raises:
            TimeoutError: the solver did not decide.
        """
        terms = [*wanted, self.allowed, *self.request.constraints()]
        certain = True
        solver = self._check([*terms, *self._neutral()]) if self.request.unknown else None
        if solver is None:
            solver = self._check(terms)
            certain = not self.request.unknown
        if solver is None:
            return None
        model, request = solver.model(), self.request

        def text(term: Any, default: str) -> str:
            return model.eval(term, model_completion=True).as_string() or default

        kind = model.eval(request.kind, model_completion=True).as_long()
        who = text(request.principal, "") if kind in (OWN, FOREIGN) else text(request.service, "") if kind > ANONYMOUS else ""
        allow = next((label for label, term in self.allows if z3.is_true(model.eval(term, model_completion=True))), "")
        return Witness(
            principal=f"{KINDS[kind]}{f' ({who})' if who else ''}",
            action=text(request.action, "*"),
            resource=text(request.resource, "*"),
            certain=certain,
            statement=allow,
            foreign=kind in (FOREIGN, ANONYMOUS, SERVICE_FOREIGN),
        )

    def _neutral(self) -> list[Any]:
        """What is not modelled decides nothing: the leak must hold for both answers, so every unknown counts as false in Allow.

        An unknown in a Deny is true, which denies; a leak found under both is a leak whatever the unknown says only when no statement needs
        it, and this is the narrow reading of that.
        """
        denies = [term for (_, term), item in zip(self.terms, self.statements, strict=True) if item["Effect"] == "Deny"]
        bodies = z3.And(*[z3.Not(term) for term in denies]) if denies else z3.BoolVal(True)
        fixed = [(item, z3.BoolVal(True)) for item in self.request.unknown]
        return [item == False for item in self.request.unknown] + [z3.substitute(bodies, *fixed)]  # noqa: E712 — a z3 term

    def _check(self, terms: list[Any]) -> Any:
        solver = z3.Solver()
        solver.set("timeout", TIMEOUT_MS)
        solver.add(*terms)
        wishes = self.candidates()
        # Most policies allow none of them, which one question tells.
        solver.push()
        solver.add(z3.Or(*wishes))
        some = solver.check()
        solver.pop()
        whole = z3.And(*terms)
        for wish in wishes if some != z3.unsat else ():
            # Constants put in place of variables leave next to nothing to solve, so the first that holds is found in every process.
            pairs = [(item.arg(0), item.arg(1)) for item in _equalities(wish)]
            alone = z3.Solver()
            alone.set("timeout", TIMEOUT_MS)
            alone.add(z3.simplify(z3.substitute(whole, *pairs)), wish)
            if alone.check() == z3.sat:
                return alone
        answer = solver.check()
        if answer == z3.unknown:
            raise TimeoutError
        return solver if answer == z3.sat else None


def _equalities(wish: Any) -> list[Any]:
    """The single equations of a conjunction."""
    return [leaf for part in wish.children() for leaf in _equalities(part)] if z3.is_and(wish) else [wish]


def _named(request: Request, kind: int, account: str, rest: str) -> Any:
    parts = ((request.head, HEADS[0]), (request.account, account), (request.rest, rest))
    whole = request.principal == z3.StringVal(f"{HEADS[0]}{account}:{rest}")
    return z3.And(request.kind == kind, whole, *(part == z3.StringVal(text) for part, text in parts))


def _call(request: Request, action: str, resource: str) -> Any:
    return z3.And(request.action == z3.StringVal(action), request.resource == z3.StringVal(resource))
