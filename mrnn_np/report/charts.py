"""Line charts as inline SVG, drawn from numbers alone.

Knows: axes and lines. Does not know: what is drawn.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 640, 260  # in the units of the SVG, which scales to the page
LEFT, RIGHT, TOP, BOTTOM = 56, 120, 14, 40  # margins; names of the lines at the right
COLOURS = ("var(--first)", "var(--second)", "var(--soft)")


def line_chart(
    lines: Mapping[str, Sequence[tuple[float, float]]],
    x_label: str,
    y_label: str,
    logarithmic: bool = False,
) -> str:
    """Draw one or more lines with a point at every value.

    Parameters
    ----------
    lines : name -> (x, y) pairs, at most three lines; pairs that are not finite are
        left out.
    x_label, y_label : what the axes show, with the unit.
    logarithmic : both axes; all numbers must be positive. What grows like a power of
        x is then a straight line, and the power is its slope.

    Returns an <svg> element.
    """
    lines = {
        name: [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
        for name, points in lines.items()
    }
    points = [point for line in lines.values() for point in line]
    if not points:
        return '<p class="soft">There is nothing to draw yet.</p>'
    ticks, scale = (log_ticks, math.log) if logarithmic else (nice_ticks, float)
    x_ticks = ticks(min(x for x, _ in points), max(x for x, _ in points), 8)
    y_ticks = ticks(min(y for _, y in points), max(y for _, y in points), 5)

    def share(value: float, ticks: Sequence[float]) -> float:
        first, last = scale(ticks[0]), scale(ticks[-1])
        return (scale(value) - first) / (last - first)

    def across(x: float) -> float:
        return LEFT + share(x, x_ticks) * (WIDTH - LEFT - RIGHT)

    def down(y: float) -> float:
        return HEIGHT - BOTTOM - share(y, y_ticks) * (HEIGHT - TOP - BOTTOM)

    drawn = []
    for y in y_ticks:
        drawn.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{down(y):.1f}" '
            f'y2="{down(y):.1f}" stroke="var(--line)"/>'
            f'<text x="{LEFT - 8}" y="{down(y) + 4:.1f}" text-anchor="end">{y:g}</text>'
        )
    for x in x_ticks:
        drawn.append(
            f'<text x="{across(x):.1f}" y="{HEIGHT - BOTTOM + 18}" '
            f'text-anchor="middle">{x:g}</text>'
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    drawn.append(
        f'<text x="{middle}" y="{HEIGHT - 4}" text-anchor="middle">'
        f"{escape(x_label)}</text>"
        f'<text x="12" y="{HEIGHT / 2}" text-anchor="middle" '
        f'transform="rotate(-90 12 {HEIGHT / 2})">{escape(y_label)}</text>'
    )
    labels = []
    for colour, (name, line) in zip(COLOURS, lines.items(), strict=False):
        if not line:
            continue
        path = " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in line)
        dots = "".join(
            f'<circle cx="{across(x):.1f}" cy="{down(y):.1f}" r="2.5" fill="{colour}"/>'
            for x, y in line
        )
        drawn.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" '
            f'stroke-width="2"/>{dots}'
        )
        labels.append((down(line[-1][1]) + 4, across(line[-1][0]) + 8, colour, name))
    lowest = -math.inf
    for y, x, colour, name in sorted(labels):
        lowest = max(y, lowest + 14)  # names of lines that end together stay legible
        drawn.append(
            f'<text x="{x:.1f}" y="{lowest:.1f}" style="fill:{colour}">'
            f"{escape(name)}</text>"
        )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" width="100%" '
        f'style="max-width:44rem" aria-label="{escape(y_label)} by {escape(x_label)}">'
        + "".join(drawn)
        + "</svg>"
    )


def nice_ticks(low: float, high: float, count: int) -> list[float]:
    """Return round numbers that reach from below `low` to above `high`.

    Steps are 1, 2 or 5 times a power of ten; there are about `count` of them.
    """
    if high <= low:
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / count
    power = 10 ** math.floor(math.log10(rough))
    step = power * next(m for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 10) for k in range(first, last + 1)]


def log_ticks(low: float, high: float, count: int) -> list[float]:
    """Return 1, 2 and 5 times powers of ten from below `low` to above `high`.

    Where that would be far more than `count`, powers of ten alone.
    """
    low, high = low * (1 + 1e-9), high * (1 - 1e-9)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 2)
    for steps in ((1, 2, 5), (1,)):
        marks = [float(f"{m}e{p}") for p in powers for m in steps]
        first = max((i for i, mark in enumerate(marks) if mark <= low), default=0)
        last = next(i for i, mark in enumerate(marks) if mark >= high and i > first)
        if last - first <= 1.5 * count:
            break
    return marks[first : last + 1]
