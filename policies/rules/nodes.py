"""GPU nodes: two to four, with a named card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from curtilage.region import CPU_CARD, GPU_NODES
from policies.rules._rule import Rule


def _pool(props: Mapping[str, Any]) -> Iterator[str]:
    nodes = props["nodes"]
    if len(nodes) not in GPU_NODES:
        yield f"A region must have 2 to 4 GPU nodes, not {len(nodes)}."
    for node in nodes:
        if not node.get("card"):
            yield f"GPU node {node['name']} must name its card."
        elif node["card"] == CPU_CARD and props["lab"] is not True:
            yield f"GPU node {node['name']} has card cpu, which is the lab's alone."


RULES = (
    Rule(
        name="gpu-nodes",
        description="A region has two to four GPU nodes, each naming its card.",
        resource_type=("curtilage:hosts:GpuNodePool", "curtilage:aws:GpuNodePool"),
        check=_pool,
    ),
)
