"""Recurrent cells: by hand, against themselves word by word, and their kernels."""

import inspect
import textwrap

import numpy as np
import pytest

from mrnn_np import InputError
from mrnn_np.cells import CELLS, GRUCell, LSTMCell, ReLUCell, make_cell
from mrnn_np.cells.cell import forward_plain, predecessors, steps
from mrnn_np.cells.lstm import FORGET_BIAS
from mrnn_np.cells.stack import check_cell
from mrnn_np.data.batches import pack
from mrnn_np.gradcheck.cases import STEPS, cell_case, check_layer
from mrnn_np.kernels import gates
from mrnn_np.layers.parameters import draw

DTYPES = [(np.float32, 2e-6), (np.float64, 1e-12)]


def drawn(name, layers, dtype, seed=0, X=6, R=6):
    """Return a cell, its parameters, and a Generator."""
    rng = np.random.default_rng(seed)
    cell = make_cell(name, X, R, layers)
    p = draw(cell.parameters(), rng)
    for key, value in p.items():
        if not key.endswith(("U", "W")):
            value += rng.standard_normal(value.shape)
    return cell, {key: value.astype(dtype) for key, value in p.items()}, rng


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
@pytest.mark.parametrize("lengths", [[4, 2, 2, 1], [1], [3, 3, 3], [1, 1, 17]])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("name", CELLS)
def test_a_packed_batch_equals_one_sentence_after_another(
    name, layers, lengths, dtype, tolerance
):
    cell, p, rng = drawn(name, layers, dtype)
    batch = pack(
        [[5] * (length - 1) for length in lengths], np.zeros((len(lengths), 1))
    )
    x = rng.standard_normal((len(batch.tokens), 6)).astype(dtype)
    state0 = rng.standard_normal((len(lengths), cell.state_size)).astype(dtype)
    fast, _ = cell.forward(x, state0, p, batch.batch_sizes)
    plain = forward_plain(cell, x, state0, p, batch.batch_sizes)
    np.testing.assert_allclose(fast, plain, rtol=10 * tolerance, atol=10 * tolerance)
    assert fast.dtype == plain.dtype == dtype


@pytest.mark.parametrize("name", CELLS)
def test_nothing_that_is_given_is_changed(name):
    cell, p, rng = drawn(name, 2, np.float64)
    x, state0 = rng.standard_normal((5, 6)), rng.standard_normal((2, cell.state_size))
    dout, sizes = rng.standard_normal((5, 6)), np.array([2, 2, 1])
    given = {"x": x, "state0": state0, "dout": dout, **p}
    before = {key: value.copy() for key, value in given.items()}
    first = cell.backward(dout, cell.forward(x, state0, p, sizes)[1])
    again = cell.backward(dout, cell.forward(x, state0, p, sizes)[1])
    cell.step(x[:2], state0, p)
    for key, value in given.items():
        np.testing.assert_array_equal(value, before[key], key)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])


def test_relu_by_hand():
    # r1 = max(0, 1) = 1; r2 = max(0, 2*1 - 3 + 0.5) = 0; r3 = max(0, 0 + 4 + 0.5)
    x, p = np.array([[0.5], [-3.0], [4.0]]), {"U": [[2.0]], "br": [0.5]}
    p = {key: np.array(value) for key, value in p.items()}
    out, _ = ReLUCell(1, 1).forward(x, np.zeros((1, 1)), p, np.array([1, 1, 1]))
    np.testing.assert_allclose(out, [[1.0], [0.0], [4.5]])


def test_gru_by_hand():
    # sigmoid(ln 3) = 3/4, tanh(ln 3 / 2) = 1/2. u = 3/4, s = 3/4 of h' = 4 is 3,
    # c = tanh(3 * ln 3 / 6) = 1/2, h = 3/4 * 4 + 1/4 * 1/2
    ln3 = np.log(3)
    p = {"W": [[ln3, ln3, 0]], "U": [[0, 0, ln3 / 6]], "br": [0, 0, 0]}
    p = {key: np.array(value, float) for key, value in p.items()}
    h = GRUCell(1, 1).step(np.ones((1, 1)), np.array([[4.0]]), p)
    np.testing.assert_allclose(h, [[3.125]])


@pytest.mark.parametrize("peepholes", [False, True])
def test_lstm_by_hand(peepholes):
    # i = 1/2, f = 3/4, g = 1/2: c = 3/4 * 2 + 1/4 = 7/4; o = 1/4 (without peepholes)
    ln3 = np.log(3)
    p = {"W": [[0, ln3, -ln3, ln3 / 2]], "U": [[0, 0, 0, 0]], "br": [0, 0, 0, 0]}
    if peepholes:  # the same gates from the cells c' = 2 and c = 7/4
        p |= {"W": [[0, 0, 0, ln3 / 2]], "peep": [[0], [ln3 / 2], [-ln3 / 1.75]]}
    p = {key: np.array(value, float) for key, value in p.items()}
    cell = LSTMCell(1, 1, peepholes)
    state = cell.step(np.ones((1, 1)), np.array([[9.0, 2.0]]), p)
    np.testing.assert_allclose(state, [[np.tanh(1.75) / 4, 1.75]])
    np.testing.assert_allclose(cell.output(state), state[:, :1])


def test_an_open_forget_gate_keeps_the_cell_over_many_steps():
    cell = LSTMCell(1, 1)
    p = {"W": np.zeros((1, 4)), "U": np.zeros((1, 4)), "br": [-40.0, 40.0, 40.0, 0]}
    p["br"] = np.array(p["br"])
    out, cache = cell.forward(
        np.zeros((STEPS, 1)), np.array([[0.0, 0.3]]), p, np.ones(STEPS, int)
    )
    np.testing.assert_allclose(out, np.tanh(0.3))
    dout = np.zeros((STEPS, 1))
    dout[-1] = 1
    _, dstate0, _ = cell.backward(dout, cache)
    np.testing.assert_allclose(dstate0, [[0, 1 - np.tanh(0.3) ** 2]], atol=1e-12)


def test_a_state_begins_with_the_output():
    for name in CELLS:
        cell, p, rng = drawn(name, 3, np.float64)
        state = rng.standard_normal((2, cell.state_size))
        x = rng.standard_normal((2, 6))
        out, _ = cell.forward(x, state, p, np.array([2]))
        np.testing.assert_allclose(cell.output(cell.step(x, state, p)), out)


def test_rows_by_hand():
    np.testing.assert_array_equal(predecessors(np.array([3, 2, 1])), [0, 1, 3])
    assert len(predecessors(np.array([4]))) == 0
    assert list(steps(np.array([3, 2]))) == [slice(0, 3), slice(3, 5)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kernels_equal_their_plain_twins(dtype):
    rng = np.random.default_rng(0)

    def some(*shape):
        return rng.standard_normal(shape).astype(dtype)

    tolerance = {"rtol": 1e-5, "atol": 1e-6} if dtype == np.float32 else {}
    dh, h, dseen, z = some(3, 5), some(3, 5), some(3, 5), some(3, 15)
    found, expected = np.zeros((2, 3, 15), dtype)
    gates.gru_backward_kernel(dh, z, h, dseen, found)
    gates.gru_backward_plain(dh, z, h, dseen, expected)
    np.testing.assert_allclose(found, expected, **tolerance)
    assert np.all(found[:, 10:] == 0)  # the candidate's columns are not its business
    z, peep = some(3, 20), some(3, 5)
    (dc, dz), (dc2, dz2) = ((np.ones((3, 5), dtype), some(3, 20)) for _ in range(2))
    gates.lstm_backward_kernel(dh, z, h, dseen, peep, dc, dz)
    gates.lstm_backward_plain(dh, z, h, dseen, peep, dc2, dz2)
    np.testing.assert_allclose(dc, dc2, **tolerance)
    np.testing.assert_allclose(dz, dz2, **tolerance)
    z = np.array([-1000, -1, 0, 1, 1000], dtype)
    gates.sigmoid(z)
    np.testing.assert_allclose(z, [0, 0.26894142, 0.5, 0.73105858, 1], rtol=1e-6)


METHODS = {"gru": "backward", "lstm": "gates_backward"}
FAULTS = {  # right -> what a hurried hand writes
    "gru": {"d * (1 - u)": "d * u", "d *= u": "pass", "+= dseen * s": "+= dseen"},
    "lstm": {
        "dh[:n] += dout[rows]": "dh[:n] = dout[rows]",
        "c_before[rows]": "cells[rows]",
        "dh[:n] = times_transposed(dz[rows], U)": "dh[:n] = dz[rows] @ p['W'].T",
    },
}


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [(name, *edit) for name, edits in FAULTS.items() for edit in edits.items()],
)
def test_the_gradient_check_sees_what_a_hurried_hand_writes(name, right, wrong):
    cls = type(make_cell(name, 5, 5))
    method = METHODS[name]
    source = textwrap.dedent(inspect.getsource(getattr(cls, method)))
    assert source.count(right) == 1
    scope = dict(vars(inspect.getmodule(cls)))
    exec(source.replace(right, wrong), scope)
    case = cell_case(0, name)
    cell = type("Faulty", (cls,), {method: scope[method]})(5, 5)
    cell.input_size = case.arrays["x"].shape[1]

    def backward(dout, cache):
        dx, dstate0, dp = cell.backward(dout, cache)
        return dx, dstate0, *dp.values()

    arrays = {**case.arrays}
    if name == "lstm" and "W" in wrong:  # needs X = R to run at all
        arrays["x"] = np.random.default_rng(0).standard_normal((len(arrays["x"]), 5))
        arrays["W"] = np.random.default_rng(1).standard_normal((5, 20))
    checks = check_layer(
        case.forward, backward, arrays, np.random.default_rng(0), case.limit
    )
    assert not all(check.passed for check in checks)


def test_what_a_config_cannot_ask_for():
    with pytest.raises(InputError, match=r"cell 'elman' is not one of relu, gru, lstm"):
        check_cell("elman", 1)
    for layers in (0, 9):
        with pytest.raises(InputError, match=f"1 to 8, not {layers}"):
            check_cell("gru", layers)
    with pytest.raises(ValueError, match="take 4 inputs, not 5"):
        ReLUCell(5, 4)


def test_an_lstm_begins_with_a_bias_for_the_forget_gate_alone():
    br = draw(LSTMCell(2, 3).parameters(), np.random.default_rng(0))["br"]
    assert br.reshape(4, 3).tolist() == [[0] * 3, [FORGET_BIAS] * 3, [0] * 3, [0] * 3]


def test_the_distance_to_the_kink_is_that_of_the_nearest_unit():
    p = {"U": np.array([[0.5, 0.0], [0.0, 1.0]]), "br": np.array([0.25, -4.0])}
    x = np.array([[1.0, 9.0], [-2.0, 1.0]])  # one sentence of two words
    # z1 = (1, 9) + b = (1.25, 5), z2 = (0.625, 5) + (-2, 1) + b = (-1.125, 2)
    distance = ReLUCell(2, 2).distance_to_kink(x, np.zeros((1, 2)), p, np.array([1, 1]))
    assert distance == 1.125
