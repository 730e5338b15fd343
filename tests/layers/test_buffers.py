"""Kept memory changes no gradient: two layers of a kind, old contents, two threads."""

import threading

import numpy as np
import pytest

from mrnn_np import layers
from mrnn_np.gradcheck.cases import random_batch
from mrnn_np.gradcheck.check import LIMIT_THROUGH_TIME, check_gradient
from mrnn_np.gradcheck.model_cases import small_model
from mrnn_np.layers import Buffers
from mrnn_np.models import MRNN


class TwoOfEach(MRNN):
    """A model with two layers of every kind below the output layer.

    The parameters of the second layers have a 2 in their names; their results add up.
    """

    def parameters(self):
        first = super().parameters()
        return first | {f"{name}2": value for name, value in first.items()}

    def forward(self, batch, rng=None):
        total, caches = 0, []
        for end in ("", "2"):
            p = {name: self.params[name + end] for name in super().parameters()}
            e, c_e = layers.embedding_forward(batch.tokens, p["E1"])
            w, c_w = layers.affine_forward(e, p["W2"], p["b2"])
            r0 = self.cell.start(len(batch.features), w.dtype)
            r, c_r = self.cell.forward(w, r0, p, batch.batch_sizes)
            m, c_m = layers.multimodal_forward(
                w, r, batch.features, batch.sentence, p["Vw"], p["Vr"], p["Vi"], p["bm"]
            )
            total = total + m
            caches.append((c_e, c_w, c_r, c_m))
        return total, caches

    def backward(self, dm, cache, memory):
        grads = {}
        for end, (c_e, c_w, c_r, c_m) in zip(("", "2"), cache, strict=True):
            g = {}
            dw, dr, _, g["Vw"], g["Vr"], g["Vi"], g["bm"] = layers.multimodal_backward(
                dm, c_m, memory(f"Vi{end}")
            )
            dx, _, dp = self.cell.backward(
                dr, c_r, lambda name, end=end: memory(f"{name}{end}")
            )
            g |= dp
            de, g["W2"], g["b2"] = layers.affine_backward(dw + dx, c_w)
            g["E1"] = layers.embedding_backward(de, c_e, memory(f"E1{end}"))
            grads |= {name + end: value for name, value in g.items()}
        return grads


def two_of_each(rng, dtype=np.float64) -> TwoOfEach:
    small = small_model(rng)
    model = TwoOfEach(small.config, small.vocabulary, rng, dtype)
    model.params["Wo"] *= 30
    return model


def assert_same(grads, expected):
    assert grads.keys() == expected.keys()
    for name, grad in grads.items():
        np.testing.assert_array_equal(grad, expected[name], err_msg=name)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("make", [two_of_each, small_model])
def test_buffers_change_no_bit(make, dtype):
    rng = np.random.default_rng(0)
    model = make(rng)
    model.dtype = np.dtype(dtype)
    model.params = {name: p.astype(dtype) for name, p in model.params.items()}
    buffers = Buffers()
    for steps in (4, 9, 4, 12, 1):  # more and fewer tokens than the memory is made for
        batch = random_batch(rng, len(model.vocabulary), 7, steps, dtype)
        loss, grads = model.loss_and_grads(batch, None, buffers)
        expected, fresh = model.loss_and_grads(batch)
        assert loss == expected
        assert_same(grads, fresh)
        for array in grads.values():  # what is left behind in the memory
            array[...] = np.nan


def test_gradients_of_a_model_with_two_layers_of_each_kind():
    rng = np.random.default_rng(0)
    model, buffers = two_of_each(rng), Buffers()
    batch = random_batch(rng, len(model.vocabulary), 7, 5)

    def loss():
        return model.loss_and_grads(batch, None, buffers)[0]

    grads = model.loss_and_grads(batch, None, buffers)[1]
    for check in check_gradient(loss, model.params, grads, rng, LIMIT_THROUGH_TIME):
        assert check.passed, str(check)


def test_two_threads_that_share_buffers_do_not_share_memory():
    rng = np.random.default_rng(0)
    model, buffers = small_model(rng), Buffers()
    batches = [random_batch(rng, len(model.vocabulary), 7, 6) for _ in range(2)]
    expected = [model.loss_and_grads(batch)[1] for batch in batches]
    found, together = [None, None], threading.Barrier(2)

    def step(number):
        _, found[number] = model.loss_and_grads(batches[number], None, buffers)
        together.wait()  # both have their gradients before one is looked at
        found[number] = {name: grad.copy() for name, grad in found[number].items()}

    threads = [threading.Thread(target=step, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for grads, right in zip(found, expected, strict=True):
        assert_same(grads, right)


def test_memory_is_found_again_and_grows():
    buffers = Buffers()
    first = buffers.array("a", (3, 4), np.float32)
    first[...] = 7
    other = buffers.array("b", (3, 4), np.float32)
    assert not np.shares_memory(first, other)
    buffers.next_step()
    smaller = buffers.array("a", (2, 5), np.float32)
    assert np.shares_memory(smaller, first) and (smaller == 7).all()
    buffers.next_step()
    assert buffers.array("a", (5, 5), np.float32).shape == (5, 5)
    assert buffers.like("b", np.ones((2, 2))).dtype == np.float64


def test_a_name_is_lent_once_a_step():
    buffers = Buffers()
    buffers.array("Wo", (2, 2), np.float32)
    with pytest.raises(ValueError, match="buffer 'Wo' is in use"):
        buffers.array("Wo", (2, 2), np.float32)
    buffers.next_step()
    buffers.array("Wo", (2, 2), np.float32)


def test_memory_of_another_shape_is_refused():
    _, cache = layers.embedding_forward(np.array([3]), np.ones((4, 2)))
    with pytest.raises(ValueError, match=r"dtable is \(3, 2\), the table \(4, 2\)"):
        layers.embedding_backward(np.ones((1, 2)), cache, np.ones((3, 2)))
