"""Averages of probabilities, and members that do not fit together."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrnn_np import InputError
from mrnn_np.data import SPECIALS, Vocabulary
from mrnn_np.models import MRNN, Ensemble, MRNNConfig
from mrnn_np.models.ensemble import log_mean_exp

WORDS = [f"w{i}" for i in range(8)]
IDENTITY = {"name": "cnn", "sha256": "a" * 64, "preprocessing": {"size": 224}}


def member(seed: int, words=WORDS, size: int = 5, **choices) -> MRNN:
    """Return an untrained model with strong preferences and statistics of its own."""
    rng = np.random.default_rng(seed)
    config = MRNNConfig(
        image_size=size,
        embedding_size=6,
        recurrent_size=int(rng.integers(5, 9)),
        multimodal_size=int(rng.integers(5, 9)),
    )
    vocabulary = Vocabulary([*SPECIALS, *words], np.ones(len(words) + 4, int))
    choices = {"dtype": np.float64, "extractor": IDENTITY, **choices}
    model = MRNN(config, vocabulary, rng, **choices)
    model.params["Wo"] = rng.standard_normal(model.params["Wo"].shape)
    model.set_feature_statistics(rng.normal(seed, 2 + seed, (20, size)))
    return model


def images(count: int) -> np.ndarray:
    return np.random.default_rng(9).standard_normal((count, 5))


def first_word(model, features) -> np.ndarray:
    """Return P(first word | image), (n, V)."""
    state = model.start(model.standardise(features))
    log_probs, _ = model.step(np.full(len(features), 1), state)
    return np.exp(log_probs)


def test_one_model_alone_stays_what_it_is():
    model, features = member(0), images(6)
    alone = Ensemble([model])
    assert alone.caption(features, n_best=3) == model.caption(features, n_best=3)
    drawn = [m.sample(features, np.random.default_rng(0)) for m in (alone, model)]
    assert drawn[0] == drawn[1]
    texts = ["w0 w1", "w2", "w3 w3 w3", "w4 zebra", "w5", "w6 w7"]
    assert np.array_equal(
        alone.log_likelihood(features, texts), model.log_likelihood(features, texts)
    )


def test_two_models_say_the_mean_of_their_probabilities():
    one, two = member(1), member(2)
    both, features = Ensemble([one, two]), images(4)
    mixed = first_word(both, features)
    expected = (first_word(one, features) + first_word(two, features)) / 2
    np.testing.assert_allclose(mixed, expected, rtol=1e-12)
    np.testing.assert_allclose(mixed.sum(axis=1), 1, rtol=1e-12)


def test_a_sentence_is_the_product_of_mixed_words_not_a_mix_of_sentences():
    one, two = member(1), member(2)
    features, words = images(1), ["w3", "w0", "w3"]
    # Word by word: P(w_1..w_t) / P(w_1..w_{t-1}) of each member, then the mean.
    total = 0.0
    states = [m.start(m.standardise(features)) for m in (one, two)]
    ids = [one.vocabulary.words.index(w) for w in ["<start>", *words, "<end>"]]
    for before, word in itertools.pairwise(ids):
        chances = []
        for k, model in enumerate((one, two)):
            log_probs, states[k] = model.step(np.array([before]), states[k])
            chances.append(np.exp(log_probs[0, word]))
        total += np.log(np.mean(chances))
    both = Ensemble([one, two])
    np.testing.assert_allclose(
        both.log_likelihood(features, [" ".join(words)]), total, rtol=1e-12
    )


def test_beam_search_rates_its_sentences_as_log_likelihood_does():
    both, features = Ensemble([member(1), member(2), member(3)]), images(5)
    for found, feature in zip(both.caption(features, n_best=4), features, strict=True):
        texts = [" ".join(caption.tokens) for caption in found]
        known = [(t, c) for t, c in zip(texts, found, strict=True) if t]
        again = both.log_likelihood(
            np.repeat(feature[None], len(known), axis=0), [t for t, _ in known]
        )
        np.testing.assert_allclose([c.log_prob for _, c in known], again, rtol=1e-10)


def test_the_order_of_the_members_does_not_matter():
    models, features = [member(seed) for seed in (1, 2, 3)], images(4)
    texts = ["w0 w1 w2", "w5", "w5 w5", "w7 w6"]
    expected = Ensemble(models).log_likelihood(features, texts)
    captions = [c.tokens for c in Ensemble(models).caption(features)]
    for order in itertools.permutations(models):
        mixed = Ensemble(order)
        np.testing.assert_allclose(mixed.log_likelihood(features, texts), expected)
        assert [c.tokens for c in mixed.caption(features)] == captions


def test_mean_loss_is_that_of_the_sentences_and_at_most_the_members_mean():
    models, features = [member(1), member(2)], images(3)
    pairs = [("a", "w0 w1"), ("c", "w2"), ("a", "w3 w4 w5 w6"), ("b", "w7 unknown")]
    both = Ensemble(models)
    loss = both.mean_loss(both.examples(pairs, "abc", features))
    nats = both.log_likelihood(features[[0, 2, 0, 1]], [text for _, text in pairs])
    np.testing.assert_allclose(loss, -nats.sum() / (3 + 2 + 5 + 3))
    members = [m.mean_loss(m.examples(pairs, "abc", features)) for m in models]
    assert loss <= np.mean(members)  # the logarithm is concave (Jensen)


def test_refined_features_stand_side_by_side():
    models, features = [member(1), member(2)], images(3)
    refined = Ensemble(models).refined_features(features)
    split = models[0].config.multimodal_size
    assert np.array_equal(refined[:, :split], models[0].refined_features(features))
    assert np.array_equal(refined[:, split:], models[1].refined_features(features))


@pytest.mark.parametrize(
    ("other", "part"),
    [
        (member(2, words=WORDS[:7]), r"models 1 and 3 .*different words \(12 and 11\)"),
        (member(2, words=WORDS[::-1]), "know different words"),
        (member(2, tokenizer="chinese"), r"differently \(english and chinese\)"),
        (member(2, extractor={**IDENTITY, "name": "vgg16"}), "cnn float64 and vgg16"),
        (member(2, extractor={**IDENTITY, "sha256": "b"}), "same image features"),
        (member(2, extractor=None), r"\(cnn float64 and \? float64"),
        (member(2, dtype=np.float32), "cnn float64 and cnn float32"),
    ],
)
def test_members_that_do_not_fit_together_are_named(other, part):
    with pytest.raises(InputError, match=part) as caught:
        Ensemble([member(0), member(1), other])
    assert "\n" not in str(caught.value)


def test_no_member_or_wrong_features():
    with pytest.raises(InputError, match="at least one model"):
        Ensemble([])
    with pytest.raises(InputError, match=r"expects \(n, 5\)"):
        Ensemble([member(1), member(2)]).caption(np.zeros((1, 4)))
    with pytest.raises(InputError, match="NaN"):
        Ensemble([member(1), member(2)]).caption(np.full((1, 5), np.nan))


@given(
    st.lists(
        st.lists(st.floats(-200, 0), min_size=3, max_size=3), min_size=1, max_size=5
    )
)
def test_log_mean_exp_equals_the_plain_formula(rows):
    plain = np.log(np.mean(np.exp(np.array(rows)), axis=0))
    found = log_mean_exp([np.array(row) for row in rows])
    np.testing.assert_allclose(found, plain, rtol=1e-12, atol=1e-12)


def test_log_mean_exp_survives_where_exp_is_zero():
    tiny = [np.array([-1000.0, -3e4], np.float32), np.array([-1001.0, -3e4])]
    tiny[1] = tiny[1].astype(np.float32)
    expected = np.array([-1000 + np.log((1 + np.exp(-1)) / 2), -3e4])
    found = log_mean_exp(tiny)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6)
