"""Line charts: where the points lie on linear and on logarithmic axes."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrnn_np.report.charts import line_chart, log_ticks


def polyline(svg):
    points = re.search(r'<polyline points="([^"]+)"', svg).group(1)
    return [tuple(map(float, point.split(","))) for point in points.split()]


def steps(points):
    return [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(points)]


def test_a_power_is_a_straight_line_on_logarithmic_axes():
    cubes = [(x, x**3) for x in (1, 2, 4, 8)]
    (first, *others) = steps(
        polyline(line_chart({"cubes": cubes}, "x", "y", logarithmic=True))
    )
    assert first[0] > 0 and first[1] < 0  # up is a smaller number in an SVG
    for other in others:
        assert other == pytest.approx(first, abs=0.2)


def test_linear_axes_stay_linear():
    line = [(1, 10), (2, 20), (3, 30)]
    first, second = steps(polyline(line_chart({"line": line}, "x", "y")))
    assert second == pytest.approx(first, abs=0.2)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (1, 32, [1, 2, 5, 10, 20, 50]),
        (25, 400, [20, 50, 100, 200, 500]),
        (0.01, 0.02, [0.01, 0.02]),
        (3, 3, [2, 5]),
        (1, 1e6, [10.0**k for k in range(7)]),
    ],
)
def test_log_ticks(low, high, ticks):
    assert log_ticks(low, high, 8) == ticks


@given(st.floats(1e-9, 1e9), st.floats(1, 1e9))
def test_log_ticks_reach_around_everything(low, factor):
    high = low * factor
    ticks = log_ticks(low, high, 8)
    assert ticks[0] <= low * (1 + 1e-6) and high * (1 - 1e-6) <= ticks[-1]
    assert len(ticks) >= 2 and ticks == sorted(set(ticks))
