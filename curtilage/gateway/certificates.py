"""The gateway's own certificate: one that no client believes any more is found at start, at `check` and at a reload, not by clients."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from curtilage.errors import ConfigError


def check_dates(path: Path, now: datetime | None = None) -> None:
    """Refuse a certificate chain of which a part is not valid now.

    Args:
        path: PEM certificates, the gateway's own first.
        now: the host's clock unless given.

    Raises:
        ConfigError: one of them has ended, or has not begun.
    """
    now = now or datetime.now(UTC)
    for certificate in x509.load_pem_x509_certificates(path.read_bytes()):
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if not begins <= now < ends:
            raise ConfigError(
                f"{certificate.subject.rfc4514_string()} is valid from {begins:%Y-%m-%d %H:%M} to {ends:%Y-%m-%d %H:%M} UTC",
                rule=f"the gateway's certificate is valid now ({now:%Y-%m-%d %H:%M} UTC)",
                fix="renew it and send the gateway SIGHUP; or set the host's clock",
                file=path,
                key="tls",
            )
