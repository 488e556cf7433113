"""If these fail, a training job could run with a network."""

from __future__ import annotations

import pytest

from curtilage.errors import MachineError, StepError
from curtilage.finetune import airgap


def test_a_job_in_its_callers_namespace_is_refused() -> None:
    with pytest.raises(StepError, match="caller's network namespace"):
        airgap.isolation_record(airgap.namespace_inode())


def test_a_job_that_sees_another_interface_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airgap.socket, "if_nameindex", lambda: [(1, "lo"), (2, "eth0")])
    with pytest.raises(StepError, match="eth0"):
        airgap.isolation_record(airgap.namespace_inode() + 1)


def test_without_unshare_training_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airgap.shutil, "which", lambda _: None)
    with pytest.raises(MachineError, match="refused"):
        airgap.run_isolated("curtilage.finetune.trainer", {}, say=lambda _: None)


def test_where_no_namespace_can_be_made_training_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airgap.shutil, "which", lambda _: "/bin/false")
    with pytest.raises(MachineError, match="no network namespace"):
        airgap.run_isolated("curtilage.finetune.trainer", {}, say=lambda _: None)
