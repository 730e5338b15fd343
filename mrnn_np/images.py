"""Pictures from files, folders and zip archives, always as upright RGB.

Photographs come in more forms than three bytes a pixel: grey, palette, printer's
CMYK, transparent, 16 bits deep, or lying on their side with a note how to turn them.
`load_image` makes them all alike, and turns whatever is wrong with a file into one
line that names it.

Knows: files and pixels. Does not know: data sets, CNNs, or any network's input size.
"""

import contextlib
import ctypes
import functools
import io
import logging
import os
import warnings
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NoReturn, Protocol

import numpy as np
from PIL import Image

from mrnn_np.picture_parts import MOST_PIXELS, check_exif, check_parts
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.untrusted import read_bounded
from mrnn_np.runtime.untrusted_arrays import read_member

# Only these are tried: Pillow would hand a PostScript file to an outside program.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "PPM", "WEBP")
SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".webp")
LARGEST_SIDE = 65_535  # JPEG's; to resize one line of millions takes gigabytes
STRIP_PIXELS = 1 << 20
LARGEST_BYTES = 256 << 20  # of a compressed file
ORIENTATION_TAG = 0x0112
# Pillow logs what it then raises. Where nobody listens, Python prints it to stderr.
logging.getLogger("PIL").addHandler(logging.NullHandler())
# Value of the EXIF tag -> what makes the picture upright.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def load_image(
    source: str | Path | bytes | BinaryIO, name: str | None = None
) -> Image.Image:
    """Read a picture of any usual kind as upright RGB.

    Parameters
    ----------
    source : a path, the bytes of an image file, or an open binary stream.
    name : what to call it in an error, by default its path.

    Returns an image of mode ``"RGB"``, turned upright by its EXIF note, transparent
    parts laid on white, 16-bit grey scaled to 8 bits, the first frame of several.

    Raises
    ------
    InputError : missing, empty, cut short, broken, not an image, or so large that
        it can only be meant to fill the memory. The error names the file.
    """
    content, name = read_source(source, name)
    check_parts(content, name)
    silence_libtiff()
    try:
        # Pillow warns about odd EXIF data and large sizes; both are dealt with here.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                check_size(image, name)
                image.load()
                return turn_upright(to_rgb(image), orientation(image))
    except InputError:
        raise
    except Image.UnidentifiedImageError:
        raise InputError(f"{name}: not an image, or of an unknown kind") from None
    except Image.DecompressionBombError:
        raise InputError(f"{name}: too many pixels to be a photograph") from None
    # Decoders meet broken bytes with a dozen kinds of exceptions (SyntaxError,
    # struct.error, IndexError ...): all of them mean a broken file.
    except Exception as error:
        raise InputError(f"{name}: broken image: {error}") from error


def read_source(
    source: str | Path | bytes | BinaryIO, name: str | None
) -> tuple[bytes, str]:
    """Return the content of an image file and what to call it, see `load_image`."""
    if isinstance(source, bytes):
        return source, name or "image"
    name = name or str(getattr(source, "name", source))
    if isinstance(source, (str, Path)):
        return read_bounded(source, LARGEST_BYTES, "an image"), name
    content = source.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise InputError(f"{name}: more than {LARGEST_BYTES >> 20} MB")
    return content, name


@functools.cache
def silence_libtiff() -> None:
    """Take away libtiff's way of printing what it thinks of a file to stderr.

    What it says is raised as well. Pillow takes away the handler of warnings and leaves
    that of errors, a pointer in the library, which is the same for all threads. Where
    Pillow was built with a libtiff that cannot be reached so, it goes on printing.
    """
    with contextlib.suppress(Exception):
        ctypes.CDLL(Image.core.__file__).TIFFSetErrorHandler(None)


def check_size(image: Image.Image, name: str) -> None:
    """Refuse a picture before its pixels are unpacked."""
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise InputError(
            f"{name}: {width} x {height} pixels, more than {MOST_PIXELS} in all"
        )
    if max(width, height) > LARGEST_SIDE:
        raise InputError(
            f"{name}: {width} x {height} pixels, more than {LARGEST_SIDE} along a side"
        )


def to_rgb(image: Image.Image) -> Image.Image:
    """Return the picture in mode RGB, transparent parts on white."""
    if image.mode.startswith("I"):  # 16-bit grey; Pillow would clip it at 255
        deep = np.asarray(image)
        grey = np.empty(deep.shape, np.uint8)
        scale = 255 / max(65535.0, deep.max())
        for top, bottom in strips(*image.size):
            grey[top:bottom] = np.rint((deep[top:bottom] * scale).clip(0))
        image = Image.fromarray(grey)
    # La and RGBa are alpha modes too: colours multiplied by their alpha already.
    if "transparency" in image.info or image.mode[-1] in "Aa":
        opaque = Image.new("RGB", image.size)
        for top, bottom in strips(*image.size):
            strip = image.crop((0, top, image.width, bottom)).convert("RGBA")
            white = Image.new("RGBA", strip.size, "white")
            opaque.paste(Image.alpha_composite(white, strip).convert("RGB"), (0, top))
        return opaque
    return image.convert("RGB")  # CMYK too: Pillow knows the inverted ones of Adobe


def strips(width: int, height: int) -> Iterator[tuple[int, int]]:
    """Yield (first line, line behind the last) of strips of about a million pixels.

    Of 64 million 16-bit pixels the numbers between would take 1.5 GB at once.
    """
    step = max(1, STRIP_PIXELS // width)
    for top in range(0, height, step):
        yield top, min(top + step, height)


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 (upright) where the note is missing or broken."""
    try:
        check_exif(exif_note(image))
        return image.getexif().get(ORIENTATION_TAG, 1)
    except Exception:  # a picture with a broken note is still a picture
        return 1


def exif_note(image: Image.Image) -> bytes:
    """Return the bytes that Pillow takes the EXIF directory from, if from bytes."""
    if "exif" in image.info:
        return image.info["exif"]
    # ImageMagick writes it into a PNG as text: three lines, then hexadecimal digits.
    text = image.info.get("Raw profile type exif", "")
    return bytes.fromhex("".join(text.split("\n")[3:]))


def turn_upright(image: Image.Image, value: int) -> Image.Image:
    """Turn a picture as its EXIF orientation asks for."""
    return image.transpose(UPRIGHT[value]) if value in UPRIGHT else image


def read_file(path: Path) -> bytes:
    """Return the content of an image file as it is; InputError when that fails."""
    return read_bounded(path, LARGEST_BYTES, "an image")


class ImageSource(Protocol):
    """Who gives a picture by its name."""

    def open(self, name: str) -> Image.Image:
        """Return the picture in RGB; InputError when it is missing or broken."""


class Images(ImageSource, Protocol):
    """The pictures of a data set; those that are files have ``read``, too."""

    def names(self) -> list[str]:
        """Return the names of all pictures."""

    def __contains__(self, name: str) -> bool: ...


class ImagePlace(Images, Protocol):
    """Pictures that are files, in a folder or an archive."""

    def read(self, name: str) -> tuple[bytes, str]:
        """Return the content of a file and what to call it; InputError as of `open`."""

    def checksum(self, name: str) -> int:
        """Return the CRC-32 of a file's content; InputError when it cannot be read."""


class ImageFiles(ABC):
    """Images that are files: who reads a file by name can open it and tell it apart."""

    @abstractmethod
    def read(self, name: str) -> tuple[bytes, str]:
        """Return the content of a file and what to call it; InputError as of `open`."""

    def open(self, name: str) -> Image.Image:
        """Return the picture in RGB; InputError when it is missing or broken."""
        return load_image(*self.read(name))

    def checksum(self, name: str) -> int:
        """Return the CRC-32 of a file's content; InputError when it cannot be read."""
        return zlib.crc32(self.read(name)[0])


class SentImages(ImageFiles):
    """Some images as the contents of their files: what goes to another machine.

    Parameters
    ----------
    contents : name -> content of the file and what to call it in an error, or the
        InputError that reading it has raised.
    """

    def __init__(self, contents: dict[str, tuple[bytes, str] | InputError]) -> None:
        self.contents = contents

    def read(self, name: str) -> tuple[bytes, str]:
        """Return the content of a file and what to call it; InputError as it was."""
        content = self.contents[name]
        if isinstance(content, InputError):
            raise content
        return content


def send_images(images: ImageSource, names: list[str]) -> ImageSource:
    """Return what opens these images on a machine that sees no file of this one.

    Parameters
    ----------
    images : with ``read(name)``, which returns the content of a file and what to call
        it in an error. Without, it does not depend on files and is returned as it is.
    """
    if not hasattr(images, "read"):
        return images
    contents: dict[str, tuple[bytes, str] | InputError] = {}
    for name in names:
        try:
            contents[name] = images.read(name)
        except InputError as error:
            contents[name] = error
    return SentImages(contents)


class ImageFolder(ImageFiles):
    """The images of one folder, by file name.

    Parameters
    ----------
    path : the folder. Subfolders are not looked into.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not os.path.isdir(self.path):  # Path.is_dir raises for overlong names
            raise InputError(f"{path}: no such folder of images")

    def names(self) -> list[str]:
        """Return the file names in alphabetical order."""
        entries = os.scandir(self.path)
        return sorted(entry.name for entry in entries if is_image_name(entry.name))

    def __contains__(self, name: str) -> bool:
        # A name with a folder in it (or "..") would lead out of this one.
        return Path(name).name == name and os.path.isfile(self.path / name)

    def read(self, name: str) -> tuple[bytes, str]:
        """Return the content of a file and its path; InputError as of `open`."""
        if name not in self:
            raise InputError(f"{self.path}: holds no image {name!r}")
        return read_file(self.path / name), str(self.path / name)


class ImageZip(ImageFiles):
    """The images of a zip archive, by file name, in whatever subfolder they lie.

    The archive is opened when it is first used and once in each process, so the
    object can be sent to worker processes.

    Parameters
    ----------
    path : the archive.

    Raises
    ------
    InputError : missing, not a zip, or two images in it have the same file name.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._opened: tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]] | None = None
        self._open_archive()

    def __getstate__(self) -> dict:
        return {"path": self.path, "_opened": None}

    def _open_archive(self) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
        """Return the archive, and its images by file name."""
        if self._opened is not None:
            return self._opened
        if not os.path.isfile(self.path):
            raise InputError(f"{self.path}: no such zip archive")
        try:
            archive = zipfile.ZipFile(self.path)
        except Exception as error:  # a broken list of contents, of half a dozen kinds
            raise InputError(f"{self.path}: not a readable zip: {error}") from error
        members: dict[str, zipfile.ZipInfo] = {}
        for item in archive.infolist():
            inner = PurePosixPath(item.filename)
            if item.filename.endswith("/") or "__MACOSX" in inner.parts:
                continue
            if not is_image_name(inner.name):
                continue
            if inner.name in members:
                raise InputError(f"{self.path}: holds two images {inner.name!r}")
            members[inner.name] = item
        self._opened = archive, members
        return self._opened

    def names(self) -> list[str]:
        """Return the file names, without folders, in alphabetical order."""
        return sorted(self._open_archive()[1])

    def __contains__(self, name: str) -> bool:
        return name in self._open_archive()[1]

    def read(self, name: str) -> tuple[bytes, str]:
        """Return the content of a file and what to call it; InputError as of `open`."""
        if name not in self:
            raise InputError(f"{self.path}: holds no image {name!r}")
        label = f"{self.path}: {name}"
        archive, members = self._open_archive()
        return read_member(archive, members[name], LARGEST_BYTES, label), label

    def checksum(self, name: str) -> int:
        """Return the CRC-32 of a file's content, which the archive knows unread."""
        if name not in self:
            raise InputError(f"{self.path}: holds no image {name!r}")
        return self._open_archive()[1][name].CRC


class NoImages:
    """Stands where a data set came without its pictures: captions alone still serve.

    Parameters
    ----------
    reason : the line that `open` raises as InputError.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def names(self) -> list[str]:
        """Return no name at all."""
        return []

    def __contains__(self, name: str) -> bool:
        return False

    def open(self, name: str) -> NoReturn:
        """Raise InputError with the reason."""
        raise InputError(self.reason)

    read = checksum = open


def is_image_name(name: str) -> bool:
    """Whether a file of that name is to be taken as an image (not a hidden one)."""
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")
