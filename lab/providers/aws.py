"""Stand-in for ``pulumi-resource-aws``: checks inputs against the SDK's own types and previews; creates nothing.

In recorded mode (``CURTILAGE_AWS_RECORDED=1``) it answers an update with what was asked for, every id and ARN beginning with ``recorded``,
and keeps it in the state alone: a rehearsal of order and of state, never a claim about an account. Without it an update is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

import grpc  # type: ignore[import-untyped]
from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import provider_pb2

from lab.providers.schema import UNKNOWN, Schema, is_unknown, made_up, problems
from lab.providers.server import Provider, serve, to_plain, to_struct

RECORDED = "CURTILAGE_AWS_RECORDED"
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

    def Configure(self, request: Any, context: Any) -> Any:
        found = to_plain(request.args)
        self.region = str(found.get("region", ""))
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
        return self._record(request.urn, kind, inputs, outputs)

    def _record(self, urn: str, kind: str, inputs: dict[str, Any], outputs: dict[str, Any]) -> Any:
        """What an update would leave in the state, every made-up value marked."""
        mark = hashlib.sha256(f"{urn} {json.dumps(inputs, sort_keys=True)}".encode()).hexdigest()[:12]
        made = {name: made_up(wanted, f"{name}-{mark}") for name, wanted in outputs.items() if inputs.get(name) is None}
        if "region" in outputs and self.region:
            # The one output that is no secret of the account: a resource stands where its provider does.
            made["region"] = self.region
        return provider_pb2.CreateResponse(id=f"recorded-{kind.rsplit(':', 1)[-1].lower()}-{mark}", properties=to_struct(made | inputs))

    def Read(self, request: Any, context: Any) -> Any:
        # There is no account to look at, so what was recorded is what is there.
        return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)

    def Update(self, request: Any, context: Any) -> Any:
        olds, news = to_plain(request.olds), to_plain(request.news)
        if not request.preview and not self.recorded:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"the stand-in for the aws provider changes nothing: {ACCOUNT_MISSING}.")
        known = {key: value for key, value in (olds | news).items() if not is_unknown(value)}
        return provider_pb2.UpdateResponse(properties=to_struct(known))

    def Delete(self, request: Any, context: Any) -> Any:
        if not self.recorded or not request.id.startswith("recorded-"):
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"the stand-in for the aws provider deletes nothing: {ACCOUNT_MISSING}.")
        return empty_pb2.Empty()


if __name__ == "__main__":
    serve(Aws())
