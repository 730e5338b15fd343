import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mrnn_np.cnn.preprocessing import PREPROCESSING, Preprocessing
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.threads import Team

PLAIN = Preprocessing(8, 10)


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_the_equation_and_the_order_of_the_colours():
    red = np.zeros((12, 12, 3), np.uint8)
    red[..., 0] = 200
    rule = Preprocessing(
        8, 8, channels="BGR", scale=0.5, mean=(1.0, 2.0, 3.0), std=(2.0, 2.0, 4.0)
    )
    x = rule([red])
    assert x.shape == (1, 8, 8, 3) and x.dtype == np.float32
    np.testing.assert_allclose(x[0, 3, 3], [-0.5, -1.0, 97 / 4])


@settings(max_examples=40)
@given(st.integers(5, 60), st.integers(5, 60), st.sampled_from(["bilinear", "bicubic"]))
def test_resize_and_cut_in_one_step_is_what_two_steps_give(height, width, method):
    """Where the long side comes out whole and the margin even, pixels must agree.

    Colours stay in the middle: Pillow cuts what bicubic throws beyond 0 and 255 after
    its first direction, and which direction is first depends on the part wanted.
    """
    image = Image.fromarray(96 + picture(height, width) // 4)
    long = max(width, height) * 10 / min(width, height)
    if long != int(long) or int(long) % 2:
        return
    size = (int(long), 10) if width > height else (10, int(long))
    resized = np.asarray(image.resize(size, Image.Resampling[method.upper()]))
    top, left = (resized.shape[0] - 8) // 2, (resized.shape[1] - 8) // 2
    expected = resized[top : top + 8, left : left + 8].astype(np.float32)
    got = Preprocessing(8, 10, interpolation=method)([image])[0]
    # Pillow rounds to whole levels after each direction.
    assert np.abs(got - expected).max() <= 2


def test_a_picture_of_the_right_size_is_left_alone():
    image = picture(8, 8)
    np.testing.assert_array_equal(Preprocessing(8, 8)([image])[0], image)


def test_squash_sees_all_and_short_side_only_the_middle():
    image = np.zeros((10, 30, 3), np.uint8)
    image[:, :10] = 255
    assert Preprocessing(10, 10)([image]).max() == 0
    squashed = Preprocessing(10, 10, resize="squash")([image])
    assert squashed[0, 5, 0, 0] == 255 and squashed[0, 5, 9, 0] == 0


@pytest.mark.parametrize("size, pieces", [(8, 4), (6, 2), (7, 1)])
@pytest.mark.parametrize("method", ["bilinear", "bicubic"])
def test_threads_prepare_what_one_prepares_to_the_bit(size, pieces, method):
    rule = Preprocessing(size, size, "squash", method, scale=0.1, mean=(1.0, 2.0, 3.0))
    assert rule._pieces(4) == pieces and rule._pieces(1) == 1
    assert Preprocessing(size, size)._pieces(4) == 1
    # Of all shapes: which direction Pillow begins with depends on them.
    shapes = np.random.default_rng(size).integers(1, 70, (300, 2)).tolist()
    images = [picture(*shape, seed) for seed, shape in enumerate(shapes)]
    np.testing.assert_array_equal(rule(images, Team(4)), rule(images))


def test_arrays_images_and_paths_are_the_same(tmp_path):
    pixels = picture(20, 15)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    image = Image.fromarray(pixels)
    x = PLAIN([pixels, image, tmp_path / "a.png", str(tmp_path / "a.png")])
    assert (x == x[0]).all()
    assert PLAIN([pixels[..., 0], image.convert("CMYK")]).shape == (2, 8, 8, 3)
    assert PLAIN([]).shape == (0, 8, 8, 3)
    assert PLAIN([picture(1, 300)]).shape == (1, 8, 8, 3)  # as thin as can be


@pytest.mark.parametrize(
    "image, words",
    [
        (np.zeros((4, 4, 3), np.float32), "must be uint8"),
        (np.zeros((4, 4, 4), np.uint8), "3 channels last"),
        (np.zeros(4, np.uint8), "must be uint8 of shape"),
        (None, "not an image: NoneType"),
        ("missing.jpg", "missing.jpg: no such file"),
    ],
)
def test_what_is_no_image(image, words):
    with pytest.raises(InputError, match=words):
        PLAIN([image])


def test_a_path_of_any_class(tmp_path):
    class Entry:  # as os.DirEntry
        def __fspath__(self):
            return str(tmp_path / "a.png")

    with pytest.raises(InputError, match=r"a\.png: no such file"):
        PLAIN([Entry()])
    Image.fromarray(picture(9, 9)).save(tmp_path / "a.png")
    assert (PLAIN([Entry()]) == PLAIN([tmp_path / "a.png"])).all()


def test_an_image_that_is_open_and_broken(tmp_path):
    Image.fromarray(picture(60, 60)).save(tmp_path / "a.jpg")
    content = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(content[: len(content) // 2])
    with Image.open(tmp_path / "a.jpg") as image:
        with pytest.raises(InputError, match="broken image: image file is truncated"):
            PLAIN([image])


def test_a_single_path_is_not_a_list():
    with pytest.raises(InputError, match="give a list of images"):
        PLAIN("photo.jpg")


@pytest.mark.parametrize("key", PREPROCESSING, ids=str)
def test_it_survives_json(key):
    rule = PREPROCESSING[key]
    assert Preprocessing.from_dict(json.loads(json.dumps(rule.to_dict()))) == rule


@pytest.mark.parametrize(
    "change, words",
    [
        ({"channels": "GRB"}, "channels cannot be 'GRB'"),
        ({"resize": "stretch"}, "resize cannot be 'stretch'"),
        ({"interpolation": "cubic"}, "interpolation cannot be 'cubic'"),
        ({"colour": 1}, "colour"),
        ({"size": 300}, "square of 300 cannot be cut out of 10"),
        ({"mean": 3}, "mean"),
        ({"std": [1.0, 2.0]}, "std"),
        ({"std": [1.0, 0.0, 1.0]}, "std"),
        ({"size": "big"}, "size"),
        ({"scale": None}, "scale"),
        ({"scale": float("inf")}, "scale cannot be inf"),
        ({"size": True}, "size must be an integer, not True"),
        ({"size": 10**9, "resize_to": 10**9}, "size cannot be 1000000000"),
        ({"resize_to": 10**9}, "resize_to cannot be 1000000000"),
        ({"resize": ["squash"]}, "resize must be a text"),
        ({"std": [1.0, float("nan"), 1.0]}, "std cannot be a list of 3"),
        ({"mean": [0.0, 1e300, 0.0]}, "mean cannot be a list of 3"),
    ],
)
def test_a_broken_header(change, words):
    with pytest.raises(InputError, match=words):
        Preprocessing.from_dict({**PLAIN.to_dict(), **change})


@pytest.mark.parametrize("fields", ["squash", None, ["size"], 3])
def test_a_header_of_another_kind(fields):
    with pytest.raises(InputError, match="preprocessing: expected an object, got"):
        Preprocessing.from_dict(fields)


def test_networks_see_what_their_authors_said():
    black, white = np.zeros((300, 300, 3), np.uint8), np.full((300, 300, 3), 255, "u1")
    lite0 = PREPROCESSING["efficientnet_lite0", None]([black, white])
    np.testing.assert_allclose(lite0[:, 0, 0, 0], [-127 / 128, 1])
    vgg = PREPROCESSING["vgg16", None]([black])
    np.testing.assert_allclose(vgg[0, 0, 0], [-2.1179, -2.0357, -1.8044], atol=1e-4)
    keras = PREPROCESSING["squeezenet1_1", "keras"]([white])
    np.testing.assert_allclose(keras[0, 0, 0], [151.061, 138.221, 131.32], rtol=1e-6)
    assert keras.shape == (1, 227, 227, 3)
