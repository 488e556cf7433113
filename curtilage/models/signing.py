"""Sign a model directory and verify it, with OpenSSF model signing and an EC P-256 key.

The library leaves ``.git``, ``.gitignore``, ``.gitattributes`` and ``.github`` unsigned by default and records that list in the signature,
where the verifier honours it: a file put there later passes. So we sign with an empty ignore list, and refuse a signature whose list is not
empty. Only the signature file itself is set aside while the bytes are compared, by this module, never by what the signature says.
"""

from __future__ import annotations

import base64
import json
import os
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from curtilage.canonical import file_digest
from curtilage.errors import ConfigError, MachineError, StepError
from curtilage.models.files import MANIFEST, SIGNATURE, Unsafe, check_loadable, walk
from curtilage.models.manifest import ModelManifest, content_digest, read_manifest
from curtilage.verdict import Verdict

_PREDICATE = "https://model_signing/signature/v1.0"
ON_TOKEN = "pkcs11:"  # noqa: S105 - the scheme of a URI
_MAX_SIGNATURE_BYTES = 16 * 1024 * 1024


class VerifyResult(BaseModel):
    """What verification found; ``reason`` is one line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    verdict: Verdict
    directory: str
    reason: str
    name: str | None = None
    digest: str | None = None
    content: str | None = None
    key: str | None = None

    @property
    def ok(self) -> bool:
        """True for PASS alone."""
        return self.verdict is Verdict.PASS


def create_keys(private: Path, public: Path) -> None:
    """Make a P-256 key pair where there is none; the private half is never readable by anyone else, not even for a moment.

    Raises:
        StepError: one half is there without the other, or the halves do not belong together.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    if not private.exists() and public.exists():
        raise StepError("key", f"{public} is there without its private half", fix=f"remove {public} to make a new pair")
    private.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not private.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        descriptor, name = tempfile.mkstemp(dir=private.parent)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(pem)
            stream.flush()
            os.fsync(descriptor)
        Path(name).replace(private)
    loaded = serialization.load_pem_private_key(private.read_bytes(), password=None)
    pem = loaded.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    if not public.exists():
        public.write_bytes(pem)
        public.chmod(0o644)
    elif public.read_bytes() != pem:
        raise StepError("key", f"{public} does not belong to {private}", fix=f"remove {public}; it is written again from the private half")


def sign(directory: Path, private_key: Path | str) -> Path:
    """Sign every file of ``directory`` into ``directory/model.sig``; a signature that is there already is replaced.

    Args:
        directory: the model.
        private_key: an EC key in PEM, or the ``pkcs11:`` URI (RFC 7512) of one that stays on its token.

    Raises:
        StepError: the directory holds something that must not be loaded, or differs from its manifest.
        ConfigError: the key cannot be read or used.
        MachineError: a token was named and PyKCS11 is not installed.
    """
    from model_signing import hashing

    target = directory / SIGNATURE
    try:
        if target.is_symlink():
            raise Unsafe(f"symlink: {SIGNATURE}")
        # Signed without the signature in place: then nothing has to be ignored, not even that.
        target.unlink(missing_ok=True)
        check_loadable(directory)
        check_manifest(directory)
    except Unsafe as error:
        raise StepError("sign", f"{directory}: {error}", fix="build or import the model again") from error
    signer = _signer(private_key)
    signer.set_hashing_config(hashing.Config().set_ignored_paths(paths=[], ignore_git_paths=False))
    with tempfile.TemporaryDirectory(prefix="curtilage-sign-") as scratch:
        made = Path(scratch) / SIGNATURE
        signer.sign(directory, made)
        content = made.read_bytes()
    partial = target.with_name(SIGNATURE + ".part")
    partial.write_bytes(content)
    partial.replace(target)
    return target


def _signer(private_key: Path | str) -> Any:
    from model_signing import signing

    if isinstance(private_key, str) and private_key.startswith(ON_TOKEN):
        if find_spec("PyKCS11") is None:
            raise MachineError("PyKCS11 is not installed; a key on a token needs it\n  fix:  make deps (the pkcs11 extra)")
        # A PIN in a command line is in every process list: it comes from a file that the URI names.
        if "pin-value" in private_key:
            raise ConfigError(
                "a PKCS#11 URI with pin-value", rule="a PIN is not written where others read it", fix="pin-source=file:PRIVATE-FILE"
            )
        try:
            return signing.Config().use_pkcs11_signer(pkcs11_uri=private_key)
        except Exception as error:  # the token's driver raises errors of its own; whatever it is, nothing was signed
            raise ConfigError(
                f"token: {_line(error) or type(error).__name__}",
                rule="a PKCS#11 URI names module-path, token, object and pin-source",
                fix="see docs/models.md for one",
            ) from error
    try:
        return signing.Config().use_elliptic_key_signer(private_key=Path(private_key))
    except (OSError, ValueError) as error:
        raise ConfigError(f"key {private_key}: {_line(error)}", rule="models are signed with an EC key in PEM", fix="pass --key") from error


def verify(directory: Path, public_key: Path) -> VerifyResult:
    """Whether ``directory`` is exactly what the key's owner signed, and may be loaded. Never raises for a bad model: it says why."""
    key = None
    try:
        if not public_key.is_file():
            raise Unsafe(f"no public key at {public_key}")
        key = file_digest(public_key)
        manifest = _verify(directory, public_key)
    except Unsafe as error:
        return VerifyResult(verdict=Verdict.FAIL, directory=str(directory), reason=str(error), key=key)
    except (ConfigError, OSError, ValueError) as error:
        return VerifyResult(verdict=Verdict.FAIL, directory=str(directory), reason=_line(error), key=key)
    return VerifyResult(
        verdict=Verdict.PASS,
        directory=str(directory),
        reason=f"{len(manifest.files)} files, signed and whole",
        name=manifest.name,
        digest=manifest.digest,
        content=manifest.content,
        key=key,
    )


def _verify(directory: Path, public_key: Path) -> ModelManifest:
    from model_signing import hashing, verifying

    # The library compares absolute paths: a relative one would make the signature itself an extra file.
    directory = directory.absolute()
    present = list(walk(directory))
    signature = directory / SIGNATURE
    if signature not in present:
        raise Unsafe(f"no signature: {SIGNATURE} is missing")
    if signature.stat().st_size > _MAX_SIGNATURE_BYTES:
        raise Unsafe(f"signature too large: {signature.stat().st_size} bytes")
    content = signature.read_bytes()
    signed = _signed_digests(content)
    with tempfile.TemporaryDirectory(prefix="curtilage-verify-") as scratch:
        # The library reads the very bytes that were just judged, whatever happens to the file meanwhile.
        judged = Path(scratch) / SIGNATURE
        judged.write_bytes(content)
        check = verifying.Config().use_elliptic_key_verifier(public_key=public_key)
        check.set_hashing_config(hashing.Config().set_ignored_paths(paths=[signature], ignore_git_paths=False))
        try:
            check.verify(directory, judged)
        except Exception as error:  # the library raises what its parsers raise; whatever it is, the model is not verified
            raise Unsafe(_explain(error)) from error
    check_loadable(directory)
    # Every byte was just held against these digests; the manifest is held against them too, and nothing is read twice.
    return check_manifest(directory, signed)


def _signed_digests(content: bytes) -> dict[str, str]:
    """What was signed, file by file; a signature that would leave something unsigned is refused before the library acts on it."""
    try:
        statement: Any = json.loads(base64.b64decode(json.loads(content)["dsseEnvelope"]["payload"], validate=True))
        predicate, kind = statement["predicate"], statement["predicateType"]
        serialization = predicate["serialization"]
        ignored = serialization.get("ignore_paths") or []
        resources = {str(item["name"]): str(item["digest"]) for item in predicate["resources"]}
        plain = (kind, serialization["method"], serialization["hash_type"], bool(serialization.get("allow_symlinks")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unsafe(f"malformed signature: {SIGNATURE} is no signed model statement") from error
    if ignored:
        raise Unsafe("signature ignores paths, which would stay unsigned: " + ", ".join(sorted(str(path) for path in ignored)))
    if plain != (_PREDICATE, "files", "sha256", False):
        raise Unsafe("signature is not over sha256 of plain files under the v1.0 statement")
    return resources


def check_manifest(directory: Path, known: Mapping[str, str] | None = None) -> ModelManifest:
    """The directory holds exactly the files its manifest lists.

    Args:
        directory: the model.
        known: sha256 of its files by name, where they were computed just now; without them every file is read.

    Raises:
        Unsafe: no manifest, or it differs from the directory.
    """
    try:
        manifest = read_manifest(directory / MANIFEST)
    except ConfigError as error:
        raise Unsafe(f"manifest: {error.given}") from error
    listed = {file.path: file for file in manifest.files}
    present = {
        str(path.relative_to(directory)): path
        for path in walk(directory)
        if path.name not in {SIGNATURE, MANIFEST} or path.parent != directory
    }
    for path in sorted(present.keys() - listed.keys()):
        raise Unsafe(f"extra file: {path} is not in the manifest")
    for path in sorted(listed.keys() - present.keys()):
        raise Unsafe(f"missing file: {path} is in the manifest")
    for name, file in sorted(listed.items()):
        actual = known.get(name) if known is not None else file_digest(present[name]).removeprefix("sha256:")
        if present[name].stat().st_size != file.size_bytes or actual != file.sha256:
            raise Unsafe(f"changed file: {name} differs from the manifest")
    if content_digest(manifest.files) != manifest.content:
        raise Unsafe("manifest: its content digest is not that of its files")
    return manifest


def _explain(error: Exception) -> str:
    """The library's message as one line that begins with what happened."""
    message = _line(error)
    if type(error).__name__ == "InvalidSignature" or "Key mismatch" in message:
        return "wrong key: the signature was not made by the owner of this public key"
    for said, meant in (("Extra files found", "extra file"), ("Missing files in", "missing file"), ("Hash mismatch for", "changed file")):
        if said in message:
            return f"{meant}: {message}"
    return f"not verified: {message or type(error).__name__}"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
