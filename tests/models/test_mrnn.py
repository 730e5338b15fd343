"""The m-RNN against PyTorch's autograd, and what must hold for any captioner."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from mrnn_np import InputError
from mrnn_np.data import SPECIALS, Vocabulary
from mrnn_np.data.batches import pack
from mrnn_np.layers import Buffers
from mrnn_np.models import MRNN, MRNNConfig

GOLDEN = Path(__file__).parents[1] / "golden" / "mrnn.npz"


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN, allow_pickle=False) as arrays:
        return dict(arrays)


def model_of(golden, dtype=np.float64) -> MRNN:
    vocabulary = Vocabulary([*SPECIALS, *"abcde"], np.arange(9))
    config = MRNNConfig(
        image_size=6, embedding_size=3, recurrent_size=4, multimodal_size=5
    )
    model = MRNN(config, vocabulary, dtype=dtype)
    assert {f"mrnn/param/{name}" for name in model.params} == {
        name for name in golden if name.startswith("mrnn/param/")
    }
    for name in model.params:
        model.params[name] = golden[f"mrnn/param/{name}"].astype(dtype)
    return model


def golden_batch(golden):
    sentences = [golden[f"mrnn/sentence{n}"] for n in range(4)]
    return pack(sentences, golden["mrnn/features"])


def test_loss_and_gradients_equal_pytorch(golden):
    model = model_of(golden)
    loss, grads = model.loss_and_grads(golden_batch(golden))
    np.testing.assert_allclose(loss, golden["mrnn/loss"], rtol=1e-12)
    for name, grad in grads.items():
        expected = golden[f"mrnn/grad/{name}"]
        np.testing.assert_allclose(grad, expected, rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kept_buffers_change_nothing(golden, dtype):
    model, buffers = model_of(golden, dtype), Buffers()
    whole = golden_batch(golden)
    part = pack([golden["mrnn/sentence2"]], golden["mrnn/features"][2:3])
    for batch in (part, whole, part, whole):
        loss, grads = model.loss_and_grads(batch, np.random.default_rng(0), buffers)
        expected, fresh = model.loss_and_grads(batch, np.random.default_rng(0))
        assert loss == expected
        for name, grad in grads.items():
            np.testing.assert_array_equal(grad, fresh[name], err_msg=name)


def test_float32_agrees_and_stays_float32(golden):
    model = model_of(golden, np.float32)
    batch = pack([golden[f"mrnn/sentence{n}"] for n in range(4)],
                 golden["mrnn/features"].astype(np.float32))  # fmt: skip
    loss, grads = model.loss_and_grads(batch, np.random.default_rng(0))
    assert {grad.dtype for grad in grads.values()} == {np.dtype(np.float32)}
    loss, grads = model.loss_and_grads(batch)
    np.testing.assert_allclose(loss, golden["mrnn/loss"], rtol=1e-6)
    assert {grad.dtype for grad in grads.values()} == {np.dtype(np.float32)}


def test_one_sentence_is_not_a_list_of_sentences(golden):
    with pytest.raises(InputError, match="'a b': give a list of sentences"):
        model_of(golden).log_likelihood(np.zeros((1, 3)), "a b")


def test_log_likelihood_equals_pytorch_in_the_order_given(golden):
    model = model_of(golden)
    words = model.vocabulary.words
    texts = [" ".join(words[i] for i in golden[f"mrnn/sentence{n}"]) for n in range(4)]
    found = model.log_likelihood(golden["mrnn/features"], texts)
    np.testing.assert_allclose(found, -golden["mrnn/sentence_nats"], rtol=1e-12)


def test_steps_give_the_same_probabilities_as_the_packed_pass(golden):
    model = model_of(golden)
    ids = golden["mrnn/sentence0"]
    state = model.start(golden["mrnn/features"][:1])
    total = 0.0
    for word, target in zip([1, *ids], [*ids, 2], strict=True):
        log_probs, state = model.step(np.array([word]), state)
        np.testing.assert_allclose(np.exp(log_probs).sum(), 1)
        total -= log_probs[0, target]
    np.testing.assert_allclose(total, golden["mrnn/sentence_nats"][0])


def test_mean_loss_does_not_depend_on_the_batches(golden, monkeypatch):
    model = model_of(golden)
    names = [f"i{n}" for n in range(4)]
    pairs = [("i0", "a b c"), ("i2", "b"), ("i0", "c c c c"), ("i3", "e a")]
    examples = model.examples(pairs, names, golden["mrnn/features"])
    whole = model.mean_loss(examples)
    monkeypatch.setattr("mrnn_np.models.next_word.EVALUATION_BATCH", 2)
    np.testing.assert_allclose(model.mean_loss(examples), whole)
    features = golden["mrnn/features"][[0, 2, 0, 3]]
    nats = -model.log_likelihood(features, [text for _, text in pairs]).sum()
    np.testing.assert_allclose(whole, nats / (4 + 2 + 5 + 3))


def test_first_loss_is_log_v_with_a_zero_output_bias():
    V = 2500
    words = [f"w{i}" for i in range(V - 4)]
    vocabulary = Vocabulary([*SPECIALS, *words], np.arange(V))
    config = MRNNConfig(image_size=64, bias_from_counts=False)
    model = MRNN(config, vocabulary)
    rng = np.random.default_rng(0)
    sentences = [rng.integers(4, V, 9) for _ in range(30)]
    features = rng.standard_normal((30, 64)).astype(np.float32)
    loss, _ = model.loss_and_grads(pack(sentences, features))
    assert abs(loss / np.log(V) - 1) < 0.01


def test_bias_from_counts_starts_at_the_word_frequencies():
    vocabulary = Vocabulary([*SPECIALS, "a", "b"], [0, 0, 20, 10, 60, 10])
    config = MRNNConfig(image_size=3)
    model = MRNN(config, vocabulary, dtype=np.float64)
    model.params["Wo"][:] = 0
    log_probs, _ = model.step(np.array([1]), model.start(np.zeros((1, 3))))
    np.testing.assert_allclose(
        np.exp(log_probs[0, 2:]), np.array([0.2, 0.1, 0.6, 0.1]) * 100 / 101
    )


def test_standardised_features_have_mean_0_and_deviation_1(golden):
    model = model_of(golden)
    features = np.random.default_rng(0).normal(3, 5, (50, 6))
    features[:, 2] = 7  # a feature that never varies
    model.set_feature_statistics(features)
    standard = model.standardise(features)
    np.testing.assert_allclose(standard.mean(axis=0), 0, atol=1e-12)
    expected = [1, 1, 0, 1, 1, 1]
    np.testing.assert_allclose(standard.std(axis=0), expected, atol=1e-12)


def test_a_feature_that_varies_by_rounding_alone_is_not_blown_up(golden):
    model = model_of(golden)
    features = np.random.default_rng(0).standard_normal((50, 6))
    features[:, 2] = 7 + 1e-7 * features[:, 2]
    model.set_feature_statistics(features)
    assert model.feature_scale[2] == 1
    assert np.abs(model.standardise(features)[:, 2]).max() < 1e-6


@pytest.mark.parametrize(
    ("features", "part"),
    [
        (np.zeros((2, 5)), r"expects \(n, 6\)"),
        (np.zeros(6), "shape"),
        (np.full((1, 6), np.nan), "NaN"),
    ],
)
def test_features_that_do_not_fit_are_refused(golden, features, part):
    with pytest.raises(InputError, match=part):
        model_of(golden).caption(features)


@pytest.mark.parametrize(
    ("sentence", "part"),
    [("", "no word"), (" . ", "no word"), ("zebra quagga", "knows no word")],
)
def test_sentences_without_a_known_word_are_refused(golden, sentence, part):
    with pytest.raises(InputError, match=part):
        model_of(golden).log_likelihood(golden["mrnn/features"][:1], [sentence])


def test_each_place_is_thinned_out_at_its_own_rate(monkeypatch, golden):
    config = MRNNConfig(6, 3, 4, 5, 0.1, 0.2, 0.3, 0.4)
    model = MRNN(config, model_of(golden).vocabulary)
    batch, seen = golden_batch(golden), []

    def record(x, rate, rng):
        seen.append((rate, x.shape))
        return x, None

    monkeypatch.setattr("mrnn_np.models.mrnn.dropout_forward", record)
    model.loss_and_grads(batch, np.random.default_rng(0))
    P, N = len(batch.tokens), len(batch.features)
    # w, r, image, m
    assert seen == [(0.1, (P, 4)), (0.2, (P, 4)), (0.3, (N, 6)), (0.4, (P, 5))]


def test_the_loss_is_a_mean_in_float64(golden, monkeypatch):
    model = model_of(golden, np.float32)
    big, small = np.float32(16777216), np.float32(1)  # 2^24 + 1 is no float32
    losses = np.array([big, small, small, small])
    monkeypatch.setattr(
        "mrnn_np.models.captioner.output_forward", lambda *_: (losses, None)
    )
    monkeypatch.setattr(
        "mrnn_np.models.captioner.output_backward", lambda *_: (None, 0.0, 0.0)
    )
    model.backward = lambda *_: {}
    batch = golden_batch(golden)
    batch = dataclasses.replace(batch, features=batch.features.astype(np.float32))
    loss, _ = model.loss_and_grads(batch)
    assert loss == (2**24 + 3) / 4


def test_config_refuses_values_out_of_range():
    with pytest.raises(InputError, match="recurrent_size"):
        MRNNConfig(recurrent_size=0)
    with pytest.raises(InputError, match="dropout_image"):
        MRNNConfig(dropout_image=1.0)


def test_same_seed_same_parameters():
    vocabulary = Vocabulary([*SPECIALS, "a"], np.arange(5))
    config = MRNNConfig(image_size=3)
    one, two = (
        MRNN(config, vocabulary, np.random.default_rng(4)).params for _ in range(2)
    )
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_the_shapes_of_parameters_are_known_without_drawing_them():
    config = MRNNConfig(7, 3, 4, 5)
    model = MRNN(config, Vocabulary([*SPECIALS, "a"], np.ones(5, int)))
    shapes = {name: value.shape for name, value in model.params.items()}
    table = model.all_parameters()
    assert {name: one.shape for name, one in table.items()} == shapes
    assert MRNN(config, model.vocabulary, params={}).params == {}


def test_the_image_has_the_variance_of_the_other_terms_at_first():
    # Vi stands behind features of deviation 1, multiplied by min(1, 8 / sqrt(400)).
    config = MRNNConfig(image_size=400, multimodal_size=100)
    model = MRNN(config, Vocabulary([*SPECIALS, "a"], np.arange(5)))
    features = np.random.default_rng(0).standard_normal((50, 400))
    terms = model.image_gain * features @ model.params["Vi"]
    assert model.image_gain == 0.4 and abs(terms.std() - 1) < 0.05
