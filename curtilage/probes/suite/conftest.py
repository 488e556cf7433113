"""Fixtures of the live suite. It runs inside the operator's namespace, started by `curtilage verify`; never from the root namespace."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import testinfra

from curtilage.probes.canary import CanaryDirectory
from curtilage.probes.cells import region_cells
from curtilage.probes.runner import CellResult, Run, Unreached
from curtilage.region import Region, load_region


def namespace_inode() -> int:
    """Which network namespace this process is in."""
    return Path("/proc/self/ns/net").stat().st_ino


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--region", required=True, help="name of the region under attack")
    parser.addoption("--canary", required=True, help="directory of the canaries' records")
    parser.addoption("--results", required=True, help="where to write the judged cells as JSON")
    parser.addoption("--attacker", action="append", default=[], help="attack from this host only; repeat for more")
    parser.addoption("--outer-namespace", type=int, default=0, help="network namespace that must not be attacked from")
    parser.addoption("--host-report", required=True, help="where to write the host tests' outcomes as JSON")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--outer-namespace") == namespace_inode():
        raise pytest.UsageError("refusing to attack from the root network namespace; run `curtilage verify REGION`")
    config.pluginmanager.register(_HostReport(Path(config.getoption("--host-report"))))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    region = load_region(metafunc.config.getoption("--region"))
    if "cell_id" in metafunc.fixturenames:
        only = metafunc.config.getoption("--attacker")
        metafunc.parametrize("cell_id", [cell.id for cell in region_cells(region) if not only or cell.host in only])
    if "region_host" in metafunc.fixturenames:
        metafunc.parametrize("region_host", [host.name for host in region.hosts])
    if "service_host" in metafunc.fixturenames:
        metafunc.parametrize("service_host", [host.name for host in region.hosts if host.role in ("gpu", "gateway", "evidence")])
    if "model_host" in metafunc.fixturenames:
        metafunc.parametrize("model_host", [host.name for host in region.hosts_by_role("gpu")])


class _Reached:
    """A testinfra host as the runner wants it: output or an exception."""

    def __init__(self, host: Any) -> None:
        self.host = host

    def output(self, command: str, *arguments: str) -> str:
        done = self.host.run(command, *arguments)
        if done.rc != 0:
            raise Unreached(f"exit {done.rc}: {done.stderr.strip()[-300:]}")
        return str(done.stdout)


@pytest.fixture(scope="session")
def region(request: pytest.FixtureRequest) -> Region:
    """The region under attack."""
    return load_region(request.config.getoption("--region"))


@pytest.fixture(scope="session")
def machines(request: pytest.FixtureRequest, region: Region) -> dict[str, Any]:
    """Testinfra hosts by name; the operator's own namespace is where this process runs."""
    ssh_config = request.config.getoption("--ssh-config")
    found = {host.name: testinfra.get_host(f"ssh://{host.name}", ssh_config=ssh_config) for host in region.hosts}
    return found | {"ops": testinfra.get_host("local://")}


@pytest.fixture(scope="session")
def results(request: pytest.FixtureRequest, region: Region, machines: dict[str, Any]) -> dict[str, CellResult]:
    """Every cell judged, once a session; written to ``--results`` before any assertion."""
    reached = {name: _Reached(machine) for name, machine in machines.items()}
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def progress(line: str) -> None:
        with capture.global_and_fixture_disabled():
            sys.stderr.write(f"  {line}\n")

    attackers = tuple(request.config.getoption("--attacker"))
    judged = Run(region, reached, CanaryDirectory(Path(request.config.getoption("--canary"))), progress, attackers).results()
    Path(request.config.getoption("--results")).write_text(json.dumps([cell.document() for cell in judged], indent=1))
    return {cell.id: cell for cell in judged}


class _HostReport:
    """Outcomes of the host tests (not of the cells, which carry verdicts of their own)."""

    def __init__(self, path: Path) -> None:
        self.path, self.began = path, time.monotonic()
        self.outcomes: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid.split("::", 1)[1]
        if "test_cells" not in report.nodeid and (report.when == "call" or report.outcome != "passed"):
            self.outcomes[name] = report.outcome

    def pytest_sessionfinish(self) -> None:
        self.path.write_text(json.dumps({"outcomes": self.outcomes, "seconds": round(time.monotonic() - self.began, 1)}, indent=1))
