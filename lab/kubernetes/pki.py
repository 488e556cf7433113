"""Certificates of one cluster's life: made at its start, gone with its directory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.kubernetes import names

LIFE = timedelta(days=30)
CLIENTS: dict[str, tuple[str, str | None]] = {
    "admin": ("curtilage-admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", None),
    "scheduler": ("system:kube-scheduler", None),
    "kwok": ("kwok", "system:masters"),
    "kubelet-client": ("kube-apiserver-kubelet-client", "system:masters"),
    "kubelet": (f"system:node:{names.NODE}", "system:nodes"),
    "cilium": ("system:serviceaccount:kube-system:cilium", "system:masters"),
}
"""Who the programs are to the API server, and it to a kubelet: name and group. kwok plays kubelets, which needs more than one node's
rights; Cilium has its chart's name, which admission knows it by, and not its chart's role."""

Key = ec.EllipticCurvePrivateKey


def make(directory: Path) -> None:
    """A CA, the server's certificate, one certificate a client, and the key that signs service accounts' tokens."""
    directory.mkdir(mode=0o700, parents=True)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab cluster")])
    ca = _certificate(name, name, ca_key, ca_key).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    signed = ca.sign(ca_key, hashes.SHA256())
    _write(directory / "ca.crt", signed.public_bytes(serialization.Encoding.PEM))
    served = [x509.DNSName("localhost"), *(x509.IPAddress(ip_address(item)) for item in ("127.0.0.1", "10.96.0.1"))]
    _leaf(directory, "server", "kube-apiserver", None, name, ca_key, served)
    _leaf(directory, "node", names.NODE, None, name, ca_key, [x509.IPAddress(item.ip) for item in (names.NODE4, names.NODE6)])
    for file, (common, group) in CLIENTS.items():
        _leaf(directory, file, common, group, name, ca_key, None)
    # The token authenticator takes RSA or EC; RSA is what every verifier of service account tokens knows.
    _write(directory / "accounts.key", _pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)))


def _leaf(
    directory: Path, file: str, common: str, group: str | None, issuer: x509.Name, ca_key: Key, served: list[x509.GeneralName] | None
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.NameAttribute(NameOID.COMMON_NAME, common)] + ([x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else [])
    built = _certificate(x509.Name(names), issuer, key, ca_key)
    usage = ExtendedKeyUsageOID.SERVER_AUTH if served else ExtendedKeyUsageOID.CLIENT_AUTH
    built = built.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if served:
        built = built.add_extension(x509.SubjectAlternativeName(served), critical=False)
    _write(directory / f"{file}.crt", built.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    _write(directory / f"{file}.key", _pem(key))


def _certificate(subject: x509.Name, issuer: x509.Name, key: Key, ca_key: Key) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + LIFE)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
    )


def _pem(key: Key | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _write(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)
