"""If these fail, the account that the auditor is tested on is not the one that ``pulumi up`` makes.

The real engine brings de-frankfurt up. Its stand-in provider makes in a moto server on this machine what moto emulates, and records the
rest, which is NOT-RUN against an account and named in the output. Then the account is opened through its API, over HTTP.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from curtilage.engine import Engine
from curtilage.engine_build import engine_path
from curtilage.live.aws import decide_account, read_account
from curtilage.live.report import LiveAudit
from curtilage.verdict import Verdict
from lab.providers.aws_emulator import MAKERS, session_at
from tests.imported import NAME, imported_engine
from tests.sabotage.live.aws_account import ACCOUNT, Recorded, empty

pytestmark = [
    pytest.mark.skipif(engine_path() is None, reason="NOT-RUN: no Pulumi engine here: `python -m curtilage.engine_build` makes one"),
    pytest.mark.timeout(300),
]


@dataclass
class Applied:
    """The account after ``up``."""

    engine: Engine
    session: Any
    resources: list[dict[str, Any]]

    def audit(self) -> LiveAudit:
        return decide_account(self.engine.region, read_account(self.engine.region, self.session, ACCOUNT))

    def id(self, kind: str) -> str:
        """The id of the first resource of a kind."""
        return next(str(item["id"]) for item in self.resources if item["type"] == kind)


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Applied]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
        server.start()
        try:
            host, port = server.get_host_and_port()
            address = f"http://{host}:{port}"
            patch.setenv("CURTILAGE_AWS_RECORDED", "1")
            patch.setenv("CURTILAGE_AWS_EMULATOR", address)
            engine = imported_engine(tmp_path_factory.mktemp(NAME))
            session = session_at(address, engine.region.site)
            recorded = Recorded()
            session.events.register("before-call", recorded)
            empty(engine.region, session)
            engine.up(engine.preview())
            done = engine._run("stack", "export", "--stack", NAME, cwd=engine._work)
            resources = json.loads(done.stdout)["deployment"]["resources"]
            for item in resources:
                recorded.note(item["type"], item.get("inputs", {}), item.get("id", ""))
            yield Applied(engine, session, resources)
        finally:
            server.stop()


def test_up_makes_in_the_account_all_that_moto_emulates_and_names_the_rest(applied: Applied) -> None:
    kinds = Counter(item["type"] for item in applied.resources if item["type"].startswith("aws:"))
    recorded = Counter(item["type"] for item in applied.resources if item["type"].startswith("aws:") and item["id"].startswith("recorded-"))
    assert set(kinds) - set(MAKERS) == set(recorded)
    assert sum(kinds.values()) - sum(recorded.values()) > 100
    print("NOT-RUN against an emulator, recorded alone:", ", ".join(f"{count} {kind}" for kind, count in sorted(recorded.items())))


def test_what_up_made_is_proved_sealed_from_the_account_itself(applied: Applied) -> None:
    found = applied.audit()
    assert found.verdict is Verdict.PASS, found.text()
    assert applied.engine.preview(judged=False).nothing_to_do


def test_an_opening_through_the_api_is_found_with_the_packet_that_leaves(applied: Applied) -> None:
    ec2 = applied.session.client("ec2")
    way = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=way, VpcId=applied.id("aws:ec2/vpc:Vpc"))
    ec2.create_route(RouteTableId=applied.id("aws:ec2/routeTable:RouteTable"), DestinationCidrBlock="0.0.0.0/0", GatewayId=way)
    anywhere = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_egress(GroupId=applied.id("aws:ec2/securityGroup:SecurityGroup"), IpPermissions=[anywhere])
    found = applied.audit()
    assert found.verdict is Verdict.FAIL, found.text()
    said = found.text()
    assert "leaves by an internet gateway" in said
    assert way in said
    assert "packet: ipv4 tcp 10.40." in said
