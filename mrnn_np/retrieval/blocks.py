"""A matrix of scores in blocks, which several workers compute and a run keeps on disk.

Blocks of images are independent: each is written to a file as soon as it is done, and a
run that was interrupted goes on from there.

Knows: blocks and their files. Does not know: how a block is scored, who computes it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from mrnn_np.runtime.parallel import spread
from mrnn_np.runtime.parts import Parts
from mrnn_np.runtime.untrusted_arrays import array_of
from mrnn_np.runtime.workers import Workers

PART_NAMES = "*-*-*-*"  # what `part_name` returns


@dataclass(frozen=True)
class Group:
    """Sentences that are scored together.

    Fields
    ------
    sentences : (S,) their numbers, increasing by some order of all sentences.
    score : from features (B, D), as `standardise` returns them, to (S, B) float32; it
        can be sent to another process.
    images : how many one worker takes at once, at most.
    rows_alone : softmaxes if every sentence were computed alone, per image.
    rows : softmaxes that are computed, per image; a ranker has none.
    multiply_adds : of the output products, per image.
    """

    sentences: np.ndarray
    score: Callable[[np.ndarray], np.ndarray]
    images: int
    rows_alone: int = 0
    rows: int = 0
    multiply_adds: float = 0.0


def blocks_of(group: Group, images: int, jobs: int) -> list[slice]:
    """Cut the images into blocks; where there are few, there are some for each job."""
    size = min(group.images, -(-images // jobs))
    return [slice(i, i + size) for i in range(0, images, size)]


def run(
    group: Group,
    standard: np.ndarray,
    blocks: list[slice],
    workers: Workers,
    parts: Parts,
) -> Iterator[tuple[slice, np.ndarray, bool]]:
    """Yield the images of each block, their (S, B) scores, and whether they are new."""
    missing = []
    for images in blocks:
        name = part_name(group.sentences, images)
        found = parts.load(name)
        if found is None:
            missing.append(images)
        else:
            shape = len(group.sentences), len(standard[images])
            where = parts.where(name)
            yield images, array_of(found, "scores", "f", shape, where), False
    features = [standard[images] for images in missing]
    for i, found in spread(group.score, features, workers):
        parts.save(part_name(group.sentences, missing[i]), {"scores": found})
        yield missing[i], found, True


def part_name(sentences: np.ndarray, images: slice) -> str:
    """Name a block by what is in it.

    How many images and sentences make a block depends on memory and workers, which may
    be others when an interrupted run goes on. A group is a stretch of the sentences in
    a certain order, so its first and last sentence say which.
    """
    return f"{sentences[0]}-{sentences[-1]}-{images.start}-{images.stop}"
