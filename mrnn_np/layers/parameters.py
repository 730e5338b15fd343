"""What a parameter is before it is learned: its shape, and how it is first drawn.

A model writes its parameters down as one table, name -> `Parameter`:

    {"W2": normal(E1, R), "b2": zeros(R), "U": orthogonal(R, 0.58), ...}

Knows: shapes and random numbers. Does not know: what a parameter is for.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Parameter:
    """One array that is learned.

    shape : of the array.
    draw : a Generator -> its first values, float64, of this shape.
    """

    shape: tuple[int, ...]
    draw: Callable[[np.random.Generator], np.ndarray]


def normal(rows: int, columns: int, scale: float | None = None) -> Parameter:
    """Return a matrix of independent N(0, scale^2).

    Without a scale, 1 / sqrt(rows): a row of unit-variance inputs gives outputs of unit
    variance (LeCun).
    """
    scale = rows**-0.5 if scale is None else scale
    return Parameter(
        (rows, columns), lambda rng: scale * rng.standard_normal((rows, columns))
    )


def orthogonal(size: int, scale: float = 1.0) -> Parameter:
    """Return a random orthogonal matrix times `scale`.

    It multiplies the length of every vector by the same factor.
    """
    return Parameter(
        (size, size),
        lambda rng: scale * np.linalg.qr(rng.standard_normal((size, size)))[0],
    )


def zeros(*shape: int) -> Parameter:
    """Return an array of zeros, as biases begin."""
    return Parameter(shape, lambda rng: np.zeros(shape))


def constant(values: np.ndarray) -> Parameter:
    """Return an array that begins with the given values."""
    return Parameter(values.shape, lambda rng: np.array(values, np.float64))


def blocks(*parts: Parameter) -> Parameter:
    """Return matrices side by side, each drawn as it would be alone."""
    rows = parts[0].shape[0]
    columns = sum(part.shape[1] for part in parts)
    return Parameter(
        (rows, columns), lambda rng: np.hstack([part.draw(rng) for part in parts])
    )


def draw(
    table: Mapping[str, Parameter], rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draw all parameters, in the order of the table."""
    return {name: parameter.draw(rng) for name, parameter in table.items()}
