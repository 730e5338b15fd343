"""What a data set of captioned images is, and how it is found by name.

On the command line a data set is ``NAME:PATH``. Each NAME has a module of its own
that reads the data as it is distributed; a new data set is one new module and one
line in ``READERS``.

Knows: names and splits. Does not know: any data set's files, words or pixels.
"""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mrnn_np.runtime.errors import InputError

if TYPE_CHECKING:  # a list of data sets need not load Pillow
    from mrnn_np.images import Images

# NAME -> (what to write on the command line, module with `read(place)`).
READERS = {
    "scenes": ("scenes or scenes:zh", "mrnn_np.data.scenes"),
    "flickr8k": ("flickr8k:DIR", "mrnn_np.data.flickr8k"),
    "flickr30k": ("flickr30k:DIR", "mrnn_np.data.flickr30k"),
    "coco": ("coco:DIR", "mrnn_np.data.coco"),
    "iaprtc12": ("iaprtc12:DIR", "mrnn_np.data.iaprtc12"),
    "karpathy": ("karpathy:FILE.json", "mrnn_np.data.karpathy"),
    "folder": ("folder:DIR", "mrnn_np.data.folder"),
}


@dataclass(frozen=True)
class CaptionDataset:
    """Images, the sentences that describe them, and who may learn from which.

    Fields
    ------
    name : as in ``NAME:PATH``.
    images : where the pictures are: ``names()``, ``open(name)`` -> RGB, ``in``.
    captions : image name -> its sentences, as written by people.
    splits : split name -> image names in the official order.
    language : ``"en"`` or ``"zh"``.
    tokenizer : name of the tokenizer for these sentences.
    remarks : one line for each oddity the reader passed over (counted).
    ids : image name -> the number that a COCO results file has for it; None where
        the data set has no such numbers.
    """

    name: str
    images: "Images"
    captions: Mapping[str, Sequence[str]] = field(repr=False)
    splits: Mapping[str, Sequence[str]] = field(repr=False)
    language: str = "en"
    tokenizer: str = "english"
    remarks: tuple[str, ...] = ()
    ids: Mapping[str, int] | None = field(default=None, repr=False)

    def split(self, name: str) -> list[str]:
        """Return the image names of a split ("train", "dev", "test").

        Raises
        ------
        InputError : the data set has no such split.
        """
        if name not in self.splits:
            there = ", ".join(self.splits) or "none"
            raise InputError(f"{self.name} has no split {name!r} (there are: {there})")
        return list(self.splits[name])

    def sentences(self, split: str) -> Iterator[tuple[str, str]]:
        """Yield (image name, sentence) for every sentence of a split."""
        for image in self.split(split):
            for caption in self.captions[image]:
                yield image, caption


def load_dataset(spec: str) -> CaptionDataset:
    """Read a data set that is given as ``NAME:PATH`` (or ``NAME`` alone).

    Raises
    ------
    InputError : unknown name, or files that are missing or wrong (the error names
        file and line).
    """
    name, _, place = spec.partition(":")
    if name not in READERS:
        known = ", ".join(usage for usage, _ in READERS.values())
        raise InputError(f"unknown data set {spec!r}: expected one of {known}")
    return importlib.import_module(READERS[name][1]).read(place)
