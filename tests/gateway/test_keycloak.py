"""A real identity provider: Keycloak issues the tokens, its keys are fetched over TLS, and a running gateway believes them alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import shutil
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
import yaml

from curtilage.gateway.matter_commands import fetch
from curtilage.gateway.setup import write_authority
from curtilage.matters.opening import open_directory
from curtilage.paths import cache_dir
from tests.ports import free_port

TREE = cache_dir() / "tools" / "keycloak"
START_SECONDS = 240
CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
PASSWORD = "a-password-of-this-test"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(420),
    pytest.mark.skipif(
        not (TREE / "bin" / "kc.sh").is_file() or shutil.which("java") is None,
        reason="NOT-RUN: no Keycloak here; `python tools/checkers.py` fetches it, and it needs Java",
    ),
]


def audience(name: str) -> dict[str, object]:
    return {
        "name": "audience", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
        "config": {"included.custom.audience": name, "access.token.claim": "true"},
    }  # fmt: skip


REALM = {
    "realm": "legal", "enabled": True, "sslRequired": "all",
    "clients": [
        {"clientId": "crm", "publicClient": True, "directAccessGrantsEnabled": True, "protocolMappers": [audience("curtilage")]},
        {"clientId": "other", "publicClient": True, "directAccessGrantsEnabled": True},
    ],
    "users": [
        {
            "username": name, "enabled": True, "email": f"{name}@example.org", "emailVerified": True, "firstName": "A", "lastName": "B",
            "credentials": [{"type": "password", "value": PASSWORD, "temporary": False}],
        }
        for name in ("member", "stranger")
    ],
}  # fmt: skip


class Keycloak:
    """One server on loopback, with the realm above."""

    def __init__(self, folder: Path) -> None:
        shutil.copytree(TREE, folder / "tree")
        (folder / "tree/data/import").mkdir(parents=True)
        (folder / "tree/data/import/legal-realm.json").write_text(json.dumps(REALM))
        write_authority(folder, ["localhost"], ["127.0.0.1"])
        self.ca = folder / "ca.pem"
        self.context = ssl.create_default_context(cafile=str(self.ca))
        self.port = free_port()
        self.base = f"https://localhost:{self.port}"
        self.issuer = f"{self.base}/realms/legal"
        self.log = folder / "log"
        environment = {
            "KC_BOOTSTRAP_ADMIN_USERNAME": "admin",
            "KC_BOOTSTRAP_ADMIN_PASSWORD": PASSWORD,
            "JAVA_OPTS_KC_HEAP": "-Xms64m -Xmx400m",
        }
        # Its development mode opens a plain port too, 8080 unless told another.
        options = [
            f"--https-port={self.port}", f"--https-certificate-file={folder}/gateway.pem",
            f"--https-certificate-key-file={folder}/gateway.key", f"--hostname={self.base}",
            f"--http-port={free_port()}", "--http-host=127.0.0.1", "--cache=local", "--import-realm",
        ]  # fmt: skip
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [str(folder / "tree/bin/kc.sh"), "start-dev", *options],
                stdout=out, stderr=out, env={**os.environ, **environment}, start_new_session=True,
            )  # fmt: skip

    def wait(self) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            try:
                self.get(f"{self.issuer}/.well-known/openid-configuration")
                return
            except OSError:
                time.sleep(0.5)
        raise AssertionError(f"Keycloak does not answer: {self.log.read_text()[-2000:]}")

    def get(self, url: str, data: bytes | None = None, **headers: str) -> bytes:
        request = urllib.request.Request(url, data, headers)  # noqa: S310 - our own server's address
        with urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self.context)).open(
            request, timeout=30
        ) as answer:
            return answer.read()

    def token(self, user: str, client: str = "crm", realm: str = "legal") -> str:
        form = {"grant_type": "password", "client_id": client, "username": user, "password": PASSWORD}
        answer = self.get(f"{self.base}/realms/{realm}/protocol/openid-connect/token", urllib.parse.urlencode(form).encode())
        return json.loads(answer)["access_token"]

    def rotate(self) -> None:
        """A new signing key that goes before the old one."""
        provider = {
            "name": "newer", "providerId": "rsa-generated", "providerType": "org.keycloak.keys.KeyProvider",
            "config": {"priority": ["200"], "enabled": ["true"], "active": ["true"], "algorithm": ["RS256"]},
        }  # fmt: skip
        bearer = f"Bearer {self.token('admin', 'admin-cli', 'master')}"
        url = f"{self.base}/admin/realms/legal/components"
        self.get(url, json.dumps(provider).encode(), **{"Authorization": bearer, "Content-Type": "application/json"})

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)  # a database in memory has nothing to save
        self.process.wait(30)


@pytest.fixture
def keycloak(tmp_path):
    server = Keycloak(tmp_path)
    try:
        server.wait()
        yield server
    finally:
        server.stop()
        shutil.rmtree(tmp_path / "tree", ignore_errors=True)


def claims(token: str) -> dict[str, object]:
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def encoded(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def confused(token: str, jwks: Path) -> str:
    """The same claims, signed by HMAC with the issuer's public key for a secret (CVE-2015-9235's kind)."""
    from cryptography.hazmat.primitives import serialization

    from curtilage.gateway.tokens import parse_jwks

    (_, _, public), *_ = parse_jwks(jwks.read_bytes())
    secret = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    signed = f"{encoded({'alg': 'HS256', 'typ': 'JWT'})}.{token.split('.')[1]}"
    mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def test_tokens_of_a_real_provider_open_their_subjects_matters_and_nothing_else(keycloak, make_gateway, model, tmp_path) -> None:
    jwks = tmp_path / "jwks.json"
    fetch(keycloak.issuer, jwks, keycloak.ca)
    member = keycloak.token("member")
    gateway = make_gateway(model.url, start=False)
    directory = open_directory(gateway.directory / "matters.db")
    directory.add_identity("jdoe")
    directory.add_matter("matter-2", jurisdiction="DE")
    directory.set_identity("jdoe", clearance="privileged")
    directory.add_member("jdoe", "matter-2")
    directory.add_subject("jdoe", kind="oidc", issuer=keycloak.issuer, subject=str(claims(member)["sub"]))
    issuer = {"issuer": keycloak.issuer, "audience": "curtilage", "jwks": str(jwks), "algorithms": ["RS256"]}
    path = gateway.directory / "gateway.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "issuers": [issuer]}))
    gateway.start()

    def status(token: str, **more: str) -> int:
        return gateway.request("POST", "/v1/chat/completions", CHAT, headers={"Authorization": f"Bearer {token}", **more}).status

    assert status(member) == 200
    assert status(member, **{"X-Curtilage-Matter": "matter-1"}) == 403, "another's matter"
    assert status(keycloak.token("stranger")) == 403, "a subject that nobody mapped"
    assert status(keycloak.token("member", client="other")) == 403, "a token for another audience"
    assert status(confused(member, jwks)) == 403, "the public key taken for a secret"
    assert status(f"{encoded({'alg': 'none'})}.{member.split('.')[1]}.") in (400, 403), "no signature at all"
    header, payload, signature = member.split(".")
    other = encoded({**claims(member), "sub": str(claims(keycloak.token("stranger"))["sub"])})
    assert status(f"{header}.{other}.{signature}") == 403, "claims changed after signing"
    assert status(f"{header}.{payload}.{signature[:-6]}AAAAAA") == 403, "a believed token's beginning, with another end"

    keycloak.rotate()
    newer = keycloak.token("member")
    assert status(newer) == 403, "a key that was not fetched: the gateway asks nobody"
    fetch(keycloak.issuer, jwks, keycloak.ca)
    assert status(newer) == 200, "fetched beside the running gateway, believed at the next call"
    seen = len(model.seen)
    directory.remove_subject(kind="oidc", issuer=keycloak.issuer, subject=str(claims(member)["sub"]))
    assert status(newer) == 403, "unmapped, and dead at once though its signature was believed a moment ago"
    assert len(model.seen) == seen
    gateway.stop()
    assert {record["data"]["key"][:5] for record in gateway.records() if record["kind"] == "intent"} == {"oidc-"}
    assert member not in gateway.log()
