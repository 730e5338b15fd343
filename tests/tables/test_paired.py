"""Differences between two rows: by hand, and beside rating every sample anew."""

import math

import numpy as np
import pytest
from made_up import captions_of, dataset

from mrnn_np.evaluation import rate_captions
from mrnn_np.metrics import bootstrap
from mrnn_np.tables.paired import (
    Difference,
    Evidence,
    difference,
    log_product,
    of_ranks,
    of_rating,
    seed_half_width,
    student,
    with_seeds,
)


def mean_of(values) -> Evidence:
    counts = np.column_stack([values, np.ones(len(values))])
    return Evidence(counts, lambda sums: sums[..., 0] / sums[..., 1])


def test_a_difference_by_hand():
    first, second = mean_of([3.0, 5.0]), mean_of([1.0, 4.0])
    drawn = np.array([[1, 1], [2, 0], [0, 2]], float)
    found = difference(first, second, drawn)
    assert (found.first, found.second, found.value, found.images) == (4, 2.5, 1.5, 2)
    np.testing.assert_allclose(found.samples, [1.5, 2, 1])
    low, high = np.percentile([1, 1.5, 2], [2.5, 97.5])
    assert (found.low, found.high) == pytest.approx((low, high))
    lower = difference(first, second, drawn, sign=-1)
    assert (lower.value, lower.low, lower.high) == pytest.approx((-1.5, -high, -low))


def test_the_same_images_make_the_interval_narrow():
    """What both find hard cancels: that is what pairing is for."""
    rng = np.random.default_rng(0)
    hard = rng.normal(0, 1, 400)
    first, second = hard + 0.1 + rng.normal(0, 0.05, 400), hard
    drawn = bootstrap.draw(400, rng)
    found = difference(mean_of(first), mean_of(second), drawn)
    assert found.high - found.low < 0.02 < 0.05 < found.low
    other = bootstrap.draw(400, rng) @ second / 400  # not paired
    low, high = bootstrap.ends(drawn @ first / 400 - other)
    assert low < 0 < high


def test_samples_are_those_of_rating_them_anew():
    data = dataset()
    names = list(data.captions)
    sides = [captions_of(data, share) for share in (0.2, 0.5)]
    ratings = [rate_captions(data, side) for side in sides]
    drawn = bootstrap.draw(len(names), np.random.default_rng(3), 5)
    found = difference(*(of_rating(r, "BLEU-4") for r in ratings), drawn)
    for times, sample in zip(drawn, found.samples, strict=True):
        chosen = np.repeat(np.arange(len(names)), times.astype(int))
        scores = []
        for rating in ratings:
            part = rating.parts[0]
            scores.append(part.score(part.counts[chosen].sum(axis=0))[3])
        assert sample == pytest.approx(scores[0] - scores[1])
    assert found.value == ratings[0].corpus["BLEU-4"] - ratings[1].corpus["BLEU-4"]
    assert of_rating(ratings[0], "METEOR") is None
    rouge = of_rating(ratings[0], "ROUGE-L")
    cider = of_rating(ratings[0], "CIDEr")
    for one, name in ((rouge, "ROUGE-L"), (cider, "CIDEr")):
        assert one.score(one.counts.sum(axis=0)) == ratings[0].corpus[name]


def test_recall_draws_an_images_sentences_together():
    found = of_ranks([1, 6, 1, 12, 3], np.array([0, 0, 1, 1, 1]), 2)
    assert list(found) == ["R@1", "R@5", "R@10"]

    def at(K, times):
        one = found[f"R@{K}"]
        return float(one.score(np.array(times, float) @ one.counts))

    assert at(1, [1, 1]) == pytest.approx(40)
    assert at(5, [1, 1]) == pytest.approx(60)
    assert at(10, [1, 1]) == pytest.approx(80)
    assert at(5, [2, 0]) == pytest.approx(50)
    assert at(5, [0, 2]) == pytest.approx(200 / 3)


def test_the_logarithm_of_a_product():
    one = log_product(mean_of([2.0, 4.0]), mean_of([1.0, 3.0]))
    assert one.score(one.counts.sum(axis=0)) == pytest.approx(math.log(3 * 2))
    drawn = np.array([[2.0, 0.0], [0.0, 2.0]])
    np.testing.assert_allclose(one.score(drawn @ one.counts), np.log([2, 12]))


def test_the_luck_of_seeds_by_hand():
    assert seed_half_width([0.2], [0.1]) == 0
    assert seed_half_width([0.2], []) == 0
    assert seed_half_width([0.2], [0.1], paired=True) == 0
    # Both have the variance .0002, so the difference of two means of two has it too.
    both = seed_half_width([0.20, 0.22], [0.18, 0.16])
    assert both == pytest.approx(4.303 * math.sqrt(0.0002))
    # One seed of the other: its spread is taken to be the same.
    one = seed_half_width([0.20, 0.22], [0.18])
    assert one == pytest.approx(12.706 * math.sqrt(0.0002 * 1.5))
    # What was not trained has no luck of a seed.
    none = seed_half_width([0.20, 0.22], [])
    assert none == pytest.approx(12.706 * math.sqrt(0.0002 / 2))
    # The same trainings: gaps of .02 and .06.
    same = seed_half_width([0.20, 0.22], [0.18, 0.16], paired=True)
    assert same == pytest.approx(12.706 * 0.02)


def test_students_t_is_that_of_the_tables():
    from scipy.stats import t

    for freedom in range(1, 11):
        assert student(freedom) == pytest.approx(t.ppf(0.975, freedom), abs=6e-4)
    assert student(50) == student(10)


def test_seeds_move_the_difference_and_widen_it():
    found = Difference(0.20, 0.18, 0.02, 0.01, 0.04, np.zeros(3), 7)
    same = with_seeds(found, [0.20], [0.18])
    assert (same.value, same.low, same.high) == pytest.approx((0.02, 0.01, 0.04))
    wide = with_seeds(found, [0.20, 0.22], [0.18, 0.16])
    spread = seed_half_width([0.20, 0.22], [0.18, 0.16])
    assert wide.value == pytest.approx(0.21 - 0.17)
    assert wide.low == pytest.approx(0.04 - math.hypot(0.01, spread))
    assert wide.high == pytest.approx(0.04 + math.hypot(0.02, spread))
    less = with_seeds(found, [0.20, 0.22], [0.18, 0.16], sign=-1)
    assert less.value == pytest.approx(0.17 - 0.21)
    assert (wide.images, wide.first, wide.second) == pytest.approx((7, 0.21, 0.17))
