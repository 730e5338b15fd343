"""What a second term of the loss must leave alone, and what it must do."""

import dataclasses

import numpy as np
import pytest
from toy_models import with_room

from mrnn_np.data.batches import Examples, pack
from mrnn_np.gradcheck.model_cases import model_and_batch, small_model
from mrnn_np.models.rvr import RVR, RVRConfig
from mrnn_np.runtime.errors import InputError
from mrnn_np.training import Trainer, TrainingConfig


def weighted(model, weight):
    config = dataclasses.replace(model.config, reconstruction_weight=weight)
    return RVR(config, model.vocabulary, dtype=model.dtype, params=model.params)


def test_the_loss_is_of_words_and_image_but_perplexity_of_words_alone():
    model, batch = model_and_batch(0, 0.0, "rvr")
    words = model.token_losses(batch)
    error = 0.0  # of the image, word by word
    u = np.zeros((5, model.config.visual_size))
    begin, p = 0, model.params
    for n in batch.batch_sizes:
        rows = slice(begin, begin + n)
        u = np.maximum(u[:n] @ p["u.U"] + p["Eu"][batch.tokens[rows]] + p["u.br"], 0)
        image = batch.features[:n]
        y = u @ p["Y"] + p["by"]
        error += ((y - image) ** 2).sum() / (2 * image.shape[1])
        begin += n
    for weight in (0.0, 1.0, 2.5):
        other = weighted(model, weight)
        loss, _ = other.loss_and_grads(batch)
        expected = words.mean() + weight * error / len(words)
        np.testing.assert_allclose(loss, expected, rtol=1e-12)
        np.testing.assert_array_equal(other.token_losses(batch), words)


def test_without_a_weight_nothing_is_learned_of_the_image_from_the_words():
    model, batch = model_and_batch(0, 0.0, "rvr")
    _, grads = weighted(model, 0.0).loss_and_grads(batch)
    assert not grads["Y"].any() and not grads["by"].any()
    _, joint = weighted(model, 1.0).loss_and_grads(batch)
    assert joint["Y"].any() and not np.array_equal(joint["u.U"], grads["u.U"])
    np.testing.assert_array_equal(joint["s.U"], grads["s.U"])


@pytest.mark.parametrize("size", [7, 400])
def test_the_image_is_worth_the_same_however_many_features_it_has(size):
    model = small_model(np.random.default_rng(0), "rvr", image_size=size)
    features = np.random.default_rng(1).normal(3, 5, (40, size))
    model.set_feature_statistics(features)
    model.params["Y"][:] = model.params["by"][:] = 0  # it knows nothing
    batch = pack([[5]] * 40, model.standardise(features))
    _, cache = model.forward(batch)
    assert model.extra_loss(cache) == pytest.approx(0.5)


def test_the_memory_learns_to_tell_the_image_from_the_words():
    model, _ = model_and_batch(0, 0.0, "rvr")
    model = with_room(model)
    rng = np.random.default_rng(0)
    features = rng.standard_normal((3, model.config.image_size)).astype(np.float32)
    sentences = [[4 + n, 7 + n, 10 + n] for n in range(3)]
    examples = Examples(sentences, np.arange(3), features)
    config = TrainingConfig(
        epochs=200, batch_size=3, learning_rate=0.02, patience=200, schedule="constant"
    )

    def told():
        """Return |y - I|^2 / D after the last word."""
        batch = examples.batch(np.arange(3))
        _, (error, *_) = model.forward(batch)
        return float(np.square(error[-3:]).mean())

    first = told()
    Trainer(model, config, verbose=False).fit(examples, examples)
    assert told() < 0.05 < 0.5 < first


@pytest.mark.parametrize("wrong", [-0.1, np.nan, np.inf])
def test_a_weight_that_is_none_is_refused(wrong):
    with pytest.raises(InputError, match="reconstruction_weight"):
        RVRConfig(reconstruction_weight=wrong)
