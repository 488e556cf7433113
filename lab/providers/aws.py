"""Stand-in for ``pulumi-resource-aws``: checks inputs against the SDK's own types and previews; creates nothing in an account.

In recorded mode (``CURTILAGE_AWS_RECORDED=1``) it answers an update with what was asked for, every id and ARN beginning with ``recorded``,
and keeps it in the state alone: a rehearsal of order and of state, never a claim about an account. With ``CURTILAGE_AWS_EMULATOR`` beside
it, the address of a moto server on this machine, what moto emulates is made there, and only the rest is recorded. Without recorded mode an
update is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

import grpc  # type: ignore[import-untyped]
from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import provider_pb2

from lab.providers.aws_emulator import Emulator, on_this_machine, session_at
from lab.providers.schema import UNKNOWN, Schema, is_unknown, made_up, problems
from lab.providers.server import Provider, serve, to_plain, to_struct

RECORDED = "CURTILAGE_AWS_RECORDED"
EMULATOR = "CURTILAGE_AWS_EMULATOR"
ACCOUNT_MISSING = "no credentials of an account are here"


class Aws(Provider):
    """The stand-in."""

    name = "aws"
    version = "7.0.0-standin"

    def __init__(self) -> None:
        super().__init__()
        self.schema = Schema("pulumi_aws")
        self.region = ""
        self.recorded = os.environ.get(RECORDED) == "1"
        self.emulator: Emulator | None = None

    def Configure(self, request: Any, context: Any) -> Any:
        found = to_plain(request.args)
        self.region = str(found.get("region", ""))
        address = os.environ.get(EMULATOR, "")
        if self.recorded and address:
            if not on_this_machine(address):
                context.abort(
                    grpc.StatusCode.FAILED_PRECONDITION, f"{EMULATOR}={address}: http://, a loopback address and a port, no other."
                )
            self.emulator = Emulator(session_at(address, self.region), self.region)
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=False, supports_autonaming_configuration=True
        )

    def Check(self, request: Any, context: Any) -> Any:
        kind, news = request.type or request.urn.split("::")[2].rsplit("$", 1)[-1], to_plain(request.news)
        if not self.schema.knows(kind):
            failure = provider_pb2.CheckFailure(property="", reason=f"unknown resource type {kind}: the SDK has none of that name")
            return provider_pb2.CheckResponse(inputs=request.news, failures=[failure])
        failures = [provider_pb2.CheckFailure(property=key, reason=why) for key, why in problems(self.schema.type(kind), news)]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def Diff(self, request: Any, context: Any) -> Any:
        olds, news = to_plain(request.old_inputs), to_plain(request.news)
        changed = sorted(key for key in {*olds, *news} if olds.get(key) != news.get(key) and not key.startswith("__"))
        kind = provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE
        detail = {key: provider_pb2.PropertyDiff(kind=provider_pb2.PropertyDiff.UPDATE, inputDiff=True) for key in changed}
        return provider_pb2.DiffResponse(changes=kind, diffs=changed, detailedDiff=detail, hasDetailedDiff=True)

    def Create(self, request: Any, context: Any) -> Any:
        kind, inputs = request.type or request.urn.split("::")[2].rsplit("$", 1)[-1], to_plain(request.properties)
        outputs = self.schema.type(kind).outputs
        if request.preview:
            values = {name: UNKNOWN for name in outputs if name not in inputs or inputs[name] is None}
            return provider_pb2.CreateResponse(id="", properties=to_struct(inputs | values))
        if not self.recorded:
            context.abort(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"the stand-in for the aws provider creates nothing, and {ACCOUNT_MISSING}. Install the official plugin"
                f" (pulumi plugin install resource aws) and run again; {RECORDED}=1 rehearses an update in the state alone.",
            )
        made = self._emulated(context, kind, inputs, request.urn.rsplit("::", 1)[-1])
        return self._record(request.urn, kind, inputs, outputs, made)

    def _emulated(self, context: Any, kind: str, inputs: dict[str, Any], name: str) -> tuple[str, dict[str, Any]] | None:
        if self.emulator is None:
            return None
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return self.emulator.make(kind, inputs, name)
        except (BotoCoreError, ClientError) as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"the emulator refused {kind} {name}: {error}")
            raise

    def _record(
        self, urn: str, kind: str, inputs: dict[str, Any], outputs: dict[str, Any], emulated: tuple[str, dict[str, Any]] | None
    ) -> Any:
        """What an update would leave in the state, every made-up value marked."""
        mark = hashlib.sha256(f"{urn} {json.dumps(inputs, sort_keys=True)}".encode()).hexdigest()[:12]
        made = {name: made_up(wanted, f"{name}-{mark}") for name, wanted in outputs.items() if inputs.get(name) is None}
        if "region" in outputs and self.region:
            # The one output that is no secret of the account: a resource stands where its provider does.
            made["region"] = self.region
        id, decided = emulated or (f"recorded-{kind.rsplit(':', 1)[-1].lower()}-{mark}", {})
        return provider_pb2.CreateResponse(id=id, properties=to_struct(made | inputs | decided))

    def Read(self, request: Any, context: Any) -> Any:
        # There is no account to look at, so what was recorded is what is there.
        return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)

    def Update(self, request: Any, context: Any) -> Any:
        olds, news = to_plain(request.olds), to_plain(request.news)
        if not request.preview and not self.recorded:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"the stand-in for the aws provider changes nothing: {ACCOUNT_MISSING}.")
        if not request.preview and not request.id.startswith("recorded-"):
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"the stand-in changes nothing in an emulator: {request.id} stays as it is.")
        known = {key: value for key, value in (olds | news).items() if not is_unknown(value)}
        return provider_pb2.UpdateResponse(properties=to_struct(known))

    def Delete(self, request: Any, context: Any) -> Any:
        if not self.recorded or not request.id.startswith("recorded-"):
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"the stand-in for the aws provider deletes nothing: {ACCOUNT_MISSING}.")
        return empty_pb2.Empty()


if __name__ == "__main__":
    serve(Aws())
