"""Runs the matrix: controls first, then every cell, then the witnesses are asked.

Order (docs/architecture.md, 'Verdicts'): the path control sends each distinct packet once from the unsealed operator namespace; the
attackers run on all hosts at once, each reading its own counters around each probe; then the canaries' records and the resolver's log
are read.
"""

from __future__ import annotations

import json
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.resources import files
from ipaddress import ip_address
from typing import Any, Protocol

from curtilage.probes.cells import VLLM_PORT, Cell, region_cells
from curtilage.probes.judge import Observation, judge
from curtilage.region import Region
from curtilage.verdict import Verdict

SETTLE_SECONDS = 0.5
OPERATOR = "ops"


class Unreached(Exception):
    """A command did not run to its end where an attacker sits."""


class Machine(Protocol):
    """Runs a shell command where an attacker sits and gives its standard output.

    Raises:
        Unreached: the host was not reached, or the command failed.
    """

    def output(self, command: str, *arguments: str) -> str: ...


class Canary(Protocol):
    """The far end's record."""

    def records(self) -> list[dict[str, Any]]: ...


@dataclass(frozen=True, kw_only=True)
class CellResult:
    """One judged cell, as it is written to evidence."""

    id: str
    host: str
    control: str
    catalogue: str
    verdict: Verdict
    reason: str
    signature: str | None
    canary_hits: int
    attributed: int | None
    path_control: bool
    tool_control: bool

    @classmethod
    def of(cls, cell: Cell, seen: Observation) -> CellResult:
        """Judge what was seen of a cell."""
        verdict, reason = judge(cell, seen)
        return cls(
            id=cell.id, host=cell.host, control=cell.control, catalogue=cell.catalogue, verdict=verdict, reason=reason,
            signature=seen.signature, canary_hits=seen.canary_hits, attributed=seen.attributed, path_control=seen.path_control,
            tool_control=seen.tool_control,
        )  # fmt: skip

    def document(self) -> dict[str, Any]:
        """A JSON object."""
        return asdict(self)


class Run:
    """One verification run over a region.

    Args:
        region: the region under attack.
        machines: host name (and ``ops``) to where the attacker runs.
        canary: the far end's record.
        progress: one line at a time.
        hosts: attackers to run; all of them by default.
    """

    def __init__(
        self,
        region: Region,
        machines: Mapping[str, Machine],
        canary: Canary,
        progress: Callable[[str], None],
        hosts: tuple[str, ...] = (),
    ) -> None:
        self.region, self.machines, self.canary, self.progress = region, machines, canary, progress
        self.cells = [cell for cell in region_cells(region) if not hosts or cell.host in hosts]
        self.source = files("curtilage.probes").joinpath("agent.py").read_text()
        self.resolver = region.hosts_by_role("gateway")[0]
        self.began = time.time()

    def results(self) -> list[CellResult]:
        """Every cell judged. Nothing raised for an unreachable host: its cells are INVALID and say so."""
        self.began = time.time()
        cells = self.cells
        marks = {cell.id: str(uuid.uuid4()) for cell in cells}
        self.progress(f"{len(cells)} cells from {len({cell.host for cell in cells})} hosts")
        path_marks, path_answers = self._path_controls(cells)
        observed = self._attack(cells, marks)
        time.sleep(SETTLE_SECONDS)
        heard = self._heard([*marks.values(), *path_marks.values()])
        syns = self._segments()
        log = self._resolver_log()
        return [self._judged(cell, marks, observed, heard, syns, log, path_marks, path_answers) for cell in cells]

    def _agent(self, host: str, probes: list[dict[str, Any]], controls: list[tuple[str, int]]) -> dict[str, Any]:
        plan = json.dumps({"source": self.source, "probes": probes, "controls": controls})
        answer: dict[str, Any] = json.loads(self.machines[host].output("python3 -c %s %s", self.source, plan))
        return answer

    def _path_controls(self, cells: list[Cell]) -> tuple[dict[Any, str], dict[str, bool]]:
        """Each distinct outward packet once from the unsealed namespace, and each permitted path once from where it is permitted."""
        outward = {cell.path_key: cell for cell in cells if cell.control in ("output", "netdev", "forward") and cell.port != VLLM_PORT}
        marks = {key: str(uuid.uuid4()) for key in outward}
        probes = [cell.probe(marks[key]) | {"id": str(number), "kind": key[0]} for number, (key, cell) in enumerate(outward.items())]
        sent = self._agent(OPERATOR, probes, [])["results"]
        self.progress(f"path control: {len(sent)} packets sent from the unsealed namespace")
        gateway = self.resolver.name
        models = [
            {"id": gpu.name, "kind": "tcp", "family": 4, "target": str(gpu.ipv4), "port": VLLM_PORT, "uuid": "control"}
            for gpu in self.region.hosts_by_role("gpu")
        ]
        reached = self._agent(gateway, models, [])["results"]
        return marks, {name: result["signature"] == "connected" for name, result in reached.items()}

    def _attack(self, cells: list[Cell], marks: dict[str, str]) -> dict[str, dict[str, Any]]:
        by_host: dict[str, list[Cell]] = defaultdict(list)
        for cell in cells:
            by_host[cell.host].append(cell)

        def one(host: str) -> dict[str, dict[str, Any]]:
            mine = by_host[host]
            controls = sorted({(cell.kind, cell.family) for cell in mine})
            probes = [cell.probe(marks[cell.id]) for cell in mine]
            name = self.region.gateway.intercept[0]
            probes.append({"id": "resolves", "kind": "dns", "family": 4, "target": str(self.resolver.ipv4), "port": 53,
                           "uuid": "", "qtype": "A", "name": name})  # fmt: skip
            far = {cell.counter_host for cell in mine} - {host, self.resolver.name}
            before = {other: self._counters(other) for other in far}
            try:
                answer = self._agent(host, probes, [list(pair) for pair in controls])  # type: ignore[misc]
            except (Unreached, ValueError) as error:  # a host that cannot be attacked gives INVALID cells, not a lost run
                self.progress(f"{host}: {error}")
                return {}
            after = {other: self._counters(other) for other in far}
            resolves = answer["results"].pop("resolves")["signature"] == "rcode:NOERROR"
            found = {}
            for cell in mine:
                result = answer["results"][cell.id]
                if cell.counter_host in far:
                    moved = _moved(before[cell.counter_host], after[cell.counter_host], cell.counter)
                else:
                    moved = result["counters"].get(cell.counter, 0)
                found[cell.id] = result | {
                    "tool": answer["controls"].get(f"{cell.kind}{cell.family}", False),
                    "resolves": resolves,
                    "moved": moved,
                }
            self.progress(f"{host}: {len(mine)} probes sent")
            return found

        with ThreadPoolExecutor(max_workers=len(by_host)) as pool:
            return {cell_id: result for found in pool.map(one, by_host) for cell_id, result in found.items()}

    def _counters(self, host: str) -> dict[str, int] | None:
        try:
            listed = json.loads(self.machines[host].output("nft -j list counters"))["nftables"]
        except (Unreached, ValueError):
            return None
        return {item["counter"]["name"]: item["counter"]["packets"] for item in listed if "counter" in item}

    def _heard(self, marks: list[str]) -> dict[str, int]:
        wanted: set[str] = set(marks)
        heard: dict[str, int] = defaultdict(int)
        for record in self._outside():
            for mark in wanted.intersection(record.get("uuids", ())):
                heard[mark] += 1
        return heard

    def _outside(self) -> list[dict[str, Any]]:
        """Records of what left: a frame that stays inside the segment (a query to our own resolver) is not a leak."""
        return [record for record in self.canary.records() if not self._inside(record.get("destination"))]

    def _inside(self, destination: str | None) -> bool:
        try:
            address = ip_address(destination or "")
        except ValueError:
            return False
        return any(address in network for segment in self.region.segments.values() for network in segment.networks)

    def _segments(self) -> set[tuple[str, str, int]]:
        """TCP that arrived during this run although no connection came about: a SYN carries no UUID, and a leaked SYN is a leak."""
        return {
            (record["source"], record["destination"], record["port"])
            for record in self._outside()
            if str(record.get("protocol", "")).startswith("tcp") and record["time"] >= self.began
        }

    def _resolver_log(self) -> str:
        try:
            return self.machines[self.resolver.name].output("journalctl --no-pager -q -o cat -u unbound -n 20000")
        except (Unreached, ValueError):
            return ""

    def _judged(
        self,
        cell: Cell,
        marks: dict[str, str],
        observed: dict[str, dict[str, Any]],
        heard: dict[str, int],
        syns: set[tuple[str, str, int]],
        log: str,
        path_marks: dict[Any, str],
        path_answers: dict[str, bool],
    ) -> CellResult:
        mark, result = marks[cell.id], observed.get(cell.id)
        hits = heard.get(mark, 0)
        if cell.kind == "tcp":
            hits += (self._address(cell), cell.target, cell.port) in syns
        if cell.control == "resolver":
            path = bool(result and result["resolves"])
            moved = log.count(mark) if log else None
        elif cell.port == VLLM_PORT:
            path = path_answers.get(self._gpu(cell.target), False)
            moved = result["moved"] if result else None
        else:
            path = heard.get(path_marks[cell.path_key], 0) > 0
            moved = result["moved"] if result else None
        seen = Observation(
            signature=result["signature"] if result else None,
            canary_hits=hits,
            path_control=path,
            tool_control=bool(result and result["tool"]),
            attributed=moved,
        )
        return CellResult.of(cell, seen)

    def _gpu(self, address: str) -> str:
        return next(host.name for host in self.region.hosts if address in (str(host.ipv4), str(host.ipv6)))

    def _address(self, cell: Cell) -> str:
        senders = {host.name: host for host in self.region.hosts} | {sender.name: sender for sender in self.region.operators}
        sender = senders[cell.host]
        return str(sender.ipv4 if cell.family == 4 else sender.ipv6)


def _moved(before: dict[str, int] | None, after: dict[str, int] | None, counter: str) -> int | None:
    if before is None or after is None or counter not in after:
        return None
    return after[counter] - before.get(counter, 0)
