"""Words and regions: the rows of each, and what is asked of the features."""

import dataclasses

import numpy as np
import pytest

from mrnn_np.data.batches import pack
from mrnn_np.gradcheck.model_cases import small_model
from mrnn_np.models import model_class, ranker
from mrnn_np.models.deepvs_align import mirrored
from mrnn_np.models.mnlm_rank import last_rows
from mrnn_np.models.ranker import words_of
from mrnn_np.runtime.errors import InputError

FRAGMENTS = ("deepfe", "deepvs-align")
SENTENCES = [[5], [7, 8, 9, 4], [], [4, 6], [6, 7]]


def batch_of(sentences):
    return pack(sentences, np.zeros((len(sentences), 0)))


def sentences_in(words, rows):
    """Return the words of each batch row, read in the given order of all words."""
    found = [[] for _ in words.lengths]
    for row in rows:
        found[words.sentence[row]].append(int(words.ids[row]))
    return found


def test_the_words_of_a_batch_are_those_of_its_sentences():
    batch = batch_of(SENTENCES)
    words = words_of(batch)
    expected = [SENTENCES[n] for n in batch.order]
    in_time = np.arange(len(words.ids))
    assert sentences_in(words, in_time) == expected
    assert words.lengths.tolist() == [len(ids) for ids in expected]
    assert words.batch_sizes.tolist() == [4, 3, 1, 1]
    backwards = sentences_in(words, mirrored(words))
    assert [found[::-1] for found in backwards] != backwards
    ids = words.ids[mirrored(words)]
    mirror = dataclasses.replace(words, ids=ids)
    assert sentences_in(mirror, in_time) == [one[::-1] for one in expected]
    assert np.array_equal(mirrored(words)[mirrored(words)], in_time)
    last = last_rows(batch)
    assert batch.sentence[last].tolist() == list(range(5))
    assert set(batch.targets[last]) == {2}  # <end>


@pytest.mark.parametrize("name", ["mnlm-rank", "dmsm", *FRAGMENTS])
def test_sentences_without_a_word_have_scores_and_gradients(name):
    model = small_model(np.random.default_rng(0), name)
    features = np.random.default_rng(1).standard_normal((3, 7))
    scores = model.pair_scores(features, [[], [4, 5], []])
    assert np.isfinite(scores).all() and np.array_equal(scores[0], scores[2])
    assert not np.array_equal(scores[0], scores[1])
    alone = model.pair_scores(features, [[], []])
    np.testing.assert_allclose(alone[0], scores[0], rtol=1e-12)
    loss, grads = model.loss_and_grads(pack([[], [], []], features))
    assert np.isfinite(loss)
    assert all(np.isfinite(value).all() for value in grads.values())


@pytest.mark.parametrize("name", ["mnlm-rank", "dmsm", *FRAGMENTS])
def test_blocks_of_sentences_make_no_difference(name, monkeypatch):
    model = small_model(np.random.default_rng(0), name)
    features = np.random.default_rng(1).standard_normal((5, 7))
    whole = model.pair_scores(features, SENTENCES)
    monkeypatch.setattr(ranker, "SCORED", 2)
    monkeypatch.setattr("mrnn_np.models.fragments.PRODUCTS", 9)
    found = model.pair_scores(features, SENTENCES)
    np.testing.assert_allclose(found, whole, rtol=1e-12)


@pytest.mark.parametrize("name", FRAGMENTS)
def test_the_order_of_the_regions_makes_no_difference(name, monkeypatch):
    choices = {"image_size": 6, "regions": 3}
    model = small_model(np.random.default_rng(0), name, **choices)
    rng = np.random.default_rng(1)
    regions = rng.standard_normal((4, 3, 2))
    scores = model.pair_scores(regions.reshape(4, 6), SENTENCES)
    turned = regions[:, [2, 0, 1]].reshape(4, 6)
    np.testing.assert_allclose(model.pair_scores(turned, SENTENCES), scores, 1e-12)
    mixed = regions.transpose(0, 2, 1).reshape(4, 6)  # no regions any more
    assert not np.allclose(model.pair_scores(mixed, SENTENCES), scores)
    monkeypatch.setattr("mrnn_np.models.fragments.PRODUCTS", 60)  # two images
    found = model.pair_scores(regions.reshape(4, 6), SENTENCES)
    np.testing.assert_allclose(found, scores, 1e-12)
    assert model.embed_images(turned).shape == (4, 3 * model.config.joint_size)


@pytest.mark.parametrize("name", FRAGMENTS)
def test_features_that_are_no_regions_are_refused(name):
    with pytest.raises(InputError, match=r"of 7 numbers are not 3 regions"):
        small_model(np.random.default_rng(0), name, regions=3)
    with pytest.raises(InputError, match="regions must be a positive integer, not 0"):
        model_class(name).config_class(regions=0)


def test_what_the_configs_refuse():
    for gamma in (0.0, -1.0, np.inf):
        with pytest.raises(InputError, match="gamma must be above 0"):
            model_class("dmsm").config_class(gamma=gamma)
    config = model_class("mnlm-rank").config_class
    with pytest.raises(InputError, match="embedding_size must be recurrent_size, 300"):
        config(cell="relu", embedding_size=20)
    with pytest.raises(InputError, match="is not one of"):
        config(cell="elman")


def test_a_relu_cell_reads_sentences_too():
    model = small_model(
        np.random.default_rng(0), "mnlm-rank", cell="relu", embedding_size=6
    )
    batch = pack(SENTENCES, np.random.default_rng(1).standard_normal((5, 7)))
    assert 0 < model.distance_to_kink(batch) < np.inf


def test_the_distance_between_the_two_best_regions():
    model = small_model(np.random.default_rng(0), "deepvs-align")
    a = np.array([[[1.0, 5.0, 4.5]], [[2.0, -3.0, 8.0]]])  # 2 words, an image
    assert model.fit_distance(a) == 0.5
    assert model.fit_distance(a[:, :, :1]) == np.inf
