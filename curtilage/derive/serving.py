"""How a model is served on a card: which variant, over how many cards, in how many replicas, and why.

Cards decide quantization: AWQ int4 on 24 GB, FP8 on Ada and Hopper with 48 GB or more, bf16 where neither holds. A choice is explained,
because a reviewer has to be able to disagree with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from curtilage.errors import ConfigError
from curtilage.models.manifest import CatalogueModel, Quantization, read_catalogue_model
from curtilage.paths import CHECKOUT
from curtilage.region import CPU_CARD, Model, Region
from curtilage.region_parts import CARDS, Card
from curtilage.vendor_models import Task

CONTEXT_TOKENS = 16384
"""What one request may take: a long contract. More is the owner's decision, by memory."""
OVERHEAD_GIB = 3.0
"""Activations, CUDA context and graphs; measured values differ by model, so this is an upper estimate."""
TASK_FLAGS: dict[Task, tuple[str, ...]] = {Task.GENERATE: (), Task.EMBED: ("--runner=pooling", "--convert=embed")}
"""What vLLM is started with for a task; one that pools answers /v1/embeddings and /rerank and does not generate."""
USABLE = 0.90
"""vLLM's default share of a card's memory."""


@dataclass(frozen=True, kw_only=True)
class Serving:
    """One model of a region as it is served.

    Attributes:
        cards: cards of one replica (tensor parallel inside one node).
        replicas: pods; none of them shares a card.
        why: the choice in one sentence.
    """

    model: Model
    variant: Quantization
    cards: int
    replicas: int
    context_tokens: int
    why: str

    @property
    def weights(self) -> str:
        """The digest of the weights without its prefix, as the model store names directories; or that there is none."""
        return (self.model.weights or "not-imported").removeprefix("sha256:")


def gpu_of(region: Region) -> tuple[str, int, int]:
    """Card, nodes and cards in a node.

    Raises:
        ConfigError: the region's machines are listed one by one (platform hosts).
    """
    found = region.aws.gpu if region.aws else region.kubernetes.gpu if region.kubernetes else None
    if found is None:
        raise ConfigError(f"region {region.name} lists hosts", rule="a node pool is of a cluster", fix="read region.hosts instead")
    return found.card, found.nodes, found.per_node


def serving(region: Region) -> tuple[Serving, ...]:
    """Every model of the region.

    Raises:
        ConfigError: the models do not fit on the region's cards; the message says what is short.
    """
    card, nodes, per_node = gpu_of(region)
    share = max(1, nodes * per_node // len(region.models))
    found = []
    for model in region.models:
        entry = read_catalogue_model(CHECKOUT / _manifest(model))
        if card == CPU_CARD:
            variant, cards, context, why = Quantization.BF16, 0, min(entry.context_tokens, 2048), "the lab has no card"
        else:
            variant, cards, context, why = _fit(entry, CARDS[card], per_node)
        found.append(
            Serving(model=model, variant=variant, cards=cards, replicas=max(1, share // max(1, cards)), context_tokens=context, why=why)
        )
    wanted, there = sum(item.cards * item.replicas for item in found), nodes * per_node
    if wanted > there:
        raise ConfigError(
            f"models need {wanted} cards, the region has {there}",
            rule="every model of a region has cards of its own",
            fix="name fewer models, or more or larger nodes",
            file=f"stacks/Pulumi.{region.name}.yaml",
            key="models",
        )
    return tuple(found)


def _manifest(model: Model) -> str:
    return model.manifest if model.manifest.endswith(".yaml") else f"{model.manifest}/manifest.yaml"


def _fit(entry: CatalogueModel, card: Card, per_node: int) -> tuple[Quantization, int, int, str]:
    """The best variant that fits on the fewest cards."""
    context = min(entry.context_tokens, CONTEXT_TOKENS)
    cache = context * entry.kv_cache_bytes_per_token / 2**30
    weights = {variant.quantization: variant.weights_gib for variant in entry.variants}
    for cards in (1, 2, 4, 8):
        if cards > per_node:
            break
        room = card.memory_gib * USABLE * cards
        for variant in _preferred(card):
            if variant in weights and weights[variant] + cache + OVERHEAD_GIB <= room:
                why = (
                    f"{variant} on {cards} x {card.name} ({card.memory_gib} GiB): weights {weights[variant]:.1f} GiB, cache of one request"
                    f" of {context} tokens {cache:.1f} GiB, overhead {OVERHEAD_GIB:.0f} GiB in {room:.1f} GiB"
                )
                return variant, cards, context, why
    raise ConfigError(
        f"model {entry.name} does not fit on {per_node} x {card.name}",
        rule="a replica stays inside one node; beyond that see docs/regions.md (pipeline parallel, LeaderWorkerSet)",
        fix="name a larger card, more cards in a node, or a smaller model",
        key="models",
    )


def _preferred(card: Card) -> tuple[Quantization, ...]:
    if card.memory_gib < 40:
        return (Quantization.AWQ_INT4, Quantization.FP8) if card.fp8 else (Quantization.AWQ_INT4,)
    return (Quantization.FP8, Quantization.AWQ_INT4) if card.fp8 else (Quantization.BF16, Quantization.AWQ_INT4)
