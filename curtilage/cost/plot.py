"""Break-even over volume: the table, and the picture that matplotlib draws of it."""

from __future__ import annotations

from pathlib import Path

from curtilage.cost.model import Site, break_even, choose_node, choose_throughput, cloud_per_million, monthly_at
from curtilage.cost.prices import Prices
from curtilage.errors import ConfigError

POINTS = 600
SUFFIXES = (".svg", ".png")


def table(prices: Prices, site: Site, measured: float | None = None) -> list[dict[str, float]]:
    """Monthly cost over volume, ours and each cloud API's: a row for every 1, 2 and 5 of each power of ten."""
    node, speed = choose_node(prices, site), choose_throughput(prices, site, measured)
    rows = []
    for power in range(6):
        for step in (1, 2, 5):
            volume = float(step * 10**power)
            row = {"million_tokens": volume, "ours": monthly_at(volume, prices, site, node, speed)}
            row |= {cloud.name: volume * cloud_per_million(cloud, prices.written_share) for cloud in prices.cloud}
            rows.append(row)
    return rows


def draw(prices: Prices, site: Site, path: Path, measured: float | None = None) -> None:
    """Write the picture: million tokens a month against cost a month, both axes logarithmic, break-even marked on each cloud's line.

    The same figures give the same file.

    Raises:
        ConfigError: the name ends in neither .svg nor .png, or it cannot be written.
    """
    if path.suffix not in SUFFIXES:
        raise ConfigError(f"--plot {path}", rule="a plot is an .svg or a .png", fix=f"name it {path.with_suffix('.svg')}")
    import matplotlib as mpl  # a second that no other verb pays

    mpl.use("agg")
    mpl.rcParams |= {"svg.hashsalt": "curtilage", "svg.fonttype": "none", "font.size": 9, "text.parse_math": False}
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    node, speed = choose_node(prices, site), choose_throughput(prices, site, measured)
    volumes = [10 ** (6 * index / (POINTS - 1)) for index in range(POINTS)]
    figure = Figure(figsize=(9, 5.4), layout="constrained")
    axes = figure.subplots()
    for cloud in prices.cloud:
        price = cloud_per_million(cloud, prices.written_share)
        (line,) = axes.plot(volumes, [volume * price for volume in volumes], linewidth=1.3)
        even = break_even(cloud, prices, site, node, speed)
        said = "no break-even"
        if even is not None and even <= volumes[-1]:
            axes.plot([even], [even * price], marker="o", color=line.get_color())
            said = f"break-even at {even:,.0f} million"
        line.set_label(f"{cloud.name}, {price:.2f} a million; {said}")
    ours = [monthly_at(volume, prices, site, node, speed) for volume in volumes]
    axes.plot(volumes, ours, color="black", linewidth=2.4, label=f"{site.region}, own region ({node.name}, as many as the volume needs)")
    axes.set(xscale="log", yscale="log", xlim=(volumes[0], volumes[-1]), ylim=(min(ours) / 20, max(ours) * 3))
    axes.set_xlabel("million tokens a month, read and written")
    axes.set_ylabel(f"{prices.currency} a month")
    axes.set_title(f"{site.region}: cost a month over volume, prices of {prices.date}, {prices.utilisation.share:.0%} of full load")
    plain = FuncFormatter(lambda value, _: f"{value:,.0f}")
    axes.xaxis.set_major_formatter(plain)
    axes.yaxis.set_major_formatter(plain)
    axes.grid(visible=True, which="major", color="#dddddd")
    axes.legend(loc="upper left", framealpha=0.9)
    try:
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else {"Software": None}, dpi=130)
    except OSError as error:
        raise ConfigError(f"--plot {path}: {error.strerror}", rule="a plot is written where you may write", fix="name another") from error
