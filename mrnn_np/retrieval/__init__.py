"""Finding images for a sentence and sentences for an image.

A captioner knows P(s | I): how probable a sentence s is for an image I. Both tasks rank
by the probability of the image that was meant (Bayes; m-RNN paper, section 5, eq. 7):

    P(I | s)  =  P(s | I) P(I) / P(s)

Image retrieval (which image belongs to this sentence?): s is given, so P(s) is the same
for all images; with a uniform prior over the images, so is P(I), and

    P(I | s)  is proportional to  P(s | I)

Sentence retrieval (which sentence belongs to this image?): now s is what differs, so
P(s) stays. Short and common sentences are probable for every image, and shall win
nothing by it:

    P(I | s)  is proportional to  P(s | I) / P(s),   P(s) = mean of P(s | I')
                                                     over sampled training images I'

A ranker's score is no probability, and serves as it is, both ways.

pairs       all pairs of sentences and images, whatever the kind of model
blocks      a matrix in blocks: workers, files, going on after a stop
likelihood  log P(s | I), exact: what is computed together, memory
scoring     log P of a tree's sentences for a block of images
trie        sentences as a tree of their prefixes
shortlist   for a large collection: most of the matrix by a guess
ranking     normalising by P(s), R@K, median and mean rank, and what chance would give
protocol    both tasks on a split of a data set, as the papers score them
search      one query
"""

from mrnn_np.retrieval.pairs import pair_scores
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
    "marginal",
    "pair_scores",
    "random_recall",
    "recall",
    "relevance",
]
