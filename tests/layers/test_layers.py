"""Layers: gradients, invariants, hand-worked numbers."""

import numpy as np
import pytest

from mrnn_np import layers
from mrnn_np.gradcheck.cases import layer_checks
from mrnn_np.gradcheck.precision import layer_comparisons
from mrnn_np.kernels.activations import (
    relu_step_kernel,
    relu_step_plain,
    stanh_backward_kernel,
    stanh_backward_plain,
)
from mrnn_np.kernels.dropping import drop, drop_plain
from mrnn_np.kernels.scatter import scatter_add_rows, scatter_add_rows_plain

DTYPES = [(np.float64, 1e-14), (np.float32, 2e-6)]


@pytest.mark.parametrize("seed", range(3))
def test_every_gradient_of_every_layer(seed):
    checked = 0
    for name, checks in layer_checks(seed):
        for check in checks:
            assert check.passed, f"{name}: {check}"
            checked += check.entries
    assert checked > 500


@pytest.mark.parametrize("seed", range(3))
def test_every_gradient_of_every_layer_in_float32(seed):
    for name, checks in layer_comparisons(seed):
        for check in checks:
            assert check.passed, f"{name}: {check}"


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
def test_kernels_equal_their_plain_twins(dtype, tolerance):
    rng = np.random.default_rng(0)
    a, b, c = rng.standard_normal((3, 7, 5)).astype(dtype)
    dx = np.empty(35, dtype)
    stanh_backward_kernel(a.ravel(), b.ravel(), dx)
    expected = stanh_backward_plain(a, b).ravel()
    np.testing.assert_allclose(dx, expected, rtol=tolerance, atol=tolerance)
    out = np.empty_like(a)
    relu_step_kernel(a, b, c[0], out)
    np.testing.assert_allclose(out, relu_step_plain(a, b, c[0]), atol=tolerance)
    draws = rng.integers(0, 1 << 16, 35, np.uint16)
    draws[:3] = 39_999, 40_000, 40_001  # the threshold itself is kept
    dropped = np.empty(35, dtype)
    drop(a.ravel(), draws, 40_000, 1.7, dropped)
    np.testing.assert_array_equal(dropped, drop_plain(a.ravel(), draws, 40_000, 1.7))
    assert 0 < np.count_nonzero(dropped) < 35
    assert (dropped[:3] != 0).tolist() == [False, True, True]
    index = rng.integers(0, 4, 7)
    fast, plain = np.zeros((4, 5), dtype), np.zeros((4, 5), dtype)
    scatter_add_rows(fast, index, a)
    scatter_add_rows_plain(plain, index, a)
    np.testing.assert_allclose(fast, plain, rtol=tolerance, atol=tolerance)
    assert fast.dtype == out.dtype == dx.dtype == dtype


def test_a_nan_stays_visible_through_the_relu():
    bad = np.array([[np.nan]])
    out = np.empty_like(bad)
    relu_step_kernel(bad, bad, np.zeros(1), out)
    assert np.isnan(out).all()


def test_stanh_has_its_fixed_points_and_bound():
    out, _ = layers.stanh_forward(np.array([-1e9, -1.0, 0.0, 1.0, 1e9]))
    np.testing.assert_allclose(out, [-1.7159, -1, 0, 1, 1.7159], atol=5e-5)


def test_softmax_by_hand_and_without_overflow():
    logits = np.array([[0.0, np.log(3.0)], [1e4, 1e4]])
    losses, cache = layers.softmax_loss_forward(logits, np.array([0, 1]))
    np.testing.assert_allclose(losses, np.log([4, 2]))
    dlogits = layers.softmax_loss_backward(np.array([1.0, 2.0]), cache)
    np.testing.assert_allclose(dlogits, [[-0.75, 0.75], [1.0, -1.0]])


def test_log_softmax_agrees_with_the_loss():
    rng = np.random.default_rng(3)
    logits, targets = 4 * rng.standard_normal((6, 9)), rng.integers(0, 9, 6)
    log_probs = layers.log_softmax(logits)
    np.testing.assert_allclose(np.exp(log_probs).sum(axis=1), 1)
    losses, _ = layers.softmax_loss_forward(logits.copy(), targets)
    np.testing.assert_allclose(losses, -log_probs[np.arange(6), targets])


def test_softmax_gradient_sums_to_zero_over_the_vocabulary():
    rng = np.random.default_rng(4)
    _, cache = layers.softmax_loss_forward(
        rng.standard_normal((5, 8)), rng.integers(0, 8, 5)
    )
    dlogits = layers.softmax_loss_backward(np.ones(5), cache)
    np.testing.assert_allclose(dlogits.sum(axis=1), 0, atol=1e-15)


def test_dropout_keeps_the_mean_and_drops_the_share():
    x = np.ones((400, 500), np.float32)
    out, cache = layers.dropout_forward(x, 0.3, np.random.default_rng(0))
    assert out.dtype == np.float32
    assert abs((out == 0).mean() - 0.3) < 0.005
    assert abs(out.mean() - 1) < 0.01
    np.testing.assert_array_equal(layers.dropout_backward(x, cache), out)


def test_dropout_of_everything_gives_zeros_both_ways():
    x = np.ones((3, 4))
    out, cache = layers.dropout_forward(x, 1.0, np.random.default_rng(0))
    assert not out.any()
    assert not layers.dropout_backward(x, cache).any()


@pytest.mark.parametrize(
    ("rate", "rng"), [(0.0, np.random.default_rng(0)), (0.5, None)]
)
def test_dropout_off_is_the_identity(rate, rng):
    x = np.arange(6.0)
    out, cache = layers.dropout_forward(x, rate, rng)
    assert out is x
    assert layers.dropout_backward(x, cache) is x


@pytest.mark.parametrize("size", [0, 1, 5, 8])
def test_dropout_draws_enough_for_any_size_and_repeats_with_the_seed(size):
    x = np.arange(1.0, size + 1)
    out, _ = layers.dropout_forward(x, 0.5, np.random.default_rng(3))
    again, _ = layers.dropout_forward(x, 0.5, np.random.default_rng(3))
    np.testing.assert_array_equal(out, again)
    assert all(a in (0, 2 * b) for a, b in zip(out, x, strict=True))


def test_dropout_of_a_transposed_array_keeps_its_places():
    x = np.arange(1.0, 13).reshape(3, 4).T
    out, cache = layers.dropout_forward(x, 0.5, np.random.default_rng(0))
    np.testing.assert_array_equal(out[out != 0], 2 * x[out != 0])
    np.testing.assert_array_equal(layers.dropout_backward(x, cache), out)


def test_embedding_gradient_of_repeated_words_adds_up():
    table = np.zeros((4, 2))
    _, cache = layers.embedding_forward(np.array([1, 3, 1]), table)
    dtable = layers.embedding_backward(np.array([[1.0, 2], [3, 4], [5, 6]]), cache)
    np.testing.assert_array_equal(dtable, [[0, 0], [6, 8], [0, 0], [3, 4]])


def test_embedding_refuses_a_word_that_is_not_in_the_table():
    with pytest.raises(IndexError):
        layers.embedding_forward(np.array([4]), np.zeros((4, 2)))


def test_l2_by_hand():
    params = {"a": np.array([1.0, 2.0]), "b": np.array([[3.0]])}
    assert layers.l2_forward(params, 0.5) == 7.0
    grads = {name: np.zeros_like(value) for name, value in params.items()}
    layers.l2_backward(params, 0.5, grads)
    np.testing.assert_array_equal(grads["a"], [1, 2])
    assert layers.l2_forward(params, 0) == 0


def test_multimodal_projects_each_image_once_for_all_its_words():
    rng = np.random.default_rng(5)
    w, r = rng.standard_normal((2, 3, 4))
    image = rng.standard_normal((2, 5))
    Vw, Vr, Vi, b = (rng.standard_normal(s) for s in [(4, 6), (4, 6), (5, 6), 6])
    sentence = np.array([0, 1, 0])
    m, _ = layers.multimodal_forward(w, r, image, sentence, Vw, Vr, Vi, b)
    for p in range(3):
        z = w[p] @ Vw + r[p] @ Vr + image[sentence[p]] @ Vi + b
        np.testing.assert_allclose(m[p], 1.7159 * np.tanh(2 * z / 3))


def test_normalised_rows_have_length_one_and_zeros_stay():
    x = np.array([[3.0, -4.0], [0.0, 0.0], [1e-30, 0.0]])
    out, cache = layers.normalise_forward(x)
    np.testing.assert_allclose(out, [[0.6, -0.8], [0, 0], [1, 0]])
    dx = layers.normalise_backward(np.ones((3, 2)), cache)
    assert np.isfinite(dx).all() and not dx[1].any()
    np.testing.assert_allclose((dx * x).sum(axis=1), 0, atol=1e-15)


def test_hinge_by_hand():
    scores = np.array([[1.0, 0.7, 5.0], [0.9, 2.0, 1.9], [9.0, 0.0, 3.0]])
    apart = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], bool)
    losses, cache = layers.hinge_forward(scores, apart, 0.5)
    # (0, 1) and (1, 0) violate image 0 or sentence 0 by 0.2 and 0.4, (1, 2) sentence 1
    # by 0.4; the pairs of images 0 and 2 are no negatives.
    np.testing.assert_allclose(losses, [0.2 + 0.4, 0.4, 0])
    dscores = layers.hinge_backward(np.array([1.0, 10.0, 100.0]), cache)
    np.testing.assert_array_equal(dscores, [[-2, 1, 0], [1, -10, 10], [0, 0, 0]])
    near = layers.hinge_distance_to_kink(scores, apart, 0.5)
    assert near == pytest.approx(0.2)
    assert layers.hinge_distance_to_kink(scores, apart & False, 0.5) == np.inf
