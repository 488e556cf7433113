"""The break-even plot, as an SVG that needs no library, no script and no font of ours."""

from __future__ import annotations

import math
from html import escape

from curtilage.cost.model import Site, choose_node, choose_throughput, cloud_per_million, monthly_at
from curtilage.cost.prices import Prices

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 860, 520, 90, 230, 40, 60
POINTS = 240
_COLOURS = ("#b3541e", "#3d6b9e", "#5c7c3a", "#8a4f8f", "#777777")


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


def svg(prices: Prices, site: Site, measured: float | None = None) -> str:
    """Both axes logarithmic: tokens a month against cost a month."""
    node, speed = choose_node(prices, site), choose_throughput(prices, site, measured)
    volumes = [10 ** (6 * index / (POINTS - 1)) for index in range(POINTS)]
    curves = [(f"{site.region}, own region", [monthly_at(volume, prices, site, node, speed) for volume in volumes])]
    curves += [(cloud.name, [volume * cloud_per_million(cloud, prices.written_share) for volume in volumes]) for cloud in prices.cloud]
    top = math.ceil(math.log10(max(max(values) for _, values in curves)))
    bottom = min(math.floor(math.log10(max(min(values), 1e-9))) for _, values in curves)

    def x(volume: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log10(volume) / 6

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (math.log10(max(value, 10.0**bottom)) - bottom) / (top - bottom)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f"<title>{escape(site.region)}: cost a month over volume</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="14">{escape(site.region)}: cost a month over volume, prices of {prices.date}</text>',
    ]
    for power in range(7):
        parts.append(f'<line x1="{x(10.0**power):.1f}" x2="{x(10.0**power):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#dddddd"/>')
        parts.append(f'<text x="{x(10.0**power):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{10**power:,}</text>')
    for power in range(bottom, top + 1):
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(10.0**power):.1f}" y2="{y(10.0**power):.1f}" stroke="#dddddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y(10.0**power) + 4:.1f}" text-anchor="end">{10.0**power:,g}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 14}" text-anchor="middle">million tokens a month</text>')
    parts.append(f'<text x="{LEFT - 8}" y="{TOP - 8}" text-anchor="end">{escape(prices.currency)}</text>')
    for index, (name, values) in enumerate(curves):
        colour = _COLOURS[index % len(_COLOURS)]
        points = " ".join(f"{x(volume):.1f},{y(value):.1f}" for volume, value in zip(volumes, values, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{3 if index == 0 else 1.5}"/>')
        parts.append(f'<rect x="{WIDTH - RIGHT + 16}" y="{TOP + 22 * index}" width="14" height="4" fill="{colour}"/>')
        parts.append(f'<text x="{WIDTH - RIGHT + 36}" y="{TOP + 6 + 22 * index}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>", ""])
