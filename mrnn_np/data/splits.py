"""Who may learn from which image: made splits, and a look at given ones.

Where a data set comes without lists, its images are split by a hash of their names: the
same on every machine and in every year, whatever the order of the files.

Knows: names. Does not know: where they came from.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mrnn_np.runtime.errors import InputError

if TYPE_CHECKING:
    from mrnn_np.images import Images

SALT = "mrnn_np split 1:"  # another salt is another split
MADE = "no lists: the split is made from the names, not the one of published results"


def fraction(name: str) -> float:
    """Return a number in [0, 1) that looks random and depends on the name alone."""
    digest = hashlib.sha256((SALT + name).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def split_by_share(
    names: Sequence[str], dev: float, test: float, label: str
) -> dict[str, list[str]]:
    """Split images so that no image ever changes sides when others are added.

    An image is in dev where u = `fraction` of its name is below `dev`, in test where
    dev <= u < dev + test, and else in train. The shares hold on average: of n images
    dev gets n dev +- sqrt(n dev). Where chance leaves a split of a small set empty,
    `split_by_rank` takes its place.

    Parameters
    ----------
    names : all images, in the order that each split keeps.
    label : the data set, for the error.

    Raises
    ------
    InputError : fewer than 3 images.
    """
    splits: dict[str, list[str]] = {"train": [], "dev": [], "test": []}
    for name in names:
        u = fraction(name)
        split = "dev" if u < dev else "test" if u < dev + test else "train"
        splits[split].append(name)
    if all(splits.values()):
        return splits
    return split_by_rank(names, dev * len(names), test * len(names), label)


def split_by_rank(
    names: Sequence[str], dev: float, test: float, label: str, of: int = 0
) -> dict[str, list[str]]:
    """Split by exact numbers: the lowest hashes are dev, the next are test.

    Parameters
    ----------
    dev, test : how many images; rounded, 1 at least.
    of : how many images the data set has for which these numbers are meant; smaller
        ones get them in proportion.

    Raises
    ------
    InputError : fewer than 3 images.
    """
    if len(names) < 3:
        raise InputError(
            f"{label}: {len(names)} captioned images cannot be split into train, dev "
            "and test: 3 at least, or say yourself which is which"
        )
    share = min(1.0, len(names) / of) if of else 1.0
    dev, test = max(1, round(dev * share)), max(1, round(test * share))
    ranked = sorted(names, key=lambda name: (fraction(name), name))
    side = dict.fromkeys(ranked[:dev], "dev")
    side |= dict.fromkeys(ranked[dev : dev + test], "test")
    splits: dict[str, list[str]] = {"train": [], "dev": [], "test": []}
    for name in names:
        splits[side.get(name, "train")].append(name)
    return splits


def check_disjoint(splits: Mapping[str, Sequence[str]], label: str) -> None:
    """Raise InputError where an image is in two splits: a test on what was learned."""
    side: dict[str, str] = {}
    for split, names in splits.items():
        for name in names:
            if name in side:
                raise InputError(
                    f"{label}: {name[:60]} is in the list of {side[name]} and in that "
                    f"of {split}: an image belongs to one"
                )
            side[name] = split


def oddities(captions: Mapping, splits: Mapping, images: "Images") -> tuple[str, ...]:
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
