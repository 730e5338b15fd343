import math

import pytest

from mrnn_np.cnn import build, output_shapes, weight_shapes
from mrnn_np.cnn.architectures import FEATURE_LAYERS, NETWORKS
from mrnn_np.cnn.operations import WEIGHTED, WEIGHTLESS
from mrnn_np.cnn.preprocessing import PREPROCESSING
from mrnn_np.runtime.errors import InputError


@pytest.mark.parametrize(
    "architecture, variant, parameters",
    [  # as published with torchvision
        ("alexnet", None, 61_100_840),
        ("vgg16", None, 138_357_544),
        ("vgg19", None, 143_667_240),
        ("squeezenet1_1", "torchvision", 1_235_496),
        ("squeezenet1_1", "keras", 1_235_496),
    ],
)
def test_number_of_parameters(architecture, variant, parameters):
    shapes = weight_shapes(build(architecture, variant), 224)
    assert sum(map(math.prod, shapes.values())) == parameters


def test_number_of_parameters_of_lite0():
    """4,652,008 with a scale and a shift per channel; folding leaves one bias."""
    layers = build("efficientnet_lite0")
    shapes = weight_shapes(layers, 224)
    normalised = sum(
        shape[0]
        for name, shape in shapes.items()
        if name.endswith("bias") and name != "classifier.bias"
    )
    assert sum(map(math.prod, shapes.values())) + normalised == 4_652_008


@pytest.mark.parametrize("key", NETWORKS, ids=str)
def test_layers_are_in_order_and_known(key):
    layers, before = build(*key), {"input"}
    for layer in layers:
        assert set(layer.inputs) <= before, layer.name
        assert layer.name not in before
        assert layer.op in WEIGHTED or layer.op in WEIGHTLESS
        before.add(layer.name)
    assert {name for names in FEATURE_LAYERS[key[0]] for name in names} <= before
    shapes = output_shapes(layers, PREPROCESSING[key].size)
    assert shapes[layers[-1].name] == (1000,)


def test_sizes_of_the_maps():
    def shapes(*key):
        return output_shapes(build(*key), PREPROCESSING[key].size)

    alexnet = shapes("alexnet", None)
    assert alexnet["conv1"] == (55, 55, 64) and alexnet["pool5"] == (6, 6, 256)
    assert shapes("vgg19", None)["relu5_4"] == (14, 14, 512)
    assert shapes("vgg16", None)["pool5"] == (7, 7, 512)
    lite0 = shapes("efficientnet_lite0", None)
    assert lite0["stem"] == (112, 112, 32) and lite0["block16"] == (7, 7, 320)
    assert lite0["pool"] == (1280,) and lite0["block3"] == (56, 56, 24)
    up, down = shapes("squeezenet1_1", "torchvision"), shapes("squeezenet1_1", "keras")
    assert [up[f"pool{i}"][0] for i in (1, 3, 5)] == [55, 27, 13]
    assert [down[f"pool{i}"][0] for i in (1, 3, 5)] == [56, 27, 13]


def test_names_that_others_rely_on():
    names = {layer.name for key in NETWORKS for layer in build(*key)}
    assert {
        "relu5_3", "conv5_4", "fc7", "relu7", "drop7", "dropout6", "fire9",
        "fire9.expand3x3_relu", "conv10", "pool10", "stem_relu6", "block1.depthwise",
        "block16", "block2.expand_relu6", "head", "pool", "classifier",
    } <= names  # fmt: skip
    adds = [layer.name for layer in build("efficientnet_lite0") if layer.op == "add"]
    assert adds == [f"block{n}" for n in (3, 5, 7, 8, 10, 11, 13, 14, 15)]


def test_an_unknown_network():
    with pytest.raises(InputError, match=r"no network 'resnet'.*alexnet, vgg16"):
        build("resnet")
    with pytest.raises(InputError, match=r"squeezenet1_1 \(keras\)"):
        build("squeezenet1_1", None)
