"""Flickr8k, read as it is distributed.

``flickr8k:DIR`` looks in DIR for

- the pictures: a folder ``Flicker8k_Dataset`` (so spelled in the archive),
  ``Flickr8k_Dataset`` or ``Images``, or ``Flickr8k_Dataset.zip``;
- the text: a folder ``Flickr8k_text``, ``Flickr8k_text.zip``, or the files in DIR.

``Flickr8k.token.txt`` has a line ``NAME.jpg#K <tab> caption`` for each of about 5
captions an image, ``Flickr_8k.{train,dev,test}Images.txt`` a name a line. A list that
is not there is a split that is not there; captions can serve without the pictures.

The copy that goes about without lists, a folder ``Images`` and ``captions.txt`` with
rows ``image,caption``, is read too: a remark says that its split is made from hashes of
the names, so that it has its own 1,000 test images, not those of published results.

Knows: these files. Does not know: tokenizers, features.
"""

from pathlib import Path

from mrnn_np.data.caption_tables import read_csv, read_token
from mrnn_np.data.dataset import CaptionDataset
from mrnn_np.data.pictures import find_pictures
from mrnn_np.data.splits import MADE, check_disjoint, oddities, split_by_rank
from mrnn_np.data.text_files import decode, find_file, need_folder, read_list
from mrnn_np.runtime.errors import InputError

TEXT = "Flickr8k_text"
CAPTION_FILE = "Flickr8k.token.txt"
CAPTION_CSV = "captions.txt"
LISTS = {
    "train": "Flickr_8k.trainImages.txt",
    "dev": "Flickr_8k.devImages.txt",
    "test": "Flickr_8k.testImages.txt",
}
PICTURES = ("Flicker8k_Dataset", "Flickr8k_Dataset", "Images")
ALL, MADE_DEV, MADE_TEST = 8091, 1000, 1000


def read(place: str) -> CaptionDataset:
    """Read the data set in the folder `place`.

    Raises
    ------
    InputError : no such folder, no caption file, no list beside a token file, or a bad
        line (named by file and number).
    """
    folder = need_folder(place, "flickr8k", f"{TEXT} (and Flickr8k_Dataset.zip)")
    captions, source, remarks = read_captions(folder)
    splits = {}
    for split, file_name in LISTS.items():
        label, content = find_file(folder, file_name, (TEXT,), f"{TEXT}.zip")
        if content is not None:
            splits[split] = read_list(label, decode(label, content), captions, source)
    if not splits:
        if source == CAPTION_FILE:
            raise InputError(f"{folder}: none of the lists {', '.join(LISTS.values())}")
        splits = split_by_rank(list(captions), MADE_DEV, MADE_TEST, str(folder), ALL)
        remarks += (MADE,)
    check_disjoint(splits, str(folder))
    images = find_pictures(folder, PICTURES)
    return CaptionDataset(
        name="flickr8k",
        images=images,
        captions=captions,
        splits=splits,
        remarks=remarks + oddities(captions, splits, images),
    )


def read_captions(folder: Path) -> tuple[dict[str, list[str]], str, tuple[str, ...]]:
    """Return image name -> captions, the file that they came from, and remarks."""
    for file_name, read_table in ((CAPTION_FILE, read_token), (CAPTION_CSV, read_csv)):
        label, content = find_file(folder, file_name, (TEXT,), f"{TEXT}.zip")
        if content is not None:
            captions, remarks = read_table(label, decode(label, content))
            return captions, file_name, remarks
    raise InputError(
        f"{folder}: no {CAPTION_FILE} in it or in its {TEXT} (and no {CAPTION_CSV})"
    )
