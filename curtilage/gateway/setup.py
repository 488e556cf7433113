"""Making a gateway's files: a gateway alone on loopback (``init``), and the identities a region starts with (``provision``)."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from curtilage.audit.note import Signer
from curtilage.errors import ConfigError
from curtilage.gateway.config import load_config, upstream_url
from curtilage.matters.model import Confidentiality, IdentityKind, PersonalData
from curtilage.matters.opening import open_directory
from curtilage.vendor_models import Task, stands_for
from curtilage.vendors import dialect_of, usual_names

DEFAULT_MODEL = "lab-mistral"


@dataclass(frozen=True, kw_only=True)
class IdentitySpec:
    """An identity a region starts with, and the matter it works on."""

    identity: str
    matter: str
    jurisdiction: str
    kind: IdentityKind = IdentityKind.SERVICE
    clearance: Confidentiality = Confidentiality.PRIVILEGED
    confidentiality: Confidentiality = Confidentiality.PRIVILEGED
    personal_data: PersonalData = PersonalData.PLACEHOLDER


def provision(db_path: Path, identities: Sequence[IdentitySpec]) -> dict[str, str]:
    """Create what is missing of each identity, matter and membership, and a fresh key for each identity without a live one.

    Returns:
        identity -> key, for the keys made now: the only time they are seen. An identity that has a live key already is not in it, so a
        second run changes nothing.
    """
    directory = open_directory(db_path, create=True)
    keys: dict[str, str] = {}
    try:
        for spec in identities:
            found = directory.snapshot()
            if spec.identity not in found.identities:
                directory.add_identity(spec.identity, kind=spec.kind, clearance=spec.clearance)
            if spec.matter not in found.matters:
                directory.add_matter(
                    spec.matter, jurisdiction=spec.jurisdiction, confidentiality=spec.confidentiality, personal_data=spec.personal_data
                )
            if spec.matter not in found.memberships.get(spec.identity, frozenset()):
                directory.add_member(spec.identity, spec.matter)
            if not any(key.identity == spec.identity and not (key.revoked or key.signs) for key in found.keys.values()):
                keys[spec.identity] = directory.issue_key(spec.identity)
    finally:
        directory.close()
    return keys


def init(
    directory: Path,
    listen: str,
    upstreams: Sequence[str],
    *,
    model: str = DEFAULT_MODEL,
    model_names: Sequence[str] = (),
    jurisdiction: str = "DE",
    names: Sequence[str] = (),
    tasks: Mapping[str, Task] | None = None,
) -> dict[str, Any]:
    """Write a whole gateway into an empty directory; returns what ``curtilage gateway init`` prints.

    Args:
        directory: where; empty, or not there.
        listen: address and port.
        upstreams: model hosts.
        model: the served model that generates; the vendors' usual names stand for it.
        model_names: more names that stand for it.
        jurisdiction: where this gateway stands.
        names: more vendor names to answer for, such as those of Azure's resources.
        tasks: further served models and what they are for; the vendors' usual names for that stand for them.
    """
    address, port = _parse_listen(listen)
    try:
        urls = [upstream_url(url) for url in upstreams]
    except ValueError as error:
        raise ConfigError(str(error), rule="upstreams are private or loopback addresses", fix="--upstream http://127.0.0.1:8000") from error
    config_path = directory / "gateway.yaml"
    if config_path.exists():
        raise ConfigError(f"{config_path} is there already", rule="init never overwrites a gateway", fix="choose an empty directory")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    port = port or _free_port(address)
    vendors = usual_names() | {name: dialect_of(name) for name in names}
    local = {"localhost": "any", address: "any"}
    write_authority(directory, [*vendors, "localhost"], [address, "127.0.0.1", "::1"])
    Signer.generate("gateway.local/ledger").save(directory / "ledger.key")
    identity, matter = "service-1", "matter-1"
    keys = provision(directory / "matters.db", [IdentitySpec(identity=identity, matter=matter, jurisdiction=jurisdiction)])
    opened = open_directory(directory / "matters.db")
    key_id, secret = opened.issue_signing_key(identity)
    opened.close()
    document = {
        "listen": [{"address": address, "port": port}],
        "tls": {"certificate": "gateway.pem", "key": "gateway.key"},
        "names": {**vendors, **local},
        "upstreams": urls,
        "models": stands_for({model: Task.GENERATE, **(tasks or {})}) | dict.fromkeys(model_names, model),
        "tasks": {name: task.value for name, task in (tasks or {}).items()},
        "ledger": {"directory": "ledger", "signing_key": "ledger.key"},
        "matters": "matters.db",
        "region": {"name": "local", "jurisdiction": jurisdiction},
        "metrics": {"textfile": "gateway.prom"},
    }
    config_path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    load_config(config_path)
    shown = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    resolved = directory.resolve()
    return {
        "address": shown,
        "ca": str(resolved / "ca.pem"),
        "key": keys[identity],
        "aws_access_key_id": key_id,
        "aws_secret_access_key": secret,
        "identity": identity,
        "matter": matter,
        "config": str(resolved / "gateway.yaml"),
    }


def _parse_listen(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":") if not text.startswith("[") else (text[1:].partition("]")[0], ":", text.rpartition("]:")[2])
    if not host:
        host, port = text, "0"
    try:
        number = int(port)
        address = ip_address("127.0.0.1" if host == "localhost" else host)
        if not 0 <= number <= 65535:
            raise ValueError(port)
    except ValueError:
        raise ConfigError(
            f"--listen {text}", rule="an address and a port, e.g. 127.0.0.1:8443 or [::1]:8443; port 0 picks a free one", fix="give both"
        ) from None
    return str(address), number


def _free_port(address: str) -> int:
    family = socket.AF_INET6 if isinstance(ip_address(address), IPv6Address) else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def write_authority(directory: Path, names: Sequence[str], addresses: Sequence[str]) -> None:
    """A CA that can sign these names and addresses and no other (RFC 5280 section 4.2.1.10), and one leaf; the CA's key is not kept.

    A region's CA is made by ``curtilage.derive.pki`` and renews its leaves; this one is for a gateway alone, so it signs once.
    """
    found = [ip_address(address) for address in dict.fromkeys(addresses)]
    permitted: list[x509.GeneralName] = [*map(x509.DNSName, names), *(x509.IPAddress(ip_network(address)) for address in found)]
    now = datetime.now(UTC)
    ca_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Curtilage local CA {x509.random_serial_number() % 10**8:08d}")])
    ca = (
        _builder(issuer, issuer, ca_key, now, days=825)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "curtilage gateway")])
    leaf = (
        _builder(subject, issuer, leaf_key, now, days=397)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([*map(x509.DNSName, names), *map(x509.IPAddress, found)]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (directory / "ca.pem").write_bytes(ca.public_bytes(pem))
    (directory / "gateway.pem").write_bytes(leaf.public_bytes(pem) + ca.public_bytes(pem))
    key = directory / "gateway.key"
    key.touch(mode=0o600)
    key.write_bytes(leaf_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, *, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )
