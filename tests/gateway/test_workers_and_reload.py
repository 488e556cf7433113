"""A gateway that changes while it runs: configuration and certificate read again, a broken file that changes nothing, several workers."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import threading
import time

import pytest
import yaml
from cryptography import x509

from curtilage.audit.note import VerifierKey
from curtilage.audit.verify import verify
from curtilage.gateway import setup


def rewrite(gateway, **changes) -> None:
    path = gateway.directory / "gateway.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changes}))


def until(condition, seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.1)


def serial(gateway) -> int:
    with gateway.connect() as connection:
        return x509.load_der_x509_certificate(connection.getpeercert(binary_form=True)).serial_number


def test_a_changed_file_is_in_force_without_a_restart_and_a_stream_goes_on(gateway, model) -> None:
    assert gateway.chat(model="gpt-new").reason == "curtilage.model_unmapped"
    model.pace_seconds = 0.5
    streamed = []
    stream = threading.Thread(target=lambda: streamed.append(gateway.chat(stream=True)))
    stream.start()
    until(lambda: model.open_streams == 1)
    models = yaml.safe_load((gateway.directory / "gateway.yaml").read_text())["models"]
    del models["gpt-4o"]
    rewrite(gateway, models={**models, "gpt-new": "lab-mistral"})
    until(lambda: gateway.chat(model="gpt-new").status == 200)
    assert gateway.chat(model="gpt-4o").reason == "curtilage.model_unmapped"
    stream.join(30)
    assert streamed[0].raw.endswith(b"data: [DONE]\n\n")
    gateway.stop()
    events = [record["data"] for record in gateway.records() if record["kind"] == "event"]
    assert [(event["change"], event["waiting"]) for event in events] == [("configuration", [])]


def test_a_broken_file_changes_nothing_and_says_so_also_when_told_by_signal(gateway) -> None:
    (gateway.directory / "gateway.yaml").write_text("listen: [")
    assert gateway.process is not None
    gateway.process.send_signal(signal.SIGHUP)
    until(lambda: "the earlier one stays in force" in gateway.log())
    assert gateway.chat().status == 200
    key = gateway.directory / "gateway.key"
    good = (gateway.directory / "ca.pem").read_bytes()
    key.write_bytes(b"no key")
    gateway.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert gateway.chat().status == 200
    assert good == gateway.ca.read_bytes()


def test_what_only_a_restart_changes_is_named(gateway) -> None:
    rewrite(gateway, region={"name": "elsewhere", "jurisdiction": "US"})
    until(lambda: "in force but for region" in gateway.log())
    assert gateway.chat().status == 200, "the region of a running gateway is the one it was started in"


def test_a_renewed_certificate_serves_new_connections_and_an_old_connection_stays(gateway, model) -> None:
    before = serial(gateway)
    gateway.request("GET", "/v1/models", keep=True)
    setup.write_authority(gateway.directory, ["api.openai.com", "localhost"], ["127.0.0.1", "::1"])
    until(lambda: _renewed(gateway, before))
    assert gateway.request("GET", "/v1/models", keep=True).status == 200


def _renewed(gateway, before: int) -> bool:
    try:
        return serial(gateway) != before
    except ssl.SSLError:  # the new authority is on disk before the gateway has its certificate
        return False


def test_a_model_host_taken_out_gets_no_new_call_and_ends_the_one_it_has(make_gateway, model) -> None:
    other = type(model)()
    other.start()
    try:
        gateway = make_gateway(model.url)
        model.pace_seconds = 0.5
        streamed = []
        stream = threading.Thread(target=lambda: streamed.append(gateway.chat(stream=True)))
        stream.start()
        until(lambda: model.open_streams == 1)
        rewrite(gateway, upstreams=[other.url])
        until(lambda: gateway.chat().status == 200 and len(other.seen) > 0)
        seen = len(model.seen)
        assert [gateway.chat().status for _ in range(3)] == [200] * 3
        assert len(model.seen) == seen
        stream.join(30)
        assert streamed[0].raw.endswith(b"data: [DONE]\n\n")
    finally:
        other.stop()


def test_workers_share_a_port_each_with_a_ledger_that_verifies_and_a_killed_one_comes_back(make_gateway, model) -> None:
    gateway = make_gateway(model.url, start=False)
    rewrite(gateway, workers=2)
    gateway.start()
    until(lambda: all((gateway.directory / "ledger" / str(worker) / "checkpoint").is_file() for worker in range(2)))
    assert [gateway.chat().status for _ in range(24)] == [200] * 24
    assert gateway.process is not None
    children = [int(pid) for pid in open(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children").read().split()]  # noqa: PTH123, SIM115
    assert len(children) == 2
    os.kill(children[0], signal.SIGKILL)
    until(lambda: "worker 0 ended with -9" in gateway.log())
    until(lambda: sum(_answers(gateway) for _ in range(16)) == 16)
    assert gateway.stop() == 0
    sizes = []
    for worker in range(2):
        key = VerifierKey.load(gateway.directory / "ledger" / f"{worker}.pub")
        assert key.name == f"gateway.local/ledger/{worker}"
        result = verify(gateway.directory / "ledger" / str(worker), str(key))
        assert not result.problems
        sizes.append(result.size)
    assert all(sizes), "both took calls"
    assert sum(sizes) >= 2 * 40


def _answers(gateway) -> bool:
    try:
        return gateway.chat().status == 200
    except OSError:
        return False


def test_workers_end_with_their_parent(make_gateway, model) -> None:
    gateway = make_gateway(model.url, start=False)
    rewrite(gateway, workers=2)
    gateway.start()
    gateway.stop(signal.SIGKILL)

    def silent() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", gateway.port)) != 0

    until(silent)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_service_manager_is_told_when_every_worker_listens_and_when_it_ends(make_gateway, model, tmp_path, workers) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(90)
        gateway = make_gateway(model.url, start=False, NOTIFY_SOCKET=str(tmp_path / "notify"))
        rewrite(gateway, workers=workers)
        gateway.start()
        assert manager.recv(64) == b"READY=1"
        assert gateway.chat().status == 200
        assert gateway.stop() in (0, -signal.SIGTERM)
        assert manager.recv(64) == b"STOPPING=1"
