"""``curtilage region new``: writes the one file that a new region is.

What it writes is parsed by the region's own rules before it is put in place: a site that the law on record does not allow, a card that the
platform lacks or a network that is not private is refused and nothing is written.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from curtilage.errors import ConfigError
from curtilage.jurisdiction import load_jurisdiction
from curtilage.output import print_json, progress
from curtilage.paths import CHECKOUT
from curtilage.region import Platform, Region, load_region
from curtilage.region_aws import FAMILIES
from curtilage.vendors import EXACT

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

HOST_NODES = range(2, 5)
_NAME = re.compile(r"[a-z][a-z0-9-]{0,38}[a-z0-9]")
INTERCEPT = sorted(EXACT)
_SIZES = {"g5": "4xlarge", "g6": "4xlarge", "g6e": "2xlarge", "p4d": "24xlarge", "p4de": "24xlarge", "p5": "4xlarge", "p5e": "48xlarge"}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a person decides about a new region."""

    name: str
    jurisdiction: str
    platform: Platform
    site: str
    owner: str
    cost_centre: str
    network: str
    card: str
    nodes: int
    model: str
    context: str | None
    account: str | None
    organisation: str | None
    instance: str | None
    principals: tuple[str, ...]
    administrators: tuple[str, ...]


@app.callback()
def group() -> None:
    """New regions."""


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="The region's name: stacks/Pulumi.<name>.yaml.")],
    jurisdiction: Annotated[str | None, typer.Option(help="Whose law holds: a code of curtilage/jurisdictions/.")] = None,
    platform: Annotated[Platform | None, typer.Option(help="What it runs on.")] = None,
    site: Annotated[str | None, typer.Option(help="AWS region, or country of the data centre; must lie in the jurisdiction.")] = None,
    owner: Annotated[str | None, typer.Option(help="Who answers for it.")] = None,
    cost_centre: Annotated[str | None, typer.Option(help="Who pays.")] = None,
    network: Annotated[str | None, typer.Option(help="The segment's private IPv4 network.")] = None,
    card: Annotated[str | None, typer.Option(help="GPU model.")] = None,
    nodes: Annotated[int, typer.Option(help="GPU nodes, 2 to 4.")] = 2,
    model: Annotated[str, typer.Option(help="A model of model_images/.")] = "mistral-7b-instruct",
    context: Annotated[str | None, typer.Option(help="kubernetes: the kubeconfig context; never the default one.")] = None,
    account: Annotated[str | None, typer.Option(help="aws: the account's number.")] = None,
    organisation: Annotated[str | None, typer.Option(help="aws: the organisation's id, o-...")] = None,
    instance: Annotated[str | None, typer.Option(help="aws: type of the GPU machines; default: a small one.")] = None,
    principal: Annotated[list[str] | None, typer.Option(help="aws: ARN that may connect on the CRM side; repeat.")] = None,
    administrator: Annotated[list[str] | None, typer.Option(help="aws: role ARN that administers the cluster; repeat.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and print the file, write nothing.")] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Write a new region's file, or refuse it and write nothing. What no flag says is asked for on a terminal.

    Example: curtilage region new fr-lyon --jurisdiction FR --platform kubernetes --site FR --owner 'Direction juridique' --cost-centre
    legal-fr --network 10.70.0.0/16 --card L40S --context fr-lyon-legal
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f"name '{name}'", rule="a region's name is lower-case letters, digits and dashes", fix="for example de-munich")
    where = CHECKOUT / "stacks" / f"Pulumi.{name}.yaml"
    if where.exists():
        raise ConfigError(
            f"region '{name}' is there already", rule="a new region is a new file", fix="choose another name", file=str(where.name)
        )
    law = _given(jurisdiction, "jurisdiction")
    on = platform or _platform(_given(None, "platform"))
    _refuse_others(on, {"context": (context, Platform.KUBERNETES), "account": (account, Platform.AWS)})
    _refuse_others(on, {"organisation": (organisation, Platform.AWS), "instance": (instance, Platform.AWS)})
    aws, cluster = on is Platform.AWS, on is Platform.KUBERNETES
    wanted = Wanted(
        name=name,
        jurisdiction=load_jurisdiction(law).code,
        platform=on,
        site=_given(site, "site"),
        owner=_given(owner, "owner"),
        cost_centre=_given(cost_centre, "cost-centre"),
        network=_given(network, "network"),
        card=_given(card, "card"),
        nodes=nodes,
        model=model,
        context=_given(context, "context") if cluster else None,
        account=_given(account, "account") if aws else None,
        organisation=_given(organisation, "organisation") if aws else None,
        instance=instance,
        principals=tuple(principal or ([_given(None, "principal")] if aws else [])),
        administrators=tuple(administrator or ([_given(None, "administrator")] if aws else [])),
    )
    text = scaffold(wanted)
    region = checked(name, text)
    if dry_run:
        progress(f"{where.relative_to(CHECKOUT)} is right; nothing was written")
    else:
        write(where, text)
        progress(f"wrote {where.relative_to(CHECKOUT)}; next: curtilage plan {name}, then python tools/update_goldens.py")
    if json_output:
        print_json({"file": str(where.relative_to(CHECKOUT)), "written": not dry_run, "region": region.document()})
    elif dry_run:
        typer.echo(text, nl=False)


def scaffold(wanted: Wanted) -> str:
    """The file's text.

    Raises:
        ConfigError: the network is none, or too small.
    """
    region: dict[str, Any] = {
        "name": wanted.name,
        "jurisdiction": wanted.jurisdiction,
        "platform": wanted.platform.value,
        "site": wanted.site,
        "owner": wanted.owner,
        "cost_centre": wanted.cost_centre,
        "segments": {"legal": {"ipv4": wanted.network, "ipv6": "none"}},
        "gateway": {"intercept": list(INTERCEPT)},
        "models": [{"name": wanted.model, "manifest": f"model_images/{wanted.model}/manifest.yaml", "image": None, "weights": None}],
        "allowances": [],
    }
    match wanted.platform:
        case Platform.HOSTS:
            region |= _hosts(wanted, region["segments"]["legal"])
        case Platform.KUBERNETES:
            gpu = {"card": wanted.card, "nodes": wanted.nodes}
            region["kubernetes"] = {"context": wanted.context, **_cluster(wanted, "cilium", "10.255.0.0/24"), "gpu": gpu}
        case Platform.AWS:
            region["aws"] = _aws(wanted)
            region["kubernetes"] = _cluster(wanted, "aws-vpc-cni", wanted.network)
    head = (
        "# Written by `curtilage region new`. Images and weights are not imported yet: the region can be previewed, and `up` refuses it.\n"
    )
    return head + yaml.safe_dump({"config": {"curtilage:region": region}}, sort_keys=False, allow_unicode=True, width=120)


def checked(name: str, text: str) -> Region:
    """The region that a file of this text would be.

    Raises:
        ConfigError: a rule forbids it.
    """
    with tempfile.TemporaryDirectory(prefix="curtilage-region-") as directory:
        path = Path(directory) / f"Pulumi.{name}.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            region = load_region(path)
        except ConfigError as error:
            raise ConfigError(error.given, rule=error.rule, fix=error.fix, file=f"stacks/{path.name}", key=error.key) from error
    if not (CHECKOUT / region.models[0].manifest).is_file():
        known = sorted(item.parent.name for item in (CHECKOUT / "model_images").glob("*/manifest.yaml"))
        raise ConfigError(
            f"no model '{region.models[0].name}'", rule="a model is in the catalogue", fix=f"use one of {', '.join(known)}", key="models"
        )
    return region


def write(where: Path, text: str) -> None:
    """Put the file in place, whole or not at all, and never over another.

    Raises:
        ConfigError: someone else wrote it meanwhile.
    """
    descriptor, temporary = tempfile.mkstemp(dir=where.parent, prefix=".region-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(temporary).chmod(0o644)
        os.link(temporary, where)
    except FileExistsError as error:
        raise ConfigError("the file is there already", rule="a new region is a new file", fix="choose another name", file=where) from error
    finally:
        Path(temporary).unlink(missing_ok=True)


def _given(value: str | None, flag: str) -> str:
    if value is not None:
        return value
    if not sys.stdin.isatty():
        raise ConfigError(f"no --{flag}", rule="a region states what it is; nothing is guessed", fix=f"add --{flag}")
    return str(typer.prompt(flag.replace("-", " "), err=True))


def _refuse_others(platform: Platform, flags: dict[str, tuple[str | None, Platform]]) -> None:
    for flag, (value, home) in flags.items():
        if value is not None and home is not platform:
            raise ConfigError(f"--{flag} on {platform}", rule="each platform has its own keys", fix=f"leave --{flag} out")


def _platform(text: str) -> Platform:
    try:
        return Platform(text)
    except ValueError:
        raise ConfigError(f"platform '{text}'", rule="a platform is one of ours", fix=f"use {', '.join(Platform)}") from None


def _network(text: str) -> Any:
    try:
        found = ip_network(text)
    except ValueError as error:
        raise ConfigError(f"network {error}", rule="a network without host bits", fix="for example 10.70.0.0/16", key="segments") from None
    if found.version != 4 or found.num_addresses < 64:
        raise ConfigError(f"network {found}", rule="an IPv4 network of at least a /26", fix="for example 10.70.0.0/16", key="segments")
    return found


def _hosts(wanted: Wanted, segment: dict[str, Any]) -> dict[str, Any]:
    network = _network(wanted.network)
    if wanted.nodes not in HOST_NODES:
        raise ConfigError(f"{wanted.nodes} gpu hosts", rule="a region has 2 to 4 GPU nodes", fix="--nodes 2", key="hosts")
    segment["router_ipv4"] = str(network[1])

    def host(name: str, role: str, offset: int, **more: str) -> dict[str, Any]:
        return {"name": name, "role": role, "segment": "legal", "ipv4": str(network[offset]), **more}

    gpus = [host(f"gpu-{number}", "gpu", 10 + number, card=wanted.card) for number in range(1, wanted.nodes + 1)]
    rest = [host("gw-1", "gateway", 21), host("gw-2", "gateway", 22), host("crm-1", "crm", 31), host("evidence-1", "evidence", 41)]
    return {"hosts": gpus + rest, "operators": [{"name": "jump-1", "ipv4": str(network[5])}]}


def _cluster(wanted: Wanted, enforcer: str, crm: str) -> dict[str, Any]:
    own = _network(wanted.network)
    services = "172.20.0.0/16" if not ip_network("172.20.0.0/16").overlaps(own) else "10.254.0.0/16"
    registry = f"{wanted.account}.dkr.ecr.{wanted.site}.amazonaws.com" if wanted.account else "registry.legal.internal"
    return {
        "enforcer": enforcer,
        "cluster_network_policy": enforcer == "cilium",
        "services": [services],
        "registry": registry,
        "curtilage_image": None,
        "crm_networks": [crm],
        "groups": {"operators": "legal-operators", "releasers": "legal-releasers", "auditors": "legal-auditors"},
        "storage_class": "legal-block",
        "models_storage_class": "legal-shared",
    }


def _aws(wanted: Wanted) -> dict[str, Any]:
    family = next((family for family, card in FAMILIES.items() if card == wanted.card), "")
    if not family:
        known = ", ".join(dict.fromkeys(FAMILIES.values()))
        raise ConfigError(f"card '{wanted.card}'", rule=f"on aws a card is one of {known}", fix="name one of them", key="aws.gpu.card")
    instance = wanted.instance or f"{family}.{_SIZES.get(family, '')}"
    return {
        "account": wanted.account,
        "organisation": wanted.organisation,
        "zones": [f"{wanted.site}{letter}" for letter in "abc"],
        "gpu": {"card": wanted.card, "instance": instance, "nodes": wanted.nodes},
        "crm_principals": list(wanted.principals),
        "administrators": list(wanted.administrators),
        "device_plugin_image": None,
    }
