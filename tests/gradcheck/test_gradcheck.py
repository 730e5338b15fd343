"""The gradient check itself: it must find what is wrong."""

from dataclasses import replace

import numpy as np
import pytest

from mrnn_np import layers
from mrnn_np.cells import ReLUCell
from mrnn_np.cli import main
from mrnn_np.gradcheck import cases, run
from mrnn_np.gradcheck.cases import cell_case, check_layer, layer_cases
from mrnn_np.gradcheck.check import check_gradient, check_projection
from mrnn_np.gradcheck.model_cases import model_case, small_model
from mrnn_np.gradcheck.precision import compare, compare_layer, model_comparison


def quadratic(x):
    return lambda: float((x**3).sum())


def test_a_right_gradient_passes():
    x = np.random.default_rng(0).standard_normal((3, 4))
    (check,) = check_gradient(
        quadratic(x), {"x": x}, {"x": 3 * x**2}, np.random.default_rng(1)
    )
    assert check.passed and check.entries == 12


def test_one_wrong_entry_is_found_and_named():
    x = 1 + np.random.default_rng(0).random((3, 4))
    before = x.copy()
    dx = 3 * x**2
    dx[2, 1] *= 1 + 1e-5
    (check,) = check_gradient(
        quadratic(x), {"x": x}, {"x": dx}, np.random.default_rng(1)
    )
    assert not check.passed
    assert check.index == (2, 1)
    assert "x[2, 1]: analytic" in str(check) and "numeric" in str(check)
    np.testing.assert_array_equal(x, before)


def test_projection_finds_one_wrong_entry():
    x = 1 + np.random.default_rng(0).random((30, 40))
    before = x.copy()
    dx = 3 * x**2
    args = ("x", quadratic(x), {"x": x})
    assert check_projection(*args, {"x": dx}, np.random.default_rng(1)).passed
    dx[2, 1] *= 1.01
    assert not check_projection(*args, {"x": dx}, np.random.default_rng(1)).passed
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("entries", [434, 10_000, 1_000_000])
def test_projection_passes_right_gradients_of_any_size(entries):
    rng = np.random.default_rng(entries)
    for x in (1 + rng.random(entries), rng.standard_normal(entries)):
        args = ("x", quadratic(x), {"x": x}, {"x": 3 * x**2})
        check = check_projection(*args, rng)
        assert check.passed and check.entries == entries, str(check)
        assert check.limit < 3e-7


@pytest.mark.parametrize(("entries", "off"), [(434, 1e-5), (434, 1e-4), (10_000, 1e-3)])
def test_projection_overlooks_no_more_than_it_says(entries, off):
    # Equal entries: one that is off by `off` of itself is off / sqrt(n) of |g|.
    rng = np.random.default_rng(0)
    x = np.ones(entries)
    dx = np.full(entries, 3.0)
    dx[entries // 2] *= 1 + off
    tries = 400
    missed = sum(
        check_projection("x", quadratic(x), {"x": x}, {"x": dx}, rng, 1e-7, 1).passed
        for _ in range(tries)
    )
    promised = 1e-7 * entries**0.5 / off
    deviation = (promised * (1 - promised) / tries) ** 0.5
    assert missed / tries < promised + 3 * deviation
    # The bound is not an empty one: it is reached but for a fifth and a bit of luck.
    assert missed / tries > 0.7 * promised - 3 * deviation


def test_three_directions_see_what_one_overlooks():
    rng = np.random.default_rng(0)
    x = np.ones(10_000)
    dx = np.full(10_000, 3.0)
    dx[77] *= 1 + 1e-4
    args = ("x", quadratic(x), {"x": x}, {"x": dx}, rng)
    one = [check_projection(*args, directions=1).passed for _ in range(300)]
    three = [check_projection(*args).passed for _ in range(300)]
    assert 10 <= sum(one) <= 50  # 0.08 of them
    assert sum(three) <= 2  # 0.0005


def test_projection_says_what_the_rounding_of_the_cost_hides():
    x, right = np.ones(5), np.ones(5)
    wrong = np.array([1, 1, 1, 1.01, 1])

    def check(cost, dx):
        rng = np.random.default_rng(0)
        return check_projection(
            "x", lambda: float(x.sum()) + cost, {"x": x}, {"x": dx}, rng
        )

    found = check(2.0**14, right)
    assert found.passed and "limit 2e-06" in str(found)
    assert not check(2.0**14, wrong).passed
    # Beyond 1e-4 of the gradient nothing is left to be checked: not even right passes.
    assert check(2.0**40, right).limit == 1e-4
    assert not check(2.0**40, right).passed


NOT_FINITE = [np.nan, np.inf, -np.inf]


@pytest.mark.parametrize("bad", NOT_FINITE)
@pytest.mark.parametrize("position", range(12))
def test_what_is_not_finite_fails_wherever_it_stands(bad, position):
    x = np.random.default_rng(0).standard_normal((3, 4))
    index = np.unravel_index(position, x.shape)
    dx = 3 * x**2
    dx[index] = bad
    for seed in range(5):  # of the order of the entries
        args = ({"x": x}, {"x": dx}, np.random.default_rng(seed))
        for check in (
            *check_gradient(quadratic(x), *args),
            *check_gradient(quadratic(x), *args, entries=1),
            check_projection("all", quadratic(x), *args),
        ):
            assert not check.passed and check.error == np.inf
            assert check.index == index
    assert "all, x[" in str(check) and f"analytic {bad}" in str(check)


@pytest.mark.parametrize("bad", NOT_FINITE)
def test_one_bad_entry_hides_none_of_the_wrong_ones(bad):
    x = 1 + np.random.default_rng(0).random((300, 40))
    dx = -7 * 3 * x**2
    dx[217, 3] = bad
    args = ({"x": x}, {"x": dx}, np.random.default_rng(1))
    checks = [
        *check_gradient(quadratic(x), *args, entries=20),
        check_projection("all", quadratic(x), *args),
    ]
    dx[217, 3] = 3 * x[217, 3] ** 2
    checks += [
        *check_gradient(quadratic(x), *args, entries=20),
        check_projection("all", quadratic(x), *args),
    ]
    assert not any(check.passed for check in checks)


@pytest.mark.parametrize("bad", NOT_FINITE)
def test_a_cost_that_is_not_finite_fails(bad):
    x = np.ones((2, 2))
    args = ({"x": x}, {"x": np.ones((2, 2))}, np.random.default_rng(0))

    def only_one_side():
        return bad if x[1, 0] > 1 else float(x.sum())

    for f in (only_one_side, lambda: bad):
        (check,) = check_gradient(f, *args)
        assert not check.passed
        assert not check_projection("all", f, *args).passed
    assert (x == 1).all()


def test_gradients_too_large_to_measure_are_not_right():
    x = np.ones(3)
    for huge in (1e200, 1.7e308):
        args = ({"x": x}, {"x": np.full(3, huge)}, np.random.default_rng(0))
        assert not check_gradient(quadratic(x), *args)[0].passed
        assert not check_projection("all", quadratic(x), *args).passed


def test_gradients_in_memory_that_the_cost_writes_to():
    x = 1 + np.random.default_rng(0).random((3, 4))
    dx = np.empty_like(x)

    def cost_and_gradient():
        dx[...] = 3 * x**2  # as a model does whose buffers are kept
        return float((x**3).sum())

    cost_and_gradient()
    args = ({"x": x}, {"x": dx}, np.random.default_rng(0))
    assert check_gradient(cost_and_gradient, *args)[0].passed
    cost_and_gradient()
    assert check_projection("all", cost_and_gradient, *args).passed


def test_only_float64_is_checked():
    right, rng = np.ones(2), np.random.default_rng(1)
    for bad, kind in (
        (np.ones(2, np.float32), "float32"),
        (np.ones(2, int), "int64"),
        ([1.0, 1.0], "list"),
        (None, "NoneType"),
    ):
        for check in (check_gradient, lambda *args: check_projection("all", *args)):
            with pytest.raises(TypeError, match=f"^x is {kind}: .* float64$"):
                check(quadratic(right), {"x": bad}, {"x": right}, rng)
            with pytest.raises(TypeError, match=f"^the gradient of x is {kind}: "):
                check(quadratic(right), {"x": right}, {"x": bad}, rng)


def test_a_check_of_nothing_is_refused():
    x, rng = np.ones((2, 3)), np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"x is \(2, 3\), its gradient \(3, 2\)"):
        check_gradient(quadratic(x), {"x": x}, {"x": np.ones((3, 2))}, rng)
    with pytest.raises(ValueError, match="no entry"):
        check_gradient(quadratic(x), {"x": x[:0]}, {"x": x[:0]}, rng)
    with pytest.raises(ValueError, match="no entry"):
        check_gradient(quadratic(x), {"x": x}, {"x": x}, rng, entries=0)
    with pytest.raises(ValueError, match="nothing"):
        check_projection("all", quadratic(x), {}, {}, rng)


def double_forward(x, y):
    return x + 2 * y, None


def double_backward(dout, cache):
    return dout, 2 * dout


@pytest.mark.parametrize(
    ("arrays", "backward", "kind", "message"),
    [
        ({"y": np.ones(2, "f4")}, double_backward, TypeError, "^y is float32: "),
        ({"y": [1.0, 2.0]}, double_backward, TypeError, "^y is list: "),
        ({"y": None}, double_backward, TypeError, "^y is NoneType: "),
        ({}, lambda *_: None, TypeError, "returned NoneType"),
        ({}, lambda dout, _: {"x": dout}, TypeError, "returned dict"),
        ({}, lambda dout, _: dout, ValueError, r"1 .* for 2 arrays \(x, y\)"),
        ({}, lambda dout, _: (dout,) * 3, ValueError, r"3 .* for 2 arrays"),
        (
            {},
            lambda dout, _: (dout, (2 * dout).astype("f4")),
            TypeError,
            "^the gradient of y is float32",
        ),
        ({}, lambda dout, _: (dout, None), TypeError, "gradient of y is NoneType"),
    ],
)
def test_check_layer_says_what_it_cannot_check(arrays, backward, kind, message):
    arrays = {"x": np.ones(2), "y": np.ones(2), **arrays}
    with pytest.raises(kind, match=message):
        check_layer(double_forward, backward, arrays, np.random.default_rng(0))


def test_check_layer_takes_gradients_in_a_list_and_leaves_integers_alone():
    checks = check_layer(
        lambda x, y, tokens: double_forward(x[tokens], y),
        lambda dout, cache: list(double_backward(dout, cache)),
        {"x": np.ones(2), "y": np.ones(2), "tokens": np.array([0, 1])},
        np.random.default_rng(0),
    )
    assert [check.passed for check in checks] == [True, True]
    assert [check.name for check in checks] == ["x", "y"]


@pytest.mark.parametrize("dropout", [0.0, 0.2, 0.8])
def test_whole_model(dropout):
    checks = [*model_case(1, dropout), *model_comparison(1, dropout)]
    for check in checks:
        assert check.passed, str(check)
    names = [*small_model(np.random.default_rng(0)).params]
    assert [check.name for check in checks] == [*names, "all", *names]


def test_a_layer_that_stops_after_20_steps_is_caught():
    case = cell_case(0, "relu")
    checks = check_layer(
        case.forward,
        lambda dout, cache: spelled_out(*stops_after(20)(None, dout, cache)),
        case.arrays,
        np.random.default_rng(0),
        case.limit,
    )
    assert not any(check.passed for check in checks)


def test_a_model_that_stops_after_20_steps_is_caught(monkeypatch):
    monkeypatch.setattr(ReLUCell, "backward", stops_after(20))
    checks = model_case(0)
    assert any(not check.passed for check in checks[:-1]) and not checks[-1].passed


def stops_after(steps):
    """Return a backward pass through time in windows of so many steps."""

    def backward(self, dout, cache, memory=None):
        out, state0, U, batch_sizes = cache
        dz, begin = dout.copy(), np.cumsum(batch_sizes) - batch_sizes
        dU = np.zeros_like(U)
        for t in reversed(range(len(batch_sizes))):
            now = slice(begin[t], begin[t] + batch_sizes[t])
            dz[now] *= out[now] > 0
            if t > 0:
                before = slice(begin[t - 1], begin[t - 1] + batch_sizes[t])
                dU += out[before].T @ dz[now]
                dz[before] += (t % steps > 0) * (dz[now] @ U.T)
        dU += state0.T @ dz[: batch_sizes[0]]
        dstate0 = dz[: batch_sizes[0]] @ U.T
        return dz, dstate0, {"U": dU, "br": dz.sum(axis=0)}

    return backward


def spelled_out(dx, dstate0, dp):
    """Return the gradients of a cell as `check_layer` takes them."""
    return dx, dstate0, *dp.values()


def test_a_fault_in_float32_alone_is_caught(monkeypatch):
    right = ReLUCell.backward

    def broken(self, *arguments):
        dx, dstate0, dp = right(self, *arguments)
        dp["U"] *= 1 if dx.dtype == np.float64 else dx.dtype.type(0.999)
        return dx, dstate0, dp

    monkeypatch.setattr(ReLUCell, "backward", broken)
    checks = compare_layer(cell_case(0, "relu"), np.random.default_rng(0))
    assert [check.name for check in checks if not check.passed] == ["U"]
    checks = model_comparison(0, 0.0)
    assert [check.name for check in checks if not check.passed] == ["U"]


def test_memory_that_is_not_cleared_is_caught(monkeypatch):
    def broken(dout, cache, dtable=None):
        fresh, rows = layers.embedding_backward(dout, cache), np.unique(cache[0])
        if dtable is None:
            return fresh
        dtable[rows] = fresh[rows]  # in the others stands what the last step left there
        return dtable

    monkeypatch.setattr("mrnn_np.models.mrnn.embedding_backward", broken)
    checks = model_comparison(0, 0.0)
    assert [check.name for check in checks if not check.passed] == ["E1"]


def test_float32_comparison_sees_every_entry():
    expected = np.random.default_rng(0).standard_normal((2, 3))
    assert compare("x", expected.astype("f4"), expected).passed
    for index in np.ndindex(2, 3):
        for bad in (*NOT_FINITE, 1.001 * expected[index] + 1e-3):
            found = expected.astype("f4")
            found[index] = bad
            check = compare("x", found, expected)
            assert not check.passed and check.index == index
    with pytest.raises(TypeError, match="not float64 with float64"):
        compare("x", expected, expected)
    with pytest.raises(ValueError, match=r"\(3,\) in float32, \(2, 3\) before"):
        compare("x", expected[0].astype("f4"), expected)


@pytest.mark.parametrize("rate", [0.2, 0.8])
def test_dropped_and_kept_are_not_mixed_up(rate):
    (case,) = (c for c in layer_cases(0) if c.name == f"dropout of {rate}")

    def broken(dout, cache):
        draws, threshold, scale = cache
        kept = draws.reshape(dout.shape) >= threshold
        return dout * kept * (scale - 1) / scale  # 1 / (1 - rate) taken for 1 / rate

    rng = np.random.default_rng(0)
    (check,) = check_layer(case.forward, broken, case.arrays, rng)
    assert not check.passed


RELU_BACKWARD = ReLUCell.backward
BROKEN = {
    "recurrent without a gradient of U": (
        "ReLUCell.backward",
        lambda *arguments: _without_dU(*RELU_BACKWARD(*arguments)),
    ),
    "softmax without the one-hot": (
        "output_backward",
        lambda dlosses, cache, dW: _without_onehot(dlosses, *cache),
    ),
    "stanh with the slope of tanh": (
        "stanh_backward",
        lambda dout, out: dout * (1 - out**2),
    ),
    "embedding overwrites instead of adding": (
        "embedding_backward",
        lambda dout, cache, dtable: _overwrite(dout, *cache),
    ),
}


def _without_dU(dx, dstate0, dp):
    return dx, dstate0, dp | {"U": 0 * dp["U"]}


def _without_onehot(dlosses, exps, totals, targets, m, W):
    dz = exps * (dlosses / totals)[:, None]
    return dz @ W.T, m.T @ dz, dz.sum(axis=0)


def _overwrite(dout, tokens, table):
    dtable = np.zeros_like(table)
    dtable[tokens] = dout
    return dtable


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_backward_pass_is_caught(monkeypatch, fault):
    name, broken = BROKEN[fault]
    module = {"output_backward": "models.captioner", "ReLUCell.backward": "cells.relu"}
    place = module.get(name, "models.mrnn")
    monkeypatch.setattr(f"mrnn_np.{place}.{name}", broken)
    checks = model_case(0)
    assert any(not check.passed for check in checks[:-1]), "element by element"
    assert not checks[-1].passed, "by projection"


def test_truncated_back_propagation_is_caught():
    cell = ReLUCell(3, 3)

    def truncated(dout, cache):
        _, dstate0, dp = cell.backward(dout, cache)
        return dout * (cache[0] > 0), dstate0, *dp.values()  # dx stops after one step

    rng = np.random.default_rng(0)
    sizes = np.array([2] * 15)
    checks = check_layer(
        lambda x, state0, **p: cell.forward(x, state0, p, sizes),
        truncated,
        {
            "x": rng.standard_normal((30, 3)),
            "state0": np.zeros((2, 3)),
            "U": np.eye(3) * 0.9,
            "br": rng.standard_normal(3),
        },
        rng,
    )
    assert not checks[0].passed
    assert checks[3].passed


@pytest.mark.slow
def test_command_prints_the_table_and_succeeds(capsys):
    assert main(["gradcheck", "--seed", "2"]) == 0
    shown = capsys.readouterr().out
    assert "all gradients are right" in shown
    assert shown.count(" ok\n") > 100


def test_command_exits_1_and_names_the_entry(monkeypatch, capsys):
    (right,) = (case for case in cases.layer_cases(0) if case.name == "S-tanh")
    wrong = replace(right, backward=lambda dout, out: dout * (1 - out**2))
    monkeypatch.setattr(cases, "layer_cases", lambda seed: [wrong])
    # The other checks take 20 s, and have no part in this.
    monkeypatch.setattr(run, "model_case", lambda *_, **__: [])
    assert main(["gradcheck"]) == 1
    shown = capsys.readouterr()
    assert shown.out.count("WRONG\n") == 1 and "1 wrong" in shown.out
    assert "S-tanh: x[" in shown.err and "numeric" in shown.err


def test_what_float32_is_compared_with(monkeypatch):
    asked = []
    monkeypatch.setattr(run, "model_comparison", lambda *a: asked.append(a) or ["one"])
    assert len(list(run.float32_checks(5, "nic"))) == 3
    assert asked == [(5, 0.0, "nic"), (5, 0.2, "nic"), (5, 0.8, "nic")]
