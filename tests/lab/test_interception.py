"""Unmodified vendor SDKs are answered by the local model, and what is privileged never reaches even that (breaks: the gateway's promise).

The upstream's own record is the wire: every packet that arrives on a model host's uplink during the calls.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from typing import Any

import pytest

from curtilage.commands.ask import ask, ledger_entries, ledger_state
from curtilage.commands.reach import reach
from curtilage.region import load_region
from lab import canary_log
from lab.lab import Lab

SNIFFER = """
import json, socket, sys, threading
kept = []
sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)); sock.bind(("host0", 0)); sock.settimeout(0.5)
stop = threading.Event()
def read():
    while not stop.is_set():
        try: kept.append(sock.recv(65535))
        except TimeoutError: pass
reader = threading.Thread(target=read); reader.start()
print("ready", flush=True); sys.stdin.readline(); stop.set(); reader.join()
whole = b"".join(kept)
print(json.dumps({word: whole.count(word.encode()) for word in sys.argv[1:]}))
"""
STRIPPED = ["CANARY-STRATEGY", "CANARY-PRIVILEGED", "CANARY-NESTED", "client.contact@client.example"]
KEPT = "Summarise this record"


@pytest.fixture(scope="module")
def exchange(lab: Lab) -> dict[str, Any]:
    """Every call of the vendors' SDKs, with what arrived at the two model hosts meanwhile."""
    region = load_region("lab")
    sniffers = []
    for host in ("gpu-1", "gpu-2"):
        remote = shlex.join(["python3", "-c", SNIFFER, *STRIPPED, KEPT])
        command = lab.ops_argv(["ssh", "-F", str(lab.ssh_config_path), host, remote])
        sniffer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert sniffer.stdout is not None
        assert sniffer.stdout.readline() == "ready\n"
        sniffers.append(sniffer)
    try:
        calls = ask(region, reach(region))
    finally:
        seen = [json.loads(sniffer.communicate("\n", timeout=30)[0]) for sniffer in sniffers]
    return {"calls": calls, "seen": {word: sum(one[word] for one in seen) for word in [*STRIPPED, KEPT]}}


def test_both_vendors_sdks_are_answered_unary_and_streaming(exchange: dict[str, Any]) -> None:
    answered = {(call["sdk"], call["call"]) for call in exchange["calls"] if call["outcome"] == "answered" and call["text"]}
    assert answered == {
        ("openai", "chat without a record"),
        ("openai", "chat"),
        ("openai", "chat stream"),
        ("anthropic", "messages"),
        ("anthropic", "messages stream"),
    }


def test_an_allowed_a_redacted_and_a_refused_call_are_shown_as_the_ledger_has_them(exchange: dict[str, Any]) -> None:
    region = load_region("lab")
    entries = ledger_entries(region, reach(region), exchange["calls"])
    assert set(entries) == {"allowed", "redacted", "refused"}
    assert not entries["allowed"]["removed"]
    assert entries["redacted"]["removed"]
    assert entries["refused"]["reason"] == "curtilage.route_unknown"


def test_what_is_not_a_model_call_is_refused_with_a_stable_reason(exchange: dict[str, Any]) -> None:
    refused = [call for call in exchange["calls"] if call["call"] == "files"]
    assert refused[0]["outcome"] == "refused 403"
    assert refused[0]["code"].startswith("curtilage."), refused


def test_the_wire_at_the_models_carries_the_question_and_no_stripped_value(exchange: dict[str, Any]) -> None:
    assert exchange["seen"][KEPT] >= 4, "positive control: the sniffers must have seen the prompts"
    assert {word: exchange["seen"][word] for word in STRIPPED} == dict.fromkeys(STRIPPED, 0)


def test_the_vendors_own_address_is_out_of_reach(lab: Lab) -> None:
    code = "import socket; socket.create_connection(('198.51.100.7', 443), 2)"
    done = lab.exec("crm-1", ["python3", "-c", code])
    assert done.returncode != 0
    assert "TimeoutError" in done.stderr


def test_every_call_has_one_intent_and_one_outcome_in_a_ledger_that_verifies(exchange: dict[str, Any]) -> None:
    assert exchange["calls"]
    region = load_region("lab")
    found = ledger_state(region, reach(region))["verified"]
    assert found["verdict"] == "PASS", found


def test_nothing_of_the_exchange_reached_the_canaries(exchange: dict[str, Any]) -> None:
    calls = exchange["calls"]
    assert any(record["source"] == "192.0.2.5" for record in canary_log.records("internet")), "positive control: the canaries hear ops"
    sealed = {str(host.ipv4) for host in load_region("lab").hosts} | {str(host.ipv6) for host in load_region("lab").hosts}
    assert not [record for record in canary_log.since(calls[0]["began"], where="internet") if record.get("source") in sealed]
