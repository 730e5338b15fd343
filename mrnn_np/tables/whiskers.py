"""Intervals as small drawings (SVG): a line, a dot, ticks.

Knows: numbers and pixels. Does not know: what they are of.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from mrnn_np.tables.filled import Cell

WIDTH, HEIGHT = 64, 10  # of a whisker in a cell, pixels
LONG, TALL = 168, 16  # of one of a difference
INSET = 4  # keeps dots inside

Scale = tuple[float, float]


def scale_of(cells: Sequence[Cell]) -> Scale | None:
    """Return the least and the largest number of a column; None without any."""
    numbers = [
        number
        for cell in cells
        for number in (cell.value, cell.low, cell.high, *cell.seeds)
        if number is not None and math.isfinite(number)
    ]
    if not numbers or min(numbers) == max(numbers):
        return None
    return min(numbers), max(numbers)


def whisker(
    value: float,
    low: float | None,
    high: float | None,
    seeds: Sequence[float],
    scale: Scale,
) -> str:
    """Draw a value on a scale, with its interval and its seeds where there are any.

    Returns an <svg> element, or nothing where a number is not on the scale.
    """
    least, largest = scale
    ends = (value, value) if low is None or high is None else (low, high)
    if not all(least <= number <= largest for number in (value, *ends, *seeds)):
        return ""

    def across(number: float) -> float:
        share = (number - least) / (largest - least)
        return round(INSET + share * (WIDTH - 2 * INSET), 1)

    middle = HEIGHT / 2
    ticks = "".join(
        f'<line x1="{across(s)}" x2="{across(s)}" y1="1" y2="{HEIGHT - 1}" '
        'stroke="var(--soft)"/>'
        for s in seeds
    )
    return (
        f'<svg class="whisker" width="{WIDTH}" height="{HEIGHT}" aria-hidden="true">'
        f'<line x1="0" x2="{WIDTH}" y1="{middle}" y2="{middle}" stroke="var(--line)"/>'
        f'<line x1="{across(ends[0])}" x2="{across(ends[1])}" y1="{middle}" '
        f'y2="{middle}" stroke="var(--first)" stroke-width="2"/>{ticks}'
        f'<circle cx="{across(value)}" cy="{middle}" r="2.5" fill="var(--first)"/>'
        "</svg>"
    )


def difference_whisker(
    comparison: Mapping[str, Any], margin: float, test: str, reach: float
) -> str:
    """Draw a difference around 0; the shaded side is what the test asks for.

    Parameters
    ----------
    comparison : of `mrnn_np.tables.claims.judge`.
    reach : the largest number that has to fit, in either direction.

    Returns an <svg>, or an empty <span> where nothing was compared.
    """
    numbers = [comparison.get(key) for key in ("difference", "low", "high")]
    if reach <= 0 or not all(n is not None and math.isfinite(n) for n in numbers):
        return "<span></span>"
    half = LONG / 2

    def across(number: float) -> float:
        return round(half + number / reach * (half - INSET), 1)

    value, low, high = map(across, numbers)  # type: ignore[arg-type]  # none is None
    begin, end = across(-margin), across(margin) if test == "little" else LONG
    middle = TALL / 2
    colour = {"holds": "--yes", "does not hold": "--no"}.get(
        comparison["verdict"], "--open"
    )
    return (
        f'<svg class="whisker" width="{LONG}" height="{TALL}" role="img" '
        f'aria-label="{escape(comparison["verdict"])}">'
        f'<rect x="{begin}" y="0" width="{round(end - begin, 1)}" height="{TALL}" '
        'fill="var(--line)" opacity=".45"/>'
        f'<line x1="{half}" x2="{half}" y1="0" y2="{TALL}" stroke="var(--soft)"/>'
        f'<line x1="{low}" x2="{high}" y1="{middle}" y2="{middle}" '
        f'stroke="var({colour})" stroke-width="2.5"/>'
        f'<circle cx="{value}" cy="{middle}" r="3.5" fill="var({colour})"/></svg>'
    )
