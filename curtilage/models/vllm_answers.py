"""Ask vLLM itself, the very build that hosts serve with: how likely it finds known answers, and what it says. Reads and writes JSON.

Started by ``curtilage.models.compare`` with vLLM's own tree on the path, in a namespace without a network; it imports nothing of ours.
"""

import json
import os
import sys
from typing import Any


def main() -> None:
    """The job comes on stdin; the answer goes to the file it names, because libraries write to stdout."""
    job: dict[str, Any] = json.load(sys.stdin)
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    from vllm import LLM, SamplingParams  # type: ignore[import-not-found,unused-ignore]

    engine = LLM(model=job["model"], enforce_eager=True, max_model_len=job["context"], max_logprobs=1, seed=0, disable_log_stats=True)
    likely = engine.generate(
        [{"prompt_token_ids": item["ids"]} for item in job["items"]], SamplingParams(max_tokens=1, temperature=0, prompt_logprobs=1)
    )
    total = count = 0.0
    for item, found in zip(job["items"], likely, strict=True):
        for place in range(item["answer_at"], len(item["ids"])):
            total -= found.prompt_logprobs[place][item["ids"][place]].logprob
            count += 1
    said = engine.generate(
        [{"prompt_token_ids": item["ids"][: item["answer_at"]]} for item in job["items"]],
        SamplingParams(max_tokens=job["answer_tokens"], temperature=0),
    )
    answers = [list(found.outputs[0].token_ids) for found in said]
    quantization = str(engine.llm_engine.vllm_config.model_config.quantization or "none")
    with open(job["out"], "w", encoding="utf-8") as stream:  # noqa: PTH123 - nothing of ours, and pathlib would be the only import
        json.dump({"loss": total / count, "tokens": int(count), "answers": answers, "quantization": quantization}, stream)


if __name__ == "__main__":
    main()
