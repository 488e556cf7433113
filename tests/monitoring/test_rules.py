"""If one of these fails, an alert stays silent when somebody should get up, or cries when nobody should."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from curtilage.derive.monitoring import LAG, Advisory, Alert, rule_file, rule_groups, watched
from curtilage.derive.monitoring import dashboard as dashboard_of
from curtilage.paths import CHECKOUT
from curtilage.region import Platform, Region, load_region

REGIONS = {Platform.HOSTS: "ch-zurich", Platform.KUBERNETES: "fr-paris"}
CASES: dict[str, dict[str, list[dict[str, str]]]] = yaml.safe_load(Path(__file__).with_name("cases.yaml").read_text())
AT_SECONDS = 40 * 60
"""When a case is judged: later than every hold, and with an hour's rates well under way."""


def run(promtool: Path, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(promtool), *words], cwd=cwd, capture_output=True, text=True, check=False, timeout=120)


def judged(promtool: Path, directory: Path, region: Region, tests: list[dict[str, Any]], rules: str | None = None) -> str:
    """What promtool finds wrong with these tests; empty when nothing is."""
    (directory / "rules.yml").write_text(rule_file(region) if rules is None else rules)
    (directory / "tests.yml").write_text(yaml.safe_dump({"rule_files": ["rules.yml"], "evaluation_interval": "15s", "tests": tests}))
    done = run(promtool, "test", "rules", "tests.yml", cwd=directory)
    said = "\n".join(line for line in (done.stdout + done.stderr).splitlines() if line.strip())
    return "" if done.returncode == 0 else said


def expecting(alert: str, series: dict[str, str], replica: str, *firing: tuple[int, bool]) -> dict[str, Any]:
    """A promtool test: at each time, whether the alert fires."""
    return {
        "name": alert,
        "interval": "15s",
        "input_series": [{"series": name.replace("$replica", f'{replica}="one"'), "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f'min by (alertname) (ALERTS{{alertname="{alert}",alertstate="firing"}})',
                "eval_time": f"{seconds}s",
                "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1}] if fires else [],
            }
            for seconds, fires in firing
        ],
    }


def hold_seconds(alert: Alert) -> int:
    return 0 if alert.hold is None else int(alert.hold[:-1]) * {"s": 1, "m": 60, "h": 3600}[alert.hold[-1]]


def judgements(alert: Alert, platform: Platform) -> list[dict[str, Any]]:
    replica = "host" if platform is Platform.HOSTS else "pod"
    held = hold_seconds(alert)
    early = [(held // 2, False)] if held else []
    return [
        *(expecting(alert.alert, series, replica, *early, (AT_SECONDS, True)) for series in CASES[alert.alert]["fires"]),
        *(expecting(alert.alert, series, replica, *early, (AT_SECONDS, False)) for series in CASES[alert.alert]["silent"]),
    ]


def alerts_on(platform: Platform) -> list[Alert]:
    return [alert for alert in watched().alerts if platform in alert.platforms]


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_must_not() -> None:
    assert set(CASES) == {alert.alert for alert in watched().alerts}
    assert all(case["fires"] and case["silent"] for case in CASES.values())


@pytest.mark.parametrize("platform", REGIONS)
def test_each_alert_fires_after_its_hold_and_in_no_other_case(platform: Platform, promtool: Path, tmp_path: Path) -> None:
    tests = [test for alert in alerts_on(platform) for test in judgements(alert, platform)]
    assert judged(promtool, tmp_path, load_region(REGIONS[platform]), tests) == ""


@pytest.mark.parametrize("alert", watched().alerts, ids=lambda alert: alert.alert)
def test_an_alert_that_was_taken_out_is_missed(alert: Alert, promtool: Path, tmp_path: Path) -> None:
    platform = next(one for one in REGIONS if one in alert.platforms)
    region = load_region(REGIONS[platform])
    groups = rule_groups(region)
    groups[0]["rules"] = [rule for rule in groups[0]["rules"] if rule.get("alert") != alert.alert]
    said = judged(promtool, tmp_path, region, judgements(alert, platform), yaml.safe_dump({"groups": groups}))
    assert said.count("time: 40m") == len(CASES[alert.alert]["fires"]), said


@pytest.mark.parametrize("platform", REGIONS)
def test_prometheus_takes_the_rules_and_every_panels_expression(platform: Platform, promtool: Path, tmp_path: Path) -> None:
    region = load_region(REGIONS[platform])
    panels = json.loads(dashboard_of(region))["panels"]
    shown = [{"record": f"panel:{panel['id']}", "expr": target["expr"]} for panel in panels for target in panel["targets"]]
    (tmp_path / "rules.yml").write_text(rule_file(region))
    (tmp_path / "panels.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": shown}]}))
    done = run(promtool, "check", "rules", "rules.yml", "panels.yml", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(panels) >= 8


def test_the_lab_differs_in_how_long_it_waits_and_in_nothing_else() -> None:
    lab, site = (rule_groups(load_region(name))[0]["rules"] for name in ("lab", "ch-zurich"))
    plain = [[{**rule, "for": None, "labels": None, "expr": rule["expr"].replace("20s", "2m")} for rule in rules] for rules in (lab, site)]
    assert plain[0] == plain[1]


def test_an_allowance_ends_with_its_last_day_and_an_advisory_keeps_its_date(promtool: Path, tmp_path: Path) -> None:
    region = load_region("ch-zurich")
    allowed = region.model_copy(update={"allowances": (_allowance(),)})
    advisory = Advisory(advisory="PYSEC-0-1", package="example", severity="high", published_seconds=1_700_000_000)
    tests = [
        {
            "interval": "15s",
            "promql_expr_test": [
                # 2099-02-01T00:00:00Z: the allowance holds through January's last day.
                _sample("curtilage_allowance_ends_seconds", {"allowance": "a-partner", "owner": "Somebody"}, 4073587200),
                _sample(
                    "curtilage_advisory_published_seconds",
                    {"advisory": "PYSEC-0-1", "package": "example", "severity": "high"},
                    1_700_000_000,
                ),
                _sample("curtilage_advisories_newest_seconds", {}, 1_800_000_000),
            ],
        }
    ]
    assert judged(promtool, tmp_path, region, tests, rule_file(allowed, [advisory], 1_800_000_000)) == ""


def _sample(name: str, labels: dict[str, str], value: int) -> dict[str, Any]:
    shown = ",".join(f'{key}="{text}"' for key, text in labels.items())
    return {"expr": name, "eval_time": "1m", "exp_samples": [{"labels": f"{name}{{{shown}}}", "value": value}]}


def _allowance() -> Any:
    from curtilage.allowance import Allowance

    return Allowance.model_validate(
        {
            "id": "a-partner",
            "destination": "203.0.113.9/32",
            "protocol": "tcp",
            "ports": [443],
            "from_role": "gateway",
            "owner": "Somebody",
            "reason": "a reason that is long enough",
            "expires": "2099-01-31",
        }
    )


def test_every_alert_has_its_row_for_who_is_called_at_night() -> None:
    text = (CHECKOUT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    rows = {name.strip() for line in text.splitlines() if line.startswith("| ") for name in line.split("|")[1].split(",")}
    assert {alert.alert for alert in watched().alerts} <= rows


def test_the_objectives_in_the_list_are_those_of_the_rules() -> None:
    objectives = watched().objectives
    expressions = {alert.alert: alert.expr for alert in watched().alerts}
    assert f"> 14.4 * {round(1 - objectives.calls_answered_share, 4):g}" in expressions["CallsFail"]
    assert expressions["FirstTokenLate"].endswith(f"> {objectives.first_token_seconds:g}")
    assert objectives.witnessed_seconds == 120
    assert LAG == "2m"
