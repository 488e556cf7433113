"""The cost model: if one of these fails, a figure in front of a budget owner is wrong, or an assumption is hidden."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from typer.testing import CliRunner

from curtilage.cost.commands import app, site_of
from curtilage.cost.measured import BEST, MEAN, measure
from curtilage.cost.model import Site, break_even, choose_node, choose_throughput, cloud_per_million, cost, monthly_at
from curtilage.cost.plot import draw, table
from curtilage.cost.prices import DEFAULT, Prices, read_prices
from curtilage.errors import ConfigError, StepError
from curtilage.paths import CHECKOUT
from curtilage.region import load_region

SITE = Site(
    region="ch-test",
    platform="hosts",
    card="L40S",
    instance=None,
    nodes=2,
    cards_per_node=1,
    model="mistral-7b-instruct",
    parameters_billion=7.25,
)


def prices(**changes: object) -> Prices:
    return Prices.model_validate(yaml.safe_load(DEFAULT.read_text()) | changes)


def test_the_sum_is_that_of_a_pocket_calculator() -> None:
    plain = prices(
        nodes=[{"name": "own", "card": "L40S", "cards": 1, "monthly": 500, "source": "assumed"}],
        fixed_monthly=[{"name": "x", "amount": 100, "platforms": ["hosts"], "source": "assumed"}],
        storage={"gib": 1000, "per_gib_month": 0.1, "source": "assumed"},
        staff={"share_of_one_person": 0.1, "yearly": 120000, "source": "assumed"},
        throughput=[{"card": "L40S", "parameters_billion": 8, "tokens_per_second": 1000, "source": "assumed"}],
        utilisation={"share": 0.5, "source": "assumed"},
        written_share=0.25,
        cloud=[{"name": "c", "read": 1, "written": 5, "source": "a list"}],
        reference="c",
        hours_per_month=720,
        matters=100,
    )
    found = cost(plain, SITE)
    assert found.monthly == pytest.approx(2 * 500 + 100 + 100 + 1000)
    assert found.tokens_million == pytest.approx(2 * 1000 * 720 * 3600 * 0.5 / 1e6)  # 2592
    assert found.per_million == pytest.approx(2200 / 2592)
    assert found.per_matter == pytest.approx(22)
    assert found.cloud[0].per_million == pytest.approx(2.0)
    assert found.cloud[0].ratio == pytest.approx(2200 / 5184)
    assert found.claim == "refuted"
    # Parity at the utilisation where 2200 = 2.0 x volume.
    assert found.cloud[0].utilisation_at_parity == pytest.approx(1100 / 5184)


@pytest.mark.parametrize(("share", "claim"), [(0.0001, "refuted"), (1.0, "refuted")])
def test_the_claim_is_judged_by_the_ratio(share: float, claim: str) -> None:
    assert cost(prices(), SITE, utilisation=share).claim == claim


def test_a_utilisation_between_the_two_named_ones_reproduces_the_claim() -> None:
    found = cost(prices(), SITE)
    reference = next(entry for entry in found.cloud if entry.name == found.reference)
    share = found.monthly / (2.5 * reference.per_million * found.capacity_million)
    again = cost(prices(), SITE, utilisation=share)
    assert again.claim == "reproduced"
    assert "2.50 times" in again.claim_why


@pytest.mark.parametrize("index", range(4))
@pytest.mark.parametrize("speed", [300.0, 3000.0, 20000.0])
def test_from_the_break_even_on_ours_is_never_dearer_and_just_below_it_is(index: int, speed: float) -> None:
    figures = prices()
    cloud, node, rate = figures.cloud[index], choose_node(figures, SITE), choose_throughput(figures, SITE, speed)
    found = break_even(cloud, figures, SITE, node, rate)
    price = cloud_per_million(cloud, figures.written_share)
    one = speed * figures.hours_per_month * 3600 / 1e6 * figures.utilisation.share
    if found is None:
        assert all(monthly_at(volume, figures, SITE, node, rate) > price * volume for volume in (one * n for n in range(1, 400)))
        return
    grid = [found * (1 + 1e-6) * (1 + step / 50) for step in range(2_000)]
    assert all(monthly_at(volume, figures, SITE, node, rate) <= price * volume * (1 + 1e-9) for volume in grid)
    below = [found * (1 - step / 1000) for step in range(1, 20)] + [found * (1 + 1e-7)]
    assert any(monthly_at(volume, figures, SITE, node, rate) > price * volume * (1 - 1e-6) for volume in below)


def test_a_measured_throughput_replaces_the_assumed_one_and_says_so() -> None:
    found = cost(prices(), SITE, measured=1234.0)
    assert (found.tokens_per_second, found.throughput_source) == (1234.0, "measured, given by --throughput")
    assert "throughput" not in found.assumed
    assert "throughput" in cost(prices(), SITE).assumed


def test_every_shipped_price_names_its_source_and_the_file_its_date() -> None:
    shipped = read_prices()
    assert all(part.source for part in (*shipped.nodes, *shipped.cloud, *shipped.throughput, *shipped.fixed_monthly))
    assert shipped.date.year >= 2026


@pytest.mark.parametrize(
    "change",
    [
        {"date": "yesterday"},
        {"reference": "nobody"},
        {"surprise": 1},
        {"matters": 0},
        {"hours_per_month": float("nan")},
        {"nodes": [{"name": "n", "card": "L40S", "cards": 1, "source": "assumed"}]},
        {"cloud": [{"name": "c", "read": -1, "written": 1, "source": "list"}], "reference": "c"},
        {"utilisation": {"share": 1.5, "source": "assumed"}},
    ],
)
def test_a_file_that_breaks_a_rule_is_refused_by_name(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(DEFAULT.read_text()) | change))
    with pytest.raises(ConfigError):
        read_prices(path)


def test_a_card_or_a_model_without_a_figure_is_refused() -> None:
    with pytest.raises(ConfigError, match="no price"):
        cost(prices(), SITE.model_copy(update={"card": "A10G"}))
    with pytest.raises(ConfigError, match="no throughput"):
        cost(prices(), SITE.model_copy(update={"parameters_billion": 700.0}))


def drawn(path: Path, site: Site = SITE) -> bytes:
    draw(prices(), site, path)
    return path.read_bytes()


def test_the_plot_is_whole_and_safe_whatever_the_region_is_called(tmp_path: Path) -> None:
    text = drawn(tmp_path / "p.svg", SITE.model_copy(update={"region": '<script>"&$x$'})).decode()
    root = ElementTree.fromstring(text)  # noqa: S314 - our own output
    assert not any(element.tag.endswith("script") for element in root.iter())
    words = " ".join("".join(element.itertext()) for element in root.iter() if element.tag.endswith("text"))
    assert '<script>"&$x$' in words
    assert all(cloud.name in words for cloud in prices().cloud)
    assert "break-even at" in words


def test_the_same_figures_give_the_same_plot(tmp_path: Path) -> None:
    assert drawn(tmp_path / "a.svg") == drawn(tmp_path / "b.svg")
    assert drawn(tmp_path / "a.png") == drawn(tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("name", "rule"), [("p.pdf", "svg or a .png"), ("p", "svg or a .png"), ("missing/p.svg", "where you may write")])
def test_a_plot_that_cannot_be_drawn_is_refused_by_name(tmp_path: Path, name: str, rule: str) -> None:
    with pytest.raises(ConfigError, match=rule):
        draw(prices(), SITE, tmp_path / name)


def test_the_table_grows_with_the_volume() -> None:
    rows = table(prices(), SITE)
    assert [row["million_tokens"] for row in rows] == sorted(row["million_tokens"] for row in rows)
    assert rows[-1]["ours"] > rows[0]["ours"]


@pytest.mark.parametrize("region", ["ch-zurich", "de-frankfurt", "ie-dublin", "fr-paris", "lab"])
def test_the_verb_prints_one_document_for_each_shipped_region(region: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [region, "--json", "--plot", str(tmp_path / "p.svg")])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["region"] == region
    assert document["monthly"] == pytest.approx(sum(line["monthly"] for line in document["lines"]))
    assert "<svg" in (tmp_path / "p.svg").read_text()


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (["--throughput", "inf"], "a finite number"),
        (["--measured", "--throughput", "3"], "measured or given"),
        (["--plot", "p.pdf"], "svg or a .png"),
        (["--prices", "/nonexistent.yaml"], "prices are a YAML file"),
    ],
)
def test_what_the_verb_is_given_wrongly_is_refused_by_name(words: list[str], rule: str) -> None:
    result = CliRunner().invoke(app, ["ch-zurich", *words])
    assert isinstance(result.exception, ConfigError)
    assert rule in str(result.exception)


class Answering:
    """A region's Prometheus with two answers."""

    def __init__(self, best: float | None, mean: float | None) -> None:
        self.answers = {BEST: best, MEAN: mean}

    def run(self, host: str, argv: list[str], *, step: str) -> str:
        value = self.answers[argv[-1]]
        return json.dumps([] if value is None else [{"metric": {}, "value": [0, str(value)]}])


def test_a_running_region_tells_its_throughput_and_how_much_of_it_was_used() -> None:
    found = measure(load_region("lab"), Answering(200.0, 30.0))  # type: ignore[arg-type]
    assert (found.tokens_per_second, found.utilisation) == (200.0, pytest.approx(0.15))


@pytest.mark.parametrize(("best", "mean"), [(None, None), (0.0, 0.0), (float("nan"), 1.0)])
def test_a_region_that_served_nothing_is_not_priced_by_it(best: float | None, mean: float | None) -> None:
    with pytest.raises(StepError, match="nothing was served"):
        measure(load_region("lab"), Answering(best, mean))  # type: ignore[arg-type]


def test_a_clusters_prometheus_is_asked_by_its_site() -> None:
    with pytest.raises(ConfigError, match="pass --throughput"):
        measure(load_region("fr-paris"), Answering(1.0, 1.0))  # type: ignore[arg-type]


def test_the_kept_plot_is_the_one_of_the_shipped_prices(tmp_path: Path) -> None:
    draw(prices(), site_of(load_region("ch-zurich")), tmp_path / "p.svg")
    assert (tmp_path / "p.svg").read_bytes() == (CHECKOUT / "docs" / "cost-ch-zurich.svg").read_bytes()
