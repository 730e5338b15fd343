"""From the tensors of a foreign file to the arrays of ours.

Knows: how to find the layout of `layouts.py` that fits, and how each kind of weight
is turned. Does not know: files.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mrnn_np.cnn.architectures import build
from mrnn_np.cnn.folding import fold_batch_norm
from mrnn_np.cnn.preprocessing import PREPROCESSING
from mrnn_np.cnn.shapes import output_shapes, weight_shapes
from mrnn_np.convert.layouts import LAYOUTS, Layout
from mrnn_np.runtime.errors import InputError

BATCH_NORM = ("weight", "bias", "running_mean", "running_var")
BATCH_NORM_EPS = 1e-3  # of EfficientNet-Lite0, the one network here that has any


@dataclass(frozen=True)
class Target:
    """A layer with weights as a converted file holds it.

    name : as in `mrnn_np.cnn.architectures`.
    op : "convolution", "depthwise" or "fully_connected".
    shape : of its weight, in our order of axes.
    source : shape (h, w, c) of the map, or (length,) of the vector, that it reads.
    """

    name: str
    op: str
    shape: tuple[int, ...]
    source: tuple[int, ...]

    def stored_shape(self, axes: str) -> tuple[int, ...]:
        """Return the weight's shape in a file with these axes."""
        if axes == "ours":
            return self.shape
        if self.op == "fully_connected":
            return self.shape[::-1]
        if self.op == "depthwise":
            height, width, channels = self.shape
            return (channels, 1, height, width)
        height, width, c_in, c_out = self.shape
        return (c_out, c_in, height, width)

    def turn(self, weight: np.ndarray) -> np.ndarray:
        """Bring a weight from PyTorch's order of axes to ours."""
        if self.op == "convolution":
            return weight.transpose(2, 3, 1, 0)  # (o, i, h, w) -> (h, w, i, o)
        if self.op == "depthwise":
            return weight[:, 0].transpose(1, 2, 0)  # (c, 1, h, w) -> (h, w, c)
        if len(self.source) == 1:
            return weight.T  # (out, in) -> (in, out)
        height, width, channels = self.source
        apart = weight.reshape(-1, channels, height, width)  # (out, c, h, w)
        return apart.transpose(2, 3, 1, 0).reshape(self.shape)  # (h * w * c, out)


def targets(layout: Layout) -> list[Target]:
    """List the layers that a file of this layout can fill, in order."""
    layers = build(layout.architecture, layout.variant)
    size = PREPROCESSING[layout.architecture, layout.variant].size
    shapes, outputs = weight_shapes(layers, size), output_shapes(layers, size)
    return [
        Target(
            layer.name,
            layer.op,
            shapes[f"{layer.name}.weight"],
            outputs[layer.inputs[0]],
        )
        for layer in layers
        if layer.name in layout.stems
    ]


def tensors_of(layout: Layout, target: Target) -> dict[str, tuple[int, ...]]:
    """Return name -> shape of the tensors from which one layer is made.

    The first is the weight; then a bias, or the four statistics of a batch norm.
    """
    stem, width = layout.stems[target.name], target.shape[-1:]
    shapes = {layout.weight.format(stem): target.stored_shape(layout.axes)}
    norm = layout.norms.get(target.name)
    if norm is None:
        return {**shapes, layout.bias.format(stem): width}
    return {**shapes, **{f"{norm}.{part}": width for part in BATCH_NORM}}


def convert_state_dict(
    architecture: str | None, tensors: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Turn the tensors of any known layout into ``"<layer>.weight"``, ``".bias"``.

    Parameters
    ----------
    architecture : one of `mrnn_np.cnn.architectures.NETWORKS`, or None to tell it from
        the tensors.
    tensors : name -> array as a reader gives them.

    Returns float32 arrays: convolution (kh, kw, c_in, c_out), depthwise (kh, kw, c),
    fully connected (in, out), bias (out,). Batch norms are folded in. The last layers
    may be absent, as in networks that were cut off for their features.

    Raises
    ------
    InputError : no layout fits; names the first tensor that is missing, not expected
        or of another shape.
    """
    return apply_layout(detect_layout(architecture, tensors), tensors)


def detect_layout(
    architecture: str | None, tensors: Mapping[str, np.ndarray]
) -> Layout:
    """Return the layout that explains the most tensors by name and shape.

    Raises
    ------
    InputError : unknown architecture, or not even one tensor is explained.
    """
    known = sorted({layout.architecture for layout in LAYOUTS})
    if architecture is not None and architecture not in known:
        raise InputError(
            f"unknown architecture {architecture!r}; known are {', '.join(known)}"
        )

    def explained(layout: Layout) -> int:
        inner = strip_prefix(layout, tensors)
        return sum(
            name in inner and inner[name].shape == shape
            for target in targets(layout)
            for name, shape in tensors_of(layout, target).items()
        )

    wanted = [each for each in LAYOUTS if architecture in (None, each.architecture)]
    counts = [explained(layout) for layout in wanted]
    if max(counts) == 0:
        first = next(iter(tensors), "(none)")
        raise InputError(
            f"these tensors belong to no network known here "
            f"({', '.join([architecture] if architecture else known)}): the first is "
            f"{first[:80]!r}"
        )
    return wanted[counts.index(max(counts))]


def strip_prefix(layout: Layout, tensors: Mapping) -> Mapping:
    """Take off what training scripts put in front: "module.", "state_dict."."""
    first = layout.weight.format(next(iter(layout.stems.values())))
    for name in tensors:
        if name.endswith("." + first):
            prefix = name.removesuffix(first)
            return {
                name.removeprefix(prefix): tensor
                for name, tensor in tensors.items()
                if name.startswith(prefix)
            }
    return tensors


def apply_layout(
    layout: Layout, tensors: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Turn the tensors of a file that follows the layout; see `convert_state_dict`."""
    inner = strip_prefix(layout, tensors)
    present = targets(layout)
    while present and next(iter(tensors_of(layout, present[-1]))) not in inner:
        present.pop()  # a network that was cut off for its features
    _check(layout, present, inner)
    arrays = {}
    for target in present:
        weight, *rest = (_floats(n, inner) for n in tensors_of(layout, target))
        if layout.axes == "torch":
            weight = target.turn(weight)
        if target.name in layout.norms:
            gamma, beta, mean, variance = rest
            weight, bias = fold_batch_norm(
                weight, None, gamma, beta, mean, variance, BATCH_NORM_EPS
            )
        else:
            (bias,) = rest
        arrays[f"{target.name}.weight"] = np.ascontiguousarray(weight)
        arrays[f"{target.name}.bias"] = np.ascontiguousarray(bias)
    return arrays


def _check(layout: Layout, present: list[Target], inner: Mapping) -> None:
    """Compare names and shapes with what the layers need; name the first fault."""
    network = f"{layout.architecture} (as in {layout.origin})"
    known: dict[str, tuple[int, ...]] = {}
    for target in present:
        known |= tensors_of(layout, target)
    for name, shape in known.items():
        if name not in inner:
            raise InputError(f"{network}: tensor {name!r} of shape {shape} is missing")
        if inner[name].shape != shape:
            raise InputError(
                f"{network}: tensor {name!r} has shape {inner[name].shape}, expected "
                f"{shape}"
            )
    for name in inner:
        if name not in known and not any(part in name for part in layout.ignored):
            raise InputError(
                f"{network}: tensor {name[:80]!r} is not part of this network"
            )


def _floats(name: str, inner: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return a tensor as float32, all of its numbers finite."""
    tensor = inner[name]
    if tensor.dtype.kind != "f":
        raise InputError(f"tensor {name!r} holds {tensor.dtype}, expected floats")
    with np.errstate(over="ignore"):
        tensor = tensor.astype(np.float32, copy=False)
    if not np.isfinite(tensor).all():
        raise InputError(f"tensor {name!r} holds numbers that are not finite")
    return tensor
