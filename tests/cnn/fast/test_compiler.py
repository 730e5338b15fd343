"""Compiled programs against the same layers in NumPy, one after the other."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config

from mrnn_np.cnn.architectures import Layer, build
from mrnn_np.cnn.fast import compiler
from mrnn_np.cnn.fast import program as operations
from mrnn_np.cnn.fast.compiler import compile_program
from mrnn_np.cnn.fast.filters import Filters
from mrnn_np.cnn.fast.memory import aligned_zeros
from mrnn_np.cnn.fast.registers import LANES
from mrnn_np.cnn.graph import plan, run
from mrnn_np.cnn.shapes import weight_shapes
from mrnn_np.runtime.threads import Team

V = LANES
team_of = functools.cache(Team)


def draw(layers, shape, seed=0):
    """Return images and weights, float32."""
    rng = np.random.default_rng(seed)
    weights = {}
    for name, size in weight_shapes(layers, shape[1], shape[3]).items():
        scale = np.sqrt(np.prod(size[:-1]))
        weights[name] = (rng.standard_normal(size) / scale).astype(np.float32)
    return rng.standard_normal(shape).astype(np.float32), weights


def execute(program, filters, x, jobs=1, memory=None):
    """Return all maps of a program, copied."""
    if memory is None:
        memory = aligned_zeros(program.size + jobs * program.scratch)
    maps = program.run(x, filters.array(), memory, team_of(jobs))
    return {name: array.copy() for name, array in maps.items()}


def check(layers, x, weights, wanted=None, jobs=1):
    """Compare wanted outputs with NumPy's in double precision; return the program."""
    wanted = wanted or [layers[-1].name]
    steps, filters = plan(layers, wanted), Filters()
    program = compile_program(steps, wanted, weights, filters, x.shape)
    got = run(program.rest, weights, execute(program, filters, x, jobs))
    double = {name: array.astype(float) for name, array in weights.items()}
    expected = run(steps, double, {"input": x.astype(float)})
    for name in wanted:
        assert got[name].shape == expected[name].shape
        assert got[name].dtype == np.float32
        scale = np.nanmax(np.abs(expected[name])) + 1
        np.testing.assert_allclose(got[name], expected[name], atol=2e-5 * scale)
    return program


def operations_of(program):
    return program.table.operation.tolist()


@settings(max_examples=40)
@given(
    st.integers(1, 2), st.integers(5, 12), st.sampled_from([1, 3, V, V + 5]),
    st.sampled_from([1, 7, V, 3 * V + 1, 4 * V]), st.sampled_from([1, 2, 3, 5]),
    st.integers(1, 3), st.sampled_from(["SAME", "VALID", 0, "most"]),
    st.sampled_from([None, "relu", "relu6"]), st.integers(0, 99),
)  # fmt: skip
def test_a_convolution(
    count, size, c_in, c_out, kernel, stride, padding, activation, seed
):
    if padding == "most":
        padding = kernel - 1
    layers = [
        Layer("a", "convolution", ("input",), c_out, kernel, stride, padding),
        *([Layer("out", activation, ("a",))] if activation else []),
    ]
    x, weights = draw(layers, (count, size, size, c_in), seed)
    assert not check(layers, x, weights).rest


@settings(max_examples=40)
@given(
    st.integers(1, 2), st.integers(5, 20), st.sampled_from([3, V, 4 * V + 2]),
    st.sampled_from([2, 3, 5]), st.integers(1, 3),
    st.sampled_from(["SAME", "VALID", 1]), st.booleans(), st.booleans(),
    st.integers(0, 99),
)  # fmt: skip
def test_a_depthwise_layer_with_and_without_filters_before_it(
    count, size, channels, kernel, stride, padding, expand, tapped, seed
):
    layers = [
        Layer("wide", "convolution", ("input",), channels, kernel=1),
        Layer("wide_relu6", "relu6", ("wide",)),
        Layer("deep", "depthwise", ("wide_relu6",), 0, kernel, stride, padding),
        Layer("out", "relu", ("deep",)),
    ]
    c_in = 5
    if not expand:
        layers, c_in = [Layer("deep", "depthwise", ("input",), *vars_of(layers[2]))], 6
    wanted = ["wide_relu6", "out"] if tapped and expand else None
    x, weights = draw(layers, (count, size, size, c_in), seed)
    program = check(layers, 4 * x, weights, wanted)
    expands = program.table.expand[program.table.operation == operations.DEPTHWISE]
    assert (expands >= 0).tolist() == [expand and wanted is None]


def vars_of(layer):
    return layer.channels, layer.kernel, layer.stride, layer.padding


@settings(max_examples=30)
@given(
    st.integers(1, 2), st.integers(3, 10), st.integers(1, 4), st.integers(1, 3),
    st.sampled_from([0, 1, "SAME"]), st.booleans(), st.sampled_from([3, V + 1]),
)  # fmt: skip
def test_pooling(count, size, kernel, stride, padding, ceil, channels):
    kernel += padding == 1
    if size + 2 * (padding == 1) < kernel and padding != "SAME":
        return
    layer = Layer("pool", "max_pool", ("input",), 0, kernel, stride, padding, ceil=ceil)
    x, _ = draw([layer], (count, size, size, channels))
    x[0, 0, 0, 0] = np.nan
    program = check([layer], x, {})
    assert operations_of(program) == [operations.MAX_POOL]


@pytest.mark.parametrize("few", [0, 1 << 30])  # numbers: one step, or two
@pytest.mark.parametrize("size", [3, 4, 9])
@pytest.mark.parametrize("padding", [0, 1, "SAME"])
@pytest.mark.parametrize("c_in, c_out", [(V, V), (2 * V, 5), (V, 4 * V + 3)])
def test_winograd(few, size, padding, c_in, c_out, monkeypatch):
    monkeypatch.setattr(compiler, "FEW", few)
    monkeypatch.setattr(compiler, "BLOCK", 36 * c_in * 2)
    layers = [
        Layer("a", "convolution", ("input",), c_in, kernel=1),
        Layer("b", "convolution", ("a",), c_out, 3, 1, padding),
        Layer("out", "relu6", ("b",)),
    ]
    x, weights = draw(layers, (2, size, size, 3))
    steps = [operations.WINOGRAD]
    if few:
        steps = [operations.TRANSFORM, operations.MULTIPLY]
    assert operations_of(check(layers, x, weights)) == [operations.POINTWISE, *steps]


def test_what_hangs_over_an_edge_is_zero_whatever_lay_there():
    """The zeros beyond the edge are never written, not even with many channels."""
    layers = [
        Layer("a", "convolution", ("input",), 4 * V, kernel=1),
        Layer("both", "concat", ("a", "a")),
        Layer("b", "convolution", ("both",), V, 3, 1, 1),
    ]
    x, weights = draw(layers, (1, 5, 5, 3))
    check(layers, x, weights)


FIRES = [
    Layer("squeeze", "convolution", ("input",), 2, kernel=1),
    Layer("one", "convolution", ("squeeze",), V, kernel=1),
    Layer("one_relu", "relu", ("one",)),
    Layer("three", "convolution", ("squeeze",), 3 * V, kernel=3, padding=1),
    Layer("fire", "concat", ("one_relu", "three")),
    Layer("drop", "dropout", ("fire",)),
    Layer("sum", "add", ("drop", "fire")),
    Layer("after", "relu", ("sum",)),
]


def test_parts_of_a_concatenation_are_computed_where_they_belong():
    x, weights = draw(FIRES, (2, 6, 6, 3))
    assert operations.COPY not in operations_of(check(FIRES, x, weights))
    program = check(FIRES, x, weights, ["three", "after", "fire"])
    assert operations_of(program).count(operations.COPY) == 2
    maps = check(FIRES, x, weights, ["fire", "drop"]).maps
    assert maps["fire"].allocation is maps["drop"].allocation


def test_channels_that_are_no_whole_vectors_are_put_together_by_numpy():
    layers = [
        Layer("a", "convolution", ("input",), 5, kernel=1),
        Layer("b", "convolution", ("input",), 6, kernel=3, padding=1),
        Layer("both", "concat", ("a", "b")),
        Layer("last", "convolution", ("both",), 7, kernel=3),
    ]
    x, weights = draw(layers, (1, 6, 6, 3))
    program = check(layers, x, weights)
    assert [step.output for step in program.rest] == ["both", "last"]


def test_what_there_is_no_kernel_for_is_left_over():
    layers = [
        Layer("a", "convolution", ("input",), 8, kernel=1),
        Layer("b", "convolution", ("a",), 8, kernel=3, groups=2),
        Layer("pool", "global_average_pool", ("b",)),
        Layer("out", "fully_connected", ("pool",), 3),
    ]
    x, weights = draw(layers, (2, 6, 6, 3))
    program = check(layers, x, weights, ["a", "out"])
    assert [step.output for step in program.rest] == ["b", "pool", "out"]
    wide = [Layer("a", "convolution", ("input",), 4, kernel=1, padding=2)]
    x, weights = draw(wide, (1, 4, 4, 3))
    assert check(wide, x, weights).rest  # windows that see nothing


def test_any_layer_can_be_tapped_and_memory_is_used_again():
    layers = [
        *FIRES[:-1],
        Layer("again", "convolution", ("sum",), 4, kernel=3, stride=2, padding="SAME"),
        Layer("relu", "relu", ("again",)),
        Layer("last", "max_pool", ("relu",), kernel=2, stride=1),
    ]
    x, weights = draw(layers, (1, 9, 9, 3))
    everything = check(layers, x, weights, [layer.name for layer in layers])
    for layer in layers:
        check(layers, x, weights, [layer.name])
    assert check(layers, x, weights).size < 0.7 * everything.size


@pytest.mark.parametrize("pixels", [0, 1])
def test_a_picture_of_which_a_layer_wants_vectors(pixels):
    """What lies between its pixels is zero, whatever was there before."""
    first = [
        Layer("deep", "depthwise", ("input",), kernel=3, padding=1),
        Layer("relu", "relu", ("input",)),
    ][pixels]
    layers = [first, Layer("b", "convolution", (first.name,), 4, kernel=3)]
    x, weights = draw(layers, (1, 6, 6, 3))
    steps, filters = plan(layers, ["b"]), Filters()
    program = compile_program(steps, ["b"], weights, filters, x.shape)
    memory = aligned_zeros(program.size + program.scratch)
    expected = execute(program, filters, x, 1, memory)["b"]
    memory[program.picture.at :] = np.nan
    got = execute(program, filters, x, 1, memory)["b"]
    np.testing.assert_array_equal(got, expected)


@pytest.mark.skipif(config.DISABLE_JIT, reason="plain Python has no atomic counters")
@pytest.mark.parametrize("jobs", [2, 5])
def test_threads_give_what_one_gives_to_the_bit(jobs):
    layers = build("squeezenet1_1", "keras")[:30]
    x, weights = draw(layers, (1, 63, 63, 3))
    wanted, filters = [layers[-1].name], Filters()
    steps = plan(layers, wanted)
    program = compile_program(steps, wanted, weights, filters, x.shape)
    alone = execute(program, filters, x)[wanted[0]]
    for _ in range(20):
        together = execute(program, filters, x, jobs)[wanted[0]]
        np.testing.assert_array_equal(together, alone)


def test_programs_of_a_network_share_filters_and_memory():
    x, weights = draw(FIRES, (3, 8, 8, 3))
    filters = Filters()
    memory = aligned_zeros(1 << 20)
    first, sizes = {}, []
    for turn in range(2):
        for count, wanted in ((1, "fire"), (3, "after"), (2, "squeeze")):
            steps = plan(FIRES, [wanted])
            program = compile_program(
                steps, [wanted], weights, filters, x[:count].shape
            )
            got = execute(program, filters, x[:count], 1, memory)[wanted]
            if turn:
                np.testing.assert_array_equal(got, first[wanted])
            first[wanted] = got
        sizes.append(len(filters.array()))
    assert sizes[0] == sizes[1]
