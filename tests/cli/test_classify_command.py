"""`mrnn-np classify`: names for real photographs, and what it says to mistakes."""

import functools
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mrnn_np.cli import main
from mrnn_np.cli.classify import class_names
from mrnn_np.cnn import PREPROCESSING, weight_shapes
from mrnn_np.cnn.architectures import build
from mrnn_np.convert import load_cnn
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.storage import save_arrays

FITTING = {
    "chelsea.png": {
        "tabby cat",
        "a cat having a striped coat",
        "Persian cat",
        "Siamese cat",
        "Egyptian Mau",
    },
    "coffee.png": {"espresso", "coffee mug"},
    "rocket.jpg": {"missile", "projectile", "space shuttle"},
}


def photograph(name):
    """Return the path of one of scikit-image's photographs."""
    found = importlib.util.find_spec("skimage")
    if found is None:
        pytest.skip("scikit-image, which has the photographs, is not installed")
    path = Path(found.origin).parent / "data" / name
    if not path.is_file():
        pytest.skip(f"this scikit-image comes without {name}")
    return str(path)


@functools.cache
def why_not(cnn):
    """Return why a network cannot be had here, or None."""
    try:
        load_cnn(cnn)
    except InputError as error:
        return str(error)
    return None


def need(cnn):
    if reason := why_not(cnn):
        pytest.skip(f"no weights of {cnn}: {reason}")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """SqueezeNet whose every weight is 0, but for the bias of two classes."""
    layers = build("squeezenet1_1", "keras")
    preprocessing = PREPROCESSING["squeezenet1_1", "keras"]
    arrays = {
        name: np.zeros(shape, np.float32)
        for name, shape in weight_shapes(layers, preprocessing.size).items()
    }
    arrays["conv10.bias"][[285, 967]] = np.log([3000.0, 1000.0])
    path = tmp_path_factory.mktemp("cnn") / "tiny.npz"
    header = {
        "name": "tiny",
        "architecture": "squeezenet1_1",
        "variant": "keras",
        "preprocessing": preprocessing.to_dict(),
    }
    save_arrays(path, "cnn", header, arrays)
    return str(path)


@pytest.fixture
def images(tmp_path, monkeypatch):
    """A folder with a picture, and files that are none."""
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (40, 30), "red").save("red.png")
    Image.new("L", (1, 1)).save("dot.png")
    Path("text.jpg").write_text("not a picture")
    Path("empty.png").touch()
    Path("cut.png").write_bytes(Path("red.png").read_bytes()[:60])
    Path("folder.jpg").mkdir()
    return tmp_path


SURE = 3000 / (3000 + 1000 + 998)  # softmax of two biases and 998 zeros


@pytest.mark.slow
def test_the_five_likeliest_as_text(tiny, images, capsys):
    assert main(["classify", "red.png", "dot.png", "--cnn", tiny]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert len(lines) == 12 and (lines[0], lines[6]) == ("red.png", "dot.png")
    assert lines[1] == f"   {SURE:.1%}  {class_names()[285]}"
    assert lines[2].endswith("  espresso")
    assert err == ""


@pytest.mark.slow
def test_json(tiny, images, capsys):
    assert main(["classify", "red.png", "--cnn", tiny, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["cnn"] == "tiny"
    (image,) = found["images"]
    assert image["image"] == "red.png" and len(image["classes"]) == 5
    assert image["classes"][0] == {
        "class": 285,
        "name": class_names()[285],
        "probability": pytest.approx(SURE, abs=1e-5),
    }


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_broken_images_are_told_and_the_others_shown(tiny, images, capsys, options):
    broken = ["text.jpg", "empty.png", "cut.png", "folder.jpg", "missing.jpg"]
    arguments = [*broken[:2], "red.png", *broken[2:], "--cnn", tiny, *options]
    assert main(["classify", *arguments]) == 1
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert len(lines) == len(broken)
    for name, line in zip(broken, lines, strict=True):
        assert line.startswith(f"mrnn-np: error: {name}: ")
    if options:
        assert [each["image"] for each in json.loads(out)["images"]] == ["red.png"]
    else:
        assert out.splitlines()[0] == "red.png" and len(out.splitlines()) == 6


def front_of_vgg16(path):
    """Write the first convolution of VGG-16, as a file of its front has it."""
    preprocessing = PREPROCESSING["vgg16", None]
    arrays = {
        "conv1_1.weight": np.zeros((3, 3, 3, 64), np.float32),
        "conv1_1.bias": np.zeros(64, np.float32),
    }
    header = {
        "name": "vgg16",
        "architecture": "vgg16",
        "variant": None,
        "preprocessing": preprocessing.to_dict(),
    }
    save_arrays(path, "cnn", header, arrays)


@pytest.mark.parametrize(
    ("cnn", "part"),
    [
        ("vgg61", "no network is called 'vgg61'; known are efficientnet_lite0"),
        ("missing.npz", "missing.npz: no such file"),
        ("red.npz", "red.npz: not a readable .npz"),
        ("front.npz", "nothing to classify with; they are in torchvision's vgg16-"),
    ],
)
def test_networks_that_cannot_classify(images, monkeypatch, capsys, cnn, part):
    monkeypatch.setenv("MRNN_NP_HOME", str(images / "home"))
    Path("red.npz").write_bytes(Path("red.png").read_bytes())
    front_of_vgg16("front.npz")
    assert main(["classify", "red.png", "--cnn", cnn]) == 1
    out, err = capsys.readouterr()
    assert out == "" and part in err
    assert err.startswith("mrnn-np: error: ") and err.count("\n") == 1


def test_no_image_is_wrong_use(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["classify"])
    assert stopped.value.code == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cnn", "names"),
    [
        ("efficientnet_lite0", ["chelsea.png", "coffee.png", "rocket.jpg"]),
        ("squeezenet1_1", ["chelsea.png", "coffee.png"]),
    ],
)
def test_photographs_get_a_fitting_name_first(cnn, names, capsys):
    paths = [photograph(name) for name in names]
    need(cnn)
    assert main(["classify", *paths, "--cnn", cnn, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    for name, image in zip(names, found["images"], strict=True):
        first = image["classes"][0]["name"]
        assert first in FITTING[name], f"{cnn} takes {name} for {first}"


@pytest.mark.slow
def test_the_front_of_vgg16_that_can_be_fetched_says_what_it_lacks(images, capsys):
    need("vgg16")
    assert main(["classify", "red.png", "--cnn", "vgg16"]) == 1
    assert "there is nothing to classify with" in capsys.readouterr().err
