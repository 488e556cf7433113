"""The region CA: if these break, a CRM host trusts a CA that could sign for anything, or a service dies of an expired certificate."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from curtilage.derive.pki import LEAF_LIFE, PkiNames, ensure_pki, expiry

NOW = datetime(2026, 11, 1, tzinfo=UTC)
NAMES = PkiNames(
    region="lab",
    intercepted=("api.openai.com", "api.anthropic.com"),
    zone="lab.internal",
    gateways={"gw-1": (ip_address("192.0.2.21"), ip_address("2001:db8:1::21"))},
    stores={"evidence-1": (ip_address("192.0.2.41"), ip_address("2001:db8:1::41"))},
)


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURTILAGE_STATE", str(tmp_path / "state"))


def _chain(path: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(path.read_bytes())


def _verify(ca: Path, leaf: x509.Certificate, name: x509.DNSName | x509.IPAddress, at: datetime = NOW) -> None:
    store = Store(_chain(ca))
    PolicyBuilder().store(store).time(at).build_server_verifier(name).verify(leaf, [])


@pytest.mark.parametrize("name", ["api.openai.com", "api.anthropic.com", "gw-1.lab.internal"])
def test_the_gateway_leaf_verifies_for_every_name_it_answers(name: str) -> None:
    pki = ensure_pki(NAMES, now=NOW)
    _verify(pki.ca, _chain(pki.directory / "gw-1.pem")[0], x509.DNSName(name))


@pytest.mark.parametrize("address", ["192.0.2.21", "2001:db8:1::21"])
def test_the_gateway_leaf_verifies_for_both_its_addresses(address: str) -> None:
    pki = ensure_pki(NAMES, now=NOW)
    _verify(pki.ca, _chain(pki.directory / "gw-1.pem")[0], x509.IPAddress(ip_address(address)))


@pytest.mark.parametrize("name", ["example.com", "openai.com", "bank.example"])
def test_a_leaf_for_another_name_signed_with_the_stolen_ca_key_is_refused(name: str) -> None:
    pki = ensure_pki(NAMES, now=NOW)
    ca = _chain(pki.ca)[0]
    stolen = serialization.load_pem_private_key((pki.directory / "ca.key").read_bytes(), None)
    assert isinstance(stolen, ec.EllipticCurvePrivateKey)
    genuine = _chain(pki.directory / "gw-1.pem")[0]
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(genuine.subject)
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
    )
    for extension in genuine.extensions:
        value = (
            x509.SubjectAlternativeName([x509.DNSName(name)])
            if isinstance(extension.value, x509.SubjectAlternativeName)
            else extension.value
        )
        builder = builder.add_extension(value, extension.critical)
    with pytest.raises(VerificationError, match=r"(?i)constraint"):
        _verify(pki.ca, builder.sign(stolen, hashes.SHA256()), x509.DNSName(name))


def test_the_constraints_are_exactly_the_intercepted_names_the_zone_and_the_serving_addresses() -> None:
    constraints = _chain(ensure_pki(NAMES, now=NOW).ca)[0].extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert {str(name.value) for name in constraints.value.permitted_subtrees or []} == {
        "api.anthropic.com", "api.openai.com", "lab.internal", "192.0.2.21/32", "192.0.2.41/32", "2001:db8:1::21/128", "2001:db8:1::41/128",
    }  # fmt: skip


def test_a_second_call_issues_nothing_and_changes_no_byte() -> None:
    pki = ensure_pki(NAMES, now=NOW)
    before = {path.name: path.read_bytes() for path in pki.directory.iterdir()}
    again = ensure_pki(NAMES, now=NOW + timedelta(days=1))
    assert again.issued == ()
    assert {path.name: path.read_bytes() for path in pki.directory.iterdir()} == before


def test_a_leaf_is_renewed_once_less_than_a_third_of_its_life_is_left_and_the_ca_is_kept() -> None:
    pki = ensure_pki(NAMES, now=NOW)
    ca = pki.ca.read_bytes()
    assert ensure_pki(NAMES, now=NOW + LEAF_LIFE * 0.6).issued == ()
    later = NOW + LEAF_LIFE * 0.7
    renewed = ensure_pki(NAMES, now=later)
    assert set(renewed.issued) == {"gw-1", "gw-1-client", "evidence-1"}
    assert pki.ca.read_bytes() == ca
    assert expiry(pki.directory / "gw-1.pem") == later + LEAF_LIFE


def test_a_new_intercepted_name_replaces_the_ca_and_everything_under_it() -> None:
    ensure_pki(NAMES, now=NOW)
    wider = PkiNames(
        region="lab", intercepted=(*NAMES.intercepted, "api.mistral.ai"), zone=NAMES.zone, gateways=NAMES.gateways, stores=NAMES.stores
    )
    pki = ensure_pki(wider, now=NOW)
    assert set(pki.issued) == {"ca", "gw-1", "gw-1-client", "evidence-1"}
    _verify(pki.ca, _chain(pki.directory / "gw-1.pem")[0], x509.DNSName("api.mistral.ai"))


def test_the_client_certificate_cannot_serve_and_the_server_certificate_cannot_be_a_client() -> None:
    pki = ensure_pki(NAMES, now=NOW)
    with pytest.raises(VerificationError):
        _verify(pki.ca, _chain(pki.directory / "gw-1-client.pem")[0], x509.DNSName("gw-1.lab.internal"))
    client = PolicyBuilder().store(Store(_chain(pki.ca))).time(NOW).build_client_verifier()
    client.verify(_chain(pki.directory / "gw-1-client.pem")[0], [])  # raises unless it is a client's
    with pytest.raises(VerificationError):
        client.verify(_chain(pki.directory / "evidence-1.pem")[0], [])


def test_every_file_is_readable_by_its_owner_alone() -> None:
    directory = ensure_pki(NAMES, now=NOW).directory
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}


def test_a_leaf_whose_key_was_swapped_is_issued_again() -> None:
    pki = ensure_pki(NAMES, now=NOW)
    (pki.directory / "gw-1.key").write_bytes((pki.directory / "evidence-1.key").read_bytes())
    assert ensure_pki(NAMES, now=NOW).issued == ("gw-1",)
