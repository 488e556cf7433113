"""One run: the direct model host, the gateway with every control on, nginx and LiteLLM, by the same load on the same cores."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from curtilage.gateway import setup
from curtilage.gateway.bench import ledger, peers
from curtilage.gateway.bench.load import Tally, Target, percentile, processor_seconds, resident_bytes, streams, unary
from curtilage.gateway.bench.mock import FRAMES
from curtilage.output import progress

CONNECTIONS = 32
_SLICES = 8
_LEDGER_RECORDS = 100 * 1024
# figure -> (what is promised, whether more is better)
PROMISED: dict[str, tuple[float, bool]] = {
    "unary_per_second": (2500.0, True),
    "unary_times_litellm": (30.0, True),
    "added_p50_ms": (1.0, False),
    "added_p99_ms": (5.0, False),
    "streams_lost_frames": (0.0, False),
    "streams_added_frame_p99_ms": (2.0, False),
    "streams_added_first_frame_p99_ms": (5.0, False),
    "worker_resident_mb": (250.0, False),
    "resident_kb_per_1000_calls": (16.0, False),
    "ledger_append_per_second": (50_000.0, True),
    "ledger_verify_per_second": (200_000.0, True),
    "start_seconds": (2.0, False),
}


@dataclass(frozen=True)
class Options:
    """How long and how much."""

    seconds: float = 8.0
    workers: int = 2
    streams: int = 300
    peers: tuple[str, ...] = ("nginx", "litellm")


@dataclass
class Report:
    """What was measured."""

    figures: dict[str, float] = field(default_factory=dict)
    detail: dict[str, Any] = field(default_factory=dict)
    not_run: dict[str, str] = field(default_factory=dict)

    def held(self, name: str) -> bool | None:
        """Whether a promised figure holds; None when it was not measured."""
        if name not in self.figures:
            return None
        promised, more = PROMISED[name]
        return self.figures[name] >= promised if more else self.figures[name] <= promised

    def document(self) -> dict[str, Any]:
        """The answer of ``--json``."""
        rows = {
            name: {"figure": self.figures.get(name), "promised": promised, "at_least": more, "held": self.held(name)}
            for name, (promised, more) in PROMISED.items()
        }
        return {"promised": rows, "detail": self.detail, "not_run": self.not_run}


def run(options: Options) -> Report:
    """Measure everything, one thing at a time."""
    report = Report()
    report.detail["machine"] = {
        "cores": os.cpu_count(),
        "python": sys.version.split()[0],
        "load_average_before": round(os.getloadavg()[0], 2),
    }
    report.detail["conditions"] = (
        f"load, model host and gateway share the cores; {options.workers} workers, each with a ledger on disk; TLS; every control on; "
        "1 KB prompt without a find; LiteLLM without TLS, keys or guardrails, as many workers"
    )
    with peers.temporary() as folder:
        with _model(folder) as model_port:
            direct = Target(model_port, model="lab-mistral")
            base = _measure("direct", direct, options, report)
            with _gateway(folder, model_port, options, report) as (target, processes):
                own = _measure("gateway", target, options, report, processes)
                _finds(target, options, report)
                _memory(target, options, report, processes)
            report.figures["unary_per_second"] = round(own.rate)
            for share, name in ((0.5, "added_p50_ms"), (0.99, "added_p99_ms")):
                found = report.detail["gateway"]["alone_ms"], report.detail["direct"]["alone_ms"]
                report.figures[name] = round(found[0][_label(share)] - found[1][_label(share)], 3)
            _streamed(report)
            for name in options.peers:
                _peer(name, folder, model_port, options, report)
        if report.detail.get("litellm"):
            report.figures["unary_times_litellm"] = round(own.rate / max(0.1, report.detail["litellm"]["per_second"]), 1)
        report.detail["direct"]["share_of_direct"] = round(own.rate / base.rate, 3) if base.rate else None
        _ledger(folder, report)
    report.detail["machine"]["load_average_after"] = round(os.getloadavg()[0], 2)
    return report


@contextmanager
def _model(folder: Path) -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-m", "curtilage.gateway.bench.mock"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - asked for above
            yield int(process.stdout.readline())
        finally:
            process.terminate()


@contextmanager
def _gateway(folder: Path, model_port: int, options: Options, report: Report) -> Iterator[tuple[Target, list[int]]]:
    """A gateway as ``init`` makes it, with workers; yields where to ask and the processes that answer."""
    place = folder / "gateway"
    made = setup.init(place, "127.0.0.1:0", [f"http://127.0.0.1:{model_port}"])
    path = place / "gateway.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text(encoding="utf-8")), "workers": options.workers}), encoding="utf-8")
    port = int(made["address"].rpartition(":")[2])
    target = Target(port, ca=made["ca"], key=made["key"])
    command = [sys.executable, "-m", "curtilage.cli", "gateway", "serve", "--config", str(path)]
    with peers.running(command, port, place / "log"):
        pass  # the first start compiles what was never started here
    began = time.perf_counter()
    with peers.running(command, port, place / "log") as process:
        report.figures["start_seconds"] = round(time.perf_counter() - began, 2)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
        yield target, [int(child) for child in children] or [process.pid]


def _label(share: float) -> str:
    return f"p{share * 100:g}"


def _quantiles(values: list[float]) -> dict[str, float]:
    return {_label(share): round(percentile(values, share) * 1000, 3) for share in (0.5, 0.95, 0.99)}


def _measure(name: str, target: Target, options: Options, report: Report, processes: list[int] | None = None) -> Tally:
    """Unary at c=32 and alone, and paced streams."""
    progress(f"{name}: {CONNECTIONS} connections, one connection, {options.streams} streams")
    unary(target, CONNECTIONS, min(1.5, options.seconds))
    before = sum(map(processor_seconds, processes or ()))
    many = unary(target, CONNECTIONS, options.seconds)
    spent = sum(map(processor_seconds, processes or ())) - before
    alone = unary(target, 1, options.seconds / 2)
    found = report.detail[name] = {
        "per_second": round(many.rate, 1),
        "milliseconds": _quantiles(many.latencies),
        "alone_ms": _quantiles(alone.latencies),
        "failures": many.failures + alone.failures,
        "load_us_per_call": round(1e6 * many.processor_seconds / max(1, len(many.latencies))),
    }
    if processes:
        found["processor_us_per_call"] = round(1e6 * spent / max(1, len(many.latencies)))
    if options.streams:
        paced = streams(target, options.streams)
        expected = options.streams * (FRAMES + 2)
        found["streams"] = {
            "count": options.streams,
            "frames": paced.frames,
            "lost_frames": expected - paced.frames,
            "incomplete": paced.incomplete + paced.failures,
            "frame_ms": _quantiles(paced.delays),
            "first_frame_ms": _quantiles(paced.first_frames),
        }
    return many


def _streamed(report: Report) -> None:
    own, base = report.detail["gateway"].get("streams"), report.detail["direct"].get("streams")
    if own and base:
        report.figures["streams_lost_frames"] = own["lost_frames"] + own["incomplete"]
        report.figures["streams_added_frame_p99_ms"] = round(own["frame_ms"]["p99"] - base["frame_ms"]["p99"], 3)
        report.figures["streams_added_first_frame_p99_ms"] = round(own["first_frame_ms"]["p99"] - base["first_frame_ms"]["p99"], 3)


def _finds(target: Target, options: Options, report: Report) -> None:
    """The same load with a 2 KB prompt in which names and numbers are found, replaced, and put back."""
    text = "Frau Dr. Anna Schmidt (anna.schmidt@example.com, DE89 3704 0044 0532 0130 00) wrote to Mr John Miller on the draft. "
    prompt = (text * 20)[:2048]
    found = unary(Target(target.port, ca=target.ca, key=target.key, prompt=prompt), CONNECTIONS, options.seconds / 2)
    report.detail["gateway"]["with_finds_2kb"] = {
        "per_second": round(found.rate, 1),
        "milliseconds": _quantiles(found.latencies),
        "failures": found.failures,
    }


def _memory(target: Target, options: Options, report: Report, processes: list[int]) -> None:
    """Resident memory of the largest worker, and its slope over the calls of several slices."""
    calls, sizes = [0], [sum(map(resident_bytes, processes))]
    for _ in range(_SLICES):
        done = unary(target, CONNECTIONS, options.seconds / 4)
        calls.append(calls[-1] + len(done.latencies))
        sizes.append(sum(map(resident_bytes, processes)))
    slope = statistics.linear_regression(calls[2:], sizes[2:]).slope if calls[-1] > calls[2] else float("nan")
    report.figures["worker_resident_mb"] = round(max(map(resident_bytes, processes)) / 1e6, 1)
    report.figures["resident_kb_per_1000_calls"] = round(slope * 1000 / 1024 / len(processes), 2)
    report.detail["gateway"]["memory"] = {"calls": calls[-1], "resident_mb_all_workers": [round(size / 1e6, 1) for size in sizes]}


def _peer(name: str, folder: Path, model_port: int, options: Options, report: Report) -> None:
    begin: Callable[..., Any] = {"nginx": peers.nginx, "litellm": peers.litellm}[name]
    try:
        with begin(folder, model_port, options.workers) as port:
            ca = str(folder / "gateway" / "ca.pem") if name == "nginx" else None
            _measure(name, Target(port, ca=ca), options, report)
    except peers.NotRunHere as reason:
        report.not_run[name] = str(reason)
        progress(f"{name}: NOT-RUN: {reason}")


def _ledger(folder: Path, report: Report) -> None:
    progress("ledger: append and verify")
    with tempfile.TemporaryDirectory(dir=folder) as place:
        found = ledger.measure(_LEDGER_RECORDS, Path(place))
    report.detail["ledger"] = found
    report.figures["ledger_append_per_second"] = found["append_per_second"]
    report.figures["ledger_verify_per_second"] = found["verify_per_second"]
