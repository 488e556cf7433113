"""What a training run is: every number that changes the weights, in one frozen place, so that its digest names the result."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from curtilage.canonical import digest_of, file_digest

# The versions decide the weights as much as the code does.
LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors")


class Recipe(BaseModel):
    """Size and schedule of the lab's model.

    Head size 64 and grouped heads are what vLLM's CPU attention serves (its sizes: 32, 64, 80, 96, 112, 128, 160, 192, 224, 256).
    The defaults give 3.4 million parameters and about a minute of training on two cores.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    vocabulary: int = Field(default=2048, ge=400, le=65_536)
    hidden: int = Field(default=256, ge=32)
    layers: int = Field(default=4, ge=1)
    heads: int = Field(default=4, ge=1)
    kv_heads: int = Field(default=2, ge=1)
    intermediate: int = Field(default=704, ge=32)
    context: int = Field(default=2048, ge=64)
    block_tokens: int = Field(default=128, ge=16)
    batch: int = Field(default=8, ge=1)
    steps: int = Field(default=200, ge=1)
    warmup_steps: int = Field(default=20, ge=0)
    learning_rate: float = Field(default=4e-3, gt=0)
    threads: int = Field(default=2, ge=1)
    seed: int = Field(default=20260101, ge=0)
    canaries: int = Field(default=4, ge=0, le=64)


def code_digest() -> str:
    """Digest of the code that turns documents into weights."""
    here = Path(__file__).parent
    return digest_of(
        {name: file_digest(here / name) for name in ("dialogue.py", "tokenizer.py", "trainer.py", "recipe.py", "memorisation.py")}
    )


def library_versions(names: tuple[str, ...] = LIBRARIES) -> dict[str, str]:
    """Versions of the libraries that decide the weights; ``absent`` where one is not installed."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found
