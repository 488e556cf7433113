"""From a request's bytes to what may be forwarded: dialect, matter, access, residency, sanitizer, in this order, each able to end it."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import orjson

from curtilage.audit.content import ContentStore
from curtilage.audit.errors import LedgerUnavailable
from curtilage.gateway.access import authorize, check_residency, own_matters, readers_of, select_matter
from curtilage.gateway.cedar import CedarPolicies
from curtilage.gateway.reasons import Reason, Refusal
from curtilage.gateway.record import CallState
from curtilage.gateway.surfaces import Call, Operation
from curtilage.gateway.wire import parse_object
from curtilage.matters.model import Matter, PersonalData, Snapshot
from curtilage.sanitize.placeholders import Vault
from curtilage.sanitize.sanitizer import MAX_SECONDS, Findings, OutOfTime, Sanitizer
from curtilage.sanitize.terms import Terms, compiled
from curtilage.vendor_models import Task

# Above these, cleaning would hold up every other stream, so it runs beside the event loop. Size alone does not tell: a few KiB of encodings
# inside encodings take seconds.
_IN_LOOP_BYTES = 64 << 10
_IN_LOOP_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Prepared:
    """What goes to the model, and what is needed on the way back."""

    body: bytes
    vault: Vault
    stream: bool


class Preparer:
    """Decides and cleans.

    Args:
        sanitizer: the rules.
        models: names callers ask for -> names served.
        jurisdiction: where this region stands.
        content: where what was said is kept, if it is.
        tasks: what served models are for, where that is not to generate.
        policies: the owner's own, which may refuse what the rules allow.
    """

    def __init__(
        self,
        sanitizer: Sanitizer,
        models: Mapping[str, str],
        jurisdiction: str,
        content: ContentStore | None = None,
        tasks: Mapping[str, Task] | None = None,
        policies: CedarPolicies | None = None,
    ) -> None:
        self.sanitizer, self._models, self._jurisdiction, self._content = sanitizer, models, jurisdiction, content
        self._tasks, self._policies = dict(tasks or {}), policies

    async def prepare(
        self,
        state: CallState,
        operation: Operation,
        headers: Mapping[bytes, bytes],
        body: bytes,
        directory: Snapshot,
        served_as: Callable[[str, str], str],
    ) -> Prepared:
        """The body for the model, or a refusal; nothing here trusts the request about anything but its wish."""
        state.bytes_received = len(body)
        call = operation.request(parse_object(body))
        state.stream, state.dropped_parameters = call.stream, call.dropped.total()
        matter = self._matter(state, call, headers, directory)
        # An adapter is decided by the matter alone, after access to it was: no request names one.
        model = served_as(self._model(call.model, operation.task), matter.id)
        state.model_requested, state.model = call.model, model
        if self._policies is not None:
            assert state.caller is not None  # noqa: S101 - authenticated before the body is read
            self._policies.check(state.caller, matter, state.access, state.surface, model)
        vault = Vault(matter.derive("placeholder"))
        found = directory.terms.get(matter.id, ())
        terms = compiled(found) if found else None
        salt = base64.urlsafe_b64encode(matter.derive("cache")).decode()

        def clean(seconds: float) -> bytes:
            return self._clean(state, operation, call, matter, vault, model, salt, terms, seconds)

        forwarded = self._at_once(clean) if len(body) <= _IN_LOOP_BYTES else None
        if forwarded is None:
            forwarded = await asyncio.to_thread(clean, MAX_SECONDS)
        state.bytes_forwarded = len(forwarded)
        state.commit("received", body)
        state.commit("forwarded", forwarded)
        if self._content is not None:
            try:
                await asyncio.to_thread(self._content.put, matter, state.id, {"received": body, "forwarded": forwarded})
            except LedgerUnavailable:
                raise Refusal(Reason.LEDGER_UNAVAILABLE, "what is said on the matter cannot be kept, so the call is not made") from None
        return Prepared(forwarded, vault, call.stream)

    def _model(self, asked: str, task: Task) -> str:
        """What stands for a name, when it is made for the task."""
        fit = sorted(name for name, served in self._models.items() if self._tasks.get(served, Task.GENERATE).covers(task))
        if asked in fit:
            return self._models[asked]
        if not fit:
            raise Refusal(
                Reason.MODEL_UNMAPPED, f"this region serves no model with the task {task}; its owner adds one under models and tasks"
            )
        why = f"the model behind that name is not one to {task}" if asked in self._models else "no local model stands for that name"
        raise Refusal(Reason.MODEL_UNMAPPED, f"{why}; ask for one of {', '.join(fit)}")

    def _matter(self, state: CallState, call: Call, headers: Mapping[bytes, bytes], directory: Snapshot) -> Matter:
        assert state.caller is not None  # noqa: S101 - authenticated before the body is read
        named = set(call.named_matters)
        if b"x-curtilage-matter" in headers:
            named.add(headers[b"x-curtilage-matter"].decode("latin-1").strip())
        if len(named) > 1:
            raise Refusal(Reason.MATTER_DENIED, "the request names more than one matter")
        wanted = next(iter(named), None)
        if wanted is None and call.hinted_matter in own_matters(state.caller, directory):
            wanted = call.hinted_matter
        matter = select_matter(state.caller, wanted, directory)
        state.matter = matter
        purpose = headers.get(b"x-curtilage-purpose", b"").decode("latin-1").strip() or None
        state.access = authorize(state.caller, matter, directory, purpose)
        state.readers = readers_of(directory, matter)
        state.residency_basis = check_residency(matter, self._jurisdiction)
        return matter

    @staticmethod
    def _at_once(clean: Callable[[float], bytes]) -> bytes | None:
        """What may be forwarded; None when it takes longer than the loop may be kept."""
        try:
            return clean(_IN_LOOP_SECONDS)
        except Refusal as refusal:
            if isinstance(refusal.__cause__, OutOfTime):
                return None
            raise

    def _clean(
        self,
        state: CallState,
        operation: Operation,
        call: Call,
        matter: Matter,
        vault: Vault,
        model: str,
        salt: str,
        terms: Terms | None,
        seconds: float,
    ) -> bytes:
        deadline = time.monotonic() + seconds
        findings = Findings(vault, personal_data=matter.personal_data is not PersonalData.ALLOW, terms=terms, deadline=deadline)
        try:
            cleaned = self.sanitizer.clean(call.body, findings)
            if findings.counts:
                # A field taken out may leave a shape the dialect does not have; what goes on is still checked.
                cleaned = operation.recheck(cleaned)
            forwarded = orjson.dumps(operation.to_model(cleaned, model, salt))
        except Refusal:
            raise
        except Exception as error:  # whatever went wrong, the text has not been shown clean
            raise Refusal(Reason.SANITIZER_FAILED, "the request could not be shown to be clean, so it was not forwarded") from error
        state.removed = findings.counts
        return forwarded
