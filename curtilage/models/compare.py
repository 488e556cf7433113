"""Two versions of a model, asked the same held-back synthetic documents by vLLM: perplexity of the right answers, and what is said.

Held back means: generated from another seed than the training's, so no document was seen. The comparison runs the server's own code and
kernels, since a quantized file is only as good as what loads it.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import tempfile
from collections.abc import Callable
from difflib import SequenceMatcher
from pathlib import Path
from random import Random
from typing import Any

from pydantic import BaseModel, ConfigDict

from curtilage.errors import ConfigError, MachineError, StepError
from curtilage.finetune import tokenizer as bpe
from curtilage.finetune.airgap import OFFLINE, unshare_command
from curtilage.finetune.dialogue import conversation
from curtilage.finetune.generator import documents
from curtilage.models.manifest import read_manifest

ANSWER_TOKENS = 48
HELD_BACK_SEED = 990_001
_TIMEOUT_SECONDS = 900


class Comparison(BaseModel):
    """What was found; ``agreement`` is the share of answers that are the same word for word."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    documents: int
    answer_tokens: int
    first: str
    second: str
    perplexity_first: float
    perplexity_second: float
    loaded_as: tuple[str, str]
    agreement: float
    similarity: float


def compare(first: Path, second: Path, *, vllm: Path, interpreter: str, count: int, say: Callable[[str], None]) -> Comparison:
    """Ask both versions.

    Raises:
        ConfigError: the versions do not share a tokenizer, so their perplexities are of different things.
        MachineError: no namespace without a network can be made.
        StepError: vLLM did not load a version, or did not answer.
    """
    if (first / "tokenizer.json").read_bytes() != (second / "tokenizer.json").read_bytes():
        raise ConfigError("two tokenizers", rule="perplexities compare with one tokenizer alone", fix="name two versions of one model")
    items = held_back(first, count)
    found = [_ask(directory, items, vllm=vllm, interpreter=interpreter, say=say) for directory in (first, second)]
    pairs = list(zip(found[0]["answers"], found[1]["answers"], strict=True))
    return Comparison(
        documents=len(items),
        answer_tokens=int(found[0]["tokens"]),
        first=read_manifest(first / "manifest.json").digest,
        second=read_manifest(second / "manifest.json").digest,
        perplexity_first=round(math.exp(found[0]["loss"]), 4),
        perplexity_second=round(math.exp(found[1]["loss"]), 4),
        loaded_as=(found[0]["quantization"], found[1]["quantization"]),
        agreement=round(sum(one == other for one, other in pairs) / len(pairs), 4),
        similarity=round(sum(SequenceMatcher(None, one, other, autojunk=False).ratio() for one, other in pairs) / len(pairs), 4),
    )


def held_back(model: Path, count: int) -> list[dict[str, Any]]:
    """Documents of another seed as token ids, with the place where the right answer begins."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    rng = Random(HELD_BACK_SEED)  # noqa: S311 - repeatable on purpose
    items = []
    for document in documents(count, HELD_BACK_SEED):
        turns = conversation(document, rng)
        prompt = tokenizer.encode(bpe.render(turns[:-1]) + f"{bpe.START}assistant\n").ids
        answer = tokenizer.encode(turns[-1]["content"] + bpe.END).ids
        items.append({"ids": prompt + answer, "answer_at": len(prompt)})
    return items


def _ask(model: Path, items: list[dict[str, Any]], *, vllm: Path, interpreter: str, say: Callable[[str], None]) -> dict[str, Any]:
    say(f"vLLM loads {model.name[:12]} and answers {len(items)} documents")
    with tempfile.TemporaryDirectory(prefix="curtilage-compare-") as scratch:
        out = Path(scratch) / "answers.json"
        context = max(len(item["ids"]) for item in items) + ANSWER_TOKENS + 1
        job = {"model": str(model), "items": items, "context": context, "answer_tokens": ANSWER_TOKENS, "out": str(out)}
        environment = OFFLINE | {
            "PATH": os.environ.get("PATH", ""),
            "HOME": scratch,
            "PYTHONPATH": str(vllm),
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            "VLLM_HOST_IP": "127.0.0.1",
            "GLOO_SOCKET_IFNAME": "lo",
            # The engine talks to itself over loopback, which a fresh namespace has switched off.
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        }
        script = 'ip link set lo up 2>/dev/null || true; exec "$@"'
        command = [*unshare_command(), "sh", "-c", script, "sh", interpreter, str(Path(__file__).with_name("vllm_answers.py"))]
        try:
            done = subprocess.run(
                command,
                input=json.dumps(job),
                capture_output=True,
                text=True,
                env=environment,
                cwd=scratch,
                timeout=_TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise StepError("compare", f"vLLM did not end in {_TIMEOUT_SECONDS} s", fix="pass a smaller --documents") from error
        except OSError as error:
            raise MachineError(f"{interpreter} cannot be started: {error.strerror}\n  fix:  curtilage doctor") from error
        if done.returncode != 0 or not out.is_file():
            lines = " | ".join(line for line in done.stderr.strip().splitlines()[-6:])
            raise StepError("compare", f"vLLM ended with {done.returncode} on {model}: {lines}", fix="see what it said")
        found: dict[str, Any] = json.loads(out.read_bytes())
        return found
