"""If this fails, a change by hand is named in the wrong area, twice, not at all, or with a secret in its line."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

from curtilage.commands import drift as verb
from curtilage.drift import Drift, area, of_events, of_hosts


def event(kind: str, name: str, op: str, old: Any = None, new: Any = None) -> dict[str, Any]:
    urn = f"urn:pulumi:fr-paris::curtilage::{kind}::{name}"
    return {
        "resOutputsEvent": {"metadata": {"op": op, "urn": urn, "type": kind, "old": {"outputs": old or {}}, "new": {"outputs": new or {}}}}
    }


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("aws:kms/key:Key", "keys"),
        ("aws:kms/alias:Alias", "keys"),
        ("kubernetes:core/v1:Secret", "keys"),
        ("aws:iam/role:Role", "identity"),
        ("aws:s3/bucketPolicy:BucketPolicy", "identity"),
        ("kubernetes:rbac.authorization.k8s.io/v1:ClusterRole", "identity"),
        ("kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy", "identity"),
        ("kubernetes:core/v1:ServiceAccount", "identity"),
        ("kubernetes:core/v1:Service", "network"),
        ("kubernetes:networking.k8s.io/v1:NetworkPolicy", "network"),
        ("kubernetes:policy.networking.k8s.io/v1alpha2:ClusterNetworkPolicy", "network"),
        ("aws:ec2/routeTable:RouteTable", "network"),
        ("aws:eks/cluster:Cluster", "network"),
        ("kubernetes:core/v1:ConfigMap", "other"),
        ("aws:cloudwatch/logGroup:LogGroup", "other"),
    ],
)
def test_a_type_belongs_to_one_area(kind: str, expected: str) -> None:
    assert area(kind) == expected


def test_a_resource_that_is_as_it_was_is_no_finding() -> None:
    assert of_events([event("aws:ec2/vpc:Vpc", "vpc", "same"), event("aws:ec2/vpc:Vpc", "vpc", "refresh"), {"summaryEvent": {}}]) == ()


def test_what_a_server_counts_is_no_difference() -> None:
    old, new = (
        {"metadata": {"name": "a", "generation": 1}, "spec": {"b": 1}},
        {"metadata": {"name": "a", "generation": 2}, "spec": {"b": 2}},
    )
    (found,) = of_events([event("kubernetes:networking.k8s.io/v1:NetworkPolicy", "a", "update", old, new)])
    assert found.details == ("spec.b: 1 -> 2",)


@pytest.mark.parametrize("value", ["[secret]", {"ciphertext": "[secret]"}])
def test_a_masked_value_is_named_by_its_path_alone(value: object) -> None:
    (found,) = of_events([event("aws:ec2/launchTemplate:LaunchTemplate", "m", "update", {"userData": value}, {"userData": "clear"})])
    assert found.details[0].startswith("userData")
    assert "clear" not in str(found.details)


def test_a_long_value_is_cut() -> None:
    (found,) = of_events([event("aws:kms/key:Key", "k", "update", {"policy": "a" * 900}, {"policy": "b" * 900})])
    assert len(found.details[0]) < 200


def test_tasks_of_one_role_on_one_host_are_one_finding_and_the_firewall_is_red() -> None:
    found = of_hosts([("gpu-1", "egress_firewall", "a"), ("gpu-1", "egress_firewall", "b"), ("gpu-2", "monitoring", "c")])
    assert [(item.name, item.area, item.details, item.red) for item in found] == [
        ("gpu-1", "network", ("a", "b"), True),
        ("gpu-2", "other", ("c",), False),
    ]


@pytest.mark.parametrize(("areas", "code"), [([], 0), (["other"], 0), (["other", "keys"], 1)])
def test_the_exit_code_is_red_for_network_identity_and_keys_alone(monkeypatch: pytest.MonkeyPatch, areas: list[str], code: int) -> None:
    found = tuple(Drift(name="n", type="t", area=item, change="update", details=("x: 1 -> 2",)) for item in areas)
    monkeypatch.setattr(verb, "look", lambda region: found)
    for flags in ([], ["--json"]):
        done = CliRunner().invoke(verb.app, ["fr-paris", *flags])
        assert done.exit_code == code
        assert "the plan does not hold" in done.output, "what cannot be seen is said"


def test_a_stand_in_that_reads_no_account_is_not_run_and_never_no_drift(monkeypatch: pytest.MonkeyPatch) -> None:
    from curtilage.errors import NotRunError
    from curtilage.plugins import STANDIN, Plugin
    from curtilage.region import load_region

    class Blind:
        plugins = (Plugin("aws", STANDIN, None),)

        def __init__(self, region: object) -> None:
            """Take a region as the engine does."""

        def refreshed(self) -> list[dict[str, Any]]:
            raise AssertionError("it must not be asked")

    monkeypatch.setattr(verb, "Engine", Blind)
    with pytest.raises(NotRunError, match="reads no account"):
        verb.look(load_region("de-frankfurt"))
