"""Which numbers of two rows are compared, image by image.

Captions are rated anew, so that both rows are rated on the same images; perplexity
comes from the nats and tokens of each image, recall from the rank of each query. Where
people are compared with a model, both are rated by the same four references.

Knows: what a scored row holds. Does not know: what is concluded.
"""

import functools
from collections.abc import Mapping, Sequence

import numpy as np

from mrnn_np.data import CaptionDataset
from mrnn_np.evaluation import rate_captions
from mrnn_np.metrics import bootstrap
from mrnn_np.metrics.score import Rating, perplexity_part
from mrnn_np.tables.baselines import held_out_rating
from mrnn_np.tables.conclusions import PRODUCT
from mrnn_np.tables.layout import DIRECTIONS, TITLES, Row
from mrnn_np.tables.paired import (
    Difference,
    Evidence,
    difference,
    log_product,
    of_part,
    of_ranks,
    of_rating,
    with_seeds,
)

PERPLEXITY = "perplexity"  # the one metric here of which less is better
PEOPLE = "human"
GREEDY = "-greedy"  # the end of the name of a row that decodes another's training
SHARED = "mrnn-shared"  # the others that are decoded from one training begin so


class Absent(Exception):
    """Why two rows cannot be compared, in a line."""


def retrieves(metric: str) -> bool:
    """Whether a metric is one of retrieval."""
    return metric.startswith(DIRECTIONS)


def training_of(row: str) -> str:
    """Return the row whose training a row is decoded from, often itself."""
    return SHARED if row.startswith(SHARED) else row.removesuffix(GREEDY)


class Bench:
    """All rows, each rated once.

    Parameters
    ----------
    rows : by name. The others as of `mrnn_np.tables.claims.judge`.
    """

    def __init__(
        self,
        rows: Mapping[str, Row],
        dataset: CaptionDataset,
        captions: Mapping[str, Mapping[str, str]],
        rng: np.random.Generator,
        with_meteor: bool = False,
    ) -> None:
        self.rows, self.dataset, self.captions = rows, dataset, captions
        self.with_meteor = with_meteor
        self.rating = functools.cache(self._rating)
        self.draw = functools.cache(lambda N: bootstrap.draw(N, rng))

    def _rating(
        self, row: str, names: tuple[str, ...], held_out: bool, meteor: bool
    ) -> Rating:
        meteor &= self.with_meteor
        if row == PEOPLE:
            return held_out_rating(self.dataset, names, None, meteor)
        given = {name: self.captions[row][name] for name in names}
        if held_out:
            return held_out_rating(self.dataset, names, given, meteor)
        return rate_captions(self.dataset, given, meteor)

    def compare(
        self, first: str, second: str, metric: str
    ) -> tuple[Difference, list[int], str]:
        """Compare two rows.

        Returns
        -------
        The difference (positive where the first is better), the number of seeds of
        each, and the size of the gallery ("" where nothing is searched).

        Raises
        ------
        Absent : a row is not there, failed, or has no such numbers.
        """
        pair = (first, second)
        for row in pair:
            self.check(row)
        gallery = self.gallery(pair, metric) if retrieves(metric) else ""
        names = () if gallery or metric == PERPLEXITY else self.common(pair)
        one, other = (
            self.evidence(row, metric, gallery, names, PEOPLE in pair) for row in pair
        )
        N = len(one.counts)
        if N != len(other.counts):
            raise Absent("their numbers are of different images")
        sign = -1 if metric == PERPLEXITY else 1
        with np.errstate(divide="ignore", invalid="ignore"):
            found = difference(one, other, self.draw(N), sign)
            left, right = (self.seeds(row, metric, gallery) for row in pair)
            same = training_of(first) == training_of(second)
            found = with_seeds(found, left, right, sign, same)
        numbers = [found.value, found.low, found.high, *found.samples]
        if not np.isfinite(numbers).all():  # the logarithm of a BLEU-4 of 0
            raise Absent(f"{metric} is not finite")
        return found, [max(1, len(left)), max(1, len(right))], gallery

    def check(self, row: str) -> None:
        """Raise Absent unless a row has numbers; people need none of their own."""
        if row == PEOPLE:
            return
        if row not in self.rows:
            raise Absent(f"{TITLES[row]} is not there yet")
        if reason := self.rows[row].get("reason"):
            raise Absent(f"{TITLES[row]} failed: {reason}")

    def common(self, pair: Sequence[str]) -> tuple[str, ...]:
        """Return the images that both rows have captions for."""
        sides = [self.captions.get(row, {}) for row in pair if row != PEOPLE]
        for row, side in zip([r for r in pair if r != PEOPLE], sides, strict=True):
            if not side:
                raise Absent(f"{TITLES[row]} has no captions")
        names = tuple(n for n in sides[0] if all(n in side for side in sides))
        if PEOPLE in pair:
            names = tuple(n for n in names if len(self.dataset.captions[n]) > 1)
        if not names:
            raise Absent("their captions are of different images")
        return names

    def gallery(self, pair: Sequence[str], metric: str) -> str:
        """Return the largest gallery in which both rows have ranks."""
        sizes = set.intersection(
            *(
                {
                    size
                    for size, ways in (self.rows[row].get("retrieval") or {}).items()
                    if "ranks" in ways.get(direction_of(metric), {})
                }
                for row in pair
            )
        )
        if not sizes:
            raise Absent("no ranks of the same gallery")
        return max(sizes, key=int)

    def evidence(
        self,
        row: str,
        metric: str,
        gallery: str,
        names: tuple[str, ...],
        held_out: bool,
    ) -> Evidence:
        """Return one metric of a row, or raise Absent."""
        if metric == PRODUCT:
            bleu = self.evidence(row, "BLEU-4", gallery, names, held_out)
            surprise = self.evidence(row, PERPLEXITY, gallery, names, held_out)
            if len(bleu.counts) != len(surprise.counts):
                raise Absent("captions and perplexity are of different images")
            return log_product(bleu, surprise)
        if metric == PERPLEXITY:
            nats, tokens = (self.rows[row].get(key) for key in ("nats", "tokens"))
            if not nats or not tokens:
                raise Absent(f"{TITLES[row]} has no perplexity of each image")
            return of_part(perplexity_part(np.array(nats), np.array(tokens)))
        if gallery:
            return self.recall(row, metric, gallery)
        rating = self.rating(row, names, held_out, metric == "METEOR")
        found = of_rating(rating, metric)
        if found is None:
            raise Absent(f"{metric} was not computed")
        return found

    def recall(self, row: str, metric: str, gallery: str) -> Evidence:
        """Return R@K of a row, or raise Absent."""
        found = self.rows[row]["retrieval"][gallery]
        direction = direction_of(metric)
        ranks = found[direction]["ranks"]
        N, queries = int(gallery), len(ranks)
        if queries == N:
            owner = np.arange(N)
        elif "owner" in found:
            owner = np.array(found["owner"])
        elif queries % N == 0:
            owner = np.repeat(np.arange(N), queries // N)
        else:
            raise Absent("it is not known which sentence belongs to which image")
        return of_ranks(ranks, owner, N)[metric.split()[-1]]

    def seeds(self, row: str, metric: str, gallery: str) -> list[float]:
        """Return a row's values of a metric, one a seed; none without a training."""
        found = self.rows.get(row, {})
        if not found.get("model"):
            return []
        scores = found["scores"]
        if metric == PRODUCT:
            pairs = zip(
                *(scores[key]["seeds"] for key in ("BLEU-4", PERPLEXITY)), strict=True
            )
            return [float(np.log(bleu * surprise)) for bleu, surprise in pairs]
        if gallery:
            scores = found["retrieval"][gallery][direction_of(metric)]
        key = metric.split()[-1] if gallery else metric
        return list((scores.get(key) or {}).get("seeds") or [])


def direction_of(metric: str) -> str:
    """Return the direction of a metric of retrieval."""
    return next(d for d in DIRECTIONS if metric.startswith(d))
