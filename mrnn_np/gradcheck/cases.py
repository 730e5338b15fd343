"""The gradient checks of all layers, each on a small random case.

A layer is checked through the scalar f = sum(weight * out) with a fixed random weight:
then df/dout is `weight`, and what the backward pass makes of it are the gradients of f.

Knows: how to call each layer. Does not know: how a check is made (check.py), or
what becomes of float32 (precision.py, which uses the same cases).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import DTypeLike

from mrnn_np import layers
from mrnn_np.cells import CELLS, make_cell
from mrnn_np.data.batches import PackedBatch, pack
from mrnn_np.data.vocabulary import SPECIALS
from mrnn_np.gradcheck.check import (
    LIMIT_LAYER,
    LIMIT_THROUGH_TIME,
    STEP,
    GradientCheck,
    check_gradient,
    float64_only,
)
from mrnn_np.layers.parameters import draw

# Time steps of the longest sentence, <end> included. Flickr8k's has 39. With 16 a
# backward pass that stops after 20 steps was right.
STEPS = 40
# Orthogonal times this as U: half the units shut, (1.2 / sqrt 2)^39 = 0.002 of a
# gradient comes back over 39 steps. With the model's default, 0.58, it would be 1e-15,
# and a fault far back in time would hide below the limit.
RECURRENT_SCALE = 1.2
# Dropped shares: at 0.5 what is dropped and what is kept could be mixed up unseen.
DROPOUT = (0.2, 0.8)
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class LayerCase:
    """A layer with small arguments.

    name : of the layer.
    forward, backward, arrays : as `check_layer` takes them.
    limit : of its relative errors.
    memory : which arguments of `backward` take the memory for which gradient, such as
        {"dtable": "table"}.
    """

    name: str
    forward: Callable[..., tuple[np.ndarray, object]]
    backward: Callable
    arrays: Arrays
    limit: float = LIMIT_LAYER
    memory: Mapping[str, str] = field(default_factory=dict)


def check_layer(
    forward: Callable[..., tuple[np.ndarray, object]],
    backward: Callable,
    arrays: Arrays,
    rng: np.random.Generator,
    limit: float = LIMIT_LAYER,
    differentiable: tuple[str, ...] | None = None,
) -> list[GradientCheck]:
    """Check `backward` against `forward` on every entry of every input.

    Parameters
    ----------
    forward : called with the arrays by name, returns (out, cache).
    backward : called with (dout, cache), returns gradients in the order of the
        differentiable arrays.
    arrays : the arguments, float64; arrays of integers are passed on unchecked.
    differentiable : which of them to check, all but the integers when None.

    Raises
    ------
    TypeError : an argument or a gradient that is no array of float64.
    ValueError : another number of gradients than of arrays, or of another shape.
    """
    names = differentiable or tuple(
        name
        for name, value in arrays.items()
        if not (isinstance(value, np.ndarray) and value.dtype.kind in "iu")
    )
    checked = {name: arrays[name] for name in names}
    float64_only(checked)
    out, cache = forward(**arrays)
    weight = rng.standard_normal(out.shape)
    # A backward pass may use up its cache, and a forward pass its input.
    grads = backward(weight.copy(), cache)
    grads = (grads,) if isinstance(grads, np.ndarray) else grads
    if not isinstance(grads, tuple | list):
        raise TypeError(f"the backward pass returned {type(grads).__name__}, no arrays")
    if len(grads) != len(names):
        raise ValueError(
            f"the backward pass returned {len(grads)} gradients for {len(names)} "
            f"arrays ({', '.join(names)})"
        )
    return check_gradient(
        lambda: float(np.vdot(weight, forward(**arrays)[0])),
        checked,
        dict(zip(names, grads, strict=True)),
        rng,
        limit,
    )


def random_batch(
    rng: np.random.Generator,
    words: int,
    image_size: int,
    steps: int = STEPS,
    dtype: DTypeLike = np.float64,
    images: Sequence[int] = (0, 1, 2, 3, 4),
) -> PackedBatch:
    """Return a batch of five sentences of random known words, the longest of `steps`.

    Two of the sentences have equal length, one is a single word, and one has none: its
    only step is <end>.

    images : which of five images each sentence describes.
    """
    lengths = [1, steps - 1, steps // 2, steps // 2, 0]
    ids = [rng.integers(len(SPECIALS), words, length) for length in lengths]
    features = rng.standard_normal((len(ids), image_size)).astype(dtype)
    image = np.array(images)
    return pack(ids, features[image], image)


def layer_cases(seed: int) -> Iterator[LayerCase]:
    """Yield a case of every layer."""
    rng = np.random.default_rng([seed, 1])
    normal = rng.standard_normal
    tokens = np.array([1, 3, 3, 0, 1, 4])
    yield LayerCase(
        "embedding",
        lambda table: layers.embedding_forward(tokens, table),
        layers.embedding_backward,
        {"table": normal((5, 3))},
        memory={"dtable": "table"},
    )
    yield LayerCase(
        "affine",
        layers.affine_forward,
        layers.affine_backward,
        {"x": normal((4, 3)), "W": normal((3, 5)), "b": normal(5)},
    )
    yield LayerCase(
        "S-tanh",
        layers.stanh_forward,
        layers.stanh_backward,
        {"x": 2 * normal((4, 6))},
    )
    for rate in DROPOUT:
        yield LayerCase(
            f"dropout of {rate}",
            # The same mask at every call, as one training step sees one mask.
            lambda x, rate=rate: layers.dropout_forward(
                x, rate, np.random.default_rng(seed)
            ),
            layers.dropout_backward,
            {"x": normal((4, 6))},
        )
    yield LayerCase(
        "multimodal",
        lambda w, r, I, Vw, Vr, Vi, b: layers.multimodal_forward(
            w, r, I, np.array([0, 1, 2, 0, 2]), Vw, Vr, Vi, b
        ),
        layers.multimodal_backward,
        {
            "w": normal((5, 4)),
            "r": normal((5, 4)),
            "I": normal((3, 6)),
            "Vw": normal((4, 7)),
            "Vr": normal((4, 7)),
            "Vi": normal((6, 7)),
            "b": normal(7),
        },
        memory={"dVi": "Vi"},
    )
    targets = np.array([2, 0, 6, 2])
    yield LayerCase(
        "softmax + cross entropy",
        lambda z: layers.softmax_loss_forward(z.copy(), targets),
        layers.softmax_loss_backward,
        {"z": 2 * normal((4, 7))},
    )
    yield LayerCase(
        "output",
        lambda m, W, b: layers.output_forward(m, W, b, targets),
        layers.output_backward,
        {"m": normal((4, 5)), "W": normal((5, 7)), "b": normal(7)},
        memory={"dW": "W"},
    )
    away = normal((4, 6))
    away += 0.1 * np.sign(away)  # from the kink
    yield LayerCase("ReLU", layers.relu_forward, layers.relu_backward, {"x": away})
    yield LayerCase(
        "L2 normalisation",
        layers.normalise_forward,
        layers.normalise_backward,
        {"x": normal((4, 6))},
    )
    yield hinge_case(seed)
    yield LayerCase("L2", penalty_forward, penalty_backward, {"theta": normal((3, 4))})
    yield from cell_cases(seed)


def hinge_case(seed: int) -> LayerCase:
    """Return the ranking loss of six pairs, two of which have the same image."""
    image = np.array([0, 1, 1, 3, 4, 5])
    apart, margin = image[:, None] != image, 0.5
    for attempt in range(1000):
        scores = np.random.default_rng([seed, 8, attempt]).standard_normal((6, 6))
        if layers.hinge_distance_to_kink(scores, apart, margin) > 100 * STEP:
            break
    return LayerCase(
        "ranking hinge",
        lambda scores: layers.hinge_forward(scores, apart, margin),
        layers.hinge_backward,
        {"scores": scores},
    )


def penalty_forward(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the L2 penalty of one parameter in the form of a layer, out (1,)."""
    penalty = layers.l2_forward({"theta": theta}, 0.3)
    return np.array([penalty], theta.dtype), theta


def penalty_backward(dout: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """Return its gradient: the layer adds to gradients instead of returning them."""
    grads = {"theta": np.ones_like(theta)}
    layers.l2_backward({"theta": theta}, 0.3, grads)
    return dout * (grads["theta"] - 1)


def cell_cases(seed: int) -> Iterator[LayerCase]:
    """Yield every recurrent cell through time, alone and as a stack of two."""
    for name in CELLS:
        for layers_ in (1, 2):
            yield cell_case(seed, name, layers_)


def cell_case(seed: int, name: str, layers_: int = 1) -> LayerCase:
    """Return a recurrent cell through time, away from the kinks of its units."""
    X, R = (5 if name == "relu" else 4), 5
    more = {"scale": RECURRENT_SCALE} if name == "relu" else {}
    cell = make_cell(name, X, R, layers_, **more)
    for attempt in range(1000):
        rng = np.random.default_rng([seed, 2, attempt])
        batch = random_batch(rng, 14, 1)
        sizes = batch.batch_sizes
        p = draw(cell.parameters(), rng)
        for key, value in p.items():
            if not key.endswith(("W", "U")):
                value += 0.3 * rng.standard_normal(value.shape)
        x = rng.standard_normal((len(batch.tokens), X))
        state0 = rng.standard_normal((sizes[0], cell.state_size))
        if cell.distance_to_kink(x, state0, p, sizes) > 100 * STEP:
            break

    def backward(
        dout: np.ndarray, cache: tuple, **memory: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        dx, dstate0, dp = cell.backward(dout, cache, lambda key: memory.get(f"d{key}"))
        return dx, dstate0, *(dp[key] for key in p)

    return LayerCase(
        f"{name} cell{'s, two of them' if layers_ > 1 else ''}, {STEPS} steps",
        lambda x, state0, **p: cell.forward(x, state0, p, sizes),
        backward,
        {"x": x, "state0": state0, **p},
        LIMIT_THROUGH_TIME,
        {f"d{key}": key for key in p if key.endswith(("W", "U"))},
    )


def layer_checks(seed: int) -> Iterator[tuple[str, list[GradientCheck]]]:
    """Yield (layer, checks of its inputs and parameters) for every layer."""
    rng = np.random.default_rng([seed, 4])
    for case in layer_cases(seed):
        checks = check_layer(case.forward, case.backward, case.arrays, rng, case.limit)
        yield case.name, checks
