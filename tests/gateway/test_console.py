"""The operators' page: read in a real browser, without content or keys, closed to anything but its own address."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time

import pytest
import yaml

from curtilage.matters.opening import open_directory
from tests.browser import AXE, browser, needs_browser
from tests.ports import free_port

HOSTILE = "<img src=x onerror=document.title=1>"


@pytest.fixture
def console(make_gateway, model):
    """A gateway of two workers with a console; its port is beside it."""
    gateway = make_gateway(model.url, start=False)
    gateway.console = free_port()
    path = gateway.directory / "gateway.yaml"
    wanted = {"workers": 2, "console": {"address": "127.0.0.1", "port": gateway.console}}
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **wanted}))
    directory = open_directory(gateway.directory / "matters.db")
    directory.add_matter("M-2026-017", jurisdiction="FR")
    directory.set_matter("M-2026-017", legal_hold=True)
    directory.close()
    gateway.start()
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", gateway.console)) == 0:
                return gateway
        time.sleep(0.1)
    raise AssertionError(gateway.log())


def get(console, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", console.console, timeout=20)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_it_says_what_goes_on_in_every_worker_without_content_or_key(console, model) -> None:
    assert [console.chat("zebra-in-the-prompt").status for _ in range(12)] == [200] * 12
    assert [console.request("POST", "/v1/files", {}).status for _ in range(2)] == [403] * 2
    model.pace_seconds = 1.0
    stream = threading.Thread(target=lambda: console.chat("zebra-in-the-prompt", stream=True))
    stream.start()
    end = time.monotonic() + 20
    while True:
        raw = get(console, "/status.json")[1]
        status = json.loads(raw)
        if status["live"] and status["calls"].get("completed") == 12 and status["refusals"] == {"curtilage.route_unknown": 2}:
            break
        assert time.monotonic() < end, raw.decode()
        time.sleep(0.2)
    stream.join(30)
    assert (status["live"][0]["matter"], status["live"][0]["stream"]) == ("matter-1", True)
    assert [ledger["name"] for ledger in status["ledgers"]] == ["gateway.local/ledger/0", "gateway.local/ledger/1"]
    assert {matter["matter"]: matter["legal_hold"] for matter in status["matters"]} == {"M-2026-017": True, "matter-1": False}
    assert status["upstreams"][0]["healthy"]
    secret = console.key.rsplit("-", 1)[1]
    assert not any(word in raw.decode() for word in ("zebra", "The local model answers", secret, "service-1"))


def test_only_reading_on_its_own_address_is_answered(console) -> None:
    assert get(console, "/status.json")[0] == 200
    assert get(console, "/status.json", Host=f"localhost:{console.console}")[0] == 200
    assert get(console, "/status.json", Host="rebound.example")[0] == 403
    assert get(console, "/status.json", Host=f"rebound.example:{console.console}")[0] == 403
    assert get(console, "/status.json", "POST")[0] == 403
    assert get(console, "/gateway.yaml")[0] == 404


@needs_browser
def test_in_a_browser_it_shows_the_state_tells_what_is_wrong_and_runs_nothing_foreign(console, tmp_path) -> None:
    assert console.chat().status == 200
    (console.directory / "gateway.yaml").write_text(f"listen: ['{HOSTILE}']")
    with browser(tmp_path / "profile", network=True) as found:
        found.go(f"http://127.0.0.1:{console.console}/")
        end = time.monotonic() + 40
        while "Configuration on disk is not in force" not in found.ask("document.getElementById('alert').innerText"):
            assert time.monotonic() < end, found.ask("document.body.innerText")
            time.sleep(0.3)
        text = found.ask("document.body.innerText")
        for expected in ("local · DE", "needs attention", "M-2026-017", "held", "gateway.local/ledger/1", "http://127.0.0.1:"):
            assert expected in text
        assert found.ask("document.title") == "Curtilage gateway"
        assert found.ask("document.querySelectorAll('img').length") == 0
        requested = {event["params"]["request"]["url"] for event in found.events if event["method"] == "Network.requestWillBeSent"}
        own = f"http://127.0.0.1:{console.console}/"
        assert all(url.startswith((own, "data:")) for url in requested)
        assert not [event for event in found.events if event["method"] == "Runtime.exceptionThrown"]
        if not AXE.is_file():
            pytest.skip("NOT-RUN: axe-core is not here; python tools/checkers.py fetches it, or set CURTILAGE_AXE to its axe.min.js")
        found.call("Page.setBypassCSP", enabled=True)
        for scheme in ("light", "dark"):
            found.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            found.ask(AXE.read_text(encoding="utf-8") + "; 0")
            told = found.ask("axe.run().then(r => JSON.stringify(r.violations.map(v => [v.id, v.nodes.slice(0, 3).map(n => n.html)])))")
            assert json.loads(told) == [], scheme
