"""Regions of a picture: how they are cut, and that whoever uses them knows how many."""

import dataclasses
import itertools

import numpy as np
import pytest

from mrnn_np.cli import main
from mrnn_np.cnn import CNN, Preprocessing, build, weight_shapes
from mrnn_np.cnn.architectures import NETWORKS, REGION_LAYERS
from mrnn_np.data import load_dataset
from mrnn_np.data.scenes import SceneImages
from mrnn_np.features.extraction import extract_features
from mrnn_np.features.extractors import check_same_extractor, load_extractor
from mrnn_np.features.identity import identity, region_count
from mrnn_np.features.joined import join_identities
from mrnn_np.features.matrix import Features
from mrnn_np.features.regions import RegionExtractor
from mrnn_np.models import load_model, model_class
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.storage import save_arrays
from mrnn_np.training import TrainingConfig, prepare

SCENES = SceneImages()
NAMES = SCENES.names()[:5]
SIZE = 95  # pixels: the map of the front of AlexNet has 5 rows, cut into 0-1 1-3 3-4


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Put a small CNN with random weights, "front", into the cache."""
    monkeypatch.setenv("MRNN_NP_HOME", str(tmp_path / "home"))
    layers = build("alexnet", None)[:6]  # to pool2
    rng = np.random.default_rng(0)
    arrays = {
        key: rng.standard_normal(shape).astype(np.float32)
        for key, shape in weight_shapes(layers, SIZE).items()
    }
    header = {
        "name": "front",
        "architecture": "alexnet",
        "preprocessing": Preprocessing(SIZE, SIZE, scale=1 / 255).to_dict(),
    }
    save_arrays(tmp_path / "home" / "cnn" / "front.npz", "cnn", header, arrays)


def pictures():
    return (SCENES.open(name) for name in NAMES)


def test_a_row_is_nine_cells_and_the_whole():
    extractor, plain = load_extractor("front:regions"), load_extractor("front")
    cnn = extractor.cnn
    assert extractor.feature_layers == (cnn.region_layer,) == ("pool2",)
    found = extractor.features(pictures())
    assert found.dtype == np.float32 and found.shape == (5, 10 * 192)
    maps = cnn.forward(cnn.feature_preprocessing(list(pictures())), ("pool2",))["pool2"]
    assert maps.shape == (5, 5, 5, 192)
    spans = ([0, 1], [1, 2, 3], [3, 4])  # floor(5 i / 3) to ceil(5 (i + 1) / 3)
    cells = []
    for rows, columns in itertools.product(spans, spans):
        total = sum(maps[:, y, x].astype(float) for y in rows for x in columns)
        cells.append(total / (len(rows) * len(columns)))
    expected = np.hstack([*cells, maps.mean((1, 2), dtype=float)])
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert np.array_equal(found[:, -192:], plain.features(pictures()))  # to the bit
    assert extractor.features([]).shape == (0, 1920)


def test_the_plain_engine_cuts_the_same():
    fast = load_extractor("front:regions")
    plain = RegionExtractor(CNN(fast.cnn.header, fast.cnn.weights, engine="plain"))
    found, expected = plain.features(pictures()), fast.features(pictures())
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["efficientnet_lite0", "squeezenet1_1", "alexnet", "vgg16"]
)
def test_the_whole_is_the_plain_extractors_to_the_bit(name, monkeypatch):
    monkeypatch.delenv("MRNN_NP_HOME")
    try:
        extractor = load_extractor(f"{name}:regions")
    except InputError as error:
        pytest.skip(f"no weights of {name}: {error}")
    C = extractor.cnn.region_size
    found, plain = extractor.features(pictures()), extractor.cnn.features(pictures())
    assert np.array_equal(found[:, -C:], plain[:, :C])
    if name == "efficientnet_lite0":
        assert found.shape == (5, 12800) and plain.shape == (5, 3104)


def test_every_network_has_a_map_of_regions():
    for architecture, variant in NETWORKS:
        layers = {layer.name for layer in build(architecture, variant)}
        assert REGION_LAYERS[architecture] in layers


def test_the_file_and_the_model_know_how_many(tmp_path):
    goal = tmp_path / "f.npz"
    extract_features(SCENES, NAMES, "front:regions", goal)
    features = Features.load(goal)
    assert features.extractor["name"] == "front:regions" and features.size == 1920
    assert region_count(features.extractor) == 10
    made_from = features.extractor["preprocessing"]
    assert made_from["grid"] == 3 and made_from["layers"] == ["pool2"]
    plain = identity(load_extractor("front"))
    assert region_count(plain) == 1
    with pytest.raises(InputError, match=r"on features of front: compute them with"):
        check_same_extractor(features.extractor, plain)
    other = dict(features.extractor, preprocessing=made_from | {"grid": 2})
    with pytest.raises(InputError, match=r"other preprocessing \(grid 2, not 3\)"):
        check_same_extractor(other, features.extractor)
    again = extract_features(SCENES, NAMES, "front:regions", goal, resume=True)
    assert np.array_equal(again.matrix, features.matrix)


@pytest.mark.parametrize("regions", [0, -1, 10**9, "10", None, True, 2.5])
def test_a_file_that_lies_about_its_regions(tmp_path, regions):
    who = identity(load_extractor("front:regions"))
    who["preprocessing"] |= {"regions": regions}
    Features(["a"], np.zeros((1, 20), np.float32), who).save(tmp_path / "f.npz")
    with pytest.raises(
        InputError, match=r"f\.npz: extractor: preprocessing: .*regions?"
    ):
        Features.load(tmp_path / "f.npz")


def test_what_has_no_regions():
    with pytest.raises(InputError, match="scenes:regions: only CNNs have a map"):
        load_extractor("scenes:regions")
    with pytest.raises(InputError, match=r"front:regions are 10 regions side by side"):
        load_extractor("scenes+front:regions")
    regions, plain = (load_extractor(n) for n in ("front:regions", "front"))
    with pytest.raises(InputError, match="cannot be joined"):
        join_identities([identity(plain), identity(regions)])


@pytest.fixture
def scenes():
    """A data set of few drawn scenes."""
    whole = load_dataset("scenes")
    splits = {name: whole.split(name)[:12] for name in ("train", "dev")}
    return dataclasses.replace(whole, splits=splits)


def features_of(scenes, regions, size=4):
    names = [name for split in scenes.splits for name in scenes.split(split)]
    matrix = np.random.default_rng(0).standard_normal((len(names), regions * size))
    who = {"name": "c:regions", "sha256": "0", "preprocessing": {"regions": regions}}
    if regions == 1:
        who = {"name": "c", "sha256": "0", "preprocessing": {}}
    return Features(names, matrix.astype(np.float32), who, source="f.npz")


@pytest.mark.parametrize("name", ["deepfe", "deepvs-align"])
def test_a_ranker_of_fragments_learns_the_number_from_the_features(
    name, scenes, capsys
):
    cls, config = model_class(name), TrainingConfig(threshold=1)
    for regions in (10, 1):
        features = features_of(scenes, regions)
        model, *_ = prepare(scenes, features, cls.config_class(), config, cls)
        assert model.config.regions == regions and model.params["Vi"].shape[0] == 4
    said = capsys.readouterr().err
    assert said == "10 regions of 4 numbers an image\n"
    for regions, asked in ((10, 5), (1, 2)):
        with pytest.raises(
            InputError, match=rf"^regions = {asked}, but f.npz have {regions} an image"
        ):
            prepare(
                scenes,
                features_of(scenes, regions),
                cls.config_class(regions=asked),
                config,
                cls,
            )
    model, *_ = prepare(
        scenes, features_of(scenes, 5), cls.config_class(regions=5), config, cls
    )
    assert model.config.regions == 5


def test_a_model_without_regions_sees_one_long_row(scenes, capsys):
    cls = model_class("mrnn")
    config = TrainingConfig(threshold=1)
    model, *_ = prepare(
        scenes, features_of(scenes, 10), cls.config_class(), config, cls
    )
    assert model.config.image_size == 40
    assert capsys.readouterr().err == (
        "10 regions of 4 numbers an image: to this model they are one row of 40\n"
    )


def test_from_a_photograph_to_its_sentences(scenes, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("mrnn_np.data.load_dataset", lambda spec: scenes)
    (tmp_path / "c.toml").write_text("[training]\nepochs = 1\nthreshold = 1\n")
    features, run = tmp_path / "f.npz", tmp_path / "run"
    photo = tmp_path / "photo.png"
    SCENES.open(NAMES[0]).save(photo)

    def call(*arguments):
        assert main([*map(str, arguments)]) == 0, capsys.readouterr().err

    call("features", "scenes", "--cnn", "front:regions", "-o", features)
    use = ["scenes", "--features", features]
    call(
        "train",
        *use,
        "--model",
        "deepfe",
        "--config",
        tmp_path / "c.toml",
        "--out",
        run,
    )
    best = run / "best.npz"
    assert load_model(best).config.regions == 10
    capsys.readouterr()
    call("rank", *use, "--checkpoint", best)
    call("search", *use, "--checkpoint", best, "--image", photo)
    assert str(photo) in capsys.readouterr().out
