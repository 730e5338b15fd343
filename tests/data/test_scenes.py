"""Scenes: the same everywhere, true sentences, and features that see what is there."""

import re

import numpy as np
import pytest
from PIL import Image

from mrnn_np.data import Vocabulary, load_dataset, tokenize
from mrnn_np.data.scenes import SPLIT_SIZES, SceneImages
from mrnn_np.data.scenes.composition import (
    BACKGROUNDS,
    COLOURS,
    KINDS,
    PLACES,
    SHAPES,
    SIDE,
    Group,
    Scene,
)
from mrnn_np.data.scenes.drawing import OUTLINES, PALETTE, draw
from mrnn_np.data.scenes.features import (
    FEATURE_SIZE,
    NUMBERS_PER_COLOUR,
    PARTS,
    SceneFeatures,
)
from mrnn_np.data.scenes.sentences import (
    CHINESE,
    CHINESE_WORDS,
    ENGLISH,
    describe,
    kind,
)
from mrnn_np.runtime.errors import InputError

SCENES = load_dataset("scenes")
CHINESE_SCENES = load_dataset("scenes:zh")
SAMPLE = SCENES.split("dev")
START = np.cumsum([0, *PARTS.values()])
PART = {
    name: slice(START[i], START[i + 1]) for i, name in enumerate(PARTS)
}  # where the numbers of one colour are


def test_lists_and_captions():
    sizes = {split: len(names) for split, names in SCENES.splits.items()}
    assert sizes == SPLIT_SIZES
    names = [name for split in SCENES.splits for name in SCENES.split(split)]
    assert names == SCENES.images.names() and len(set(names)) == 2600
    for name in names:
        assert len(set(SCENES.captions[name])) == 5
        assert len(set(CHINESE_SCENES.captions[name])) == 5
    assert CHINESE_SCENES.tokenizer == "characters"


def test_the_same_on_every_machine():
    # Frozen: a change here changes every model trained on scenes.
    scene = SCENES.images.scene("scene0005")
    assert scene == Scene(
        "grey",
        (
            Group("blue", "star", "small", ((57.4, 47.5),), 8.0),
            Group("orange", "circle", "large", ((54.9, 48.2),), 31.0),
        ),
        "inside",
    )
    assert SCENES.captions["scene0005"] == [
        "A small blue star inside a large orange circle.",
        "There is a small blue star in an orange circle on a grey background.",
        "A blue star is surrounded by a large orange circle.",
        "The star is blue and the circle around it is orange.",
        "An orange circle has a small blue star inside.",
    ]
    assert CHINESE_SCENES.captions["scene0005"][0] == (
        "一个蓝色的小星星在一个橙色的大圆形里面。"
    )
    again = load_dataset("scenes")
    assert again.captions == SCENES.captions


def test_another_seed_is_another_set():
    other = SceneImages(seed=1)
    assert other.scene("scene0005") != SCENES.images.scene("scene0005")


def test_names():
    images = SCENES.images
    for name in ("scene2600", "scene00001", "scene1", "", "scene-001", "xscene0001"):
        assert name not in images
        with pytest.raises(InputError, match="holds no image"):
            images.open(name)
    assert images.open("scene0000").size == (SIDE, SIDE)
    with pytest.raises(InputError, match="scenes:zh"):
        load_dataset("scenes:fr")


def test_every_kind_shape_colour_and_place_occurs_often():
    scenes = [SCENES.images.scene(name) for name in SCENES.split("train")]
    relations = [scene.relation for scene in scenes]
    for relation in (*PLACES, "row", "column", "above", "left", "inside"):
        assert relations.count(relation) > 30
    groups = [group for scene in scenes for group in scene.groups]
    for words, field in ((COLOURS, "colour"), (SHAPES, "shape")):
        used = [getattr(group, field) for group in groups]
        assert min(used.count(word) for word in words) > 150
    assert {scene.background for scene in scenes} == set(BACKGROUNDS)
    assert {kind(scene) for scene in scenes} == set(ENGLISH) == set(CHINESE)
    assert len(KINDS) == 5
    for scene in scenes:
        assert len({group.colour for group in scene.groups}) == len(scene.groups)


@pytest.mark.parametrize("name", SAMPLE[:60])
def test_shapes_stay_inside_and_apart(name):
    scene = SCENES.images.scene(name)
    boxes = []
    for group in scene.groups:
        for centre in group.centres:
            low = np.array(centre) - group.radius
            high = np.array(centre) + group.radius
            assert (low >= 0).all() and (high <= SIDE).all()
            boxes.append((low, high))
    for i, (low, high) in enumerate(boxes):
        for low2, high2 in boxes[:i]:
            overlap = (np.minimum(high, high2) > np.maximum(low, low2)).all()
            assert overlap == (scene.relation == "inside")


def test_sentences_name_what_is_there_and_nothing_else():
    for name in SAMPLE:
        scene = SCENES.images.scene(name)
        colours = {group.colour for group in scene.groups}
        shapes = {group.shape for group in scene.groups}
        chinese = {CHINESE_WORDS[word] for word in (*colours, scene.background)}
        for sentence in SCENES.captions[name]:
            tokens = {re.sub(r"(?<!s)s$|(?<=s)es$", "", t) for t in tokenize(sentence)}
            assert tokens & set(COLOURS) <= colours
            assert tokens & set(BACKGROUNDS) <= {scene.background}
            assert tokens & set(SHAPES) <= shapes and tokens & shapes
            assert re.fullmatch(r"[A-Z][a-z ]+\.", sentence)
            assert not re.search(r"\ba [aeiou]|\ban [^aeiou]|  ", sentence)
        for sentence in CHINESE_SCENES.captions[name]:
            assert set(re.findall("[红橙黄绿蓝紫粉棕白灰黑米]色", sentence)) <= chinese
            assert sentence.endswith("。") and not re.search("[A-Za-z{}]", sentence)


def test_relations_are_said_the_right_way_round():
    left = Group("red", "circle", "small", ((20, 40),), 8)
    right = Group("blue", "star", "small", ((70, 40),), 8)
    scene = Scene("white", (left, right), "left")
    said = set()
    for index in range(20):
        said.update(describe(scene, "en", 0, index))
    assert "A small red circle is to the left of a small blue star." in said
    assert "A small blue star is to the right of a small red circle." in said
    assert "The circle on the left is red and the star on the right is blue." in said
    for sentence in said:
        if "to the left of" in sentence:
            assert sentence.index("red") < sentence.index("blue")
        if "to the right of" in sentence:
            assert sentence.index("blue") < sentence.index("red")


def test_vocabularies_are_small_and_need_no_unknown_word():
    for dataset in (SCENES, CHINESE_SCENES):
        tokens = [
            tokenize(sentence, dataset.tokenizer)
            for _, sentence in dataset.sentences("train")
        ]
        vocabulary = Vocabulary.build(tokens)
        assert 55 < len(vocabulary) < 80
        assert vocabulary.counts[3] == 0


def test_pictures_have_the_colours_of_the_scene():
    for name in SAMPLE[:40]:
        scene = SCENES.images.scene(name)
        pixels = np.asarray(SCENES.images.open(name))
        assert pixels.shape == (SIDE, SIDE, 3)
        assert tuple(pixels[0, 0]) == PALETTE[scene.background]
        first = scene.groups[0]
        for x, y in first.centres:
            assert tuple(pixels[int(y), int(x)]) == PALETTE[first.colour]


@pytest.mark.parametrize("shape", SHAPES)
def test_area_of_a_drawn_shape(shape):
    # Against the surveyor's formula for the area inside a polygon.
    x, y = np.array(OUTLINES[shape]).T
    area = abs(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2
    group = Group("red", shape, "large", ((48, 48),), 40)
    pixels = np.asarray(draw(Scene("black", (group,), "centre")), float)
    red = (pixels[..., 0] - PALETTE["black"][0]) / (214 - PALETTE["black"][0])
    assert red.sum() == pytest.approx(area * 40**2, rel=0.03)


def test_features_tell_what_the_scene_is():
    extractor = SceneFeatures()
    numbers = extractor.features(SCENES.images.open(name) for name in SAMPLE)
    assert numbers.shape == (len(SAMPLE), FEATURE_SIZE) == (300, 236)
    assert numbers.dtype == np.float32
    wrong_shapes = 0
    for name, row in zip(SAMPLE, numbers, strict=True):
        scene = SCENES.images.scene(name)
        table = row[: -len(BACKGROUNDS)].reshape(len(COLOURS), NUMBERS_PER_COLOUR)
        assert BACKGROUNDS[row[-len(BACKGROUNDS) :].argmax()] == scene.background
        seen = {COLOURS[i] for i in np.flatnonzero(table[:, 0])}
        assert seen == {group.colour for group in scene.groups}
        found = []
        for group in scene.groups:
            part = {key: table[COLOURS.index(group.colour)][PART[key]] for key in PART}
            wrong_shapes += SHAPES[part["shape"].argmax()] != group.shape
            assert ("small", "large")[part["size"].argmax()] == group.size
            assert part["count"].argmax() + 1 == len(group.centres)
            found.append(part)
        if scene.relation in PLACES and kind(scene) == "one":
            assert PLACES[found[0]["place"].argmax()] == scene.relation
        elif kind(scene) == "line":
            assert ("row", "column")[found[0]["order"].argmax()] == scene.relation
        elif scene.relation == "inside":
            assert [part["inside"].tolist() for part in found] == [[1, 0], [0, 1]]
        else:
            sides = ("left", "right", "above", "below")
            assert sides[found[0]["side"].argmax()] == scene.relation
            assert not found[0]["inside"].any()
    assert wrong_shapes <= 3  # of about 450


def test_the_image_decides_the_words():
    # What a caption of the nearest training picture has in common with the five of a
    # dev picture, against one of any training picture: the feature must pay.
    extractor = SceneFeatures()
    train = SCENES.split("train")[:1000]
    known = extractor.features(SCENES.images.open(name) for name in train)
    asked = extractor.features(SCENES.images.open(name) for name in SAMPLE[:100])
    rng = np.random.default_rng(0)

    def overlap(name, other):
        own = {w for s in SCENES.captions[name] for w in tokenize(s)}
        borrowed = tokenize(SCENES.captions[other][0])
        return np.mean([word in own for word in borrowed])

    nearest, any_one = [], []
    for name, row in zip(SAMPLE[:100], asked, strict=True):
        closest = train[int(((known - row) ** 2).sum(1).argmin())]
        nearest.append(overlap(name, closest))
        any_one.append(overlap(name, train[rng.integers(1000)]))
    assert np.mean(nearest) > np.mean(any_one) + 0.2


def test_extractor_takes_other_pictures_and_none_at_all():
    extractor = SceneFeatures()
    empty = Image.new("RGB", (300, 200), PALETTE["grey"])
    row = extractor.features([empty])[0]
    assert row.sum() == 1 and BACKGROUNDS[row[-4:].argmax()] == "grey"
    assert extractor.features([]).shape == (0, FEATURE_SIZE)
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    assert np.isfinite(extractor.features([Image.fromarray(noise)])).all()
    assert re.fullmatch("[0-9a-f]{64}", extractor.sha256)
