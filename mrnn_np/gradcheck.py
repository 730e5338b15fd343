"""Is a hand-written gradient right? Compare it with the cost itself.

Two checks, both in float64:

- element by element: (f(x + h) - f(x - h)) / 2h against the entry of the gradient;
- projection: the slope of f along one random direction u of *all* parameters against
  the inner product of u and the gradient. Two evaluations check every entry at once;
  an error has probability zero to hide.

Knows: functions of arrays. Does not know: what they compute.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

STEP = 1e-5  # h: the cut-off error h^2 and the rounding error 1e-16 / h balance here
LIMIT_LAYER = 1e-7
LIMIT_THROUGH_TIME = 1e-6


@dataclass(frozen=True)
class GradientCheck:
    """The worst entry of one parameter.

    name : of what was checked.
    index : of the worst entry; None for a projection.
    analytic, numeric : the two values there.
    error : |analytic - numeric| relative to the larger one.
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
        # A NaN compares as false, hence as failed.
        return self.error <= self.limit

    def __str__(self) -> str:
        where = "" if self.index is None else str(list(self.index))
        return (
            f"{self.name}{where}: analytic {self.analytic:.10g}, numeric "
            f"{self.numeric:.10g}, relative error {self.error:.1e} "
            f"(limit {self.limit:.0e})"
        )


def relative_error(analytic: float, numeric: float, scale: float) -> float:
    """Return |a - n| / max(|a|, |n|, scale).

    `scale` keeps entries that are zero but for rounding from counting as wrong.
    """
    return abs(analytic - numeric) / max(abs(analytic), abs(numeric), scale)


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
    relative to the larger of the two values, or to a hundredth of the largest entry
    of that gradient: below that, the rounding of f itself would be measured (with a
    thousandth, 1 of 120 right models failed).

    Raises
    ------
    TypeError : an array that is not float64 (float32 leaves 3 digits of a difference).
    """
    results = []
    for name, x in params.items():
        dx = grads[name]
        if x.dtype != np.float64 or dx.dtype != np.float64:
            raise TypeError(f"{name}: gradients are checked in float64, not {x.dtype}")
        if dx.shape != x.shape:
            raise ValueError(f"{name} is {x.shape}, its gradient {dx.shape}")
        count = x.size if entries is None else min(entries, x.size)
        scale = max(1e-2 * np.abs(dx).max(), 1e-8)
        worst = None
        for flat in rng.choice(x.size, count, replace=False):
            i = tuple(int(k) for k in np.unravel_index(flat, x.shape))
            numeric = _slope(f, x, i)
            error = relative_error(dx[i], numeric, scale)
            if worst is None or not error <= worst.error:
                worst = GradientCheck(
                    name, i, float(dx[i]), numeric, error, limit, count
                )
        results.append(worst)
    return results


def _slope(f: Callable[[], float], x: np.ndarray, i: tuple[int, ...]) -> float:
    """Return the centred difference of f by one entry, and put the entry back."""
    before = x[i]
    x[i] = before + STEP
    above = f()
    x[i] = before - STEP
    below = f()
    x[i] = before
    return float(above - below) / (2 * STEP)


def check_projection(
    name: str,
    f: Callable[[], float],
    params: Mapping[str, np.ndarray],
    grads: Mapping[str, np.ndarray],
    rng: np.random.Generator,
    limit: float = LIMIT_THROUGH_TIME,
) -> GradientCheck:
    """Compare all gradients at once, along one random direction u of unit length.

        (f(x + h u) - f(x - h u)) / 2h  =  sum of u * df/dx

    Parameters
    ----------
    name : shown in the result; the others as in `check_gradient`.
    """
    direction = {key: rng.standard_normal(x.shape) for key, x in params.items()}
    length = np.sqrt(sum(np.vdot(u, u) for u in direction.values()))
    before = {key: x.copy() for key, x in params.items()}

    def cost_at(distance: float) -> float:
        for key, x in params.items():
            x[...] = before[key] + (distance / length) * direction[key]
        return f()

    numeric = float(cost_at(STEP) - cost_at(-STEP)) / (2 * STEP)
    for key, x in params.items():
        x[...] = before[key]
    analytic = float(
        sum(np.vdot(direction[key], grads[key]) for key in params) / length
    )
    size = sum(x.size for x in params.values())
    error = relative_error(analytic, numeric, 1e-8)
    return GradientCheck(name, None, analytic, numeric, error, limit, size)
