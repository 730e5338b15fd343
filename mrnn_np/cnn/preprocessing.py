"""From a photograph of any size to the array a network was trained to see.

Every network has its own habits, and a wrong one costs accuracy silently: they are
data, kept in the header of the weight file, and stored with every feature computed.

Knows: resizing, cropping, order and scale of the channels. Does not know: how image
files are read (mrnn_np/images.py) or what comes after.
"""

import math
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.fields import check_fields
from mrnn_np.runtime.threads import Team
from mrnn_np.runtime.untrusted import check_kind, shown

if TYPE_CHECKING:
    from PIL.Image import Image

RESIZES = ("short_side", "squash")
INTERPOLATIONS = ("bilinear", "bicubic")
CHANNELS = ("RGB", "BGR")
LARGEST_SIZE = 1024  # pixels: maps of 270 MB an image; our networks see 224 to 288
LARGEST_SHIFT = 1e6  # of pixels from 0 to 255
SMALLEST_STD = 1e-6
PIECES = (4, 2, 1)  # of a picture, for several threads


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes the input of a network.

    ``input[y, x, c] = (scale * pixel[y, x, c] - mean[c]) / std[c]``, pixel in 0..255

    size : height and width of the input.
    resize : "short_side" makes the shorter side `resize_to` long and cuts the central
        square of `size` out; "squash" forces the whole image into the square.
    resize_to : length of the shorter side before the cut; `size` when squashing.
    interpolation : "bilinear" or "bicubic", both Pillow's, which average over all
        pixels that fall into one when shrinking.
    channels : order of the colours, "RGB" or (Caffe's habit) "BGR".
    scale, mean, std : of the equation; mean and std in the order of `channels`.
    """

    size: int
    resize_to: int
    resize: str = "short_side"
    interpolation: str = "bilinear"
    channels: str = "RGB"
    scale: float = 1.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        fields = asdict(self)
        return {**fields, "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "Preprocessing":
        """Return the inverse of `to_dict`.

        Raises
        ------
        InputError : a field that is missing, unknown or has no meaning.
        """
        check_kind(fields, dict, "preprocessing")
        try:
            made = cls(**{name: _frozen(value) for name, value in fields.items()})
        except TypeError as error:
            raise InputError(f"preprocessing: {error}") from None
        check_fields(made)
        allowed = {
            "resize": made.resize in RESIZES,
            "interpolation": made.interpolation in INTERPOLATIONS,
            "channels": made.channels in CHANNELS,
            "size": 0 < made.size <= LARGEST_SIZE,
            "resize_to": made.resize_to <= LARGEST_SIZE,
            "scale": math.isfinite(made.scale),
            "mean": _three_numbers(made.mean),
            "std": _three_numbers(made.std) and min(made.std) > SMALLEST_STD,
        }
        for name, fine in allowed.items():
            if not fine:
                raise InputError(
                    f"preprocessing: {name} cannot be {shown(getattr(made, name))}"
                )
        if made.size > made.resize_to:
            raise InputError(
                f"preprocessing: a square of {made.size} cannot be cut out of "
                f"{made.resize_to} pixels"
            )
        return made

    def of_whole_picture(self, size: int | None = None) -> "Preprocessing":
        """Return the same, but with the whole image squashed into the square.

        Networks are trained to classify the centre of an image. A caption is about
        all of it, and the centre may lack what the sentence names.

        size : of the square, in pixels; as before when left out.
        """
        size = size or self.size
        return replace(self, size=size, resize="squash", resize_to=size)

    def __call__(self, images: Iterable, team: Team | None = None) -> np.ndarray:
        """Prepare images for a network.

        Parameters
        ----------
        images : each a uint8 array (H, W, 3) or (H, W), a Pillow image, or a path.
        team : threads that share the work; by default it is done by the caller.

        Returns (N, size, size, 3) float32.

        Raises
        ------
        InputError : something that is none of these, or a file that cannot be read.
        """
        pictures = [as_picture(image) for image in several(images)]
        team = team or Team()
        pieces = self._pieces(team.jobs)
        x = np.empty((len(pictures), self.size, self.size, 3), np.float32)

        def prepare(task: tuple[int, int]) -> None:
            n, piece = task
            self._prepare(pictures[n], piece / pieces, (piece + 1) / pieces, x[n])

        team.share(prepare, np.ndindex(len(pictures), pieces))
        return x

    def _pieces(self, jobs: int) -> int:
        """Return how many pieces a picture is cut into for so many threads.

        Only where the pieces come out as in the whole picture, to the bit: Pillow takes
        the edges of a part as float32, and quarters of a picture are such numbers.
        """
        if self.resize != "squash":
            return 1
        return next(p for p in PIECES if p <= jobs and self.size % p == 0)

    def _prepare(
        self, image: "Image", start: float, stop: float, out: np.ndarray
    ) -> None:
        """Write a piece of the input into its place in out (size, size, 3).

        Pillow resizes one direction after the other, and rounds in between. It begins
        with the height when a picture shrinks by more than twice as many lines as
        columns, and otherwise with the width. A piece loses more of what it is cut
        across. So pieces are cut across what comes first anyway, and it stays first.

        start, stop : of the piece, 0 and 1 are the edges of the picture.
        """
        from PIL.Image import Resampling

        left, top, width, height = self._part_seen(*image.size)
        first, last = int(start * self.size), int(stop * self.size)
        lines = out.reshape(self.size, 3 * self.size)
        less_wide, less_high = image.width - self.size, image.height - self.size
        if less_high > max(0, 2 * less_wide):
            box = left, top + start * height, left + width, top + stop * height
            size, lines = (self.size, last - first), lines[first:last]
        else:
            box = left + start * width, top, left + stop * width, top + height
            size, lines = (last - first, self.size), lines[:, 3 * first : 3 * last]
        method = Resampling[self.interpolation.upper()]
        pixels = np.asarray(image.resize(size, method, box))
        pixels = pixels if self.channels == "RGB" else pixels[..., ::-1]
        lines[:] = pixels.reshape(lines.shape)
        # Whole lines: three numbers at a time took 6 times as long.
        lines *= np.float32(self.scale)
        lines -= np.tile(np.asarray(self.mean, np.float32), size[0])
        lines /= np.tile(np.asarray(self.std, np.float32), size[0])

    def _part_seen(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Return left edge, top edge, width and height of what the network sees."""
        if self.resize == "squash":
            return 0, 0, width, height
        # Resize and cut in one step: only the pixels that stay are computed.
        side = min(width, height) * self.size / self.resize_to
        return (width - side) / 2, (height - side) / 2, side, side


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _three_numbers(value: object) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) == 3
        and all(
            isinstance(number, int | float) and abs(number) < LARGEST_SHIFT
            for number in value
        )
    )


def several(images: Iterable) -> Iterable:
    """Return the images; InputError for a single path, whose letters are no images."""
    if isinstance(images, str | os.PathLike):
        raise InputError(f"{images}: give a list of images, even for one")
    return images


def as_picture(image: object) -> "Image":
    """Return an RGB Pillow image of an array, an image or a path."""
    from PIL import Image

    from mrnn_np.images import load_image, to_rgb

    if isinstance(image, Image.Image):
        try:
            return to_rgb(image)
        except OSError as error:  # opened before, but not read
            raise InputError(f"broken image: {error}") from error
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim not in (2, 3):
            raise InputError(
                f"an image array must be uint8 of shape (height, width, 3), this is "
                f"{image.dtype} {image.shape}"
            )
        if image.ndim == 3 and image.shape[2] != 3:
            raise InputError(
                f"an image array must have 3 channels last, this is {image.shape}"
            )
        return Image.fromarray(image).convert("RGB")
    if isinstance(image, str | os.PathLike):
        return load_image(os.fspath(image))
    raise InputError(
        f"not an image: {type(image).__name__} (array, Pillow image, path)"
    )


IMAGENET: dict[str, Any] = {
    "scale": 1 / 255,
    "mean": (0.485, 0.456, 0.406),  # of ImageNet's training pixels, in 0..1
    "std": (0.229, 0.224, 0.225),
}
# (architecture, variant) -> what its published weights were trained with.
PREPROCESSING = {
    ("alexnet", None): Preprocessing(224, 256, **IMAGENET),
    ("vgg16", None): Preprocessing(224, 256, **IMAGENET),
    ("vgg19", None): Preprocessing(224, 256, **IMAGENET),
    ("squeezenet1_1", "torchvision"): Preprocessing(224, 256, **IMAGENET),
    ("squeezenet1_1", "keras"): Preprocessing(
        227, 256, channels="BGR", mean=(103.939, 116.779, 123.68)
    ),
    ("efficientnet_lite0", None): Preprocessing(
        224,
        256,
        interpolation="bicubic",
        mean=(127.0, 127.0, 127.0),
        std=(128.0, 128.0, 128.0),
    ),
}
