"""Scores of generated sentences, each equal to the reference implementation.

`score` is the one to call; every metric is a module with

    compute_score(references, hypotheses) -> (corpus scores, scores of each image)

Knows: lists of words. Does not know: models or data sets.
"""

from mrnn_np.metrics.score import perplexity, rate, score

__all__ = ["perplexity", "rate", "score"]
