"""What must hold for every ranker of the registry, besides what holds for every model.

A toy with two towers (toy_models.py) runs through it too.
"""

import dataclasses
import itertools

import numpy as np
import pytest
import toy_models
from toy_models import drawn

from mrnn_np.data.batches import Examples, pack
from mrnn_np.data.vocabulary import SPECIALS
from mrnn_np.gradcheck import run as gradcheck
from mrnn_np.models import (
    Ensemble,
    NextWordModel,
    Ranker,
    load_model,
    must_speak,
    ranker,
)
from mrnn_np.retrieval import first_ranks, pair_scores, pairs, relevance
from mrnn_np.retrieval.protocol import normalising
from mrnn_np.retrieval.search import images_for_sentence, sentences_for_image
from mrnn_np.retrieval.shortlist import guess_likelihoods
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.workers import Workers
from mrnn_np.training import Trainer, TrainingConfig, TrainingDiverged

RANKERS = toy_models.names_of(Ranker)
ONE = Workers(jobs=1)
pytestmark = [
    pytest.mark.usefixtures("toys"),
    pytest.mark.parametrize("name", RANKERS),
]


def some_sentences(count):
    """Return sentences of one to three words, no two of the same words."""
    words = range(len(SPECIALS), len(SPECIALS) + 10)
    of_length = [itertools.combinations(words, length) for length in (2, 3, 1)]
    return [list(next(of_length[n % 3])) for n in range(count)]


def examples_of(model, images=12):
    """Return two sentences for each of some images, and the images' features."""
    shape = images, model.config.image_size
    features = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    model.set_feature_statistics(features)
    sentences, image = some_sentences(2 * images), np.arange(2 * images) // 2
    return Examples(sentences, image, model.standardise(features)), features


def config(**choices):
    defaults = {"epochs": 4, "batch_size": 8, "learning_rate": 0.01}
    return TrainingConfig(**defaults | choices)


def test_a_pair_scores_the_same_whatever_stands_beside_it(name):
    model, features = drawn(name, dtype=np.float64)
    sentences = [*some_sentences(5), [4], [5, 6, 7, 4]]
    standard = model.standardise(features)
    together = model.pair_scores(standard, sentences)
    assert together.shape == (7, 7) and together.std() > 0.01
    for s, i in itertools.product(range(7), range(7)):
        alone = model.pair_scores(standard[i : i + 1], [sentences[s]])
        np.testing.assert_allclose(alone, together[s : s + 1, i : i + 1], rtol=1e-9)
    assert len(model.embed_images(standard)) == 7


def test_the_matrix_of_all_pairs_is_the_models_own(name, monkeypatch):
    monkeypatch.setattr(pairs, "RANKED", 3)
    model, features = drawn(name)
    sentences = some_sentences(6)
    scores, work = pair_scores(model, features, sentences, Workers(jobs=2))
    expected = model.pair_scores(model.standardise(features), sentences)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-6)
    assert work.pairs == 6 * 7 and work.rows == work.multiply_adds == 0
    row = images_for_sentence(model, sentences[2], features)
    np.testing.assert_allclose(row, expected[2], rtol=1e-5, atol=1e-6)
    found = sentences_for_image(model, sentences, features[:1], features[:0], 4)
    assert found.best.tolist() == np.argsort(-expected[:, 0])[:4].tolist()
    np.testing.assert_allclose(found.scores, np.sort(expected[:, 0])[::-1][:4], 1e-5)
    assert found.log_probs is None
    columns, normalisers = normalising(model, features)  # nothing is computed besides
    assert len(columns) == 0 and normalisers(scores) == {"score": None}


def test_sentences_are_read_once_whatever_the_number_of_images(name, monkeypatch):
    monkeypatch.setattr(pairs, "RANKED", 2)
    (model, features), sentences = drawn(name), some_sentences(6)
    honest, read = type(model).embed_sentences, []

    def counted(self, given):
        read.append(len(given))
        return honest(self, given)

    monkeypatch.setattr(type(model), "embed_sentences", counted)
    scores, _ = pair_scores(model, features, sentences, Workers(jobs=2))
    assert scores.shape == (6, 7) and read == [6]


def test_a_stopped_matrix_goes_on(name, tmp_path, monkeypatch):
    monkeypatch.setattr(pairs, "RANKED", 2)
    (model, features), sentences = drawn(name), some_sentences(6)
    whole, _ = pair_scores(model, features, sentences, ONE)
    honest, path = type(model).scores, tmp_path / "s.npz"
    seen = []

    def stops_at_the_third(self, embedded, block):
        seen.append(len(block))
        if len(seen) == 3:
            raise KeyboardInterrupt
        return honest(self, embedded, block)

    with monkeypatch.context() as patch:
        patch.setattr(type(model), "scores", stops_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            pair_scores(model, features, sentences, ONE, path=path)
    found, work = pair_scores(model, features, sentences, ONE, path=path)
    np.testing.assert_array_equal(found, whole)
    assert work.pairs == 6 * (7 - 4) and not path.with_name("s.npz.part").exists()
    again, work = pair_scores(model, features, sentences, ONE, path=path)
    np.testing.assert_array_equal(again, whole)
    assert work.pairs == 0
    next(iter(model.params.values())).flat[0] += 1
    with pytest.raises(InputError, match="of another model"):
        pair_scores(model, features, sentences, ONE, path=path)


def test_sentences_of_one_image_are_not_set_against_each_other(name):
    model, features = drawn(name, dtype=np.float64)
    standard = np.tile(model.standardise(features)[:1], (6, 1))
    of_one = pack(some_sentences(6), standard, np.zeros(6, int))
    of_six = dataclasses.replace(of_one, image=np.arange(6))
    assert model.loss_and_grads(of_one)[0] < model.loss_and_grads(of_six)[0]


def test_the_order_of_a_batch_makes_no_difference(name):
    model, _ = drawn(name, dtype=np.float64)
    examples, _ = examples_of(model)
    order = np.random.default_rng(2).permutation(len(examples))
    expected, grads = model.loss_and_grads(examples.batch(np.arange(len(examples))))
    loss, found = model.loss_and_grads(examples.batch(order))
    np.testing.assert_allclose(loss, expected, rtol=1e-9)
    for key, value in grads.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-7, atol=1e-9)


def test_a_batch_of_one_pair_is_no_fault(name):
    model, _ = drawn(name)
    examples, _ = examples_of(model)
    loss, grads = model.loss_and_grads(examples.batch(np.array([3])))
    assert np.isfinite(loss)
    assert all(np.isfinite(value).all() for value in grads.values())


def test_what_belongs_together_is_found(name):
    model = toy_models.with_room(drawn(name)[0])
    examples, features = examples_of(model)
    relevant = relevance(examples.image, len(features))

    def right_first():
        scores, _ = pair_scores(model, features, examples.sentences, ONE)
        ranks = first_ranks(scores, relevant), first_ranks(scores.T, relevant.T)
        return [np.mean(one == 1) for one in ranks]

    assert max(right_first()) < 0.5  # by chance 1/12 and about 1/6
    longer = config(epochs=60, batch_size=24, patience=60, schedule="constant")
    Trainer(model, longer, verbose=False).fit(examples, examples)
    assert min(right_first()) > 0.9


def test_the_epoch_is_chosen_by_the_loss_on_dev(name, tmp_path, capsys):
    model, _ = drawn(name)
    train, _ = examples_of(model)
    dev = Examples(train.sentences[::-1], train.image, train.features)  # all wrong
    history = Trainer(model, config(), tmp_path / "run").fit(train, dev)
    losses = [entry["dev_loss"] for entry in history]
    best = load_model(tmp_path / "run" / "best.npz")
    assert best.mean_loss(dev) == model.mean_loss(dev) == min(losses)
    assert all("dev_perplexity" not in entry for entry in history)
    first = capsys.readouterr().err.splitlines()[-len(history)]
    loss = f"{history[0]['train_loss']:.3f}  dev loss {losses[0]:.4f}  best"
    assert f"train {loss}" in first and "nats" not in first
    again, _ = drawn(name)
    examples_of(again)
    resumed = Trainer(again, config(), tmp_path / "run", verbose=False)
    assert resumed.fit(train, dev, resume=True) == history
    assert again.fingerprint() == model.fingerprint()


def test_training_counts_every_pair_once(name):
    model, _ = drawn(name)
    examples, _ = examples_of(model)
    trainer, seen = Trainer(model, config(epochs=1), verbose=False), []
    honest = type(model).loss_and_grads

    def listens(batch, rng=None, buffers=None):
        loss, grads = honest(model, batch, rng, buffers)
        if buffers is trainer.buffers:
            seen.append((loss, len(batch.order)))
        return loss, grads

    model.loss_and_grads = listens
    (entry,) = trainer.fit(examples, examples)
    losses, counts = zip(*seen, strict=True)
    assert sum(counts) == len(examples)
    assert entry["train_loss"] == pytest.approx(np.average(losses, weights=counts))


def test_on_dev_every_pair_counts_once(name, monkeypatch):
    monkeypatch.setattr(ranker, "EVALUATION_BATCH", 10)  # of 24: the last has 4
    model, _ = drawn(name)
    examples, _ = examples_of(model)
    honest, seen = model.loss_and_grads, []

    def listens(batch):
        seen.append((honest(batch)[0], len(batch.order)))
        return honest(batch)

    model.loss_and_grads = listens
    mean = model.mean_loss(examples)
    losses, counts = zip(*seen, strict=True)
    assert sorted(counts) == [4, 10, 10] and len(set(losses)) == 3
    assert mean == pytest.approx(np.average(losses, weights=counts))


def test_a_loss_that_is_no_number_ends_the_training_a_large_one_does_not(name):
    model, _ = drawn(name)
    examples, _ = examples_of(model)
    trainer = Trainer(model, config(), verbose=False)
    trainer.first_loss = 1e-9  # as of a small batch, which has few negatives
    trainer.fit(examples, examples)
    for value in model.params.values():
        value[...] = np.nan
    with pytest.raises(TrainingDiverged, match=r"loss nan \(first"):
        Trainer(model, config(), verbose=False).fit(examples, examples)


def test_it_cannot_speak(name):
    model, features = drawn(name)
    assert not isinstance(model, NextWordModel)
    with pytest.raises(InputError, match="cannot speak: use rank or search"):
        must_speak(model, "m.npz")
    with pytest.raises(InputError, match="model 1 of the ensemble is a ranker"):
        Ensemble([model, model])
    with pytest.raises(InputError, match="leave --shortlist out"):
        guess_likelihoods(model, features, some_sentences(3), np.random.default_rng(0))


def test_every_gradient_check_takes_it(name, monkeypatch):
    monkeypatch.setattr(gradcheck, "MODELS", {name: gradcheck.MODELS[name]})
    monkeypatch.setattr(gradcheck, "CELLS", {})
    for part in ("layer_checks", "layer_comparisons"):
        monkeypatch.setattr(gradcheck, part, lambda seed: [])
    checks = list(gradcheck.run_all())
    assert {what for what, _ in checks} >= {name, f"float32 {name}"}
    for what, check in checks:
        assert check.passed, f"{what}: {check}"
