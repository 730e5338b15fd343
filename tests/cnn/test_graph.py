import numpy as np

from mrnn_np.cnn import graph
from mrnn_np.cnn.architectures import Layer, build
from mrnn_np.cnn.graph import plan, run
from mrnn_np.cnn.operations import apply

# A picture splits into two branches that meet; `side` leads nowhere that is wanted.
LAYERS = [
    Layer("a", "convolution", ("input",), 4, kernel=1),
    Layer("a_relu", "relu", ("a",)),
    Layer("b", "convolution", ("a_relu",), 4, kernel=3, padding=1),
    Layer("b_relu6", "relu6", ("b",)),
    Layer("sum", "add", ("b_relu6", "a_relu")),
    Layer("side", "max_pool", ("sum",), kernel=2, stride=2),
    Layer("drop", "dropout", ("sum",)),
    Layer("c", "depthwise", ("drop",), kernel=3, padding="SAME"),
    Layer("both", "concat", ("c", "drop")),
    Layer("pool", "global_average_pool", ("both",)),
    Layer("out", "fully_connected", ("pool",), 5),
]


def make_weights(rng):
    shapes = {"a": (1, 1, 3, 4), "b": (3, 3, 4, 4), "c": (3, 3, 4), "out": (8, 5)}
    weights = {}
    for name, shape in shapes.items():
        weights[f"{name}.weight"] = rng.standard_normal(shape)
        weights[f"{name}.bias"] = rng.standard_normal(shape[-1])
    return weights


def run_everything(weights, x):
    """The twin: every layer in turn, nothing fused, nothing forgotten."""
    values = {"input": x}
    for layer in LAYERS:
        inputs = [values[name].copy() for name in layer.inputs]
        values[layer.name] = apply(layer, inputs, weights)
    return values


def test_any_set_of_taps_gives_what_the_whole_network_gives():
    rng = np.random.default_rng(0)
    weights, x = make_weights(rng), rng.standard_normal((2, 6, 6, 3))
    original = x.copy()
    expected = run_everything(weights, x)
    names = [layer.name for layer in LAYERS]
    for wanted in [names, ["out"], ["a"], ["a", "out"], ["b", "b_relu6"], ["sum", "c"]]:
        got = run(plan(LAYERS, wanted), weights, {"input": x})
        assert set(wanted) <= set(got)
        for name in wanted:
            np.testing.assert_allclose(got[name], expected[name], atol=1e-12)
    np.testing.assert_array_equal(x, original)


def test_layers_that_nobody_asked_for_are_not_computed():
    steps = plan(LAYERS, ["sum"])
    assert [step.output for step in steps] == ["a_relu", "b_relu6", "sum"]


def test_a_relu_is_fused_unless_what_it_reads_is_wanted():
    first = plan(LAYERS, ["out"])[0]
    assert (first.parts, first.output) == (((LAYERS[0], "relu"),), "a_relu")
    first = plan(LAYERS, ["a", "out"])[0]
    assert (first.parts, first.output) == (((LAYERS[0], None),), "a")


# Blocks of MobileNet: the first has no expansion, the second a stride.
BLOCKS = [
    Layer("dw1", "depthwise", ("input",), kernel=3, padding=1),
    Layer("dw1_relu6", "relu6", ("dw1",)),
    Layer("project1", "convolution", ("dw1_relu6",), 4, kernel=1),
    Layer("expand2", "convolution", ("project1",), 12, kernel=1),
    Layer("expand2_relu6", "relu6", ("expand2",)),
    Layer("dw2", "depthwise", ("expand2_relu6",), kernel=5, stride=2, padding="SAME"),
    Layer("project2", "convolution", ("dw2",), 6, kernel=1),
    Layer("dw3", "depthwise", ("project2",), kernel=3, padding=1),
    Layer("project3", "convolution", ("dw3",), 5, kernel=1),
]


def names_of(steps):
    return [[layer.name for layer, _ in step.parts] for step in steps]


def test_blocks_are_one_step_unless_what_is_between_is_wanted():
    steps = plan(BLOCKS, ["project3"])
    assert names_of(steps) == [
        ["dw1"], ["project1"], ["expand2", "dw2"], ["project2", "dw3"], ["project3"],
    ]  # fmt: skip
    assert steps[2].inputs == ("project1",) and steps[2].finished == ("project1",)
    assert names_of(plan(BLOCKS, ["expand2_relu6", "project2", "project3"])) == [
        ["dw1"], ["project1"], ["expand2"], ["dw2"], ["project2"], ["dw3"],
        ["project3"],
    ]  # fmt: skip


def test_blocks_give_what_the_layers_give():
    rng = np.random.default_rng(3)
    values = {"input": rng.standard_normal((2, 11, 9, 3))}
    shapes = {
        "dw1": (3, 3, 3), "project1": (1, 1, 3, 4), "expand2": (1, 1, 4, 12),
        "dw2": (5, 5, 12), "project2": (1, 1, 12, 6), "dw3": (3, 3, 6),
        "project3": (1, 1, 6, 5),
    }  # fmt: skip
    weights = {}
    for name, shape in shapes.items():
        weights[f"{name}.weight"] = rng.standard_normal(shape)
        weights[f"{name}.bias"] = rng.standard_normal(shape[-1])
    picture = dict(values)
    for layer in BLOCKS:
        inputs = [values[name] for name in layer.inputs]
        values[layer.name] = apply(layer, inputs, weights)
    for wanted in (["project3"], ["expand2_relu6", "dw3", "project3"]):
        got = run(plan(BLOCKS, wanted), weights, picture)
        for name in wanted:
            np.testing.assert_allclose(got[name], values[name], atol=1e-12)


def test_outputs_are_dropped_after_their_last_reader():
    after = {step.output: set(step.finished) for step in plan(LAYERS, ["out"])}
    assert after["a_relu"] == {"input"}
    assert after["b_relu6"] == set()  # the sum still reads a_relu
    assert after["sum"] == {"a_relu", "b_relu6"}
    assert after["both"] == {"c", "drop"}
    weights = make_weights(np.random.default_rng(0))
    picture = {"input": np.ones((1, 4, 4, 3))}
    assert set(run(plan(LAYERS, ["out"]), weights, picture)) == {"out"}
    assert set(picture) == {"input"}


def test_a_deep_network_keeps_two_maps_at_most(monkeypatch):
    """VGG-16 on one image: never more than an input and an output at a time."""
    alive, most = {"input": 1}, 0

    def name_of(layer, inputs, weights, activation):
        return layer.name

    monkeypatch.setattr(graph, "apply", name_of)
    layers = build("vgg16")
    for step in plan(layers, ["fc8"]):
        alive[step.output] = 1
        most = max(most, len(alive))
        for name in step.finished:
            del alive[name]
    assert most == 2 and set(alive) == {"fc8"}
    assert run(plan(layers, ["fc8"]), {}, {"input": "x"}) == {"fc8": "fc8"}
