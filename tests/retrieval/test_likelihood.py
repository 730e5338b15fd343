"""The matrix of log-likelihoods: against single pairs, and that it survives a stop."""

import numpy as np
import pytest
from retrieval_cases import as_text, small_model, some_sentences

from mrnn_np import InputError
from mrnn_np.kernels.log_softmax import (
    chosen_log_probs,
    chosen_log_probs_plain,
    chosen_logits,
    log_sums,
)
from mrnn_np.models import Ensemble
from mrnn_np.retrieval import likelihood, scoring
from mrnn_np.retrieval.likelihood import sentence_groups
from mrnn_np.retrieval.pairs import pair_scores
from mrnn_np.retrieval.scoring import MultimodalScorer, edge_scores_plain
from mrnn_np.retrieval.shortlist import guess_likelihoods, look_closely
from mrnn_np.retrieval.trie import build_trie
from mrnn_np.runtime.workers import Workers


@pytest.fixture
def case():
    rng = np.random.default_rng(3)
    model = small_model()
    features = rng.standard_normal((11, 5)).astype(np.float32)
    return model, features, some_sentences(rng, 30)


def one_by_one(model, features, sentences) -> np.ndarray:
    """Every pair alone, through the training forward pass."""
    texts = [as_text(sentence) for sentence in sentences]
    return np.stack(
        [
            model.log_likelihood(np.tile(row, (len(texts), 1)), texts)
            for row in features
        ],
        axis=1,
    )


@pytest.mark.parametrize("scale", [1.0, 30.0, 300.0])
def test_kernel_equals_its_plain_twin(scale):
    # 300: far beyond what 2^x holds in float32, so the maximum must be subtracted.
    rng = np.random.default_rng(0)
    logits = (scale * rng.standard_normal((6, 40))).astype(np.float32)
    bias = rng.standard_normal(40).astype(np.float32)
    offsets, words = np.array([0, 2, 2, 5]), np.array([3, 39, 0, 7, 7])
    found, expected = np.empty((5, 2), np.float32), np.empty((5, 2))
    # As plain Python the overflow, which the kernel notices itself, would warn.
    with np.errstate(all="ignore"):
        chosen_log_probs(logits, bias, offsets, words, 2, found)
    chosen_log_probs_plain(logits, bias, offsets, words, 2, expected)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=2e-6 * scale)
    sums = np.empty(6, np.float32)
    with np.errstate(all="ignore"):
        log_sums(logits, bias, sums)
    z = (logits.astype(float) + bias) * np.log(2)
    np.testing.assert_allclose(
        sums, np.logaddexp.reduce(z, axis=1), rtol=1e-6, atol=1e-5
    )


def test_chosen_logits_are_those_of_the_whole_product():
    rng = np.random.default_rng(0)
    m, Wo = rng.standard_normal((6, 9)), rng.standard_normal((9, 40))
    bias = rng.standard_normal(40)
    offsets, words = np.array([0, 2, 2, 5]), np.array([3, 39, 0, 7, 7])
    found = np.empty((5, 2), np.float32)
    chosen_logits(
        *(x.astype(np.float32) for x in (m, Wo.T, bias)), offsets, words, 2, found
    )
    z = ((m @ Wo + bias) * np.log(2)).reshape(3, 2, 40)
    expected = [
        z[node, :, word] for node, word in zip([0, 0, 2, 2, 2], words, strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_kernel_lets_nan_through():
    logits = np.full((1, 20), np.nan, np.float32)
    out = np.zeros((1, 1), np.float32)
    bias = np.zeros(20, np.float32)
    with np.errstate(all="ignore"):
        chosen_log_probs(logits, bias, np.array([0, 1]), np.array([3]), 1, out)
    assert np.isnan(out).all()


def test_matrix_equals_pairs_one_by_one(case):
    model, features, sentences = case
    found, work = pair_scores(model, features, sentences, workers=Workers(jobs=2))
    expected = one_by_one(model, features, sentences)
    assert found.shape == (30, 11) and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert expected.std(axis=1).min() > 0.01  # the images do make a difference
    prefixes = {tuple(s[:n]) for s in sentences for n in range(len(s) + 1)}
    assert work.rows == len(prefixes) < work.rows_alone
    assert work.multiply_adds == len(prefixes) * 11 * 7 * 12  # M = 7, V = 12


def test_fast_equals_plain_whatever_the_blocks(case, monkeypatch):
    model, features, sentences = case
    trie, standard = build_trie(sentences), model.standardise(features)
    plain = edge_scores_plain(model, trie, standard)
    for rows in (1, 5, 64, 10_000):
        monkeypatch.setattr(scoring, "LOGITS", rows * 12)
        fast = MultimodalScorer(model, trie)(standard)
        np.testing.assert_allclose(fast, plain, rtol=1e-5, atol=1e-5)
        again = edge_scores_plain(model, trie, standard)
        np.testing.assert_allclose(again, plain, rtol=1e-5, atol=1e-5)


def test_little_memory_gives_groups_and_the_same_numbers(case, monkeypatch):
    model, features, sentences = case
    whole, _ = pair_scores(model, features, sentences)
    groups = sentence_groups(sentences, 20)
    assert len(groups) > 3
    assert sorted(np.concatenate(groups)) == list(range(30))
    assert all(sum(len(sentences[i]) + 1 for i in group) <= 20 for group in groups)
    monkeypatch.setattr(
        likelihood, "sentence_groups", lambda s, _: sentence_groups(s, 20)
    )
    in_groups, work = pair_scores(model, features, sentences)
    np.testing.assert_allclose(in_groups, whole, rtol=1e-5, atol=1e-5)
    assert work.rows_alone == sum(len(s) + 1 for s in sentences)


def test_too_little_memory_says_how_much(case):
    model, features, sentences = case
    with pytest.raises(InputError, match="not enough memory for 300 threads: allow at"):
        pair_scores(model, features, sentences, workers=Workers(jobs=300), memory=4)


def test_an_ensemble_averages_probabilities(case):
    model, features, sentences = case
    ensemble = Ensemble([model, small_model(seed=5)])
    found, work = pair_scores(ensemble, features, sentences)
    expected = one_by_one(ensemble, features, sentences)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert work.multiply_adds == work.rows * 11 * 14 * 12


def test_float64_takes_the_plain_way(case):
    _, features, sentences = case
    model = small_model(dtype=np.float64)
    found, _ = pair_scores(model, features, sentences)
    np.testing.assert_allclose(
        found, one_by_one(model, features, sentences), rtol=1e-6, atol=1e-6
    )


def test_a_stopped_run_goes_on(case, tmp_path, monkeypatch):
    model, features, sentences = case
    path = tmp_path / "s.npz"
    monkeypatch.setattr(likelihood, "BLOCK", 2)
    whole, _ = pair_scores(model, features, sentences, workers=Workers(jobs=1))
    scored = []
    honest = likelihood.scorer

    def stops_at_the_third(model, trie):
        score = honest(model, trie)

        def one(block):
            if len(scored) == 3:
                raise KeyboardInterrupt
            scored.append(len(block))
            return score(block)

        return one

    monkeypatch.setattr(likelihood, "scorer", stops_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        pair_scores(model, features, sentences, workers=Workers(jobs=1), path=path)
    kept = sorted((tmp_path / "s.npz.part").glob("*.npz"))
    assert len(kept) == 3 and not path.exists()
    monkeypatch.setattr(likelihood, "scorer", honest)
    found, work = pair_scores(
        model, features, sentences, workers=Workers(jobs=1), path=path
    )
    np.testing.assert_array_equal(found, whole)
    assert work.multiply_adds == work.rows * (11 - 6) * 7 * 12  # only what was missing
    assert path.exists() and not (tmp_path / "s.npz.part").exists()
    again, work = pair_scores(model, features, sentences, path=path)
    np.testing.assert_array_equal(again, whole)
    assert work.multiply_adds == 0
    with pytest.raises(InputError, match="of another model, other sentences"):
        pair_scores(model, features, sentences[1:], path=path)


def test_nothing_to_compare(case):
    model, features, sentences = case
    with pytest.raises(InputError, match="0 sentences, 11 images"):
        pair_scores(model, features, [])
    with pytest.raises(InputError, match="30 sentences, 0 images"):
        pair_scores(model, features[:0], sentences)


def test_shortlist_is_exact_where_it_says_so(case):
    model, features, sentences = case
    standard = model.standardise(features)
    guess = guess_likelihoods(model, standard, sentences, np.random.default_rng(0))
    whole, _ = pair_scores(model, features, sentences)
    # With every prefix and every image among the samples nothing is left to guess
    # but for the ridge.
    np.testing.assert_allclose(guess, whole, atol=0.2)
    found = look_closely(model, standard, sentences, guess + 1, size=3)
    assert (found.exact.sum(axis=1) >= 3).all() and not found.exact.all()
    np.testing.assert_allclose(found.scores[found.exact], whole[found.exact], atol=1e-4)
    np.testing.assert_array_equal(found.scores[~found.exact], (guess + 1)[~found.exact])
    everything = look_closely(model, standard, sentences, guess, size=99)
    assert everything.exact.all()
    np.testing.assert_allclose(everything.scores, whole, atol=1e-4)


def test_guess_orders_images_much_like_the_truth(monkeypatch):
    from mrnn_np.retrieval import shortlist

    monkeypatch.setattr(shortlist, "LANDMARKS", 4)
    monkeypatch.setattr(shortlist, "SAMPLED_NODES", 25)
    rng = np.random.default_rng(1)
    model, sentences = small_model(), some_sentences(rng, 60, longest=8)
    features = rng.standard_normal((40, 5)).astype(np.float32)
    guess = guess_likelihoods(model, model.standardise(features), sentences, rng)
    whole, _ = pair_scores(model, features, sentences)
    off = np.std(guess - whole)
    assert 0 < off < 0.5 * np.std(whole - whole.mean(axis=1, keepdims=True))


def test_a_shortlist_needs_a_multimodal_layer(case):
    model, features, sentences = case
    ensemble = Ensemble([model])
    with pytest.raises(InputError, match="leave --shortlist out"):
        guess_likelihoods(ensemble, features, sentences, np.random.default_rng(0))
