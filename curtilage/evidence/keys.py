"""Ed25519 keys of this checkout, one per purpose, so that no signature can be passed off as one of another kind.

``state_dir()/keys/<purpose>.key`` (PEM, 0600) and ``.pub`` (the verifier key line that is handed to auditors).
"""

from __future__ import annotations

import re
from pathlib import Path

from curtilage.audit.note import Signer, VerifierKey
from curtilage.errors import ConfigError
from curtilage.paths import state_dir

_PURPOSE = re.compile(r"[a-z][a-z0-9.-]{0,63}")


def key_path(purpose: str) -> Path:
    """Where the private key of a purpose is kept."""
    if not _PURPOSE.fullmatch(purpose):
        raise ConfigError(
            f"key purpose {purpose!r}", rule="lower case letters, digits, dots and hyphens", fix="use e.g. evidence or ledger-gw-1"
        )
    folder = state_dir() / "keys"
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    return folder / f"{purpose}.key"


def load_or_create(purpose: str) -> Signer:
    """The signer of a purpose; made on first use. A key readable by others is refused."""
    path = key_path(purpose)
    if not path.exists():
        Signer.generate(f"curtilage/{purpose}").save(path)
    if path.stat().st_mode & 0o077:
        raise ConfigError(
            f"{path} is readable by others",
            rule="a private key is 0600",
            fix=f"chmod 600 {path}; replace the key if others have read it",
            file=path,
        )
    return Signer.load(path)


def public_key(purpose: str) -> VerifierKey:
    """The public half; makes the key when there is none yet."""
    return load_or_create(purpose).verifier
