"""The region's own certificate authority: name-constrained, so that its key is worth nothing outside the region.

Interception needs a CA that the CRM hosts trust. A CA that may sign any name would be a standing danger to them, so this one carries
critical name constraints (RFC 5280 section 4.2.1.10): exactly the intercepted names, the region's own zone and the addresses of the hosts
that serve TLS. A verifier refuses anything else it signs.

Keys live in ``state_dir()/pki/<region>/`` (directory 0700, files 0600) and nowhere else: not in the engine's state, not in the inventory,
not in a run's artifacts. Leaves are short-lived and renewed by the next ``configure`` once less than a third of their life is left, or at
once when the names they must carry change. A change of the constraints replaces the CA and everything under it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from curtilage.paths import state_dir

Address = IPv4Address | IPv6Address

CA_LIFE = timedelta(days=730)
LEAF_LIFE = timedelta(days=30)
# A host's clock may lag the operator's by a little: a certificate from "now" would then not be valid yet.
BACKDATE = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class PkiNames:
    """Everything the region's certificates say.

    Args:
        region: the region's name.
        intercepted: the vendor names the gateway answers for.
        zone: the region's own DNS zone.
        gateways: addresses of each gateway host, by host name.
        stores: addresses of each evidence host, by host name.
    """

    region: str
    intercepted: tuple[str, ...]
    zone: str
    gateways: dict[str, tuple[Address, ...]]
    stores: dict[str, tuple[Address, ...]]

    @property
    def permitted(self) -> list[x509.GeneralName]:
        """The CA's permitted subtrees, in a stable order."""
        names = sorted({*self.intercepted, self.zone})
        addresses = {address for hosts in (self.gateways, self.stores) for each in hosts.values() for address in each}
        return [
            *(x509.DNSName(name) for name in names),
            *(x509.IPAddress(ip_network(address)) for address in sorted(addresses, key=lambda item: (item.version, int(item)))),
        ]

    def fqdn(self, host: str) -> str:
        """A host's name in the region's own zone."""
        return f"{host}.{self.zone}"


@dataclass(frozen=True)
class Pki:
    """Where the files are, and which of them this call made new."""

    directory: Path
    issued: tuple[str, ...]

    @property
    def ca(self) -> Path:
        """The CA certificate: what CRM hosts trust."""
        return self.directory / "ca.pem"


def pki_dir(region: str) -> Path:
    """``state_dir()/pki/<region>``."""
    return state_dir() / "pki" / region


def ensure_pki(names: PkiNames, *, now: datetime | None = None) -> Pki:
    """Make or renew the region's CA and leaves; what is good and has a third of its life left is kept.

    Files: ``ca.pem``/``ca.key``; per gateway host ``<host>.pem``/``.key`` (server chain) and ``<host>-client.pem``/``.key`` (towards the
    evidence store); per evidence host ``<host>.pem``/``.key``.
    """
    moment = now or datetime.now(UTC)
    directory = pki_dir(names.region)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    issued: list[str] = []
    ca, ca_key, fresh = _ensure_ca(directory, names, moment)
    if fresh:
        issued.append("ca")
    for name, subject, sans, usage in _leaves(names):
        if _good(directory, name, ca, sans, usage, moment):
            continue
        _issue(directory, name, subject, sans, usage, ca, ca_key, moment)
        issued.append(name)
    return Pki(directory, tuple(issued))


def expiry(path: Path) -> datetime:
    """When the first certificate in a file ends."""
    return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc


def _leaves(names: PkiNames) -> Iterable[tuple[str, str, list[x509.GeneralName], x509.ObjectIdentifier]]:
    """(file stem, common name, SANs, extended key usage) of each leaf."""
    server, client = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
    for host, addresses in sorted(names.gateways.items()):
        own = _sans([*names.intercepted, names.fqdn(host)], addresses)
        yield host, names.fqdn(host), own, server
        yield f"{host}-client", names.fqdn(host), _sans([names.fqdn(host)], ()), client
    for host, addresses in sorted(names.stores.items()):
        yield host, names.fqdn(host), _sans([names.fqdn(host)], addresses), server


def _sans(hosts: Iterable[str], addresses: Iterable[Address]) -> list[x509.GeneralName]:
    return [*(x509.DNSName(name) for name in hosts), *(x509.IPAddress(ip_address(address)) for address in addresses)]


def _ensure_ca(directory: Path, names: PkiNames, now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey, bool]:
    certificate_path, key_path = directory / "ca.pem", directory / "ca.key"
    if certificate_path.exists() and key_path.exists():
        certificate = x509.load_pem_x509_certificate(certificate_path.read_bytes())
        constraints = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
        if constraints.permitted_subtrees == names.permitted and _lives(certificate, now):
            return certificate, _load_key(key_path), False
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Curtilage"),
            # The serial in the name keeps an old and a new CA apart in a trust store that has both for a while.
            x509.NameAttribute(NameOID.COMMON_NAME, f"Curtilage {names.region} region CA {x509.random_serial_number() % 10**8:08d}"),
        ]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(now + CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
        .add_extension(x509.NameConstraints(permitted_subtrees=names.permitted, excluded_subtrees=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(key_path, _pem(key))
    _write(certificate_path, certificate.public_bytes(serialization.Encoding.PEM))
    return certificate, key, True


def _issue(
    directory: Path,
    name: str,
    subject: str,
    sans: Sequence[x509.GeneralName],
    usage: x509.ObjectIdentifier,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    now: datetime,
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(max(now - BACKDATE, ca.not_valid_before_utc))
        .not_valid_after(min(now + LEAF_LIFE, ca.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(x509.SubjectAlternativeName(sans), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    _write(directory / f"{name}.key", _pem(key))
    chain = certificate.public_bytes(serialization.Encoding.PEM) + ca.public_bytes(serialization.Encoding.PEM)
    _write(directory / f"{name}.pem", chain)


def _good(
    directory: Path, name: str, ca: x509.Certificate, sans: Sequence[x509.GeneralName], usage: x509.ObjectIdentifier, now: datetime
) -> bool:
    """Whether a leaf can stay: of this CA, with these names and this use, matching its key, and with a third of its life left."""
    certificate_path, key_path = directory / f"{name}.pem", directory / f"{name}.key"
    if not (certificate_path.exists() and key_path.exists()):
        return False
    certificate = x509.load_pem_x509_certificate(certificate_path.read_bytes())
    try:
        certificate.verify_directly_issued_by(ca)
    except Exception:  # noqa: BLE001 - whatever is wrong with the old one, a new one is the answer
        return False
    extensions = certificate.extensions
    return (
        list(extensions.get_extension_for_class(x509.SubjectAlternativeName).value) == list(sans)
        and list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [usage]
        and certificate.public_key() == _load_key(key_path).public_key()
        and _lives(certificate, now)
    )


def _lives(certificate: x509.Certificate, now: datetime) -> bool:
    """Whether at least a third of a certificate's life is left, and it has begun."""
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return certificate.not_valid_before_utc <= now and certificate.not_valid_after_utc - now >= life / 3


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{path} is not an elliptic-curve key")
    return key


def _write(path: Path, data: bytes) -> None:
    """Write whole or not at all, readable by the owner alone from the first byte."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # created 0600
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
