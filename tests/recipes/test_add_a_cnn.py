"""CONTRIBUTING's recipe "Add a CNN", followed with a small random network."""

import hashlib
import json

import numpy as np
import pytest
from numba import config

from mrnn_np.cnn import architectures, operations, preprocessing
from mrnn_np.cnn.architectures import Layer
from mrnn_np.cnn.preprocessing import IMAGENET, Preprocessing
from mrnn_np.convert import (
    convert_file,
    convert_state_dict,
    layouts,
    load_cnn,
    manifest,
)
from mrnn_np.convert.layouts import Layout
from mrnn_np.runtime.errors import InputError

SIZE = 24


def toy_network():
    """Step 1: the layers. `swish` is an operation that no other network has."""
    return [
        Layer("conv", "convolution", ("input",), 16, kernel=3, stride=2, padding=1),
        Layer("relu", "relu", ("conv",)),
        Layer("wide", "convolution", ("relu",), 40, kernel=1),
        Layer("wide_relu6", "relu6", ("wide",)),
        Layer("deep", "depthwise", ("wide_relu6",), 0, 3, 1, "SAME"),
        Layer("deep_relu6", "relu6", ("deep",)),
        Layer("narrow", "convolution", ("deep_relu6",), 16, kernel=1),
        Layer("sum", "add", ("narrow", "relu")),
        Layer("swish", "swish", ("sum",)),
        Layer("last", "convolution", ("swish",), 24, kernel=3, padding=1),
        Layer("last_relu", "relu", ("last",)),
        Layer("pool", "global_average_pool", ("last_relu",)),
        Layer("fc", "fully_connected", ("pool",), 1000),
    ]


# Step 2: under which names a foreign file has the weights, and in which shapes.
STEMS = {
    "conv": "stem.0",
    "wide": "block.expand",
    "deep": "block.depthwise",
    "narrow": "block.project",
    "last": "top.0",
    "fc": "top.3",
}
SHAPES = {  # PyTorch's: (out, in, kh, kw), (c, 1, kh, kw), (out, in)
    "stem.0": (16, 3, 3, 3),
    "block.expand": (40, 16, 1, 1),
    "block.depthwise": (40, 1, 3, 3),
    "block.project": (16, 40, 1, 1),
    "top.0": (24, 16, 3, 3),
    "top.3": (1000, 24),
}


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    """The lines in the tables, each where the recipe says."""
    monkeypatch.setitem(architectures.NETWORKS, ("toy", None), toy_network)
    monkeypatch.setitem(architectures.FEATURE_LAYERS, "toy", (("last_relu", "sum"),))
    monkeypatch.setitem(architectures.REGION_LAYERS, "toy", "sum")
    monkeypatch.setitem(architectures.FEATURE_SIZES, "toy", 32)
    monkeypatch.setitem(
        operations.WEIGHTLESS, "swish", lambda layer, x: x[0] / (1 + np.exp(-x[0]))
    )
    table = preprocessing.PREPROCESSING
    monkeypatch.setitem(table, ("toy", None), Preprocessing(SIZE, 28, **IMAGENET))
    layouts.LAYOUTS.append(Layout("toy", "PyTorch", "torch", STEMS))
    yield
    layouts.LAYOUTS.pop()


@pytest.fixture
def tensors():
    """Random weights as the foreign file has them."""
    rng = np.random.default_rng(0)
    found = {}
    for stem, shape in SHAPES.items():
        scale = np.sqrt(2 / np.prod(shape[1:]))
        weight = scale * rng.standard_normal(shape)
        found[f"{stem}.weight"] = weight.astype(np.float32)
        found[f"{stem}.bias"] = (0.1 * rng.standard_normal(shape[0])).astype(np.float32)
    return found


@pytest.fixture
def file(tensors, tmp_path):
    np.savez(tmp_path / "theirs.npz", **tensors)
    return tmp_path / "theirs.npz"


def images():
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (50, 40 + 9 * i, 3), np.uint8) for i in range(3)]


def test_foreign_tensors_become_ours(tensors):
    arrays = convert_state_dict(None, tensors)  # the network is told from them
    assert arrays["conv.weight"].shape == (3, 3, 3, 16)
    assert arrays["deep.weight"].shape == (3, 3, 40)
    assert arrays["fc.weight"].shape == (24, 1000)
    assert convert_state_dict("toy", tensors).keys() == arrays.keys()
    tensors["top.0.weight"] = tensors["top.0.weight"][:, :, :2]
    with pytest.raises(InputError, match=r"toy .*'top.0.weight' has shape \(24, 16, 2"):
        convert_state_dict("toy", tensors)


def judge(x, tensors):
    """Compute the network once more, from the foreign tensors as they are."""

    def convolve(x, stem, stride=1):
        weight, bias = tensors[f"{stem}.weight"], tensors[f"{stem}.bias"]
        side = weight.shape[2] // 2
        x = np.pad(x, ((0, 0), (side, side), (side, side), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], (1, 2))
        windows = windows[:, ::stride, ::stride]
        if weight.shape[1] == 1:
            return np.einsum("nyxcij,cij->nyxc", windows, weight[:, 0]) + bias
        return np.einsum("nyxcij,ocij->nyxo", windows, weight) + bias

    relu = np.maximum(convolve(x, "stem.0", stride=2), 0)
    wide = np.clip(convolve(relu, "block.expand"), 0, 6)
    deep = np.clip(convolve(wide, "block.depthwise"), 0, 6)
    both = convolve(deep, "block.project") + relu
    last = np.maximum(convolve(both / (1 + np.exp(-both)), "top.0"), 0)
    scores = last.mean((1, 2)) @ tensors["top.3.weight"].T + tensors["top.3.bias"]
    return {"deep_relu6": deep, "sum": both, "last_relu": last, "fc": scores}


def test_both_engines_compute_what_the_tensors_say(file, tensors, tmp_path):
    path = convert_file(file, out=tmp_path / "ours.npz")
    fast, plain = load_cnn(path), load_cnn(path, engine="plain")
    if not config.DISABLE_JIT:  # else both are the plain one
        assert type(fast._engine).__name__ == "FastEngine"
    x = fast.preprocess(images())
    expected = judge(x, tensors)
    for cnn in (fast, plain):
        for name, found in cnn.forward(x, expected).items():
            np.testing.assert_allclose(found, expected[name], rtol=1e-4, atol=1e-4)


def test_features_are_the_layers_that_the_table_names(file, tmp_path):
    path = convert_file(file, out=tmp_path / "ours.npz")
    fast, plain = load_cnn(path), load_cnn(path, engine="plain")
    assert fast.feature_layers == ("last_relu", "sum")
    assert fast.feature_size == 24 + 16 and fast.feature_preprocessing.size == 32
    features = fast.features(images())
    assert features.shape == (3, 40) and features.dtype == np.float32
    np.testing.assert_allclose(features, plain.features(images()), rtol=1e-4, atol=1e-5)
    assert fast.classify(images()).shape == (3, 1000)


def test_the_manifest_gives_it_a_name(file, tmp_path, monkeypatch):
    content = file.read_bytes()
    source = {
        "kind": "url",
        "url": "https://example.org/theirs.npz",
        "file": "theirs.npz",
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    entry = {
        "architecture": "toy",
        "variant": None,
        "layers": "conv to fc",
        "licence": "MIT",
        "trained_on": "nothing",
        "extra": "",
        "sources": [source],
    }
    (tmp_path / "cnns.json").write_text(json.dumps({"networks": {"toy_net": entry}}))
    monkeypatch.setattr(manifest, "weights_folder", lambda: tmp_path)
    monkeypatch.setenv("MRNN_NP_HOME", str(tmp_path / "home"))
    convert_file(file)  # its hash is known, so it goes to the cache folder
    assert load_cnn("toy_net").name == "toy_net"
