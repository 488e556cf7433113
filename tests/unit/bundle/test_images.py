"""If these fail, an image is not what its digest says, or differs from machine to machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from typer.testing import CliRunner

from curtilage.audit.note import Signer
from curtilage.bundle import images, oci
from curtilage.cli import build_app
from curtilage.derive.kubernetes.manifests import manifests
from curtilage.errors import ConfigError
from curtilage.paths import CHECKOUT
from curtilage.region import load_region

SIGNER = Signer.generate("test/image")


def inputs(root: Path) -> dict[str, Path]:
    status = "Package: libc6\nStatus: install ok installed\nVersion: 1:2.36-9+deb12u7\n\n"
    status += "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n"
    files = {"base/usr/bin/tool": "tool", "base/var/lib/dpkg/status": status, "tree/pkg/a.py": "a = 1\n", "own/cli.py": "b = 2\n"}
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    (root / "base/usr/bin/tool").chmod(0o4777)
    (root / "base/bin").symlink_to("usr/bin")
    (root / "tree" / ("long" * 40)).write_bytes(b"a name longer than a plain header holds")
    return {name: root / name for name in ("base", "tree", "own")}


def build(root: Path, out: Path) -> str:
    found = inputs(root)
    return images.build("gateway", out, base=found["base"], trees={"curtilage": found["tree"]}, package=found["own"], signer=SIGNER)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    build(tmp_path / "in", tmp_path / "image")
    images.check(tmp_path / "image", SIGNER.verifier)
    return tmp_path / "image"


def test_the_same_files_give_the_same_digest_whatever_their_times_order_and_bytecode(tmp_path: Path) -> None:
    first = build(tmp_path / "one", tmp_path / "a")
    second = inputs(tmp_path / "two")
    for path in (tmp_path / "two").rglob("*"):
        os.utime(path, (1_000_000, 2_000_000), follow_symlinks=False)
    (second["tree"] / "pkg" / "__pycache__").mkdir()
    (second["tree"] / "pkg" / "__pycache__" / "a.pyc").write_bytes(os.urandom(20))
    os.mkfifo(second["base"] / "pipe")
    assert images.build("gateway", tmp_path / "b", base=second["base"], trees={"curtilage": second["tree"]}, package=second["own"],
                        signer=SIGNER) == first  # fmt: skip
    (second["tree"] / "pkg" / "a.py").write_bytes(b"a = 2\n")
    assert images.build("gateway", tmp_path / "c", base=second["base"], trees={"curtilage": second["tree"]}, package=second["own"],
                        signer=SIGNER) != first  # fmt: skip


def test_no_file_of_an_image_runs_as_somebody_else_or_may_be_written_by_others(made: Path) -> None:
    manifest = json.loads((made / "layout/blobs/sha256" / images.check(made, SIGNER.verifier).removeprefix("sha256:")).read_bytes())
    names = []
    for layer in manifest["layers"]:
        with tarfile.open(made / "layout/blobs/sha256" / layer["digest"].removeprefix("sha256:")) as archive:
            for member in archive:
                names.append(member.name)
                assert member.mtime == 0
                assert member.issym() or not member.mode & 0o6022, member.name
    assert {"usr/bin/tool", "opt/curtilage/pkg/a.py", "opt/curtilage/curtilage/cli.py"} <= set(names)
    config = json.loads((made / "layout/blobs/sha256" / manifest["config"]["digest"].removeprefix("sha256:")).read_bytes())
    assert config["config"]["User"] == "65532:65532"
    assert "HF_HUB_OFFLINE=1" in config["config"]["Env"]


def test_the_bill_of_materials_follows_the_schema_and_names_python_and_debian_packages(made: Path) -> None:
    text = (made / "sbom.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_7).validate_str(text) is None
    purls = {component["purl"] for component in json.loads(text)["components"]}
    assert any(purl.startswith("pkg:pypi/aiohttp@") for purl in purls)
    assert [purl for purl in purls if purl.startswith("pkg:deb/")] == ["pkg:deb/debian/libc6@1%3A2.36-9%2Bdeb12u7"]


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _blobs(made: Path) -> list[Path]:
    return sorted((made / "layout/blobs/sha256").iterdir())


@pytest.mark.parametrize(
    "harm",
    [
        *(lambda made, place=place: _flip(_blobs(made)[place]) for place in range(5)),
        lambda made: _blobs(made)[0].unlink(),
        lambda made: (made / "layout/blobs/sha256" / ("0" * 64)).write_bytes(b"more"),
        lambda made: (made / "layout/more").write_bytes(b"more"),
        lambda made: _flip(made / "sbom.cdx.json"),
        lambda made: _flip(made / "provenance.dsse"),
        lambda made: _flip(made / "layout/index.json"),
        lambda made: (made / "layout/index.json").write_text("[]"),
        lambda made: (made / "layout/oci-layout").write_text("{}"),
        lambda made: shutil.rmtree(made / "layout"),
        lambda made: (made / "provenance.dsse").write_text("null"),
    ],
)
def test_a_changed_image_is_refused(harm: Callable[[Path], object], made: Path) -> None:
    harm(made)
    with pytest.raises(oci.LayoutError):
        images.check(made, SIGNER.verifier)


def test_another_image_with_a_whole_layout_does_not_pass_under_this_ones_signature(made: Path, tmp_path: Path) -> None:
    other = inputs(tmp_path / "other")
    (other["own"] / "cli.py").write_bytes(b"import evil\n")
    images.build("gateway", tmp_path / "b", base=other["base"], trees={"curtilage": other["tree"]}, package=other["own"], signer=SIGNER)
    shutil.rmtree(made / "layout")
    shutil.copytree(tmp_path / "b" / "layout", made / "layout")
    with pytest.raises(oci.LayoutError, match="signed was"):
        images.check(made, SIGNER.verifier)


def test_another_key_is_refused(made: Path) -> None:
    with pytest.raises(oci.LayoutError, match="signed by key"):
        images.check(made, Signer.generate("test/image").verifier)


def test_a_containerfile_names_its_base_by_digest_alone_runs_without_a_network_and_not_as_root() -> None:
    for name in images.CONTAINERFILES:
        text = (CHECKOUT / "model_images" / name / "Containerfile").read_text()
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        assert "ARG BASE" in lines, "no default"
        assert {line.split()[1] for line in lines if line.startswith("FROM")} <= {"${BASE}", "${RUNTIME}"}
        users = [line for line in lines if line.startswith("USER")]
        assert users == ["USER 65532:65532"]
        assert not re.search(r"\b(curl|wget|apt-get|apk|git)\b|://|^ADD", "\n".join(lines), re.MULTILINE)
        for run in (line for line in lines if line.startswith("RUN")):
            assert {"--no-index", "--require-hashes"} <= set(json.loads(run.removeprefix("RUN "))), "no shell, no index"
        assert "HF_HUB_OFFLINE=1" in text


@pytest.mark.parametrize(
    "base", ["", "python", "python:3.11", "python@sha256:abc", "python:3.11@sha512:" + "a" * 64, "p@sha256:" + "a" * 64 + "\n"]
)
def test_a_base_that_may_be_another_one_tomorrow_is_refused(base: str) -> None:
    with pytest.raises(ConfigError, match="by digest"):
        images.container_command("gateway", base)
    assert "--network=none" in images.container_command("gateway", "registry.example/python:3.11@sha256:" + "a" * 64)


def test_an_image_that_does_not_verify_is_not_put_into_a_bundle(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from curtilage.bundle import gather
    from curtilage.errors import StepError

    monkeypatch.setattr(gather, "load_or_create", lambda _: SIGNER)
    assert gather._image(made).name == images.check(made, SIGNER.verifier).removeprefix("sha256:")
    _flip(made / "sbom.cdx.json")
    with pytest.raises(StepError, match="not the one that was signed"):
        gather._image(made)


@pytest.mark.parametrize("region", ["lab-k8s", "fr-paris", "de-frankfurt"])
def test_what_a_pod_asks_of_our_image_is_a_command_behind_its_entry_point(region: str) -> None:
    found = load_region(region)
    asked = [
        container["args"]
        for part in manifests(found).values()
        for item in part
        if item["kind"] in ("Deployment", "StatefulSet")
        for container in [*item["spec"]["template"]["spec"].get("initContainers", []), *item["spec"]["template"]["spec"]["containers"]]
        if container["name"] != "vllm"
    ]
    assert {tuple(words[:2]) for words in asked} == {("gateway", "serve"), ("evidence", "serve-store"), ("model", "verify")}
    entry = images.SPECS["gateway"].image.entrypoint
    assert entry[-2:] == ("-m", "curtilage"), "no command of its own: a pod's words come behind it"
    text = (CHECKOUT / "model_images" / "gateway" / "Containerfile").read_text(encoding="utf-8")
    assert json.loads(text.rpartition("ENTRYPOINT ")[2]) == ["python3", *entry[1:]]
    for words in asked:
        answer = CliRunner().invoke(build_app(words[0]), [*words[:2], "--help"])
        assert answer.exit_code == 0, answer.output
