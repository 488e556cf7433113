"""How the operator reaches a region's hosts: the lab through its own namespaces, a real site from the operator's own machine."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from curtilage.errors import ConfigError, StepError
from curtilage.region import Region


@dataclass(frozen=True, kw_only=True)
class Reach:
    """Where configuration and attacks start from.

    Attributes:
        prefix: argv prefix that enters the operator's network; empty on a real operator machine.
        ssh_config: reaches every host by its name.
        canary: directory of the canaries' records; None where the site has none (its probes are then NOT-RUN).
    """

    prefix: list[str]
    ssh_config: Path
    canary: Path | None

    def run(self, host: str, argv: Sequence[str], *, step: str, timeout_seconds: float = 120, stdin: str | None = None) -> str:
        """Run a command on a host and give its standard output.

        Raises:
            StepError: it failed; the message carries the end of its standard error.
        """
        command = [*self.prefix, "ssh", "-F", str(self.ssh_config), host, shlex.join(argv)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=timeout_seconds, check=False, input=stdin
            )
        except subprocess.TimeoutExpired as error:
            raise StepError(step, f"{host} did not answer within {timeout_seconds:.0f} s", fix="curtilage lab status") from error
        if done.returncode != 0:
            raise StepError(step, f"{host}: exit {done.returncode}: {done.stderr.strip()[-800:]}", fix=f"curtilage lab exec {host} -- ...")
        return done.stdout


def reach(region: Region) -> Reach:
    """The way in.

    Raises:
        ConfigError: a real site without an ssh configuration.
    """
    if region.lab:
        from lab.lab import Lab  # the lab is a checkout's, not a wheel's

        lab = Lab(region)
        return Reach(prefix=lab.ops_argv([]), ssh_config=lab.ssh_config_path, canary=lab.canaries.directory)
    named = os.environ.get("CURTILAGE_SSH_CONFIG")
    if not named or not Path(named).is_file():
        raise ConfigError(
            f"CURTILAGE_SSH_CONFIG is {named!r}",
            rule="a real site is reached with an ssh configuration that names every host of the region",
            fix="export CURTILAGE_SSH_CONFIG=FILE; docs/quickstart.md shows one",
        )
    canary = os.environ.get("CURTILAGE_CANARY")
    return Reach(prefix=[], ssh_config=Path(named), canary=Path(canary) if canary else None)
