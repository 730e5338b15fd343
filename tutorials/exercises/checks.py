"""The checks of all exercises: does an answer give the right numbers?

Every check calls the reader's function on small cases and raises `Wrong` at the first
number that is off. What is right is measured with differences of the forward pass, not
looked up in a solution.

Knows: what each exercise asks for. Does not know: the solutions.
"""

from collections.abc import Callable

import numpy as np

from mrnn_np.data.batches import pack
from mrnn_np.gradcheck import relative_error
from mrnn_np.gradient_cases import check_layer, recurrent_gap
from mrnn_np.layers import multimodal_forward, recurrent_forward, recurrent_step

STEP = 1e-5
LIMIT = 1e-7  # right answers stay below 1e-8
LIMIT_DIFFERENCE = 1e-9  # a centred difference reaches 1e-10, a one-sided one 1e-8


class Wrong(Exception):
    """The first wrong number of an answer."""


def run(check: Callable, answer: Callable) -> int:
    """Check an answer, print the verdict, and return the exit status."""
    try:
        check(answer)
    except NotImplementedError as gap:
        print(f"fail: {answer.__name__} still has its gap: {gap}")
        return 1
    except Wrong as problem:
        print(f"fail: {problem}")
        return 1
    print(f"pass: {answer.__name__}")
    return 0


def compare(name: str, got, expected, limit: float, source: str = "expected") -> None:
    """Raise `Wrong` at the first entry of `got` that is off."""
    got, expected = np.asarray(got), np.asarray(expected)
    if got.shape != expected.shape:
        raise Wrong(f"{name} has the shape {got.shape}, expected {expected.shape}")
    scale = max(1e-3 * np.abs(expected).max(), 1e-8)
    for index in np.ndindex(got.shape):
        error = relative_error(got[index], expected[index], scale)
        if not error <= limit:  # a NaN is wrong too
            raise Wrong(
                f"{name}{list(index)}: got {got[index]:.10g}, {source} "
                f"{expected[index]:.10g}, relative error {error:.1e} "
                f"(expect below {limit:.0e})"
            )


def compare_all(function: Callable, names: str, got, expected, source: str) -> None:
    """Compare a tuple of arrays, named in `names`, one after the other."""
    names = names.split()
    if not isinstance(got, tuple) or len(got) != len(names):
        raise Wrong(f"{function.__name__} must return a tuple of {', '.join(names)}")
    for name, mine, right in zip(names, got, expected, strict=True):
        compare(f"{function.__name__}: {name}", mine, right, LIMIT, source)


def slopes(cost: Callable[[], float], x: np.ndarray) -> np.ndarray:
    """Return the centred difference of `cost` by every entry of x."""
    result = np.empty_like(x)
    for index in np.ndindex(x.shape):
        middle = x[index]
        x[index] = middle + STEP
        above = cost()
        x[index] = middle - STEP
        below = cost()
        x[index] = middle
        result[index] = (above - below) / (2 * STEP)
    return result


def check_step_backward(step_backward: Callable) -> None:
    """02a: one recurrent step, first the numbers of the lesson, then random ones."""
    names = "dw dprevious dU db"
    got = step_backward(
        np.array([[2.0, 3.0]]),
        np.array([[3.5, 0.0]]),
        np.array([[1.0, 2.0]]),
        np.array([[0.5, -1.0], [1.0, 0.5]]),
    )
    expected = [[2, 0]], [[1, 2]], [[2, 0], [4, 0]], [2, 0]
    compare_all(step_backward, names, got, expected, "on paper")

    rng = np.random.default_rng(0)
    w, previous = rng.standard_normal((2, 4, 3))  # four sentences, R = 3
    U, b = rng.standard_normal((3, 3)), rng.standard_normal(3)
    dr = rng.standard_normal((4, 3))
    r = recurrent_step(w, previous, U, b)

    def cost() -> float:
        return float(np.sum(dr * recurrent_step(w, previous, U, b)))

    got = step_backward(dr.copy(), r.copy(), previous.copy(), U.copy())
    expected = [slopes(cost, x) for x in (w, previous, U, b)]
    compare_all(step_backward, names, got, expected, "numeric")


def check_through_time(through_time_backward: Callable) -> None:
    """02b: sentences of unequal length, the longest of six steps."""
    batch = pack([[4] * n for n in (5, 3, 3, 1)], np.zeros((4, 1)))
    for attempt in range(1000):  # keep every unit away from its kink
        rng = np.random.default_rng(attempt)
        x = rng.standard_normal((len(batch.tokens), 3))
        U, b = rng.standard_normal((3, 3)), rng.standard_normal(3)
        if recurrent_gap(x, U, b, batch.batch_sizes) > 100 * STEP:
            break
    dout = rng.standard_normal(x.shape)
    out, _ = recurrent_forward(x, U, b, batch.batch_sizes)

    def cost() -> float:
        return float(np.sum(dout * recurrent_forward(x, U, b, batch.batch_sizes)[0]))

    expected = [slopes(cost, array) for array in (x, U, b)]
    got = through_time_backward(dout.copy(), out.copy(), U.copy(), batch.batch_sizes)
    compare_all(through_time_backward, "dx dU db", got, expected, "numeric")


def check_numerical_gradient(numerical_gradient: Callable) -> None:
    """03a: functions whose gradient is known from calculus."""
    name = numerical_gradient.__name__
    x = np.array([[0.5, -1.0, 2.0], [1.5, 0.7, -0.3]])
    before = x.copy()
    for formula, f, exact in (
        ("sum of x^3", lambda x: np.sum(x**3), 3 * x**2),
        ("sum of exp(x)", lambda x: np.sum(np.exp(x)), np.exp(x)),
        ("product of x", lambda x: np.prod(x), np.prod(x) / x),
    ):
        got = numerical_gradient(f, x)
        compare(f"{name}: x must be as it was before; x", x, before, 0.0)
        compare(f"{name}: {formula}: d", got, exact, LIMIT_DIFFERENCE)


def check_multimodal_backward(multimodal_backward: Callable) -> None:
    """03b: the gradient check of the library's multimodal layer."""
    rng = np.random.default_rng(0)
    sentence = np.array([0, 1, 2, 0, 2])
    names = ("w", "r", "image", "Vw", "Vr", "Vi", "b")
    shapes = ((5, 4), (5, 4), (3, 6), (4, 7), (4, 7), (6, 7), (7,))
    arrays = {
        name: rng.standard_normal(shape)
        for name, shape in zip(names, shapes, strict=True)
    }

    def forward(w, r, image, Vw, Vr, Vi, b):
        return multimodal_forward(w, r, image, sentence, Vw, Vr, Vi, b)

    for check in check_layer(forward, multimodal_backward, arrays, rng, LIMIT):
        if not check.passed:
            raise Wrong(f"{multimodal_backward.__name__}: worst entry of d{check}")
