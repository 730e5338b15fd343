"""Is a hand-written gradient right? Compare it with the cost itself.

Two checks, both in float64:

- element by element: (f(x + h) - f(x - h)) / 2h against the entry of the gradient. It
  names the wrong entry, and takes two evaluations for each;
- projection: the slope of f along a random direction u of *all* parameters against the
  inner product of u and the gradient. Three directions take six evaluations, however
  many parameters there are; `check_projection` says what they can see.

An entry that is NaN or infinite fails both, wherever it stands.

Knows: functions of arrays. Does not know: what they compute.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

STEP = 1e-5  # h: the cut-off error h^2 and the rounding error 1e-16 / h balance here
LIMIT_LAYER = 1e-7
LIMIT_THROUGH_TIME = 1e-6
# Along a direction all entries move at once: a sum over 256 of them moves 16 times as
# far as over one, and may step across a kink. In return the slope is larger, and so
# stands out of the rounding. With a step of 1e-5 an m-RNN of 1.3 million parameters was
# off by 3e-4, with 1e-6 by 4e-10 of the gradient's length.
PROJECTION_STEP = 1e-6
DIRECTIONS = 3
LIMIT_PROJECTION = 1e-7  # right gradients of 434 to 1,300,000 entries: at most 3e-8
LIMIT_HIDDEN = 1e-4  # the largest limit, when the rounding of f hides the rest
ROUNDING = 2.0**-52  # of float64, relative
SMALLEST_SCALE = 1e-8  # a gradient smaller than this counts as zero


@dataclass(frozen=True)
class GradientCheck:
    """The worst entry of one parameter.

    name : of what was checked.
    index : of the worst entry; None for a projection, where it is no single one.
    analytic, numeric : the two values there.
    error : |analytic - numeric| relative to the larger one; infinite when one of them
        is no finite number.
    limit : the error that is still accepted.
    entries : how many were compared.
    """

    name: str
    index: tuple[int, ...] | None
    analytic: float
    numeric: float
    error: float
    limit: float
    entries: int

    @property
    def passed(self) -> bool:
        return math.isfinite(self.error) and self.error <= self.limit

    def __str__(self) -> str:
        where = "" if self.index is None else str(list(self.index))
        return (
            f"{self.name}{where}: analytic {self.analytic:.10g}, numeric "
            f"{self.numeric:.10g}, relative error {self.error:.1e} "
            f"(limit {self.limit:.0e})"
        )


def relative_error(analytic: float, numeric: float, scale: float) -> float:
    """Return |a - n| / max(|a|, |n|, scale), infinity unless all three are finite.

    `scale` keeps entries that are zero but for rounding from counting as wrong.
    """
    a, n = float(analytic), float(numeric)
    if not (math.isfinite(a) and math.isfinite(n) and math.isfinite(scale)):
        return math.inf
    return abs(a - n) / max(abs(a), abs(n), scale)


def check_gradient(
    f: Callable[[], float],
    params: Mapping[str, np.ndarray],
    grads: Mapping[str, np.ndarray],
    rng: np.random.Generator,
    limit: float = LIMIT_LAYER,
    entries: int | None = None,
) -> list[GradientCheck]:
    """Compare gradients with centred differences, entry by entry.

        df/dx_i = (f(x + h e_i) - f(x - h e_i)) / 2h + O(h^2)

    Parameters
    ----------
    f : the cost, computed from the arrays in `params`, which are changed and restored.
    params, grads : name -> float64 array, equal shapes.
    rng : chooses the entries.
    limit : largest relative error accepted.
    entries : how many of each parameter; None for all of them.

    Returns
    -------
    One `GradientCheck` a parameter, with its worst entry. Entries are compared
    relative to the larger of the two values, or to a tenth of the largest entry of that
    gradient: below that, the rounding of f itself would be measured (with a hundredth,
    right m-RNNs with LSTM cells were off by up to 2.6e-6, with a tenth by 2e-7).

    Raises
    ------
    TypeError : what is no array of float64 (float32 leaves 3 digits of a difference).
    ValueError : a gradient of another shape than its parameter, or nothing to check.
    """
    grads = _checked_arrays(params, grads)
    results = []
    for name, x in params.items():
        dx = grads[name]
        bad = _not_finite(dx)
        if bad is not None:
            results.append(_compared(name, bad, dx[bad], _slope(f, x, bad), 1.0, limit))
            continue
        count = x.size if entries is None else min(entries, x.size)
        if count < 1:
            raise ValueError(f"{name}: no entry of it would be checked")
        scale = max(0.1 * float(np.abs(dx).max()), SMALLEST_SCALE)
        worst = None
        for flat in rng.choice(x.size, count, replace=False):
            i = tuple(int(k) for k in np.unravel_index(flat, x.shape))
            found = _compared(name, i, dx[i], _slope(f, x, i), scale, limit, count)
            if worst is None or found.error > worst.error:
                worst = found
        assert worst is not None  # at least one entry was checked
        results.append(worst)
    return results


def _checked_arrays(
    params: Mapping[str, np.ndarray], grads: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return copies of the gradients: f may write to the memory they are in.

    Raises TypeError or ValueError, see `check_gradient`.
    """
    float64_only(params)
    float64_only({name: grads[name] for name in params}, "the gradient of ")
    for name, x in params.items():
        if grads[name].shape != x.shape:
            raise ValueError(f"{name} is {x.shape}, its gradient {grads[name].shape}")
    return {name: grads[name].copy() for name in params}


def float64_only(arrays: Mapping[str, np.ndarray], what: str = "") -> None:
    """Raise TypeError unless all are arrays of float64; `what` they are to the name."""
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype != np.float64:
            kind = getattr(array, "dtype", type(array).__name__)
            raise TypeError(
                f"{what}{name} is {kind}: gradients are checked in arrays of float64"
            )


def _not_finite(dx: np.ndarray) -> tuple[int, ...] | None:
    """Return the index of the first entry that is NaN or infinite, None if all are."""
    bad = np.argwhere(~np.isfinite(dx))
    return tuple(int(k) for k in bad[0]) if len(bad) else None


def _compared(
    name: str,
    index: tuple[int, ...] | None,
    analytic: float,
    numeric: float,
    scale: float,
    limit: float,
    entries: int = 1,
) -> GradientCheck:
    """Return the `GradientCheck` of two values."""
    error = relative_error(analytic, numeric, scale)
    return GradientCheck(
        name, index, float(analytic), float(numeric), error, limit, entries
    )


def _slope(f: Callable[[], float], x: np.ndarray, i: tuple[int, ...]) -> float:
    """Return the centred difference of f by one entry, and put the entry back."""
    before = x[i]
    x[i] = before + STEP
    above = f()
    x[i] = before - STEP
    below = f()
    x[i] = before
    return (float(above) - float(below)) / (2 * STEP)


def check_projection(
    name: str,
    f: Callable[[], float],
    params: Mapping[str, np.ndarray],
    grads: Mapping[str, np.ndarray],
    rng: np.random.Generator,
    limit: float = LIMIT_PROJECTION,
    directions: int = DIRECTIONS,
) -> GradientCheck:
    """Compare all gradients at once, along random directions u.

        (f(x + h u) - f(x - h u)) / 2h  =  sum of u * df/dx

    Every entry of u is drawn from the standard normal distribution. For a gradient g
    the sum is then normal with the deviation |g|, the length of g over all parameters,
    and with an error e in the gradient both sides differ by a normal number with the
    deviation |e|. They are compared relative to |g|. So one direction overlooks the
    error with a probability of at most

        limit * |g| / |e|

    and all `directions` of them overlook it with that to the power of their number.
    What counts is the error's share of the *whole* gradient: one entry of n equal ones
    that is off by 1e-4 of itself is an error of 1e-4 / sqrt(n). Three directions
    overlook it once in 100,000 times with n = 434, once in 1,000 with 10,000, and one
    time in three with a million. Entries that are smaller than others hide better.

    Parameters
    ----------
    name : shown in the result; the others as in `check_gradient`.
    directions : how many are tried, two evaluations each.

    Returns
    -------
    The worst direction. Its limit is larger than `limit` where the rounding of f itself
    is, 2e-16 |f| / (h |g|), but at most 1e-4: what a larger cost hides is not checked,
    and fails.

    Raises
    ------
    TypeError, ValueError : as `check_gradient`.
    """
    grads = _checked_arrays(params, grads)
    size = sum(x.size for x in params.values())
    if not size or directions < 1:
        raise ValueError(f"{name}: nothing would be checked")
    for key, dx in grads.items():
        bad = _not_finite(dx)
        if bad is not None:
            numeric = _slope(f, params[key], bad)
            return _compared(f"{name}, {key}", bad, dx[bad], numeric, 1.0, limit, size)
    before = {key: x.copy() for key, x in params.items()}
    length = math.sqrt(sum(float(np.vdot(dx, dx)) for dx in grads.values()))
    scale = max(length, SMALLEST_SCALE)

    def cost_at(distance: float, u: Mapping[str, np.ndarray]) -> float:
        for key, x in params.items():
            x[...] = before[key] + distance * u[key]
        return float(f())

    worst = None
    for _ in range(directions):
        u = {key: rng.standard_normal(x.shape) for key, x in params.items()}
        above, below = cost_at(PROJECTION_STEP, u), cost_at(-PROJECTION_STEP, u)
        numeric = (above - below) / (2 * PROJECTION_STEP)
        analytic = sum(float(np.vdot(u[key], dx)) for key, dx in grads.items())
        rounding = ROUNDING * max(abs(above), abs(below)) / (PROJECTION_STEP * scale)
        seen = max(limit, min(rounding, LIMIT_HIDDEN))
        found = _compared(name, None, analytic, numeric, scale, seen, size)
        if worst is None or found.error > worst.error:
            worst = found
    for key, x in params.items():
        x[...] = before[key]
    assert worst is not None  # there was at least one direction
    return worst
