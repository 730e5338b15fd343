"""Karpathy's files ``dataset_flickr8k.json``, ``dataset_flickr30k.json`` and
``dataset_coco.json``: one file with captions and the split that most papers use.

``karpathy:FILE.json`` reads

    {"dataset": "coco", "images": [{"filename": "a.jpg", "split": "train",
     "sentences": [{"raw": "A dog runs.", "tokens": [...]}, ...],
     "filepath": "train2014", "cocoid": 9, "imgid": 0, "sentids": [...]}, ...]}

of which ``filepath`` and ``cocoid`` stand in the file of COCO alone, and ``tokens``,
``imgid`` and ``sentids`` are not used. Splits: "train" and "restval" (the part of
COCO's validation set that is free for training) are train, "val" is dev, "test" is
test.

Pictures are looked for beside the file: in the folder (or zip) of their ``filepath``,
in it or in ``images``; without one in a folder named as the data sets name theirs
(``Flicker8k_Dataset``, ``flickr30k-images``, ``images`` ...), or right beside it.

Knows: these files. Does not know: tokenizers, features (those of neuraltalk, in
``vgg_feats.mat``, are not needed).
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from mrnn_np.data.dataset import CaptionDataset
from mrnn_np.data.flickr8k import PICTURES as PICTURES_8K
from mrnn_np.data.flickr30k import PICTURES as PICTURES_30K
from mrnn_np.data.json_files import objects, parse_json, take_id
from mrnn_np.data.pictures import ImageUnion, find_pictures
from mrnn_np.data.splits import oddities
from mrnn_np.data.text_files import clean_caption, is_there, read_bytes, safe_name
from mrnn_np.images import ImageFolder, ImagePlace
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.untrusted import take

SPLITS = {"train": "train", "restval": "train", "val": "dev", "test": "test"}
PICTURES = tuple(dict.fromkeys((*PICTURES_8K, *PICTURES_30K, "imgs")))


def read(place: str) -> CaptionDataset:
    """Read the file `place`.

    Raises
    ------
    InputError : no such file, not JSON, or an entry that is wrong (named by its place);
        an image twice; no image with a caption.
    """
    path = Path(place)
    if not place or not is_there(path):
        raise InputError(
            f"{place or 'karpathy'}: no such file: write karpathy:FILE.json, with FILE "
            "for example dataset_flickr8k.json"
        )
    data = parse_json(place, read_bytes(path))
    captions: dict[str, list[str]] = {}
    ids: dict[str, int] = {}
    sides: dict[str, list[str]] = {side: [] for side in ("train", "dev", "test")}
    folders: dict[str, None] = {}
    without = 0
    for where, entry in objects(data, "images", place):
        name = safe_name(take(entry, "filename", str, where), where)
        split = take(entry, "split", str, where)
        if split not in SPLITS:
            raise InputError(
                f"{where}: split {split[:40]!r}, expected one of {', '.join(SPLITS)}"
            )
        if name in captions:
            raise InputError(f"{where}: a second image {name[:60]}")
        if "filepath" in entry:
            folders[safe_name(take(entry, "filepath", str, where), where)] = None
        if "cocoid" in entry:
            ids[name] = take_id(entry, "cocoid", where)
        captions[name] = read_sentences(entry, where)
        if captions[name]:
            sides[SPLITS[split]].append(name)
        else:
            without += 1
    captions = {name: texts for name, texts in captions.items() if texts}
    if not captions:
        raise InputError(f"{place}: no image with a caption in it")
    if len(set(ids.values())) != len(ids):
        raise InputError(f"{place}: two images have the same cocoid")
    splits = {side: names for side, names in sides.items() if names}
    images = images_beside(path.parent, folders, next(iter(captions)))
    remarks = (f"{without} images have no caption",) if without else ()
    return CaptionDataset(
        name=name_of(data),
        images=images,
        captions=captions,
        splits=splits,
        remarks=(*remarks, *oddities(captions, splits, images)),
        ids={name: ids[name] for name in captions} if captions.keys() <= ids.keys()
        else None,
    )  # fmt: skip


def read_sentences(entry: dict, where: str) -> list[str]:
    """Return the captions of one image as people wrote them, without empty ones."""
    sentences = objects(entry, "sentences", where)
    texts = [clean_caption(take(each, "raw", str, inner)) for inner, each in sentences]
    return [text for text in texts if text]


def images_beside(folder: Path, inner: Iterable[str], first: str) -> ImagePlace:
    """Return where the pictures are; `first` is the name of one of them."""
    places = [find_pictures(folder, (name, f"images/{name}")) for name in inner]
    if places:
        return ImageUnion(places)
    if os.path.isfile(folder / first):
        return ImageFolder(folder)
    return find_pictures(folder, PICTURES)


def name_of(data: dict) -> str:
    """Return ``karpathy:coco`` and the like; the name becomes part of a path."""
    name = data.get("dataset")
    plain = isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,40}", name)
    return f"karpathy:{name}" if plain else "karpathy"
