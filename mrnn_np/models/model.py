"""What every model can do with sentences, whatever it makes of them.

Knows: words, and which image each sentence describes. Does not know: parameters,
losses, scores.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mrnn_np.data.batches import Examples
from mrnn_np.data.tokenizer import get_tokenizer
from mrnn_np.data.vocabulary import UNK, Vocabulary
from mrnn_np.runtime.errors import InputError


class Model(ABC):
    """Takes image features, and sentences of words that it knows.

    There are two kinds: a `NextWordModel` gives every next word a probability, a
    `Ranker` gives every pair of an image and a sentence a score.

    Attributes
    ----------
    vocabulary, dtype : see `ParametricModel`.
    tokenizer : name of the tokenizer its sentences went through.
    extractor : dict naming the CNN of its features (see
        `features.identity.identity`), or None when that is not known.

    and the methods

    standardise(features) : (n, D) as the CNN gives them, in the form that the model
        works on. InputError when they are not a finite matrix of D columns.
    fingerprint() : a hash of all that its answers depend on. Two models that may answer
        differently have different ones: what was computed with one of them and kept
        is then not taken for the other's.
    """

    vocabulary: Vocabulary
    dtype: np.dtype
    tokenizer: str
    extractor: Mapping[str, Any] | None

    @abstractmethod
    def standardise(self, features: np.ndarray) -> np.ndarray:
        """Return features as the CNN gives them, (n, D), as the model works on them.

        Raises
        ------
        InputError : not a finite matrix of D columns.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a hash of all that the model's answers depend on.

        Two models that may answer differently have different ones: what was computed
        with one of them and kept is then not taken for the other's.
        """

    def encode(self, sentence: str) -> list[int]:
        """Return the word ids of a sentence.

        Raises
        ------
        InputError : no word in it, or none that the model knows.
        """
        ids = self.vocabulary.encode(get_tokenizer(self.tokenizer).tokenize(sentence))
        if not ids:
            raise InputError(f"there is no word in the sentence {sentence!r}")
        if all(i == UNK for i in ids):
            raise InputError(f"the model knows no word of the sentence {sentence!r}")
        return ids

    def examples(
        self,
        pairs: Iterable[tuple[str, str]],
        names: Sequence[str],
        features: np.ndarray,
    ) -> Examples:
        """Make training or evaluation examples of (image name, sentence) pairs.

        Unlike `encode` this lets a sentence of rare words pass: in a data set it is
        not a mistake.

        Parameters
        ----------
        pairs : as `CaptionDataset.sentences` yields them.
        names : the images, in the order of the rows of `features`.
        features : (images, D), as the CNN gives them.
        """
        tokenize = get_tokenizer(self.tokenizer).tokenize
        row = {name: i for i, name in enumerate(names)}
        sentences, image = [], []
        for name, text in pairs:
            sentences.append(np.array(self.vocabulary.encode(tokenize(text)), np.int64))
            image.append(row[name])
        return Examples(sentences, np.array(image), self.standardise(features))
