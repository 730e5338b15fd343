"""Numbers that say what a scene shows, from its pixels alone: a CNN's stand-in.

The pixels are sorted by colour. Of every colour of the palette 29 numbers tell whether
it is there, what shape it has, how large it is, how often, where, on which side of the
other colours, in what order, and what is inside what; 4 more give the background. A
picture takes about a millisecond, so `scenes` trains without any CNN.

Knows: the palette and the outlines of the shapes. Does not know: what a scene was
composed of, or its sentences.
"""

import hashlib
from collections.abc import Iterable
from functools import cached_property
from types import MappingProxyType

import numpy as np
from PIL import Image

from mrnn_np.data.scenes.composition import (
    BACKGROUNDS,
    COLOURS,
    SHAPES,
    SIDE,
    THIRDS,
    Group,
    Scene,
)
from mrnn_np.data.scenes.drawing import PALETTE, draw

VERSION = 1  # raise it when a number changes its meaning
GRID = 12  # shapes are compared on 12 x 12 cells
SMALLEST = 20  # pixels; less is the smooth edge between two colours
LARGE = 21  # pixels across: small shapes have up to 21, large ones from 22
SHARPNESS = 30.0  # of the choice between shapes
# What the numbers of a colour mean, in order.
PARTS = {
    "present": 1,
    "shape": len(SHAPES),
    "size": 2,  # small, large
    "count": 3,
    "place": 9,  # thirds, row by row
    "side": 4,  # left of, right of, above, below the other colours
    "order": 2,  # spread across, spread down
    "inside": 2,  # is inside, has inside
}
NUMBERS_PER_COLOUR = sum(PARTS.values())
FEATURE_SIZE = NUMBERS_PER_COLOUR * len(COLOURS) + len(BACKGROUNDS)
NAMES = (*COLOURS, *BACKGROUNDS)
NO_COLOUR = len(NAMES)


class SceneFeatures:
    """The feature extractor of `scenes`, used where a CNN could be.

    Attributes
    ----------
    name, sha256, feature_preprocessing, feature_size : as a CNN has them; the hash is
        that of the definition of the numbers.
    """

    name = "scenes"
    feature_size = FEATURE_SIZE
    feature_preprocessing = MappingProxyType({"size": SIDE, "resize": "nearest"})
    sha256 = hashlib.sha256(
        repr((VERSION, PARTS, SHAPES, GRID, SHARPNESS, PALETTE)).encode()
    ).hexdigest()

    def preprocess(self, images: Iterable[Image.Image]) -> np.ndarray:
        """Return pixels (N, SIDE, SIDE, 3) uint8."""
        nearest = Image.Resampling.NEAREST  # smoothing would mix new colours
        resized = [
            np.asarray(image.convert("RGB").resize((SIDE, SIDE), nearest))
            for image in images
        ]
        return np.array(resized, dtype=np.uint8).reshape(-1, SIDE, SIDE, 3)

    def features(self, images: Iterable[Image.Image]) -> np.ndarray:
        """Return (N, feature_size) float32 of N pictures."""
        rows = [self._describe(pixels) for pixels in self.preprocess(images)]
        return np.array(rows, np.float32).reshape(-1, FEATURE_SIZE)

    def _describe(self, pixels: np.ndarray) -> np.ndarray:
        """Return the numbers of one picture, pixels (SIDE, SIDE, 3) uint8."""
        codes = self._codes[colour_key(pixels)]  # (SIDE, SIDE) index into NAMES
        amounts = np.bincount(codes.ravel(), minlength=NO_COLOUR + 1)
        blobs: dict[int, list[Blob]] = {}
        for colour in np.flatnonzero(amounts[: len(COLOURS)] >= SMALLEST):
            found = find_blobs(codes == colour)
            if found:
                blobs[int(colour)] = found
        numbers = np.zeros((len(COLOURS), NUMBERS_PER_COLOUR))
        centres = {c: np.mean([blob.centre for blob in blobs[c]], 0) for c in blobs}
        for c, found in blobs.items():
            others = [centres[other] for other in centres if other != c]
            numbers[c] = np.concatenate(
                [
                    [1.0],
                    self._shape(found[0].mask),
                    np.eye(2)[int(found[0].extent > LARGE)],
                    np.eye(3)[min(len(found), 3) - 1],
                    place(centres[c]),
                    side(centres[c], others),
                    np.std([blob.centre for blob in found], axis=0),
                    inside(c, blobs),
                ]
            )
        ground = amounts[len(COLOURS) : NO_COLOUR]
        return np.concatenate([numbers.ravel(), np.eye(len(ground))[ground.argmax()]])

    def _shape(self, mask: np.ndarray) -> np.ndarray:
        """Return how much a blob resembles each shape, (6,), sum 1.

        The share of equal cells of the two grids, through a softmax.
        """
        agreement = (self._templates == on_grid(mask)).mean(axis=(1, 2))
        likeness = np.exp(SHARPNESS * (agreement - agreement.max()))
        return likeness / likeness.sum()

    @cached_property
    def _codes(self) -> np.ndarray:
        """Table (32768,): 5 bits each of red, green, blue -> index into NAMES."""
        table = np.full(1 << 15, NO_COLOUR, np.uint8)
        for i, name in enumerate(NAMES):
            table[colour_key(np.array(PALETTE[name], np.uint8))] = i
        return table

    @cached_property
    def _templates(self) -> np.ndarray:
        """Return the shapes on the grid, (6, GRID, GRID) bool, from the drawing."""
        grids = []
        for shape in SHAPES:
            group = Group("red", shape, "large", ((SIDE / 2, SIDE / 2),), 30)
            pixels = np.asarray(draw(Scene("white", (group,), "centre")))
            mask = self._codes[colour_key(pixels)] == NAMES.index("red")
            grids.append(on_grid(find_blobs(mask)[0].mask))
        return np.array(grids)


def colour_key(pixels: np.ndarray) -> np.ndarray:
    """Return the upper 5 bits of each of red, green, blue as one number, (...)."""
    upper = pixels.astype(np.int32) >> 3
    return upper[..., 0] << 10 | upper[..., 1] << 5 | upper[..., 2]


class Blob:
    """Connected pixels of one colour, with the holes in them filled.

    mask : (height, width) bool, cut out at its edges.  corner : (y, x) of its top left.
    """

    def __init__(self, mask: np.ndarray, corner: tuple[int, int]) -> None:
        from scipy import ndimage

        self.corner = np.array(corner)
        self.mask = ndimage.binary_fill_holes(mask)
        self.extent = max(mask.shape)
        # (across, down) of the middle, as shares of the side
        self.centre = (self.corner + np.array(mask.shape) / 2)[::-1] / SIDE

    def holds(self, point: np.ndarray) -> bool:
        """Whether a point (across, down) lies on the blob or in a hole of it."""
        y, x = (point[::-1] * SIDE).astype(int) - self.corner
        height, width = self.mask.shape
        return bool(0 <= y < height and 0 <= x < width and self.mask[y, x])


def find_blobs(mask: np.ndarray) -> list[Blob]:
    """Return the connected parts of a (SIDE, SIDE) mask, without mere edges."""
    from scipy import ndimage

    labels, _ = ndimage.label(mask)
    blobs = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        part = labels[rows, columns] == number
        if part.sum() >= SMALLEST:
            blobs.append(Blob(part, (rows.start, columns.start)))
    return blobs


def on_grid(mask: np.ndarray) -> np.ndarray:
    """Return a mask of any size on GRID x GRID cells, by the pixel in their middle."""
    rows, columns = (
        ((np.arange(GRID) + 0.5) * n / GRID).astype(int) for n in mask.shape
    )
    return mask[np.ix_(rows, columns)]


def place(centre: np.ndarray) -> np.ndarray:
    """Return the weights of the nine places, (9,): 1 at its middle, 0 at the next."""
    step = THIRDS[1] - THIRDS[0]
    across, down = (
        np.clip(1 - np.abs(share - np.array(THIRDS)) / step, 0, 1) for share in centre
    )
    return np.outer(down, across).ravel()  # (3, 3) -> (9,)


def side(centre: np.ndarray, others: list[np.ndarray]) -> np.ndarray:
    """Return how far left of, right of, above and below the others, (4,)."""
    if not others:
        return np.zeros(4)
    across, down = np.mean(others, axis=0) - centre
    return np.clip([across, -across, down, -down], 0, 1)


def inside(c: int, blobs: dict[int, list[Blob]]) -> np.ndarray:
    """Return whether colour `c` lies inside another one, and has another inside."""
    # One blob of each colour settles it: groups of several are never inside.
    pairs = [(blobs[c][0], blobs[other][0]) for other in blobs if other != c]
    is_inside = any(
        other.holds(own.centre) and other.extent > own.extent for own, other in pairs
    )
    has_inside = any(
        own.holds(other.centre) and own.extent > other.extent for own, other in pairs
    )
    return np.array([is_inside, has_inside], dtype=float)
