"""``curtilage alerts REGION``: what the region's own Prometheus says, asked over the operator's way in; it has no port in the segment."""

from __future__ import annotations

import json
from typing import Any

import typer

from curtilage.allowance import Role
from curtilage.commands.reach import Reach, reach
from curtilage.derive.monitoring import rule_groups
from curtilage.errors import ConfigError
from curtilage.output import print_json, stdout
from curtilage.region import Platform, Region, load_region
from curtilage.verdict import Verdict

app = typer.Typer()

ASK = """
import json, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
ask = lambda what: json.load(opener.open("http://127.0.0.1:9090/api/v1/" + what, timeout=20))["data"]
print(json.dumps({what: ask(what) for what in ("rules", "targets", "alerts")}))
"""


@app.command("alerts", epilog="Example: curtilage alerts lab --json")
def run(
    region: str = typer.Argument(help="Region name, as in stacks/Pulumi.<region>.yaml."),
    json_output: bool = typer.Option(False, "--json", help="Print one JSON document."),
) -> None:
    """What fires now. Exit 1 when somebody has to get up (severity page), or when something is not watched that should be."""
    found = load_region(region)
    if found.platform is not Platform.HOSTS:
        raise ConfigError(
            f"{region} is on platform {found.platform.value}",
            rule="a cluster's Prometheus is the site's own",
            fix="ask it; the rules are in the PrometheusRule 'curtilage'",
        )
    answer = asked(found, reach(found))
    verdict = Verdict.FAIL if answer["unwatched"] or any(one["severity"] == "page" for one in answer["firing"]) else Verdict.PASS
    if json_output:
        print_json(answer | {"verdict": str(verdict), "region": found.name})
    else:
        for one in answer["firing"]:
            stdout.print(f"  {one['severity']}: {one['alert']}: {one['summary']}, since {one['since'][:19]}", markup=False)
        for what in answer["unwatched"]:
            stdout.print(f"  not watched: {what}", markup=False)
        stdout.print(f"alerts: {verdict}: {len(answer['firing'])} firing, {answer['rules']} rules", markup=False)
    raise typer.Exit(verdict.exit_code)


def asked(region: Region, where: Reach) -> dict[str, Any]:
    """What fires, and what is not watched: rules of the region that are not loaded or fail, hosts that are no target."""
    host = region.hosts_by_role(Role.EVIDENCE)[0].name
    told = json.loads(where.run(host, ["python3", "-c", ASK], step="alerts"))
    rules = {rule["name"]: rule for group in told["rules"]["groups"] for rule in group["rules"]}
    wanted = {rule.get("alert") or rule["record"] for group in rule_groups(region) for rule in group["rules"]}
    targets = {target["labels"]["host"] for target in told["targets"]["activeTargets"]}
    return {
        "rules": len(rules),
        "firing": [_shown(alert) for alert in told["alerts"]["alerts"] if alert["state"] == "firing"],
        "unwatched": [
            *(f"rule {name} is not loaded" for name in sorted(wanted - rules.keys())),
            *(f"rule {name} fails: {rule['lastError']}" for name, rule in sorted(rules.items()) if rule["health"] == "err"),
            *(f"host {name} is no target" for name in sorted({one.name for one in region.hosts} - targets)),
        ],
    }


def _shown(alert: dict[str, Any]) -> dict[str, str]:
    labels = dict(alert["labels"])
    return {
        "alert": labels.pop("alertname"),
        "severity": labels.pop("severity"),
        "host": labels.get("host", ""),
        "summary": alert["annotations"]["summary"],
        "since": alert["activeAt"],
        "labels": " ".join(f"{name}={value}" for name, value in sorted(labels.items())),
    }
