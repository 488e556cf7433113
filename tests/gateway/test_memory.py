"""A gateway that keeps something of each call runs full one day; tools/bench/soak.py asks the same of 100,000 calls."""

from __future__ import annotations

import importlib.util
import sys

from curtilage.paths import CHECKOUT

_spec = importlib.util.spec_from_file_location("soak", CHECKOUT / "tools" / "bench" / "soak.py")
assert _spec is not None
assert _spec.loader is not None
soak = importlib.util.module_from_spec(_spec)
sys.modules["soak"] = soak
_spec.loader.exec_module(soak)


def test_memory_stays_flat_over_calls_and_disconnects_and_each_call_has_one_outcome(gateway, model) -> None:
    found = soak.soak(gateway, model, 2000, 80)
    gateway.stop()
    records = gateway.records()
    intents = sorted(record["index"] for record in records if record["kind"] == "intent")
    assert intents == sorted(record["intent"] for record in records if record["kind"] == "outcome")
    assert len(intents) >= 2080
    # A fault here keeps tens of kilobytes of a call; an allocator that has not settled yet keeps one or two.
    assert found["bytes_a_call"] < 4096, found
