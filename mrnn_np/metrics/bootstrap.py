"""How much would a score change with other images? The bootstrap answers by drawing.

The N images of a split are a sample of all images that one could have asked about.
Drawing N of them with replacement, many times, gives other samples of the same kind;
the scores of these, without the 2.5 % lowest and the 2.5 % highest, are the 95 %
interval (the percentile bootstrap, Efron 1979; for BLEU, Koehn 2004).

It says how much luck with the images is in a number. It says nothing of luck with the
seed of a training run, and two systems on the same images can differ surely though
their intervals overlap.

Knows: rows of numbers, one an image. Does not know: what they mean.
"""

import numpy as np


def draw(N: int, rng: np.random.Generator, resamples: int = 1000) -> np.ndarray:
    """Draw N of N images with replacement.

    Returns
    -------
    (resamples, N) float64, how often each image was drawn; every row sums to N. Use
    the same draw for all scores, so that they tell of the same samples.
    """
    return rng.multinomial(N, np.full(N, 1 / N), size=resamples).astype(float)


def ends(scores: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and upper end of the interval.

    Parameters
    ----------
    scores : (resamples, ...), the scores of each sample.
    level : the share of the samples inside.
    """
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(scores, [tail, 100 - tail], axis=0)
    return low, high
