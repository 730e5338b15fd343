import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numba import config

import mrnn_np
from mrnn_np.cnn import CNN, Preprocessing, build, network, weight_shapes
from mrnn_np.convert import load_cnn
from mrnn_np.features.identity import identity
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.storage import save_arrays
from mrnn_np.runtime.threads import Team

SIZE = 63  # small enough for plain Python; AlexNet's pool5 is one position here


def make(architecture="alexnet", until=None, size=SIZE, variant=None, dtype="f4"):
    """Return header and random weights of a network, up to a layer."""
    rng = np.random.default_rng(0)
    layers = build(architecture, variant)
    names = [layer.name for layer in layers]
    layers = layers[: names.index(until) + 1] if until else layers
    arrays = {
        name: (rng.standard_normal(shape) / np.sqrt(shape[-1] * 9)).astype(dtype)
        for name, shape in weight_shapes(layers, size).items()
    }
    header = {
        "name": "tiny",
        "architecture": architecture,
        "variant": variant,
        "preprocessing": Preprocessing(size, size, scale=1 / 255).to_dict(),
    }
    return header, arrays


@pytest.fixture(scope="module")
def front():
    return CNN(*make(until="conv5"))


@pytest.fixture
def images():
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (70, 80, 3), np.uint8) for _ in range(3)]


def test_the_front_of_a_network_runs_as_far_as_it_can(front, images):
    assert front.layer_names[-2:] == ("pool5", "dropout6")
    assert (front.feature_layers, front.feature_size) == (("pool5",), 256)
    x = front.preprocess(images)
    out = front.forward(x)
    assert out.shape == (3, 1, 1, 256) and out.dtype == np.float32
    taps = front.forward(x, ["pool5", "conv2", "relu2"])
    assert list(taps) == ["pool5", "conv2", "relu2"]
    np.testing.assert_array_equal(taps["pool5"], out)
    np.testing.assert_array_equal(taps["relu2"], np.maximum(taps["conv2"], 0))


def test_features_do_not_depend_on_the_batch(front, images):
    together = front.features(iter(images))
    assert together.shape == (3, 256) and together.dtype == np.float32
    apart = front.features(images, batch_size=1)
    np.testing.assert_allclose(together, apart, rtol=1e-5, atol=1e-6)
    assert front.features([]).shape == (0, 256)
    assert front.forward(np.zeros((0, 63, 95, 3))).shape == (0, 1, 2, 256)


def test_features_see_the_whole_image_and_classes_its_centre(front):
    image = np.full((90, 60, 3), 128, np.uint8)
    other = image.copy()
    other[:8] = 255  # a stripe at the upper edge
    assert np.array_equal(front.preprocess([image]), front.preprocess([other]))
    assert not np.array_equal(front.features([image]), front.features([other]))


@pytest.mark.slow
def test_a_map_of_features_is_averaged(images):
    cnn = CNN(*make("squeezenet1_1", variant="keras"))
    x = cnn.preprocess(images)
    assert cnn.feature_layers == ("fire9",) and cnn.feature_size == 512
    whole = cnn.feature_preprocessing(images)
    expected = cnn.forward(whole, ["fire9"])["fire9"].mean((1, 2))
    np.testing.assert_allclose(cnn.features(images), expected, rtol=1e-5)
    probabilities = cnn.classify(images)
    assert probabilities.shape == (3, 1000)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    scores = cnn.forward(x)
    np.testing.assert_array_equal(probabilities.argmax(1), scores.argmax(1))


def test_numbers_that_are_too_large(front, images, monkeypatch):
    large = CNN(front.header, front.weights)
    assert np.isinf(
        network._means(np.full((1, 2, 2, 1), 3e38, np.float32))
    ).all()  # no warning
    monkeypatch.setattr(large, "_missing", [])
    monkeypatch.setattr(large, "forward", lambda x: np.full((len(x), 1000), np.inf))
    with pytest.raises(InputError, match="scores that are not finite: are the weights"):
        large.classify(images)


def test_what_is_missing_says_where_it_is(front, images):
    with pytest.raises(InputError, match=r"no weights for fc7.*alexnet-owt-7be5be79"):
        front.forward(front.preprocess(images), ["fc7"])
    with pytest.raises(InputError, match="nothing to classify with"):
        front.classify(images)
    with pytest.raises(InputError, match=r"no layer 'conv9'; its layers: conv1, relu1"):
        front.forward(front.preprocess(images), ["conv9"])
    with pytest.raises(InputError, match=r"input of shape \(63, 63, 3\)"):
        front.forward(np.zeros((63, 63, 3)))


def test_features_of_several_layers_stand_side_by_side(images, monkeypatch):
    choices = (("relu7",), ("relu3", "relu1"))  # there is no relu7 in this front
    monkeypatch.setitem(network.FEATURE_LAYERS, "alexnet", choices)
    monkeypatch.setitem(network.FEATURE_SIZES, "alexnet", SIZE + 32)
    cnn = CNN(*make(until="conv3"))
    assert cnn.feature_layers == ("relu3", "relu1") and cnn.feature_size == 384 + 64
    x = cnn.feature_preprocessing(images)
    assert x.shape[1:] == (SIZE + 32, SIZE + 32, 3)
    assert cnn.preprocess(images).shape[1:] == (SIZE, SIZE, 3)
    maps = cnn.forward(x, ("relu1", "relu3"))
    expected = [maps[name].mean((1, 2)) for name in ("relu3", "relu1")]
    np.testing.assert_allclose(cnn.features(images), np.hstack(expected), rtol=1e-6)
    made_from = identity(cnn)["preprocessing"]
    assert made_from["layers"] == ["relu3", "relu1"] and made_from["size"] == SIZE + 32


@pytest.mark.parametrize("count", [1, 2, 3])  # images; 5 are more than two a thread
def test_threads_share_the_work(front, images, monkeypatch, count):
    x = front.preprocess(images[:count])
    alone = front.forward(x, ("relu1", "pool5"))
    five = [images[i % 3] for i in range(5)]
    features = front.features(five, batch_size=2)
    team = Team(2)
    if not config.DISABLE_JIT:
        monkeypatch.setattr("mrnn_np.cnn.fast.engine.all_threads", lambda: team)
    for name, together in front.forward(x, ("relu1", "pool5")).items():
        np.testing.assert_allclose(together, alone[name], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        front.features(five, batch_size=2), features, rtol=1e-4, atol=1e-5
    )


def test_memory_is_used_again_but_never_that_of_a_result(front, images):
    x = front.preprocess(images)
    first = front.forward(x, ("relu1", "pool5"))
    kept = {name: array.copy() for name, array in first.items()}
    front.forward(x[::-1] + 1, ("relu1", "pool5"))
    for name, array in first.items():
        np.testing.assert_array_equal(array, kept[name])


def test_several_threads_may_use_one_network(front, images):
    x = front.preprocess(images)
    inputs = [x * scale for scale in (1, 2, 3, 4)]
    expected = [front.forward(one) for one in inputs]
    with ThreadPoolExecutor(4) as pool:
        for got, alone in zip(pool.map(front.forward, inputs), expected, strict=True):
            np.testing.assert_array_equal(got, alone)


def test_a_network_can_be_sent_to_another_process(front, images):
    x = front.preprocess(images)
    expected = front.forward(x)
    sent = pickle.loads(pickle.dumps(front))
    np.testing.assert_array_equal(sent.forward(x), expected)


def test_a_file_is_loaded_as_it_was_saved(tmp_path, images):
    header, arrays = make(until="conv3")
    path = tmp_path / "tiny.npz"
    digest = save_arrays(path, "cnn", header, arrays)
    cnn = mrnn_np.load_cnn(path)
    assert (cnn.name, cnn.architecture, cnn.variant) == ("tiny", "alexnet", None)
    assert cnn.sha256 == digest and cnn.layer_names[-1] == "relu3"
    assert cnn.feature_layers == ("relu3",) and cnn.feature_size == 384
    np.testing.assert_array_equal(
        cnn.features(images), CNN(header, arrays).features(images)
    )


@pytest.mark.parametrize("kind", [str, Path])
def test_a_single_path_is_not_a_list_of_images(kind):
    with pytest.raises(InputError, match=r"photo\.jpg: give a list of images"):
        CNN(*make(until="conv1")).features(kind("photo.jpg"))


def test_half_precision_weights_are_computed_in_single():
    cnn = CNN(*make(until="conv1", dtype="f2"))
    assert cnn.weights["conv1.weight"].dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        cnn.weights["conv1.weight"][:] = 0
    assert cnn.forward(np.zeros((1, SIZE, SIZE, 3))).dtype == np.float32


def test_a_name_is_looked_up_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MRNN_NP_HOME", str(tmp_path))
    header, arrays = make(until="conv1")
    save_arrays(tmp_path / "cnn" / "mine.npz", "cnn", header, arrays)
    assert load_cnn("mine").layer_names == ("conv1", "relu1", "pool1")
    with pytest.raises(InputError, match="resnet"):
        load_cnn("resnet")
    with pytest.raises(InputError, match=r"other\.npz: no such file"):
        load_cnn(tmp_path / "other.npz")


def broken(change):
    header, arrays = make(until="conv3")
    change(header, arrays)
    return header, arrays


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda h, a: a.pop("conv1.bias"), "has conv1.weight but no conv1.bias"),
        (lambda h, a: a.update(odd=np.ones(3)), "array odd has no place"),
        (
            lambda h, a: a.update({"conv2.weight": np.ones((3, 3, 64, 192))}),
            r"conv2.weight has shape \(3, 3, 64, 192\), the network needs \(5, 5",
        ),
        (
            lambda h, a: [a.pop("conv2.weight"), a.pop("conv2.bias")],
            "weights of conv3 are here, but those of conv2 before them are missing",
        ),
        (lambda h, a: a.clear(), "tiny: holds no weights"),
        (
            lambda h, a: h["preprocessing"].update(size=20),
            "pictures of 20 pixels: a window of 3 does not fit",
        ),
        (lambda h, a: h.update(architecture="resnet"), "no network 'resnet'"),
        (lambda h, a: h.update(preprocessing={"size": 3}), "resize_to"),
    ],
)
def test_weights_that_do_not_belong(change, words):
    with pytest.raises(InputError, match=words):
        CNN(*broken(change))


def test_a_header_without_architecture(tmp_path):
    header, arrays = make(until="conv1")
    del header["architecture"]
    save_arrays(tmp_path / "a.npz", "cnn", header, arrays)
    with pytest.raises(InputError, match=r"a\.npz: has no 'architecture'"):
        load_cnn(tmp_path / "a.npz")
    header, arrays = make(until="conv1")
    save_arrays(tmp_path / "b.npz", "features", header, arrays)
    with pytest.raises(InputError, match="expected 'cnn'"):
        load_cnn(tmp_path / "b.npz")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda h, a: h.update(architecture=["alexnet"]), "architecture: expected a"),
        (lambda h, a: h.update(variant=["x"]), "variant: expected a text"),
        (lambda h, a: h.update(name=3), "name: expected a text, got 3"),
        (lambda h, a: h.update(preprocessing="squash"), "preprocessing: expected an"),
        (lambda h, a: h["preprocessing"].update(size=10**9), "size cannot be 10000"),
        (
            lambda h, a: a.update({"conv1.bias": np.arange(64)}),
            "int64, expected floats",
        ),
        (
            lambda h, a: a.update({"conv1.bias": np.array(["x"])}),
            "<U1, expected floats",
        ),
    ],
)
def test_a_weight_file_whose_parts_are_something_else(tmp_path, change, words):
    path = tmp_path / "a.npz"
    save_arrays(path, "cnn", *broken(change))
    with pytest.raises(InputError, match=rf"a\.npz: .*{words}"):
        load_cnn(path)


@pytest.mark.slow
def test_the_first_call_may_be_many_at_once(images):
    """Every thread waits until the filters are laid out, not only until they begin."""
    cnn = CNN(*make(until="conv5"))
    x = cnn.preprocess(images)
    expected = cnn.forward(x)
    for _ in range(10):
        fresh = CNN(cnn.header, cnn.weights)
        meeting = threading.Barrier(4, timeout=20)

        def call(_, fresh=fresh, meeting=meeting):
            meeting.wait()
            return fresh.forward(x)

        with ThreadPoolExecutor(4) as pool:
            for got in pool.map(call, range(4)):
                np.testing.assert_array_equal(got, expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_can_go_on_whatever_another_thread_did():
    """A fork waits until nobody adds a program, so the child's lock is free."""
    code = (
        "import os, threading, time\n"
        "from mrnn_np.cnn.fast.engine import COMPILING\n"
        "def hold():\n"
        "    with COMPILING: held.set(); time.sleep(0.3)\n"
        "held = threading.Event()\n"
        "threading.Thread(target=hold).start()\n"
        "held.wait()\n"
        "child = os.fork()\n"
        "free = COMPILING.acquire(timeout=10)\n"
        "if not child: os._exit(0 if free else 3)\n"
        "assert free and os.waitpid(child, 0)[1] == 0\n"
    )
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code]
    subprocess.run(command, check=True, timeout=100)


@pytest.mark.slow
def test_a_picture_smaller_than_a_window(front):
    words = "tiny: pictures of 3 x 40 pixels: a window of 11 does not fit into 3"
    with pytest.raises(InputError, match=words):
        front.forward(np.zeros((1, 3, 40, 3)))


@pytest.mark.slow
def test_the_plain_engine_agrees_and_loads_no_compiled_code(images):
    header, arrays = make("squeezenet1_1", variant="keras")
    fast, plain = CNN(header, arrays), CNN(header, arrays, engine="plain")
    expected = fast.features(images)
    np.testing.assert_allclose(plain.features(images), expected, rtol=1e-4, atol=1e-5)
    x = fast.preprocess(images)
    maps, others = (cnn.forward(x, ("relu1", "fire3")) for cnn in (fast, plain))
    for name, array in maps.items():
        np.testing.assert_allclose(others[name], array, rtol=1e-4, atol=1e-5)
    code = (
        "import sys, numpy as np, mrnn_np.cnn as cnn\n"
        "from mrnn_np.cnn.network import open_engine\n"
        "layer = cnn.build('alexnet')[0]\n"
        "shapes = cnn.weight_shapes([layer], 63)\n"
        "weights = {name: np.zeros(shape, 'f4') for name, shape in shapes.items()}\n"
        "engine = open_engine('plain', [layer], weights)\n"
        "engine.outputs(np.zeros((1, 63, 63, 3), 'f4'), (layer.name,))\n"
        "assert not [m for m in sys.modules if 'numba' in m or 'cnn.fast' in m]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)


def test_an_engine_that_does_not_exist():
    with pytest.raises(InputError, match="no engine 'slow': fast or plain"):
        CNN(*make(until="conv1"), engine="slow")
