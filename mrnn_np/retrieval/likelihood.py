"""The log-likelihood of every sentence for every image, exact.

    S[s, i] = log P(sentence s, <end> | image i)            natural logarithm

5,000 sentences and 1,000 images are 5 million pairs: one by one that is 60 million
softmaxes. Sharing (trie.py), blocks of images (scoring.py) and one thread a core bring
it to minutes. Blocks of images are independent: each is written to a file as soon as
it is done, and a run that was interrupted goes on from there.

Knows: blocks, threads, memory, files. Does not know: how a block is scored.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mrnn_np.errors import InputError
from mrnn_np.progress import progress
from mrnn_np.retrieval.scoring import ROWS, scorer
from mrnn_np.retrieval.trie import PrefixTrie, build_trie
from mrnn_np.storage import content_hash, load_arrays, save_arrays

BLOCK = 8  # images a block, at most: half a minute of work at 5,000 sentences


@dataclass(frozen=True)
class Work:
    """How much there was to do.

    Fields
    ------
    rows_alone : softmaxes if every sentence were computed alone, per image.
    rows : softmaxes after sharing beginnings, per image.
    multiply_adds : of the output products that were computed in this run.
    """

    rows_alone: int
    rows: int
    multiply_adds: float


def log_likelihoods(
    model,
    features: np.ndarray,
    sentences: Sequence[Sequence[int]],
    jobs: int | None = None,
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
    jobs : threads, each with one block at a time; all cores when left out.
    memory : MB for intermediate results (the matrix itself comes on top). More memory
        shares more beginnings and is faster, up to about 500 MB at 5,000 sentences.
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
    from joblib import cpu_count

    inputs = fingerprint(model, standard, sentences)
    if path is not None and (found := stored(Path(path), inputs)) is not None:
        return found, Work(0, 0, 0.0)
    jobs = jobs or cpu_count()
    V = len(model.vocabulary)
    M = sum(len(one.params["Wo"]) for one in members(model))
    groups = sentence_groups(sentences, memory * 2**20 // (8 * M))
    scores = np.empty((len(sentences), len(standard)), np.float32)
    rows_alone = rows = 0
    computed = 0.0
    parts = Path(f"{path}.part") if path is not None else None
    for number, group in enumerate(groups):
        trie = build_trie([sentences[i] for i in group])
        block = images_a_block(memory * 2**20 // 2, jobs, trie, M, V)
        block = min(block, -(-len(standard) // jobs))  # few images: some for each core
        tasks = []
        for first in range(0, len(standard), block):
            images = standard[first : first + block]
            tasks.append(
                Task(first, images, part_file(parts, group, first, len(images)))
            )
        score = scorer(model, trie)
        name = label if len(groups) == 1 else f"{label} {number + 1}/{len(groups)}"
        for task, found, new in progress(
            run(score, trie, tasks, jobs, inputs), len(tasks), name, "block"
        ):
            scores[group, task.first : task.first + found.shape[1]] = found
            computed += new * found.shape[1] * trie.nodes * M * V
        rows_alone += trie.rows_alone
        rows += trie.nodes
    if path is not None:
        save_arrays(path, "likelihoods", {"inputs": inputs}, {"scores": scores})
        remove_parts(parts)
    return scores, Work(rows_alone, rows, computed)


@dataclass(frozen=True)
class Task:
    """One block: images from number `first`, and the file that keeps the result."""

    first: int
    features: np.ndarray
    file: Path | None


def run(
    score, trie: PrefixTrie, tasks: list[Task], jobs: int, inputs: str
) -> Iterator[tuple[Task, np.ndarray, bool]]:
    """Yield each task, its (sentences, B) scores, and whether they are new."""

    def one(task: Task):
        found = stored(task.file, inputs) if task.file else None
        if found is not None:
            return task, found, False
        found = trie.sentence_sums(score(task.features)).astype(np.float32)
        if task.file:
            save_arrays(task.file, "likelihoods", {"inputs": inputs}, {"scores": found})
        return task, found, True

    return in_threads(one, tasks, jobs)


def in_threads(function: Callable, items: Iterable, jobs: int | None) -> Iterator:
    """Yield function(item) of every item in order, by `jobs` threads (None: all cores).

    Threads share the model and the tree; NumPy's products, its tanh and the kernels
    release the interpreter lock. Each BLAS call uses one thread: several BLAS threads
    waiting for each other between short products cost more than they gain.
    """
    from joblib import Parallel, cpu_count, delayed
    from threadpoolctl import threadpool_limits

    parallel = Parallel(jobs or cpu_count(), "threading", return_as="generator")
    with threadpool_limits(1):
        yield from parallel(delayed(function)(item) for item in items)


def sentence_groups(sentences: Sequence, most_words: int) -> list[np.ndarray]:
    """Cut the sentences, in dictionary order, into groups of limited size.

    Neighbours in the dictionary share their beginnings, so little sharing is lost.

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

    A thread holds ROWS rows of m (M) and of logits (V) in float32, and for each image
    every edge in float32 and once more in float64 for the sums.
    """
    fixed = 4 * ROWS * (M + V)
    images = (available // jobs - fixed) // (12 * len(trie.words))
    if images < 1:
        need = jobs * (fixed + 12 * len(trie.words)) * 2 // 2**20 + 1
        raise InputError(
            f"not enough memory for {jobs} threads: allow at least {need} MB (or take "
            "fewer threads)"
        )
    return int(min(images, BLOCK))


def fingerprint(model, standard: np.ndarray, sentences: Sequence) -> str:
    """Return a hash of everything that the matrix depends on."""
    lengths = np.array([len(sentence) for sentence in sentences])
    flat = np.array([word for sentence in sentences for word in sentence], np.int64)
    arrays = {"features": standard, "lengths": lengths, "words": flat}
    for number, one in enumerate(members(model)):
        for name, value in one.params.items():
            arrays[f"{number} {name}"] = value
        arrays[f"{number} feature mean"] = one.feature_mean
    return content_hash({"model": type(model).__name__}, arrays)


def members(model) -> Sequence:
    """Return the models of an ensemble, or the model alone."""
    return getattr(model, "models", (model,))


def stored(path: Path, inputs: str) -> np.ndarray | None:
    """Return the matrix in a file, None if there is no file.

    Raises
    ------
    InputError : it is of another model, other sentences or other features.
    """
    if not path.exists():
        return None
    header, arrays = load_arrays(path, "likelihoods")
    if header.get("inputs") != inputs or "scores" not in arrays:
        raise InputError(
            f"{path}: likelihoods of another model, other sentences or other features: "
            "delete it or name another file"
        )
    return arrays["scores"]


def part_file(
    parts: Path | None, group: np.ndarray, first: int, images: int
) -> Path | None:
    """Name the file of a block by what is in it.

    How many images and sentences make a block depends on memory and threads, which may
    be others when an interrupted run goes on. A group is a stretch of the dictionary,
    so its first and last sentence say which.
    """
    name = f"{group[0]}-{group[-1]}-{first}-{images}.npz"
    return parts / name if parts else None


def remove_parts(parts: Path) -> None:
    """Delete the blocks once the whole matrix is written."""
    for file in (*parts.glob("*-*.npz"), *parts.glob(".*-*")):
        file.unlink()
    if parts.is_dir() and not any(parts.iterdir()):
        parts.rmdir()
