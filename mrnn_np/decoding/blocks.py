"""Captions of many images, in blocks that several workers search.

`search_blocks` is the one loop for it. `NextWordModel.caption` keeps nothing of it;
`caption_images` writes each block to disk as soon as it is there, where somebody names
a folder, and goes on from what an interrupted run left.

Knows: blocks and their files. Does not know: how a sentence is searched, who does it.
"""

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mrnn_np.decoding.beam import beam_search, images_together
from mrnn_np.decoding.caption import LONGEST, Caption, make_caption
from mrnn_np.decoding.next_words import NextWords
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.parallel import spread
from mrnn_np.runtime.parts import Parts, fingerprint
from mrnn_np.runtime.progress import progress
from mrnn_np.runtime.untrusted_arrays import array_of
from mrnn_np.runtime.workers import THREADS, Workers

# Images searched together, fewer where the beam is wide. Fewer take less memory, but at
# a beam of 5 blocks of 100 take a tenth longer.
BLOCK = 250
KIND = "captions"  # of the files
NOWHERE = Parts(None, KIND, "")


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
    parts = Parts(Path(folder) if folder else None, KIND, inputs)
    search = Search(model, beam_size, n_best=n_best)
    return search_blocks(search, standard, BLOCK, workers, "captions", parts)


def remove_captions(folder: Path) -> None:
    """Delete what `caption_images` kept."""
    Parts(folder, KIND, "").remove()


@dataclass(frozen=True)
class Search:
    """A beam search with its options; see `beam_search`."""

    model: NextWords
    beam_size: int
    max_length: int = LONGEST
    length_penalty: float = 0.0
    n_best: int = 1

    def __call__(self, standard: np.ndarray) -> list[list[Caption]]:
        """Return the captions of a block of images, (B, D) as `standardise` returns."""
        return beam_search(
            self.model,
            standard,
            self.beam_size,
            self.max_length,
            self.length_penalty,
            self.n_best,
        )


def search_blocks(
    search: Search,
    standard: np.ndarray,
    most: int = BLOCK,
    workers: Workers | None = None,
    label: str = "",
    parts: Parts = NOWHERE,
) -> list[list[Caption]]:
    """Search for the captions of each image, block after block.

    Parameters
    ----------
    standard : (N, D) as `standardise` returns them.
    most : images searched together, at most.
    workers : who searches; None for this thread alone, with all of BLAS's threads.
    label : shows progress under this name when given.
    parts : where blocks are kept, and found again.

    Returns
    -------
    For each image its captions, best first.
    """
    size = images_together(search.beam_size, most)
    blocks = [standard[i : i + size] for i in range(0, len(standard), size)]
    found = [
        load_block(parts, f"block-{i}", search.model, len(block))
        for i, block in enumerate(blocks)
    ]
    missing = [i for i, captions in enumerate(found) if captions is None]
    to_do = [blocks[i] for i in missing]
    results = (
        spread(search, to_do, workers) if workers else enumerate(map(search, to_do))
    )
    if label:
        results = progress(results, len(missing), label, "block")
    with parts.told_when_stopped("what was searched", "the same command goes on"):
        for number, captions in results:  # in the order in which they are done
            found[missing[number]] = captions
            save_block(parts, f"block-{missing[number]}", search.model, captions)
    done = [captions for captions in found if captions is not None]  # all of them
    return list(itertools.chain.from_iterable(done))


def save_block(
    parts: Parts, name: str, model: NextWords, beams: list[list[Caption]]
) -> None:
    """Keep the captions of a block, where blocks are kept, as flat arrays.

    counts : (images,) captions of each; lengths, log_probs : of each caption, in words
    and in nats; words : the word ids of all captions, one after another.
    """
    if parts.folder is None:
        return
    ids = {word: i for i, word in enumerate(model.vocabulary.words)}
    captions = list(itertools.chain.from_iterable(beams))
    words = [ids[word] for caption in captions for word in caption.tokens]
    arrays = {
        "counts": np.array([len(beam) for beam in beams], np.int64),
        "lengths": np.array([len(caption.tokens) for caption in captions], np.int64),
        "log_probs": np.array([caption.log_prob for caption in captions], np.float64),
        "words": np.array(words, np.int64),
    }
    parts.save(name, arrays)


def load_block(
    parts: Parts, name: str, model: NextWords, images: int
) -> list[list[Caption]] | None:
    """Return what `save_block` was given, None where there is no such block.

    Raises
    ------
    InputError : a block of other inputs, or that cannot be of so many images.
    """
    block = parts.load(name)
    if block is None:
        return None
    check_block(block, len(model.vocabulary), images, parts.where(name))
    ends = np.cumsum(block["lengths"])[:-1]
    words = np.split(block["words"], ends)[: len(block["lengths"])]
    captions = (
        make_caption(model, ids, log_prob)
        for ids, log_prob in zip(words, block["log_probs"], strict=True)
    )
    return [list(itertools.islice(captions, count)) for count in block["counts"]]


def check_block(block: dict[str, np.ndarray], V: int, images: int, where: Path) -> None:
    """Raise InputError for a file that cannot be what `save_block` wrote.

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
