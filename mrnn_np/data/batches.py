"""Packed batches: sentences of unequal length without a single padded word.

The sentences of a batch are sorted by length, longest first, and laid out time-major:
first the first word of all sentences, then the second word of those that have one, ...

    sentence 0   a  man  runs           batch_sizes  3    3    2    1
    sentence 1   a  dog                 inputs       s s s a a a man dog runs
    sentence 2   a                      targets      a a a man dog e runs e e
                                        sentence     0 1 2 0 1 2  0 1 0
    (s is <start>, e is <end>)

Every layer but the recurrence then is one matrix product over P = 9 rows, where a
padded batch would have 12.

Knows: ids and lengths. Does not know: words, the model.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mrnn_np.data.vocabulary import END, START
from mrnn_np.runtime.errors import InputError

WordIds = Sequence[int] | np.ndarray  # of one sentence


@dataclass(frozen=True)
class PackedBatch:
    """N sentences with P words in all, <end> included, over T time steps.

    Attributes
    ----------
    tokens : (P,) int64, the words fed in: <start>, w1, ..., wL.
    targets : (P,) int64, the words to predict: w1, ..., wL, <end>.
    batch_sizes : (T,) int64, non-increasing: sentences that run at each step.
    sentence : (P,) int64 in [0, N), the batch row of each token's sentence.
    order : (N,) int64: row n holds the sentence that was given as number order[n].
    features : (N, D), the image feature of each row's sentence.
    image : (N,) int64, which image that is: equal where two sentences describe the
        same one.
    """

    tokens: np.ndarray
    targets: np.ndarray
    batch_sizes: np.ndarray
    sentence: np.ndarray
    order: np.ndarray
    features: np.ndarray
    image: np.ndarray


def pack(
    sentences: Sequence[WordIds],
    features: np.ndarray,
    image: np.ndarray | None = None,
) -> PackedBatch:
    """Pack sentences, given as word ids without <start> and <end>.

    Parameters
    ----------
    sentences : N sequences of ids; an empty one is allowed (it predicts <end>).
    features : (N, D), one row a sentence, in the same order.
    image : (N,) integer, which image each sentence describes; None when every one has
        an image of its own.

    Raises
    ------
    InputError : no sentence, or not as many features as sentences.
    """
    if len(sentences) == 0:
        raise InputError("a batch needs at least one sentence")
    if len(sentences) != len(features):
        raise InputError(
            f"{len(sentences)} sentences but {len(features)} image features"
        )
    lengths = np.array([len(ids) + 1 for ids in sentences])
    order = np.argsort(-lengths, kind="stable")
    lengths = lengths[order]
    N, T = len(lengths), lengths[0]
    padded = np.full((N, T + 1), END, np.int64)
    padded[:, 0] = START
    for row, given in enumerate(order):
        padded[row, 1 : lengths[row]] = sentences[given]
    running = np.arange(T)[:, None] < lengths  # (T, N): does n have a word at step t?
    return PackedBatch(
        tokens=padded[:, :-1].T[running],  # (T, N) masked -> (P,), time-major
        targets=padded[:, 1:].T[running],
        batch_sizes=running.sum(axis=1),
        sentence=np.nonzero(running)[1],
        order=order,
        features=features[order],
        image=order if image is None else image[order],
    )


@dataclass(frozen=True)
class Examples:
    """Image-sentence pairs, ready to be cut into batches.

    Attributes
    ----------
    sentences : S arrays of word ids, without <start> and <end>.
    image : (S,) int64, the row of `features` that each sentence describes.
    features : (images, D) floating, as the model wants them.
    """

    sentences: Sequence[WordIds]
    image: np.ndarray
    features: np.ndarray

    def __len__(self) -> int:
        return len(self.sentences)

    def batch(self, rows: np.ndarray) -> PackedBatch:
        """Pack the examples of these rows."""
        sentences = [self.sentences[i] for i in rows]
        image = self.image[rows]
        return pack(sentences, self.features[image], image)

    def lengths(self) -> np.ndarray:
        """Return the number of words to predict in each sentence, <end> included."""
        return np.array([len(ids) + 1 for ids in self.sentences])


def shuffled_batches(
    lengths: np.ndarray,
    batch_size: int,
    rng: np.random.Generator,
    bucket: int = 1,
) -> list[np.ndarray]:
    """Shuffle the examples into mini-batches, on request of similar length.

    The examples are shuffled, cut into buckets of `bucket` batches, sorted by length
    within a bucket, cut into batches, and the batches shuffled. So the members of a
    batch change from epoch to epoch (shuffling fixed batches would not do that), and
    with a large bucket the recurrence runs few nearly empty steps.

    Parameters
    ----------
    lengths : (S,) integer.
    batch_size : sentences in a batch; the last one may be smaller.
    bucket : 1 mixes all lengths; see `TrainingConfig.bucket` for what that is worth.

    Returns
    -------
    A list of index arrays; every example is in exactly one.
    """
    order = rng.permutation(len(lengths))
    batches = []
    for begin in range(0, len(order), bucket * batch_size):
        members = order[begin : begin + bucket * batch_size]
        members = members[np.argsort(lengths[members], kind="stable")]
        batches += [
            members[i : i + batch_size] for i in range(0, len(members), batch_size)
        ]
    return [batches[i] for i in rng.permutation(len(batches))]


def ordered_batches(lengths: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    """Yield all examples once, longest first: for evaluation, where order is free."""
    order = np.argsort(-lengths, kind="stable")
    for begin in range(0, len(order), batch_size):
        yield order[begin : begin + batch_size]
