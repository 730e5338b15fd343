"""Two rows on the same images: how much do they differ, and how sure is that?

Two systems that see the same images share their luck with them: an image that is hard
for one is mostly hard for the other. So images are drawn with replacement once, for
both, and the difference of the scores is computed in each sample; its 95 % interval is
much narrower than those of the two scores suggest (the paired bootstrap: Koehn 2004).

The other luck is that of the training's seed. With several seeds the difference is that
of the means, and the two sources of luck, which do not know each other, add in squares:

    half width = sqrt(bootstrap's half width^2 + (t s)^2)

s is the standard error of the difference between the means over seeds: of the
differences seed by seed, where both rows are decoded from the same trainings, else from
the pooled variance of both; t is Student's, with the degrees of freedom that s has: 4.3
with two seeds each. With one seed nothing is known of that luck, nothing is added, and
whoever shows the interval has to say so.

Knows: counts of images, values of seeds. Does not know: rows, or what is concluded.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mrnn_np.metrics import bootstrap
from mrnn_np.metrics.score import Part, Rating
from mrnn_np.retrieval.ranking import CUTOFFS

# 97.5 % points of Student's t by degrees of freedom; beyond the last, the last.
STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)


@dataclass(frozen=True)
class Evidence:
    """One metric of one row, image by image.

    Fields
    ------
    counts : (N, K), what each image brings.
    score : (..., K) -> (...); of the sum of the rows that of all images together.
    """

    counts: np.ndarray
    score: Callable[[np.ndarray], np.ndarray]


def of_rating(rating: Rating, metric: str) -> Evidence | None:
    """Return a metric of captions, None where the rating lacks it (METEOR)."""
    for part in rating.parts:
        if metric in part.names:
            return of_part(part, list(part.names).index(metric))
    return None


def of_part(part: Part, place: int = 0) -> Evidence:
    """Return the metric at a place of a part."""
    return Evidence(part.counts, lambda sums: part.score(sums)[..., place])


def of_ranks(ranks: Sequence[int], owner: np.ndarray, images: int) -> dict:
    """Return R@K, in percent, of queries whose images are drawn.

    An image's sentences are drawn together, with it: they are not independent.

    Parameters
    ----------
    ranks : of the first right result of each query, 1 is best.
    owner : (queries,) which image each query belongs to.

    Returns ``R@K`` -> `Evidence`.
    """
    queries = np.bincount(owner, minlength=images)
    found = {}
    for K in CUTOFFS:
        hits = np.bincount(owner, np.asarray(ranks) <= K, images)
        counts = np.column_stack([hits, queries])
        found[f"R@{K}"] = Evidence(
            counts, lambda sums: 100 * sums[..., 0] / sums[..., 1]
        )
    return found


def log_product(first: Evidence, second: Evidence) -> Evidence:
    """Return the logarithm of the product of two metrics of the same images.

    Where a BLEU falls by a larger factor than a perplexity rises, their product falls.
    """
    K = first.counts.shape[1]
    counts = np.hstack([first.counts, second.counts])
    return Evidence(
        counts,
        lambda sums: np.log(first.score(sums[..., :K]) * second.score(sums[..., K:])),
    )


@dataclass(frozen=True)
class Difference:
    """first - second, times the sign.

    Fields
    ------
    first, second : the scores of all images.
    value, low, high : the difference and its 95 % interval.
    samples : (resamples,), the differences of the drawn samples.
    images : N.
    """

    first: float
    second: float
    value: float
    low: float
    high: float
    samples: np.ndarray
    images: int


def difference(
    first: Evidence, second: Evidence, drawn: np.ndarray, sign: int = 1
) -> Difference:
    """Compare two rows on the same drawn samples.

    Parameters
    ----------
    drawn : (resamples, N), as `bootstrap.draw` returns it, for both.
    sign : -1 for metrics of which less is better.
    """
    one, other = (float(e.score(e.counts.sum(axis=0))) for e in (first, second))
    samples = sign * (
        first.score(drawn @ first.counts) - second.score(drawn @ second.counts)
    )
    low, high = bootstrap.ends(samples)
    value = sign * (one - other)
    N = drawn.shape[1]
    return Difference(one, other, value, float(low), float(high), samples, N)


def with_seeds(
    found: Difference,
    first: Sequence[float],
    second: Sequence[float],
    sign: int = 1,
    paired: bool = False,
) -> Difference:
    """Move scores and difference to the means over seeds, and widen the interval.

    Parameters
    ----------
    first, second : a value a seed, the one of the captions at hand first; empty for
        what was not trained.
    paired : both rows have the same trainings, in the same order.
    """
    one, other = (
        score + (float(np.mean(values)) - values[0] if len(values) else 0.0)
        for score, values in ((found.first, first), (found.second, second))
    )
    spread = seed_half_width(first, second, paired)
    value = sign * (one - other)
    below = math.hypot(found.value - found.low, spread)
    above = math.hypot(found.high - found.value, spread)
    return dataclasses.replace(
        found, first=one, second=other, value=value, low=value - below,
        high=value + above,
    )  # fmt: skip


def seed_half_width(
    first: Sequence[float], second: Sequence[float], paired: bool = False
) -> float:
    """Return t s of the top of this file; 0 where no row has two seeds."""
    if paired and len(first) == len(second) > 1:
        gaps = np.subtract(first, second)
        error = float(gaps.std(ddof=1)) / math.sqrt(len(gaps))
        return student(len(gaps) - 1) * error
    groups = [values for values in (first, second) if len(values)]
    freedom = sum(len(values) - 1 for values in groups)
    if paired or freedom == 0:
        return 0.0
    squares = sum(float(np.var(values)) * len(values) for values in groups)
    variance = squares / freedom * sum(1 / len(values) for values in groups)
    return student(freedom) * math.sqrt(variance)


def student(freedom: int) -> float:
    """Return the 97.5 % point of Student's t."""
    return STUDENT[min(freedom, len(STUDENT)) - 1]
