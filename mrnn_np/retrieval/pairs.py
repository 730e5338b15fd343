"""The score of every sentence for every image, whatever kind of model gives it.

    captioner   log P(sentence, <end> | image), exact              (likelihood.py)
    ranker      its own score of the pair                          (models/ranker.py)

Knows: kinds of models, and the file of a whole matrix. Does not know: how a pair is
scored, or how blocks are computed and kept (blocks.py).
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mrnn_np.models.model import Model
from mrnn_np.models.next_word import NextWordModel
from mrnn_np.models.ranker import Ranker
from mrnn_np.retrieval.blocks import PART_NAMES, Group, blocks_of, run
from mrnn_np.retrieval.likelihood import likelihood_groups
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.parts import Parts, fingerprint, load_of
from mrnn_np.runtime.progress import progress
from mrnn_np.runtime.storage import save_arrays
from mrnn_np.runtime.untrusted_arrays import array_of
from mrnn_np.runtime.workers import THREADS, Workers

KIND = "likelihoods"  # of the files; those of rankers' scores are called so too
RANKED = 256  # images a block of a ranker, at most


@dataclass(frozen=True)
class Work:
    """How much there was to do.

    Fields
    ------
    pairs : that were computed in this run.
    rows_alone : softmaxes if every sentence were computed alone, per image.
    rows : softmaxes after sharing prefixes, per image; of a ranker 0.
    multiply_adds : of the output products that were computed in this run.
    """

    pairs: int
    rows_alone: int
    rows: int
    multiply_adds: float


def pair_scores(
    model: Model,
    features: np.ndarray,
    sentences: Sequence[Sequence[int]],
    workers: Workers = THREADS,
    memory: int = 1024,
    path: str | Path | None = None,
    label: str = "pairs",
) -> tuple[np.ndarray, Work]:
    """Return the score of every pair, larger is better.

    Parameters
    ----------
    model : a captioner, which gives log P(sentence, <end> | image) in nats, or a
        ranker.
    features : (images, D), as the CNN gives them.
    sentences : word ids of each sentence (`Model.encode`).
    workers : who computes; each has one block at a time. By default a thread a core.
    memory : MB for a captioner's intermediate results (the matrix itself comes on
        top). More memory shares more prefixes and is faster, up to about 500 MB at
        5,000 sentences.
    path : file to keep the matrix in. One that is there already is read instead of
        computed, when it belongs to the same model, sentences and features; a run
        that was interrupted leaves its blocks in the folder `path`.part, and the
        next run goes on from them.
    label : shows progress under this name.

    Returns
    -------
    (sentences, images) float32; and how much work that was.

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
    parts = Parts(Path(f"{path}.part") if path else None, KIND, inputs, PART_NAMES)
    if path is not None and (found := load_of(Path(path), KIND, inputs)) is not None:
        shape = len(sentences), len(standard)
        scores = array_of(found, "scores", "f", shape, path)
        parts.remove()  # a run that was killed just before it did
        return scores, Work(0, 0, 0, 0.0)
    jobs = workers.count()
    groups = groups_of(model, sentences, jobs, memory)
    scores = np.empty((len(sentences), len(standard)), np.float32)
    pairs = rows_alone = rows = 0
    multiply_adds = 0.0
    for number, made in enumerate(groups):
        group = made()
        blocks = blocks_of(group, len(standard), jobs)
        name = label if len(groups) == 1 else f"{label} {number + 1}/{len(groups)}"
        results = run(group, standard, blocks, workers, parts)
        for images, block, new in progress(results, len(blocks), name, "block"):
            scores[group.sentences, images] = block
            pairs += new * block.size
            multiply_adds += new * block.shape[1] * group.multiply_adds
        rows_alone += group.rows_alone
        rows += group.rows
    if path is not None:
        save_arrays(path, KIND, {"inputs": inputs}, {"scores": scores})
        parts.remove()
    return scores, Work(pairs, rows_alone, rows, multiply_adds)


@functools.singledispatch
def groups_of(
    model: Model, sentences: Sequence[Sequence[int]], jobs: int, memory: int
) -> list[Callable[[], Group]]:
    """Return what makes each group of sentences that are scored together.

    A group may hold much memory: it is made when it is its turn.
    """
    assert isinstance(model, NextWordModel)  # the only other kind
    return likelihood_groups(model, sentences, jobs, memory)


@groups_of.register
def _(
    model: Ranker, sentences: Sequence[Sequence[int]], jobs: int, memory: int
) -> list[Callable[[], Group]]:
    everything = np.arange(len(sentences))
    return [lambda: Group(everything, RankerScorer(model, sentences), RANKED)]


class RankerScorer:
    """A ranker's scores of all sentences for a block of images, (S, B).

    The sentences are read once for all blocks; where it is sent to another process,
    once there.
    """

    def __init__(self, model: Ranker, sentences: Sequence[Sequence[int]]) -> None:
        self.model, self.sentences = model, sentences
        self.embedded = model.embed_sentences(sentences)

    def __reduce__(self) -> tuple:
        return RankerScorer, (self.model, self.sentences)

    def __call__(self, features: np.ndarray) -> np.ndarray:
        scores = self.model.scores(self.embedded, features)
        return scores.astype(np.float32, copy=False)
