"""A call under way: whatever would refuse its beginning now ends it, and nothing else does."""

from __future__ import annotations

import time

import pytest

from curtilage.gateway.identity import authenticate
from curtilage.gateway.reasons import Reason, Refusal
from curtilage.gateway.recheck import recheck
from curtilage.gateway.record import CallState
from curtilage.matters.model import Confidentiality, IdentityKind
from curtilage.matters.opening import open_directory


@pytest.fixture
def directory(tmp_path):
    made = open_directory(tmp_path / "matters.db", create=True)
    made.add_identity("crm-sync", kind=IdentityKind.SERVICE, clearance=Confidentiality.CONFIDENTIAL)
    made.add_matter("M-1", jurisdiction="DE", confidentiality=Confidentiality.CONFIDENTIAL)
    made.add_member("crm-sync", "M-1")
    yield made
    made.close()


def _begun(directory, **key) -> CallState:
    secret = directory.issue_key("crm-sync", **key)
    snapshot = directory.snapshot()
    state = CallState("ctc_1")
    state.caller = authenticate({b"authorization": f"Bearer {secret}".encode()}, snapshot)
    state.matter = snapshot.matters["M-1"]
    return state


ENDINGS = {
    "the key is revoked": lambda d, s: d.revoke_key(s.caller.key_id),
    "the person is gone": lambda d, s: d.set_identity("crm-sync", active=False),
    "the membership is gone": lambda d, s: d.remove_member("crm-sync", "M-1"),
    "a wall is raised": lambda d, s: d.add_wall("crm-sync", "M-1", "conflict"),
    "the clearance is lowered": lambda d, s: d.set_identity("crm-sync", clearance=Confidentiality.INTERNAL),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_would_refuse_the_beginning_ends_the_call(directory, ending) -> None:
    state = _begun(directory)
    recheck(state, directory.snapshot())  # the positive control: nothing has changed yet
    ENDINGS[ending](directory, state)
    with pytest.raises(Refusal) as refused:
        recheck(state, directory.snapshot())
    assert refused.value.reason is Reason.ACCESS_ENDED


def test_a_key_that_runs_out_ends_the_call_at_that_moment(directory) -> None:
    state = _begun(directory, valid_seconds=60)
    recheck(state, directory.snapshot(), time.time() + 50)
    with pytest.raises(Refusal):
        recheck(state, directory.snapshot(), time.time() + 61)


def test_a_change_that_has_nothing_to_do_with_the_call_does_not_end_it(directory) -> None:
    state = _begun(directory)
    directory.revoke_key(directory.issue_key("crm-sync").removeprefix("ct-").partition("-")[0])
    recheck(state, directory.snapshot())
