"""``curtilage prove``: whether anything can leave, for a ruleset, for a packet, for a region."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import orjson
import typer
from pydantic import BaseModel, ValidationError

from curtilage.derive.kubernetes.manifests import manifests as manifests_of
from curtilage.errors import ConfigError
from curtilage.output import print_json, progress
from curtilage.proof import aws, kubernetes
from curtilage.proof.allowed import Allowed, Network
from curtilage.proof.decide import Model, prove
from curtilage.proof.hostflows import host_table
from curtilage.proof.kernel import KernelLacksError
from curtilage.proof.kubernetes.build import build, legal_namespaces
from curtilage.proof.kubernetes.flows import Flow, Flows
from curtilage.proof.kubernetes.objects import Manifests, make_object
from curtilage.proof.kubernetes.table import table
from curtilage.proof.packet import Packet
from curtilage.proof.plans import prove_whole
from curtilage.proof.regions import allowed_of, prove_host, prove_region
from curtilage.proof.report import text
from curtilage.region import Platform, Region, load_region
from curtilage.verdict import Verdict, worst

DEFAULT_REGION = "lab"
Line = TypeVar("Line", bound=BaseModel)

app = typer.Typer(
    help="Decide whether anything can leave: rulesets, plans, manifests, regions; packets and flows one by one.",
    epilog="Examples: curtilage prove --nft /etc/nftables.conf --segment 192.0.2.0/24 --segment 2001:db8:1::/64 --json;"
    " curtilage prove --manifests rendered/ --namespace legal; kubectl get ns,all,cm,netpol -A -o json | curtilage prove --manifests -",
    rich_markup_mode=None,
)

NftFile = Annotated[Path | None, typer.Option("--nft", metavar="FILE", help="An nftables ruleset, as `nft -f` reads it.")]
Manifest = Annotated[
    list[Path] | None,
    typer.Option("--manifests", metavar="PATH", help="Kubernetes manifests: a file, a directory, or - for standard input; YAML or JSON."),
]
Links = Annotated[
    list[str] | None, typer.Option("--uplink", metavar="LINK", help="A link packets leave by; default: those the ruleset names.")
]


@app.callback(invoke_without_command=True)
def prove_command(
    context: typer.Context,
    nft: NftFile = None,
    region: Annotated[
        str | None, typer.Option("--region", help=f"Region whose segments and allowances hold; default {DEFAULT_REGION}.")
    ] = None,
    host: Annotated[str | None, typer.Option("--host", help="The host that runs the ruleset.")] = None,
    segment: Annotated[
        list[str] | None, typer.Option("--segment", metavar="CIDR", help="A network packets may go to, instead of a region's.")
    ] = None,
    uplink: Links = None,
    raw_frames: Annotated[bool, typer.Option(help="Whether processes may open packet sockets.")] = True,
    plan: Annotated[
        Path | None,
        typer.Option("--plan", metavar="FILE", help="A plan, of AWS or Kubernetes: what `pulumi preview --json --show-sames` prints."),
    ] = None,
    state: Annotated[Path | None, typer.Option("--state", metavar="FILE", help="A state: what `pulumi stack export` prints.")] = None,
    manifests: Manifest = None,
    namespace: Annotated[
        list[str] | None,
        typer.Option("--namespace", metavar="NAME", help="A namespace of the legal segment; default: all of the manifests but kube-*."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Prove a ruleset, a plan or state, or Kubernetes manifests (--region then adds its allowances), or else what a region derives.

    Ends with 0 PASS, 1 FAIL (with a packet that leaves and its path), 3 NOT_PROVEN (something the model does not decide).
    """
    if context.invoked_subcommand is not None:
        return
    if manifests:
        if plan or state or nft or host or uplink:
            raise ConfigError(
                "--manifests with another subject", rule="a proof has one subject", fix="name one; --region and --segment may stand beside"
            )
        _prove_manifests(manifests, load_region(region) if region else None, segment or [], namespace or [], as_json=as_json)
        return
    if namespace and plan is None and state is None:
        raise ConfigError("--namespace without manifests", rule="it says which of them are legal", fix="add --manifests, --plan or --state")
    if plan is not None or state is not None:
        if (plan and state) or nft or segment or host or uplink:
            raise ConfigError(
                "--plan or --state with another subject", rule="a proof has one subject", fix="name one; --region may stand beside"
            )
        _prove_plan(plan, state, load_region(region) if region else None, namespace or [], as_json=as_json)
        return
    if nft is None:
        if segment or host:
            raise ConfigError("no --nft FILE", rule="--segment and --host say what a ruleset is measured by", fix="name the ruleset")
        if region is None:
            raise ConfigError(
                "nothing to prove",
                rule="a proof has a subject: a ruleset, a plan, manifests or a region",
                fix="add --nft, --plan, --state, --manifests or --region",
            )
        _prove_region(load_region(region), as_json=as_json)
        return
    ruleset = _read(nft)
    if segment:
        if region or host:
            raise ConfigError("--segment with --region or --host", rule="one source says where packets may go", fix="drop one")
        allowed = Allowed(segment="given", networks=tuple(_network(item) for item in segment))
        result = prove(ruleset, allowed, subject=str(nft), file=nft, uplinks=tuple(uplink or ()), raw_frames=raw_frames)
    else:
        found = load_region(region or DEFAULT_REGION)
        if region is None:
            progress(f"no --segment: measured by the segments and allowances of region {DEFAULT_REGION}")
        machine = None
        if host is not None:
            try:
                machine = found.host(host)
            except KeyError:
                names = ", ".join(item.name for item in found.hosts)
                raise ConfigError(f"host '{host}'", rule=f"region {found.name} has {names}", fix="name one of them") from None
        if machine is not None and not uplink and raw_frames:
            result = prove_host(found, machine, ruleset)
        else:
            allowed = allowed_of(found, machine)
            result = prove(ruleset, allowed, subject=str(nft), file=nft, uplinks=tuple(uplink or ()), raw_frames=raw_frames)
    if as_json:
        print_json(result.document())
    else:
        typer.echo(text(result))
    raise typer.Exit(result.verdict.exit_code)


@app.command("packets", epilog="Example: curtilage prove packets --nft /etc/nftables.conf --packets packets.jsonl")
def packets_command(
    nft: Annotated[Path, typer.Option("--nft", metavar="FILE", help="An nftables ruleset.")],
    packets: Annotated[
        Path,
        typer.Option(
            "--packets", metavar="FILE", help="One JSON object a line; `curtilage.proof.packet` documents it; - is standard input."
        ),
    ],
    uplink: Links = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say on stderr by which rule.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of lines.")] = False,
) -> None:
    """Decide packets one by one: a line each, `allow`, `deny` or `not_proven`.

    A packet: {"hook": "output|forward|input|egress", "family": "ipv4|ipv6|arp", "protocol": "tcp", "source": "...", "destination": "...",
    "sport": 40000, "dport": 443, "iif": "...", "oif": "...", "state": "new|established|related|invalid|untracked",
    "direction": "original|reply", "icmp_type": 8, "icmp_code": 0, "tcp_flags": ["syn"], "fragment": false}. All but the destination have
    defaults: a new TCP packet that this host sends by its uplink. Ends with 0 when every packet was answered, whatever the answers.
    """
    parsed = _objects(packets, Packet, "a packet as `curtilage prove packets --help` describes it")
    model, lacks = None, ""
    try:
        model = Model.of(_read(nft), file=nft, uplinks=tuple(uplink or ()))
    except KernelLacksError as lacking:
        lacks = f"this kernel has no '{lacking.statement}'"
    verdicts = []
    for packet in parsed:
        verdict, trace, reasons = model.evaluate(packet) if model else ("not_proven", [], [lacks])
        verdicts.append({"id": packet.id, "verdict": verdict, "path": [str(step) for step in trace], "reasons": reasons})
        if explain:
            progress(f"{verdict}: {'; '.join([*map(str, trace), *reasons]) or 'no base chain is in its way'}")
    if as_json:
        print_json({"verdicts": verdicts})
    else:
        for item in verdicts:
            typer.echo(item["verdict"])


@app.command(
    "flows", epilog="Example: curtilage prove flows --manifests rendered/ --flows flows.jsonl; without --flows: a table of what is allowed"
)
def flows_command(
    manifests: Manifest = None,
    plan: Annotated[
        Path | None, typer.Option("--plan", metavar="FILE", help="A plan with Kubernetes objects, or a state, in place of manifests.")
    ] = None,
    region: Annotated[
        str | None, typer.Option("--region", help="What a region derives: its cluster's objects, or, as a table, its hosts' rulesets.")
    ] = None,
    flows: Annotated[
        Path | None, typer.Option("--flows", metavar="FILE", help="One JSON object a line; - is standard input. Default: a table of all.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say on stderr by which rule.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of lines.")] = False,
) -> None:
    """Decide connections one by one, as Kubernetes specifies its policies: a line each, `allow`, `deny` or `not_proven`.

    A flow: {"id": "1", "source": "x/a", "destination": "y/b", "protocol": "TCP", "port": 80}. An end is namespace/pod (a pod, a workload or
    a pod that a workload makes), an address, or {"namespace": "x", "labels": {"app": "a"}}, {"ip": "203.0.113.9"}, or, as a destination,
    {"namespace": "x", "service": "web"}. A port may be a name. Ends with 0 when every flow was answered, whatever the answers.
    """
    if sum(item is not None for item in (manifests or None, plan, region)) != 1:
        raise ConfigError(
            "none or several of --manifests, --plan and --region", rule="flows are decided in one cluster or region", fix="name one of them"
        )
    of_region = load_region(region) if region else None
    if of_region is not None and of_region.kubernetes is None:
        if flows is not None:
            raise ConfigError(
                f"--flows for region {region}, which is on hosts",
                rule="hosts are asked packet by packet",
                fix="use `curtilage prove packets --nft FILE --packets FILE`, or leave --flows out for the table",
            )
        _show_table(host_table(of_region), as_json=as_json)
        return
    parsed = _objects(flows, Flow, "a flow as `curtilage prove flows --help` describes it") if flows else None
    if of_region is not None:
        found = _derived(of_region)
    else:
        found = kubernetes.from_plan(aws.read_plan(plan)) if plan else kubernetes.read_manifests(*(manifests or []))
    cluster = build(found, legal_namespaces(found))
    for id, about, what, where in cluster.gaps:
        progress(f"{id} {about}: {what} ({where})")
    if parsed is None:
        _show_table(table(cluster), as_json=as_json)
        return
    asked = Flows(cluster)
    verdicts = []
    for flow in parsed:
        answer = asked.answer(flow)
        verdicts.append({"id": flow.id, "verdict": answer.verdict, "path": list(answer.path), "reasons": list(answer.reasons)})
        if explain:
            progress(f"{answer.verdict}: {'; '.join([*answer.path, *answer.reasons])}")
    if as_json:
        print_json({"verdicts": verdicts})
    else:
        for item in verdicts:
            typer.echo(item["verdict"])


def _show_table(rows: list[dict[str, str]], *, as_json: bool) -> None:
    if as_json:
        print_json({"flows": rows})
        return
    for row in rows:
        typer.echo("\t".join(row[key] for key in ("verdict", "source", "destination", "protocol", "ports", "family") if key in row))


def _derived(region: Region) -> Manifests:
    found = [make_object(item, f"{part} of region {region.name}") for part, items in manifests_of(region).items() for item in items]
    digest = "sha256:" + hashlib.sha256(orjson.dumps([item.body for item in found], option=orjson.OPT_SORT_KEYS)).hexdigest()
    return Manifests(tuple(found), digest)


def _prove_manifests(paths: list[Path], region: Region | None, segments: list[str], namespaces: list[str], *, as_json: bool) -> None:
    if region is not None and region.kubernetes is None:
        raise ConfigError(
            f"--region {region.name}, which is on {region.platform}",
            rule="manifests are judged by the segments and allowances of a region that has a cluster",
            fix="name the manifests' own region, or none",
        )
    scope = kubernetes.Scope.of(region, tuple(namespaces)) if region else kubernetes.Scope(namespaces=tuple(namespaces))
    scope = replace(scope, networks=(*scope.networks, *map(_network, segments)))
    proof = kubernetes.prove_manifests(kubernetes.read_manifests(*paths), scope, subject=", ".join(map(str, paths)))
    if as_json:
        print_json(proof.document())
    else:
        typer.echo(text(proof))
    raise typer.Exit(proof.verdict.exit_code)


def _prove_plan(preview: Path | None, state: Path | None, region: Region | None, namespaces: list[str], *, as_json: bool) -> None:
    plan = aws.read_plan(preview, "preview") if preview else aws.read_plan(state or Path(), "state")
    proof = prove_whole(plan, region, tuple(namespaces))
    if as_json:
        print_json(proof.document())
    else:
        typer.echo(proof.text())
    raise typer.Exit(proof.verdict.exit_code)


def _prove_region(region: Region, *, as_json: bool) -> None:
    if region.kubernetes is not None:
        _prove_cluster(region, as_json=as_json)
    proof = prove_region(region)
    if as_json:
        print_json(proof.document())
    else:
        for result in proof.hosts.values():
            typer.echo(text(result) if result.verdict is not Verdict.PASS else f"{result.subject}: {result.verdict}")
        for name in proof.unused_allowances:
            typer.echo(f"allowance {name}: no host can use it; remove it")
        typer.echo(f"region {proof.region}: {proof.verdict} in {proof.seconds:.2f} s")
    raise typer.Exit(proof.verdict.exit_code)


def _prove_cluster(region: Region, *, as_json: bool) -> NoReturn:
    """The objects that a region derives; what else its plan holds is proved from the plan."""
    proof = kubernetes.prove_manifests(_derived(region), kubernetes.Scope.of(region), subject=f"region {region.name}")
    verdict = proof.verdict
    if region.platform is Platform.AWS:
        progress("the region's AWS resources are proved from its plan: `pulumi preview --json --show-sames`, then --plan FILE")
        verdict = worst([verdict, Verdict.NOT_RUN])
    if as_json:
        print_json({**proof.document(), "region": region.name, "verdict": verdict})
    else:
        typer.echo(text(proof))
        typer.echo(f"region {region.name}: {verdict} in {proof.seconds:.2f} s")
    raise typer.Exit(verdict.exit_code)


def _network(given: str) -> Network:
    try:
        return ip_network(given)
    except ValueError as exc:
        raise ConfigError(
            f"--segment {given}: {exc}", rule="a segment is a network without host bits", fix="for example 192.0.2.0/24"
        ) from exc


def _read(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text()
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"cannot read it: {exc}", rule="a ruleset is a text file", fix="name one that exists", file=file) from exc


def _objects(file: Path, model: type[Line], rule: str) -> list[Line]:
    """What a file holds, one JSON object a line."""
    return [_object(f"{file}:{number}", line, model, rule) for number, line in enumerate(_read(file).splitlines(), start=1) if line.strip()]


def _object(where: str, line: str, model: type[Line], rule: str) -> Line:
    try:
        return model.model_validate(orjson.loads(line))
    except orjson.JSONDecodeError as exc:
        raise ConfigError(f"not JSON: {exc}", rule="one JSON object a line", fix="correct the line", file=where) from exc
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        key = ".".join(map(str, first["loc"])) or None
        raise ConfigError(first["msg"], rule=rule, fix="correct the line", file=where, key=key) from exc
