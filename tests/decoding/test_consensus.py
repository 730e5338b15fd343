"""Consensus reranking: neighbours, pools, votes and oracles."""

import numpy as np
import pytest

from mrnn_np import InputError
from mrnn_np.data import SPECIALS, CaptionDataset, Vocabulary
from mrnn_np.decoding import Caption
from mrnn_np.decoding.consensus import Consensus, mean_of_largest
from mrnn_np.decoding.similarity import bleu_similarity, cider_similarity
from mrnn_np.features.matrix import Features
from mrnn_np.metrics.cider import document_frequencies
from mrnn_np.models import MRNN, MRNNConfig

CAPTIONS = {
    "dog1": ["a brown dog runs on the grass", "a dog runs in a park"],
    "dog2": ["a black dog runs on the grass", "a dog plays with a ball"],
    "dog3": ["a small dog runs on green grass"],
    "boat": ["a man sits in a small boat on a lake", "a boat on the water"],
    "city": ["people walk down a busy city street"],
}
# Dogs near 0, the others far away.
VECTORS = np.array([[0.0, 0.1], [0.2, 0.0], [0.0, -0.3], [9.0, 0.0], [0.0, 9.0]])


def collection() -> Consensus:
    captions = [[text.split() for text in own] for own in CAPTIONS.values()]
    return Consensus(list(CAPTIONS), VECTORS, captions)


def captions_of(*texts: str) -> list[Caption]:
    return [
        Caption(text, tuple(text.split()), -float(i)) for i, text in enumerate(texts)
    ]


BEAM = captions_of(
    "a man sits on a bench", "a man in a boat on a lake", "a brown dog runs on grass"
)


@pytest.mark.parametrize("similarity", ["cider", "bleu"])
def test_the_neighbours_decide(similarity):
    found = collection().rerank([BEAM, BEAM], [[0, 0], [9, 1]], None, similarity, k=2)
    assert found[0][0].text == "a brown dog runs on grass"
    assert found[1][0].text == "a man in a boat on a lake"
    for own in found:
        assert sorted(c.text for c in own) == sorted(c.text for c in BEAM)


@pytest.mark.parametrize("similarity", ["cider", "bleu"])
@pytest.mark.parametrize("m", [1, 2, 3, 100])
def test_the_score_is_the_mean_of_the_largest_of_the_whole_pool(similarity, m):
    consensus = collection()
    neighbours = consensus.neighbours([[0.0, 0.0]], 3)
    assert [consensus.names[i] for i in neighbours[0]] == ["dog1", "dog2", "dog3"]
    sentences = [caption.tokens for caption in BEAM]
    (found,) = consensus.scores([sentences], neighbours, similarity, m)
    pool = [
        text.split() for name in ("dog1", "dog2", "dog3") for text in CAPTIONS[name]
    ]
    frequencies = document_frequencies(
        [[text.split() for text in own] for own in CAPTIONS.values()]
    )
    for words, score in zip(sentences, found, strict=True):
        values = sorted(
            bleu_similarity(words, other)
            if similarity == "bleu"
            else cider_similarity(words, other, frequencies)
            for other in pool
        )
        best = values[::-1][:m]  # five captions in the pool: all of them for m = 100
        assert score == pytest.approx(sum(best) / len(best))


def test_an_image_is_never_its_own_neighbour():
    consensus = collection()
    names = ["boat", "new", "dog2"]
    found = consensus.neighbours(VECTORS[[3, 0, 1]], 2, names)
    assert "boat" not in [consensus.names[i] for i in found[0]]
    assert consensus.names[found[1][0]] == "dog1"  # not known by its name
    assert [consensus.names[i] for i in found[2]] == ["dog1", "dog3"]
    everything = consensus.neighbours(VECTORS, 100, list(CAPTIONS))
    assert everything.shape == (5, 4)
    for row, own in enumerate(everything):
        assert sorted([row, *own]) == [0, 1, 2, 3, 4]


def test_equal_scores_keep_the_order_of_the_beam():
    beam = captions_of("zebras fly", "purple tables sing loudly together", "")
    assert collection().rerank([beam], [[0, 0]]) == [beam]


@pytest.mark.parametrize("similarity", ["cider", "bleu"])
def test_the_oracle_finds_what_people_said(similarity):
    references = [["a man sits on a bench".split(), "zebras sing here today".split()]]
    for text in ("a man sits on a bench", "zebras sing here today"):
        beam = captions_of("a dog runs on the grass", "a man stands", text)
        (best,) = collection().oracle([beam], references, similarity)
        assert best[0].text == text


def test_mean_of_the_largest():
    values = np.array([[1.0, 5, 3], [2, 2, 8]])
    np.testing.assert_allclose(mean_of_largest(values, 2), [4, 5])
    np.testing.assert_allclose(mean_of_largest(values, 9), [3, 4])


def test_of_a_training_split():
    """Only training images that have features and captions are in the collection."""
    rng = np.random.default_rng(0)
    texts = [f"w{i} w{j}" for i in range(4) for j in range(2)]
    names = [f"i{i}" for i in range(8)]
    captions = dict(zip(names, ([text] for text in texts), strict=True)) | {"i3": []}
    dataset = CaptionDataset(
        "x", None, captions, {"train": names[:6], "dev": names[6:]}
    )
    features = Features(
        [name for name in names if name != "i2"],
        rng.standard_normal((7, 5)).astype(np.float32),
        {"name": "cnn"},
        failed={"i2": "broken"},
    )
    vocabulary = Vocabulary([*SPECIALS, "w0"], np.ones(5, int))
    config = MRNNConfig(
        image_size=5, embedding_size=3, recurrent_size=4, multimodal_size=6
    )
    model = MRNN(config, vocabulary, rng)
    consensus = Consensus.of_training_split(model, dataset, features)
    assert consensus.names == ("i0", "i1", "i4", "i5")
    refined = model.refined_features(features.rows(["i4"]))
    Vi = model.params["Vi"].astype(float)
    expected = 1.7159 * np.tanh(2 / 3 * (features.rows(["i4"]) @ Vi))
    np.testing.assert_allclose(refined, expected, rtol=1e-5)
    # Its own captions are left out only when its name is given.
    assert consensus.neighbours(refined, 1)[0, 0] == 2
    assert consensus.neighbours(refined, 1, ["i4"])[0, 0] != 2


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"similarity": "rouge"}, "'rouge' is not cider or bleu"),
        ({"k": 0}, "0 neighbours wanted"),
        ({"m": 0}, "votes must be 1 or more"),
    ],
)
def test_options_that_make_no_sense(options, part):
    with pytest.raises(InputError, match=part):
        collection().rerank([BEAM], [[0, 0]], **options)


def test_collections_that_make_no_sense():
    with pytest.raises(InputError, match="must be equal and not 0"):
        Consensus([], np.empty((0, 2)), [])
    with pytest.raises(InputError, match="must be equal"):
        Consensus(["a"], np.zeros((2, 2)), [[["x"]]])
    with pytest.raises(InputError, match="'b' of the collection has no caption"):
        Consensus(["a", "b"], np.zeros((2, 2)), [[["x"]], []])
    alone = Consensus(["a"], np.zeros((1, 2)), [[["x"]]])
    with pytest.raises(InputError, match="0 other images"):
        alone.rerank([BEAM], [[0, 0]])
