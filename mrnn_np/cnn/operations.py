"""What each operation of a network computes, and which kernel does it.

Knows: one layer at a time: its inputs, its weights, its output. Does not know: the
order of layers or when a buffer is no longer needed (graph.py).
"""

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mrnn_np.cnn.architectures import Layer
from mrnn_np.kernels.bias import LIMITS, add_bias
from mrnn_np.kernels.bottleneck import Filters, bottleneck, worth_strips
from mrnn_np.kernels.convolution import convolution
from mrnn_np.kernels.depthwise import depthwise
from mrnn_np.kernels.pooling import average_pool, global_average_pool, max_pool
from mrnn_np.kernels.room import OUTSIDE, Room
from mrnn_np.kernels.winograd import TILE, transform_filters, winograd, worth_while

Part = tuple[Layer, str | None]  # a layer, and the ReLU that is applied at once


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
    room: Room = OUTSIDE,
) -> np.ndarray:
    """Return ``activation(x @ weight + bias)`` of flattened inputs.

    Parameters
    ----------
    x : (N, in) or a map (N, H, W, C), flattened in this order to (N, H*W*C).
    weight : (in, out), bias : (out,), dtype of `x`.
    room : memory and threads to work with.

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
    out = room.empty((len(rows), len(bias)), x.dtype)

    def work(start, stop):
        np.matmul(rows, weight[:, start:stop], out=out[:, start:stop])
        add_bias(out, bias, activation, (start, stop))

    room.each(work, list(room.shares(len(bias), 64)))
    return out


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


def convolve(layer, x, weight, bias, activation, room, prepared) -> np.ndarray:
    """Convolve in the way that suits the shape: by Winograd's tiles or directly.

    Filters that were transformed are kept in `prepared` under the layer's name.
    """
    tiles = len(x) * -(-x.shape[1] // TILE) * -(-x.shape[2] // TILE)
    if (layer.kernel, layer.stride, layer.groups) == (3, 1, 1) and worth_while(
        tiles, *weight.shape[2:]
    ):
        if layer.name not in prepared:
            prepared[layer.name] = transform_filters(weight)
        filters = prepared[layer.name]
        return winograd(x, filters, bias, layer.padding, activation, room)
    return convolution(
        x, weight, bias, layer.stride, layer.padding, layer.groups, activation, room
    )


def concat(parts: list[np.ndarray], room: Room = OUTSIDE) -> np.ndarray:
    """Put the channels of several maps side by side."""
    channels = sum(part.shape[-1] for part in parts)
    out = room.empty((*parts[0].shape[:-1], channels), parts[0].dtype)
    return np.concatenate(parts, axis=-1, out=out)


# op -> function of (layer, inputs, weight, bias, activation, room, prepared). Only the
# first three, which have weights, can apply an activation on the way.
WEIGHTED = {
    "convolution": lambda layer, x, *rest: convolve(layer, x[0], *rest),
    "depthwise": lambda layer, x, weight, bias, activation, room, _: depthwise(
        x[0], weight, bias, layer.stride, layer.padding, activation, room
    ),
    "fully_connected": lambda layer, x, weight, bias, activation, room, _: (
        fully_connected(x[0], weight, bias, activation, room)
    ),
}
# op -> function of (layer, inputs, room).
WEIGHTLESS = {
    "relu": lambda layer, x, room: relu(x[0]),
    "relu6": lambda layer, x, room: relu6(x[0]),
    "max_pool": lambda layer, x, room: max_pool(
        x[0], layer.kernel, layer.stride, layer.padding, layer.ceil, room
    ),
    "average_pool": lambda layer, x, room: average_pool(
        x[0], layer.kernel, layer.stride, layer.padding, layer.ceil
    ),
    "global_average_pool": lambda layer, x, room: global_average_pool(x[0]),
    "local_response_normalisation": lambda layer, x, room: local_response_normalisation(
        x[0]
    ),
    "add": lambda layer, x, room: np.add(*x, out=room.empty(x[0].shape, x[0].dtype)),
    "concat": lambda layer, x, room: concat(x, room),
    # Dropout leaves things out while a network is trained. These are not.
    "dropout": lambda layer, x, room: x[0],
    "identity": lambda layer, x, room: x[0],
}


def apply(
    layer: Layer,
    inputs: list[np.ndarray],
    weights: dict[str, np.ndarray],
    activation: str | None = None,
    room: Room = OUTSIDE,
    prepared: dict[str, np.ndarray] | None = None,
) -> np.ndarray:
    """Compute the output of one layer.

    Parameters
    ----------
    layer : what to compute.
    inputs : outputs of ``layer.inputs``, in that order, batch axis first.
    weights : holds ``<layer>.weight`` and ``<layer>.bias`` if the layer has them.
    activation : of the layer that follows, if it is to be applied at once.
    room : memory and threads to work with.
    prepared : what was computed from the weights before (transformed filters), by
        layer; filled as needed. It belongs to these weights.
    """
    prepared = {} if prepared is None else prepared
    if layer.op in WEIGHTED:
        weight, bias = weights[f"{layer.name}.weight"], weights[f"{layer.name}.bias"]
        return WEIGHTED[layer.op](
            layer, inputs, weight, bias, activation, room, prepared
        )
    return WEIGHTLESS[layer.op](layer, inputs, room)


def apply_parts(
    parts: Sequence[Part],
    inputs: list[np.ndarray],
    weights: dict[str, np.ndarray],
    room: Room = OUTSIDE,
    prepared: dict[str, np.ndarray] | None = None,
) -> np.ndarray:
    """Compute the output of one layer, or of several that read each other's.

    1x1 filters (or none), a depthwise layer and 1x1 filters are computed in strips
    where that is faster. Arguments as for `apply`, the inputs are those of the first.
    """
    if len(parts) > 1 and parts[-1][0].is_pointwise:
        depthwise_layer = parts[-2][0]
        filters = [
            Filters(weights[f"{layer.name}.weight"], weights[f"{layer.name}.bias"], act)
            for layer, act in parts
        ]
        if worth_strips(inputs[0], filters[-2]):
            expand = filters[0] if len(parts) == 3 else None
            size = depthwise_layer.stride, depthwise_layer.padding
            return bottleneck(inputs[0], expand, *filters[-2:], *size, room)
    for layer, activation in parts:
        inputs = [apply(layer, inputs, weights, activation, room, prepared)]
    return inputs[0]
