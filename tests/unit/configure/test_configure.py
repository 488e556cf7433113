"""What ``configure`` refuses and how it judges a run: if these break, a run that reached nobody counts as a success."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from curtilage import configure as module
from curtilage import configure_run
from curtilage.configure import ConfigureResult, configure, ensure_secrets
from curtilage.configure_run import PREFIX
from curtilage.derive.inventory import inventory
from curtilage.errors import ConfigError, StepError
from curtilage.region import Region, load_region

DIGEST = "sha256:" + "ab" * 32


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURTILAGE_STATE", str(tmp_path / "state"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.fixture
def lab() -> Region:
    return load_region("lab")


def _signed(tmp_path: Path) -> None:
    keys = tmp_path / "state" / "keys"
    keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    (keys / "model-signing.pub").write_text("public\n")


def _worker(tmp_path: Path, lines: list[dict[str, Any]], *, code: int = 0, also: str = "") -> list[str]:
    """A run prefix that puts a program of ours in the worker's place: it is given the same arguments and says these lines."""
    script = tmp_path / "worker.py"
    said = "\n".join(orjson.dumps(line).decode() for line in lines)
    script.write_text(f"import sys, os, pathlib\nprivate = pathlib.Path(sys.argv[-1])\n{also}\nprint({said!r})\nsys.exit({code})\n")
    return [sys.executable, str(script)]


def _stats(hosts: list[str], *, changed: dict[str, int] | None = None, dark: dict[str, int] | None = None, rc: int = 0) -> dict[str, Any]:
    return {"stats": {"processed": dict.fromkeys(hosts, 1), "changed": changed or {}, "dark": dark or {}}, "rc": rc, "tail": []}


ALL = ["crm-1", "evidence-1", "gpu-1", "gpu-2", "gpu-3", "gw-1"]
MODELS = {"lab-mistral": DIGEST, "lab-embed": "sha256:" + "ee" * 32}


def _run(lab: Region, prefix: list[str], **more: Any) -> ConfigureResult:
    return configure(
        lab, inventory(lab), run_prefix=prefix, models={model.name: DIGEST for model in lab.models}, progress=lambda _: None, **more
    )


def test_an_inventory_without_one_of_the_hosts_is_refused_before_anything_runs(lab: Region, tmp_path: Path) -> None:
    _signed(tmp_path)
    document = inventory(lab)
    del document["all"]["hosts"]["gpu-2"]
    with pytest.raises(StepError, match=r"lacks gpu-2; nothing was changed"):
        configure(lab, document, run_prefix=["/nonexistent"], models={})


def test_an_inventory_with_a_foreign_host_is_refused_before_anything_runs(lab: Region, tmp_path: Path) -> None:
    _signed(tmp_path)
    document = inventory(lab)
    document["all"]["hosts"]["gpu-9"] = {}
    with pytest.raises(StepError, match=r"names hosts the region has not: gpu-9"):
        configure(lab, document, run_prefix=["/nonexistent"], models={})


def test_a_host_that_is_in_no_role_group_is_refused(lab: Region, tmp_path: Path) -> None:
    _signed(tmp_path)
    document = inventory(lab)
    del document["all"]["children"]["gpu"]["hosts"]["gpu-1"]
    with pytest.raises(StepError, match=r"role groups lacks gpu-1"):
        configure(lab, document, run_prefix=["/nonexistent"], models={})


def test_a_run_that_reached_nobody_fails_although_ansible_calls_it_a_success(lab: Region, tmp_path: Path) -> None:
    _signed(tmp_path)
    with pytest.raises(StepError, match=r"reached 0 of 6 hosts; not reached: crm-1, evidence-1, gpu-1, gpu-2, gpu-3, gw-1"):
        _run(lab, _worker(tmp_path, [_stats([])]))


def test_a_run_that_missed_one_host_fails_and_names_it(lab: Region, tmp_path: Path) -> None:
    _signed(tmp_path)
    with pytest.raises(StepError, match=r"reached 5 of 6 hosts; not reached: gw-1"):
        _run(lab, _worker(tmp_path, [_stats(ALL, dark={"gw-1": 1})]))


def test_changes_are_counted_from_the_statistics_so_that_hidden_tasks_count(lab: Region, tmp_path: Path) -> None:
    _signed(tmp_path)
    seen = {"changed": "Write", "role": "time", "host": "gw-1"}
    result = _run(lab, _worker(tmp_path, [seen, _stats(ALL, changed={"gw-1": 2, "gpu-1": 1})]))
    assert result.changed == 3
    assert result.hosts_reached == tuple(ALL)
    assert [change.host for change in result.changes] == ["gw-1"]


def test_a_failed_task_is_told_with_host_role_task_and_message(lab: Region, tmp_path: Path) -> None:
    _signed(tmp_path)
    failed = {"failed": "Write chrony's configuration", "role": "time", "host": "gw-1", "message": "refused by chronyd"}
    with pytest.raises(StepError, match=r"(?s)gw-1: time: Write chrony's configuration.*refused by chronyd"):
        _run(lab, _worker(tmp_path, [failed, _stats(ALL, rc=2)], code=1))


def test_a_worker_that_dies_without_a_word_of_the_end_is_a_failure_that_shows_its_last_words(lab: Region, tmp_path: Path) -> None:
    _signed(tmp_path)
    with pytest.raises(StepError, match=r"(?s)Ansible ended with 7.*out of cheese"):
        _run(lab, _worker(tmp_path, [], code=7, also="print('out of cheese', file=sys.stderr)"))


@pytest.mark.parametrize("code", [0, 1])
def test_nothing_of_a_run_is_left_behind(lab: Region, tmp_path: Path, code: int) -> None:
    _signed(tmp_path)
    noted = tmp_path / "seen"
    also = (
        f"pathlib.Path({str(noted)!r}).write_text(str(private) + ' ' + oct(private.stat().st_mode & 0o777))\n"
        "(private / 'artifacts').mkdir()"
    )
    try:
        _run(lab, _worker(tmp_path, [_stats(ALL, rc=code)], code=code, also=also))
    except StepError:
        assert code == 1
    private, mode = noted.read_text().split()
    assert mode == "0o700"
    assert not Path(private).exists()
    assert not list(tmp_path.glob(f"{PREFIX}*"))


def test_what_a_killed_run_left_is_removed_by_the_next(lab: Region, tmp_path: Path) -> None:
    _signed(tmp_path)
    left = tmp_path / f"{PREFIX}left"
    left.mkdir()
    (tmp_path / "state" / "configure-lab.lock").write_text(str(left))
    _run(lab, _worker(tmp_path, [_stats(ALL)]))
    assert not left.exists()


def test_a_lock_file_that_names_a_strangers_directory_removes_nothing(lab: Region, tmp_path: Path) -> None:
    _signed(tmp_path)
    strangers = tmp_path / "home"
    strangers.mkdir()
    (tmp_path / "state" / "configure-lab.lock").write_text(str(strangers))
    _run(lab, _worker(tmp_path, [_stats(ALL)]))
    assert strangers.is_dir()


def test_no_key_and_no_certificate_is_in_what_ansible_is_given(lab: Region, tmp_path: Path) -> None:
    _signed(tmp_path)
    copy = tmp_path / "copy"
    _run(lab, _worker(tmp_path, [_stats(ALL)], also=f"import shutil; shutil.copytree(private, {str(copy)!r})"))
    given = b"".join(path.read_bytes() for path in copy.rglob("*") if path.is_file())
    assert b"curtilage_nftables" in given  # the inventory is among what was looked at
    secrets = list((tmp_path / "state").rglob("*.key"))
    assert len(secrets) >= 4
    for path in secrets:
        for line in path.read_bytes().splitlines():
            assert len(line) < 20 or line.startswith(b"-----") or line not in given, path.name
    assert b"PRIVATE KEY" not in given
    assert b"BEGIN CERTIFICATE" not in given


def test_ansible_is_given_host_key_checking_and_nothing_of_the_callers_secrets(
    lab: Region, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _signed(tmp_path)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    copy, environment = tmp_path / "request", tmp_path / "environment"
    also = (
        f"import shutil; shutil.copy(private / 'request.json', {str(copy)!r})\n"
        f"pathlib.Path({str(environment)!r}).write_text(repr(dict(os.environ)))"
    )
    _run(lab, _worker(tmp_path, [_stats(ALL)], also=also), ssh_config=tmp_path / "ssh_config")
    request = orjson.loads(copy.read_bytes())
    # ansible-runner puts False there unless told otherwise.
    assert request["environment"]["ANSIBLE_HOST_KEY_CHECKING"] == "True"
    assert f"-F {tmp_path / 'ssh_config'}" in request["environment"]["ANSIBLE_SSH_ARGS"]
    assert "hunter2" not in environment.read_text()


def test_a_model_without_a_digest_is_refused(lab: Region, tmp_path: Path) -> None:
    _signed(tmp_path)
    with pytest.raises(ConfigError, match="has no digest"):
        configure(lab, inventory(lab), run_prefix=["/nonexistent"], models={})


def test_a_second_run_beside_the_first_is_refused(lab: Region, tmp_path: Path) -> None:
    _signed(tmp_path)
    with configure_run.private_directory("lab"), pytest.raises(StepError, match="another run is configuring lab"):
        _run(lab, ["/nonexistent"])


def test_secrets_are_made_readable_by_their_owner_alone(lab: Region, tmp_path: Path) -> None:
    ensure_secrets(lab)
    keys = list((tmp_path / "state").rglob("*.key"))
    assert {path.name for path in keys} == {"ca.key", "evidence-1.key", "gw-1-client.key", "gw-1.key", "ledger-gw-1.key"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys} == {0o600}
    assert all(path.stat().st_uid == os.geteuid() for path in keys)


def test_the_last_model_host_carries_a_canary_and_the_others_the_matters_adapters(lab: Region, tmp_path: Path) -> None:
    from curtilage.models import rollout

    _signed(tmp_path)
    given = module._variables(lab, MODELS)
    assert (given["curtilage_canaries"], given["curtilage_adapters"]) == ({}, {})
    assert given["curtilage_serving"] == {"canaries": [], "adapters": []}
    assert {item["name"]: item["args"] for item in given["curtilage_models_served"]} == {
        "lab-mistral": [],
        "lab-embed": ["--runner=pooling", "--convert=embed"],
    }
    new = "sha256:" + "cd" * 32
    adapter = rollout.MatterAdapter(matter="M-1", model="lab-mistral", served="nda", version="sha256:" + "ef" * 32)
    trial = rollout.Trial(version=new, share=0.25, began="2031-05-01T08:00:00Z")
    state = rollout.Rollout(region="lab", models={"lab-mistral": rollout.Pointer(serving=DIGEST, canary=trial)}, adapters=(adapter,))
    rollout.state_file("lab").parent.mkdir(parents=True)
    rollout.state_file("lab").write_text(state.model_dump_json())
    given = module._variables(lab, MODELS)
    assert given["curtilage_canaries"] == {"gpu-2": {"lab-mistral": "cd" * 32}}
    assert given["curtilage_adapters"] == {"gpu-1": [{"name": "nda", "digest": "ef" * 32}]}
    assert given["curtilage_serving"]["canaries"][0] == {
        "model": "lab-mistral",
        "stable": DIGEST,
        "version": new,
        "share": 0.25,
        "began": "2031-05-01T08:00:00Z",
    }
