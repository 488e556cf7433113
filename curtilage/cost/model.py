"""The sums: what a region costs a month, what a million tokens cost in it, from which volume on it is cheaper than a cloud API.

The brief says that the same throughput costs two to three times as much as a cloud API. :func:`judge` compares that with the figures.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from curtilage.cost.prices import Cloud, Node, Prices, Throughput
from curtilage.errors import ConfigError

CLAIM = (2.0, 3.0)
MILLION = 1_000_000


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Line(_Part):
    """One line of the bill."""

    name: str
    monthly: float
    source: str


class Comparison(_Part):
    """Ours against one cloud API at the region's volume."""

    name: str
    per_million: float
    monthly: float
    per_matter: float
    ratio: float
    utilisation_at_parity: float | None
    break_even_million: float | None
    source: str


class Cost(_Part):
    """The answer for one region."""

    region: str
    platform: str
    currency: str
    prices_of: str
    node: str
    nodes: int
    card: str
    model: str
    tokens_per_second: float
    throughput_source: str
    utilisation: float
    lines: tuple[Line, ...]
    monthly: float
    tokens_million: float
    capacity_million: float
    per_million: float
    matters: int
    per_matter: float
    cloud: tuple[Comparison, ...]
    reference: str
    claim: Literal["reproduced", "refuted"]
    claim_why: str
    assumed: tuple[str, ...]


class Site(_Part):
    """What of a region decides its cost."""

    region: str
    platform: Literal["aws", "kubernetes", "hosts"]
    card: str
    instance: str | None
    nodes: Annotated[int, Field(gt=0)]
    cards_per_node: Annotated[int, Field(gt=0)]
    model: str
    parameters_billion: float


def choose_node(prices: Prices, site: Site) -> Node:
    """The machine of the file that the region has.

    Raises:
        ConfigError: the file prices none like it.
    """
    for node in prices.nodes:
        if node.name == site.instance and node.cards == site.cards_per_node:
            return node
        if site.instance is None and node.monthly is not None and node.card == site.card:
            # An own machine with more cards costs about as much more: cards are most of its price.
            cards = site.cards_per_node / node.cards
            return node if cards == 1 else node.model_copy(update={"monthly": node.monthly * cards, "cards": site.cards_per_node})
    raise ConfigError(
        f"no price for {site.instance or 'an own machine'} with {site.card}",
        rule="every machine of a region has a price",
        fix="add it to a copy of curtilage/cost/prices.yaml and pass --prices",
        key="nodes",
    )


def choose_throughput(prices: Prices, site: Site, measured: float | None) -> Throughput:
    """What a card serves: measured, or the file's figure for the smallest size that holds the model.

    Raises:
        ConfigError: neither is there.
    """
    if measured is not None:
        return Throughput(
            card=site.card, parameters_billion=site.parameters_billion, tokens_per_second=measured, source="measured, given by --throughput"
        )
    fitting = [entry for entry in prices.throughput if entry.card == site.card and entry.parameters_billion >= site.parameters_billion]
    if not fitting:
        raise ConfigError(
            f"no throughput for a model of {site.parameters_billion:g} billion parameters on {site.card}",
            rule="a cost per token needs tokens a second",
            fix="measure it and pass --throughput, or add it to your prices",
            key="throughput",
        )
    return min(fitting, key=lambda entry: entry.parameters_billion)


def cloud_per_million(cloud: Cloud, written_share: float) -> float:
    """One price for a million tokens, read and written in the given proportion."""
    return cloud.read * (1 - written_share) + cloud.written * written_share


def node_monthly(node: Node, prices: Prices) -> float:
    """One machine, one month."""
    return node.monthly if node.monthly is not None else (node.hourly or 0.0) * prices.hours_per_month


def fixed_lines(prices: Prices, site: Site) -> list[Line]:
    """What does not grow with the volume."""
    lines = [
        Line(name=fixed.name, monthly=fixed.amount, source=fixed.source)
        for fixed in prices.fixed_monthly
        if site.platform in fixed.platforms
    ]
    lines.append(Line(name="storage", monthly=prices.storage.gib * prices.storage.per_gib_month, source=prices.storage.source))
    lines.append(Line(name="staff", monthly=prices.staff.share_of_one_person * prices.staff.yearly / 12, source=prices.staff.source))
    return lines


def cost(prices: Prices, site: Site, *, measured: float | None = None, utilisation: float | None = None) -> Cost:
    """The cost of a region.

    Args:
        prices: the file.
        site: the region.
        measured: tokens a second of one card, instead of the file's.
        utilisation: mean share of full load, instead of the file's.
    """
    node, speed = choose_node(prices, site), choose_throughput(prices, site, measured)
    used = prices.utilisation.share if utilisation is None else utilisation
    lines = [Line(name=f"{site.nodes} x {node.name}", monthly=site.nodes * node_monthly(node, prices), source=node.source)]
    lines += fixed_lines(prices, site)
    monthly = math.fsum(line.monthly for line in lines)
    capacity = site.nodes * site.cards_per_node * speed.tokens_per_second * prices.hours_per_month * 3600 / MILLION
    tokens = capacity * used
    per_million = monthly / tokens
    compared = tuple(_compare(cloud, prices, site, node, speed, monthly, tokens, capacity) for cloud in prices.cloud)
    reference = next(entry for entry in compared if entry.name == prices.reference)
    sources = [("machines", node.source), ("throughput", speed.source), *((line.name, line.source) for line in lines[1:])]
    if utilisation is None:
        sources.append(("utilisation", prices.utilisation.source))
    return Cost(
        region=site.region,
        platform=site.platform,
        currency=prices.currency,
        prices_of=prices.date.isoformat(),
        node=node.name,
        nodes=site.nodes,
        card=site.card,
        model=site.model,
        tokens_per_second=speed.tokens_per_second,
        throughput_source=speed.source,
        utilisation=used,
        lines=tuple(lines),
        monthly=monthly,
        tokens_million=tokens,
        capacity_million=capacity,
        per_million=per_million,
        matters=prices.matters,
        per_matter=monthly / prices.matters,
        cloud=compared,
        reference=prices.reference,
        claim="reproduced" if CLAIM[0] <= reference.ratio <= CLAIM[1] else "refuted",
        claim_why=_why(reference, used, monthly, capacity),
        assumed=tuple(name for name, source in sources if source.startswith("assumed")),
    )


def nodes_for(million: float, prices: Prices, site: Site, speed: Throughput) -> int:
    """Machines that serve a volume at the file's utilisation, which leaves room for peaks; never fewer than the smallest region."""
    one = site.cards_per_node * speed.tokens_per_second * prices.hours_per_month * 3600 / MILLION * prices.utilisation.share
    return max(prices.minimum_nodes, math.ceil(million / one - 1e-9))


def monthly_at(million: float, prices: Prices, site: Site, node: Node, speed: Throughput) -> float:
    """A month of a region built for this volume: machines come in whole numbers."""
    return nodes_for(million, prices, site, speed) * node_monthly(node, prices) + math.fsum(
        line.monthly for line in fixed_lines(prices, site)
    )


def break_even(cloud: Cloud, prices: Prices, site: Site, node: Node, speed: Throughput) -> float | None:
    """The least volume, in million tokens a month, from which on a region of our own is never dearer; None where there is none.

    Ours rises by steps and the cloud in a straight line, so the lines may cross several times: the last crossing counts.
    """
    price = cloud_per_million(cloud, prices.written_share)
    one = site.cards_per_node * speed.tokens_per_second * prices.hours_per_month * 3600 / MILLION * prices.utilisation.share
    machine = node_monthly(node, prices)
    fixed = math.fsum(line.monthly for line in fixed_lines(prices, site))
    if machine / one >= price:
        return None  # one more machine costs more than what it serves: no volume helps
    # Just above (n - 1) machines' volume, n are paid: the dearest point of each step. It is under the cloud's line for every n beyond this.
    last = prices.minimum_nodes
    beyond = (fixed + price * one) / (price * one - machine)
    steps = max(last, math.ceil(beyond - 1e-9))
    if steps == last:
        return max((last * machine + fixed) / price, 0.0)
    before = steps - 1
    within = (before * machine + fixed) / price
    return within if within <= before * one else before * one


def _compare(
    cloud: Cloud, prices: Prices, site: Site, node: Node, speed: Throughput, monthly: float, tokens: float, capacity: float
) -> Comparison:
    price = cloud_per_million(cloud, prices.written_share)
    parity = monthly / (price * capacity)
    return Comparison(
        name=cloud.name,
        per_million=price,
        monthly=price * tokens,
        per_matter=price * tokens / prices.matters,
        ratio=monthly / (price * tokens),
        utilisation_at_parity=parity if parity <= 1 else None,
        break_even_million=break_even(cloud, prices, site, node, speed),
        source=cloud.source,
    )


def _why(reference: Comparison, used: float, monthly: float, capacity: float) -> str:
    low, high = (monthly / (factor * reference.per_million * capacity) for factor in (CLAIM[1], CLAIM[0]))
    between = (
        f"it would be 2 to 3 times at a utilisation of {low:.1%} to {high:.1%}" if low <= 1 else "it is more than 3 times even at full load"
    )
    return f"at {used:.0%} utilisation ours costs {reference.ratio:.2f} times {reference.name}; {between}"
