"""BLEU-1 to BLEU-4 as coco-caption computes them.

    p_n = clipped n-gram matches / n-grams of the hypotheses     (over the corpus)
    BLEU-n = min(1, exp(1 - r / c)) (p_1 ... p_n)^(1/n)

c is the length of the hypotheses and r that of the references, where for each
hypothesis the reference counts whose length is closest (of two, the shorter). Source:
Papineni et al. (2002); the tiny constants are those of coco-caption's `bleu_scorer`,
so that an order without any match gives almost zero and not an error.

Knows: words. Does not know: how a sentence is cut into them.
"""

import math
from collections import Counter
from collections.abc import Sequence

ORDERS = 4
TINY = 1e-15
SMALL = 1e-9

Words = Sequence[str]


def count_ngrams(words: Words) -> Counter:
    """Count the n-grams of all orders 1 to 4 of a sentence."""
    return Counter(
        tuple(words[i : i + n])
        for n in range(1, ORDERS + 1)
        for i in range(len(words) - n + 1)
    )


def matches(references: Sequence[Words], hypothesis: Words) -> list[int]:
    """Return, for each order, how many n-grams are matched.

    An n-gram counts at most as often as in the one reference that has it most often:
    repeating a right word is not rewarded.
    """
    allowed = Counter()
    for words in references:
        allowed |= count_ngrams(words)  # the larger count of each n-gram
    found = [0] * ORDERS
    for ngram, count in count_ngrams(hypothesis).items():
        found[len(ngram) - 1] += min(count, allowed[ngram])
    return found


def closest_length(references: Sequence[Words], length: int) -> int:
    """Return the reference length that is closest; of two, the shorter."""
    return min((abs(len(words) - length), len(words)) for words in references)[1]


def bleu_of_counts(
    found: Sequence[int], possible: Sequence[int], length: int, reference_length: int
) -> list[float]:
    """Turn counts into BLEU-1..4: geometric means of precisions, then brevity."""
    ratio = (length + TINY) / (reference_length + SMALL)
    brevity = math.exp(1 - 1 / ratio) if ratio < 1 else 1.0
    product, scores = 1.0, []
    for n in range(ORDERS):
        product *= (found[n] + TINY) / (possible[n] + SMALL)
        scores.append(product ** (1 / (n + 1)) * brevity)
    return scores


def compute_score(
    references: Sequence[Sequence[Words]], hypotheses: Sequence[Words]
) -> tuple[list[float], list[list[float]]]:
    """Return BLEU-1..4 of the corpus, and of each sentence.

    Parameters
    ----------
    references : for each image its sentences, each a list of words.
    hypotheses : for each image one list of words; an empty one is allowed.

    Returns
    -------
    corpus : 4 numbers in [0, 1], not the mean of `each`: counts are added first.
    each : 4 numbers an image.
    """
    total_found, total_possible = [0] * ORDERS, [0] * ORDERS
    total_length = total_reference = 0
    each = []
    for truth, guess in zip(references, hypotheses, strict=True):
        length = len(guess)
        reference = closest_length(truth, length)
        found = matches(truth, guess)
        possible = [max(0, length - n) for n in range(ORDERS)]
        each.append(bleu_of_counts(found, possible, length, reference))
        total_found = [a + b for a, b in zip(total_found, found, strict=True)]
        total_possible = [a + b for a, b in zip(total_possible, possible, strict=True)]
        total_length += length
        total_reference += reference
    corpus = bleu_of_counts(total_found, total_possible, total_length, total_reference)
    return corpus, each
