"""What every platform's part of a region is made of: strict models, names, images by digest, and the cards we know."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from curtilage.allowance import refusal

GPU_NODES = range(2, 5)
CPU_CARD = "cpu"

IMAGE = re.compile(r"^[a-z0-9][a-z0-9./:_-]*@sha256:[0-9a-f]{64}$")

DnsName = Annotated[str, Field(max_length=253, pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$")]


class Part(BaseModel):
    """A part of a stack file: unknown keys are refused, and nothing changes after it was judged."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _by_digest(image: str | None) -> str | None:
    if image is not None and not IMAGE.match(image):
        raise refusal(
            f"image '{image}' can change under the same name",
            rule="an image is named by digest (name@sha256:<64 hex>); a tag alone is mutable",
            fix="resolve the tag once and write its digest, or write null until the image is imported",
        )
    return image


ImageByDigest = Annotated[str, AfterValidator(_by_digest)]


@dataclass(frozen=True, kw_only=True)
class Card:
    """A GPU model.

    Attributes:
        memory_gib: memory of one card, as sold.
        fp8: whether its tensor cores compute in FP8 (Ada, Hopper).
        product: prefix of the label ``nvidia.com/gpu.product`` that GPU feature discovery gives its node.
    """

    name: str
    memory_gib: int
    fp8: bool
    product: str


CARDS: dict[str, Card] = {
    card.name: card
    for card in (
        Card(name="L4", memory_gib=24, fp8=True, product="NVIDIA-L4"),
        Card(name="A10G", memory_gib=24, fp8=False, product="NVIDIA-A10G"),
        Card(name="L40S", memory_gib=48, fp8=True, product="NVIDIA-L40S"),
        Card(name="A100-40", memory_gib=40, fp8=False, product="NVIDIA-A100-SXM4-40GB"),
        Card(name="A100-80", memory_gib=80, fp8=False, product="NVIDIA-A100-SXM4-80GB"),
        Card(name="H100", memory_gib=80, fp8=True, product="NVIDIA-H100-80GB-HBM3"),
        Card(name="H200", memory_gib=141, fp8=True, product="NVIDIA-H200"),
    )
}
"""Cards that models' variants are chosen for; memory and architecture from NVIDIA's data sheets, labels from GPU feature discovery."""


def known_card(name: str, *, key: str, lab: bool = False, among: tuple[str, ...] = tuple(CARDS)) -> None:
    """Refuse a card that the platform lacks.

    Raises:
        PydanticCustomError: naming the cards there are.
    """
    if name in among or (lab and name == CPU_CARD):
        return
    raise refusal(
        f"card '{name}'",
        rule=f"a card is one the platform has: {', '.join(among)}" + (", or cpu in the lab" if lab else ""),
        fix="name one of them",
        key=key,
    )
