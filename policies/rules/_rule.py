"""What a rule is, and why it cannot be passed by silence.

The SDK skips a policy that touches an unknown value during a preview: it fails open. A rule here turns an unknown value, a missing one and
any error of its own into a violation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    PolicyComplianceFramework,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

from policies.rules._standing import STANDING, Standing

Check = Callable[[Mapping[str, Any]], Iterator[str]]
"""A resource's known inputs in, one sentence a violation out."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource as a stack rule sees it; what a rule does not look at may be unknown."""

    type: str
    name: str
    raw: Any

    @property
    def props(self) -> Mapping[str, Any]:
        """Its properties; touching an unknown one raises."""
        found: Mapping[str, Any] = known(self.raw)
        return found


StackCheck = Callable[[list[Resource]], Iterator[str]]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule about resources of one type (None: of every type), or about the whole stack.

    Attributes:
        name: stable, as reviewers quote it.
        description: the rule in one sentence.
        resource_type: the type it judges, or several; None for every one, where ``check`` gets ``{"type": ...}`` merged in.
        fields: the inputs it judges, ``a.b`` for a part of one (of each, in a list), ``?a`` for whether it is there, ``~a`` for its value
            where that is known: an unknown one is what another resource of this plan will give, and is judged there. None for all.
            What else is unknown before an update is not its business; these are.
        check: judges one resource.
        stack_check: judges all of them; exactly one of the two is set.
    """

    name: str
    description: str
    resource_type: str | tuple[str, ...] | None = None
    fields: tuple[str, ...] | None = None
    check: Check | None = None
    stack_check: StackCheck | None = None

    def policy(self) -> ResourceValidationPolicy | StackValidationPolicy:
        """The rule as the engine runs it: mandatory, with its severity, what it serves and how to mend.

        Raises:
            KeyError: the table of standings lacks the rule; then the pack does not start and the plan stops.
        """
        standing = self.standing
        told: dict[str, Any] = {
            "enforcement_level": EnforcementLevel.MANDATORY,
            "severity": standing.severity,
            "framework": PolicyComplianceFramework(name="curtilage", reference=", ".join(standing.frameworks)),
            "remediation_steps": standing.fix,
        }
        if self.stack_check is not None:
            return StackValidationPolicy(self.name, self.description, self.validate_stack, **told)
        return ResourceValidationPolicy(self.name, self.description, self.validate, **told)

    @property
    def standing(self) -> Standing:
        """What stands behind the rule."""
        return STANDING[self.name]

    def validate(self, args: ResourceValidationArgs, report: ReportViolation) -> None:
        """Judge one resource; whatever cannot be judged is a violation."""
        if self.check is None or not self._is_about(args.resource_type):
            return
        check = self.check
        self._judge(args.name, lambda: check({**self._seen(args.props), "type": args.resource_type}), report)

    def _is_about(self, resource_type: str) -> bool:
        wanted = self.resource_type
        return wanted is None or resource_type in ((wanted,) if isinstance(wanted, str) else wanted)

    def _seen(self, props: Any) -> dict[str, Any]:
        if self.fields is None:
            found: dict[str, Any] = known(props)
            return found
        picked: dict[str, Any] = _picked(props, [field.split(".") for field in self.fields])
        return picked

    def validate_stack(self, args: StackValidationArgs, report: ReportViolation) -> None:
        """Judge the whole stack."""
        if self.stack_check is None:
            return
        check = self.stack_check
        self._judge(
            "the stack",
            lambda: check([Resource(type=item.resource_type, name=item.name, raw=item.props) for item in args.resources]),
            report,
        )

    def _judge(self, name: str, check: Callable[[], Iterator[str]], report: ReportViolation) -> None:
        def say(sentence: str) -> None:
            report(f"{name}: {sentence} {self.standing.words(self.name)}", None)

        try:
            for sentence in check():
                say(sentence)
        except UnknownValueError as error:
            say(f"cannot be judged, because a value is not known before the update ({error}); state it in the stack file.")
        except Exception as error:  # noqa: BLE001 - a rule that breaks must stop the plan, not let it pass
            say(f"cannot be judged, because {type(error).__name__}: {error}.")


def _picked(value: Any, paths: list[list[str]]) -> Any:
    """The parts of a property tree that a rule judges; what else is in it stays untouched, known or not."""
    if not hasattr(value, "keys"):
        return [_picked(value[index], paths) for index in range(len(value))] if _is_list(value) else known(value)
    there, found = set(value.keys()), {}
    for name in dict.fromkeys(path[0] for path in paths):
        rest = [path[1:] for path in paths if path[0] == name and len(path) > 1]
        if name.startswith("?"):
            # Whether it is there, and nothing of what it says.
            found[name] = name[1:] in there and not _is_known_none(value, name[1:])
        elif name.startswith("~"):
            if name[1:] in there and _is_known(value, name[1:]):
                found[name] = known(value[name[1:]])
        elif name in there:
            found[name] = _picked(value[name], rest) if rest and value[name] is not None else known(value[name])
    return found


def _is_known(value: Any, key: str) -> bool:
    try:
        known(value[key])
    except UnknownValueError:
        return False
    return True


def _is_known_none(value: Any, key: str) -> bool:
    return _is_known(value, key) and value[key] is None


def _is_list(value: Any) -> bool:
    return not isinstance(value, str) and hasattr(value, "__len__") and hasattr(value, "__getitem__")


def known(value: Any) -> Any:
    """A plain copy of a property tree; touching an unknown value anywhere in it raises."""
    if isinstance(value, str | bytes | int | float | bool) or value is None:
        return value
    if hasattr(value, "keys"):
        return {key: known(value[key]) for key in value.keys()}  # noqa: SIM118 - the checking proxy iterates no mapping
    if hasattr(value, "__len__") and hasattr(value, "__getitem__"):
        return [known(value[index]) for index in range(len(value))]
    raise TypeError(f"a value of type {type(value).__name__}")
