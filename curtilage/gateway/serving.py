"""Which version of a model answers a call: a canary's share of the matters, a matter's own adapter, and the canary that is taken back.

``serving.json`` is written by ``curtilage model promote|rollback|adapter`` and read again whenever it changes, so that a share goes to
nothing within a second and no connection is cut::

    {"canaries": [{"model": "lab-mistral", "stable": "sha256:…", "version": "sha256:…", "share": 0.1, "began": "2031-05-01T08:00:00Z"}],
     "adapters": [{"matter": "M-2031-0001", "model": "lab-mistral", "served": "m-2031-0001", "version": "sha256:…"}]}

A matter is on one side for as long as a canary runs: half a conversation by one version and half by another would help nobody to judge.
The gateway judges the canary by its own calls (``curtilage.models.rollback_rule``) and takes it back by itself; what it took back is on
disk before it acts, so that a restart does not bring it again. Only a new promotion does.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import math
import os
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from curtilage.errors import ConfigError
from curtilage.models.manifest import Digest, Name
from curtilage.models.rollback_rule import Judgement, Measured, judge
from curtilage.verdict import Verdict

log = logging.getLogger("curtilage.gateway")

_REMEMBERED_CALLS = 2_000
_MAX_BYTES = 1 << 20


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Canary(_Part):
    """A new version beside the one that serves.

    Attributes:
        share: the part of the matters, from 0 to 1, whose calls the new version answers; at 0 it does not even stand in.
        began: when it was promoted; what was taken back is taken back for this promotion alone.
    """

    model: Name
    stable: Digest
    version: Digest
    share: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    began: Annotated[str, Field(min_length=1, max_length=40)]

    @model_validator(mode="after")
    def _two_versions(self) -> Self:
        if self.stable == self.version:
            raise ValueError("a canary is another version than the one that serves")
        return self


class Adapter(_Part):
    """A matter's own adapter on a model; ``served`` is its name at the model hosts."""

    matter: Annotated[str, Field(min_length=1, max_length=200)]
    model: Name
    served: Name
    version: Digest


class Serving(_Part):
    """The whole file."""

    canaries: tuple[Canary, ...] = ()
    adapters: tuple[Adapter, ...] = ()

    @model_validator(mode="after")
    def _nothing_twice(self) -> Self:
        models = [canary.model for canary in self.canaries]
        if len(set(models)) != len(models):
            raise ValueError("a model has one canary at a time")
        places = [(adapter.matter, adapter.model) for adapter in self.adapters]
        if len(set(places)) != len(places):
            raise ValueError("a matter has one adapter on a model")
        # What one matter's documents taught must not answer on another: a wall would be no wall.
        if len({adapter.served for adapter in self.adapters}) != len(self.adapters) or len(
            {adapter.version for adapter in self.adapters}
        ) != len(self.adapters):
            raise ValueError("an adapter belongs to one matter and is never shared")
        return self


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a call asks of a host.

    Attributes:
        model: the name at the host.
        version: the version that should answer; empty: any.
        only: no other version may stand in.
        never: versions that may not answer at all.
    """

    model: str = ""
    version: str = ""
    only: bool = False
    never: frozenset[str] = frozenset()

    def fits(self, versions: dict[str, str]) -> bool:
        """Whether a host that serves these is one that was wanted."""
        return not self.version or versions.get(self.model) == self.version

    def may(self, versions: dict[str, str]) -> bool:
        """Whether a host that serves these may answer at all."""
        found = versions.get(self.model)
        return found not in self.never and (not self.only or found == self.version)


@dataclass(slots=True)
class _Record:
    answered: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED_CALLS))
    calls: int = 0
    failed: int = 0

    def measured(self) -> Measured:
        times = sorted(self.answered)
        return Measured(
            calls=self.calls, failed=self.failed, p95_milliseconds=times[max(0, math.ceil(0.95 * len(times)) - 1)] if times else None
        )


class Rollout:
    """Reads ``serving.json`` again when it changes, and judges the canaries.

    Args:
        path: the file; None where a gateway has none.
        withdrawn: where the canaries that were taken back are remembered.
        models: the names callers ask for, with what they stand for: an adapter may be none of them.
    """

    def __init__(self, path: Path | None, withdrawn: Path | None, models: dict[str, str]) -> None:
        self._path, self._remembered = path, withdrawn
        self._names = frozenset(models) | frozenset(models.values())
        self._seen: tuple[int, int, int] | None = None
        self._records: dict[tuple[str, str, str], _Record] = {}
        self._changed = False
        self.serving = Serving()
        self.withdrawn: dict[str, list[str]] = {}
        self._take_back_what_others_did()
        if path is not None:
            self.serving = self._read(path)
            self._seen = _stamp(path)

    def refresh(self) -> None:
        """Take up a changed file; one that is not whole changes nothing and is told in the log."""
        self._take_back_what_others_did()
        if self._path is None or (stamp := _stamp(self._path)) == self._seen:
            return
        self._seen = stamp
        try:
            self.serving = self._read(self._path)
        except ConfigError as error:
            log.error("serving.json stays as it was: %s", " ".join(str(error).split()))

    def _take_back_what_others_did(self) -> None:
        """What another worker took back, or this one before a restart, is taken back here as well."""
        if self._remembered is None or not self._remembered.is_file():
            return
        try:
            found = json.loads(self._remembered.read_text(encoding="utf-8"))
            self.withdrawn |= {str(key): [str(reason) for reason in reasons] for key, reasons in found.items()}
        except (OSError, ValueError, AttributeError, TypeError) as error:
            log.error("what was taken back before cannot be read: %s", type(error).__name__)

    def _read(self, path: Path) -> Serving:
        try:
            if not path.exists():
                return Serving()
            if path.stat().st_size > _MAX_BYTES:
                raise ValueError(f"larger than {_MAX_BYTES} bytes")
            found = Serving.model_validate_json(path.read_bytes())
        except (OSError, ValueError) as error:
            said = error.errors(include_url=False, include_input=False)[0]["msg"] if isinstance(error, ValidationError) else str(error)
            raise ConfigError(said, rule="serving.json follows its schema", fix="promote or roll back again", file=path) from error
        for adapter in found.adapters:
            if adapter.served in self._names:
                raise ConfigError(
                    f"adapter '{adapter.served}' has a name that any caller may ask for",
                    rule="an adapter is reached by its matter alone",
                    fix="give it another name",
                    file=path,
                )
        return found

    def served_as(self, model: str, matter: str) -> str:
        """The name under which a model answers on a matter: its adapter's, where it has one."""
        return next((item.served for item in self.serving.adapters if (item.matter, item.model) == (matter, model)), model)

    def wanted(self, name: str, place: bytes) -> Wanted:
        """What a call to a served name asks of its host.

        Args:
            name: as :meth:`served_as` gave it.
            place: a value of the matter that nobody outside can guess or choose; decides the side of a canary.
        """
        for adapter in self.serving.adapters:
            if adapter.served == name:
                return Wanted(name, adapter.version, only=True)
        for canary in self.serving.canaries:
            if canary.model == name:
                if self.is_withdrawn(canary) or canary.share == 0:  # rolled back: its host may go on serving it for a while
                    return Wanted(name, canary.stable, never=frozenset({canary.version}))
                spot = int.from_bytes(hmac.digest(place, canary.version.encode(), hashlib.sha256)[:8], "big") / 2.0**64
                return Wanted(name, canary.version if spot < canary.share else canary.stable)
        return Wanted(name)

    def is_withdrawn(self, canary: Canary) -> bool:
        """Whether this gateway took it back."""
        return _key(canary) in self.withdrawn

    def note(self, model: str, version: str, *, failed: bool, milliseconds: float) -> None:
        """A call that a version answered, or did not."""
        canary = next((item for item in self.serving.canaries if item.model == model), None)
        if canary is None or version not in (canary.stable, canary.version):
            return
        record = self._records.setdefault((model, version, canary.began), _Record())
        record.calls += 1
        record.failed += failed
        if not failed:
            record.answered.append(milliseconds)
        self._changed = True

    def judge(self) -> None:
        """Take a canary back that its calls speak against."""
        if not self._changed:
            return
        self._changed = False
        for canary in self.serving.canaries:
            if self.is_withdrawn(canary):
                continue
            before, after = (
                self._records.get((canary.model, version, canary.began), _Record()).measured()
                for version in (canary.stable, canary.version)
            )
            found = judge(before, after)
            if found.verdict is Verdict.FAIL:
                self._withdraw(canary, found)

    def _withdraw(self, canary: Canary, found: Judgement) -> None:
        reasons = [reason for reason in found.reasons if reason.startswith(str(Verdict.FAIL))]
        self.withdrawn[_key(canary)] = reasons
        log.error("canary of %s taken back, %s answers again: %s", canary.model, canary.stable[:19], "; ".join(reasons))
        if self._remembered is not None:
            try:
                self._take_back_what_others_did()
                temporary = self._remembered.with_suffix(f".{os.getpid()}.new")
                with temporary.open("w", encoding="utf-8") as stream:
                    json.dump(self.withdrawn, stream)
                    stream.flush()
                    os.fsync(stream.fileno())
                temporary.replace(self._remembered)
            except OSError as error:
                # It is taken back all the same; a restart would judge again from the beginning.
                log.error("a canary that was taken back is not on disk: %s", error.strerror)


def _key(canary: Canary) -> str:
    return f"{canary.model} {canary.version} {canary.began}"


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
