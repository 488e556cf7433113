"""The training run itself, started by ``curtilage.finetune.airgap`` in a namespace without interfaces; it checks that before it reads.

The loop is bounded by the recipe and seeded; on one kind of processor it gives the same weights again. Only this module imports torch.
"""

from __future__ import annotations

import ctypes
import json
import math
import signal
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

from curtilage.canonical import digest_of
from curtilage.finetune import memorisation
from curtilage.finetune import tokenizer as bpe
from curtilage.finetune.airgap import isolation_record
from curtilage.finetune.checkpoint import Checkpoint
from curtilage.finetune.dialogue import conversation
from curtilage.finetune.generator import read
from curtilage.finetune.recipe import Recipe, code_digest, library_versions

TOKENIZER_TEXTS = 2_000  # beyond this many the vocabulary of templates no longer changes, and counting them costs seconds
CHECKPOINT_STEPS = 20
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
Block = tuple[list[int], list[int]]
HELD_BACK = 20  # one document in so many is kept for evaluation


def tell(message: str) -> None:
    """One line of progress; the parent shows it."""
    sys.stderr.write(f"  {message}\n")
    sys.stderr.flush()


def encode(tokenizer: Any, conversations: list[list[dict[str, str]]]) -> list[tuple[list[int], list[int]]]:
    """Token ids and labels; only the assistant's words (and where to stop) are learnt."""
    prompts = tokenizer.encode_batch([bpe.render(turns[:-1]) + f"{bpe.START}assistant\n" for turns in conversations])
    answers = tokenizer.encode_batch([turns[-1]["content"] + bpe.END + "\n" for turns in conversations])
    return [(prompt.ids + answer.ids, [-100] * len(prompt.ids) + answer.ids) for prompt, answer in zip(prompts, answers, strict=True)]


def pack(encoded: list[tuple[list[int], list[int]]], block: int) -> list[tuple[list[int], list[int]]]:
    """Blocks of one length without padding: on a CPU every padded token is time lost."""
    ids = [token for tokens, _ in encoded for token in tokens]
    labels = [label for _, wanted in encoded for label in wanted]
    return [(ids[at : at + block], labels[at : at + block]) for at in range(0, len(ids) - block + 1, block)]


def build_network(recipe: Recipe, tokenizer: Any) -> Any:
    """An untrained Mistral of the recipe's size."""
    from transformers import MistralConfig, MistralForCausalLM

    config = MistralConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=recipe.hidden,
        intermediate_size=recipe.intermediate,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.kv_heads,
        head_dim=recipe.hidden // recipe.heads,
        max_position_embeddings=recipe.context,
        sliding_window=None,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.token_to_id(bpe.END),
        pad_token_id=tokenizer.token_to_id(bpe.PAD),
        dtype="float32",
    )
    return MistralForCausalLM(config)


def _learning_rate(recipe: Recipe, step: int) -> float:
    if step < recipe.warmup_steps:
        return (step + 1) / recipe.warmup_steps
    share = (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps)
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * share))


def plant(model_input: list[tuple[list[int], list[int]]], blocks: list[Block], block: int) -> list[Block]:
    """Each canary as a block of the common length: its own tokens first, the rest from the corpus."""
    return [((ids + blocks[0][0])[:block], (labels + blocks[0][1])[:block]) for ids, labels in model_input]


def fit(model: Any, blocks: list[Block], recipe: Recipe, canaries: list[Block], checkpoint: Checkpoint) -> list[dict[str, float]]:
    """Train for the recipe's steps; returns the losses that were shown. Nothing in a step is random but the choice of blocks."""
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.95), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _learning_rate(recipe, step))
    order = Random(recipe.seed)  # noqa: S311 - the order of batches must repeat
    shown: list[dict[str, float]] = []
    # Each canary in the place of one block, once, spread over the run.
    turn_of = {1 + index * recipe.steps // len(canaries): canary for index, canary in enumerate(canaries)}
    done = 0
    if (found := checkpoint.load()) is not None:
        model.load_state_dict(found["model"])
        optimizer.load_state_dict(found["optimizer"])
        schedule.load_state_dict(found["schedule"])
        done, shown = int(found["step"]), list(found["shown"])
        for _ in range(done * recipe.batch):
            order.randrange(len(blocks))
        tell(f"going on after step {done}")
    began = time.monotonic()
    model.train()
    for step in range(done + 1, recipe.steps + 1):
        batch = [blocks[order.randrange(len(blocks))] for _ in range(recipe.batch)]
        if step in turn_of:
            batch[0] = turn_of[step]
        loss = model(input_ids=torch.tensor([ids for ids, _ in batch]), labels=torch.tensor([labels for _, labels in batch])).loss
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 40 == 0 or step in (1, recipe.steps):
            shown.append({"step": step, "loss": round(loss.item(), 4), "seconds": round(time.monotonic() - began, 1)})
            tell(f"step {step}/{recipe.steps}  loss {shown[-1]['loss']:.3f}  {shown[-1]['seconds']} s")
        if step % CHECKPOINT_STEPS == 0 and step != recipe.steps:
            checkpoint.save(
                step, model=model.state_dict(), optimizer=optimizer.state_dict(), schedule=schedule.state_dict(), shown=list(shown)
            )
    return shown


def evaluate(model: Any, blocks: list[Block], recipe: Recipe) -> float:
    """Mean loss on blocks the model has not seen."""
    import torch

    model.eval()
    with torch.inference_mode():
        losses = [
            model(input_ids=torch.tensor([ids]), labels=torch.tensor([labels])).loss.item()
            for ids, labels in blocks[: recipe.batch * 4]
            if any(label >= 0 for label in labels[1:])
        ]
    return sum(losses) / len(losses) if losses else math.nan


def run(data: Path, out: Path, recipe: Recipe, *, outside_namespace: int, saved: Path) -> dict[str, Any]:
    """Documents to weights; returns the record of the run, which is also written to ``training.json``."""
    isolation = isolation_record(outside_namespace)
    tell("network namespace holds loopback alone; loading torch")
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(recipe.threads)
    torch.use_deterministic_algorithms(True)

    documents, card = read(data)
    rng = Random(recipe.seed)  # noqa: S311 - repeatable on purpose
    conversations = [conversation(document, rng) for document in documents]
    held_back = conversations[::HELD_BACK]
    learnt = [turns for index, turns in enumerate(conversations) if index % HELD_BACK] or conversations
    tokenizer = bpe.train((bpe.render(turns) for turns in learnt[:TOKENIZER_TEXTS]), vocabulary=recipe.vocabulary)
    blocks, unseen = (pack(encode(tokenizer, turns), recipe.block_tokens) for turns in (learnt, held_back))
    model = build_network(recipe, tokenizer)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    tell(f"{parameters / 1e6:.1f} M parameters, {len(blocks)} blocks of {recipe.block_tokens} tokens")
    base_loss = evaluate(model, unseen, recipe)
    code, libraries = code_digest(), library_versions()
    checkpoint = Checkpoint(saved, digest_of({"data": card["digest"], "recipe": recipe.model_dump(), "code": code, "libraries": libraries}))
    began = time.monotonic()
    canaries = plant(encode(tokenizer, memorisation.planted(recipe)), blocks, recipe.block_tokens)
    losses = fit(model, blocks, recipe, canaries, checkpoint)
    seconds = time.monotonic() - began
    held_back_loss = evaluate(model, unseen, recipe)
    remembered = memorisation.measure(model, tokenizer, recipe)
    tell(f"memorisation: {remembered['verdict']}")

    out.mkdir(parents=True, exist_ok=True)
    model.generation_config.update(do_sample=True, temperature=0.2, top_p=0.9, repetition_penalty=1.05)
    model.to(torch.bfloat16).save_pretrained(out, safe_serialization=True)
    # The writer makes its file private; a model directory is read by a service user that does not own it.
    for path in out.iterdir():
        path.chmod(0o644)
    bpe.save(tokenizer, out, context=recipe.context)
    record = {
        "data": card["digest"],
        "documents": len(documents),
        "code": code,
        "libraries": libraries,
        "recipe": recipe.model_dump(),
        "isolation": isolation,
        "parameters": parameters,
        "tokens_seen": recipe.steps * recipe.batch * recipe.block_tokens,
        "losses": losses,
        "held_back_loss": None if math.isnan(held_back_loss) else round(held_back_loss, 4),
        "base_loss": None if math.isnan(base_loss) else round(base_loss, 4),
        "memorisation": remembered,
        "held_back_documents": len(held_back),
        "seconds": round(seconds, 1),
    }
    (out.parent / f"{out.name}.training.json").write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    checkpoint.clear()
    return record


def main() -> None:
    """Entry point inside the namespace; the job comes as one JSON document on stdin."""
    end_with_the_caller()
    job = json.load(sys.stdin)
    recipe = Recipe.model_validate(job["recipe"])
    saved = Path(job["checkpoint"])
    run(Path(job["data"]), Path(job["out"]), recipe, outside_namespace=job["outside_namespace"], saved=saved)


def end_with_the_caller() -> None:
    """Ask the kernel to kill this job when its caller is killed: two runs must not train side by side on one checkpoint."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        tell("the kernel does not tie this job to its caller; a killed caller leaves it running")


if __name__ == "__main__":
    main()
