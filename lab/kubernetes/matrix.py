"""Runs the attack matrix from pods and judges it by the rules of curtilage/probes: controls, canary, attribution.

A packet that was stopped left nothing behind but silence, so each cell needs three more things of the same run: the same code in the same
pod reached what it may reach (its own loopback), the same packet from an unsealed pod was heard by the canary (or, for a connection inside
the cluster, the node itself got through), and Cilium wrote down that it dropped this very packet for the reason the cell names.
"""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from curtilage.probes.cells import Cell
from curtilage.probes.judge import Observation
from curtilage.probes.pod_cells import Lateral, lateral, outward
from curtilage.probes.runner import CellResult, Unreached
from lab import canary_log
from lab.kubernetes import drops
from lab.kubernetes.attackers import LISTENS, Attackers, Pod
from lab.kubernetes.node import Node

SETTLE_SECONDS = 1.0
OPENS_WITHIN_SECONDS = 12.0
"""What is meant to be open is given this long, in which the agent hears of a new pod; what is denied gets no such grace."""
PLACES = ("workload", "gateway", "evidence", "init", "rollout", "deletion")
"""Where attackers sit; the order gives each its addresses outside."""
OTHER_PORT = 9999
PATHS = (
    Lateral(source="gateway", destination="workload", port=LISTENS["workload"], allowed=True),
    Lateral(source="gateway", destination="evidence", port=LISTENS["evidence"], allowed=True),
    Lateral(source="gateway", destination="workload", port=OTHER_PORT, allowed=False),
    Lateral(source="gateway", destination="evidence", port=OTHER_PORT, allowed=False),
    Lateral(source="workload", destination="gateway", port=LISTENS["gateway"], allowed=False),
    Lateral(source="workload", destination="evidence", port=LISTENS["evidence"], allowed=False),
    Lateral(source="evidence", destination="workload", port=LISTENS["workload"], allowed=False),
    Lateral(source="evidence", destination="gateway", port=LISTENS["gateway"], allowed=False),
    Lateral(source="unsealed", destination="workload", port=LISTENS["workload"], allowed=False, control="cluster-policy"),
    Lateral(source="unsealed", destination="gateway", port=LISTENS["gateway"], allowed=False, control="cluster-policy"),
    Lateral(source="unsealed", destination="evidence", port=LISTENS["evidence"], allowed=False, control="cluster-policy"),
)
"""Every direction between the places, and from outside the region, as the region's policies mean it."""
Answers = Mapping[str, Mapping[str, Any]]


class Matrix:
    """One run over the attackers of a cluster.

    Args:
        attackers: where they are.
        canary: the directory of the canaries' logs.
        node: whose datapath drops.
    """

    def __init__(self, attackers: Attackers, canary: Path, node: Node) -> None:
        self.attackers, self.canary, self.node = attackers, canary, node

    def outward(self, pods: Iterable[Pod], unsealed: Pod) -> list[CellResult]:
        """Everything that must not leave, from running attackers."""
        placed = [(pod, outward(pod.place, PLACES.index(pod.place))) for pod in pods]
        everything = [cell for _, cells in placed for cell in cells]
        with ThreadPoolExecutor(max_workers=len(placed) + 1) as pool:
            heard = pool.submit(self.heard_from, everything, unsealed)
            answers = list(pool.map(lambda item: self.attack(item[1], item[0]), placed))
            path = heard.result()
        return [result for (pod, cells), answer in zip(placed, answers, strict=True) for result in self.judged(cells, pod, answer, path)]

    def lateral(
        self, pods: Mapping[str, Pod], paths: Sequence[Lateral] = PATHS
    ) -> tuple[list[CellResult], dict[tuple[str, str, int, int], bool]]:
        """Connections inside the cluster: the judged cells of those that must fail, and what was seen of all of them.

        Returns:
            The cells; and whether a connection came about, by source, destination, port and family.
        """
        results: list[CellResult] = []
        seen: dict[tuple[str, str, int, int], bool] = {}
        for place in sorted({path.source for path in paths}):
            cells = [cell for path in paths if path.source == place for cell in lateral(path, pods[path.destination].addresses)]
            denied = [
                cell for path in paths if path.source == place and not path.allowed
                for cell in lateral(path, pods[path.destination].addresses)
            ]  # fmt: skip
            open_ways = {cell.id for cell in cells} - {cell.id for cell in denied}
            answer = self.attack(cells, pods[place])
            deadline = time.monotonic() + OPENS_WITHIN_SECONDS
            while not all(_connected(answer, way) for way in open_ways) and time.monotonic() < deadline:
                time.sleep(SETTLE_SECONDS)
                answer = self.attack(cells, pods[place])
            for cell in cells:
                seen[(place, cell.to, cell.port, cell.family)] = _connected(answer, cell.id)
            # A port that nobody listens on has no answer to be had: its path control is the refusal that the node gets.
            through = {cell.id: self._node_reaches(cell) for cell in denied}
            results += self.judged(denied, pods[place], answer, through)
        return results, seen

    def attack(self, cells: Sequence[Cell], pod: Pod) -> dict[str, Any]:
        """Send every cell's packet from a pod; nothing when the pod could not be asked, and its cells will say so.

        The answer says from where on the witnesses' records are this attack's: an earlier one may have sent the very same packets.
        """
        since = {"skip": drops.lines(self.node.drops), "began": time.time()}
        try:
            return self.attackers.ask(pod, plan(cells)) | since
        except Unreached:
            return {"results": {}, "controls": {}} | since

    def heard_from(self, cells: Sequence[Cell], unsealed: Pod) -> dict[str, bool]:
        """The path control: whether the canary heard each cell's packet from a pod of no region."""
        order = plan(cells)
        marks = {probe["id"]: probe["uuid"] for probe in order["probes"]}
        self.attackers.ask(unsealed, order | {"controls": []})
        time.sleep(SETTLE_SECONDS)
        heard = Counter(mark for record in canary_log.records("internet", directory=self.canary) for mark in record.get("uuids", ()))
        return {cell.id: heard[marks[cell.id]] > 0 for cell in cells}

    def judged(self, cells: Sequence[Cell], pod: Pod, answer: Mapping[str, Any], path: Mapping[str, bool]) -> list[CellResult]:
        """Verdicts of one pod's cells, after the witnesses were asked."""
        time.sleep(SETTLE_SECONDS)
        dropped = drops.read(self.node.drops, skip=answer.get("skip", 0))
        heard = canary_log.records("internet", directory=self.canary)
        records = [record for record in heard if record["time"] >= answer.get("began", 0)]
        results: Answers = answer["results"]
        found = []
        for cell in cells:
            source = pod.address(cell.family)
            protocol = {"dns": "udp"}.get(cell.kind, cell.kind)
            hits = sum(
                record["source"] == source and record["destination"] == cell.target and (record["port"] or 0) == cell.port
                and str(record["protocol"]).startswith(protocol) for record in records
            )  # fmt: skip
            result = results.get(cell.id)
            seen = Observation(
                signature=result["signature"] if result else None,
                canary_hits=hits,
                path_control=path.get(cell.id, False),
                tool_control=bool(answer["controls"].get(f"{cell.kind}{cell.family}")),
                attributed=sum(
                    (drop.source, drop.destination, drop.protocol, drop.port or 0) == (source, cell.target, protocol, cell.port)
                    and drop.reason.startswith(cell.counter)
                    for drop in dropped
                ),
            )
            found.append(CellResult.of(cell, seen))
        return found

    def _node_reaches(self, cell: Cell) -> bool:
        """Whether the node gets an answer there, which policies of pods do not hinder: the path is whole, and something is at its end."""
        script = (
            "import socket,sys\ns=socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET)\ns.settimeout(2)\n"
            "try: s.connect((sys.argv[1],int(sys.argv[2])))\nexcept ConnectionRefusedError: pass\n"
        )
        try:
            self.node.run(["/usr/bin/python3", "-c", script, cell.target, str(cell.port)], timeout_seconds=10)
        except Exception:  # noqa: BLE001 - any failure is a path that is not whole
            return False
        return True


def _connected(answer: Mapping[str, Any], cell: str) -> bool:
    return bool(answer["results"].get(cell, {}).get("signature") == "connected")


def plan(cells: Sequence[Cell]) -> dict[str, Any]:
    """The agent's order for cells, each with a mark of its own."""
    controls = sorted({(cell.kind, cell.family) for cell in cells})
    return {"source": "", "probes": [cell.probe(str(uuid.uuid4())) for cell in cells], "controls": [list(pair) for pair in controls]}


def documents(results: Iterable[CellResult]) -> str:
    """The cells as JSON lines, for evidence."""
    return "".join(json.dumps(result.document(), default=str) + "\n" for result in results)
