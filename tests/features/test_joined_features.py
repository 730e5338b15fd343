"""Features of several CNNs side by side: computed, joined from files, and checked."""

import numpy as np
import pytest
from joblib.externals.loky import get_reusable_executor

from mrnn_np.cnn import Preprocessing, build, weight_shapes
from mrnn_np.data.scenes import SceneImages
from mrnn_np.features.extraction import extract_features
from mrnn_np.features.extractors import check_same_extractor, load_extractor
from mrnn_np.features.identity import identity
from mrnn_np.features.joined import JoinedExtractor, join_features, join_identities
from mrnn_np.features.matrix import Features
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.storage import save_arrays
from mrnn_np.runtime.workers import Workers

SCENES = SceneImages()
NAMES = SCENES.names()[:7]
SIZE = 63  # pixels: AlexNet has no smaller picture


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Put two small CNNs with random weights, "first" and "other", into the cache."""
    monkeypatch.setenv("MRNN_NP_HOME", str(tmp_path / "home"))
    layers = build("alexnet", None)[:3]
    for seed, name in enumerate(("first", "other")):
        rng = np.random.default_rng(seed)
        arrays = {
            key: rng.standard_normal(shape).astype(np.float32)
            for key, shape in weight_shapes(layers, SIZE).items()
        }
        header = {
            "name": name,
            "architecture": "alexnet",
            "preprocessing": Preprocessing(SIZE, SIZE, scale=1 / 255).to_dict(),
        }
        save_arrays(tmp_path / "home" / "cnn" / f"{name}.npz", "cnn", header, arrays)
    return tmp_path / "home" / "cnn"


def extract(path, cnn, names=NAMES, **options) -> Features:
    return extract_features(SCENES, names, cnn, path, **options)


def test_a_joined_extractor_says_what_its_parts_say():
    parts = [load_extractor("other"), load_extractor("first")]
    joined = load_extractor("other+first")
    assert joined.name == "first+other" and joined.feature_size == 128
    assert list(joined.feature_preprocessing) == ["first", "other"]
    # A generator can be gone through once, and there are two CNNs that want it.
    found = joined.features(SCENES.open(name) for name in NAMES)
    other, first = (
        part.features(SCENES.open(name) for name in NAMES) for part in parts
    )
    assert found.dtype == np.float32
    assert np.array_equal(found, np.hstack([first, other]))
    assert joined.features([]).shape == (0, 128)


def test_the_order_of_the_names_does_not_matter():
    one, two = load_extractor("first+other"), load_extractor("other+first")
    assert identity(one) == identity(two)
    check_same_extractor(identity(one), identity(two))
    assert len(one.sha256) == 64 and one.sha256 not in {p.sha256 for p in one.parts}


def test_joined_files_equal_the_file_of_the_joined_extractor(tmp_path):
    whole = extract(tmp_path / "whole.npz", "first+other")
    parts = [extract(tmp_path / f"{cnn}.npz", cnn) for cnn in ("first", "other")]
    for order in (parts, parts[::-1]):
        joined = join_features(order)
        assert joined.extractor == whole.extractor == Features.load(
            tmp_path / "whole.npz"
        ).extractor  # fmt: skip
        assert joined.names == whole.names and joined.failed == {}
        assert np.array_equal(joined.matrix, whole.matrix)
    assert join_features(parts[:1]) is parts[0]
    resumed = extract(
        tmp_path / "whole.npz", "other+first", SCENES.names()[:9], resume=True
    )
    assert len(resumed) == 9
    # What was joined can be saved, and is then a file like any other.
    joined.save(tmp_path / "joined.npz")
    assert Features.load(tmp_path / "joined.npz").extractor == whole.extractor


def test_processes_give_the_same_numbers(tmp_path):
    # Processes that another test has left know nothing of this one's weights.
    get_reusable_executor().shutdown(wait=True)
    one = extract(tmp_path / "1.npz", "first+other")
    two = extract(tmp_path / "2.npz", "first+other", workers=Workers("processes", 2))
    assert np.array_equal(one.matrix, two.matrix)


def plain(name, names, rows, failed=None, dtype=np.float16) -> Features:
    extractor = {"name": name, "sha256": name * 64, "preprocessing": {}}
    matrix = np.array(rows, dtype)
    return Features(names, matrix, extractor, "d", failed, f"{name}.npz")


def test_images_that_lack_a_row_in_any_part_have_failed():
    one = plain("b", "xyz", [[1], [2], [3]], {"w": "broken"})
    two = plain("a", "zyv", [[30, 31], [20, 21], [0, 0]], dtype=np.float32)
    joined = join_features([one, two])
    assert joined.names == ("z", "y") and joined.source == "a.npz + b.npz"
    assert joined.rows("yz").tolist() == [[20, 21, 2], [30, 31, 3]]
    assert joined.matrix.dtype == np.float32
    assert set(joined.failed) == {"x", "v", "w"}
    assert joined.failed["x"] == "it is not in a.npz"
    assert joined.failed["v"] == "it is not in b.npz"
    with pytest.raises(InputError, match=r"a\.npz \+ b\.npz: image 'x' has no feat"):
        joined.rows("x")
    with pytest.raises(InputError, match=r"'nowhere'.*its CNN -o each of the files"):
        joined.rows(["nowhere"])


def test_the_reason_that_a_part_gives_is_kept():
    one = plain("a", "x", [[1]], {"y": "y.jpg is no image"})
    two = plain("b", "xy", [[2], [3]])
    assert join_features([two, one]).failed == {"y": "y.jpg is no image"}


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (["a", "a"], r"a\.npz \+ a\.npz: a\+a: the same CNN twice"),
        (["a", "b"], r"a\.npz \+ b\.npz: no image has features in all"),
    ],
)
def test_files_that_cannot_be_joined(parts, message):
    first, second = (plain(name, [f"{name}{i}"], [[1]]) for i, name in enumerate(parts))
    with pytest.raises(InputError, match=message):
        join_features([first, second])


def test_what_is_joined_already_is_not_joined_again():
    one, two, three = (plain(name, "x", [[1]]) for name in "acb")
    joined = join_features([one, two])
    with pytest.raises(InputError, match=r"features of a\+c are joined already"):
        join_features([joined, three])
    with pytest.raises(InputError, match="first: the same CNN twice"):
        load_extractor("first+first")
    with pytest.raises(InputError, match="joined already"):
        JoinedExtractor([load_extractor("first+other"), load_extractor("other")])


def test_differences_are_traced_to_the_part():
    a, b, c = (
        {"name": n, "sha256": n * 64, "preprocessing": {"size": 1}} for n in "abc"
    )
    needed = join_identities([a, b])
    check_same_extractor(join_identities([b, a]), needed)
    for given, message in [
        (a, r"f\.npz: made by a, .* of a\+b: give the features of b too"),
        (c, r"made by c, .* of a\+b: compute them with --cnn a\+b"),
        (join_identities([a, c]), r"made by a\+c, .*: compute them with --cnn a\+b"),
        (join_identities([a, b, c]), r"made by a\+b\+c, .* --cnn a\+b"),
        (join_identities([a, {**b, "sha256": "x"}]), "made by b,.* other weights"),
        (join_identities([{**a, "preprocessing": {}}, b]), "by a,.*preprocessing"),
    ]:
        with pytest.raises(InputError, match=message):
            check_same_extractor(given, needed, "f.npz")
    with pytest.raises(InputError, match=r"made by a\+b, .* --cnn a"):
        check_same_extractor(needed, a)


def test_names_that_do_not_exist_and_files_with_a_plus(home):
    with pytest.raises(InputError, match="nobody"):
        load_extractor("first+nobody")
    with pytest.raises(InputError):
        load_extractor("first+")
    path = home / "one+two.npz"
    path.write_bytes((home / "first.npz").read_bytes())
    assert load_extractor(str(path)).name == "first"
