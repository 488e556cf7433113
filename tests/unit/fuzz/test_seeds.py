"""Every kept input of the fuzzer, and inputs that a fuzzer would take long to find."""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("fuzz_targets", HERE / "targets.py")
assert _spec is not None
assert _spec.loader is not None
targets = importlib.util.module_from_spec(_spec)
sys.modules["fuzz_targets"] = targets
_spec.loader.exec_module(targets)


@pytest.mark.parametrize("target", targets.TARGETS)
def test_every_kept_input_is_as_it_must_be(target) -> None:
    seeds = sorted((HERE / "seeds" / target).iterdir())
    assert seeds, "no input is kept for this target"
    for seed in seeds:
        targets.TARGETS[target](seed.read_bytes())


@pytest.mark.parametrize("target", targets.TARGETS)
def test_inputs_made_of_kept_ones_are_too(target) -> None:
    rng = random.Random(target)
    seeds = [seed.read_bytes() for seed in sorted((HERE / "seeds" / target).iterdir())]
    for _ in range(150):
        data = bytearray(rng.choice(seeds) + rng.choice(seeds))
        for _ in range(rng.randrange(1, 6)):
            if data:
                at = rng.randrange(len(data))
                choice = rng.randrange(4)
                if choice == 0:
                    data[at] = rng.randrange(256)
                elif choice == 1:
                    del data[at : at + rng.randrange(1, 9)]
                elif choice == 2:
                    data[at:at] = rng.choice(
                        (b'"', b"\\", b"{", b"%41", b"&#65;", b"\r", b"\xe2\x80\x8b", b"\xf3\xa0\x81\x81", b"**", b"  ")
                    )
                else:
                    data[at:at] = data[rng.randrange(len(data)) :][:20]
        targets.TARGETS[target](bytes(data))
