"""Your own pictures and captions: a folder with one text file.

What to write. Put your pictures into a folder, say ``pets``, or into ``pets/images``.
Beside them write a text file ``captions.tsv``: a line for each caption, with the
picture's file name, one TAB (the key, not blanks, not a comma), and the caption:

    dog.jpg <TAB> A brown dog runs over the grass.
    dog.jpg <TAB> A dog is running.
    cat.jpg <TAB> A cat sleeps on a red chair.

Several captions a picture (five are usual) are several lines. Then

    mrnn-np features folder:pets -o pets.npz
    mrnn-np train folder:pets --features pets.npz

Who learns from which picture. Without any word from you 8 of 10 pictures are for
learning (train), 1 for choosing the best moment to stop (dev) and 1 for the final
test, chosen by a hash of the file name: a picture stays on its side when you add
others. To choose yourself, either write the side as a third column,

    dog.jpg <TAB> A dog is running. <TAB> train

the same on all lines of a picture (``val`` is another word for dev), or write lists
``train.txt``, ``dev.txt`` (or ``val.txt``) and ``test.txt``, a file name a line.

Details. UTF-8, or UTF-16 as spreadsheets save "Unicode text"; any line ends; a first
line ``image <TAB> caption`` is a header. Pictures in subfolders are written
``cats/1.jpg``. Words that occur fewer than 5 times share one place in the vocabulary:
with few captions set ``threshold`` to 1 or 2 (``[training]`` table of ``--config``).

Knows: this form. Does not know: tokenizers, features.
"""

import difflib
import os
from collections.abc import Collection
from pathlib import Path

from mrnn_np.data.dataset import CaptionDataset
from mrnn_np.data.pictures import ImageTree
from mrnn_np.data.splits import check_disjoint, split_by_share
from mrnn_np.data.text_files import (
    clean_caption,
    decode,
    find_file,
    lines,
    need_folder,
    read_list,
    safe_name,
)
from mrnn_np.images import is_image_name
from mrnn_np.runtime.errors import InputError

CAPTION_FILE = "captions.tsv"
LISTS = {"train": ("train.txt",), "dev": ("dev.txt", "val.txt"), "test": ("test.txt",)}
SIDES = {
    "train": "train",
    "dev": "dev",
    "val": "dev",
    "valid": "dev",
    "validation": "dev",
    "test": "test",
}
SHARE = 0.1  # of dev, and of test
FORM = "FILE NAME, a tab, the caption"
HEADERS = ("image", "file", "file name", "filename", "file_name", "name", "image_name")
NAMED = 3  # pictures that a remark names


def read(place: str) -> CaptionDataset:
    """Read the folder `place` (the module says what belongs into it).

    Raises
    ------
    InputError : no such folder, no captions.tsv, no picture; a line that is not of the
        form, or names a picture that is not there; sides that contradict each other.
    """
    folder = need_folder(place, "folder", f"your pictures and {CAPTION_FILE}")
    label, content = find_file(folder, CAPTION_FILE)
    if content is None:
        raise InputError(no_caption_file(folder))
    inner = folder / "images"
    images = ImageTree(inner if os.path.isdir(inner) else folder)
    pictures = images.names()
    if not pictures:
        raise InputError(f"{images.path}: no picture (.jpg, .png ...) in it")
    label = str(folder / CAPTION_FILE)
    text = decode(label, content)
    captions, sides = read_captions(label, text, frozenset(pictures), images.path)
    lists = read_lists(folder, captions)
    if sides and lists:
        raise InputError(
            f"{folder}: both a third column in {CAPTION_FILE} and lists (train.txt "
            "...) say who learns from which picture: keep one of them"
        )
    splits = sides or lists
    remarks = []
    if not splits:
        splits = split_by_share(list(captions), SHARE, SHARE, label)
        sizes = ", ".join(f"{len(names)} {side}" for side, names in splits.items())
        remarks.append(f"the split is made from the names: {sizes}")
    check_disjoint(splits, str(folder))
    listed = {name for names in splits.values() for name in names}
    if unlisted := [name for name in captions if name not in listed]:
        remarks.append(f"{count(unlisted)} with captions in no list")
    if silent := [name for name in pictures if name not in captions]:
        remarks.append(f"{count(silent)} without a caption, not used")
    return CaptionDataset(
        name="folder",
        images=images,
        captions=captions,
        splits=splits,
        remarks=tuple(remarks),
    )


def read_captions(
    label: str, text: str, pictures: Collection[str], place: Path
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return image name -> captions, and split -> image names by the third column.

    Parameters
    ----------
    pictures : the names of all pictures there are.
    place : their folder, for errors.

    Raises
    ------
    InputError : names file and line.
    """
    captions: dict[str, list[str]] = {}
    side_of: dict[str, str] = {}
    for number, line in lines(text):
        where = f"{label}:{number}"
        fields = [field.strip() for field in line.rstrip().split("\t")]
        if number == 1 and fields[0].lower() in HEADERS and len(fields) > 1:
            continue
        if len(fields) < 2:
            raise InputError(f"{where}: {no_tab(fields[0], pictures)}")
        if len(fields) > 3:
            raise InputError(f"{where}: {len(fields) - 1} tabs: expected {FORM} (and "
                             "perhaps a tab and the side)")  # fmt: skip
        name = safe_name(fields[0], where)
        if name not in pictures:
            raise InputError(f"{where}: {no_picture(name, pictures, place)}")
        caption = clean_caption(fields[1])
        if not caption:
            raise InputError(f"{where}: empty caption of {name[:60]}")
        side = fields[2].lower() if len(fields) == 3 else ""
        if side and side not in SIDES:
            raise InputError(f"{where}: {side[:40]!r} is no side: write train, dev or "
                             "test")  # fmt: skip
        side = SIDES.get(side, "")
        known = side_of.setdefault(name, side)
        if known != side:
            raise InputError(f"{where}: {name[:60]} is in {side or 'no side'} here, in "
                             f"{known or 'no side'} above")  # fmt: skip
        captions.setdefault(name, []).append(caption)
    if not captions:
        raise InputError(f"{label}: no caption in it: write {FORM} on each line")
    if not any(side_of.values()):
        return captions, {}
    if not all(side_of.values()):
        missing = next(name for name, side in side_of.items() if not side)
        raise InputError(
            f"{label}: {missing[:60]} has no side in the third column, others have "
            "one: write train, dev or test on each line"
        )
    sides: dict[str, list[str]] = {
        side: [] for side in LISTS if side in side_of.values()
    }
    for name, side in side_of.items():
        sides[side].append(name)
    return captions, sides


def read_lists(folder: Path, captions: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return split -> image names by the lists that are there."""
    splits = {}
    for split, file_names in LISTS.items():
        for file_name in file_names:
            label, content = find_file(folder, file_name)
            if content is not None and split not in splits:
                text = decode(label, content)
                splits[split] = read_list(label, text, captions, CAPTION_FILE)
    return splits


def no_caption_file(folder: Path) -> str:
    """Say what is missing, and which file may be it under another name."""
    others = [
        path.name
        for path in sorted(folder.iterdir())
        if path.name.lower().startswith("captions.") and os.path.isfile(path)
    ]
    hint = f" (there is {others[0]}: rename it)" if others else ""
    return f"{folder}: no {CAPTION_FILE}{hint}: a line for each caption: {FORM}"


def no_tab(line: str, pictures: Collection[str]) -> str:
    """Say what is wrong with a line that has no tab."""
    for sign, called in ((",", "comma"), (";", "semicolon"), (" ", "blank")):
        name = line.partition(sign)[0].strip(' "')
        if sign in line and (name in pictures or is_image_name(name)):
            return f"expected {FORM}: write a tab for the {called} after {name[:60]}"
    return f"no tab: expected {FORM}, got {line[:60]!r}"


def no_picture(name: str, pictures: Collection[str], place: Path) -> str:
    """Say that a picture is missing, and which one may have been meant."""
    by_case = [each for each in pictures if each.lower() == name.lower()]
    close = by_case or difflib.get_close_matches(name, pictures, 1)
    hint = f": did you mean {close[0]}?" if close else ""
    return f"no picture {name[:60]!r} in {place}{hint}"


def count(names: list[str]) -> str:
    """Return ``"5 pictures (a.jpg, b.jpg, c.jpg ...)"``."""
    more = " ..." if len(names) > NAMED else ""
    noun = "picture" if len(names) == 1 else "pictures"
    return f"{len(names)} {noun} ({', '.join(names[:NAMED])}{more})"
