"""An identity provider over real TLS, in this process: a stand-in for a full one, speaking OpenID Connect Discovery and RFC 7517."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
import time
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from curtilage.errors import ConfigError
from curtilage.gateway.identity import authenticate
from curtilage.gateway.matter_commands import fetch
from curtilage.gateway.reasons import Refusal
from curtilage.gateway.setup import write_authority
from curtilage.gateway.tokens import Issuer, TokenVerifier
from curtilage.matters.opening import open_directory


class Provider:
    """Answers discovery and its key set; ``name`` and ``redirect`` make it lie."""

    def __init__(self, folder: Path) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.redirect = False
        self.name: str | None = None
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if provider.redirect:
                    self.send_response(302)
                    self.send_header("location", f"{provider.issuer}/elsewhere")
                    self.end_headers()
                    return
                body = json.dumps(provider.answer(self.path)).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        write_authority(folder, ["localhost"], ["127.0.0.1"])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "gateway.pem", folder / "gateway.key")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.issuer = f"https://localhost:{self.server.server_address[1]}/realms/legal"
        self.ca = folder / "ca.pem"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def answer(self, path: str) -> dict[str, object]:
        if path.endswith("/.well-known/openid-configuration"):
            return {"issuer": self.name or self.issuer, "jwks_uri": f"{self.issuer}/certs"}
        return {
            "keys": [json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key())) | {"kid": "k1", "use": "sig", "alg": "ES256"}]
        }

    def token(self, subject: str) -> str:
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": "curtilage", "sub": subject, "iat": now, "exp": now + 60}
        return jwt.encode(claims, self.key, "ES256", headers={"kid": "k1"})

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


@pytest.fixture
def provider(tmp_path):
    folder = tmp_path / "provider"
    folder.mkdir()
    found = Provider(folder)
    yield found
    found.close()


def test_keys_are_fetched_over_tls_and_a_token_of_them_is_a_caller(provider, tmp_path) -> None:
    out = tmp_path / "jwks.json"
    fetch(provider.issuer, out, provider.ca)
    directory = open_directory(tmp_path / "matters.db", create=True)
    directory.add_identity("jdoe")
    directory.add_subject("jdoe", kind="oidc", issuer=provider.issuer, subject="6f1c")
    tokens = TokenVerifier([Issuer(issuer=provider.issuer, audience="curtilage", jwks=out, algorithms=("ES256",))])
    headers = {b"authorization": b"Bearer " + provider.token("6f1c").encode()}
    caller = authenticate(headers, directory.snapshot(), tokens=tokens)
    assert (caller.identity.id, caller.key_id[:5]) == ("jdoe", "oidc-")
    with pytest.raises(Refusal):
        authenticate(headers, directory.snapshot())  # no issuer is believed unless it is configured
    with pytest.raises(Refusal):
        authenticate({b"authorization": b"Bearer " + provider.token("stranger").encode()}, directory.snapshot(), tokens=tokens)
    directory.set_identity("jdoe", active=False)
    with pytest.raises(Refusal):
        authenticate(headers, directory.snapshot(), tokens=tokens)
    provider.key = ec.generate_private_key(ec.SECP256R1())
    fetch(provider.issuer, out, provider.ca)
    directory.set_identity("jdoe", active=True)
    with pytest.raises(Refusal):
        authenticate(headers, directory.snapshot(), tokens=tokens)  # rotated away, though the token was believed a moment ago
    directory.close()


def test_an_issuer_that_is_not_who_it_says_or_sends_elsewhere_is_refused(provider, tmp_path) -> None:
    out = tmp_path / "jwks.json"
    with pytest.raises(ConfigError):
        fetch(provider.issuer, out, None)  # an authority nobody named
    with pytest.raises(ConfigError):
        fetch(provider.issuer.replace("https", "http"), out, provider.ca)
    provider.name = "https://login.example.org"
    with pytest.raises(ConfigError):
        fetch(provider.issuer, out, provider.ca)
    provider.name, provider.redirect = None, True
    with pytest.raises(ConfigError):
        fetch(provider.issuer, out, provider.ca)
    assert not out.exists()
