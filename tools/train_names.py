"""Train ``curtilage/sanitize/data/shapes.bin``: does a word nobody listed look like a name? A logistic regression over letter groups.

It learns from the table of ``tools/build_names.py`` alone: its names against its everyday words, one tenth of both held back to choose the
threshold. Deterministic; needs torch (the ``finetune`` extra): ``.venv/bin/python tools/train_names.py``.
"""

# ruff: noqa: S311, T201 - the same words are shuffled the same way each time

from __future__ import annotations

import random

import torch

from curtilage.sanitize import names
from curtilage.sanitize.shapes import BUCKETS, DATA, groups_of


def main() -> None:
    """Train, print the held-out figures, write the weights as signed bytes."""
    torch.manual_seed(7)
    torch.set_num_threads(2)
    table = names.table()
    good = [word for word, flags in table.items() if flags & names.NAME and not flags & names.COMMON and len(word) > 2]
    bad = [word for word, flags in table.items() if flags & names.COMMON and not flags & names.NAME and len(word) > 2]
    words = [(word, 1.0) for word in good] + [(word, 0.0) for word in bad]
    random.Random(7).shuffle(words)
    held = len(words) // 10
    train, test = words[held:], words[:held]

    def tensors(rows: list[tuple[str, float]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        flat: list[int] = []
        offsets: list[int] = []
        for word, _ in rows:
            offsets.append(len(flat))
            flat.extend(groups_of(word))
        return torch.tensor(flat), torch.tensor(offsets), torch.tensor([label for _, label in rows])

    layer = torch.nn.EmbeddingBag(BUCKETS, 1, mode="sum")
    torch.nn.init.zeros_(layer.weight)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.02)
    batches = [tensors(train[start : start + 4096]) for start in range(0, len(train), 4096)]
    for _ in range(14):
        for flat, offsets, labels in batches:
            optimizer.zero_grad()
            loss = torch.nn.functional.binary_cross_entropy_with_logits(layer(flat, offsets).squeeze(1), labels)
            (loss + 1e-6 * layer.weight.square().sum()).backward()
            optimizer.step()
    with torch.no_grad():
        scale = 127 / float(layer.weight.abs().max())
        weights = (layer.weight.squeeze(1) * scale).round().to(torch.int8)
        flat, offsets, labels = tensors(test)
        logits = layer(flat, offsets).squeeze(1)
        for threshold in (0.0, 0.5, 1.0, 1.5, 2.0, 3.0):
            said = logits > threshold
            print(
                threshold,
                "recall",
                round(float(said[labels == 1].float().mean()), 3),
                "false",
                round(float(said[labels == 0].float().mean()), 3),
            )
    DATA.write_bytes(round(scale * 1000).to_bytes(4, "big") + bytes(weights.numpy().tobytes()))


if __name__ == "__main__":
    main()
