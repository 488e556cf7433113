"""Takes out each control, one at a time, and writes which proofs and policies turn red: docs/mutations.md.

A control whose removal stays green is not evidenced. Controls of a host are the lines of its ruleset that refuse, or that narrow what is
accepted; controls of the AWS platform are the resources and properties that close something in a sealed region; controls of a cluster are
the objects and fields that keep its pods from sending; controls of the gateway are the lines of its source that refuse or take out
(tools/gateway_mutations.py). What the running lab
says of the same removals, with canaries and counters, is tests/lab/test_controls_removed.py.
"""

from __future__ import annotations

import argparse
import copy
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curtilage.derive.firewall import render_ruleset
from curtilage.errors import ConfigError
from curtilage.output import progress
from curtilage.paths import CHECKOUT
from curtilage.proof.aws import parse_plan, prove_plan
from curtilage.proof.kubernetes import prove_manifests
from curtilage.proof.regions import prove_host
from curtilage.region import load_region

sys.path.insert(0, str(CHECKOUT))

from policies.rules.firewall import RULES
from tests.sabotage.aws.plans import Stack, document, sealed_region
from tests.sabotage.kubernetes import cluster
from tools import gateway_mutations

OUT = CHECKOUT / "docs" / "mutations.md"
HOST = "gw-1"
OUTPUT = 'ct state invalid goto output_refused comment "of no connection"'
FORWARD = 'ct state invalid goto forward_refused comment "of no connection"'
LOGS = "arn:aws:s3:::curtilage-legal-logs"
LINK = "{ fe80::/10, ff02::1:ff00:0/104 }"
DISCOVERY = "{ 2001:db8:1::/64, fe80::/10, ff02::1:ff00:0/104 }"


@dataclass(frozen=True)
class Removal:
    """One control, without which something must turn red."""

    platform: str
    control: str
    red: tuple[str, ...]
    policies: tuple[str, ...] = ()


def host_controls() -> dict[str, Callable[[str], str]]:
    """Every block of a host's ruleset, and how it is taken out."""

    def policy(hook: str) -> Callable[[str], str]:
        return lambda text: _line(text, f"hook {hook} ", lambda line: line.replace("policy drop", "policy accept"))

    def open_chain(chain: str) -> Callable[[str], str]:
        return lambda text: _drops(policy(chain)(text), chain)

    def unmatched(anchor: str, match: str) -> Callable[[str], str]:
        return lambda text: _line(text, anchor, lambda line: line.replace(match, ""))

    return {
        "inet output: policy and final drop": open_chain("output"),
        "inet forward: policy and final drop": open_chain("forward"),
        "inet input: policy and final drop": open_chain("input"),
        "netdev egress: policy and final drop": lambda text: policy("egress")(text).replace('\t\tcounter name "netdev_drop" drop\n', ""),
        "netdev egress: the whole table": lambda text: text[: text.index("table netdev curtilage_raw\n")],
        "inet output: IPv6": lambda text: text.replace(OUTPUT, f"{OUTPUT}\n\t\tmeta nfproto ipv6 accept", 1),
        "inet forward: IPv6": lambda text: text.replace(FORWARD, f"{FORWARD}\n\t\tmeta nfproto ipv6 accept", 1),
        "netdev egress: EtherType read from the frame, IPv4": unmatched('0x0800 ip daddr', "@ll,96,16 0x0800 "),
        "netdev egress: destination, IPv4": unmatched("@ll,96,16 0x0800", "ip daddr 192.0.2.0/24 "),
        "netdev egress: destination, IPv6": unmatched("@ll,96,16 0x86dd ip6 daddr 2001", "ip6 daddr 2001:db8:1::/64 "),
        "netdev egress: destination of discovery": unmatched("@ll,96,16 0x86dd ip6 daddr {", f"ip6 daddr {LINK} "),
        "inet output: destination of the checkpoints flow": unmatched('comment "flow:checkpoints"', "ip daddr 192.0.2.41 "),
        "inet output: destination of discovery": unmatched(f"ip6 daddr {DISCOVERY} icmpv6", f"ip6 daddr {DISCOVERY} "),
        "inet input: source of the answers flow": unmatched('comment "flow:answers"', "ip saddr 192.0.2.31 "),
        "inet input: source of the operators flow": unmatched('comment "flow:operators"', "ip saddr 192.0.2.5 "),
    }  # fmt: skip


def _line(text: str, anchor: str, change: Callable[[str], str]) -> str:
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if anchor in line and (changed := change(line)) != line:
            lines[number] = changed
            return "".join(lines)
    raise SystemExit(f"no line with {anchor!r} to change: the ruleset is not what this table was written for")


def _drops(text: str, chain: str) -> str:
    """Without the counted drop at a base chain's end."""
    begin = text.index(f"\tchain {chain} {{")
    at = text.index(f'\t\tcounter name "{chain}_drop" drop\n', begin)
    return text[:at] + text[at:].replace(f'\t\tcounter name "{chain}_drop" drop\n', "", 1)


AWS_RESOURCES = ("default-group", "default-acl", "dns-block", "dns-vpc", "cni", "logs-lock")
REDUNDANT = {
    "ClusterNetworkPolicy legal-seal": "a second lock above the default denies, which hold by themselves",
    "acl": "narrower than the VPC's default list, which the plan adopts and leaves empty: that one then holds",
    "bpa": "a second lock behind the missing gateway: nothing leaves without it, and `curtilage review` lists its removal",
    "logs-block": "a second lock behind the bucket's policy: `curtilage review` lists its removal",
    "dns-closed": "states AWS's own default (fail closed)",
}
"""Resources whose removal alone opens nothing, each with why it is there."""


def aws_controls() -> dict[str, Callable[[Stack], object]]:
    """Every control of a sealed region, and how it is taken out."""
    found: dict[str, Callable[[Stack], object]] = {f"resource {name}": _remover(name) for name in AWS_RESOURCES}
    found |= {
        "endpoint policy (S3)": lambda s: s["s3"].pop("policy"),
        "endpoint policy (STS)": lambda s: s["endpoint-sts"].pop("policy"),
        "private API of the cluster": lambda s: s["cluster"]["vpcConfig"].pop("endpointPublicAccess"),
        "launch template of the machines": lambda s: s["gpu"].pop("launchTemplate"),
        "IMDSv2": lambda s: s["machine"]["metadataOptions"].pop("httpTokens"),
        "hop limit of the metadata service": lambda s: s["machine"]["metadataOptions"].update(httpPutResponseHopLimit=2),
        "groups of the machines": lambda s: s["machine"].pop("vpcSecurityGroupIds"),
        "enforced network policies": lambda s: s["cni"].update(configurationValues='{"enableNetworkPolicy": "false"}'),
        "strict mode of network policies": lambda s: s["cni"].update(configurationValues='{"enableNetworkPolicy": "true"}'),
        "object lock of the log bucket": lambda s: s["logs"].pop("objectLockEnabled"),
        "destination of a group's rule": lambda s: s["nodes-vpc"].update(cidrBlocks=["0.0.0.0/0"]),
        "bucket policy's condition": lambda s: s["logs-policy"].update(policy=_anyone("s3:GetObject", f"{LOGS}/*")),
        "key policy's principal": lambda s: s["key"].update(policy=_anyone("kms:Decrypt", "*")),
        "trust policy's principal": lambda s: s["node-role"].update(assumeRolePolicy=_anyone("sts:AssumeRole")),
        "fail-closed mode of the DNS Firewall": lambda s: s["dns-closed"].update(firewallFailOpen="ENABLED"),
        "block in both directions": lambda s: s["bpa"].update(internetGatewayBlockMode="block-ingress"),
        "block of public policies": lambda s: s["logs-block"].update(blockPublicPolicy=False),
    }  # fmt: skip
    return found


def _anyone(action: str, *resources: str) -> str:
    more = {"Resource": list(resources)} if resources else {}
    return document({"Effect": "Allow", "Principal": "*", "Action": action} | more)


def _remover(name: str) -> Callable[[Stack], None]:
    def remove(stack: Stack) -> None:
        stack.remove(name)
        gone = [other for other, item in stack.items.items() if _refers(item.inputs, name)]
        for other in gone:
            if other in stack.items:
                _remover(other)(stack)

    return remove


def _refers(value: Any, name: str) -> bool:
    if getattr(value, "name", None) == name and hasattr(value, "attribute"):
        return True
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_refers(item, name) for item in items)


def kubernetes_controls() -> dict[str, Callable[[cluster.Region], object]]:
    """What keeps the pods of a sealed region from sending, and how it is taken out."""

    def default_deny(space: str) -> Callable[[cluster.Region], object]:
        return lambda r: r.remove(f"NetworkPolicy {space}/default-deny")

    models, gateway = "NetworkPolicy legal-models/default-deny", "NetworkPolicy legal-gateway/gateway"
    found = {f"default deny of {space}": default_deny(space) for space in ("legal-gateway", "legal-models", "legal-evidence")}
    return found | {
        "egress among the default deny's types": lambda r: r.spec(models).update(policyTypes=["Ingress"]),
        "empty selector of the default deny": lambda r: r.spec(models).update(podSelector={"matchLabels": {"legal": "yes"}}),
        "quota of no pods where no policy stands": lambda r: r.remove("ResourceQuota legal-admission/ceiling"),
        "destination of the gateway's rule": lambda r: r.spec(gateway)["egress"][0].pop("to"),
    }  # fmt: skip


def removals(platforms: tuple[str, ...] = ("hosts", "aws", "kubernetes", "gateway"), every: int = 1) -> Iterator[Removal]:
    """Each control taken out; ``every`` takes a sample."""
    if "hosts" in platforms:
        lab = load_region("lab")
        host = lab.host(HOST)
        text = render_ruleset(lab, host)
        for name, take in list(host_controls().items())[::every]:
            yield _host(lab, host, name, take(text))
    if "aws" in platforms:
        base = sealed_region()
        for name, change in list(aws_controls().items())[::every]:
            stack = copy.deepcopy(base)
            change(stack)
            proof = prove_plan(parse_plan(stack.preview()))
            yield Removal("aws", name, tuple(sorted({item.id for item in proof.findings})))
    if "kubernetes" in platforms:
        for name, take_out in list(kubernetes_controls().items())[::every]:
            region = cluster.sealed_region()
            take_out(region)
            found = prove_manifests(region.manifests(), cluster.SCOPE).findings
            yield Removal("kubernetes", name, tuple(sorted({item.id for item in found})))
    if "gateway" in platforms:
        for name, red in gateway_mutations.removals(every):
            yield Removal("gateway", name, red)


def _host(lab: Any, host: Any, name: str, text: str) -> Removal:
    try:
        red = {finding.id for finding in prove_host(lab, host, text).findings}
    except ConfigError:
        red = {"nft-refused"}
    check = next(rule for rule in RULES if rule.check is not None)
    told = list(check.check({"ruleset": text, "rulesetDigest": ""})) if check.check else []
    policies = (check.name,) if any("digest" not in sentence for sentence in told) else ()
    return Removal("hosts", name, tuple(sorted(red)), policies)


def row(item: Removal) -> str:
    """One line of the table."""
    red = ", ".join(f"`{name}`" for name in item.red) or "**none**"
    return f"| {item.platform} | {item.control} | {red} | {', '.join(f'`{name}`' for name in item.policies) or '–'} |"


HEAD = """# Controls, taken out one at a time

Generated by `python tools/mutation_table.py`; a test regenerates a sample and compares. Each line takes one control out of a sealed
region and names what turns red. A control whose removal stays green is not evidenced, and the command fails.

`hosts` is the derived ruleset of the lab's gateway. `aws` is the sealed region of `tests/sabotage/aws/plans.py`, `kubernetes`
that of `tests/sabotage/kubernetes/cluster.py`, `gateway` its source: there the tests that turn
red are named, as far as the first three failures go. What packets and canaries say of the same removals on the running lab is
`tests/lab/test_controls_removed.py`: there exactly the removed control's own cells turn red.

| platform | control taken out | proof ids or tests that turn red | policies that turn red |
|---|---|---|---|
"""


def render(found: list[Removal]) -> str:
    """The page."""
    kept = "\n".join(f"* `{name}`: {why}" for name, why in sorted(REDUNDANT.items()))
    return HEAD + "\n".join(map(row, found)) + f"\n\nNot in the table, because another control holds by itself:\n\n{kept}\n"


def main() -> int:
    """Write the table; 1 when a removal stays green."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog="Example: python tools/mutation_table.py")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    found = list(removals())
    arguments.out.write_text(render(found))
    green = [item for item in found if not item.red]
    for item in green:
        progress(f"stays green without {item.control}")
    progress(f"{len(found)} controls, {len(green)} stay green")
    return 1 if green else 0


if __name__ == "__main__":
    sys.exit(main())
