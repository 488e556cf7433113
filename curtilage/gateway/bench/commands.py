"""``curtilage gateway bench``."""

from __future__ import annotations

from typing import Annotated

import typer

from curtilage.errors import ConfigError
from curtilage.output import print_json, stdout
from curtilage.verdict import Verdict

PEERS = ("nginx", "litellm")


def bench(
    seconds: Annotated[float, typer.Option("--seconds", help="How long one load lasts.")] = 8.0,
    workers: Annotated[int, typer.Option("--workers", help="Worker processes of the gateway, and of its peers.")] = 2,
    streams: Annotated[int, typer.Option("--streams", help="Paced streams at once; 0: none.")] = 300,
    peer: Annotated[list[str] | None, typer.Option("--peer", help="nginx, litellm, or none; repeat for more. Both unless given.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Measure a gateway on loopback beside its peers; ends with 1 when a promised figure is not held, with 3 when one was not measured."""
    from curtilage.gateway.bench.run import PROMISED, Options, run

    chosen = tuple(name for name in (peer or PEERS) if name != "none")
    if set(chosen) - set(PEERS) or not 0.2 <= seconds <= 120 or not 1 <= workers <= 16 or not 0 <= streams <= 1000:
        raise ConfigError(
            f"--seconds {seconds:g} --workers {workers} --streams {streams} --peer {' '.join(peer or PEERS)}",
            rule="0.2 to 120 seconds, 1 to 16 workers, 0 to 1000 streams, peers nginx and litellm",
            fix="curtilage gateway bench --help",
        )
    report = run(Options(seconds=seconds, workers=workers, streams=streams, peers=chosen))
    held = [report.held(name) for name in PROMISED]
    verdict = Verdict.FAIL if False in held else Verdict.NOT_RUN if None in held else Verdict.PASS
    if json:
        print_json({"verdict": str(verdict), **report.document()})
    else:
        for name, (promised, more) in PROMISED.items():
            state = {True: "held", False: "NOT HELD", None: "NOT-RUN"}[report.held(name)]
            stdout.print(f"{name:36} {report.figures.get(name, '-')!s:>12}   {'>=' if more else '<='} {promised:g}   {state}", markup=False)
        for name in ("direct", "nginx", "gateway", "litellm"):
            if name in report.detail:
                found = report.detail[name]
                stdout.print(f"{name:10} {found['per_second']:>10} calls/s, alone {found['alone_ms']}", markup=False)
        for name, reason in report.not_run.items():
            stdout.print(f"{name:10} NOT-RUN: {reason}", markup=False)
        machine = report.detail["machine"]
        stdout.print(f"load average {machine['load_average_before']} before, {machine['load_average_after']} after", markup=False)
    raise typer.Exit(verdict.exit_code)
