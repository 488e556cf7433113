"""A byte-level BPE tokenizer made from the corpus, with a ChatML template.

ChatML has no rule about turns taking order, so that a system message, several user turns or an Anthropic-shaped request all render.
The template writes plain strings; nothing in it is taken from a message but its role and content.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

START, END, PAD, TEXT_END = "<|im_start|>", "<|im_end|>", "<|pad|>", "<|endoftext|>"
SPECIALS = (TEXT_END, START, END, PAD)
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def render(messages: list[dict[str, str]]) -> str:
    """The template's text for a conversation, without loading Jinja for each of many thousand."""
    return "".join(f"{START}{message['role']}\n{message['content']}{END}\n" for message in messages)


def train(texts: Iterable[str], *, vocabulary: int) -> Any:
    """A trained ``tokenizers.Tokenizer``."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer: Any = Tokenizer(models.BPE())
    # Each digit is a token of its own: numbers are what a legal text must not blur, and they would fill a small vocabulary.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def save(tokenizer: Any, directory: Path, *, context: int) -> None:
    """Write ``tokenizer.json``, its configuration and the chat template."""
    tokenizer.save(str(directory / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": None,
        "eos_token": END,
        "pad_token": PAD,
        "model_max_length": context,
        "clean_up_tokenization_spaces": False,
        "chat_template": TEMPLATE,
    }
    (directory / "tokenizer_config.json").write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")
