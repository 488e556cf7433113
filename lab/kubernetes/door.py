"""The one way into the cluster's network namespace: a loopback port here, answered by a connection made there.

Run as a program: ``python -m lab.kubernetes.door NAMESPACE LISTEN_PORT CONNECT_PORT``. It opens its listening socket in the namespace it is
started in and then enters the other one for good, so it forwards to that loopback port and can reach nothing else. No address, link or
route is made for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import socket
import sys

CLONE_NEWNET = 0x40000000
CHUNK_BYTES = 65536


def enter(namespace: str) -> None:
    """Move this process into a named network namespace; sockets that are open stay where they were made."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(f"/run/netns/{namespace}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(descriptor, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
    finally:
        os.close(descriptor)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()


async def _serve(listening: socket.socket, port: int) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))

    server = await asyncio.start_server(answer, sock=listening)
    await server.serve_forever()


def main() -> None:
    """Listen, enter, forward."""
    namespace, listen, connect = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", listen))
    listening.listen(128)
    enter(namespace)
    asyncio.run(_serve(listening, connect))


if __name__ == "__main__":
    main()
