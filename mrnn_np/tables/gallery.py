"""What every model says of the same few images.

Knows: pictures and sentences. Does not know: how they came about.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from PIL.Image import Image

from mrnn_np.data import CaptionDataset
from mrnn_np.report.walls import data_url
from mrnn_np.tables.layout import TITLES

SHOWN = 12  # images: a page of half a megabyte with photographs
SIDE = 300  # pixels


@dataclass(frozen=True)
class Pictures:
    """Some images with captions.

    Fields
    ------
    names : which. open : name -> Pillow image.
    captions : row -> name -> caption. people : name -> sentences.
    """

    names: Sequence[str]
    open: Callable[[str], Image]
    captions: Mapping[str, Mapping[str, str]]
    people: Mapping[str, Sequence[str]]


def choose_pictures(
    dataset: CaptionDataset,
    captions: Mapping[str, Mapping[str, str]],
    rng: np.random.Generator,
    count: int = SHOWN,
) -> Pictures | None:
    """Draw some of the images that every row has a caption for.

    Returns None where there is none.
    """
    sides = list(captions.values())
    shared = [n for n in sides[0] if all(n in side for side in sides)] if sides else []
    chosen = [shared[i] for i in rng.permutation(len(shared))[:count]]
    if not chosen:
        return None
    return Pictures(chosen, dataset.images.open, captions, dataset.captions)


def caption_gallery(pictures: Pictures) -> str:
    """Return each picture beside what the rows say; people's sentences come last."""
    order = [row for row in TITLES if row in pictures.captions]
    shown = []
    for name in pictures.names:
        lines = [(TITLES[row], pictures.captions[row].get(name, "-")) for row in order]
        lines += [("people" * (i == 0), s) for i, s in enumerate(pictures.people[name])]
        spoken = "".join(
            f"<dt>{escape(title)}</dt><dd>{escape(text)}</dd>" for title, text in lines
        )
        source = data_url(pictures.open(name), SIDE)
        shown.append(
            f'<div class="spoken"><figure><img src="{source}" alt="{escape(name)}">'
            f"</figure><dl>{spoken}</dl></div>"
        )
    return "".join(shown)
