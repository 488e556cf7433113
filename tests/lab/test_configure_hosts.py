"""Convergence on real hosts: if these break, drift stays, a reboot opens a host, or a run that says "done" has not done it."""

from __future__ import annotations

import shlex
import tempfile
import time
from pathlib import Path

import pytest

from curtilage.commands.configure import staged_models
from curtilage.configure import ConfigureResult, configure
from curtilage.configure_run import PREFIX
from curtilage.derive.firewall import render_ruleset
from curtilage.derive.inventory import inventory
from curtilage.errors import StepError
from curtilage.paths import state_dir
from lab.lab import Lab

CANARY = "198.51.100.7"


def converge(lab: Lab, *, check: bool = False, tags: tuple[str, ...] = ()) -> ConfigureResult:
    """One run over the operator's way in."""
    return configure(
        lab.region,
        inventory(lab.region),
        run_prefix=lab.ops_argv([]),
        ssh_config=lab.ssh_config_path,
        models=staged_models(lab.region),
        check=check,
        tags=tags,
    )


def said(lab: Lab, host: str, command: str) -> str:
    """What a command on a host prints; its failure fails the test."""
    done = lab.exec(host, shlex.split(command))
    assert done.returncode == 0, f"{host}: {command}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


@pytest.fixture(scope="module", autouse=True)
def _converged(lab: Lab) -> None:
    converge(lab)


def test_a_second_run_changes_nothing_and_reaches_every_host(lab: Lab) -> None:
    result = converge(lab)
    assert (result.changed, result.changes) == (0, ())
    assert result.hosts_reached == tuple(sorted(host.name for host in lab.region.hosts))


def test_what_a_container_cannot_do_is_reported_and_not_claimed(lab: Lab) -> None:
    found = converge(lab, tags=("baseline",)).not_run
    assert set(found) == {host.name for host in lab.region.hosts}
    assert any(reason.startswith("gpu_driver:") for reason in found["gpu-1"])
    assert all(any(reason.startswith("time-clock:") for reason in reasons) for reasons in found.values())


EDITS = {
    "a rule added by hand": "nft insert rule inet curtilage output accept",
    "a chain taken away by hand": "nft flush chain inet curtilage forward",
    "a table taken away by hand": "nft delete table netdev curtilage_raw",
    "everything taken away by hand": "nft flush ruleset",
    "a foreign table": "nft add table inet elsewhere",
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_a_ruleset_edited_by_hand_is_found_by_a_check_repaired_and_reported(lab: Lab, edit: str) -> None:
    said(lab, "crm-1", edit)
    try:
        before = converge(lab, check=True, tags=("egress_firewall",))
        assert [change.host for change in before.changes] == ["crm-1"]
    finally:
        repaired = converge(lab, tags=("egress_firewall",))
    assert [(change.host, change.role) for change in repaired.changes] == [("crm-1", "egress_firewall")]
    assert "elsewhere" not in said(lab, "crm-1", "nft list tables")
    assert converge(lab, check=True, tags=("egress_firewall",)).changed == 0


def test_a_ruleset_file_edited_by_hand_is_written_back_verbatim(lab: Lab) -> None:
    said(lab, "crm-1", "sh -c 'echo >> /etc/nftables.conf'")
    assert converge(lab, tags=("egress_firewall",)).changed == 1
    assert said(lab, "crm-1", "cat /etc/nftables.conf") == render_ruleset(lab.region, lab.region.host("crm-1")).strip()


def test_stopping_the_firewalls_service_leaves_the_host_sealed(lab: Lab) -> None:
    said(lab, "crm-1", "systemctl stop nftables.service")
    try:
        assert "policy drop" in said(lab, "crm-1", "nft list chain inet curtilage output")
        assert said(lab, "crm-1", f"sh -c 'timeout 3 bash -c \"echo > /dev/tcp/{CANARY}/443\" 2>/dev/null || echo dropped'") == "dropped"
    finally:
        said(lab, "crm-1", "systemctl start nftables.service")


@pytest.mark.parametrize(("host", "service"), [("gw-1", "curtilage-gateway"), ("evidence-1", "curtilage-evidence")])
def test_a_reboot_keeps_the_seal_and_the_service(lab: Lab, host: str, service: str) -> None:
    # The namespace outlives the host here, so the ruleset would too; without it, what is there afterwards was loaded by the boot.
    said(lab, host, "nft flush ruleset")
    lab.reboot(host)
    assert "policy drop" in said(lab, host, "nft list chain inet curtilage output")
    assert _within(lab, host, f"systemctl is-active {service}.service", "active", seconds=60)
    # Loaded in its own early transaction: nothing of the network was up before it.
    order = said(lab, host, "systemctl show --property=Before --value nftables.service")
    assert "network-pre.target" in order.split()
    assert converge(lab, check=True).changed == 0


def test_nothing_of_a_run_and_no_key_is_left_where_others_could_read_it(lab: Lab) -> None:
    # Another checkout's killed run may have left its own behind, and only that checkout's next run may remove it.
    before = set(Path(tempfile.gettempdir()).glob(f"{PREFIX}*"))
    converge(lab, tags=("egress_firewall",))
    assert set(Path(tempfile.gettempdir()).glob(f"{PREFIX}*")) <= before
    lines = {
        line
        for path in (*state_dir().glob("pki/lab/*.key"), *state_dir().glob("keys/ledger-*.key"))
        for line in path.read_text(encoding="ascii").splitlines()
        if len(line) > 20 and not line.startswith("-----")
    }
    assert lines
    for host in ("gw-1", "evidence-1"):
        journal = said(lab, host, "journalctl --no-pager --output=cat")
        assert not [line for line in lines if line in journal]
        loose = said(lab, host, "find /etc/curtilage /tmp /var/tmp /root -name *.key -perm /004")
        assert loose == ""


def test_a_wrong_key_keeps_the_model_down_says_why_and_is_mended_by_the_next_run(lab: Lab) -> None:
    said(lab, "gpu-2", "sh -c 'openssl ecparam -name prime256v1 -genkey -noout | openssl ec -pubout -out /etc/curtilage/model-signing.pub'")
    refused = lab.exec("gpu-2", ["systemctl", "restart", "curtilage-vllm.service"])
    assert refused.returncode != 0
    assert "wrong key" in said(lab, "gpu-2", "journalctl --unit=curtilage-vllm.service --lines=20 --no-pager --output=cat")
    result = converge(lab, tags=("model_store", "vllm"))
    assert {change.host for change in result.changes} == {"gpu-2"}
    assert said(lab, "gpu-2", "systemctl is-active curtilage-vllm.service") == "active"


def _within(lab: Lab, host: str, command: str, wanted: str, *, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if lab.exec(host, shlex.split(command)).stdout.strip() == wanted:
            return True
        time.sleep(1)
    return False


def test_a_service_left_on_old_files_by_a_run_that_was_cut_off_is_restarted_by_the_next(lab: Lab) -> None:
    # What such a run leaves: the file is in order, the process is older.
    said(lab, "evidence-1", "touch /etc/curtilage/evidence.yaml")
    result = converge(lab, tags=("evidence_store",))
    assert [(change.host, change.task) for change in result.changes] == [("evidence-1", "Serve")]
    assert converge(lab, tags=("evidence_store",)).changed == 0


def test_another_key_for_a_ledger_that_has_begun_is_refused_and_the_gateway_goes_on(lab: Lab) -> None:
    before = said(lab, "gw-1", "cat /etc/curtilage/ledger.pub")
    said(lab, "gw-1", "cp -p /etc/curtilage/ledger.pub /etc/curtilage/ledger.pub.kept")
    said(lab, "gw-1", "sh -c 'echo curtilage/ledger-gw-1+00000000+other > /etc/curtilage/ledger.pub'")
    try:
        with pytest.raises(StepError, match="began under another key"):
            converge(lab, tags=("gateway",))
        assert said(lab, "gw-1", "systemctl is-active curtilage-gateway.service") == "active"
    finally:
        said(lab, "gw-1", "mv /etc/curtilage/ledger.pub.kept /etc/curtilage/ledger.pub")
    assert said(lab, "gw-1", "cat /etc/curtilage/ledger.pub") == before
