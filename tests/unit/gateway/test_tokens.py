"""Tokens: the right one is believed, and everything that ever fooled a verifier is not."""

# ruff: noqa: E501 - one case a line

from __future__ import annotations

import base64
import json
import os
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from pydantic import ValidationError

from curtilage.errors import ConfigError
from curtilage.gateway.tokens import Issuer, TokenRefused, TokenVerifier

ISSUER, AUDIENCE = "https://login.example.org/realms/legal", "curtilage"
RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()


def public_jwk(key, kid: str, **more) -> dict[str, str]:
    algorithm = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    if isinstance(key, ed25519.Ed25519PrivateKey):
        algorithm = jwt.algorithms.OKPAlgorithm
    return json.loads(algorithm.to_jwk(key.public_key())) | {"kid": kid, "use": "sig"} | more


def write(path, keys) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps({"keys": keys}))
    temporary.replace(path)


@pytest.fixture
def jwks(tmp_path):
    path = tmp_path / "jwks.json"
    write(path, [public_jwk(EC, "ec-1", alg="ES256"), public_jwk(RSA, "rsa-1")])
    return path


@pytest.fixture
def verifier(jwks):
    return TokenVerifier([Issuer(issuer=ISSUER, audience=AUDIENCE, jwks=jwks, algorithms=("ES256",))])


def token(claims=None, key=EC, algorithm="ES256", headers=None, **more) -> str:
    now = time.time()
    body = {"iss": ISSUER, "aud": AUDIENCE, "sub": "jdoe", "iat": int(now), "exp": int(now) + 300} | (claims or {}) | more
    return jwt.encode(
        {name: value for name, value in body.items() if value is not None}, key, algorithm, headers={"kid": "ec-1"} | (headers or {})
    )


def part(value) -> str:
    return base64.urlsafe_b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).rstrip(b"=").decode()


def test_a_good_token_is_believed_and_again_from_the_cache(verifier) -> None:
    good = token()
    assert verifier.verify(good).subject == "jdoe"
    assert verifier.verify(good).issuer == ISSUER


def test_a_thumbprint_beside_the_key_id_is_passed_over(verifier) -> None:
    assert verifier.verify(token(headers={"x5t": "nOo3ZDrODXEK1jKWhXslHR_KXEg", "x5t#S256": "x"})).subject == "jdoe"
    with pytest.raises(TokenRefused):
        verifier.verify(token(key=OTHER, headers={"x5t": "nOo3ZDrODXEK1jKWhXslHR_KXEg"}))


NOW = int(time.time())
BAD_CLAIMS = [
    {"iss": "https://evil.example.org"}, {"iss": None}, {"iss": ISSUER + "/"}, {"aud": "other"}, {"aud": None}, {"aud": ["other"]}, {"exp": NOW - 3600}, {"exp": None}, {"exp": True},
    {"exp": "9999999999"}, {"exp": NOW + 10**7, "iat": None}, {"iat": NOW + 3600}, {"nbf": NOW + 3600}, {"sub": None}, {"sub": ""}, {"sub": 7}, {"sub": "x" * 300}, {"iat": NOW - 10**6, "exp": NOW + 300},
]  # fmt: skip


@pytest.mark.parametrize("claims", BAD_CLAIMS)
def test_a_wrong_claim_is_refused(verifier, claims) -> None:
    with pytest.raises(TokenRefused):
        verifier.verify(token(claims))


def test_a_signature_by_another_key_or_under_another_algorithm_is_refused(verifier) -> None:
    public = EC.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    claims = json.loads(base64.urlsafe_b64decode(token().split(".")[1] + "=="))
    import hashlib
    import hmac

    confused = f"{part({'alg': 'HS256', 'kid': 'ec-1', 'typ': 'JWT'})}.{part(claims)}"
    confused += "." + part(hmac.digest(public, confused.encode(), hashlib.sha256))
    unsigned = f"{part({'alg': 'none', 'kid': 'ec-1'})}.{part(claims)}"
    attempts = [
        token(key=OTHER), token(key=RSA, algorithm="RS256", headers={"kid": "rsa-1"}), token(key=RSA, algorithm="PS256", headers={"kid": "rsa-1"}), confused, unsigned + ".", unsigned + ".AA",
        token(headers={"kid": "rsa-1"}), token(headers={"kid": "../../etc/passwd"}), token(headers={"kid": "ec-1' OR 1=1"}), token(headers={"jku": "https://evil.example.org/jwks"}),
        token(key=OTHER, headers={"jwk": public_jwk(OTHER, "ec-1")}), token(headers={"x5u": "https://evil.example.org"}), token(headers={"crit": ["exp"], "exp": 1}), token(headers={"typ": "secevent+jwt"}),
        token()[:-4] + "AAAA", token() + "=", token() + ".x", "a.b.c", "", "." * 2, token().replace(".", "..", 1), "é" + token(), "A" * 20_000,
    ]  # fmt: skip
    for attempt in attempts:
        with pytest.raises(TokenRefused):
            verifier.verify(attempt)


def test_a_name_given_twice_is_refused(verifier) -> None:
    header, _, signature = token().split(".")
    twice = b'{"iss":"%s","aud":"curtilage","sub":"jdoe","sub":"admin","exp":%d}' % (ISSUER.encode(), time.time() + 60)
    with pytest.raises(TokenRefused, match="twice"):
        verifier.verify(f"{header}.{part(twice)}.{signature}")


def test_tokens_that_share_a_beginning_are_two_tokens(verifier) -> None:
    first, second = token(sub="jdoe"), token(sub="asmith")
    assert first[:20] == second[:20]
    assert [verifier.verify(found).subject for found in (first, second, first)] == ["jdoe", "asmith", "jdoe"]


def test_a_cached_token_still_runs_out(verifier) -> None:
    good = token()
    verifier.verify(good)
    with pytest.raises(TokenRefused):
        verifier.verify(good, now=time.time() + 400)


def test_a_removed_key_is_worth_nothing_at_once_and_a_broken_file_changes_nothing(verifier, jwks) -> None:
    good = token()
    verifier.verify(good)
    jwks.write_text("{broken")
    os.utime(jwks, (1, 1))
    assert verifier.verify(good).subject == "jdoe"
    write(jwks, [public_jwk(OTHER, "ec-2", alg="ES256")])
    with pytest.raises(TokenRefused):
        verifier.verify(good)
    assert verifier.verify(token(key=OTHER, headers={"kid": "ec-2"})).subject == "jdoe"


@pytest.mark.parametrize("algorithm", ["HS256", "none", "ES256K", "RS1"])
def test_only_asymmetric_algorithms_can_be_pinned(jwks, algorithm) -> None:
    with pytest.raises(ValidationError):
        Issuer(issuer=ISSUER, audience=AUDIENCE, jwks=jwks, algorithms=(algorithm,))


@pytest.mark.parametrize(
    "keys",
    [
        [],
        [{"kty": "oct", "k": "AAAA"}],
        [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}],
        [{"kty": "EC", "crv": "P-256"}],
        [public_jwk(EC, "x") | {"d": "AA"}],
    ],
)
def test_a_key_set_with_secrets_weak_keys_or_none_is_refused_at_the_start(jwks, keys) -> None:
    write(jwks, keys)
    with pytest.raises(ConfigError):
        TokenVerifier([Issuer(issuer=ISSUER, audience=AUDIENCE, jwks=jwks, algorithms=("ES256",))])


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (RSA, "PS384"), (ED, "EdDSA"), (EC, "ES256")])
def test_each_kind_of_key_verifies_its_own(jwks, key, algorithm) -> None:
    write(jwks, [public_jwk(key, "k")])
    verifier = TokenVerifier([Issuer(issuer=ISSUER, audience=AUDIENCE, jwks=jwks, algorithms=(algorithm,))])
    assert verifier.verify(token(key=key, algorithm=algorithm, headers={"kid": "k"})).subject == "jdoe"
