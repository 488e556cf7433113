"""Whether a model fits on a card, in which variant, and why: the sum is made before anything is deployed.

weights + key-value cache of the declared number of requests at the declared context + overhead <= the share of the card vLLM may take.
What this deliberately does not do: guess a shape. A configuration it does not know is refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curtilage.errors import ConfigError
from curtilage.models.manifest import CatalogueModel, Quantization

if TYPE_CHECKING:
    from curtilage.region_parts import Card

GIB = 2**30
USABLE = 0.90
"""vLLM's default ``gpu_memory_utilization``."""
REPORTED_GIB = {"L4": 22.5, "A10G": 22.5, "L40S": 45.0, "A100-40": 39.5, "A100-80": 79.3, "H100": 79.6, "H200": 140.4}
"""What the driver reports of a card sold as 24, 48, 40, 80 or 141 GB, rounded down (error correction and firmware keep the rest)."""
CONTEXT_AND_GRAPHS_GIB = 1.6
"""CUDA context and captured graphs of one process: an upper estimate, to be replaced by a measured one."""
BATCHED_TOKENS = 8192
"""Tokens of one forward pass, vLLM's default for serving; activations grow with it."""
_BYTES = {
    Quantization.BF16: 2.0,
    Quantization.FP8: 1.0,
    Quantization.INT8: 1.0,
    # Half a byte, a 16-bit scale and a 4-bit zero point for every group of 128.
    Quantization.AWQ_INT4: 0.5 + 2.5 / 128,
    Quantization.GPTQ_INT4: 0.5 + 2.5 / 128,
}
# The most numbers a configuration may give: beyond these it is no model but a mistake or an attack on the sum.
_BOUNDS = {
    "num_hidden_layers": 1000,
    "num_attention_heads": 1024,
    "num_key_value_heads": 1024,
    "head_dim": 1024,
    "hidden_size": 1 << 20,
    "intermediate_size": 1 << 22,
    "vocab_size": 1 << 24,
    "max_position_embeddings": 1 << 27,
}
_KNOWN = frozenset({"mistral", "llama", "qwen2", "qwen3"})


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What of a model decides its memory.

    Attributes:
        weights_gib: size of the weights in each variant there is.
        heads: attention heads, which tensor parallelism divides; None where unknown.
        activations_gib: of one forward pass, an upper estimate.
    """

    name: str
    layers: int
    kv_heads: int
    head_dim: int
    heads: int | None
    context_tokens: int
    weights_gib: dict[Quantization, float]
    activations_gib: float

    def cache_gib(self, tokens: int, bytes_each: int = 2) -> float:
        """Key and value of so many tokens, all layers."""
        return 2 * self.layers * self.kv_heads * self.head_dim * bytes_each * tokens / GIB


@dataclass(frozen=True, kw_only=True)
class Fit:
    """The sum of one variant on so many cards; in GiB over all cards together."""

    model: str
    card: str
    cards: int
    variant: Quantization
    context_tokens: int
    concurrency: int
    weights_gib: float
    cache_gib: float
    overhead_gib: float
    room_gib: float
    reason: str

    @property
    def need_gib(self) -> float:
        """The whole sum."""
        return self.weights_gib + self.cache_gib + self.overhead_gib

    @property
    def fits(self) -> bool:
        """True when the sum is within the room."""
        return self.need_gib <= self.room_gib

    def line(self) -> str:
        """The sum in words."""
        return (
            f"{self.variant} on {self.cards} x {self.card}: weights {self.weights_gib:.1f} + cache of {self.concurrency} x "
            f"{self.context_tokens} tokens {self.cache_gib:.1f} + overhead {self.overhead_gib:.1f} = {self.need_gib:.1f} GiB "
            f"of {self.room_gib:.1f}"
        )


def shape_of_catalogue(entry: CatalogueModel) -> Shape:
    """The shape a catalogue entry states."""
    return Shape(
        name=entry.name,
        layers=entry.layers,
        kv_heads=entry.kv_heads,
        head_dim=entry.head_dim,
        heads=None,
        context_tokens=entry.context_tokens,
        weights_gib={variant.quantization: variant.weights_gib for variant in entry.variants},
        activations_gib=1.4,
    )


def shape_of_directory(directory: Path) -> Shape:
    """The shape of a model's ``config.json``; sizes are counted from it for every variant.

    Raises:
        ConfigError: no configuration, or one whose memory this module does not know how to count.
    """
    path = directory / "config.json"
    fix = "serve it with a card you have measured it on, or extend curtilage/models/fit.py"
    try:
        config: Any = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read", rule="a model has a config.json", fix="import the model again") from error
    if not isinstance(config, dict) or config.get("model_type") not in _KNOWN:
        kind = config.get("model_type") if isinstance(config, dict) else None
        raise ConfigError(f"model_type {kind!r}", rule=f"memory is counted for {', '.join(sorted(_KNOWN))}", fix=fix, file=path)
    heads = _number(config, "num_attention_heads", path)
    hidden = _number(config, "hidden_size", path)
    layers = _number(config, "num_hidden_layers", path)
    inner = _number(config, "intermediate_size", path)
    words = _number(config, "vocab_size", path)
    kv_heads = _number(config, "num_key_value_heads", path, heads)
    head_dim = _number(config, "head_dim", path, hidden // heads)
    linear = layers * (2 * hidden * heads * head_dim + 2 * hidden * kv_heads * head_dim + 3 * hidden * inner)
    # Embeddings, the output layer and norms stay in 16 bits in every variant.
    other = words * hidden * (1 if config.get("tie_word_embeddings") else 2) + (2 * layers + 1) * hidden
    return Shape(
        name=directory.name,
        layers=layers,
        kv_heads=kv_heads,
        head_dim=head_dim,
        heads=heads,
        context_tokens=_number(config, "max_position_embeddings", path),
        weights_gib={variant: (linear * each + other * 2) / GIB for variant, each in _BYTES.items()},
        activations_gib=(BATCHED_TOKENS * (2 * inner + 4 * hidden) * 2 + 256 * words * 4) / GIB,
    )


def _number(config: dict[str, Any], key: str, path: Path, default: int | None = None) -> int:
    value = config.get(key)
    if value is None:
        value = default
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _BOUNDS[key]:
        raise ConfigError(
            f"{value!r}", rule=f"{key} is a number from 1 to {_BOUNDS[key]}", fix="import the model again", file=path, key=key
        )
    return value


def preferred(card: Card | None) -> tuple[tuple[Quantization, str], ...]:
    """Variants in the order to try on a card, each with the reason; None is a processor without a card."""
    q = Quantization
    if card is None:
        return ((q.BF16, "a processor computes in bf16; vLLM has int8 and int4 kernels there, and none for fp8"),)
    if card.memory_gib < 40 and card.fp8:
        return (
            (q.AWQ_INT4, f"{card.name} has {card.memory_gib} GB: int4 weights leave most of it to the cache"),
            (q.GPTQ_INT4, f"{card.name} has {card.memory_gib} GB, and the model comes in GPTQ alone"),
            (q.FP8, f"{card.name} computes in FP8"),
        )
    if card.memory_gib < 40:
        return (
            (q.AWQ_INT4, f"{card.name} has {card.memory_gib} GB: int4 weights leave most of it to the cache"),
            (q.GPTQ_INT4, f"{card.name} has {card.memory_gib} GB, and the model comes in GPTQ alone"),
            (q.INT8, f"{card.name} computes in INT8, not in FP8"),
        )
    if card.fp8:
        return (
            (q.FP8, f"{card.name} computes in FP8: half the weights of bf16 at about its quality"),
            (q.AWQ_INT4, "FP8 is too large here"),
            (q.GPTQ_INT4, "FP8 is too large here, and the model comes in GPTQ alone"),
        )
    return (
        (q.BF16, f"{card.name} has no FP8, and room for unquantized weights"),
        (q.INT8, f"{card.name} computes in INT8, and bf16 is too large here"),
        (q.AWQ_INT4, "nothing larger fits"),
        (q.GPTQ_INT4, "nothing larger fits, and the model comes in GPTQ alone"),
    )


def supported(card: Card, variant: Quantization) -> bool:
    """Whether the card's kernels serve a variant (vLLM, 'Supported Hardware': FP8 from Ada on; INT8, AWQ and GPTQ on all of ours)."""
    return variant is not Quantization.FP8 or card.fp8


def weigh(shape: Shape, card: Card, cards: int, variant: Quantization, *, context: int, concurrency: int, reason: str = "") -> Fit:
    """The sum of one variant on so many cards."""
    # With more cards than key-value heads each head is kept several times.
    copies = max(1.0, cards / shape.kv_heads)
    return Fit(
        model=shape.name,
        card=card.name,
        cards=cards,
        variant=variant,
        context_tokens=context,
        concurrency=concurrency,
        weights_gib=shape.weights_gib[variant],
        cache_gib=shape.cache_gib(context * concurrency) * copies,
        overhead_gib=CONTEXT_AND_GRAPHS_GIB * cards + shape.activations_gib,
        room_gib=REPORTED_GIB.get(card.name, card.memory_gib * 0.93) * USABLE * cards,
        reason=reason,
    )


def fit(
    shape: Shape, card: Card, per_node: int, *, concurrency: int, context: int | None = None, variant: Quantization | None = None
) -> Fit:
    """The variant to serve on the fewest cards of one node, or a refusal with the numbers and what would fit.

    Raises:
        ConfigError: the context is longer than the model's, the card cannot compute the variant, or nothing fits.
    """
    tokens = shape.context_tokens if context is None else context
    if not 1 <= tokens <= shape.context_tokens:
        raise ConfigError(
            f"{shape.name}: context {tokens}",
            rule=f"its context is {shape.context_tokens} tokens",
            fix="declare at most that",
            key="context",
        )
    if concurrency < 1:
        raise ConfigError(f"concurrency {concurrency}", rule="at least one request at a time", fix="declare 1 or more", key="concurrency")
    if variant is not None and (variant not in shape.weights_gib or not supported(card, variant)):
        why = f"{card.name} has no FP8" if variant in shape.weights_gib else f"{shape.name} has {', '.join(sorted(shape.weights_gib))}"
        raise ConfigError(f"{shape.name} in {variant} on {card.name}: {why}", rule="a card computes what it serves", fix="choose another")
    wanted = [(variant, "asked for")] if variant is not None else [pair for pair in preferred(card) if pair[0] in shape.weights_gib]
    if not wanted:
        raise ConfigError(
            f"{shape.name} comes in {', '.join(sorted(shape.weights_gib))}", rule=f"{card.name} serves other variants", fix="quantize it"
        )
    tried: list[Fit] = []
    for cards in _sizes(shape, per_node):
        for kind, reason in wanted:
            found = weigh(shape, card, cards, kind, context=tokens, concurrency=concurrency, reason=reason)
            if found.fits:
                return found
            tried.append(found)
    raise ConfigError(
        f"{shape.name} does not fit: " + "; ".join(found.line() for found in tried[-3:]),
        rule="weights, cache and overhead fit into the cards of one node",
        fix=_would_fit(shape, card, tried, tokens, concurrency),
        key="models",
    )


def _sizes(shape: Shape, per_node: int) -> list[int]:
    found = [cards for cards in (1, 2, 4, 8) if cards <= per_node and (shape.heads is None or shape.heads % cards == 0)]
    return found or [1]


def _would_fit(shape: Shape, card: Card, tried: list[Fit], tokens: int, concurrency: int) -> str:
    """The least change that helps: a shorter context, fewer requests, or another card."""
    best = min(tried, key=lambda found: found.need_gib - found.room_gib)
    free = best.room_gib - best.weights_gib - best.overhead_gib
    each = best.cache_gib / (tokens * concurrency)
    hints = []
    if free > 0:
        total = int(free / each)
        if total // tokens >= 1:
            hints.append(f"{total // tokens} requests at a time instead of {concurrency}")
        if total // concurrency >= 512:
            hints.append(f"a context of {total // concurrency // 256 * 256} tokens instead of {tokens}")
    from curtilage.region_parts import CARDS

    for other in sorted(CARDS.values(), key=lambda other: other.memory_gib):
        for kind, _ in preferred(other):
            if other.name != card.name and kind in shape.weights_gib:
                found = weigh(shape, other, best.cards, kind, context=tokens, concurrency=concurrency)
                if found.fits:
                    return " or ".join(
                        [*hints, f"{best.cards} x {other.name} in {kind} ({found.need_gib:.1f} of {found.room_gib:.1f} GiB)"]
                    )
    return " or ".join([*hints, "a smaller model"])
