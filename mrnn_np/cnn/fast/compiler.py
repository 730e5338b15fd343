"""From the plan of a network to a program: what lies where, and who does how much.

A program (program.py) knows no names. Here the steps of a plan become records of its
table, and every map gets its memory, which other maps get after its last reader. The
parts of a concatenation are computed where they belong, and then it takes no record.

Layers that the kernels do not know (fully connected ones, global pooling), and all that
come after them, are left over: graph.py runs them. In our networks they are the end.

Knows: layers, shapes, offsets. Does not know: registers, threads.
"""

from collections.abc import Iterable

import numpy as np

from mrnn_np.cnn.architectures import Layer
from mrnn_np.cnn.convolution import LIMITS
from mrnn_np.cnn.fast import program as operations
from mrnn_np.cnn.fast.bands import panel_plain
from mrnn_np.cnn.fast.filters import Filters, in_panels, padded_channels, whole_windows
from mrnn_np.cnn.fast.memory import Map, Maps
from mrnn_np.cnn.fast.program import Program
from mrnn_np.cnn.fast.register_blocks import MOST_VECTORS, PIXELS
from mrnn_np.cnn.fast.registers import LANES, whole_vectors
from mrnn_np.cnn.fast.winograd import POINTS, TILE, transform_filters
from mrnn_np.cnn.graph import Step
from mrnn_np.cnn.shapes import window
from mrnn_np.cnn.windows import pair

# Numbers that a work item reads: 256 kB, a part of a core's own cache. Half of it
# costs 4 % more for Lite0, whose bands then overlap more often.
BAND = 1 << 16
# Winograd: numbers of a block of tiles; up to how many numbers (8 MB) all tiles are
# transformed before the first is multiplied; and about how many tiles an item has then.
BLOCK, FEW, TILES = 1 << 17, 1 << 21, 64
# Work items of a large instruction, so that nobody waits for long; and of one whose
# items overlap, so that more of them are more work.
ITEMS, FEWEST_ITEMS = 32, 8


class Compiler:
    """Compiles one program, step by step.

    Parameters
    ----------
    steps : from `plan`.
    wanted : names of the outputs that are wanted.
    weights : ``<layer>.weight`` and ``<layer>.bias``, float32.
    filters : gets the filters of layers it does not have yet.
    shape : (N, H, W, C) of the images, N at least 1.
    """

    def __init__(
        self,
        steps: list[Step],
        wanted: Iterable[str],
        weights: dict[str, np.ndarray],
        filters: Filters,
        shape: tuple[int, int, int, int],
    ) -> None:
        self.steps, self.wanted = steps, set(wanted)
        self.weights, self.filters, self.count = weights, filters, shape[0]
        self.table: list[dict] = []
        self.scratch = 0
        # The zeros that Winograd's tiles find beyond an edge. They are as long for all
        # programs of a network, which use the same memory in turn.
        inputs = (array.shape[2] for array in weights.values() if array.ndim == 4)
        self.maps = Maps(steps, self.wanted, self.count, max(inputs, default=1))
        # Windows of three colours lie side by side, if nothing else wants vectors.
        readers = [step.parts[0][0].op for step in steps if "input" in step.inputs]
        dense = set(readers) <= {"convolution"}
        pixel = shape[3] if dense else whole_vectors(shape[3])
        self.picture = self.maps.add("input", *shape[1:], pixel)

    def program(self) -> Program:
        """Return the program."""
        rest = list(self.steps)
        while rest and self._compile(rest[0]):
            for name in rest.pop(0).finished:
                self.maps.release(name)
        needed = self.wanted.union(*(step.inputs for step in rest))
        table = np.zeros(len(self.table), operations.RECORD).view(np.recarray)
        for record, values in zip(table, self.table, strict=True):
            for name, value in values.items():
                record[name] = value
        maps = {name: self.maps[name] for name in needed if name in self.maps}
        return Program(
            table, self.maps.memory.size, self.scratch, self.picture, maps, rest
        )

    def _compile(self, step: Step) -> bool:
        """Add the records of a step, or return False if there is no kernel for it."""
        layer, activation = step.parts[-1]
        inputs = [self.maps[name] for name in step.inputs]
        x, name = inputs[0], step.output
        if layer.op in ("identity", "dropout"):
            self.maps.rename(step.inputs[0], name)
        elif layer.op in ("relu", "relu6", "add"):
            self._elementwise(layer.op, inputs, name)
        elif layer.op == "concat" and all(x.channels % LANES == 0 for x in inputs):
            self._concat(inputs, name)
        elif layer.op == "max_pool" and _is_usual(layer, x):
            self._max_pool(layer, x, name)
        elif layer.op == "depthwise" and _is_usual(layer, x):
            expand = step.parts[0] if len(step.parts) == 2 else None
            self._depthwise(layer, activation, x, name, expand)
        elif layer.is_pointwise:
            self._pointwise(layer, activation, x, name)
        elif layer.op == "convolution" and layer.groups == 1 and _is_usual(layer, x):
            tiles = (layer.kernel, layer.stride) == (3, 1) and x.pixel % LANES == 0
            add = self._winograd if tiles else self._convolution
            add(layer, activation, x, name)
        else:
            return False
        return True

    # One method for each kind of layer.

    def _elementwise(self, op, inputs, name):
        x = inputs[0]
        out = self.maps.add(name, x.height, x.width, x.channels, x.pixel)
        # A ReLU is clip(x + 0): where memory begins, it holds zeros.
        second = {"other": inputs[1].at, "other_stride": LANES} if op == "add" else {}
        limits = _limits(None if op == "add" else op)
        items = self._items_of_pixels(x, x.pixel)
        self._add(operations.ELEMENTWISE, x, out, **items, **second, **limits)

    def _concat(self, inputs, name):
        """Copy those parts that are not yet where they belong."""
        x, channels = inputs[0], sum(x.channels for x in inputs)
        if name not in self.maps:
            self.maps.add(name, x.height, x.width, channels)
        whole, start = self.maps[name], 0
        for x in inputs:
            if x.allocation is not whole.allocation:
                out = Map(
                    whole.allocation, x.height, x.width, x.channels, channels, start
                )
                items = self._items_of_pixels(x, x.channels)
                self._add(operations.COPY, x, out, **items)
            start += x.channels

    def _max_pool(self, layer, x, name):
        geometry = _window(layer, x)
        out = self._output(name, geometry, x.channels)
        lines = -(-out.height * self.count // ITEMS)
        self._add(
            operations.MAX_POOL, x, out, **self._items_of_lines(lines, out), **geometry
        )

    def _pointwise(self, layer, activation, x, name):
        out = self.maps.add(name, x.height, x.width, layer.channels)
        filters = self._filters(layer, x.channels)
        items = self._items_of_pixels(x, x.channels, filters["vectors"])
        limits = _limits(activation)
        self._add(operations.POINTWISE, x, out, **items, **filters, **limits)

    def _convolution(self, layer, activation, x, name):
        geometry = _window(layer, x)
        out = self._output(name, geometry, layer.channels)
        filters = self._filters(layer, x.pixel)
        lines = self._lines(geometry, x.pixel, FEWEST_ITEMS)
        items = self._items_of_lines(lines, out, filters["vectors"])
        self._add(
            operations.CONVOLUTION, x, out, **items, **geometry, **filters,
            **_limits(activation),
        )  # fmt: skip

    def _depthwise(self, layer, activation, x, name, expand):
        """Add a depthwise layer, and the 1x1 filters before it if there are any."""
        weight, bias = self._weights(layer)
        geometry = _window(layer, x)
        out = self._output(name, geometry, len(bias))
        rows = weight.reshape(-1, len(bias))  # (kh*kw, C)
        at = self.filters.add(
            (layer.name,), lambda: padded_channels(rows).ravel(), bias
        )
        vectors = out.pixel // LANES
        panels = panel_plain(vectors, 0)[2]
        before = {"expand": -1}
        if expand is not None:
            found, limits = self._filters(expand[0], x.channels), _limits(expand[1])
            before = {
                "expand": found["weights"], "expand_bias": found["bias"],
                "expand_low": limits["low"], "expand_high": limits["high"],
            }  # fmt: skip
        widest = LANES * min(vectors, MOST_VECTORS)
        lines = self._lines(geometry, widest, -(-FEWEST_ITEMS // panels))
        items = self._items_of_lines(lines, out)
        items["items"] *= panels
        self._add(
            operations.DEPTHWISE, x, out, **items, **geometry, **before,
            vectors=vectors, weights=at[0], bias=at[1], **_limits(activation),
        )  # fmt: skip

    def _winograd(self, layer, activation, x, name):
        """Add a convolution by tiles: one instruction, or two where they are few.

        One instruction keeps a block of transformed tiles in the cache, and sends all
        filters through it for every block. With few tiles that costs too much.
        """
        geometry = _window(layer, x)
        out = self._output(name, geometry, layer.channels)
        weight, bias = self._weights(layer)
        at = self.filters.add(
            (layer.name, "winograd"),
            lambda: in_panels(
                padded_channels(transform_filters(weight).reshape(-1, len(bias)))
            ),
            bias,
        )
        vectors = whole_vectors(len(bias)) // LANES
        values = {
            **geometry, **_limits(activation), "weights": at[0], "bias": at[1],
            "vectors": vectors,
        }  # fmt: skip
        tiles = self.count * -(-out.height // TILE) * -(-out.width // TILE)
        if tiles * POINTS * x.pixel > FEW:
            block = max(PIXELS, BLOCK // (POINTS * x.pixel))
            items = _items(tiles, block)
            self._add(operations.WINOGRAD, x, out, **items, **values)
            scratch = POINTS * (block * x.pixel + LANES)
        else:
            middle = self.maps.memory.allocate(POINTS * (tiles * x.pixel + LANES))
            values["middle"] = middle.at
            panels = panel_plain(vectors, 0)[2]
            blocks = max(tiles // TILES, 2 * FEWEST_ITEMS // panels, 1)
            block = PIXELS * -(-tiles // (blocks * PIXELS))
            self._add(operations.TRANSFORM, x, out, **_items(tiles, 2), **values)
            self._add(
                operations.MULTIPLY, x, out, **_items(tiles, block, vectors), **values
            )
            self.maps.memory.free(middle)
            scratch = 0
        widest = LANES * min(vectors, MOST_VECTORS)
        scratch += POINTS * (block * widest + LANES) + widest
        self._reserve(scratch)

    # What the records are made of.

    def _add(self, operation: int, x: Map, out: Map, **values) -> None:
        """Add a record."""
        self.table.append(
            {
                "operation": operation, "count": self.count, "x": x.at,
                "height": x.height, "width": x.width, "channels": x.channels,
                "pixel": x.pixel, "out": out.at, "out_height": out.height,
                "out_width": out.width, "out_pixel": out.pixel, **values,
            }
        )  # fmt: skip

    def _weights(self, layer: Layer) -> tuple[np.ndarray, np.ndarray]:
        return self.weights[f"{layer.name}.weight"], self.weights[f"{layer.name}.bias"]

    def _filters(self, layer: Layer, pixel: int) -> dict:
        """Return where the filters for pixels of so many numbers are."""
        weight, bias = self._weights(layer)
        weights, bias_at = self.filters.add(
            (layer.name, pixel), lambda: in_panels(whole_windows(weight, pixel)), bias
        )
        vectors = whole_vectors(len(bias)) // LANES
        return {"weights": weights, "bias": bias_at, "vectors": vectors}

    def _lines(self, window: dict, pixel: int, fewest: int) -> int:
        """Return the output lines of a band whose input pixels have `pixel` numbers.

        As many as fit into the scratch, but so that there are `fewest` bands, all
        images together.
        """
        line = pixel * (
            (window["out_width"] - 1) * window["stride_w"] + window["kernel_w"]
        )
        fit = max(1, (BAND // line - window["kernel_h"]) // window["stride_h"] + 1)
        bands = max(-(-window["out_height"] // fit), -(-fewest // self.count))
        lines = -(-window["out_height"] // bands)
        self._reserve(line * ((lines - 1) * window["stride_h"] + window["kernel_h"]))
        return lines

    def _items_of_lines(self, lines: int, out: Map, vectors: int = 0) -> dict:
        bands = -(-out.height // lines)
        return _items(self.count * bands * lines, lines, vectors)

    def _items_of_pixels(self, x: Map, numbers: int, vectors: int = 0) -> dict:
        """Return work items of pixels that have so many numbers each."""
        total = self.count * x.height * x.width
        blocks = max(min(ITEMS, total // (4 * PIXELS)), total * numbers // BAND, 1)
        return _items(total, PIXELS * -(-total // (blocks * PIXELS)), vectors)

    # Where things are.

    def _reserve(self, numbers: int) -> None:
        self.scratch = max(self.scratch, whole_vectors(numbers))

    def _output(self, name: str, window: dict, channels: int) -> Map:
        return self.maps.add(name, window["out_height"], window["out_width"], channels)


def compile_program(
    steps: list[Step],
    wanted: Iterable[str],
    weights: dict[str, np.ndarray],
    filters: Filters,
    shape: tuple[int, int, int, int],
) -> Program:
    """Compile a plan for images of one number and size.

    Parameters
    ----------
    steps, wanted, weights, filters, shape : see `Compiler`.
    """
    return Compiler(steps, wanted, weights, filters, shape).program()


def _limits(activation: str | None) -> dict:
    low, high = LIMITS[activation]
    return {"low": low, "high": high}


def _items(total: int, block: int, vectors: int = 0) -> dict:
    """Return work items of `block` things each, in groups of panels if few."""
    blocks = -(-total // block)
    panels = panel_plain(vectors, 0)[2] if vectors else 1
    groups = min(panels, -(-ITEMS // blocks))
    return {
        "block": block,
        "blocks": blocks,
        "panel_groups": groups,
        "items": blocks * groups,
    }


def _is_usual(layer: Layer, x: Map) -> bool:
    """Tell whether every window sees some pixel: there is less padding than window."""
    sides, _ = window(layer, (x.height, x.width))
    edges = zip(sides, pair(layer.kernel), strict=True)
    return all(max(side) < length for side, length in edges)


def _window(layer: Layer, x: Map) -> dict:
    """Return window, strides and padding of a layer, and the size of its output."""
    sides, (height, width) = window(layer, (x.height, x.width))
    kernel_h, kernel_w = pair(layer.kernel)
    stride_h, stride_w = pair(layer.stride)
    return {
        "out_height": height, "out_width": width,
        "kernel_h": kernel_h, "kernel_w": kernel_w,
        "stride_h": stride_h, "stride_w": stride_w,
        "top": sides[0][0], "left": sides[1][0],
    }  # fmt: skip
