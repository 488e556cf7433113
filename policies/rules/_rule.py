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
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

Check = Callable[[Mapping[str, Any]], Iterator[str]]
"""A resource's known inputs in, one sentence a violation out."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource as a stack rule sees it."""

    type: str
    name: str
    props: Mapping[str, Any]


StackCheck = Callable[[list[Resource]], Iterator[str]]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule about resources of one type (None: of every type), or about the whole stack.

    Attributes:
        name: stable, as reviewers quote it.
        description: the rule in one sentence.
        resource_type: the type it judges; None for every one, where ``check`` gets ``{"type": ...}`` merged in.
        check: judges one resource.
        stack_check: judges all of them; exactly one of the two is set.
    """

    name: str
    description: str
    resource_type: str | None = None
    check: Check | None = None
    stack_check: StackCheck | None = None

    def policy(self) -> ResourceValidationPolicy | StackValidationPolicy:
        """The rule as the engine runs it: mandatory."""
        if self.stack_check is not None:
            return StackValidationPolicy(self.name, self.description, self.validate_stack, EnforcementLevel.MANDATORY)
        return ResourceValidationPolicy(self.name, self.description, self.validate, EnforcementLevel.MANDATORY)

    def validate(self, args: ResourceValidationArgs, report: ReportViolation) -> None:
        """Judge one resource; whatever cannot be judged is a violation."""
        if self.resource_type not in (None, args.resource_type) or self.check is None:
            return
        check = self.check
        self._judge(args.name, lambda: check({**known(args.props), "type": args.resource_type}), report)

    def validate_stack(self, args: StackValidationArgs, report: ReportViolation) -> None:
        """Judge the whole stack."""
        if self.stack_check is None:
            return
        check = self.stack_check
        self._judge(
            "the stack",
            lambda: check([Resource(type=item.resource_type, name=item.name, props=known(item.props)) for item in args.resources]),
            report,
        )

    def _judge(self, name: str, check: Callable[[], Iterator[str]], report: ReportViolation) -> None:
        try:
            for sentence in check():
                report(f"{name}: {sentence}", None)
        except UnknownValueError as error:
            report(f"{name}: cannot be judged, because a value is not known before the update ({error}); state it in the stack file.", None)
        except Exception as error:  # noqa: BLE001 - a rule that breaks must stop the plan, not let it pass
            report(f"{name}: cannot be judged, because {type(error).__name__}: {error}.", None)


def known(value: Any) -> Any:
    """A plain copy of a property tree; touching an unknown value anywhere in it raises."""
    if isinstance(value, str | bytes | int | float | bool) or value is None:
        return value
    if hasattr(value, "keys"):
        return {key: known(value[key]) for key in value.keys()}  # noqa: SIM118 - the checking proxy iterates no mapping
    if hasattr(value, "__len__") and hasattr(value, "__getitem__"):
        return [known(value[index]) for index in range(len(value))]
    raise TypeError(f"a value of type {type(value).__name__}")
