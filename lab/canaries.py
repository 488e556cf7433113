"""Starts the canaries: one in the internet namespace, one where frames come out of the region (the segment's bridge)."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from curtilage.errors import StepError
from curtilage.paths import CHECKOUT
from lab.canary_nft import ruleset
from lab.network_names import INTERNET_LINK
from lab.processes import ProcessFile, Recorded
from lab.shell import excerpt, run

READY_SECONDS = 20.0


class Canaries:
    """The two receivers and their logs, ``internet.jsonl`` and ``bridge.jsonl``."""

    names = frozenset({"canary internet", "canary bridge"})

    def __init__(self, directory: Path, processes: ProcessFile, *, internet: str, near: tuple[str, str]) -> None:
        """Where they listen: the internet's namespace, and namespace and link where frames come out of the region."""
        self.directory, self._processes = directory, processes
        self._internet, self._near = internet, near

    def start(self, segment: list[str]) -> None:
        """Start both and wait until everything listens.

        Args:
            segment: the segment's networks, whose unmarked inner traffic the bridge's canary leaves out.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        certificate = self._certificate()
        run(["ip", "netns", "exec", self._internet, "nft", "-f", "-"], step="canary: ruleset", stdin=ruleset())
        inside = [word for net in segment for word in ("--segment", net)]
        started = [
            self._spawn("internet", self._internet, INTERNET_LINK, ["--certificate", str(certificate)]),
            self._spawn("bridge", *self._near, inside),
        ]
        deadline = time.monotonic() + READY_SECONDS
        for process, where in zip(started, ("internet", "bridge"), strict=True):
            while not (self.directory / f"{where}.ready").exists():
                if not process.alive() or time.monotonic() > deadline:
                    said = (self.directory / f"{where}.log").read_text(encoding="utf-8", errors="replace")
                    raise StepError(
                        f"canary {where}", f"it does not listen\n{excerpt(said)}", fix="`curtilage doctor` names what this machine lacks"
                    )
                time.sleep(0.05)

    def _spawn(self, where: str, namespace: str, link: str, more: list[str]) -> Recorded:
        here = self.directory
        (here / f"{where}.ready").unlink(missing_ok=True)
        argv = [
            "ip", "netns", "exec", namespace, sys.executable, "-B", "-m", "lab.canary", where,
            "--link", link, "--log", str(here / f"{where}.jsonl"), "--ready", str(here / f"{where}.ready"), *more,
        ]  # fmt: skip
        return self._processes.spawn(argv, what=f"canary {where}", log=here / f"{where}.log", env={"PYTHONPATH": str(CHECKOUT)})

    def _certificate(self) -> Path:
        """A self-signed certificate: a client that does not verify completes its handshake, one that does has sent its hello."""
        path = self.directory / "certificate.pem"
        run(
            [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=canary", "-addext", "subjectAltName=DNS:canary.example,DNS:*.example",
                "-keyout", str(path) + ".key", "-out", str(path) + ".crt",
            ],
            step="canary: certificate",
        )  # fmt: skip
        parts = [Path(str(path) + suffix) for suffix in (".key", ".crt")]
        path.write_text("".join(part.read_text(encoding="ascii") for part in parts), encoding="ascii")
        for part in parts:
            part.unlink()
        return path
