"""What a running region really served, from its own Prometheus: the throughput of a machine and how much of it was used."""

from __future__ import annotations

import json

from pydantic import BaseModel, ConfigDict

from curtilage.allowance import Role
from curtilage.commands.reach import Reach
from curtilage.errors import ConfigError, StepError
from curtilage.region import Platform, Region

DAYS = 30
SERVED = "sum by (host) (rate(vllm:prompt_tokens_total[5m]) + rate(vllm:generation_tokens_total[5m]))"
BEST = f"max(max_over_time({SERVED}[{DAYS}d:5m]))"
MEAN = f"avg(avg_over_time({SERVED}[{DAYS}d:5m]))"


class Measured(BaseModel):
    """Of one machine, read and written tokens together."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens_per_second: float
    """In the best five minutes of any machine: what full load reached, or less where no machine was ever fully loaded."""
    utilisation: float
    """Mean of all machines over that."""


def measure(region: Region, where: Reach) -> Measured:
    """Ask the region.

    Raises:
        ConfigError: its Prometheus is not ours to ask.
        StepError: it does not answer, or nothing was served yet.
    """
    if region.platform is not Platform.HOSTS:
        raise ConfigError(
            f"{region.name} is on platform {region.platform.value}",
            rule="a cluster's Prometheus is the site's own",
            fix=f"ask it for {BEST} and for the mean, and pass --throughput and --utilisation",
        )
    host = region.hosts_by_role(Role.EVIDENCE)[0].name
    best, mean = (_asked(host, where, expression) for expression in (BEST, MEAN))
    if best is None or mean is None or not best > 0:
        raise StepError(
            "cost", f"nothing was served in {region.name} yet", fix="measure under load, or pass --throughput and --utilisation"
        )
    return Measured(tokens_per_second=best, utilisation=min(max(mean / best, 1e-6), 1.0))


def _asked(host: str, where: Reach, expression: str) -> float | None:
    answer = where.run(host, ["promtool", "query", "instant", "--format=json", "http://127.0.0.1:9090", expression], step="cost")
    found = json.loads(answer)
    return float(found[0]["value"][1]) if found else None
