"""The log-likelihood of every sentence for every image, exact.

    S[s, i] = log P(sentence s, <end> | image i)            natural logarithm

5,000 sentences and 1,000 images are 5 million pairs: one by one that is 60 million
softmaxes. Sharing (trie.py), blocks of images (scoring.py) and one thread a core, here
or on other machines (runtime/parallel.py), bring it to minutes. Blocks of images are
independent: each is written to a file as soon as it is done, and a run that was
interrupted goes on from there.

Knows: blocks, memory, files. Does not know: how a block is scored, who computes it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mrnn_np.retrieval.scoring import rows_at_once, scorer
from mrnn_np.retrieval.trie import PrefixTrie, build_trie
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.parallel import spread
from mrnn_np.runtime.parts import Parts, fingerprint, load_of
from mrnn_np.runtime.progress import progress
from mrnn_np.runtime.storage import save_arrays
from mrnn_np.runtime.untrusted_arrays import array_of
from mrnn_np.runtime.workers import THREADS, Workers

BLOCK = 8  # images a block, at most: half a minute of work at 5,000 sentences
KIND = "likelihoods"  # of the files


@dataclass(frozen=True)
class Work:
    """How much there was to do.

    Fields
    ------
    rows_alone : softmaxes if every sentence were computed alone, per image.
    rows : softmaxes after sharing prefixes, per image.
    multiply_adds : of the output products that were computed in this run.
    """

    rows_alone: int
    rows: int
    multiply_adds: float


def log_likelihoods(
    model,
    features: np.ndarray,
    sentences: Sequence[Sequence[int]],
    workers: Workers = THREADS,
    memory: int = 1024,
    path: str | Path | None = None,
    label: str = "likelihoods",
) -> tuple[np.ndarray, Work]:
    """Return log P(sentence, <end> | image) of every pair.

    Parameters
    ----------
    model : a captioner.
    features : (images, D), as the CNN gives them.
    sentences : word ids of each sentence (`Captioner.encode`).
    workers : who computes; each has one block at a time. By default a thread a core.
    memory : MB for intermediate results (the matrix itself comes on top). More memory
        shares more prefixes and is faster, up to about 500 MB at 5,000 sentences.
    path : file to keep the matrix in. One that is there already is read instead of
        computed, when it belongs to the same model, sentences and features; a run
        that was interrupted leaves its blocks in the folder `path`.part, and the
        next run goes on from them.
    label : shows progress under this name.

    Returns
    -------
    (sentences, images) float32, nats; and how much work that was.

    Raises
    ------
    InputError : no sentence or no image, too little memory, or `path` holds something
        else.
    """
    standard = model.standardise(features)
    if not len(sentences) or not len(standard):
        raise InputError(
            f"nothing to compare: {len(sentences)} sentences, {len(standard)} images"
        )
    words = np.array([w for sentence in sentences for w in sentence], np.int64)
    lengths = np.array([len(sentence) for sentence in sentences])
    inputs = fingerprint(model, standard, words=words, lengths=lengths)
    parts = Parts(path and Path(f"{path}.part"), KIND, inputs)
    if path is not None and (found := load_of(Path(path), KIND, inputs)) is not None:
        shape = len(sentences), len(standard)
        scores = array_of(found, "scores", "f", shape, path)
        parts.remove()  # a run that was killed just before it did
        return scores, Work(0, 0, 0.0)
    jobs = workers.count()
    V = len(model.vocabulary)
    M = model.output_size
    groups = sentence_groups(sentences, memory * 2**20 // (8 * M))
    scores = np.empty((len(sentences), len(standard)), np.float32)
    rows_alone = rows = 0
    computed = 0.0
    for number, group in enumerate(groups):
        trie = build_trie([sentences[i] for i in group])
        block = images_a_block(memory * 2**20 // 2, jobs, trie, M, V)
        block = min(block, -(-len(standard) // jobs))  # few images: some for each core
        blocks = [slice(i, i + block) for i in range(0, len(standard), block)]
        name = label if len(groups) == 1 else f"{label} {number + 1}/{len(groups)}"
        results = run(BlockScorer(model, trie), standard, blocks, group, workers, parts)
        for images, found, new in progress(results, len(blocks), name, "block"):
            scores[group, images] = found
            computed += new * found.shape[1] * trie.nodes * M * V
        rows_alone += trie.rows_alone
        rows += trie.nodes
    if path is not None:
        save_arrays(path, KIND, {"inputs": inputs}, {"scores": scores})
        parts.remove()
    return scores, Work(rows_alone, rows, computed)


class BlockScorer:
    """The likelihoods of all sentences of a tree for a block of images, (S, B).

    Where it is sent to another process only model and tree go: the rest, which is the
    larger part, is computed there once.
    """

    def __init__(self, model, trie: PrefixTrie) -> None:
        self.model, self.trie = model, trie
        self.score = scorer(model, trie)

    def __reduce__(self) -> tuple:
        return BlockScorer, (self.model, self.trie)

    def __call__(self, features: np.ndarray) -> np.ndarray:
        return self.trie.sentence_sums(self.score(features)).astype(np.float32)


def run(
    score: BlockScorer,
    standard: np.ndarray,
    blocks: list[slice],
    group: np.ndarray,
    workers: Workers,
    parts: Parts,
) -> Iterator[tuple[slice, np.ndarray, bool]]:
    """Yield the images of each block, their (S, B) scores, and whether they are new."""
    missing = []
    for images in blocks:
        name = part_name(group, images)
        found = parts.load(name)
        if found is None:
            missing.append(images)
        else:
            shape = len(group), len(standard[images])
            where = parts.where(name)
            yield images, array_of(found, "scores", "f", shape, where), False
    for i, found in spread(score, [standard[images] for images in missing], workers):
        parts.save(part_name(group, missing[i]), {"scores": found})
        yield missing[i], found, True


def sentence_groups(sentences: Sequence, most_words: int) -> list[np.ndarray]:
    """Cut the sentences, in dictionary order, into groups of limited size.

    Neighbours in the dictionary share their prefixes, so little sharing is lost.

    Parameters
    ----------
    most_words : words to predict in a group, at most.
    """
    order = sorted(range(len(sentences)), key=lambda i: tuple(sentences[i]))
    groups, words = [[]], 0
    for i in order:
        length = len(sentences[i]) + 1
        if groups[-1] and words + length > most_words:
            groups.append([])
            words = 0
        groups[-1].append(i)
        words += length
    return [np.array(group) for group in groups]


def images_a_block(available: int, jobs: int, trie, M: int, V: int) -> int:
    """Return how many images one thread can take at once, from the bytes for all.

    A thread holds a block of rows of m (M) and of logits (V) in float32, and for each
    image every edge in float32 and once more in float64 for the sums.
    """
    fixed = 4 * rows_at_once(V) * (M + V)
    images = (available // jobs - fixed) // (12 * len(trie.words))
    if images < 1:
        need = jobs * (fixed + 12 * len(trie.words)) * 2 // 2**20 + 1
        raise InputError(
            f"not enough memory for {jobs} threads: allow at least {need} MB (or take "
            "fewer threads)"
        )
    return int(min(images, BLOCK))


def part_name(group: np.ndarray, images: slice) -> str:
    """Name a block by what is in it.

    How many images and sentences make a block depends on memory and workers, which may
    be others when an interrupted run goes on. A group is a stretch of the dictionary,
    so its first and last sentence say which.
    """
    return f"{group[0]}-{group[-1]}-{images.start}-{images.stop}"
