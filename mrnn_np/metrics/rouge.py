"""ROUGE-L: how long a common subsequence of words do two sentences have?

    P = max over references of LCS / words of the hypothesis
    R = max over references of LCS / words of that reference
    ROUGE-L = (1 + b^2) P R / (R + b^2 P),  b = 1.2

LCS is the length of the longest common subsequence: the same words in the same order,
not necessarily side by side. P and R may come from two different references, as in
coco-caption. Source: Lin (2004), section 3, with coco-caption's b.

Knows: words. Does not know: how a sentence is cut into them.
"""

from collections.abc import Sequence

import numpy as np

from mrnn_np.metrics.ngrams import Words

BETA = 1.2


def compute_score(
    references: Sequence[Sequence[Words]], hypotheses: Sequence[Words]
) -> tuple[float, np.ndarray]:
    """Return ROUGE-L of the corpus (the mean), and of each image.

    Parameters
    ----------
    references : for each image its sentences, each a list of words.
    hypotheses : for each image one list of words; an empty one is allowed.

    Returns
    -------
    corpus : float in [0, 1]. each : (N,) float64.
    """
    each = np.array(
        [
            image_score(truth, guess)
            for truth, guess in zip(references, hypotheses, strict=True)
        ]
    )
    return float(each.mean()), each


def image_score(references: Sequence[Words], hypothesis: Words) -> float:
    """Return ROUGE-L of one hypothesis."""
    # coco-caption takes a sentence without any word for one empty word.
    guess = list(hypothesis) or [""]
    truth = [list(words) or [""] for words in references]
    common = [common_length(words, guess) for words in truth]
    P = max(common) / len(guess)
    R = max(n / len(words) for n, words in zip(common, truth, strict=True))
    return (1 + BETA**2) * P * R / (R + BETA**2 * P) if P and R else 0.0


def common_length(a: Words, b: Words) -> int:
    """Return the length of the longest common subsequence.

    best[j] is that of the words of `a` so far and the first j words of `b`; the table
    of all pairs is never kept, only its last row.
    """
    best = [0] * (len(b) + 1)
    for word in a:
        diagonal = 0  # the entry one word less of both
        for j, other in enumerate(b, start=1):
            above = best[j]
            best[j] = diagonal + 1 if word == other else max(above, best[j - 1])
            diagonal = above
    return best[-1]
