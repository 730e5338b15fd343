"""Where a data set keeps its pictures: one of several places, or all of them.

Knows: which folder or zip holds a name. Does not know: pixels (`mrnn_np.images`).
"""

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from PIL import Image

from mrnn_np.images import (
    ImageFiles,
    ImageFolder,
    ImagePlace,
    ImageZip,
    NoImages,
    is_image_name,
    read_file,
)
from mrnn_np.runtime.errors import InputError


class ImageTree(ImageFiles):
    """The images of a folder and the folders in it, as ``01/1000.jpg``.

    Parameters
    ----------
    path : the folder. Hidden folders and links to folders are not entered.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not os.path.isdir(self.path):
            raise InputError(f"{path}: no such folder of images")

    def names(self) -> list[str]:
        """Return the paths below the folder in alphabetical order, parted by ``/``."""
        found = []
        for root, folders, files in os.walk(self.path):
            folders[:] = [name for name in folders if not name.startswith(".")]
            inner = Path(root).relative_to(self.path)
            found += [
                (inner / name).as_posix() for name in files if is_image_name(name)
            ]
        return sorted(found)

    def __contains__(self, name: str) -> bool:
        inner = PurePosixPath(name)
        inside = not inner.is_absolute() and ".." not in inner.parts
        return inside and inner.as_posix() == name and os.path.isfile(self.path / name)

    def read(self, name: str) -> tuple[bytes, str]:
        """Return the content of a file and its path; InputError as of `open`."""
        if name not in self:
            raise InputError(f"{self.path}: holds no image {name!r}")
        return read_file(self.path / name), str(self.path / name)


class ImageUnion:
    """The images of several places; the first that holds a name gives the picture.

    Parameters
    ----------
    places : `ImageFolder`, `ImageZip` and the like, at least one.
    """

    def __init__(self, places: Sequence[ImagePlace]) -> None:
        self.places = tuple(places)

    def names(self) -> list[str]:
        """Return the names of all places in alphabetical order."""
        return sorted({name for place in self.places for name in place.names()})

    def __contains__(self, name: str) -> bool:
        return any(name in place for place in self.places)

    def open(self, name: str) -> Image.Image:
        """Return the picture in RGB; InputError when it is missing or broken."""
        return self._place(name).open(name)

    def read(self, name: str) -> tuple[bytes, str]:
        """Return the content of a file and what to call it; InputError as of `open`."""
        return self._place(name).read(name)

    def checksum(self, name: str) -> int:
        """Return the CRC-32 of a file's content; InputError as of `open`."""
        return self._place(name).checksum(name)

    def _place(self, name: str) -> ImagePlace:
        """Return who has a name, else the first, which raises what it says of it."""
        having = (place for place in self.places if name in place)
        return next(having, self.places[0])


def find_pictures(
    folder: Path, candidates: Sequence[str]
) -> ImageFolder | ImageZip | NoImages:
    """Return the first of these folders, or of the zips of these names, in `folder`.

    Where none is there, what is returned stands for pictures that did not come along.
    """
    for name in candidates:
        if os.path.isdir(folder / name):
            return ImageFolder(folder / name)
    for name in candidates:
        if os.path.isfile(folder / f"{name}.zip"):
            return ImageZip(folder / f"{name}.zip")
    return NoImages(f"{folder}: no pictures: no folder {' or '.join(candidates)}, "
                    "and no .zip of that name")  # fmt: skip
