"""Every layer of every network against the activations that PyTorch computed.

The numbers are frozen by tests/golden/make_cnn.py.
"""

import functools
from pathlib import Path

import cnn_cases
import numpy as np
import pytest

from mrnn_np.cnn import CNN, PREPROCESSING
from mrnn_np.convert import load_cnn
from mrnn_np.runtime.errors import InputError

GOLDEN = Path(__file__).parent.parent / "golden"
TOLERANCE = 1e-4  # asked for; the largest error found is 2e-5
GREY_LEVELS = 3  # that Pillow's and libjpeg's versions may differ by in a photograph

pytestmark = pytest.mark.slow  # whole networks: no job for plain Python


def load_golden(name):
    with np.load(GOLDEN / f"cnn_{name}.npz") as file:
        return file["names"].tolist(), file["summaries"]


@functools.cache
def pretrained(name):
    try:
        return load_cnn(name)
    except InputError as error:
        pytest.skip(f"no weights of {name}: {error}")


def compare(cnn, x, names, expected):
    """Compare each layer of a batch; the failure names the first layer that differs."""
    outputs = cnn.forward(x, [name for name in names if name != "input"])
    outputs["input"] = x
    for layer, name in enumerate(names):
        got = cnn_cases.summary(name, outputs[name])
        length = outputs[name][0].size
        error = cnn_cases.relative_errors(got, expected[:, layer], length)
        assert max(error) < TOLERANCE, (
            f"{cnn.name}: first layer that differs from PyTorch: {name}, samples by "
            f"{error[0]:.1e} and norm by {error[1]:.1e}"
        )


REAL = ["efficientnet_lite0", "squeezenet1_1", "alexnet", "vgg16"]


@pytest.mark.parametrize("name", REAL)
def test_noise_through_real_weights(name):
    cnn = pretrained(name)
    names, expected = load_golden(name)
    assert names == ["input", *cnn.layer_names]
    compare(cnn, cnn_cases.random_image(cnn.preprocessing.size), names, expected[2:])


@pytest.mark.parametrize("name", REAL)
def test_photographs_through_real_weights(name):
    cnn = pretrained(name)
    names, expected = load_golden(name)
    x = cnn.preprocess(cnn_cases.photographs())
    pixels = cnn_cases.summary("input", x)[:, : cnn_cases.SAMPLES]
    error = np.abs(pixels - expected[:2, 0, : cnn_cases.SAMPLES])
    grey_level = cnn.preprocessing.scale / min(cnn.preprocessing.std)
    assert error.max() < GREY_LEVELS * grey_level, "preprocessing is not what it was"
    if error.max() > 1e-3 * grey_level:
        pytest.skip("this Pillow rounds pixels otherwise than the one of the numbers")
    compare(cnn, x, names, expected[:2])


@pytest.mark.parametrize("name", ["squeezenet1_1", "alexnet", "vgg16"])
def test_a_torchvision_file_with_all_layers(name):
    """Random weights under torchvision's names: converted, then compared."""
    from mrnn_np.convert import convert_state_dict

    variant = "torchvision" if name == "squeezenet1_1" else None
    preprocessing = PREPROCESSING[name, variant]
    arrays = convert_state_dict(name, cnn_cases.random_state_dict(name))
    header = {
        "name": f"random {name}",
        "architecture": name,
        "variant": variant,
        "preprocessing": preprocessing.to_dict(),
    }
    cnn = CNN(header, arrays)
    names, expected = load_golden(f"{name}_random")
    assert names == ["input", *cnn.layer_names]
    compare(cnn, cnn_cases.random_image(preprocessing.size), names, expected[2:])
