"""Check the answers to the exercises.

    python tutorials/exercises/check.py 02a            one exercise
    python tutorials/exercises/check.py                all of them
    python tutorials/exercises/check.py --answers DIR  answers in another folder

A check calls the reader's function on small cases and shows the first number that is
wrong. What is right is measured with differences of the forward pass, or known from
calculus. Exit status: 0 all pass, 1 not all.

Knows: what each exercise asks for. Does not know: the solutions.
"""

import argparse
import runpy
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mrnn_np.data.batches import pack
from mrnn_np.gradcheck import relative_error
from mrnn_np.gradient_cases import recurrent_gap
from mrnn_np.layers import multimodal_forward, recurrent_forward, recurrent_step

STEP = 1e-5
LIMIT = 1e-7  # right answers stay below 1e-8
LIMIT_DIFFERENCE = 1e-8  # right answers stay below 1e-9


class Wrong(Exception):
    """The first wrong number of an answer."""


def compare(name: str, got, expected, limit: float, source: str) -> None:
    """Raise `Wrong` at the first entry of `got` that is off."""
    got, expected = np.asarray(got), np.asarray(expected)
    if got.shape != expected.shape:
        raise Wrong(f"{name} has the shape {got.shape}, expected {expected.shape}")
    scale = max(1e-2 * np.abs(expected).max(), 1e-8)
    for index in np.ndindex(got.shape):
        error = relative_error(got[index], expected[index], scale)
        if not error <= limit:  # a NaN is wrong too
            raise Wrong(
                f"{name}{list(index)}: got {got[index]:.10g}, expected "
                f"{expected[index]:.10g} {source}, relative error {error:.1e} "
                f"(at most {limit:.0e} is right)"
            )


def compare_all(names: str, got, expected, source: str) -> None:
    """Compare a tuple of arrays; say of all of them whether they are right."""
    names = names.split()
    if not isinstance(got, tuple | list) or len(got) != len(names):
        raise Wrong(f"it must return a tuple ({', '.join(names)})")
    wrong = {}
    for name, mine, right in zip(names, got, expected, strict=True):
        try:
            compare(name, mine, right, LIMIT, source)
        except Wrong as problem:
            wrong[name] = problem
    if wrong:
        fine = [name for name in names if name not in wrong]
        raise Wrong(
            f"{next(iter(wrong.values()))}\n"
            f"      wrong: {', '.join(wrong)}; right: {', '.join(fine) or 'none'}"
        )


def slopes(cost: Callable[[], float], *arrays: np.ndarray) -> list[np.ndarray]:
    """Return the centred differences of `cost` by every entry of the arrays."""
    results = []
    for x in arrays:
        result = np.empty_like(x)
        for index in np.ndindex(x.shape):
            middle = x[index]
            x[index] = middle + STEP
            above = cost()
            x[index] = middle - STEP
            below = cost()
            x[index] = middle
            result[index] = (above - below) / (2 * STEP)
        results.append(result)
    return results


def check_step_backward(step_backward: Callable) -> None:
    """02a: one recurrent step; first the sentence of the lesson, then four at once."""
    names = "dw dprevious dU db"
    got = step_backward(
        np.array([[2.0, 3.0]]),
        np.array([[3.5, 0.0]]),
        np.array([[1.0, 2.0]]),
        np.array([[0.5, -1.0], [1.0, 0.5]]),
    )
    expected = [[2, 0]], [[1, 2]], [[2, 0], [4, 0]], [2, 0]
    compare_all(names, got, expected, "as on paper")

    rng = np.random.default_rng(0)
    w, previous = rng.standard_normal((2, 4, 3))  # four sentences, R = 3
    U, b = rng.standard_normal((3, 3)), rng.standard_normal(3)
    dr = rng.standard_normal((4, 3))
    r = recurrent_step(w, previous, U, b)

    def cost() -> float:
        return np.sum(dr * recurrent_step(w, previous, U, b))

    got = step_backward(dr.copy(), r.copy(), previous.copy(), U.copy())
    compare_all(names, got, slopes(cost, w, previous, U, b), "by differences")


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
        return np.sum(dout * recurrent_forward(x, U, b, batch.batch_sizes)[0])

    got = through_time_backward(dout.copy(), out.copy(), U.copy(), batch.batch_sizes)
    compare_all("dx dU db", got, slopes(cost, x, U, b), "by differences")


def check_numerical_gradient(numerical_gradient: Callable) -> None:
    """03a: functions whose gradient is known from calculus."""
    matrix = np.array([[0.5, -1.0, 2.0], [1.5, 0.7, -0.3]])
    for formula, f, x, exact in (
        ("sum of x^3", lambda x: np.sum(x**3), matrix, 3 * matrix**2),
        ("sum of exp(x)", lambda x: np.sum(np.exp(x)), matrix[0], np.exp(matrix[0])),
        ("product of x", lambda x: np.prod(x), matrix, np.prod(matrix) / matrix),
    ):
        before = x.copy()
        got = numerical_gradient(f, x)
        compare("x after the call", x, before, 1e-12, "as before it")
        name = f"f = {formula}: gradient"
        compare(name, got, exact, LIMIT_DIFFERENCE, "from calculus")


def check_multimodal_backward(multimodal_backward: Callable) -> None:
    """03b: the multimodal layer, two sentences of two words and one of one word."""
    rng = np.random.default_rng(0)
    sentence = np.array([0, 1, 2, 0, 2])
    shapes = ((5, 4), (5, 4), (3, 6), (4, 7), (4, 7), (6, 7), (7,))
    arrays = [rng.standard_normal(shape) for shape in shapes]  # w r image Vw Vr Vi b
    dm = rng.standard_normal((5, 7))

    def forward():
        w, r, image, *parameters = arrays
        return multimodal_forward(w, r, image, sentence, *parameters)

    def cost() -> float:
        return np.sum(dm * forward()[0])

    got = multimodal_backward(dm.copy(), forward()[1])
    names = "dw dr dimage dVw dVr dVi db"
    compare_all(names, got, slopes(cost, *arrays), "by differences")


EXERCISES = {  # number: (file, function, check)
    "02a": ("02a_step_backward.py", "step_backward", check_step_backward),
    "02b": (
        "02b_through_time_backward.py",
        "through_time_backward",
        check_through_time,
    ),
    "03a": (
        "03a_centred_difference.py",
        "numerical_gradient",
        check_numerical_gradient,
    ),
    "03b": (
        "03b_find_the_bug.py",
        "multimodal_backward",
        check_multimodal_backward,
    ),
}


def verdict(number: str, folder: Path) -> str | None:
    """Return what is wrong with the answer to an exercise, None when it is right."""
    file, name, check = EXERCISES[number]
    try:
        answers = runpy.run_path(str(folder / file))
        if name not in answers:
            return f"{file} does not define {name}"
        check(answers[name])
    except Wrong as problem:
        return f"{name}: {problem}"
    except NotImplementedError as gap:
        return f"{name} still has its gap: {gap}"
    except Exception as problem:  # the answer stopped: say where
        frames = traceback.extract_tb(problem.__traceback__)
        lines = [f.lineno for f in frames if Path(f.filename).name == file]
        where = f"{file}, line {lines[-1]}: " if lines else ""
        return f"{where}{type(problem).__name__}: {problem}"
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the exercises named on the command line, print a line for each."""
    parser = argparse.ArgumentParser(description="Check the answers to the exercises.")
    parser.add_argument("number", nargs="*", help="such as 02a; all when left out")
    parser.add_argument(
        "--answers", metavar="DIR", type=Path, default=Path(__file__).parent
    )
    options = parser.parse_args(arguments)
    numbers = options.number or list(EXERCISES)
    if unknown := [number for number in numbers if number not in EXERCISES]:
        parser.error(f"no exercise {unknown[0]}; there are {', '.join(EXERCISES)}")
    passed = 0
    for number in numbers:
        problem = verdict(number, options.answers)
        passed += problem is None
        print(f"{number}  pass" if problem is None else f"{number}  fail: {problem}")
    if len(numbers) > 1:
        print(f"{passed} of {len(numbers)} pass")
    return 0 if passed == len(numbers) else 1


if __name__ == "__main__":
    sys.exit(main())
