"""What each operation of a network computes, in NumPy.

The plain engine (graph.py) is these functions, one after the other. The fast engine
(cnn/fast) is tested against them, and leaves to them what it has no kernel for.

Local response normalisation and convolutions of groups are in none of the networks
here; lesson 6 needs them, to show AlexNet as it was published.

Knows: one layer at a time: its inputs, its weights, its output. Does not know: the
order of layers or when an output is no longer needed (graph.py).
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mrnn_np.cnn.architectures import Layer
from mrnn_np.cnn.convolution import LIMITS, add_bias, convolution, depthwise
from mrnn_np.cnn.pooling import average_pool, global_average_pool, max_pool


def relu(x: np.ndarray) -> np.ndarray:
    """Return max(x, 0)."""
    return np.maximum(x, 0)


def relu6(x: np.ndarray) -> np.ndarray:
    """Return min(max(x, 0), 6): a rectifier that 8-bit arithmetic can hold."""
    return np.clip(x, *LIMITS["relu6"])


def fully_connected(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    activation: str | None = None,
) -> np.ndarray:
    """Return ``activation(x @ weight + bias)`` of flattened inputs.

    Parameters
    ----------
    x : (N, in) or a map (N, H, W, C), flattened in this order to (N, H*W*C).
    weight : (in, out), bias : (out,), dtype of `x`.

    Raises
    ------
    ValueError : an input of another length, for instance a picture of another size
        than the network was made for.
    """
    rows = x.reshape(len(x), -1)  # (N, H, W, C) -> (N, in)
    if rows.shape[1] != len(weight):
        raise ValueError(
            f"{rows.shape[1]} inputs of shape {x.shape[1:]} for a fully connected "
            f"layer of {len(weight)}: the picture has another size than the network"
        )
    return add_bias(rows @ weight, bias, activation)


def local_response_normalisation(
    x: np.ndarray,
    size: int = 5,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 2.0,
) -> np.ndarray:
    """Divide each activation by the energy of its neighbouring channels.

    ``b[c] = a[c] / (k + alpha * sum of a[j]^2, |j - c| <= size // 2) ** beta``

    The sum is not divided by `size`, as in Krizhevsky et al. (2012), section 3.3, whose
    constants are the defaults; Caffe and PyTorch divide it, so their alpha is `size`
    times as large.

    Parameters
    ----------
    x : (..., C), float32 or float64.
    size : number of channels in the window, odd.
    """
    half = size // 2
    padded = np.pad(x * x, [(0, 0)] * (x.ndim - 1) + [(half, half)])
    energy = sliding_window_view(padded, size, axis=-1).sum(axis=-1)  # (..., C)
    return (x / (k + alpha * energy) ** beta).astype(x.dtype)


# op -> function of (layer, inputs, weight, bias, activation). Only these, which have
# weights, can apply an activation on the way.
WEIGHTED = {
    "convolution": lambda layer, x, weight, bias, activation: convolution(
        x[0], weight, bias, layer.stride, layer.padding, layer.groups, activation
    ),
    "depthwise": lambda layer, x, weight, bias, activation: depthwise(
        x[0], weight, bias, layer.stride, layer.padding, activation
    ),
    "fully_connected": lambda layer, x, *rest: fully_connected(x[0], *rest),
}
# op -> function of (layer, inputs).
WEIGHTLESS = {
    "relu": lambda layer, x: relu(x[0]),
    "relu6": lambda layer, x: relu6(x[0]),
    "max_pool": lambda layer, x: max_pool(
        x[0], layer.kernel, layer.stride, layer.padding, layer.ceil
    ),
    "average_pool": lambda layer, x: average_pool(
        x[0], layer.kernel, layer.stride, layer.padding, layer.ceil
    ),
    "global_average_pool": lambda layer, x: global_average_pool(x[0]),
    "local_response_normalisation": lambda layer, x: local_response_normalisation(x[0]),
    "add": lambda layer, x: np.add(*x),
    "concat": lambda layer, x: np.concatenate(x, axis=-1),
    # Dropout leaves things out while a network is trained. These are not.
    "dropout": lambda layer, x: x[0],
    "identity": lambda layer, x: x[0],
}


def apply(
    layer: Layer,
    inputs: list[np.ndarray],
    weights: dict[str, np.ndarray],
    activation: str | None = None,
) -> np.ndarray:
    """Compute the output of one layer.

    Parameters
    ----------
    layer : what to compute.
    inputs : outputs of ``layer.inputs``, in that order, batch axis first.
    weights : holds ``<layer>.weight`` and ``<layer>.bias`` if the layer has them.
    activation : of the layer that follows, if it is to be applied at once.
    """
    if layer.op in WEIGHTED:
        weight, bias = weights[f"{layer.name}.weight"], weights[f"{layer.name}.bias"]
        return WEIGHTED[layer.op](layer, inputs, weight, bias, activation)
    return WEIGHTLESS[layer.op](layer, inputs)
