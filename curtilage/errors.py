"""Errors a user can cause, and how they are told.

Tree::

    CurtilageError            exit 2: usage or input error
    ├── ConfigError           a file says something a rule forbids
    ├── MachineError          this machine lacks something the command needs
    ├── StepError             exit 1: a step of a longer run failed; says what was and was not applied
    └── NotRunError           exit 3: a claim could not be tested here; the message says what it would take

A message says what was given, which rule it breaks, and what to do. No user's mistake ends in a traceback.
"""

from __future__ import annotations

from pathlib import Path


class CurtilageError(Exception):
    """Base of every error shown to a user as a message instead of a traceback."""

    exit_code = 2


class ConfigError(CurtilageError):
    """A configuration file breaks a rule.

    Args:
        given: what the file says.
        rule: the rule it breaks.
        fix: what to change.
        file: the file, when known.
        key: the dotted key inside the file, when known.
    """

    def __init__(self, given: str, *, rule: str, fix: str, file: Path | str | None = None, key: str | None = None) -> None:
        self.given, self.rule, self.fix, self.file, self.key = given, rule, fix, file, key
        where = ": ".join(str(part) for part in (file, key) if part)
        super().__init__(f"{where + ': ' if where else ''}{given}\n  rule: {rule}\n  fix:  {fix}")


class MachineError(CurtilageError):
    """This machine cannot run the command; the message names what is missing and the command that fixes it."""


class StepError(CurtilageError):
    """A step of a longer run failed.

    Args:
        step: the step's name.
        reason: what went wrong, with the relevant excerpt.
        fix: what to do next.
    """

    exit_code = 1

    def __init__(self, step: str, reason: str, *, fix: str) -> None:
        self.step, self.reason, self.fix = step, reason, fix
        super().__init__(f"{step}: {reason}\n  fix:  {fix}")


class NotRunError(CurtilageError):
    """A claim could not be tested here: the answer is NOT-RUN, which is never PASS."""

    exit_code = 3
