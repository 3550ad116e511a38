"""Lines on logarithmic axes, as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

__all__ = ["plot"]

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 480, 300, 60, 44, 28, 110
COLOURS = ("#1b6ca8", "#c4551f", "#3c8d40", "#7a4fa3")

Points = Sequence[tuple[float, float]]


def plot(title: str, across: str, up: str, series: Mapping[str, Points]) -> str:
    """A chart of positive numbers, both axes logarithmic, with each line's name at its end."""
    xs = sorted({x for points in series.values() for x, _ in points})
    ys = [y for points in series.values() for _, y in points]
    low, high = 10 ** math.floor(math.log10(min(ys))), 10 ** math.ceil(math.log10(max(ys)))

    def right(x: float) -> float:
        share = math.log(x / xs[0]) / math.log(xs[-1] / xs[0]) if xs[-1] > xs[0] else 0.5
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def above(y: float) -> float:
        return HEIGHT - BOTTOM - math.log(y / low) / math.log(high / low) * (HEIGHT - BOTTOM - TOP)

    parts = [_text(WIDTH / 2, 16, title, "middle"), _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, across, "middle")]
    parts.append(_text(4, TOP - 8, up))
    for x in xs:
        parts += [
            _line(right(x), TOP, right(x), HEIGHT - BOTTOM),
            _text(right(x), HEIGHT - BOTTOM + 15, f"{x:g}", "middle"),
        ]
    for power in range(round(math.log10(low)), round(math.log10(high)) + 1):
        y = above(10.0**power)
        parts += [_line(LEFT, y, WIDTH - RIGHT, y), _text(LEFT - 5, y + 4, f"{10.0**power:g}", "end")]
    ends: list[float] = []
    for colour, (name, points) in zip(COLOURS, series.items(), strict=False):
        way = " ".join(f"{right(x):.1f},{above(y):.1f}" for x, y in points)
        parts.append(f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"/>')
        at = _free(above(points[-1][1]) + 4, ends)
        parts.append(_text(right(points[-1][0]) + 6, at, name, colour=colour))
    body = "\n".join(parts)
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>\n{body}\n</svg>\n'
    )


def _free(y: float, taken: list[float]) -> float:
    """A height for a name that is 12 pixels away from those there are."""
    while any(abs(y - other) < 12 for other in taken):
        y += 1
    taken.append(y)
    return y


def _line(x: float, y: float, x2: float, y2: float) -> str:
    return f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#dddddd"/>'


def _text(x: float, y: float, text: str, anchor: str = "start", colour: str = "#222222") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'
