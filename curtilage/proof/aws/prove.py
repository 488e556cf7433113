"""The decision about a plan: packets, names, policies, services, and what the plan leaves open."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from curtilage.allowance import Allowance
from curtilage.errors import ConfigError
from curtilage.proof.aws.compute import decide_compute
from curtilage.proof.aws.context import Context
from curtilage.proof.aws.dns import decide_dns
from curtilage.proof.aws.groups import build_groups
from curtilage.proof.aws.identity import decide_policies, owner_of
from curtilage.proof.aws.network import build
from curtilage.proof.aws.plan import UNKNOWN, Plan, Resource
from curtilage.proof.aws.policy import Owner
from curtilage.proof.aws.reach import Reach
from curtilage.proof.aws.references import decide_references
from curtilage.proof.aws.services import decide_services, region_of
from curtilage.proof.aws.types import ELSEWHERE, FORBIDDEN, FORBIDDEN_SERVICES, GATEWAYS, INERT, MODELLED
from curtilage.proof.report import About, Finding, ProofResult
from curtilage.region import Platform, Region
from curtilage.verdict import Verdict, worst

PROJECT = "curtilage"

OUT_OF_SCOPE = (
    "what stands in the account and not in the plan (other stacks, manual changes, the account's default VPC, organisation policies)",
    "the metadata, time and DNS addresses of a link: groups and access lists do not filter them; hosts do (EG-17)",
    "rules of AWS Network Firewall: it counts as letting everything pass, so it is never the lock that holds",
    "what Kubernetes objects do inside the cluster: `curtilage prove --manifests`; the controllers' own AWS resources are judged by role",
    "connections that stood before a change, until they end (EG-12)",
    "an AWS service that acts on its own: its operators, its support, its telemetry",
    "people with rights to change the account: what they may do is the organisation's policy",
)


def check_region(plan: Plan, region: Region) -> None:
    """A plan is judged by the allowances of its own region.

    Raises:
        ConfigError: it is another stack's, another project's, or the region is not on AWS.
    """
    if region.platform is not Platform.AWS:
        raise ConfigError(
            f"region {region.name} is on {region.platform}",
            rule="an AWS plan is judged by an AWS region's allowances",
            fix="name the region the plan is of, or none",
        )
    if plan.resources and (plan.stack, plan.project) != (region.name, PROJECT):
        raise ConfigError(
            f"the plan is of stack '{plan.stack}' of project '{plan.project}'",
            rule=f"with --region {region.name} it is of stack '{region.name}' of project '{PROJECT}'",
            fix="name the plan's own region",
        )


def prove_plan(
    plan: Plan, *, region: Region | None = None, allowances: Iterable[Allowance] = (), organisation: str | None = None
) -> ProofResult:
    """Decide whether anything can leave what a plan leads to.

    Args:
        plan: the plan; see :func:`curtilage.proof.aws.plan.read_plan`.
        region: whose allowances hold, and where resources must stand.
        allowances: instead of a region's.
        organisation: the own organisation's id; by default the one the plan's policies name.
    """
    started = time.monotonic()
    if region is not None:
        check_region(plan, region)
        allowances = region.allowances
    allowed = tuple(allowances)
    net = build(plan)
    groups = build_groups(plan, net)
    owner = owner_of(plan, organisation)
    context = Context(plan, net, owner, open=bool(allowed), home=region.site if region else _home(plan))
    reach = Reach(plan, net, groups, allowed)
    context.findings += reach.decide()
    context.findings += decide_dns(plan, net)
    _types(context, reach)
    _regions(context)
    decide_compute(context)
    decide_references(context)
    decide_services(context)
    decide_policies(context)
    findings = [_declared(finding, plan) for finding in _sorted(context.findings)]
    findings += [
        Finding(gap.id, context.segment, Verdict.NOT_PROVEN, f"{_short(gap.resource)}: {gap.what}", None, (gap.resource,))
        for gap in plan.gaps
    ]
    if not net.vpcs:
        findings.append(Finding("AWS-EMPTY", "aws", Verdict.NOT_PROVEN, "no VPC is in the plan, so nothing about packets was decided"))
    verdict = worst(item.verdict for item in findings) if findings else Verdict.PASS
    return ProofResult(
        about=About.PLAN,
        subject=f"{plan.project}/{plan.stack} ({plan.kind})",
        verdict=verdict,
        findings=tuple(findings),
        modelled=_modelled(context, len(groups)),
        assumptions=_assumptions(context, owner),
        out_of_scope=OUT_OF_SCOPE,
        allowances={item.id: item.id in reach.used for item in allowed},
        digest=plan.digest,
        seconds=time.monotonic() - started,
    )


def _declared(finding: Finding, plan: Plan) -> Finding:
    """The finding with the places in the program that declare what it names: where to change it."""
    text = "\n".join((finding.reason, *finding.path))
    places = {f"change {item.source}, which declares {item}" for item in plan.resources.values() if item.source and str(item) in text}
    return replace(finding, path=(*finding.path, *sorted(places))) if places else finding


def _short(resource: str) -> str:
    return resource if "::" not in resource else f"{resource.split('::')[2].rsplit(':', 1)[-1]} '{resource.rsplit('::', 1)[-1]}'"


def _sorted(findings: list[Finding]) -> list[Finding]:
    # A packet that really leaves comes first: it is what a reader needs to see.
    return sorted(findings, key=lambda item: (item.verdict != Verdict.FAIL, " leaves by " not in item.reason, item.id))


def _home(plan: Plan) -> str | None:
    found = Counter(str(item.get("region")) for item in plan.of("pulumi:providers:aws") if isinstance(item.get("region"), str))
    return found.most_common(1)[0][0] if found else None


def _types(context: Context, reach: Reach) -> None:
    for item in context.plan.resources.values():
        kind = item.type
        if kind in GATEWAYS:
            if not context.open:
                reached = str(item) in reach.sinks_reached
                context.fail(
                    "EG-09", item, f"{GATEWAYS[kind]} has no place in a sealed network" + ("" if reached else "; no packet takes it yet")
                )
        elif kind in FORBIDDEN:
            context.fail(*_forbidden(item, FORBIDDEN[kind]))
        elif _service(kind) in FORBIDDEN_SERVICES:
            context.fail(*_forbidden(item, FORBIDDEN_SERVICES[_service(kind)]))
        elif kind in MODELLED or kind in INERT:
            continue
        elif kind.startswith("kubernetes:"):
            _kubernetes(context, item)
        elif any(kind.startswith(prefix) for prefix in ELSEWHERE) or (not item.custom and not kind.startswith("aws:")):
            continue
        else:
            context.plan.gap(item, f"resource type {kind} is not modelled", "AWS-TYPE")


def _forbidden(item: Resource, entry: tuple[str, str]) -> tuple[str, Resource, str]:
    return entry[0], item, entry[1]


def _service(kind: str) -> str:
    return kind.removeprefix("aws:").split("/", 1)[0].split(":", 1)[0] if kind.startswith("aws:") else ""


def _kubernetes(context: Context, item: Resource) -> None:
    """Objects for which a controller makes AWS resources that the plan does not show."""
    spec = item.get("spec")
    kind = item.type.rsplit(":", 1)[-1]
    if kind in ("Service", "ServicePatch"):
        wanted = spec.get("type", "ClusterIP") if isinstance(spec, dict) else "not known"
        if wanted not in ("ClusterIP", "NodePort"):
            context.plan.gap(
                item, f"a Service of type {wanted if isinstance(wanted, str) else 'not known'} makes resources outside the plan"
            )
    elif kind.startswith("Ingress") or item.type.startswith(("kubernetes:helm.sh", "kubernetes:yaml", "kubernetes:kustomize")):
        context.plan.gap(item, f"{kind} makes resources that the plan does not show", "AWS-TYPE")
    elif "/" in item.type and not _core(item.type):
        context.plan.gap(item, f"resource type {item.type} is not modelled: a controller may make AWS resources of it", "AWS-TYPE")


def _core(kind: str) -> bool:
    group = kind.removeprefix("kubernetes:").split("/", 1)[0]
    return group in (
        "core",
        "apps",
        "batch",
        "autoscaling",
        "policy",
        "rbac.authorization.k8s.io",
        "networking.k8s.io",
        "storage.k8s.io",
    ) or (group.endswith(".k8s.io") and group not in ("gateway.networking.k8s.io",))


def _regions(context: Context) -> None:
    for item in context.plan.of("pulumi:providers:aws"):
        if item.get("region") is UNKNOWN:
            context.plan.gap(item, "region is not known")
    if context.home is None:
        return
    for item in context.plan.resources.values():
        if item.type.startswith("aws:") or item.type == "pulumi:providers:aws":
            found = region_of(context, item)
            if found is not None and found != context.home:
                context.fail("AWS-REGION", item, f"it stands in {found}, the region in {context.home}")


def _modelled(context: Context, groups: int) -> tuple[str, ...]:
    kinds = Counter(item.type for item in context.plan.resources.values())
    lines = [
        f"{len(context.net.vpcs)} VPCs, {len(context.net.subnets)} subnets as sources, each with every group of its VPC ({groups} groups)",
        "packets by family, protocol, destination and port over routes, access lists and groups; names by class; policies by SMT",
    ]
    lines += [f"{count} x {kind}" for kind, count in sorted(kinds.items()) if kind in MODELLED or kind in GATEWAYS]
    lines += [f"{count} x {kind}: cannot let anything out: {INERT[kind]}" for kind, count in sorted(kinds.items()) if kind in INERT]
    for prefix, reason in ELSEWHERE.items():
        count = sum(number for kind, number in kinds.items() if kind.startswith(prefix))
        if count:
            lines.append(f"{count} x {prefix}*: {reason}")
    return tuple(lines)


def _assumptions(context: Context, owner: Owner) -> tuple[str, ...]:
    who = owner.organisation or "none named by a policy"
    return (
        f"the own organisation is {who}, the own account {', '.join(owner.accounts) or 'not named'}: as most of the plan's policies say",
        "every VPC of the plan is a legal segment, and any group of a VPC may stand on any interface in it",
        "AWS enforces what its documentation says of routes, access lists, groups, policies and the DNS Firewall",
        f"the region is {context.home or 'not named'}; AWS's own zones ({'amazonaws.com'} and the like) delegate no name to a customer",
    )
