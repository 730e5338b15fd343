"""Finding images for a sentence and sentences for an image.

trie        sentences as a tree of their prefixes
scoring     log P of a tree's sentences for a block of images
likelihood  the whole matrix: blocks, threads, memory, files
ranking     R@K, median and mean rank, and what chance would give
shortlist   for a large collection: most of the matrix by a guess
protocol    both tasks on a split of a data set, as the papers score them
search      one query
"""

from mrnn_np.retrieval.likelihood import log_likelihoods
from mrnn_np.retrieval.ranking import (
    Recall,
    first_ranks,
    image_to_sentence_scores,
    marginal,
    random_recall,
    recall,
    relevance,
)

__all__ = [
    "Recall",
    "first_ranks",
    "image_to_sentence_scores",
    "log_likelihoods",
    "marginal",
    "random_recall",
    "recall",
    "relevance",
]
