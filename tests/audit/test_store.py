"""The evidence store over real mutual TLS on loopback: appends once, overwrites never, and notices a rolled-back ledger."""

from __future__ import annotations

import asyncio
import datetime as dt
import http.client
import ipaddress
import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from curtilage.audit.ledger import Ledger
from curtilage.audit.merkle import EMPTY_ROOT
from curtilage.audit.note import Checkpoint, Signer
from curtilage.audit.push import CheckpointPusher, client_context
from curtilage.errors import ConfigError
from curtilage.evidence.serve import load_config
from curtilage.evidence.store import log_slug, submission
from tests.ports import free_port

SIGNER = Signer.generate("gateway.example/ledger")
SLUG = log_slug(SIGNER.name)


def certificate(
    folder: Path, name: str, issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None, usage: x509.ObjectIdentifier | None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key((issuer[1] if issuer else key).public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=issuer is None,
                crl_sign=issuer is None,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    if usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
    made = builder.sign(issuer[1] if issuer else key, hashes.SHA256())
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made, key


@dataclass
class Store:
    folder: Path
    port: int

    def context(self, client: str | None = "client") -> ssl.SSLContext:
        if client is None:
            return ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        return client_context(self.folder / "ca.pem", self.folder / f"{client}.pem", self.folder / f"{client}.key")

    def request(
        self, method: str, path: str, body: bytes | None = None, *, client: str | None = "client", headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context(client), timeout=10)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def put_head(self, old: int, proof: list[bytes], note: bytes, size: int) -> tuple[int, bytes]:
        return self.request("PUT", f"/v1/checkpoint/{SLUG}.{size:020d}", submission(old, proof, note))


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pki")
    ca = certificate(folder, "ca", None, None)
    certificate(folder, "server", ca, ExtendedKeyUsageOID.SERVER_AUTH)
    certificate(folder, "client", ca, ExtendedKeyUsageOID.CLIENT_AUTH)
    other = certificate(folder, "other-ca", None, None)
    certificate(folder, "stranger", other, ExtendedKeyUsageOID.CLIENT_AUTH)
    (folder / "ledger.pub").write_text(f"{SIGNER.verifier}\n")
    return folder


@pytest.fixture
def store(pki: Path, tmp_path: Path) -> Iterator[Store]:
    port = free_port()
    config = {
        "listen": f"127.0.0.1:{port}",
        "cert": str(pki / "server.pem"),
        "key": str(pki / "server.key"),
        "client_ca": str(pki / "ca.pem"),
        "directory": str(tmp_path / "store"),
        "logs": [str(pki / "ledger.pub")],
        "max_bytes": 100_000,
    }
    (tmp_path / "evidence.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "curtilage.cli", "evidence", "serve-store", "--config", str(tmp_path / "evidence.yaml")]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
        found = Store(pki, port)
        try:
            for _ in range(150):
                try:
                    if found.request("GET", "/v1/health")[0] == 200:
                        break
                except OSError:
                    assert server.poll() is None, (tmp_path / "log").read_text()
                    time.sleep(0.1)
            else:
                pytest.fail((tmp_path / "log").read_text())
            yield found
        finally:
            os.kill(server.pid, signal.SIGTERM)
            try:
                server.wait(timeout=15)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait(timeout=5)


def test_without_a_certificate_of_its_ca_nobody_speaks_to_the_store(store: Store) -> None:
    for client in (None, "stranger"):
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
            store.request("GET", "/v1/health", client=client)
    assert store.request("GET", "/v1/health")[0] == 200


def test_a_name_is_written_once_and_read_back(store: Store) -> None:
    assert store.request("PUT", "/v1/bundle/lab.tar", b"one")[0] == 201
    assert store.request("PUT", "/v1/bundle/lab.tar", b"two")[0] == 409
    assert store.request("PUT", "/v1/bundle/lab.tar", b"one")[0] == 409
    assert store.request("GET", "/v1/bundle/lab.tar") == (200, b"one")
    assert store.request("GET", "/v1/bundle") == (200, b'["lab.tar"]')
    assert store.request("GET", "/v1/bundle/none")[0] == 404


def test_odd_names_methods_and_sizes_are_refused(store: Store) -> None:
    for path in ("/v1/bundle/.hidden", "/v1/bundle/a%00b", "/v1/bundle/", "/v1/bundle/" + "a" * 200, "/v1/bundle/a%20b"):
        assert store.request("PUT", path, b"x")[0] == 400, path
    for path in ("/v1/other/x", "/v2/bundle/x", "/v1/bundle/a/b", "/", "/v1/bundle/../../x", "/v1/bundle/..%2fx"):
        assert store.request("PUT", path, b"x")[0] == 404, path
    for method in ("DELETE", "POST", "PATCH"):
        assert store.request(method, "/v1/bundle/x", b"x")[0] == 405
    assert store.request("PUT", "/v1/bundle/large", b"x" * 100_001)[0] == 413
    assert store.request("GET", "/v1/bundle") == (200, b"[]")


def test_a_rolled_back_rewritten_or_forged_ledger_is_refused(store: Store, tmp_path: Path) -> None:
    async def write(ledger: Ledger, count: int) -> None:
        for number in range(count):
            await ledger.event({"event": "e", "number": number})
        await asyncio.to_thread(ledger.checkpoint)

    async def run() -> None:
        ledger = Ledger.open(tmp_path / "ledger", SIGNER, checkpoint_seconds=3600)
        await write(ledger, 5)
        note5, _ = ledger.consistency(0)
        assert store.put_head(0, [], note5, 5)[0] == 201
        shutil.copytree(tmp_path / "ledger", tmp_path / "old")
        await write(ledger, 4)
        note9, proof = ledger.consistency(5)
        assert store.put_head(0, [], note9, 9)[0] == 409
        assert store.put_head(5, proof[:-1], note9, 9)[0] == 422
        assert store.put_head(5, proof, note9, 8)[0] == 422
        assert store.put_head(5, proof, Checkpoint(SIGNER.name, 9, EMPTY_ROOT).sign(SIGNER), 9)[0] == 422
        assert store.put_head(5, proof, Checkpoint.open(note9, SIGNER.verifier).sign(Signer.generate(SIGNER.name)), 9)[0] == 403
        assert store.request("PUT", f"/v1/checkpoint/unknown.{9:020d}", submission(5, proof, note9))[0] == 403
        assert store.request("PUT", f"/v1/checkpoint/{SLUG}.{9:020d}", b"nonsense")[0] == 400
        assert store.put_head(5, proof, note9, 9)[0] == 201
        ledger.close()
        rolled = Ledger.open(tmp_path / "old", SIGNER, checkpoint_seconds=3600)
        await write(rolled, 2)
        note7, proof = rolled.consistency(5)
        assert store.put_head(5, proof, note7, 7)[0] == 409
        await write(rolled, 4)
        note11, proof = rolled.consistency(9)
        assert store.put_head(9, proof, note11, 11)[0] == 422
        rolled.close()

    asyncio.run(run())
    health = orjson.loads(store.request("GET", "/v1/health")[1])
    assert health["logs"] == {SLUG: 9}


def test_the_pusher_keeps_the_store_up_to_date_and_counts_a_rollback(store: Store, tmp_path: Path) -> None:
    async def until(condition: object, seconds: float = 10) -> None:
        for _ in range(int(seconds / 0.02)):
            if condition():  # type: ignore[operator]
                return
            await asyncio.sleep(0.02)
        pytest.fail("not reached in time")

    async def run() -> None:
        ledger = Ledger.open(tmp_path / "ledger", SIGNER, checkpoint_seconds=0.02)
        url = f"https://127.0.0.1:{store.port}"
        async with CheckpointPusher(ledger, url, store.context(), origin=SIGNER.name, seconds=0.05) as pusher:
            for size in (3, 300):
                while ledger.size < size:
                    await ledger.event({"event": "e"})
                await until(lambda size=size: pusher.stats.kept_size >= size)
            assert pusher.stats.failures == 0
        shutil.copytree(tmp_path / "ledger", tmp_path / "forgotten", ignore=shutil.ignore_patterns("*"))
        ledger.close()
        fresh = Ledger.open(tmp_path / "forgotten", SIGNER, checkpoint_seconds=0.02)
        await fresh.event({"event": "e"})
        async with CheckpointPusher(fresh, url, store.context(), origin=SIGNER.name, seconds=0.05) as pusher:
            await until(lambda: pusher.stats.refused > 0)
        async with CheckpointPusher(fresh, f"https://127.0.0.1:{free_port()}", store.context(), origin=SIGNER.name, seconds=0.05) as pusher:
            await until(lambda: pusher.stats.failures > 1)
            await fresh.event({"event": "the ledger does not wait for the store"})
        fresh.close()

    asyncio.run(run())
    status, kept = store.request("GET", f"/v1/checkpoint/{SLUG}.latest")
    assert status == 200
    assert Checkpoint.open(kept.partition(b"\n\n")[2], SIGNER.verifier).size >= 300


def test_a_configuration_with_a_name_or_a_missing_file_is_refused(pki: Path, tmp_path: Path) -> None:
    good = {
        "listen": "127.0.0.1:1",
        "cert": str(pki / "server.pem"),
        "key": str(pki / "server.key"),
        "client_ca": str(pki / "ca.pem"),
        "directory": str(tmp_path),
    }
    path = tmp_path / "evidence.yaml"
    path.write_text(yaml.safe_dump(good))
    assert load_config(path).address == ("127.0.0.1", 1)
    for change in ({"listen": "store.example:1"}, {"listen": "127.0.0.1"}, {"client_ca": str(tmp_path / "none")}, {"unknown": 1}):
        path.write_text(yaml.safe_dump(good | change))
        with pytest.raises(ConfigError):
            load_config(path)
