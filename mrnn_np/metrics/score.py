"""All metrics of a set of captions at once.

Knows: which metrics there are. Does not know: how any of them works.
"""

import math
from collections.abc import Mapping, Sequence

from mrnn_np.errors import InputError
from mrnn_np.metrics import bleu


def perplexity(nats_per_token: float) -> float:
    """Return the paper's perplexity of a mean loss.

        PPL = 2^(mean of -log2 P) = e^(mean of -ln P)

    where the mean runs over all words of all sentences, each <end> included
    (m-RNN paper, equation 5, summed over the corpus as in its equation 6).
    """
    return math.exp(nats_per_token)


def score(
    references: Mapping[object, Sequence[str]],
    hypotheses: Mapping[object, Sequence[str]],
) -> dict[str, float]:
    """Rate one sentence an image against what people wrote.

    Parameters
    ----------
    references : image id -> one or more sentences, words separated by blanks.
    hypotheses : image id -> a list with exactly one sentence. Both in the tokenised
        form (mrnn_np.tokenize), lower case and without punctuation.

    Returns
    -------
    {"BLEU-1": ..., ..., "BLEU-4": ...}, each in [0, 1].

    Raises
    ------
    InputError : ids that do not match, not exactly one hypothesis, no reference.
    """
    if not hypotheses:
        raise InputError("there is no caption to score")
    for image, sentences in hypotheses.items():
        if image not in references or not references[image]:
            raise InputError(f"there is no reference sentence for image {image!r}")
        if len(sentences) != 1:
            raise InputError(
                f"image {image!r} has {len(sentences)} captions, expected exactly one"
            )
    for image in references:
        if image not in hypotheses:
            raise InputError(f"there is no caption for image {image!r}")
    truth = [[text.split() for text in references[image]] for image in hypotheses]
    guess = [sentences[0].split() for sentences in hypotheses.values()]
    corpus, _ = bleu.compute_score(truth, guess)
    return {f"BLEU-{n}": value for n, value in enumerate(corpus, start=1)}
