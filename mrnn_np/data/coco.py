"""MS COCO captions, 2014 or 2017, read as they are distributed.

``coco:DIR`` looks in DIR for

- the captions: ``captions_train2014.json`` and ``captions_val2014.json`` (or 2017) in
  the folder ``annotations``, in DIR, or in ``annotations_trainval2014.zip`` itself;
- the pictures: folders ``train2014`` and ``val2014`` (in DIR or in its ``images``), or
  the downloaded ``train2014.zip`` and ``val2014.zip``.

Splits: train is the official training set, dev the official validation set. COCO keeps
the captions of its test set to itself. The 4,000 and 1,000 images that the paper drew
from val2014 were never published; for a test split that others use too take
``karpathy:dataset_coco.json``. Where both years lie in DIR, 2014 is read, the paper's.

Image 167126 of train2014 is a broken file in many copies and is left out, as in the
authors' own code. `CaptionDataset.ids` has the numbers that a results file needs.

Knows: these files. Does not know: tokenizers, features, results files.
"""

from pathlib import Path
from typing import NamedTuple

from mrnn_np.data.dataset import CaptionDataset
from mrnn_np.data.json_files import objects, parse_json, take_id
from mrnn_np.data.pictures import ImageUnion, find_pictures
from mrnn_np.data.splits import oddities
from mrnn_np.data.text_files import clean_caption, find_file, need_folder, safe_name
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.untrusted import take

YEARS = ("2014", "2017")
PARTS = {"train": "train", "dev": "val"}  # our split -> COCO's
BROKEN = {"2014": 167126}


class Part(NamedTuple):
    """What one caption file says: image name -> number, and -> captions; remarks."""

    ids: dict[str, int]
    captions: dict[str, list[str]]
    remarks: list[str]


def read(place: str) -> CaptionDataset:
    """Read the data set in the folder `place`.

    Raises
    ------
    InputError : no such folder, no caption file, or an entry that is wrong (named by
        file and place in it).
    """
    folder = need_folder(place, "coco", "annotations/captions_train2014.json")
    year, files = find_captions(folder)
    ids: dict[str, int] = {}
    captions: dict[str, list[str]] = {}
    splits, remarks = {}, []
    for split, (label, content) in files.items():
        part = read_part(label, content, BROKEN.get(year))
        numbers = set(ids.values())
        for name, number in part.ids.items():
            if name in ids or number in numbers:
                raise InputError(
                    f"{label}: image {number} ({name[:60]}) is in train too"
                )
        ids |= part.ids
        captions |= part.captions
        splits[split] = list(part.captions)
        remarks += part.remarks
    images = ImageUnion(
        [find_pictures(folder, (f"{part}{year}", f"images/{part}{year}"))
         for part in PARTS.values()]
    )  # fmt: skip
    return CaptionDataset(
        name="coco",
        images=images,
        captions=captions,
        splits=splits,
        remarks=(*remarks, *oddities(captions, splits, images)),
        ids=ids,
    )


def find_captions(folder: Path) -> tuple[str, dict[str, tuple[str, bytes]]]:
    """Return the year, and split -> (name for errors, contents) of its files."""
    for year in YEARS:
        files = {
            split: find_file(
                folder,
                f"captions_{part}{year}.json",
                ("annotations",),
                f"annotations_trainval{year}.zip",
            )
            for split, part in PARTS.items()
        }
        there = {
            split: (label, content)
            for split, (label, content) in files.items()
            if content is not None
        }
        if there:
            return year, there
    raise InputError(
        f"{folder}: no annotations/captions_train2014.json or captions_val2014.json "
        "(nor of 2017) in it"
    )


def read_part(label: str, content: bytes, broken: int | None = None) -> Part:
    """Read one caption file.

    It is ``{"images": [{"id", "file_name", ...}], "annotations": [{"image_id", "id",
    "caption"}]}``, each in any order.

    Parameters
    ----------
    broken : the number of an image to leave out.

    Raises
    ------
    InputError : not such a file; a number or file name twice; a caption of an image
        that is not listed; no captioned image at all.
    """
    data = parse_json(label, content)
    names: dict[int, str] = {}
    for where, entry in objects(data, "images", label):
        number = take_id(entry, "id", where)
        if number in names:
            raise InputError(f"{where}: a second image with the id {number}")
        names[number] = safe_name(take(entry, "file_name", str, where), where)
    found: dict[int, list[str]] = {number: [] for number in names}
    empty = 0
    for where, entry in objects(data, "annotations", label):
        number = take_id(entry, "image_id", where)
        if number not in names:
            raise InputError(f"{where}: no image has the id {number}")
        caption = clean_caption(take(entry, "caption", str, where))
        if caption:
            found[number].append(caption)
        else:
            empty += 1
    remarks = []
    if broken in names:
        remarks.append(f"image {broken} is left out: its file is broken in many copies")
        del found[broken]
    if empty:
        remarks.append(f"{empty} empty captions of {Path(label).name} are left out")
    without = sum(not captions for captions in found.values())
    if without:
        remarks.append(f"{without} images of {Path(label).name} have no caption")
    captions = {names[number]: texts for number, texts in found.items() if texts}
    ids = {names[number]: number for number, texts in found.items() if texts}
    if len(ids) != sum(bool(texts) for texts in found.values()):
        raise InputError(f"{label}: two images have the same file_name")
    if not ids:
        raise InputError(f"{label}: no image with a caption in it")
    return Part(ids, captions, remarks)
