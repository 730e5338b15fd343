"""A pretrained network, ready to use: weights, structure and preprocessing together.

Knows: weight files of kind "cnn" and how to get features or classes out of images.
Does not know: foreign weight formats (mrnn_np/convert), captions.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, overload

import numpy as np

from mrnn_np.cnn.architectures import (
    FEATURE_LAYERS,
    FEATURE_SIZES,
    REGION_LAYERS,
    Layer,
    build,
)
from mrnn_np.cnn.graph import PlainEngine
from mrnn_np.cnn.operations import WEIGHTED
from mrnn_np.cnn.pooling import adaptive_average_pool
from mrnn_np.cnn.preprocessing import Preprocessing, several
from mrnn_np.cnn.shapes import output_shapes, weight_shapes
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.threads import Team

if TYPE_CHECKING:
    from mrnn_np.cnn.fast import FastEngine

ENGINES = ("fast", "plain")
BATCH = 4  # images that are computed together. More would not stay in the cache.


class CNN:
    """A convolutional network with its weights.

    Parameters
    ----------
    header : of a weight file: ``name``, ``architecture``, ``variant``,
        ``preprocessing``, ``content_sha256`` and whatever else was noted.
    weights : ``<layer>.weight`` and ``<layer>.bias``, any floating dtype.
    engine : who computes. "plain" is NumPy, layer after layer: from `features` to the
        arithmetic one reads this file, graph.py, operations.py and convolution.py.
        "fast" is cnn/fast, compiled, by all threads: about 20 times as fast.

    Attributes
    ----------
    name, architecture, variant : str (variant may be None).
    header : dict, as given.
    sha256 : content hash of the weight file, 64 hex digits.
    preprocessing : `Preprocessing` to classify with: of the centre of an image.
    feature_preprocessing : the one for `features`: of the whole image.
    layers : the layers that the file has weights for, in execution order. A file may
        hold the front of a network only; what needs no weights runs up to the first
        layer that lacks them.
    layer_names : their names; each can be tapped.
    weights : as given, float32. They cannot be written to, since a compiled network
        has a copy of its own: to change them, make another CNN of header and weights.
    feature_layers, feature_size : what `features` returns, and its length D.
    region_layer, region_size : whose map `regions` cuts, and its channels C.

    Raises
    ------
    InputError : weights that do not belong to the architecture, or no such engine.
    """

    def __init__(
        self, header: dict, weights: dict[str, np.ndarray], engine: str = "fast"
    ) -> None:
        self.header = header
        self.name = header["name"]
        self.architecture = header["architecture"]
        self.variant = header.get("variant")
        self.sha256 = header.get("content_sha256", "")
        self.preprocessing = Preprocessing.from_dict(header["preprocessing"])
        self.feature_preprocessing = self.preprocessing.of_whole_picture(
            FEATURE_SIZES.get(self.architecture)
        )
        network = build(self.architecture, self.variant)
        _check_weights(self.name, network, weights, self.preprocessing.size)
        self.layers = _front(network, weights)
        self._missing = [layer.name for layer in network[len(self.layers) :]]
        self.layer_names = tuple(layer.name for layer in self.layers)
        self.weights = {name: _fixed(array) for name, array in weights.items()}
        self._engine = open_engine(engine, self.layers, self.weights)
        there = set(self.layer_names)
        known = [n for n in FEATURE_LAYERS[self.architecture] if there.issuperset(n)]
        self.feature_layers = known[0] if known else self.layer_names[-1:]
        shapes = output_shapes(self.layers, self.feature_preprocessing.size)
        self.feature_size = sum(shapes[name][-1] for name in self.feature_layers)
        maps = [name for name in self.layer_names if len(shapes[name]) == 3]
        chosen = REGION_LAYERS.get(self.architecture)
        self.region_layer = chosen if chosen in maps else maps[-1]
        self.region_size = shapes[self.region_layer][-1]

    def preprocess(self, images: Iterable) -> np.ndarray:
        """Return the input (N, size, size, 3) float32 to classify a list of images.

        An image is a uint8 array (H, W, 3), a Pillow image or a path.
        """
        return self.preprocessing(images)

    @overload
    def forward(self, x: np.ndarray) -> np.ndarray: ...

    @overload
    def forward(self, x: np.ndarray, taps: Iterable[str]) -> dict[str, np.ndarray]: ...

    def forward(
        self, x: np.ndarray, taps: Iterable[str] = ()
    ) -> np.ndarray | dict[str, np.ndarray]:
        """Run the network on preprocessed images.

        Parameters
        ----------
        x : (N, H, W, 3), converted to float32. Fully connected layers need the size
            of `preprocessing`; networks without them take others.
        taps : names of layers to return.

        Returns the output of the last layer, or with taps a dict name -> output. Maps
        are (N, height, width, channels), vectors (N, length).

        Raises
        ------
        InputError : a tap that does not exist, or whose weights the file lacks, or
            pictures smaller than a window.
        """
        taps = tuple(taps)
        for name in taps:
            self._check_tap(name)
        x = np.asarray(x, np.float32)
        if x.ndim != 4 or x.shape[3] != 3:
            raise InputError(
                f"{self.name}: input of shape {x.shape}, expected (N, height, width, "
                "3) with the colours last"
            )
        wanted = taps or self.layer_names[-1:]
        outputs = self._outputs(x, wanted)
        return outputs if taps else outputs[wanted[0]]

    def _outputs(
        self,
        x: np.ndarray,
        wanted: tuple[str, ...],
        result: Callable[[np.ndarray], np.ndarray] = np.copy,
        team: Team | None = None,
    ) -> dict[str, np.ndarray]:
        """Return ``result(output)`` for the wanted outputs, see `PlainEngine`."""
        if len(x) == 0:
            one = self._outputs(np.zeros((1, *x.shape[1:]), x.dtype), wanted, result)
            return {name: output[:0] for name, output in one.items()}
        try:
            return self._engine.outputs(x, wanted, result, team)
        except ValueError as error:
            height, width = x.shape[1:3]
            raise InputError(
                f"{self.name}: pictures of {height} x {width} pixels: {error}"
            ) from None

    def features(self, images: Iterable, batch_size: int = BATCH) -> np.ndarray:
        """Describe each image by one vector: the outputs of `feature_layers`.

        The whole image counts, squashed into the square that the network takes. A map
        is averaged over its positions. Images are read and computed a batch at a time,
        so a generator of any length needs little memory.

        Parameters
        ----------
        images : as for `preprocess`, or any iterable of them.
        batch_size : images that a thread computes together. Larger is not faster.

        Returns (N, feature_size) float32.
        """
        found = self._describe(images, self.feature_layers, _means, batch_size)
        none = np.empty((0, self.feature_size), np.float32)
        return np.concatenate([none, *found])

    def regions(self, images: Iterable, grid: int) -> np.ndarray:
        """Describe each image by the cells of a grid, and as a whole.

        The map of `region_layer` is averaged over each cell (`adaptive_average_pool`),
        then over all positions. Otherwise as `features`.

        Returns (N, grid^2 + 1, region_size) float32: cells row by row, then the whole.
        """

        def cut(x: np.ndarray) -> np.ndarray:
            cells = adaptive_average_pool(x, grid)
            cells = cells.reshape(len(x), grid**2, -1)  # (N, grid, grid, C) -> rows
            return np.concatenate([cells, _means(x)[:, None]], axis=1)

        found = self._describe(images, (self.region_layer,), cut, BATCH)
        none = np.empty((0, grid**2 + 1, self.region_size), np.float32)
        return np.concatenate([none, *found])

    def _describe(
        self,
        images: Iterable,
        layers: tuple[str, ...],
        result: Callable[[np.ndarray], np.ndarray],
        batch_size: int,
    ) -> Iterator[np.ndarray]:
        """Yield ``result(output)`` of layers, side by side, of a batch at a time."""
        images = iter(several(images))
        batches = iter(lambda: list(itertools.islice(images, batch_size)), [])

        def one(batch: list, team: Team) -> np.ndarray:
            x = self.feature_preprocessing(batch, team)
            return np.concatenate(
                [*self._outputs(x, layers, result, team).values()], -1
            )

        return self._engine.map(one, batches, layers)

    def classify(self, images: Iterable) -> np.ndarray:
        """Return the probability of each of the 1000 ImageNet classes.

        The softmax of the last layer, shape (N, 1000).

        Raises
        ------
        InputError : the file holds the front of the network only, or weights so large
            that the scores are no numbers.
        """
        if self._missing:
            raise InputError(
                f"{self.name}: these weights end at {self.layer_names[-1]}, there is "
                f"nothing to classify with; {self._where_else()}"
            )
        scores = self.forward(self.preprocess(images))
        if not np.isfinite(scores).all():
            raise InputError(
                f"{self.name}: scores that are not finite: are the weights damaged?"
            )
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        return scores / scores.sum(axis=1, keepdims=True)

    def _check_tap(self, name: str) -> None:
        if name in self._missing:
            raise InputError(
                f"{self.name}: no weights for {name}, this file ends at "
                f"{self.layer_names[-1]}; {self._where_else()}"
            )
        if name not in self.layer_names:
            raise InputError(
                f"{self.name}: no layer {name!r}; its layers: "
                f"{', '.join(self.layer_names)}"
            )

    def _where_else(self) -> str:
        file = FULL_FILES.get(self.architecture, "the full file of this network")
        return f"they are in {file} (mrnn-np weights convert FILE)"


def open_engine(
    name: str, layers: list[Layer], weights: dict[str, np.ndarray]
) -> "FastEngine | PlainEngine":
    """Return the engine of a name: the one door to cnn/fast.

    Where Numba is off the plain engine serves: kernels that run as plain Python are
    right, but slower than NumPy.
    """
    if name not in ENGINES:
        raise InputError(f"no engine {name!r}: {' or '.join(ENGINES)}")
    if name == "fast":
        from numba import config

        if not config.DISABLE_JIT:
            from mrnn_np.cnn.fast import FastEngine

            return FastEngine(layers, weights)
    return PlainEngine(layers, weights)


def _means(output: np.ndarray) -> np.ndarray:
    """Return (N, C): the means of a map, or a copy of a vector."""
    if output.ndim != 4:
        return output.copy()
    with np.errstate(over="ignore"):  # whoever uses them looks at what is infinite
        return output.mean((1, 2))


def _fixed(weights: np.ndarray) -> np.ndarray:
    """Return float32 weights that nobody can write to through this array."""
    with np.errstate(over="ignore"):
        fixed = np.ascontiguousarray(weights, np.float32).view()
    # Those of a file are float32, and stay in it until they are used.
    if weights.dtype == np.float64 and not np.isfinite(fixed).all():
        raise InputError("a weight is NaN, infinite or too large for float32")
    fixed.flags.writeable = False
    return fixed


# Published files that hold every layer of a network (download.pytorch.org/models).
FULL_FILES = {
    "alexnet": "torchvision's alexnet-owt-7be5be79.pth",
    "vgg16": "torchvision's vgg16-397923af.pth",
    "vgg19": "torchvision's vgg19-dcbb9e9d.pth",
    "squeezenet1_1": "torchvision's squeezenet1_1-b8a52dc0.pth",
}


def _check_weights(
    name: str, network: list[Layer], weights: Mapping[str, np.ndarray], size: int
) -> None:
    """Raise InputError unless every array has a place and the right shape."""
    if not weights:
        raise InputError(f"{name}: holds no weights")
    try:
        expected = weight_shapes(network, size)
    except ValueError as error:
        raise InputError(f"{name}: pictures of {size} pixels: {error}") from None
    for key, array in weights.items():
        if key not in expected:
            raise InputError(f"{name}: array {key} has no place in the network")
        if array.shape != expected[key]:
            raise InputError(
                f"{name}: array {key} has shape {array.shape}, the network needs "
                f"{expected[key]}"
            )
        other = re.sub(r"weight$|bias$", "", key)
        for missing in (f"{other}weight", f"{other}bias"):
            if missing not in weights:
                raise InputError(f"{name}: has {key} but no {missing}")


def _front(network: list[Layer], weights: Iterable[str]) -> list[Layer]:
    """Return the layers up to the first one whose weights are missing."""
    weighted = {key.rpartition(".")[0] for key in weights}
    front = list(
        itertools.takewhile(
            lambda layer: layer.op not in WEIGHTED or layer.name in weighted, network
        )
    )
    behind = weighted - {layer.name for layer in front}
    if behind:
        raise InputError(
            f"weights of {', '.join(sorted(behind))} are here, but those of "
            f"{network[len(front)].name} before them are missing"
        )
    return front
