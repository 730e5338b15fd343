"""IAPR TC-12: 20,000 photographs, each with a description in one or more clauses.

``iaprtc12:DIR`` looks for

- the descriptions ``NN/ID.eng`` in ``annotations_complete_eng`` or, without it, in
  ``annotations`` (where some leave them out on purpose), and
- the pictures ``images/NN/ID.jpg``, both in DIR or its folder ``iaprtc12``;
- the lists ``iaprtc12_train_list.txt`` and ``iaprtc12_test_list.txt`` of Guillaumin, in
  DIR or its ``iaprtc12`` or ``iaprtc12.20091111``, with lines ``01/1000``.

An ``.eng`` file looks like XML but is not always well formed, and is in Latin-1:

    <DOC>
    <DOCNO>annotations/01/1000.eng</DOCNO>
    <TITLE>...</TITLE>
    <DESCRIPTION>a boy in a woolly hat; a grey wall behind him;</DESCRIPTION>
    <NOTES></NOTES> ...

Each clause of the description that ends at a ``;`` is a sentence (1.7 an image). Images
are called ``01/1000.jpg``.

There is no dev list. About 1 in 18 images of the training list, chosen by a hash of
the name, become dev (about 1,000 of 17,665) and are not trained on; without any list
about 1,000 of 19,627 are dev and 1,962 test. Remarks say so.

Knows: these files. Does not know: tokenizers, features.
"""

import html
import os
import re
from collections.abc import Iterable
from pathlib import Path

from mrnn_np.data.dataset import CaptionDataset
from mrnn_np.data.pictures import ImageTree
from mrnn_np.data.splits import check_disjoint, fraction, oddities, split_by_share
from mrnn_np.data.text_files import (
    clean_caption,
    decode,
    find_file,
    is_there,
    lines,
    need_folder,
    read_bytes,
    safe_name,
)
from mrnn_np.images import NoImages
from mrnn_np.runtime.errors import InputError

TEXTS = ("annotations_complete_eng", "annotations")
LISTS = {"train": "iaprtc12_train_list.txt", "test": "iaprtc12_test_list.txt"}
LIST_FOLDERS = ("iaprtc12.20091111", "iaprtc12")
TRAIN, TEST, DEV = 17665, 1962, 1000  # images of the two lists, and what we hold out
ENTRY = re.compile(r"(?P<folder>\d+)/(?P<number>\d+)(?:\.\w+)?")
# A description without its end tag ends where the next part begins.
DESCRIPTION = re.compile(
    r"<DESCRIPTION>(.*?)(?:</DESCRIPTION>|</?(?:NOTES|LOCATION|DATE|IMAGE|THUMBNAIL|DOC)"
    r"\b|\Z)",
    re.DOTALL | re.IGNORECASE,
)
TAG = re.compile(r"</?[A-Za-z][^<>]*>")
ABSURD = re.compile(r"&#\d{20,};?")  # a character's number, of digits without end
LARGEST_TEXT = 1 << 20  # bytes of one .eng file; usual are 700


def read(place: str) -> CaptionDataset:
    """Read the data set in the folder `place`.

    Raises
    ------
    InputError : no such folder, no descriptions, or a bad line of a list (named by file
        and number).
    """
    folder = need_folder(place, "iaprtc12", "annotations and images")
    places = [root / name for root in (folder, folder / "iaprtc12") for name in TEXTS]
    texts = next((place for place in places if os.path.isdir(place)), None)
    if texts is None:
        raise InputError(f"{folder}: no folder {' or '.join(TEXTS)} in it")
    lists = read_lists(folder)
    if lists:
        listed = [name for names in lists.values() for name in names]
    else:
        paths = texts.glob("*/*.eng")
        listed = sorted(f"{path.parent.name}/{path.stem}.jpg" for path in paths)
        for name in listed:
            safe_name(name, str(texts))
    captions, without = read_descriptions(texts, listed)
    splits, made = deal_out(lists, captions, str(texts))
    images: NoImages | ImageTree
    images = NoImages(f"{texts.parent}: no folder images in it")
    if os.path.isdir(texts.parent / "images"):
        images = ImageTree(texts.parent / "images")
    remarks = [made] if made else []
    if without:
        remarks.append(f"{without} images have no description and are left out")
    return CaptionDataset(
        name="iaprtc12",
        images=images,
        captions=captions,
        splits=splits,
        remarks=(*remarks, *oddities(captions, splits, images)),
    )


def read_lists(folder: Path) -> dict[str, list[str]]:
    """Return split -> image names, by the lists that are there.

    Raises
    ------
    InputError : a line that is not like ``01/1000``, an image twice, an empty list.
    """
    lists = {}
    for split, file_name in LISTS.items():
        label, content = find_file(folder, file_name, LIST_FOLDERS)
        if content is None:
            continue
        names: dict[str, None] = {}
        for number, line in lines(decode(label, content)):
            match = ENTRY.fullmatch(line.strip())
            if match is None:
                raise InputError(f"{label}:{number}: expected a line like 01/1000, got "
                                 f"{line[:60].strip()!r}")  # fmt: skip
            name = f"{match['folder']}/{match['number']}.jpg"
            safe_name(name, f"{label}:{number}")
            if name in names:
                raise InputError(f"{label}:{number}: {line.strip()} is listed twice")
            names[name] = None
        if not names:
            raise InputError(f"{label}: no image in it")
        lists[split] = list(names)
    check_disjoint(lists, str(folder))
    return lists


def read_descriptions(
    texts: Path, names: Iterable[str]
) -> tuple[dict[str, list[str]], int]:
    """Return image name -> sentences, and how many of the images have none."""
    captions, without = {}, 0
    for name in names:
        path = texts / Path(name).with_suffix(".eng")
        content = read_bytes(path, LARGEST_TEXT) if is_there(path) else b""
        sentences = parse_description(content)
        if sentences:
            captions[name] = sentences
        else:
            without += 1
    return captions, without


def parse_description(content: bytes) -> list[str]:
    """Return the sentences of one ``.eng`` file, none where there is no description.

    Bytes that are not UTF-8 are Latin-1, the encoding of the original files.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    match = DESCRIPTION.search(text)
    if match is None:
        return []
    plain = html.unescape(ABSURD.sub("\ufffd", TAG.sub(" ", match[1])))
    clauses = [clean_caption(clause) for clause in plain.split(";")]
    return [clause for clause in clauses if clause]


def deal_out(
    lists: dict[str, list[str]], captions: dict[str, list[str]], label: str
) -> tuple[dict[str, list[str]], str]:
    """Return the splits of the captioned images, and a remark on what was made up."""
    if not captions:
        raise InputError(f"{label}: no description of any image in it")
    if not lists:
        dev, test = DEV / (TRAIN + TEST), TEST / (TRAIN + TEST)
        splits = split_by_share(list(captions), dev, test, label)
        return splits, f"no {LISTS['train']}: the split is made from the names"
    splits = {
        split: [name for name in names if name in captions]
        for split, names in lists.items()
    }
    for split, names in splits.items():
        if not names:
            raise InputError(f"{label}: no description of any image of {LISTS[split]}")
    if "train" not in splits:
        return splits, ""
    train = sorted(splits["train"], key=fraction)
    if len(train) < 2:
        raise InputError(f"{label}: one described image of {LISTS['train']} is too few")
    # One image at least on each side, however few there are.
    held_out = {name for name in train[1:-1] if fraction(name) < DEV / TRAIN}
    held_out |= {train[0]}
    given = splits["train"]
    splits["train"] = [name for name in given if name not in held_out]
    splits["dev"] = [name for name in given if name in held_out]
    made = f"dev is {len(held_out)} images of the training list, chosen by their names"
    return splits, made
