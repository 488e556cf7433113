"""The example of docs/review.md, made by the very code: ``python -m tests.sabotage.review.example`` writes it anew."""

from __future__ import annotations

import json

from curtilage.paths import CHECKOUT
from curtilage.review.commands import comment
from curtilage.review.judge import judge
from curtilage.review.plans import Planned, planned_of
from curtilage.review.redact import Redactor, secrets_of
from tests.sabotage.aws.plans import Ref, document, sealed_region
from tests.sabotage.review.conftest import hosts_plan, rewrite

PAGE = CHECKOUT / "docs" / "review.md"
BEGIN, END = "<!-- example begins -->\n", "<!-- example ends -->\n"
LAST = 'counter name "output_drop" drop\n\t}\n}'


def sides() -> tuple[dict[str, Planned], dict[str, Planned]]:
    """A pull request that opens one host and one AWS region, and leaves another alone."""
    host = hosts_plan()
    rewrite(host, "crm-1", LAST, "ip daddr 203.0.113.0/24 tcp dport { 443, 8443 } accept\n\t\t" + LAST)
    rewrite(host, "crm-1", "0x0800 ip daddr 192.0.2.0/24", "0x0800 ip daddr { 192.0.2.0/24, 203.0.113.0/24 }")
    cloud = sealed_region()
    cloud.add("aws:ec2/internetGateway:InternetGateway", "igw", vpcId=Ref("vpc"))
    cloud.add("aws:ec2/route:Route", "out", routeTableId=Ref("table"), destinationCidrBlock="198.51.100.0/24", gatewayId=Ref("igw"))
    cloud["nodes"]["egress"] = [{"protocol": "tcp", "fromPort": 443, "toPort": 443, "cidrBlocks": ["0.0.0.0/0"]}]
    cloud["s3"]["policy"] = document({"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"})
    cloud["dns-block"]["action"] = "ALERT"
    cloud.remove("bpa")
    same = hosts_plan("ch-zurich")
    before = [hosts_plan(), sealed_region().preview(), same]
    after = [host, cloud.preview(), same]
    found = [{planned.region: planned for planned in map(planned_of, plans)} for plans in (before, after)]
    return found[0], found[1]


def example() -> str:
    """The comment."""
    before, after = sides()
    redactor = Redactor(set().union(*(secrets_of(json.loads(json.dumps(plan.document))) for plan in after.values())))
    return comment(judge(before, after, regions=lambda _: None), redactor)


def main() -> None:
    page = PAGE.read_text()
    PAGE.write_text(page[: page.index(BEGIN) + len(BEGIN)] + example() + page[page.index(END) :])


if __name__ == "__main__":
    main()
