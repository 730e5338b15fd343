"""Check the answers to the exercises.

    python tutorials/exercises/check.py 02a            one exercise
    python tutorials/exercises/check.py                all of them
    python tutorials/exercises/check.py --answers DIR  answers in another folder

A check calls the reader's function on small cases and shows the first number that is
wrong. What is right is measured with differences of the forward pass, or known from
calculus. Exit status: 0 all pass, 1 not all.

Every answer is checked in a process of its own, for a minute at most: an answer that
never ends, or ends Python, fails like any other, and the next one is checked.

Knows: what each exercise asks for. Does not know: the solutions.
"""

import argparse
import copy
import math
import runpy
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mrnn_np.cells import ReLUCell
from mrnn_np.data.batches import pack
from mrnn_np.gradcheck.check import relative_error
from mrnn_np.layers import multimodal_forward
from mrnn_np.runtime.progress import show

STEP = 1e-5
LIMIT = 1e-7  # right answers stay below 1e-8
LIMIT_DIFFERENCE = 1e-8  # right answers stay below 1e-9


TIME_LIMIT = 60  # seconds; a right answer takes less than one


class Wrong(Exception):
    """The first wrong number of an answer."""


def call(function: Callable, **inputs) -> object:
    """Return what an answer makes of copies of its inputs; `Wrong` if it changes one.

    The inputs are handed over in their order: what the reader calls them is free.
    """
    given = copy.deepcopy(inputs)
    got = function(*given.values())
    for name, before in inputs.items():
        if not unchanged(before, given[name]):
            raise Wrong(f"{name} is not the same after the call as before")
    return got


def unchanged(before, after) -> bool:
    """Return whether an array, or a tuple of arrays, is equal to the last digit."""
    if isinstance(before, tuple):
        return all(map(unchanged, before, after))
    return not isinstance(before, np.ndarray) or np.array_equal(before, after)


def compare(name: str, got, expected, limit: float, source: str) -> None:
    """Raise `Wrong` at the first entry of `got` that is off."""
    expected = np.asarray(expected)
    if not isinstance(got, np.ndarray):
        raise Wrong(f"{name} is of type {type(got).__name__}, expected an array")
    if got.shape != expected.shape:
        raise Wrong(f"{name} has the shape {got.shape}, expected {expected.shape}")
    if got.dtype != np.float64:
        raise Wrong(f"{name} is {got.dtype}, expected float64 like the inputs")
    scale = max(1e-2 * np.abs(expected).max(), 1e-8)
    for index in np.ndindex(got.shape):
        error = relative_error(got[index], expected[index], scale)
        if error > limit:
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
    """02a: one recurrent step; first the sentence of the lesson, then several at once.

    The sentences of the second case are as many as there are units: the third shows
    what is transposed by mistake.
    """
    names = "dw dprevious dU db"
    got = call(
        step_backward,
        dr=np.array([[2.0, 3.0]]),
        r=np.array([[3.5, 0.0]]),
        previous=np.array([[1.0, 2.0]]),
        U=np.array([[0.5, -1.0], [1.0, 0.5]]),
    )
    expected = [[2, 0]], [[1, 2]], [[2, 0], [4, 0]], [2, 0]
    compare_all(names, got, expected, "as on paper")

    for n, R in (3, 3), (5, 2), (4, 3):
        w, previous, U, b, dr = step_case(n, R)
        step = ReLUCell(R, R).step
        r = step(w, previous, {"U": U, "br": b})

        def cost(w=w, previous=previous, U=U, b=b, dr=dr, step=step) -> float:
            return np.sum(dr * step(w, previous, {"U": U, "br": b}))

        got = call(step_backward, dr=dr, r=r, previous=previous, U=U)
        compare_all(names, got, slopes(cost, w, previous, U, b), "by differences")


def step_case(n: int, R: int) -> tuple[np.ndarray, ...]:
    """Return w, previous, U, b, dr: some units open, some shut, none near its kink."""
    for attempt in range(1000):
        rng = np.random.default_rng(attempt)
        w, previous, dr = rng.standard_normal((3, n, R))
        U, b = rng.standard_normal((R, R)), rng.standard_normal(R)
        z = previous @ U + w + b
        if np.abs(z).min() > 100 * STEP and 0.2 < (z > 0).mean() < 0.8:
            return w, previous, U, b, dr
    raise AssertionError(f"no such case of {n} sentences and {R} units")


def check_through_time(through_time_backward: Callable) -> None:
    """02b: sentences of equal and unequal length, one of them alone, some empty."""
    for words in (5, 3, 3, 1), (8,), (3, 3), (4, 2, 0, 0):
        x, U, b, batch_sizes = through_time_case(words)
        dout = np.random.default_rng(0).standard_normal(x.shape)
        out = states(x, U, b, batch_sizes)

        def cost(x=x, U=U, b=b, batch_sizes=batch_sizes, dout=dout) -> float:
            return np.sum(dout * states(x, U, b, batch_sizes))

        got = call(
            through_time_backward, dout=dout, out=out, U=U, batch_sizes=batch_sizes
        )
        compare_all("dx dU db", got, slopes(cost, x, U, b), "by differences")


def states(x: np.ndarray, U: np.ndarray, b: np.ndarray, sizes) -> np.ndarray:
    """Return all states of a recurrent layer that begins with zeros."""
    R, r0 = len(b), np.zeros((sizes[0], len(b)))
    return ReLUCell(R, R).forward(x, r0, {"U": U, "br": b}, sizes)[0]


def through_time_case(words: Sequence[int]) -> tuple[np.ndarray, ...]:
    """Return x, U, b, batch_sizes of sentences of so many words, and <end>.

    No unit comes near to its kink. In some sentence a unit opens, shuts and opens, and
    one shuts, opens and shuts; at the end of some sentence a unit is shut: a gate that
    is missing or belongs to another step is always seen.
    """
    batch = pack([[4] * n for n in words], np.zeros((len(words), 1)))
    for attempt in range(10_000):
        rng = np.random.default_rng(attempt)
        x = rng.standard_normal((len(batch.tokens), 3))
        U, b = rng.standard_normal((3, 3)), 0.3 * rng.standard_normal(3)
        arguments = x, np.zeros((len(words), 3)), {"U": U, "br": b}, batch.batch_sizes
        if ReLUCell(3, 3).distance_to_kink(*arguments) > 100 * STEP:
            out = states(x, U, b, batch.batch_sizes)
            if gates_move(out, batch.sentence):
                return x, U, b, batch.batch_sizes
    raise AssertionError(f"no such case of {words}")


def gates_move(out: np.ndarray, sentence: np.ndarray) -> bool:
    """Return whether the gates do all that `through_time_case` asks for."""
    gates = [out[sentence == n] > 0 for n in range(sentence.max() + 1)]  # (T_n, R) each
    turns = set()
    for unit in (unit for each in gates for unit in each.T):
        course = [a for a, b in zip(unit, [*unit[1:], None], strict=True) if a != b]
        turns |= {tuple(course[i : i + 3]) for i in range(len(course) - 2)}
    shut_at_an_end = not all(each[-1].all() for each in gates)
    return shut_at_an_end and turns >= {(True, False, True), (False, True, False)}


def check_numerical_gradient(numerical_gradient: Callable) -> None:
    """03a: functions whose gradient is known from calculus, of arrays of any shape."""
    matrix = np.array([[0.5, -1.0, 0.0], [2.0, 0.7, -0.3]])
    product = [math.prod(np.delete(matrix, i)) for i in range(matrix.size)]
    solid = np.arange(-3.0, 5.0).reshape(2, 2, 2)

    def cubes(x):
        return np.sum(x**3)

    for formula, f, x, exact in (
        ("sum of x^3", cubes, matrix, 3 * matrix**2),
        ("sum of exp(x)", lambda x: np.sum(np.exp(x)), matrix[0], np.exp(matrix[0])),
        ("product of x", np.prod, matrix, np.reshape(product, (2, 3))),
        ("sum of x^3", cubes, solid, 3 * solid**2),
        ("x^3", lambda x: float(x**3), np.array(2.0), np.array(12.0)),
    ):
        got = call(numerical_gradient, f=f, x=x)
        name = f"f = {formula}: gradient"
        compare(name, got, exact, LIMIT_DIFFERENCE, "from calculus")
    # ((x + h)^3 - (x - h)^3) / 2h = 3 x^2 + h^2
    got = call(numerical_gradient, f=cubes, x=matrix, h=0.1)
    name = "f = sum of x^3, h = 0.1: gradient"
    compare(name, got, 3 * matrix**2 + 0.01, LIMIT_DIFFERENCE, "from calculus")


def check_multimodal_backward(multimodal_backward: Callable) -> None:
    """03b: the multimodal layer; images with two words, one, none, and all of them."""
    names = "dw dr dimage dVw dVr dVi db"
    for sentence in [0, 1, 2, 0, 2], [2, 0, 2, 0], [0, 0, 0]:
        rng = np.random.default_rng(1)
        P, N = len(sentence), max(sentence) + 1
        shapes = (P, 4), (P, 4), (N, 6), (4, 7), (4, 7), (6, 7), (7,)
        arrays = [rng.standard_normal(shape) for shape in shapes]  # w r I Vw Vr Vi b
        dm = rng.standard_normal((P, 7))

        def forward(arrays=arrays, sentence=sentence):
            w, r, image, *parameters = arrays
            return multimodal_forward(w, r, image, np.array(sentence), *parameters)

        def cost(dm=dm, forward=forward) -> float:
            return np.sum(dm * forward()[0])

        got = call(multimodal_backward, dm=dm, cache=forward()[1])
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


def examine(number: str, folder: Path) -> str | None:
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
    except BaseException as problem:  # the answer stopped, or sys.exit(): say where
        frames = traceback.extract_tb(problem.__traceback__)
        lines = [f.lineno for f in frames if Path(f.filename).name == file]
        where = f"{file}, line {lines[-1]}: " if lines else ""
        return f"{where}{type(problem).__name__}: {problem}"
    return None


def verdict(number: str, folder: Path) -> str | None:
    """Do what `examine` does in a process of its own, TIME_LIMIT seconds at most.

    What the answer prints is seen as always. The verdict comes in a file.
    """
    with tempfile.TemporaryDirectory() as place:
        report = Path(place) / "verdict.txt"
        command = [sys.executable, __file__, number, "--answers", folder]
        try:
            done = subprocess.run(
                [*command, "--report", report],
                stdin=subprocess.DEVNULL,
                timeout=TIME_LIMIT,
            )
        except subprocess.TimeoutExpired:
            return f"no end after {TIME_LIMIT} s: does a loop go on for ever?"
        if not report.exists():
            return f"Python ended in the middle, with exit status {done.returncode}"
        return report.read_text(encoding="utf-8") or None


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the exercises named on the command line, print a line for each."""
    parser = argparse.ArgumentParser(description="Check the answers to the exercises.")
    parser.add_argument("number", nargs="*", help="such as 02a; all when left out")
    parser.add_argument(
        "--answers", metavar="DIR", type=Path, default=Path(__file__).parent
    )
    # How `verdict` asks a process of its own for the result.
    parser.add_argument("--report", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    numbers = options.number or list(EXERCISES)
    if unknown := [number for number in numbers if number not in EXERCISES]:
        parser.error(f"no exercise {unknown[0]}; there are {', '.join(EXERCISES)}")
    if options.report:
        problem = examine(numbers[0], options.answers) or ""
        options.report.write_text(problem, encoding="utf-8", errors="backslashreplace")
        return 0
    passed = 0
    for number in numbers:
        problem = verdict(number, options.answers)
        passed += problem is None
        text = f"{number}  pass" if problem is None else f"{number}  fail: {problem}"
        for line in text.split("\n"):  # an answer's own error may hold any character
            show(line)
    if len(numbers) > 1:
        show(f"{passed} of {len(numbers)} pass")
    return 0 if passed == len(numbers) else 1


if __name__ == "__main__":
    sys.exit(main())
