"""If this fails, a role writes something that its reader does not take, for a region that no lab here is shaped like."""

from __future__ import annotations

import json
import posixpath
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

from curtilage.derive.inventory import inventory
from curtilage.gateway.config import load_config
from curtilage.paths import CHECKOUT
from curtilage.region import load_region
from curtilage.vendor_models import Task, stands_for

ROLES = CHECKOUT / "ansible" / "roles"


def written(template: str, **given: Any) -> str:
    """A role's file as Ansible writes it."""
    environment = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701 - not HTML
    environment.filters |= {"dirname": posixpath.dirname, "to_json": json.dumps}
    return environment.from_string((ROLES / template).read_text(encoding="utf-8")).render(**given)


def shared(name: str) -> dict[str, Any]:
    found: dict[str, Any] = inventory(load_region(name))["all"]["vars"]
    return found


@pytest.mark.parametrize(("name", "racks"), [("ch-zurich", True), ("lab", False)])
def test_a_host_is_scraped_with_its_rack_where_it_names_one(name: str, racks: bool) -> None:
    targets = shared(name)["curtilage_hosts"]
    scraped = yaml.safe_load(written("monitoring/templates/prometheus.yml.j2", monitoring_targets=targets, monitoring_port=9100))
    labels = [item["labels"] for item in scraped["scrape_configs"][0]["static_configs"]]
    assert len(labels) == len(targets)
    assert all(("rack" in item) is racks for item in labels)


def test_the_checker_is_given_both_texts_and_the_resolvers_reload() -> None:
    unit = written(
        "gateway/templates/curtilage-answers.service.j2",
        gateway_answers_own="/etc/unbound/answers-own.conf",
        gateway_answers_others="/etc/unbound/answers-others.conf",
        gateway_answers_link="/var/lib/unbound/answers.conf",
        gateway_listen_addresses=["10.41.0.21"],
        gateway_port=443,
        gateway_names={"b.example": "any", "a.example": "any"},
        gateway_textfile="/var/lib/prometheus/node-exporter/curtilage_gateway.prom",
    )
    command = unit.split("ExecStart=")[1].split("\nRestart=")[0].replace("\\\n", " ").split()
    assert command[0] == "/usr/local/lib/curtilage/answer-by-health"
    assert command[command.index("--link") + 1] == "/var/lib/unbound/answers.conf"
    assert command[command.index("--name") + 1] == "a.example"
    assert command[command.index("--") + 1 :] == ["/usr/sbin/unbound-control", "-c", "/etc/unbound/unbound.conf", "reload"]
    assert "ReadWritePaths=/var/lib/unbound /var/lib/prometheus/node-exporter" in unit
    assert "User=unbound" in unit


@pytest.mark.parametrize("tasks", [{}, {"lab-embed": "embed"}], ids=["one model", "one that embeds beside it"])
def test_the_gateway_takes_what_it_is_told_of_models_and_their_tasks(tasks: dict[str, str], tmp_path: Path) -> None:
    models = stands_for({"lab-mistral": Task.GENERATE, **{name: Task(task) for name, task in tasks.items()}})
    (tmp_path / "gateway.yaml").write_text(
        written(
            "gateway/templates/gateway.yaml.j2",
            gateway_listen_addresses=["192.0.2.21"],
            gateway_port=443,
            gateway_names={"api.openai.com": "openai"},
            gateway_upstreams=["http://192.0.2.11:8000"],
            gateway_models=models,
            gateway_tasks=tasks,
            gateway_region_name="lab",
            gateway_region_jurisdiction="DE",
            gateway_textfile="/var/lib/prometheus/node-exporter/curtilage_gateway.prom",
            gateway_evidence_url="https://192.0.2.41:8443/",
        )
    )
    config = load_config(tmp_path / "gateway.yaml")
    assert (config.models, config.tasks) == (models, tasks)
