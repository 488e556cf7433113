"""What an adapter's training is: every number that changes its weights, in one frozen place."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from curtilage.canonical import digest_of, file_digest
from curtilage.finetune.recipe import library_versions

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class AdapterRecipe(BaseModel):
    """Low-rank adapters (E. Hu and others, "LoRA", 2021) on a decoder's linear layers; on 4-bit weights QLoRA (T. Dettmers, 2023).

    Attributes:
        rank: of the two factors; ``alpha``/``rank`` scales their product.
        batch: conversations a step, over all processes.
        quantized: the base's weights in 4 bits while training (NF4, bitsandbytes); needs a card.
        processes: one a card, started by torchrun.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: int = Field(default=16, ge=1, le=256)
    alpha: int = Field(default=32, ge=1)
    batch: int = Field(default=8, ge=1)
    steps: int = Field(default=200, ge=1)
    warmup_steps: int = Field(default=10, ge=0)
    learning_rate: float = Field(default=2e-4, gt=0)
    tokens: int = Field(default=1024, ge=16)
    quantized: bool = False
    processes: int = Field(default=1, ge=1, le=16)
    threads: int = Field(default=2, ge=1)
    seed: int = Field(default=20260101, ge=0, lt=2**32)
    canaries: int = Field(default=4, ge=0, le=64)
    checkpoint_steps: int = Field(default=20, ge=1)


def adapter_libraries() -> dict[str, str]:
    """Versions that decide an adapter's weights."""
    return library_versions(("torch", "transformers", "tokenizers", "safetensors", "peft", "bitsandbytes"))


def adapter_digest(base: str, data: str, recipe: AdapterRecipe) -> str:
    """The name of what a run makes, known before it: base, documents, recipe, code, library versions."""
    here = Path(__file__).parent
    code = {name: file_digest(here / name) for name in ("adapter_job.py", "adapter_recipe.py", "dialogue.py", "memorisation.py")}
    return digest_of({"base": base, "data": data, "recipe": recipe.model_dump(), "code": code, "libraries": adapter_libraries()})
