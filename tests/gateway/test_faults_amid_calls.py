"""What changes while calls are under way: a key, the clock, the disk, a certificate, a thousand clients that do not hurry."""

from __future__ import annotations

import contextlib
import json
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from curtilage.matters.opening import open_directory

QUESTION = [{"role": "user", "content": "Hello"}]
OPENAI = ("api.openai.com", "/v1/chat/completions", {"model": "gpt-4o", "messages": QUESTION})
ANTHROPIC = ("api.anthropic.com", "/v1/messages", {"model": "claude-opus-4-1", "max_tokens": 5, "messages": QUESTION})


def ask(gateway, surface, **more):
    host, path, body = surface
    return gateway.request("POST", path, {**body, **more}, host=host)


def streams_under_way(gateway, model) -> tuple[list[threading.Thread], dict[str, bytes]]:
    """A slow stream in each dialect, both begun: their threads, and host → what it was answered, there once its thread has ended."""
    model.pace_seconds, model.say = 0.1, lambda body: "word " * 300
    answers: dict[str, bytes] = {}
    threads = [
        threading.Thread(target=lambda surface=surface: answers.__setitem__(surface[0], ask(gateway, surface, stream=True).raw))
        for surface in (OPENAI, ANTHROPIC)
    ]
    for thread in threads:
        thread.start()
    until(lambda: model.open_streams == 2)
    return threads, answers


def until(true, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def ended(gateway) -> list[dict]:
    """The outcomes, after the gateway has stopped: one for each intent."""
    gateway.stop()
    records = gateway.records()
    intents = [record["index"] for record in records if record["kind"] == "intent"]
    assert sorted(intents) == sorted(record["intent"] for record in records if record["kind"] == "outcome")
    return [record["data"] for record in records if record["kind"] == "outcome"]


def verified(gateway) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", "curtilage.cli", "audit", "verify", str(gateway.directory / "ledger"), "--key",
         str(gateway.directory / "ledger.pub"), "--json"],
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return json.loads(done.stdout)


# ---- keys


@pytest.mark.parametrize("what", ["key", "wall"])
def test_access_that_ends_amid_a_stream_ends_the_stream_in_its_dialect_and_is_recorded(gateway, model, what) -> None:
    threads, answers = streams_under_way(gateway, model)
    directory = open_directory(gateway.directory / "matters.db")
    snapshot = directory.snapshot()
    key = snapshot.keys[gateway.key.split("-")[1]]
    (matter,) = snapshot.matters_of(key.identity, time.time())
    {
        "key": lambda: directory.revoke_key(key.id),
        "wall": lambda: directory.add_wall(key.identity, matter, "a conflict came up"),
    }[what]()
    directory.close()
    for thread in threads:
        thread.join(20)
    assert len(answers) == 2
    for raw in answers.values():
        assert b"curtilage.access_ended" in raw
        assert b"[DONE]" not in raw
        assert b"message_stop" not in raw
    until(lambda: model.open_streams == 0)
    assert ask(gateway, OPENAI).status == 403
    assert [(found["result"], found["reason"]) for found in ended(gateway)] == [("failed", "curtilage.access_ended")] * 2


def test_a_stream_goes_on_while_something_else_in_the_directory_changes(gateway, model) -> None:
    model.pace_seconds, model.say = 0.1, lambda body: "word " * 30
    answers: list[bytes] = []
    thread = threading.Thread(target=lambda: answers.append(ask(gateway, OPENAI, stream=True).raw))
    thread.start()
    until(lambda: model.open_streams == 1)
    directory = open_directory(gateway.directory / "matters.db")
    identity = next(iter(directory.snapshot().identities))
    directory.revoke_key(directory.issue_key(identity).removeprefix("ct-").partition("-")[0])
    directory.close()
    thread.join(30)
    assert b"[DONE]" in answers[0]


# ---- clock

SHIFTED_CLOCK = """
import os, time
_seconds = lambda: float(open(os.environ["CLOCK_OFFSET_FILE"]).read() or 0)
_time, _time_ns = time.time, time.time_ns
time.time = lambda: _time() + _seconds()
time.time_ns = lambda: _time_ns() + int(_seconds() * 1e9)
"""


def test_a_clock_that_jumps_neither_stops_calls_nor_breaks_the_ledger(make_gateway, model, tmp_path) -> None:
    """The host's clock cannot be set here; the process is given one that reads its offset from a file, everything else is as it runs."""
    offset = tmp_path / "offset"
    offset.write_text("0")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(SHIFTED_CLOCK)
    gateway = make_gateway(model.url, CLOCK_OFFSET_FILE=str(offset), PYTHONPATH=str(tmp_path / "site"))
    for seconds in ("0", "-7200", "-7200", "86400", "3", "0"):
        offset.write_text(seconds)
        assert ask(gateway, OPENAI).status == 200
        assert b"[DONE]" in ask(gateway, OPENAI, stream=True).raw
    assert [found["result"] for found in ended(gateway)] == ["completed"] * 12
    result = verified(gateway)
    assert result["clock_steps"] > 0, "the ledger does not say that the clock went back"
    times = [record["time"] for record in gateway.records()]
    assert times != sorted(times), "the clock was not shifted: this test shows nothing"


# ---- disk


def test_a_full_disk_refuses_and_calls_go_on_when_there_is_room_again_with_nothing_lost(make_gateway, model) -> None:
    """A file-size limit stands in for the full disk: appends fail the same way."""
    if shutil.which("prlimit") is None:
        pytest.skip("NOT-RUN: prlimit(1) is not installed")
    gateway = make_gateway(model.url)
    model.pace_seconds, model.say = 0.1, lambda body: "word " * 25
    streamed: list[bytes] = []
    thread = threading.Thread(target=lambda: streamed.append(ask(gateway, OPENAI, stream=True).raw))
    thread.start()
    until(lambda: model.open_streams == 1)
    seen = len(model.seen)
    subprocess.run(["prlimit", f"--pid={gateway.process.pid}", "--fsize=1:unlimited"], check=True)
    for surface in (OPENAI, ANTHROPIC):
        refused = ask(gateway, surface)
        assert (refused.status, refused.reason) == (403, "curtilage.ledger_unavailable")
    assert len(model.seen) == seen
    thread.join(30)  # its outcome cannot be written yet: the caller is told so, and the record waits
    assert b"curtilage.ledger_unavailable" in streamed[0]
    assert b"[DONE]" not in streamed[0]
    subprocess.run(["prlimit", f"--pid={gateway.process.pid}", "--fsize=unlimited:unlimited"], check=True)
    model.pace_seconds = 0.0
    until(lambda: ask(gateway, OPENAI).status == 200)
    results = [found["result"] for found in ended(gateway)]
    assert results.count("completed") >= 2, "the outcome that waited for the disk is not there"
    verified(gateway)


# ---- certificates


def _certificate(folder: Path, name: str, ends: datetime, signer=None, names=("api.openai.com",)):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer_name, issuer_key = (signer[0].subject, signer[1]) if signer else (subject, key)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=30))
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(entry) for entry in names]), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made, key


def test_an_expired_certificate_is_refused_at_start_and_at_a_reload_where_the_old_one_stays(make_gateway, model, tmp_path) -> None:
    gateway = make_gateway(model.url)
    tls = yaml.safe_load((gateway.directory / "gateway.yaml").read_text())["tls"]
    certificate, key = (gateway.directory / tls[part] for part in ("certificate", "key"))
    served, old = (
        ssl.PEM_cert_to_DER_cert(certificate.read_text().split("-----END")[0] + "-----END CERTIFICATE-----\n"),
        certificate.read_bytes(),
    )
    _certificate(tmp_path, "expired", datetime.now(UTC) - timedelta(days=1))
    kept_key = key.read_bytes()
    certificate.write_bytes((tmp_path / "expired.pem").read_bytes())
    key.write_bytes((tmp_path / "expired.key").read_bytes())
    gateway.process.send_signal(signal.SIGHUP)
    until(lambda: "stays in force" in gateway.log())
    with gateway.connect() as connection:
        assert connection.getpeercert(binary_form=True) == served
    assert ask(gateway, OPENAI).status == 200
    gateway.stop()
    done = subprocess.run(
        [sys.executable, "-m", "curtilage.cli", "gateway", "serve", "--config", str(gateway.directory / "gateway.yaml")],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "valid from" in done.stderr
    assert "Traceback" not in done.stderr
    certificate.write_bytes(old)
    key.write_bytes(kept_key)
    gateway.start()
    assert ask(gateway, OPENAI).status == 200


def test_a_callers_expired_certificate_is_no_identity(make_gateway, model, tmp_path) -> None:
    gateway = make_gateway(model.url, start=False)
    authority = _certificate(tmp_path, "authority", datetime.now(UTC) + timedelta(days=30))
    path = gateway.directory / "gateway.yaml"
    config = yaml.safe_load(path.read_text())
    config["tls"]["client_ca"] = str(tmp_path / "authority.pem")
    path.write_text(yaml.safe_dump(config))
    gateway.start()
    refused = {}
    for name, days in (("good", 1), ("late", -1)):
        _certificate(tmp_path, name, datetime.now(UTC) + timedelta(days=days), signer=authority)
        context = gateway.client_context()
        context.load_cert_chain(tmp_path / f"{name}.pem", tmp_path / f"{name}.key")
        raw = socket.create_connection(("127.0.0.1", gateway.port), timeout=20)
        try:
            with context.wrap_socket(raw, server_hostname="api.openai.com") as connection:
                connection.sendall(
                    b"GET /v1/models HTTP/1.1\r\nHost: api.openai.com\r\nAuthorization: Bearer x\r\nConnection: close\r\n\r\n"
                )
                refused[name] = connection.recv(100)
        except (ssl.SSLError, OSError) as error:
            refused[name] = error
    assert isinstance(refused["good"], bytes)
    assert refused["good"].startswith(b"HTTP/1.1 403"), "the positive control: a valid certificate gets as far as being unknown"
    assert isinstance(refused["late"], OSError) or refused["late"] == b""
    assert ask(gateway, OPENAI).status == 200


# ---- slow clients


def test_a_thousand_clients_that_do_not_hurry_are_ended_and_keep_nobody_waiting(make_gateway, model) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 3000:
        pytest.skip(f"NOT-RUN: a thousand connections need 3000 open files, the limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 3000), hard))
    gateway = make_gateway(model.url, limits={"header_seconds": 8.0, "body_seconds": 8.0})
    until(lambda: ask(gateway, OPENAI).status == 200)
    context = gateway.client_context()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nAuthorization: Bearer {gateway.key}\r\n"
    beginnings = (b"", b"POST /v1/chat", head.encode(), f"{head}Content-Length: 90\r\n\r\n{{".encode())
    slow: list[ssl.SSLSocket | socket.socket] = []
    lock = threading.Lock()

    def connect(share: range) -> None:
        for number in share:
            raw: ssl.SSLSocket | socket.socket = socket.create_connection(("127.0.0.1", gateway.port), timeout=60)
            if number % 5:  # every fifth does not even begin its handshake
                raw = context.wrap_socket(raw, server_hostname="api.openai.com")
                with contextlib.suppress(OSError):
                    raw.sendall(beginnings[number % 5 - 1])
            with lock:
                slow.append(raw)

    threads = [threading.Thread(target=connect, args=(range(first, 1000, 8),)) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(slow) == 1000
    started = time.monotonic()
    assert ask(gateway, OPENAI).status == 200
    assert b"[DONE]" in ask(gateway, OPENAI, stream=True).raw
    assert time.monotonic() - started < 10, "the slow ones keep the others waiting"
    told = 0
    for connection in slow:
        connection.settimeout(40)
        if not isinstance(connection, ssl.SSLSocket):
            connection.close()
            continue
        with contextlib.suppress(OSError):
            while piece := connection.recv(4096):
                told += b"curtilage.body_too_slow" in piece
        connection.close()
    assert told == 200, "those whose body does not come are told so in their dialect"
    assert ask(gateway, OPENAI).status == 200
    gateway.stop()
    refused = [record["data"]["reason"] for record in gateway.records() if record["kind"] == "refused"]
    assert refused.count("curtilage.body_too_slow") == 200
