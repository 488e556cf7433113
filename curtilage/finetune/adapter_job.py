"""The training of an adapter, started by ``curtilage.finetune.airgap`` in a namespace with loopback alone; only this module imports peft.

On several cards torchrun starts one process each; they speak over loopback, which this module then switches on, and over nothing else.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

from curtilage.canonical import digest_of
from curtilage.finetune import memorisation
from curtilage.finetune.adapter_recipe import TARGETS, AdapterRecipe, adapter_libraries
from curtilage.finetune.airgap import isolation_record
from curtilage.finetune.checkpoint import Checkpoint
from curtilage.finetune.dialogue import Message, conversation
from curtilage.finetune.generator import read
from curtilage.finetune.trainer import HELD_BACK, end_with_the_caller, tell

_JOB = "CURTILAGE_JOB"
_EVALUATED = 64
Item = tuple[list[int], list[int]]


class Words:
    """The base's own tokenizer and chat template."""

    def __init__(self, base: Path) -> None:
        from transformers import AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(base, local_files_only=True, trust_remote_code=False)
        self.plain = self.tokenizer.backend_tokenizer
        self.padding = self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else self.tokenizer.eos_token_id

    def prompt(self, turns: list[Message]) -> str:
        """The turns so far, and the beginning of the assistant's."""
        return str(self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))

    def item(self, turns: list[Message], tokens: int) -> Item:
        """Token ids, and labels for the assistant's words alone."""
        prompt: list[int] = self.plain.encode(self.prompt(turns[:-1]), add_special_tokens=False).ids
        answer: list[int] = self.plain.encode(turns[-1]["content"] + self.tokenizer.eos_token, add_special_tokens=False).ids
        return (prompt + answer)[:tokens], ([-100] * len(prompt) + answer)[:tokens]

    def batch(self, items: list[Item], device: Any) -> dict[str, Any]:
        """Padded to the longest."""
        import torch

        longest = max(len(ids) for ids, _ in items)
        ids = torch.tensor([ids + [self.padding] * (longest - len(ids)) for ids, _ in items], device=device)
        labels = torch.tensor([labels + [-100] * (longest - len(labels)) for _, labels in items], device=device)
        mask = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids, _ in items], device=device)
        return {"input_ids": ids, "labels": labels, "attention_mask": mask}


def load(base: Path, recipe: AdapterRecipe, device: Any) -> Any:
    """The base with untrained adapters on it; only they learn."""
    import torch
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    more: dict[str, Any] = {"dtype": torch.bfloat16 if device.type == "cuda" else torch.float32}
    if recipe.quantized:
        more["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.bfloat16
        )
        more["device_map"] = {"": device}
    model = AutoModelForCausalLM.from_pretrained(base, local_files_only=True, trust_remote_code=False, use_safetensors=True, **more)
    if recipe.quantized:
        model = prepare_model_for_kbit_training(model)  # type: ignore[no-untyped-call]
    else:
        model.to(device)
    settings = LoraConfig(
        r=recipe.rank, lora_alpha=recipe.alpha, lora_dropout=0.0, target_modules=list(TARGETS), bias="none", task_type="CAUSAL_LM"
    )
    return get_peft_model(model, settings)


def learning_rate(recipe: AdapterRecipe, step: int) -> float:
    """The part of the recipe's rate at a step: up, then down a cosine to a tenth."""
    if step < recipe.warmup_steps:
        return (step + 1) / recipe.warmup_steps
    share = (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps)
    return 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * share))


def fit(
    model: Any, words: Words, items: list[Item], canaries: list[Item], recipe: AdapterRecipe, saved: Checkpoint
) -> list[dict[str, Any]]:
    """Train for the recipe's steps; each process takes its part of every batch. Returns the losses that were shown."""
    import torch
    import torch.distributed as processes

    rank, count = (processes.get_rank(), processes.get_world_size()) if processes.is_initialized() else (0, 1)
    learnt = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learnt, lr=recipe.learning_rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate(recipe, step))
    order = Random(recipe.seed)  # noqa: S311 - the order of batches must repeat
    turn_of = {1 + index * recipe.steps // len(canaries): canary for index, canary in enumerate(canaries)}
    shown: list[dict[str, Any]] = []
    done = 0
    if (found := saved.load()) is not None:
        with torch.no_grad():
            for parameter, value in zip(learnt, found["adapter"], strict=True):
                parameter.copy_(value)
        optimizer.load_state_dict(found["optimizer"])
        schedule.load_state_dict(found["schedule"])
        done, shown = int(found["step"]), list(found["shown"])
        for _ in range(done * recipe.batch):
            order.randrange(len(items))
        tell(f"going on after step {done}")
    device = learnt[0].device
    model.train()
    began = time.monotonic()
    for step in range(done + 1, recipe.steps + 1):
        batch = [items[order.randrange(len(items))] for _ in range(recipe.batch)]
        if step in turn_of:
            batch[0] = turn_of[step]
        mine = batch[rank::count]
        # Divided by the words of the whole batch: the sum over the processes is then its mean, whatever their number.
        wanted = sum(label >= 0 for _, labels in batch for label in labels[1:])
        loss = model(**words.batch(mine, device), num_items_in_batch=torch.tensor(wanted, device=device)).loss
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        whole = loss.detach().clone()
        if count > 1:
            for parameter in learnt:
                processes.all_reduce(parameter.grad)
            processes.all_reduce(whole)
        torch.nn.utils.clip_grad_norm_(learnt, 1.0)
        optimizer.step()
        schedule.step()
        if rank == 0 and (step % 20 == 0 or step in (1, recipe.steps)):
            shown.append({"step": step, "loss": round(whole.item(), 4), "seconds": round(time.monotonic() - began, 1)})
            tell(f"step {step}/{recipe.steps}  loss {shown[-1]['loss']:.3f}  {shown[-1]['seconds']} s")
        if rank == 0 and step % recipe.checkpoint_steps == 0 and step != recipe.steps:
            saved.save(
                step,
                adapter=[parameter.detach().cpu() for parameter in learnt],
                optimizer=optimizer.state_dict(),
                schedule=schedule.state_dict(),
                shown=list(shown),
            )
    return shown


def evaluate(model: Any, words: Words, items: list[Item]) -> float | None:
    """Mean loss on conversations that were not learnt."""
    import torch

    model.eval()
    device = next(model.parameters()).device
    with torch.inference_mode():
        losses = [model(**words.batch([item], device)).loss.item() for item in items[:_EVALUATED] if any(label >= 0 for label in item[1])]
    return round(sum(losses) / len(losses), 4) if losses else None


def run(job: dict[str, Any]) -> None:
    """Documents and a base to an adapter; the record of the run is written beside it."""
    isolation = isolation_record(job["outside_namespace"])
    recipe = AdapterRecipe.model_validate(job["recipe"])
    import torch
    import torch.distributed as processes
    from transformers.utils import logging

    logging.disable_progress_bar()
    rank = int(os.environ.get("RANK", "0"))
    card = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if card else torch.device("cpu")
    if recipe.processes > 1:
        processes.init_process_group("nccl" if card else "gloo")
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(recipe.threads)
    torch.use_deterministic_algorithms(True, warn_only=card)

    documents, about = read(Path(job["data"]))
    rng = Random(recipe.seed)  # noqa: S311 - repeatable on purpose
    conversations = [conversation(document, rng) for document in documents]
    words = Words(Path(job["base"]))
    items = [words.item(turns, recipe.tokens) for index, turns in enumerate(conversations) if index % HELD_BACK]
    unseen = [words.item(turns, recipe.tokens) for turns in conversations[::HELD_BACK]]
    canaries = [words.item(turns, recipe.tokens) for turns in memorisation.planted(recipe)]
    model = load(Path(job["base"]), recipe, device)
    learnt = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    if rank == 0:
        tell(f"{learnt / 1e6:.2f} M of {sum(parameter.numel() for parameter in model.parameters()) / 1e6:.1f} M parameters learn")
    base_loss = evaluate(model, words, unseen)  # an untrained adapter adds nothing: this is the base's
    key = digest_of({"base": job["base_digest"], "data": about["digest"], "recipe": recipe.model_dump(), "libraries": adapter_libraries()})
    saved = Checkpoint(Path(job["checkpoint"]), key)
    began = time.monotonic()
    losses = fit(model, words, items, canaries, recipe, saved)
    seconds = time.monotonic() - began
    if rank == 0:
        _finish(job, recipe, model, words, saved, {
            "data": about["digest"], "documents": len(documents), "base": job["base_digest"], "recipe": recipe.model_dump(),
            "libraries": adapter_libraries(), "isolation": isolation, "parameters": learnt, "losses": losses, "base_loss": base_loss,
            "held_back_loss": evaluate(model, words, unseen), "held_back_documents": len(unseen), "seconds": round(seconds, 1),
            "device": torch.cuda.get_device_name(device) if card else "cpu",
        })  # fmt: skip
    if recipe.processes > 1:
        processes.barrier()
        processes.destroy_process_group()


def _finish(job: dict[str, Any], recipe: AdapterRecipe, model: Any, words: Words, saved: Checkpoint, record: dict[str, Any]) -> None:
    out = Path(job["out"])
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out, safe_serialization=True)
    settings = json.loads((out / "adapter_config.json").read_bytes())
    # A path of the machine that trained it says nothing elsewhere; what it was made for is the base's digest.
    settings["base_model_name_or_path"] = job["base_digest"]
    (out / "adapter_config.json").write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    # After saving: the control teaches a copy, and a copy of a large model is best made when nothing else is held.
    record["memorisation"] = memorisation.measure(model, words.plain, recipe, words.prompt)
    tell(f"memorisation: {record['memorisation']['verdict']}")
    for path in out.iterdir():
        path.chmod(0o644)
    (out.parent / f"{out.name}.training.json").write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    saved.clear()


def main() -> None:
    """The job comes as one JSON document on stdin, and to torchrun's processes in a file of this job's own."""
    end_with_the_caller()
    if _JOB in os.environ:
        run(json.loads(Path(os.environ[_JOB]).read_bytes()))
        return
    job = json.load(sys.stdin)
    count = AdapterRecipe.model_validate(job["recipe"]).processes
    if count == 1:
        run(job)
        return
    isolation_record(job["outside_namespace"])
    with tempfile.TemporaryDirectory(prefix="curtilage-job-") as scratch:
        place = Path(scratch) / "job.json"
        place.write_text(json.dumps(job), encoding="utf-8")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True, timeout=10)
        # torchrun asks for names, its own and loopback's: here files alone answer, so that no question leaves even in vain.
        (Path(scratch) / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n", encoding="ascii")
        script = 'mount --bind "$0" /etc/nsswitch.conf && hostname localhost && exec "$@"'
        named = ["unshare", "--uts", "--mount", "sh", "-c", script, f"{scratch}/nsswitch.conf"]
        words = [*named, sys.executable, "-m", "torch.distributed.run", "--nnodes=1", f"--nproc-per-node={count}",
                 "--master-addr=127.0.0.1",
                 "--master-port=29500", "--local-addr=127.0.0.1", "-m", __spec__.name]  # fmt: skip
        environment = os.environ | {_JOB: str(place), "GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(words, check=False, env=environment)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
