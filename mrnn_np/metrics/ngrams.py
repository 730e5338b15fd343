"""N-grams of a whole corpus, each counted once and known by a number.

BLEU and CIDEr ask the same question of every image: which n-grams of the hypothesis
occur in its references, and how often? Words are numbered first; an n-gram is then
the pair (number of its first n - 1 words, number of its last word), so all n-grams of
one order get their numbers from one sort of integers, without building any tuple.

Knows: words and their order. Does not know: what a score is.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

ORDERS = 4

Words = Sequence[str]


@dataclass(frozen=True)
class Counts:
    """How often each n-gram occurs in each of S sentences, without the zeros.

    sentence, gram, count : (R,) int64 each; sorted by sentence, then gram.
    lengths : (S,) int64, words in each sentence.
    """

    sentence: np.ndarray
    gram: np.ndarray
    count: np.ndarray
    lengths: np.ndarray


@dataclass(frozen=True)
class Corpus:
    """The n-grams of N hypotheses and of all their references.

    hypotheses, references : their `Counts`; hypothesis i belongs to image i.
    image : (S,) int64, which image each reference describes.
    order : (G,) int64 in 0..3, the order of each n-gram less one.
    found : (R,) int64, for each row of `references.gram` the row of
        `hypotheses.gram` with the same image and n-gram, or -1.
    words, occurrence : the words of all sentences in one list (T), and a place in it
        where each n-gram begins, (G,) int64.
    """

    hypotheses: Counts
    references: Counts
    image: np.ndarray
    order: np.ndarray
    found: np.ndarray
    words: Sequence[str]
    occurrence: np.ndarray

    def ngrams(self) -> list[tuple[str, ...]]:
        """Return the words of every n-gram, in the order of their numbers."""
        ends = self.occurrence + self.order + 1
        pairs = zip(self.occurrence.tolist(), ends.tolist(), strict=True)
        return [tuple(self.words[start:end]) for start, end in pairs]


def count_ngrams(words: Words) -> Counter:
    """Count the n-grams of orders 1 to 4 of one sentence, each a tuple of words.

    This is the definition; `count_corpus` does the same for many sentences at once.
    """
    return Counter(
        tuple(words[i : i + n])
        for n in range(1, ORDERS + 1)
        for i in range(len(words) - n + 1)
    )


def count_corpus(
    references: Iterable[Sequence[Words]], hypotheses: Sequence[Words]
) -> Corpus:
    """Count all n-grams of orders 1 to 4.

    Parameters
    ----------
    references : for each image its sentences (at least one), each a list of words.
    hypotheses : for each image one list of words; an empty one is allowed.

    1,000 hypotheses of 10 words with 5 references each take 40 to 50 ms; with BLEU and
    CIDEr it is 55 to 65 ms, against 1,340 to 1,390 ms of coco-caption's scorers: 20
    times as fast (processor time of one core of a busy machine).
    """
    references = [list(sentences) for sentences in references]
    N = len(hypotheses)
    if len(references) != N:
        raise ValueError(f"references of {len(references)} images, {N} hypotheses")
    if not all(references):
        raise ValueError("an image has no reference")
    sentences = [*hypotheses, *(words for truth in references for words in truth)]
    lengths = np.array([len(words) for words in sentences], np.int64)
    words = [word for sentence in sentences for word in sentence]
    numbers: dict[str, int] = {}
    ids = [numbers.setdefault(word, len(numbers)) for word in words]
    sentence = np.repeat(np.arange(len(sentences)), lengths)  # (T,)
    rows, order, occurrence = number_ngrams(np.array(ids, np.int64), sentence)
    G = len(order)
    keys, count = np.unique(rows, return_counts=True)  # sentence * G + gram
    owner, gram = np.divmod(keys, max(G, 1))
    split = np.searchsorted(owner, N)  # hypotheses come first
    ours = Counts(owner[:split], gram[:split], count[:split], lengths[:N])
    theirs = Counts(owner[split:] - N, gram[split:], count[split:], lengths[N:])
    image = np.repeat(np.arange(N), [len(truth) for truth in references])
    place = image[theirs.sentence] * G + theirs.gram
    found = find(keys[:split], place)
    return Corpus(ours, theirs, image, order, found, words, occurrence)


def number_ngrams(
    ids: np.ndarray, sentence: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number the n-grams of every order.

    Parameters
    ----------
    ids : (T,) int64, the number of each word. sentence : (T,), where it stands.

    Returns
    -------
    rows : sentence * G + gram of every occurrence of every n-gram, not sorted.
    order, occurrence : (G,), see `Corpus`.
    """
    V = int(ids.max(initial=0)) + 1
    start = np.arange(len(ids))  # first word of each n-gram of the current order
    gram = np.zeros(len(ids), np.int64)  # their numbers within that order
    grams, owners, places = [], [], []
    for n in range(ORDERS):
        whole = start + n < len(ids)  # it must not run into the next sentence
        whole[whole] = sentence[start[whole]] == sentence[start[whole] + n]
        start, gram = start[whole], gram[whole]
        kinds, gram = np.unique(gram * V + ids[start + n], return_inverse=True)
        gram = gram.reshape(-1)
        place = np.empty(len(kinds), np.int64)
        place[gram] = start
        places.append(place)
        grams.append(gram)
        owners.append(sentence[start])
    sizes = [len(place) for place in places]
    G = sum(sizes)
    offsets = np.cumsum([0, *sizes[:-1]])
    rows = [
        owner * G + gram + offset
        for owner, gram, offset in zip(owners, grams, offsets, strict=True)
    ]
    order = np.repeat(np.arange(ORDERS), sizes)
    return np.concatenate(rows), order, np.concatenate(places)


def find(keys: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the index of each wanted number in the sorted keys, -1 where absent."""
    if not len(keys):
        return np.full(len(wanted), -1)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, place, -1)
