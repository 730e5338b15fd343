"""What is measured of a row: hand-worked ranks, intervals, and ways of decoding."""

import numpy as np
import pytest
from small_race import small_material

from mrnn_np.metrics import bootstrap
from mrnn_np.tables import scores
from mrnn_np.tables.plan import readable
from mrnn_np.tables.rows import ROWS
from mrnn_np.tables.scores import (
    decode,
    gallery,
    measures,
    number,
    numbers_of,
    ranks_of_model,
    rate_model,
    resampled,
    retrieval_numbers,
)
from mrnn_np.tables.search import prepared, training_config
from mrnn_np.training import Trainer

BY_NAME = {row.name: row for row in ROWS}


@pytest.fixture(scope="module")
def material():
    return small_material()


def trained_model(material, name, epochs=8):
    config = training_config(material.plan, epochs, 1e-2)
    model, train, dev = prepared(BY_NAME[name], material, config, 0.0)
    Trainer(model, config, verbose=False).fit(train, dev)
    return model


@pytest.fixture(scope="module")
def model(material):
    return trained_model(material, "mrnn")


def test_a_number_is_the_mean_of_the_seeds_with_the_first_ones_interval():
    assert number([1.0, 2.0, 6.0], 0.5, 1.5) == {
        "value": 3.0, "low": 0.5, "high": 1.5, "seeds": [1.0, 2.0, 6.0],
    }  # fmt: skip


def test_measures_by_hand():
    assert measures(np.array([1, 2, 5, 6, 11])) == {
        "R@1": 20.0, "R@5": 60.0, "R@10": 80.0, "median": 5.0,
    }  # fmt: skip


@pytest.mark.parametrize("images", [4, 5])  # 12 or 15 queries
def test_a_sample_is_measured_as_its_queries_written_out(images):
    """Weights against the very queries repeated, medians of odd and even numbers."""
    rng = np.random.default_rng(1)
    ranks = rng.integers(1, 14, 3 * images)
    image_of = np.repeat(np.arange(images), 3)
    drawn = bootstrap.draw(images, rng, 40)
    found = resampled(ranks, image_of, drawn)
    for row, times in zip(found, drawn.astype(int), strict=True):
        written_out = np.concatenate(
            [np.tile(ranks[image_of == image], times[image]) for image in range(images)]
        )
        assert row == pytest.approx(list(measures(written_out).values()))


def test_an_image_is_drawn_with_its_sentences():
    """All sentences of one image at rank 1, of the other at 100: samples vary."""
    owner = np.array([0] * 5 + [1] * 5)
    ranks = {
        "image to sentence": np.array([1, 100]),
        "sentence to image": np.array([1] * 5 + [100] * 5),
    }
    table = retrieval_numbers([ranks], owner)
    assert table["sentences"] == 10
    for direction in ranks:
        entry = table[direction]["R@1"]
        assert (entry["value"], entry["low"], entry["high"]) == (50.0, 0.0, 100.0)
        assert table[direction]["ranks"] == ranks[direction].tolist()


def test_seeds_are_averaged_in_retrieval():
    owner = np.array([0, 1])
    runs = [
        {"image to sentence": np.array(i), "sentence to image": np.array(s)}
        for i, s in (([1, 1], [1, 2]), ([1, 9], [9, 9]))
    ]
    table = retrieval_numbers(runs, owner)
    assert table["image to sentence"]["R@1"]["seeds"] == [100.0, 50.0]
    assert table["sentence to image"]["R@1"]["value"] == 25.0
    assert table["sentence to image"]["median"]["seeds"] == [1.5, 9.0]


def test_the_gallery_is_a_part_of_dev_in_its_order(material):
    names = gallery(material.dataset, material.features, material.plan)
    dev = material.dataset.split("dev")
    assert len(set(names)) == material.plan.gallery == 4
    assert names == [name for name in dev if name in names]
    assert names == gallery(material.dataset, material.features, material.plan)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mrnn", "dmsm"])
def test_ranks_agree_with_pair_by_pair_scores(material, name):
    """Sentence to image by each model's own scores, equal ones against the query."""
    model = trained_model(material, name)
    dataset, features = material.dataset, material.features
    names = dataset.split("dev")[:6]
    ranks, owner = ranks_of_model(model, dataset, names, features, material.plan)
    sentences = [text for one in names for text in dataset.captions[one]]
    assert owner.tolist() == [i for i in range(6) for _ in range(5)]
    rows = features.rows(names)
    if name == "mrnn":
        scores = np.column_stack(
            [
                model.log_likelihood(rows[[i] * len(sentences)], sentences)
                for i in range(6)
            ]
        )
    else:
        encoded = [model.encode(text) for text in sentences]
        scores = model.pair_scores(model.standardise(rows), encoded)
    own = scores[np.arange(len(owner)), owner]
    assert (
        ranks["sentence to image"].tolist() == (scores >= own[:, None]).sum(1).tolist()
    )


@pytest.mark.slow
def test_decodings_of_one_model(material, model):
    dataset, features = material.dataset, material.features
    names = readable(dataset, features, "dev")
    found = {
        decoding: decode(model, dataset, names, features, decoding)
        for decoding in (
            "beam",
            "greedy",
            "cider",
            "bleu",
            "cider oracle",
            "bleu oracle",
        )
    }
    rows = features.rows(names)
    assert [c.text for c in found["greedy"]] == [c.text for c in model.caption(rows, 1)]
    assert [c.text for c in found["beam"]] == [c.text for c in model.caption(rows, 5)]
    ten = model.caption(rows, 10, n_best=10)
    for decoding in ("cider", "bleu", "cider oracle", "bleu oracle"):
        for one, own in zip(found[decoding], ten, strict=True):
            assert one.text in [caption.text for caption in own]
    ratings = {
        decoding: rate_model(model, dataset, names, features, decoding, False)[0].corpus
        for decoding in found
    }
    for decoding in ("beam", "greedy", "cider", "bleu"):
        assert ratings["cider oracle"]["CIDEr"] >= ratings[decoding]["CIDEr"]
    assert len({rating["perplexity"] for rating in ratings.values()}) == 1


@pytest.mark.slow
def test_a_rows_numbers_are_those_of_its_rating(material, model):
    dataset, features = material.dataset, material.features
    names = readable(dataset, features, "dev")
    rating, captions, rate = rate_model(model, dataset, names, features, "beam", True)
    assert list(captions) == names and rate > 0
    numbers = numbers_of([rating, rating])
    assert set(numbers) >= {"perplexity", "BLEU-1", "BLEU-4", "ROUGE-L", "CIDEr"}
    for name, value in rating.corpus.items():
        assert numbers[name]["seeds"] == [value, value]
        assert numbers[name]["low"] <= value <= numbers[name]["high"]
    losses = -model.log_likelihood(
        features.rows([n for n in names for _ in range(5)]),
        [text for n in names for text in dataset.captions[n]],
    )
    nats, tokens = rating.parts[0].counts.T
    assert nats.sum() == pytest.approx(losses.sum(), rel=1e-5)
    assert np.exp(nats.sum() / tokens.sum()) == pytest.approx(
        numbers["perplexity"]["value"]
    )


def test_likelihoods_are_averaged_over_training_images(material, model, monkeypatch):
    given = []
    retrieve = scores.retrieve

    def seen(model, dataset, names, rows, sampled, rng):
        given.append(sampled)
        return retrieve(model, dataset, names, rows, sampled, rng)

    monkeypatch.setattr(scores, "retrieve", seen)
    dataset, features = material.dataset, material.features
    names = dataset.split("dev")[:2]
    ranks_of_model(model, dataset, names, features, material.plan)
    training = {row.tobytes() for row in features.rows(dataset.split("train"))}
    assert len(given[0]) == material.plan.samples
    assert all(row.tobytes() in training for row in given[0])
