"""If this fails, the stand-in for AWS claims to have made something, or what it makes up could be taken for real."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest
from pulumi.runtime.proto import provider_pb2

from lab.providers.aws import EMULATOR, RECORDED, Aws
from lab.providers.schema import UNKNOWN
from lab.providers.server import to_plain, to_struct

URN = "urn:pulumi:s::p::aws:eks/cluster:Cluster::c"
INPUTS: dict[str, Any] = {"name": "c", "roleArn": "arn:aws:iam::111122223333:role/r", "vpcConfig": {"subnetIds": ["subnet-1"]}}


class Aborted(Exception):
    """What the engine is told instead of an answer."""


class Context:
    def abort(self, code: Any, details: str) -> NoReturn:
        raise Aborted(details)


def created(provider: Aws, *, preview: bool = False) -> Any:
    return provider.Create(provider_pb2.CreateRequest(urn=URN, properties=to_struct(INPUTS), preview=preview), Context())


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Aws:
    monkeypatch.delenv(RECORDED, raising=False)
    return Aws()


@pytest.fixture
def rehearsing(monkeypatch: pytest.MonkeyPatch) -> Aws:
    monkeypatch.setenv(RECORDED, "1")
    found = Aws()
    found.Configure(provider_pb2.ConfigureRequest(args=to_struct({"region": "eu-central-1"})), Context())
    return found


def test_without_being_told_to_rehearse_it_makes_changes_and_deletes_nothing(refusing: Aws) -> None:
    with pytest.raises(Aborted, match="creates nothing"):
        created(refusing)
    change = provider_pb2.UpdateRequest(id="i", urn=URN, olds=to_struct(INPUTS), news=to_struct(INPUTS))
    with pytest.raises(Aborted, match="changes nothing"):
        refusing.Update(change, Context())
    with pytest.raises(Aborted, match="deletes nothing"):
        refusing.Delete(provider_pb2.DeleteRequest(id="recorded-x", urn=URN), Context())


def test_a_preview_leaves_unknown_what_only_an_account_can_say(refusing: Aws) -> None:
    found = to_plain(created(refusing, preview=True).properties)
    assert found["endpoint"] == found["arn"] == UNKNOWN
    assert found["vpcConfig"] == INPUTS["vpcConfig"]


def test_what_is_made_up_has_the_form_of_the_sdk_and_says_that_it_is_recorded(rehearsing: Aws) -> None:
    answer = created(rehearsing)
    found = to_plain(answer.properties)
    assert answer.id.startswith("recorded-cluster-")
    assert found["endpoint"].startswith("recorded-endpoint-")
    assert found["certificateAuthority"]["data"].startswith("recorded-")
    assert found["region"] == "eu-central-1", "a resource stands where its provider does"
    assert found["name"] == "c"
    assert created(rehearsing).id == answer.id, "the same each time"


def test_a_rehearsal_deletes_only_what_it_recorded(rehearsing: Aws) -> None:
    rehearsing.Delete(provider_pb2.DeleteRequest(id="recorded-x", urn=URN), Context())
    with pytest.raises(Aborted, match="deletes nothing"):
        rehearsing.Delete(provider_pb2.DeleteRequest(id="vpc-1", urn=URN), Context())


@pytest.mark.parametrize(
    "address",
    [
        "https://127.0.0.1:5000",
        "http://192.0.2.1:5000",
        "http://localhost:5000",
        "http://127.0.0.1",
        "http://a@127.0.0.1:1",
        "127.0.0.1:5000",
    ],
)
def test_an_emulator_is_a_loopback_address_and_nothing_else_is_asked(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RECORDED, "1")
    monkeypatch.setenv(EMULATOR, address)
    with pytest.raises(Aborted, match="a loopback address and a port"):
        Aws().Configure(provider_pb2.ConfigureRequest(args=to_struct({"region": "eu-central-1"})), Context())


def test_an_emulator_alone_makes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(RECORDED, raising=False)
    monkeypatch.setenv(EMULATOR, "http://127.0.0.1:1")
    provider = Aws()
    provider.Configure(provider_pb2.ConfigureRequest(args=to_struct({"region": "eu-central-1"})), Context())
    with pytest.raises(Aborted, match="creates nothing"):
        created(provider)


def test_what_an_emulator_holds_is_not_changed_as_if_it_were_recorded(rehearsing: Aws) -> None:
    change = provider_pb2.UpdateRequest(id="vpc-1", urn=URN, olds=to_struct(INPUTS), news=to_struct(INPUTS))
    with pytest.raises(Aborted, match="changes nothing in an emulator"):
        rehearsing.Update(change, Context())
