"""The words a model knows, and the number of each.

Knows: words, how often each one occurred, and the four special ids. Does not know:
how a sentence is cut into words (`tokenizer`), or what the model does with a number.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.untrusted import check_kind, take

SPECIALS = ("<pad>", "<start>", "<end>", "<unk>")
PAD, START, END, UNK = range(4)


class Vocabulary:
    """A fixed list of words; the position of a word is its id.

    Ids 0 to 3 are ``<pad>``, ``<start>``, ``<end>`` and ``<unk>``; the words follow
    by falling count, equal counts in alphabetical order.

    Parameters
    ----------
    words : all V of them in the order of their ids, the four specials first.
    counts : (V,) occurrences in the training sentences. ``<end>`` counts the
        sentences, ``<unk>`` the tokens too rare for a word of their own, and
        ``<pad>`` and ``<start>``, which are never predicted, are 0.

    Attributes
    ----------
    words : tuple of str, length V.
    counts : (V,) int64. The output bias starts at the logarithm of these.

    Raises
    ------
    InputError : no word beside the specials, a word twice, specials missing, or
        counts of another length.
    """

    def __init__(
        self, words: Sequence[str], counts: Sequence[int] | np.ndarray
    ) -> None:
        self.words = tuple(words)
        if not all(isinstance(word, str) for word in self.words):
            raise InputError("a vocabulary holds something that is no word")
        given = np.asarray(counts)
        if given.dtype.kind not in "iu":  # texts would be read as numbers
            raise InputError("the counts of a vocabulary are no list of integers")
        self.counts = given.astype(np.int64)
        if self.words[:4] != SPECIALS:
            raise InputError(f"a vocabulary starts with {' '.join(SPECIALS)}")
        if len(self.words) == len(SPECIALS):
            raise InputError(
                "the vocabulary is empty: no word occurs often enough (are there "
                "captions? is the threshold too high?)"
            )
        if self.counts.shape != (len(self.words),) or self.counts.min() < 0:
            raise InputError(
                f"a vocabulary of {len(self.words)} words needs as many counts, "
                f"none negative, not an array of shape {self.counts.shape}"
            )
        # The specials are left out on purpose: no text can smuggle an <end> in.
        self._ids = {word: i for i, word in enumerate(self.words) if i > UNK}
        if len(self._ids) != len(self.words) - len(SPECIALS):
            twice = [word for word, n in Counter(self.words).items() if n > 1]
            raise InputError(f"the vocabulary holds {twice[0]!r} twice")

    @classmethod
    def build(
        cls, sentences: Iterable[Sequence[str]], threshold: int = 5
    ) -> "Vocabulary":
        """Collect the words that occur at least `threshold` times.

        Parameters
        ----------
        sentences : each one a list of tokens, from the training split only.
        threshold : occurrences that a word needs; rarer ones share ``<unk>``.
        """
        found: Counter[str] = Counter()
        n_sentences = 0
        for tokens in sentences:
            found.update(tokens)
            n_sentences += 1
        frequent = [
            (word, count)
            for word, count in found.items()
            if count >= threshold and word not in SPECIALS
        ]
        frequent.sort(key=lambda item: (-item[1], item[0]))
        rare = sum(found.values()) - sum(count for _, count in frequent)
        words = [*SPECIALS, *(word for word, _ in frequent)]
        return cls(words, [0, 0, n_sentences, rare, *(n for _, n in frequent)])

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        """Whether the word has an id of its own (the specials are not words)."""
        return word in self._ids

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Vocabulary)
            and self.words == other.words
            and np.array_equal(self.counts, other.counts)
        )

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} words, {int(self.counts[END])} sentences)"

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """Return the id of every token, ``UNK`` for words that are not known.

        No ``<start>`` and no ``<end>`` is added.
        """
        return [self._ids.get(token, UNK) for token in tokens]

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Return the words up to the first ``<end>``, specials left out."""
        tokens = []
        for i in ids:
            if i == END:
                break
            if i > UNK:
                tokens.append(self.words[i])
        return tokens

    def to_dict(self) -> dict:
        """Return what JSON can hold, for the header of a checkpoint."""
        return {"words": list(self.words), "counts": self.counts.tolist()}

    @classmethod
    def from_dict(cls, data: dict) -> "Vocabulary":
        """Return the vocabulary of a `to_dict`; InputError for anything else."""
        check_kind(data, dict, "vocabulary")
        words, counts = (
            take(data, key, list, "vocabulary") for key in ("words", "counts")
        )
        if any(type(count) is not int for count in counts):
            raise InputError("vocabulary: counts holds something that is no integer")
        return cls(words, counts)
