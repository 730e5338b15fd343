"""Flickr30k: 31,783 pictures with 5 captions each, in every form that goes about.

``flickr30k:DIR`` looks in DIR (or its ``flickr30k_images``, ``flickr30k``) for the
captions, in this order:

- ``results_20130124.token``, the authors' file: ``NAME.jpg#K <tab> caption``;
- ``results.csv`` with bars: ``NAME.jpg| K| caption`` (its one damaged row is mended);
- ``captions.txt`` or ``captions.csv``: ``image,caption`` or
  ``image_name,comment_number,comment``, captions with commas in quotes;

and in DIR for the pictures: a folder ``flickr30k-images`` (unpack the .tar.gz),
``flickr30k_images``, ``Images`` or ``images``, or ``flickr30k-images.zip``.

Lists. The distribution has none. A set of lists in DIR is used when it is there, names
with or without ``.jpg``: ``Flickr_30k.{train,dev,test}Images.txt`` (or ``flickr_30k``),
``flickr30k_{train,val,test}.txt``, or ``{train,val,test}.txt`` (as Flickr30k Entities
brings them; those of Karpathy's split are read by ``karpathy:FILE.json``). Otherwise a
split is made: the images are ordered by a hash of their names, the first 1,014 are dev,
the next 1,000 test, in smaller sets in proportion. These are the numbers of the usual
split, not its images, and a remark says so. It depends on the caption file alone, never
on which pictures lie there.

Knows: these files. Does not know: tokenizers, features.
"""

from pathlib import Path

from mrnn_np.data.caption_tables import read_bars, read_csv, read_token
from mrnn_np.data.dataset import CaptionDataset
from mrnn_np.data.pictures import find_pictures
from mrnn_np.data.splits import MADE, check_disjoint, oddities, split_by_rank
from mrnn_np.data.text_files import decode, find_file, need_folder, read_list
from mrnn_np.runtime.errors import InputError

FOLDERS = ("flickr30k_images", "flickr30k")
CAPTION_FILES = {
    "results_20130124.token": read_token,
    "results.csv": read_bars,
    "captions.txt": read_csv,
    "captions.csv": read_csv,
}
# Each form of the names, for train, dev and test.
LISTS = (
    ("Flickr_30k.trainImages.txt", "Flickr_30k.devImages.txt",
     "Flickr_30k.testImages.txt"),
    ("flickr_30k.trainImages.txt", "flickr_30k.devImages.txt",
     "flickr_30k.testImages.txt"),
    ("flickr30k_train.txt", "flickr30k_val.txt", "flickr30k_test.txt"),
    ("train.txt", "val.txt", "test.txt"),
)  # fmt: skip
PICTURES = (
    "flickr30k-images",
    "flickr30k_images/flickr30k_images",
    "flickr30k_images",
    "Images",
    "images",
)
ALL, MADE_DEV, MADE_TEST = 31783, 1014, 1000


def read(place: str) -> CaptionDataset:
    """Read the data set in the folder `place`.

    Raises
    ------
    InputError : no such folder, no caption file, or a bad line (named by file and
        number).
    """
    folder = need_folder(place, "flickr30k", "results_20130124.token or results.csv")
    captions, source, remarks = read_captions(folder)
    splits = read_lists(folder, captions, source)
    if not splits:
        splits = split_by_rank(list(captions), MADE_DEV, MADE_TEST, str(folder), ALL)
        remarks += (MADE,)
    check_disjoint(splits, str(folder))
    images = find_pictures(folder, PICTURES)
    return CaptionDataset(
        name="flickr30k",
        images=images,
        captions=captions,
        splits=splits,
        remarks=remarks + oddities(captions, splits, images),
    )


def read_captions(folder: Path) -> tuple[dict[str, list[str]], str, tuple[str, ...]]:
    """Return image name -> captions, the file that they came from, and remarks."""
    for file_name, read_table in CAPTION_FILES.items():
        label, content = find_file(folder, file_name, FOLDERS)
        if content is not None:
            captions, remarks = read_table(label, decode(label, content))
            return captions, file_name, remarks
    raise InputError(f"{folder}: none of {', '.join(CAPTION_FILES)} in it")


def read_lists(folder: Path, captions: dict, source: str) -> dict[str, list[str]]:
    """Return the splits by the first form of list names of which there is one."""
    for form in LISTS:
        splits = {}
        for split, file_name in zip(("train", "dev", "test"), form, strict=True):
            label, content = find_file(folder, file_name, FOLDERS)
            if content is not None:
                text = decode(label, content)
                splits[split] = read_list(label, text, captions, source, ".jpg")
        if splits:
            return splits
    return {}
