"""Several worker processes on one address: each accepts for itself (SO_REUSEPORT), and each has a ledger of its own (ADR 0008).

The parent holds no socket and no key in use: it forks, passes signals on, starts again what fell, and tells the service manager when all
are ready. A worker dies with its parent, so none goes on unsupervised.
"""

from __future__ import annotations

import ctypes
import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from curtilage.gateway.config import GatewayConfig

log = logging.getLogger("curtilage.gateway")

_SIGNALS = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
_PR_SET_PDEATHSIG = 1
_QUICK_SECONDS = 2.0
_MOST_QUICK_ENDS = 5


def notify(state: str) -> None:
    """Tell systemd (sd_notify(3)), when it asked."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        try:
            channel.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
        except OSError as error:
            log.warning("the service manager was not told %s: %s", state, error)


def of_worker(config: GatewayConfig, index: int) -> GatewayConfig:
    """The configuration as one of several workers has it: its own ledger, under its own name."""
    directory = config.ledger.directory / str(index)
    return config.model_copy(update={"ledger": config.ledger.model_copy(update={"directory": directory})})


def supervise(config: GatewayConfig, work: Callable[[int, Callable[[], None]], None]) -> int:
    """Run the workers until told to end; returns an exit status.

    Args:
        config: says how many.
        work: what worker N does, given what it calls when it is ready; it returns when it was told to end.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    ready_out, ready_in = os.pipe()
    running: dict[int, tuple[int, float]] = {}
    ready: set[int] = set()
    quick_ends, ending, told = 0, False, False

    def start(index: int) -> None:
        process = os.fork()
        if process == 0:
            os.close(ready_out)
            os._exit(_child(index, work, ready_in))
        running[process] = (index, time.monotonic())

    for index in range(config.workers):
        start(index)
    while running:
        caught = signal.sigtimedwait(_SIGNALS, 0.1 if not told else 5.0)
        number = caught.si_signo if caught is not None else 0
        if number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            ending = ending or number != signal.SIGHUP
            if ending:
                notify("STOPPING=1")
            for process in running:
                os.kill(process, signal.SIGHUP if number == signal.SIGHUP else signal.SIGTERM)
        while running and (found := os.waitpid(-1, os.WNOHANG))[0]:
            index, began = running.pop(found[0])
            if ending:
                continue
            quick_ends = quick_ends + 1 if time.monotonic() - began < _QUICK_SECONDS else 0
            log.error("worker %d ended with %d", index, os.waitstatus_to_exitcode(found[1]))
            if quick_ends >= _MOST_QUICK_ENDS or (not told and index not in ready):
                # One that never came up will not come up the next time either: the configuration or the ledger is wrong.
                ending = True
                for process in running:
                    os.kill(process, signal.SIGTERM)
            else:
                start(index)
        if not told and select.select([ready_out], [], [], 0)[0]:
            ready.update(os.read(ready_out, 64))
            if len(ready) == config.workers:
                told = True
                notify("READY=1")
    return 0 if told and quick_ends < _MOST_QUICK_ENDS else 1


def _child(index: int, work: Callable[[int, Callable[[], None]], None], ready_in: int) -> int:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    os.environ.pop("NOTIFY_SOCKET", None)

    def ready() -> None:
        os.write(ready_in, bytes([index]))

    try:
        work(index, ready)
    except Exception as error:  # noqa: BLE001 - the parent learns of it by the status; the reason is for whoever reads the log
        sys.stderr.write(f"worker {index}: {error}\n")
        return 1
    return 0


def files_of(config: GatewayConfig, path: Path) -> list[Path]:
    """The files whose change means that the configuration is read again."""
    tls = config.tls
    found = [path, tls.certificate, tls.key, *((tls.client_ca,) if tls.client_ca is not None else ())]
    for place in (config.classification, config.policies):
        if place is not None:
            found += [place, *sorted(place.rglob("*"))] if place.is_dir() else [place]
    return found
