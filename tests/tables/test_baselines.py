"""Rows without training: people, neighbours, chance, each beside a slow definition."""

import numpy as np
import pytest
from made_up import captions_of, dataset

from mrnn_np import InputError, metrics
from mrnn_np.data.dataset import CaptionDataset
from mrnn_np.decoding.similarity import cider_similarity
from mrnn_np.features.matrix import Features
from mrnn_np.metrics.cider import document_frequencies
from mrnn_np.tables.baselines import (
    held_out_rating,
    human_rating,
    neighbour_captions,
    random_retrieval,
)


def rounds_of(data, names, captions=None):
    """Return references and hypotheses of each round."""
    for j in range(5):
        references, given = {}, {}
        for name in names:
            own = list(data.captions[name])
            left_out = own.pop(j % len(own))
            references[name] = own
            given[name] = [left_out if captions is None else captions[name]]
        yield references, given


@pytest.mark.parametrize("model", [False, True])
def test_people_are_rated_by_the_others(model):
    data = dataset()
    names = list(data.captions)[:12]
    captions = captions_of(data, 0.3) if model else None
    rating = held_out_rating(data, names, captions)
    together: dict = {"references": {}, "hypotheses": {}}
    means = []
    for j, (references, given) in enumerate(rounds_of(data, names, captions)):
        means.append(metrics.score(references, given))
        together["references"] |= {(j, n): own for n, own in references.items()}
        together["hypotheses"] |= {(j, n): own for n, own in given.items()}
    corpus = metrics.score(**together)
    for n in range(1, 5):
        assert rating.corpus[f"BLEU-{n}"] == pytest.approx(corpus[f"BLEU-{n}"])
    for name in ("ROUGE-L", "CIDEr"):
        expected = np.mean([mean[name] for mean in means])
        assert rating.corpus[name] == pytest.approx(expected)
    assert rating.images == tuple(names)
    if not model:
        assert human_rating(data, names).corpus == rating.corpus
        assert 0.05 < rating.corpus["BLEU-4"] < 1


def test_images_with_fewer_sentences():
    captions = {
        "two": ["a red dog runs", "the red dog runs"],
        "one": ["a man sits"],
        "three": ["two dogs in grass", "two dogs run in grass", "a ball"],
    }
    data = CaptionDataset("toy", None, captions, {"dev": list(captions)})
    rating = human_rating(data, list(captions))
    assert rating.images == ("two", "three")
    rounds = [r for r in rounds_of(data, ["two", "three"])]
    expected = np.mean([metrics.score(*r)["ROUGE-L"] for r in rounds])
    assert rating.corpus["ROUGE-L"] == pytest.approx(expected)
    with pytest.raises(InputError, match="no image has two sentences"):
        human_rating(data, ["one"])


def slowly(data, vectors, name, k, m):
    """Return the consensus caption, pair by pair."""
    angle = {
        other: vectors[other] @ vectors[name] / np.linalg.norm(vectors[other])
        for other in data.split("train")
        if other != name
    }
    near = sorted(angle, key=angle.get, reverse=True)[:k]
    pool = [text for other in near for text in data.captions[other]]
    words = [[t.split() for t in data.captions[n]] for n in data.split("train")]
    frequencies = document_frequencies(words)
    scores = []
    for i, text in enumerate(pool):
        alike = [
            cider_similarity(text.split(), other.split(), frequencies)
            for j, other in enumerate(pool)
            if j != i
        ]
        scores.append(np.mean(sorted(alike, reverse=True)[:m]))
    return pool[int(np.argmax(scores))]


@pytest.mark.parametrize(("k", "m"), [(3, 4), (6, 100), (1, 1)])
def test_the_neighbours_caption_is_the_one_most_like_the_others(k, m):
    data = dataset(5)
    names = list(data.captions)
    data = CaptionDataset(
        "toy", None, data.captions, {"train": names[:30], "dev": names[30:]}
    )
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(40, 6)).astype(np.float32)
    matrix *= rng.uniform(0.1, 9, (40, 1)).astype(np.float32)  # lengths do not matter
    features = Features(names, matrix, {"name": "toy"})
    vectors = dict(zip(names, matrix.astype(float), strict=True))
    asked = names[30:36] + names[:2]  # an image of the training list is not its own
    found = neighbour_captions(data, features, asked, k, m)
    assert list(found) == asked
    for name in asked:
        assert found[name] == slowly(data, vectors, name, k, m)


def test_chance_is_exact():
    captions = {str(i): ["a"] * 5 for i in range(1000)}
    data = CaptionDataset("toy", None, captions, {})
    found = random_retrieval(data, list(captions))
    images = found["image to sentence"]
    assert images.at == pytest.approx({1: 0.1, 5: 0.4992, 10: 0.9964}, abs=1e-4)
    assert images.median == 647
    sentences = found["sentence to image"]
    assert sentences.at == pytest.approx({1: 0.1, 5: 0.5, 10: 1.0})
    assert sentences.median == 500
