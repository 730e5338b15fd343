"""Data sets as they are distributed, in miniature, with one or two files damaged.

Of a data set that is read, every caption is cut into words, and a few pictures are
opened, as a training run would.

Knows: the files of each data set. Does not know: how they are read.
"""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from fuzzing.limits import COMMANDS, Target, check_line
from fuzzing.mutations import (
    choose,
    damage,
    damage_json,
    damage_text,
    some,
    special,
    text,
)
from fuzzing.structures import zipped
from mrnn_np.data import get_tokenizer, load_dataset
from mrnn_np.runtime.errors import InputError

Files = dict[str, bytes]
NAMES = [f"{number}.jpg" for number in range(6)]
CAPTIONS = [f"A dog , number {number} , isn't here ." for number in range(6)]


def picture() -> bytes:
    """Return a small JPEG."""
    stream = io.BytesIO()
    Image.new("RGB", (8, 6), "red").save(stream, "JPEG")
    return stream.getvalue()


PICTURE = picture()


def pictures(folder: str) -> Files:
    """Return the six pictures in a folder."""
    return {f"{folder}/{name}": PICTURE for name in NAMES}


def joined(rows) -> bytes:
    return "\n".join(rows).encode() + b"\n"


def tokens() -> bytes:
    rows = zip(NAMES, CAPTIONS, strict=True)
    return joined(f"{name}#{k}\t{text}" for name, text in rows for k in range(2))


def flickr8k(rng: np.random.Generator) -> Files:
    files = {"Flickr8k.token.txt": tokens()}
    if rng.random() < 0.2:
        rows = zip(NAMES, CAPTIONS, strict=True)
        lines = ["image,caption", *(f'{name},"{text}"' for name, text in rows)]
        files = {"captions.txt": joined(lines)}
    else:
        for split, names in (("train", NAMES[:4]), ("dev", NAMES[4:5])):
            files[f"Flickr_8k.{split}Images.txt"] = joined(names)
    return files | pictures("Flicker8k_Dataset")


def flickr8k_zip(rng: np.random.Generator) -> Files:
    files = flickr8k(rng)
    inside = {name: content for name, content in files.items() if "/" not in name}
    strange = rng.random() < 0.4
    if rng.random() < 0.4:
        name = choose(rng, list(inside))
        inside[name] = damage_text(rng, inside[name])
    return {
        "Flickr8k_text.zip": zipped(rng, inside, strange),
        "Flickr8k_Dataset.zip": zipped(rng, pictures("Flicker8k_Dataset"), strange),
    }


def flickr30k(rng: np.random.Generator) -> Files:
    rows = list(zip(NAMES, CAPTIONS, strict=True))
    kind = int(rng.integers(4))
    if kind == 0:
        files = {"results_20130124.token": tokens()}
    elif kind == 1:
        lines = [f"{name}| {k}| {text}" for name, text in rows for k in range(2)]
        files = {"results.csv": joined(["image_name| comment_number| comment", *lines])}
    elif kind == 2:
        lines = [f'{name},{k},"{text}"' for name, text in rows for k in range(2)]
        files = {"captions.csv": joined(["image_name,comment_number,comment", *lines])}
    else:
        lines = ["image,caption", *(f'{name},"{text}"' for name, text in rows)]
        files = {"captions.txt": joined(lines)}
    if rng.random() < 0.4:
        files["train.txt"] = joined(name.removesuffix(".jpg") for name in NAMES[:4])
        files["val.txt"] = joined(name.removesuffix(".jpg") for name in NAMES[4:])
    return files | pictures("flickr30k-images")


def coco(rng: np.random.Generator) -> Files:
    files = {}
    for part, names in (("train", NAMES[:4]), ("val", NAMES[4:])):
        numbers = [int(name[0]) for name in names]
        data = {
            "info": {"year": 2014},
            "images": [{"id": n, "file_name": f"{n}.jpg"} for n in numbers],
            "annotations": [
                {"image_id": n, "id": 10 * n + k, "caption": CAPTIONS[n]}
                for n in numbers
                for k in range(2)
            ],
        }
        name = f"annotations/captions_{part}2014.json"
        changed = rng.random() < 0.5
        files[name] = damage_json(rng, data) if changed else json.dumps(data).encode()
        files |= {f"{part}2014/{name}": PICTURE for name in names}
    return files


def karpathy(rng: np.random.Generator) -> Files:
    splits = ("train", "restval", "train", "val", "val", "test")
    data = {
        "dataset": "coco",
        "images": [
            {
                "filename": name,
                "split": split,
                "sentences": [{"raw": text, "tokens": text.split()}],
                "filepath": "val2014",
                "cocoid": number,
                "imgid": number,
                "sentids": [number],
            }
            for number, (name, split, text) in enumerate(
                zip(NAMES, splits, CAPTIONS, strict=True)
            )
        ],
    }
    return {"dataset.json": damage_json(rng, data)} | pictures("val2014")


def iaprtc12(rng: np.random.Generator) -> Files:
    files = {}
    for number in range(990, 998):
        name = f"{number // 1000:02d}/{number}"
        described = f"a lake near Tafí; hill {number} behind;"
        lines = ("<DOC>", f"<DOCNO>annotations/{name}.eng</DOCNO>",
                 f"<DESCRIPTION>{described}</DESCRIPTION>", "<NOTES>a note;</NOTES>",
                 f"<IMAGE>images/{name}.jpg</IMAGE>", "</DOC>")  # fmt: skip
        files[f"annotations_complete_eng/{name}.eng"] = "\n".join(lines).encode(
            "latin-1"
        )
        files[f"images/{name}.jpg"] = PICTURE
    if rng.random() < 0.8:
        listed = [f"00/{number}" for number in range(990, 996)]
        files["iaprtc12_train_list.txt"] = joined(listed)
        files["iaprtc12_test_list.txt"] = b"00/996\n00/997\n"
    return files


def folder(rng: np.random.Generator) -> Files:
    rows = list(zip(NAMES, CAPTIONS, strict=True))
    sides = ("train", "train", "train", "val", "dev", "test")
    if rng.random() < 0.3:
        lines = [f"{n}\t{t}\t{side}" for (n, t), side in zip(rows, sides, strict=True)]
    else:
        lines = [f"{name}\t{text}" for name, text in rows]
    files = {"captions.tsv": joined(lines)}
    if rng.random() < 0.3:
        files["train.txt"], files["dev.txt"] = joined(NAMES[:4]), joined(NAMES[4:])
    return files | {f"images/{name}": PICTURE for name in NAMES}


def scenes(rng: np.random.Generator) -> Files:
    return {}


def maker(name: str, files: Callable, place: str = "") -> Callable:
    """Return what writes a damaged data set and gives its NAME:PATH."""

    def make(rng: np.random.Generator, folder: Path) -> str:
        made = files(rng)
        # Texts are what is read first; of pictures a damaged one does for all.
        texts = [each for each in made if not each.endswith(".jpg")]
        for _ in some(rng, 2):
            damaged = choose(rng, texts if rng.random() < 0.85 else list(made))
            kind = rng.random()
            if kind < 0.6 and not damaged.endswith((".zip", ".json", ".jpg")):
                made[damaged] = damage_text(rng, made[damaged])
            elif kind < 0.7 or (kind < 0.9 and damaged.endswith(".jpg")):
                made[damaged] = damage(rng, made[damaged])
        lay_out(folder, made)
        if rng.random() < 0.03:
            special(
                rng, folder / choose(rng, [*made, *{Path(n).parts[0] for n in made}])
            )
        if rng.random() < 0.02:
            return text(rng) if rng.random() < 0.5 else f"{name}:{text(rng)}"
        return f"{name}:{folder / place}"

    return make


def lay_out(folder: Path, files: Files) -> None:
    """Write the files of a data set."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def read(spec: str) -> None:
    """Read a data set; cut every caption into words, open a few pictures."""
    dataset = load_dataset(spec)
    tokenize = get_tokenizer(dataset.tokenizer).tokenize
    for split in dataset.splits:
        for name, caption in dataset.sentences(split):
            assert caption and not set(name.split("/")) & {"", ".", ".."}
            assert not COMMANDS.search(name) and len(caption.splitlines()) == 1
            tokenize(caption)
        for name in dataset.split(split)[:2]:
            try:
                dataset.images.open(name)
            except InputError as error:
                check_line(str(error))
    str(dataset.remarks)


TARGETS = (
    Target("flickr8k", "dataset", maker("flickr8k", flickr8k), read, 2),
    Target("flickr8k-zip", "dataset", maker("flickr8k", flickr8k_zip), read, 2),
    Target("flickr30k", "dataset", maker("flickr30k", flickr30k), read, 2),
    Target("coco", "dataset", maker("coco", coco), read, 2),
    Target("karpathy", "dataset", maker("karpathy", karpathy, "dataset.json"), read, 2),
    Target("iaprtc12", "dataset", maker("iaprtc12", iaprtc12), read, 2),
    Target("folder", "dataset", maker("folder", folder), read, 2),
)
