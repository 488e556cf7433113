"""If these fail, a model cannot be signed with a key that never leaves its token, or a signature by another key passes for it.

The token is SoftHSM2 (Debian's softhsm2): a real PKCS#11 module whose token is a file, in the place of a hardware one.
"""

from __future__ import annotations

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from curtilage.errors import ConfigError, MachineError
from curtilage.models import signing
from curtilage.models.signing import create_keys, sign, verify

MODULES = [path for path in map(Path, ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so")) if path.exists()]
LACKS = "" if shutil.which("softhsm2-util") and MODULES else "SoftHSM2 is not installed: apt-get install softhsm2"
if find_spec("PyKCS11") is None:
    LACKS = "PyKCS11 is not installed: make deps"
needs_token = pytest.mark.skipif(bool(LACKS), reason=f"NOT-RUN: {LACKS}" if LACKS else "never")
PIN = "1234"
P256 = bytes.fromhex("06082a8648ce3d030107")


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Path]:
    """A token with one EC key: its URI, and the public half in PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from PyKCS11 import CKA_EC_POINT, CKF_RW_SESSION, CKF_SERIAL_SESSION, CKO_PUBLIC_KEY, LowLevel, PyKCS11Lib

    (tmp_path / "tokens").mkdir()
    (tmp_path / "softhsm.conf").write_text(f"directories.tokendir = {tmp_path / 'tokens'}\nobjectstore.backend = file\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "softhsm.conf"))
    subprocess.run(["softhsm2-util", "--init-token", "--free", "--label", "models", "--pin", PIN, "--so-pin", "87654321"],
                   check=True, capture_output=True)  # fmt: skip
    library = PyKCS11Lib()
    library.load(str(MODULES[0]))
    slot = next(slot for slot in library.getSlotList(tokenPresent=True) if library.getTokenInfo(slot).label.strip("\0 ") == "models")
    session = library.openSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION)
    session.login(PIN)
    common = [(LowLevel.CKA_TOKEN, True), (LowLevel.CKA_LABEL, "signer"), (LowLevel.CKA_ID, (1,))]
    from PyKCS11 import Mechanism

    session.generateKeyPair(
        [(LowLevel.CKA_EC_PARAMS, tuple(P256)), (LowLevel.CKA_VERIFY, True), *common],
        [
            (LowLevel.CKA_SIGN, True),
            (LowLevel.CKA_PRIVATE, True),
            (LowLevel.CKA_EXTRACTABLE, False),
            (LowLevel.CKA_SENSITIVE, True),
            *common,
        ],
        Mechanism(LowLevel.CKM_EC_KEY_PAIR_GEN),
    )
    (found,) = session.findObjects([(LowLevel.CKA_CLASS, CKO_PUBLIC_KEY)])
    point = bytes(session.getAttributeValue(found, [CKA_EC_POINT])[0])
    session.logout()
    session.closeSession()
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point[2:])
    (tmp_path / "token.pub").write_bytes(public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    (tmp_path / "pin").write_text(PIN)
    uri = f"pkcs11:token=models;object=signer?module-path={MODULES[0]}&pin-source=file:{tmp_path / 'pin'}"
    return uri, tmp_path / "token.pub"


@needs_token
def test_a_key_on_a_token_signs_and_its_public_half_alone_verifies(token: tuple[str, Path], unsigned: Path, tmp_path: Path) -> None:
    uri, public = token
    sign(unsigned, uri)
    assert verify(unsigned, public).ok
    create_keys(tmp_path / "other.key", tmp_path / "other.pub")
    assert "wrong key" in verify(unsigned, tmp_path / "other.pub").reason
    (unsigned / ".gitignore").write_text("*")
    assert "extra file" in verify(unsigned, public).reason, "nothing is set aside for a token either"


@needs_token
@pytest.mark.parametrize(
    ("wrong", "right"), [("object=nobody", "object=signer"), ("token=another", "token=models"), ("/no/such/module.so", str(MODULES[:1]))]
)
def test_a_uri_that_names_no_key_is_refused_and_nothing_is_signed(wrong: str, right: str, token: tuple[str, Path], unsigned: Path) -> None:
    uri = token[0].replace(str(MODULES[0]), wrong) if wrong.startswith("/") else token[0].replace(right, wrong)
    with pytest.raises(ConfigError, match="PKCS#11 URI"):
        sign(unsigned, uri)
    assert not (unsigned / "model.sig").exists()


def test_a_pin_in_the_uri_is_refused(unsigned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing, "find_spec", lambda _: object())
    with pytest.raises(ConfigError, match="pin-source"):
        sign(unsigned, "pkcs11:token=models;object=signer?pin-value=1234")


def test_without_the_library_the_extra_is_named(unsigned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing, "find_spec", lambda _: None)
    with pytest.raises(MachineError, match="pkcs11 extra"):
        sign(unsigned, "pkcs11:token=models;object=signer")
