"""The log-likelihood of every sentence for every image, exact, as a captioner has it.

    S[s, i] = log P(sentence s, <end> | image i)            natural logarithm

5,000 sentences and 1,000 images are 5 million pairs: one by one that is 60 million
softmaxes. Sharing (trie.py), blocks of images (scoring.py) and one thread a core, here
or on other machines (runtime/parallel.py), bring it to minutes.

Knows: which sentences and images are computed together, and the memory that takes. Does
not know: how a block is scored (scoring.py), files.
"""

import functools
from collections.abc import Callable, Sequence

import numpy as np

from mrnn_np.models.next_word import NextWordModel
from mrnn_np.retrieval.blocks import Group
from mrnn_np.retrieval.scoring import rows_at_once, scorer
from mrnn_np.retrieval.trie import PrefixTrie, build_trie
from mrnn_np.runtime.errors import InputError

BLOCK = 8  # images a block, at most: half a minute of work at 5,000 sentences


def likelihood_groups(
    model: NextWordModel, sentences: Sequence[Sequence[int]], jobs: int, memory: int
) -> list[Callable[[], Group]]:
    """Return what makes each group of sentences, as `pairs.groups_of` wants it.

    Parameters
    ----------
    sentences : word ids of each.
    jobs : blocks at the same time.
    memory : MB for them all.
    """
    groups = sentence_groups(sentences, memory * 2**20 // (8 * model.output_size))
    return [
        functools.partial(likelihood_group, model, sentences, numbers, jobs, memory)
        for numbers in groups
    ]


def likelihood_group(
    model: NextWordModel,
    sentences: Sequence[Sequence[int]],
    numbers: np.ndarray,
    jobs: int,
    memory: int,
) -> Group:
    """Prepare the sentences of these numbers; see `likelihood_groups`."""
    trie = build_trie([sentences[i] for i in numbers])
    M, V = model.output_size, len(model.vocabulary)
    return Group(
        sentences=numbers,
        score=BlockScorer(model, trie),
        images=images_a_block(memory * 2**20 // 2, jobs, trie, M, V),
        rows_alone=trie.rows_alone,
        rows=trie.nodes,
        multiply_adds=trie.nodes * M * V,
    )


class BlockScorer:
    """The likelihoods of all sentences of a tree for a block of images, (S, B).

    Where it is sent to another process only model and tree go: the rest, which is the
    larger part, is computed there once.
    """

    def __init__(self, model: NextWordModel, trie: PrefixTrie) -> None:
        self.model, self.trie = model, trie
        self.score = scorer(model, trie)

    def __reduce__(self) -> tuple:
        return BlockScorer, (self.model, self.trie)

    def __call__(self, features: np.ndarray) -> np.ndarray:
        return self.trie.sentence_sums(self.score(features)).astype(np.float32)


def sentence_groups(sentences: Sequence, most_words: int) -> list[np.ndarray]:
    """Cut the sentences, in dictionary order, into groups of limited size.

    Neighbours in the dictionary share their prefixes, so little sharing is lost.

    Parameters
    ----------
    most_words : words to predict in a group, at most.
    """
    order = sorted(range(len(sentences)), key=lambda i: tuple(sentences[i]))
    groups: list[list[int]] = [[]]
    words = 0
    for i in order:
        length = len(sentences[i]) + 1
        if groups[-1] and words + length > most_words:
            groups.append([])
            words = 0
        groups[-1].append(i)
        words += length
    return [np.array(group) for group in groups]


def images_a_block(available: int, jobs: int, trie: PrefixTrie, M: int, V: int) -> int:
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
