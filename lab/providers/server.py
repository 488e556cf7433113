"""What both stand-ins share: the gRPC server that the engine starts, and values between its wire form and plain Python."""

from __future__ import annotations

import contextlib
import sys
import threading
from concurrent import futures
from typing import Any

import grpc  # type: ignore[import-untyped]
from google.protobuf import empty_pb2, struct_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

BANNER = "stand-in provider '{name}': not the official plugin; it says so in every plan (docs/regions.md)"


def to_plain(value: struct_pb2.Struct | None) -> dict[str, Any]:
    """A property map in plain Python; whole numbers are ints."""
    return {key: _value(item) for key, item in value.fields.items()} if value is not None else {}


def _value(item: struct_pb2.Value) -> Any:
    kind = item.WhichOneof("kind")
    if kind == "number_value":
        return int(item.number_value) if item.number_value.is_integer() else item.number_value
    if kind == "struct_value":
        return to_plain(item.struct_value)
    if kind == "list_value":
        return [_value(one) for one in item.list_value.values]
    return None if kind in (None, "null_value") else getattr(item, kind)


def to_struct(values: dict[str, Any]) -> struct_pb2.Struct:
    """A property map for the wire."""
    found = struct_pb2.Struct()
    found.update(values)
    return found


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """What is the same for both: no schema, no calls, one configuration."""

    name = ""
    version = ""

    def __init__(self) -> None:
        self.stopped = threading.Event()

    def Handshake(self, request: Any, context: Any) -> Any:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "no handshake")

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=self.version)

    def Attach(self, request: Any, context: Any) -> Any:
        return struct_pb2.Struct()

    def GetSchema(self, request: Any, context: Any) -> Any:
        return provider_pb2.GetSchemaResponse(schema="{}")

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        same = to_plain(request.olds) == to_plain(request.news)
        kind = provider_pb2.DiffResponse.DIFF_NONE if same else provider_pb2.DiffResponse.DIFF_SOME
        return provider_pb2.DiffResponse(changes=kind)

    def Invoke(self, request: Any, context: Any) -> Any:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, f"function {request.tok}: a region calls none, so that a plan needs no account")

    def Cancel(self, request: Any, context: Any) -> Any:
        self.stopped.set()
        return empty_pb2.Empty()


def serve(provider: Provider) -> None:
    """Serve on a free loopback port, whose number is the one line the engine reads, until the engine closes the pipe."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8), options=[("grpc.max_receive_message_length", 256 << 20)])
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stderr.write(BANNER.format(name=provider.name) + "\n")
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):  # the engine's way to end a plugin after a refresh; no error of anyone's
        server.wait_for_termination()
