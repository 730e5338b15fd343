"""What shape every layer's output and weights have, worked out without running it.

Knows: the arithmetic of shapes. Does not know: any number of any image.
"""

import math

from mrnn_np.cnn.architectures import Layer
from mrnn_np.cnn.windows import Pair, count_positions, pair, resolve_padding

Shape = tuple[int, ...]


def output_shapes(
    layers: list[Layer], size: int, channels: int = 3
) -> dict[str, Shape]:
    """Return layer name -> shape of its output for one image, without the batch axis.

    Parameters
    ----------
    layers : a network in execution order.
    size : height and width of the image.
    channels : of the image.

    Maps have the shape (height, width, channels), vectors (length,); "input" is one of
    the names.
    """
    shapes: dict[str, Shape] = {"input": (size, size, channels)}
    for layer in layers:
        shape = shapes[layer.inputs[0]]
        if layer.op in ("convolution", "depthwise", "max_pool", "average_pool"):
            keeps = layer.op != "convolution"
            _, out = window(layer, (shape[0], shape[1]))
            shape = (*out, shape[2] if keeps else layer.channels)
        elif layer.op == "fully_connected":
            shape = (layer.channels,)
        elif layer.op == "global_average_pool":
            shape = shape[2:]
        elif layer.op == "concat":
            total = sum(shapes[name][-1] for name in layer.inputs)
            shape = (*shape[:-1], total)
        shapes[layer.name] = shape
    return shapes


def window(layer: Layer, size: Pair) -> tuple[tuple[Pair, Pair], Pair]:
    """Return the padding of a layer, ((top, bottom), (left, right)), and its output.

    Parameters
    ----------
    layer : a convolution or pooling.
    size : (height, width) of its input; that of the output is returned likewise.

    Raises
    ------
    ValueError : the window is longer than the padded picture.
    """
    kernel, stride = pair(layer.kernel), pair(layer.stride)
    sides = resolve_padding(layer.padding, size, kernel, stride)
    height, width = (
        count_positions(size[axis], kernel[axis], stride[axis], sides[axis], layer.ceil)
        for axis in (0, 1)
    )
    return sides, (height, width)


def weight_shapes(
    layers: list[Layer], size: int, channels: int = 3
) -> dict[str, Shape]:
    """Return array name -> shape for all weights and biases of a network.

    Convolution (kh, kw, c_in / groups, c_out), depthwise (kh, kw, c), fully connected
    (in, out) where a map before it is flattened as (height, width, channels); biases
    are vectors.
    """
    outputs = output_shapes(layers, size, channels)
    shapes: dict[str, Shape] = {}
    for layer in layers:
        weight: Shape
        c_in = outputs[layer.inputs[0]][-1]
        c_out = outputs[layer.name][-1]
        if layer.op == "convolution":
            weight = (layer.kernel, layer.kernel, c_in // layer.groups, c_out)
        elif layer.op == "depthwise":
            weight = (layer.kernel, layer.kernel, c_out)
        elif layer.op == "fully_connected":
            weight = (math.prod(outputs[layer.inputs[0]]), c_out)
        else:
            continue
        shapes[f"{layer.name}.weight"] = weight
        shapes[f"{layer.name}.bias"] = (c_out,)
    return shapes
