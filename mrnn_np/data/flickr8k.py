"""Flickr8k, read as it is distributed.

``flickr8k:DIR`` looks in DIR for

- the pictures: ``Flickr8k_Dataset.zip``, or a folder ``Flicker8k_Dataset`` (so spelled
  in the archive) or ``Flickr8k_Dataset``;
- the text: a folder ``Flickr8k_text``, ``Flickr8k_text.zip``, or the files in DIR.

``Flickr8k.token.txt`` has a line ``NAME.jpg#K <tab> caption`` for each of about 5
captions an image, ``Flickr_8k.{train,dev,test}Images.txt`` a name a line. A list that
is not there is a split that is not there; captions can serve without the pictures.

Knows: these files. Does not know: tokenizers, features.
"""

import re
import zipfile
from pathlib import Path, PurePosixPath

from mrnn_np.data.dataset import CaptionDataset
from mrnn_np.errors import InputError
from mrnn_np.images import ImageFolder, ImageZip, NoImages

CAPTION_FILE = "Flickr8k.token.txt"
LISTS = {
    "train": "Flickr_8k.trainImages.txt",
    "dev": "Flickr_8k.devImages.txt",
    "test": "Flickr_8k.testImages.txt",
}
# One key of the set is 2258277193_586949ec62.jpg.1#0: its ".1" is dropped.
KEY = re.compile(r"(?P<image>\S+\.jpg)(?:\.\d+)?#(?P<number>\d+)")


def read(place: str) -> CaptionDataset:
    """Read the data set in the folder `place`.

    Raises
    ------
    InputError : no such folder, no caption file, no list at all, or a bad line
        (named by file and number).
    """
    folder = Path(place)
    if not place or not folder.is_dir():
        raise InputError(
            f"{place or 'flickr8k'}: no such folder: write flickr8k:DIR, with DIR the "
            f"folder that holds Flickr8k_text (and Flickr8k_Dataset.zip)"
        )
    label, text = find_text(folder, CAPTION_FILE)
    if text is None:
        raise InputError(f"{folder}: no {CAPTION_FILE} in it or in its Flickr8k_text")
    captions = read_captions(label, text)
    splits = {}
    for split, file_name in LISTS.items():
        label, text = find_text(folder, file_name)
        if text is not None:
            splits[split] = read_list(label, text, captions)
    if not splits:
        raise InputError(f"{folder}: none of the lists {', '.join(LISTS.values())}")
    images = find_images(folder)
    return CaptionDataset(
        name="flickr8k",
        images=images,
        captions=captions,
        splits=splits,
        remarks=oddities(captions, splits, images),
    )


def read_captions(label: str, text: str) -> dict[str, list[str]]:
    """Return image name -> captions in the order of the file.

    Parameters
    ----------
    label : the file's name, for errors.
    text : its contents; key and caption may be apart by any tabs and blanks.
    """
    captions: dict[str, list[str]] = {}
    seen = set()
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        key, *rest = line.split(maxsplit=1)
        match = KEY.fullmatch(key)
        if match is None:
            raise InputError(
                f"{label}:{number}: expected NAME.jpg#K and a caption, "
                f"got {line[:60].strip()!r}"
            )
        if not rest or not any(character.isalnum() for character in rest[0]):
            raise InputError(f"{label}:{number}: empty caption of {key}")
        if key in seen:
            raise InputError(f"{label}:{number}: {key} has a caption already")
        seen.add(key)
        captions.setdefault(match["image"], []).append(rest[0].strip())
    if not captions:
        raise InputError(f"{label}: no caption in it")
    return captions


def read_list(label: str, text: str, captions: dict[str, list[str]]) -> list[str]:
    """Return the image names of one split, each of which must have captions."""
    names: dict[str, None] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        name = line.strip()
        if not name:
            continue
        # Lists and captions come together: a gap means a damaged or mixed copy.
        if name not in captions:
            raise InputError(
                f"{label}:{number}: no caption in {CAPTION_FILE} for {name!r}"
            )
        if name in names:
            raise InputError(f"{label}:{number}: {name} is listed twice")
        names[name] = None
    if not names:
        raise InputError(f"{label}: no image in it")
    return list(names)


def find_text(folder: Path, file_name: str) -> tuple[str, str | None]:
    """Return (name for errors, contents) of a text file, contents None if missing."""
    for path in (folder / "Flickr8k_text" / file_name, folder / file_name):
        if path.is_file():
            return str(path), decode(str(path), path.read_bytes())
    archive_path = folder / "Flickr8k_text.zip"
    if not archive_path.is_file():
        return file_name, None
    label = f"{archive_path}: {file_name}"
    try:
        with zipfile.ZipFile(archive_path) as archive:
            for member in archive.namelist():
                inner = PurePosixPath(member)
                if inner.name == file_name and "__MACOSX" not in inner.parts:
                    return label, decode(label, archive.read(member))
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{archive_path}: not a readable zip: {error}") from error
    return label, None


def decode(label: str, content: bytes) -> str:
    """Return UTF-8 bytes as text; InputError names the line that is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{label}:{number}: not UTF-8 text") from None


def find_images(folder: Path) -> ImageFolder | ImageZip | NoImages:
    """Return the pictures, or what stands for them where there are none."""
    for name in ("Flicker8k_Dataset", "Flickr8k_Dataset"):
        if (folder / name).is_dir():
            return ImageFolder(folder / name)
    if (folder / "Flickr8k_Dataset.zip").is_file():
        return ImageZip(folder / "Flickr8k_Dataset.zip")
    return NoImages(f"{folder}: no Flickr8k_Dataset.zip or folder Flicker8k_Dataset")


def oddities(captions: dict, splits: dict, images: object) -> tuple[str, ...]:
    """Count what was passed over: captions without a list, lists without pictures."""
    listed = {name for names in splits.values() for name in names}
    unlisted = len(captions.keys() - listed)
    lost = len(listed - set(images.names()))
    remarks = []
    if unlisted:
        remarks.append(f"{unlisted} captioned images are in no list")
    if lost:
        remarks.append(f"{lost} listed images have no picture")
    return tuple(remarks)
