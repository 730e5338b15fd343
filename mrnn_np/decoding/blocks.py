"""Captions of many images, in blocks that several workers search.

Each block is written to disk as soon as it is there, where somebody names a folder; a
run that was interrupted goes on from what it finds.

Knows: blocks and their files. Does not know: how a sentence is searched, who does it.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mrnn_np.decoding import Caption, beam_search
from mrnn_np.decoding.beam import images_together
from mrnn_np.decoding.caption import make_caption
from mrnn_np.decoding.next_words import NextWords
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.parallel import spread
from mrnn_np.runtime.parts import Parts, fingerprint
from mrnn_np.runtime.progress import progress, say
from mrnn_np.runtime.untrusted_arrays import array_of
from mrnn_np.runtime.workers import THREADS, Workers

BLOCK = 250  # images searched together, fewer where the beam is wide


def caption_images(
    model: NextWords,
    features: np.ndarray,
    beam_size: int = 5,
    n_best: int = 1,
    workers: Workers = THREADS,
    folder: str | Path | None = None,
) -> list[list[Caption]]:
    """Describe many images; the same sentences as `NextWordModel.caption` finds.

    Parameters
    ----------
    features : (N, D), as the CNN gives them.
    beam_size, n_best : see `mrnn_np.decoding.beam_search`.
    workers : who searches; by default a thread a core.
    folder : to keep the blocks in, and to find those of an interrupted run. Whoever
        names it deletes it (`remove_captions`) once the captions are safe.

    Returns
    -------
    For each image its `n_best` captions, best first.

    Raises
    ------
    InputError : `folder` holds captions of other images, models or options.
    """
    standard = model.standardise(features)
    options = np.array([beam_size, n_best])
    inputs = fingerprint(model, standard, options=options)
    parts = Parts(Path(folder) if folder else None, "captions", inputs)
    size = images_together(beam_size, BLOCK)
    blocks = [slice(i, i + size) for i in range(0, len(standard), size)]
    found = [parts.load(f"block-{i}") for i in range(len(blocks))]
    for i, block in enumerate(found):
        if block is not None:
            images = len(standard[blocks[i]])
            check_packed(
                block, len(model.vocabulary), images, parts.where(f"block-{i}")
            )
    missing = [i for i, block in enumerate(found) if block is None]
    search = Search(model, beam_size, n_best)
    results = spread(search, [standard[blocks[i]] for i in missing], workers)
    try:
        for number, block in progress(results, len(missing), "captions", "block"):
            found[missing[number]] = block
            parts.save(f"block-{missing[number]}", block)
    except KeyboardInterrupt:
        if folder and Path(folder).is_dir():
            say(f"what was searched is kept in {folder}: the same command goes on")
        raise
    done = [unpacked(model, block) for block in found if block is not None]  # all
    return list(itertools.chain.from_iterable(done))


def remove_captions(folder: Path) -> None:
    """Delete what `caption_images` kept."""
    Parts(folder, "captions", "").remove()


@dataclass(frozen=True)
class Search:
    """A beam search over a block of images, as arrays that can go to disk."""

    model: NextWords
    beam_size: int
    n_best: int

    def __call__(self, standard: np.ndarray) -> dict[str, np.ndarray]:
        """Search, (B, D) -> see `packed`."""
        beams = beam_search(self.model, standard, self.beam_size, n_best=self.n_best)
        return packed(self.model, beams)


def packed(
    model: NextWords, beams: Sequence[Sequence[Caption]]
) -> dict[str, np.ndarray]:
    """Return captions as flat arrays.

    Returns
    -------
    counts : (images,) captions of each; lengths, log_probs : of each caption, in words
        and in nats; words : the word ids of all captions, one after another.
    """
    ids = {word: i for i, word in enumerate(model.vocabulary.words)}
    captions = [caption for beam in beams for caption in beam]
    return {
        "counts": np.array([len(beam) for beam in beams], np.int64),
        "lengths": np.array([len(caption.tokens) for caption in captions], np.int64),
        "log_probs": np.array([caption.log_prob for caption in captions], np.float64),
        "words": np.array([ids[w] for c in captions for w in c.tokens], np.int64),
    }


def check_packed(
    block: dict[str, np.ndarray], V: int, images: int, where: Path
) -> None:
    """Raise InputError for a file that cannot be what `packed` returned.

    Parameters
    ----------
    V : words of the model; images : whose captions it holds.
    """
    counts = array_of(block, "counts", "i", (images,), where)
    lengths = array_of(block, "lengths", "i", (None,), where)
    array_of(block, "log_probs", "f", lengths.shape, where)
    words = array_of(block, "words", "i", (None,), where)
    fits = (
        counts.min(initial=1) >= 1
        and lengths.min(initial=0) >= 0
        and max(counts.max(initial=0), lengths.max(initial=0))
        <= len(words) + len(lengths)
        and (counts.sum(), lengths.sum()) == (len(lengths), len(words))
        and words.min(initial=0) >= 0
        and words.max(initial=0) < V
    )
    if not fits:
        raise InputError(f"{where}: its captions do not fit together: delete it")


def unpacked(model: NextWords, block: dict[str, np.ndarray]) -> list[list[Caption]]:
    """Return the captions that `packed` was given."""
    ends = np.cumsum(block["lengths"])[:-1]
    words = np.split(block["words"], ends)[: len(block["lengths"])]
    captions = (
        make_caption(model, ids, log_prob)
        for ids, log_prob in zip(words, block["log_probs"], strict=True)
    )
    return [list(itertools.islice(captions, count)) for count in block["counts"]]
