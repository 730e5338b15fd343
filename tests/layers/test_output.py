"""The output layer: its kernels against their twins, the layer against its parts."""

import numpy as np
import pytest

from mrnn_np import layers
from mrnn_np.kernels.cross_entropy import (
    cross_entropy,
    cross_entropy_backward,
    cross_entropy_backward_plain,
    cross_entropy_plain,
    exponentiate,
    largest,
)


def draw(P, V, scale, seed=0):
    rng = np.random.default_rng(seed)
    logits = (scale * rng.standard_normal((P, V))).astype(np.float32)
    bias = rng.standard_normal(V).astype(np.float32)
    return logits, bias, rng.integers(0, V, P)


@pytest.mark.parametrize("scale", [0.01, 1, 10, 60])
@pytest.mark.parametrize("V", [1, 5, 64, 301])
def test_kernels_equal_their_plain_twins(V, scale):
    logits, bias, targets = draw(6, V, scale)
    expected = cross_entropy_plain(
        logits.astype(np.float64), bias.astype(np.float64), targets
    )
    totals, losses = np.empty((2, 6), np.float32)
    cross_entropy(logits, bias, targets, totals, losses)
    # A float32 score of size s has a rounding error of 6e-8 s, which exp passes on.
    tolerance = 2e-6 + 2e-7 * scale
    np.testing.assert_allclose(logits, expected[0], rtol=8 * tolerance, atol=1e-30)
    np.testing.assert_allclose(totals, expected[1], rtol=tolerance)
    np.testing.assert_allclose(losses, expected[2], rtol=tolerance, atol=tolerance)
    dlosses = np.linspace(0.5, 2, 6).astype(np.float32)
    dbias = np.zeros(V, np.float32)
    cross_entropy_backward(logits, totals, targets, dlosses, dbias)
    dlogits, sums = cross_entropy_backward_plain(*expected[:2], targets, dlosses)
    np.testing.assert_allclose(logits, dlogits, rtol=1e-5, atol=8 * tolerance)
    np.testing.assert_allclose(dbias, sums, rtol=1e-5, atol=8 * tolerance)


def test_exponentials_over_the_whole_range():
    x = np.linspace(-87, 0, 1001, dtype=np.float32)
    row, zeros = x.copy(), np.zeros_like(x)
    total = exponentiate(row, zeros, np.float32(0))
    exact = np.exp(x.astype(np.float64))
    np.testing.assert_allclose(row, exact, rtol=5e-7)
    np.testing.assert_allclose(total, exact.sum(), rtol=1e-6)


def test_scores_far_apart_neither_overflow_nor_vanish():
    logits = np.array([[0, -200, -1e30], [3e4, 3e4, -3e4]], np.float32)
    totals, losses = np.empty((2, 2), np.float32)
    cross_entropy(logits, np.zeros(3, np.float32), np.array([1, 0]), totals, losses)
    np.testing.assert_allclose(losses, [200, np.log(2)], rtol=1e-6)
    assert (logits <= 1).all() and (logits >= 0).all()


@pytest.mark.parametrize("values", [[-3, -1, -2], [1, 3, -7], [0, -0.0, 0], [-5]])
def test_largest_finds_the_maximum_of_floats_read_as_integers(values):
    row = np.array(values, np.float32)
    assert largest(row, np.zeros_like(row)) == row.max()
    assert largest(row, -2 * row) == (-row).max()


@pytest.mark.parametrize("bad", [np.nan, -np.nan, np.inf])
def test_what_is_not_a_number_stays_visible(bad):
    logits, bias, targets = draw(2, 40, 1)
    logits[1, 17] = bad
    totals, losses = np.empty((2, 2), np.float32)
    with np.errstate(invalid="ignore"):  # without the compiler NumPy warns
        cross_entropy(logits, bias, targets, totals, losses)
    assert np.isfinite(losses[0]) and np.isnan(losses[1])


@pytest.mark.parametrize(("dtype", "tolerance"), [("f8", 1e-12), ("f4", 3e-6)])
def test_layer_equals_affine_and_softmax(dtype, tolerance):
    rng = np.random.default_rng(1)
    m, W, b = (rng.standard_normal(s).astype(dtype) for s in [(6, 5), (5, 9), 9])
    targets = rng.integers(0, 9, 6)
    dlosses = rng.random(6).astype(dtype)
    losses, cache = layers.output_forward(m, W, b, targets)
    grads = layers.output_backward(dlosses, cache)
    logits, cache_affine = layers.affine_forward(m, W, b)
    expected, cache_softmax = layers.softmax_loss_forward(logits, targets)
    np.testing.assert_allclose(losses, expected, rtol=tolerance)
    dlogits = layers.softmax_loss_backward(dlosses, cache_softmax)
    for a, e in zip(grads, layers.affine_backward(dlogits, cache_affine), strict=True):
        np.testing.assert_allclose(a, e, rtol=tolerance, atol=tolerance)
        assert a.dtype == dtype


@pytest.mark.parametrize("target", [-1, 3])
def test_a_target_outside_of_the_vocabulary_is_refused(target):
    with pytest.raises(IndexError, match="vocabulary of 3"):
        layers.output_forward(
            np.ones((1, 2)), np.ones((2, 3)), np.zeros(3), np.array([target])
        )
