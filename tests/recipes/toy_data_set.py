"""`toy:DIR`, a data set as CONTRIBUTING's recipe has it: what step 1 asks for.

DIR holds the folder ``pictures`` and ``toy.txt``, a line ``split | picture | caption``.
"""

from mrnn_np.data.dataset import CaptionDataset
from mrnn_np.data.pictures import find_pictures
from mrnn_np.data.splits import check_disjoint, oddities
from mrnn_np.data.text_files import (
    clean_caption,
    decode,
    find_file,
    lines,
    need_folder,
    safe_name,
)
from mrnn_np.runtime.errors import InputError

SPLITS = ("train", "dev", "test")


def read(place: str) -> CaptionDataset:
    folder = need_folder(place, "toy", "toy.txt and pictures")
    label, content = find_file(folder, "toy.txt")
    if content is None:
        raise InputError(f"{folder}: no {label} in it")
    captions, splits = {}, {}
    for number, line in lines(decode(label, content)):
        where = f"{label}:{number}"
        split, bar, rest = line.partition("|")
        name, another, caption = rest.partition("|")
        split, caption = split.strip(), clean_caption(caption)
        if not bar or not another or not caption:
            raise InputError(f"{where}: expected a line: split | picture | caption")
        if split not in SPLITS:
            raise InputError(f"{where}: the split must be {', '.join(SPLITS)}")
        name = safe_name(name.strip(), where)
        captions.setdefault(name, []).append(caption)
        splits.setdefault(split, {})[name] = None
    splits = {split: list(names) for split, names in splits.items()}
    check_disjoint(splits, label)
    images = find_pictures(folder, ("pictures",))
    return CaptionDataset(
        name="toy",
        images=images,
        captions=captions,
        splits=splits,
        remarks=oddities(captions, splits, images),
    )
