"""Both tasks on a few images, against the rows of the table counted by hand."""

import dataclasses

import numpy as np
import pytest
from retrieval_cases import as_text, small_model, some_sentences

from mrnn_np.data import load_dataset
from mrnn_np.models import Ensemble
from mrnn_np.retrieval import first_ranks, pair_scores, recall, relevance
from mrnn_np.retrieval.protocol import retrieve


@pytest.mark.parametrize("members", [1, 2])
def test_a_captioners_rows(members):
    rng = np.random.default_rng(4)
    models = [small_model(seed) for seed in range(members)]
    model = models[0] if members == 1 else Ensemble(models)
    names, sentences = [*"pqrstuv"], some_sentences(rng, 14)
    captions = {
        name: [as_text(s) for s in sentences[2 * i : 2 * i + 2]]
        for i, name in enumerate(names)
    }
    dataset = dataclasses.replace(load_dataset("scenes"), captions=captions)
    features = rng.standard_normal((7, 5)).astype(np.float32)
    training = rng.standard_normal((4, 5)).astype(np.float32)
    result = retrieve(model, dataset, names, features, training, rng)
    every = np.vstack([features, training, models[0].feature_mean])
    scores = pair_scores(model, every, sentences)[0].astype(float)
    relevant = relevance(np.arange(14) // 2, 7)
    by_image = {
        "marginal": scores[:, :7] - np.log(np.exp(scores[:, 7:-1]).mean(1))[:, None],
        "mean image": scores[:, :7] - scores[:, -1:],
        "not normalised": scores[:, :7],
    }
    for name, expected in by_image.items():
        row = result.rows[f"image to sentence, {name}"]
        assert row == recall(first_ranks(expected.T, relevant.T)), name
    np.testing.assert_allclose(
        result.sentence_scores, by_image["marginal"].T, rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(result.image_scores, scores[:, :7], rtol=1e-6)
    row = result.rows["sentence to image"]
    assert row == recall(first_ranks(scores[:, :7], relevant))
    assert result.skipped == 0 and result.work.pairs == 14 * 12
