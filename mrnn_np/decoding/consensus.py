"""Consensus reranking: say what people said about similar pictures.

The beam's best sentence is the likeliest one, which is often bland. Here the captions
of the k most similar training images vote: a sentence of the beam that resembles many
of them comes first. Source: section 8 of the m-RNN paper.

Knows: similar images, pools of captions, the vote. Does not know: how sentences were
found, or how alike two of them are (decoding/similarity.py).
"""

import itertools
from collections.abc import Sequence

import numpy as np

from mrnn_np.data.dataset import CaptionDataset
from mrnn_np.data.tokenizer import get_tokenizer
from mrnn_np.decoding.caption import Caption
from mrnn_np.decoding.next_words import NextWords
from mrnn_np.decoding.similarity import SIMILARITIES, Similarities
from mrnn_np.features.matrix import Features
from mrnn_np.runtime.errors import InputError

# Chosen on Flickr8k dev by recipes/choose_consensus.py, for both similarities. The
# paper takes 60, and 125 votes for CIDEr or 175 for BLEU; among COCO's 83,000 images
# the 60th is still alike, among Flickr8k's 6,000 less so.
NEIGHBOURS = 20
VOTES = 75

Words = Sequence[str]


class Consensus:
    """Images with their captions, to rerank the captions of other images.

    Parameters
    ----------
    names : n images.
    vectors : (n, F), what similar images have similar; see `refined_features`.
    captions : for each image its sentences, each a list of words.
    """

    def __init__(
        self,
        names: Sequence[str],
        vectors: np.ndarray,
        captions: Sequence[Sequence[Words]],
    ) -> None:
        from sklearn.neighbors import NearestNeighbors

        if not len(names) == len(vectors) == len(captions) > 0:
            raise InputError(
                f"a collection of {len(names)} images with {len(vectors)} vectors and "
                f"the captions of {len(captions)}: all three must be equal and not 0"
            )
        for name, own in zip(names, captions, strict=True):
            if not own:
                raise InputError(f"image {name!r} of the collection has no caption")
        self.names = tuple(names)
        self.nearest = NearestNeighbors(algorithm="brute").fit(vectors)
        self.similarities = Similarities(captions)
        # image i owns the sentences first[i] .. first[i + 1]
        self.first = np.cumsum([0, *map(len, captions)])

    @classmethod
    def of_training_split(
        cls, model: NextWords, dataset: CaptionDataset, features: Features
    ) -> "Consensus":
        """Collect the training images of a data set as a model sees them.

        Parameters
        ----------
        model : gives `refined_features` and the tokenizer.
        dataset : a `CaptionDataset`; features : the `Features` of its images.

        Raises
        ------
        InputError : captions in another language than the model's.
        """
        if dataset.tokenizer != model.tokenizer:
            raise InputError(
                f"the captions of {dataset.name} are cut by the tokenizer "
                f"{dataset.tokenizer!r}, those of the model by {model.tokenizer!r}: "
                "rerank with a data set in the model's language"
            )
        tokenize = get_tokenizer(model.tokenizer).tokenize
        names = [
            name
            for name in dataset.split("train")
            if name not in features.failed and dataset.captions[name]
        ]
        captions = [list(map(tokenize, dataset.captions[name])) for name in names]
        return cls(names, model.refined_features(features.rows(names)), captions)

    def neighbours(
        self, vectors: np.ndarray, k: int, names: Sequence[str] | None = None
    ) -> np.ndarray:
        """Return the k nearest images by Euclidean distance, nearest first.

        Parameters
        ----------
        vectors : (N, F), of the images in question.
        names : their names, where known: an image is never its own neighbour.

        Returns
        -------
        (N, k) integer, which images of the collection; fewer when it has fewer.

        Raises
        ------
        InputError : k below 1, a collection of one image.
        """
        others = len(self.names) - 1
        if k < 1 or others < 1:
            raise InputError(
                f"{k} neighbours wanted, with {others} other images in the collection: "
                "both must be 1 or more"
            )
        k = min(k, others)
        found = self.nearest.kneighbors(vectors, k + 1, return_distance=False)
        if names is None:
            return found[:, :k]
        number = {name: i for i, name in enumerate(self.names)}
        own = np.array([number.get(name, -1) for name in names])
        # The image itself moves to the end, and the last of k + 1 is cut off.
        order = np.argsort(found == own[:, None], axis=1, kind="stable")
        return np.take_along_axis(found, order, axis=1)[:, :k]

    def pool(self, neighbours: np.ndarray) -> np.ndarray:
        """Return which sentences of the collection belong to some of its images."""
        return np.concatenate(
            [np.arange(self.first[i], self.first[i + 1]) for i in neighbours]
        )

    def scores(
        self,
        hypotheses: Sequence[Sequence[Words]],
        neighbours: np.ndarray,
        similarity: str,
        m: int,
    ) -> list[np.ndarray]:
        """Rate the sentences of each image by its neighbours' captions.

            score(h) = mean of the m largest similarities of h and a pooled caption

        The m largest of the whole pool, not of each neighbour: a sentence need not
        resemble every caption of every neighbour, but many of them.

        Parameters
        ----------
        hypotheses : for each of N images H sentences, each a list of words.
        neighbours : (N, k), as the method of that name returns them.
        similarity : "cider" or "bleu".
        m : votes that count; all of the pool when it is smaller.

        Returns
        -------
        N arrays (H,), float64.
        """
        compare, collection = self.similarities.compare, self.similarities.collection
        bag = self.similarities.bag([words for own in hypotheses for words in own])
        ends = np.cumsum([0, *map(len, hypotheses)])
        return [
            mean_of_largest(
                compare(bag, slice(*own), collection, self.pool(near), similarity), m
            )
            for own, near in zip(itertools.pairwise(ends), neighbours, strict=True)
        ]

    def rerank(
        self,
        hypotheses: Sequence[Sequence[Caption]],
        vectors: np.ndarray,
        names: Sequence[str] | None = None,
        similarity: str = "cider",
        k: int = NEIGHBOURS,
        m: int = VOTES,
    ) -> list[list[Caption]]:
        """Sort the captions of each image by consensus.

        Parameters
        ----------
        hypotheses : for each of N images its captions, as `caption(n_best=...)` gives
            them; of two with an equal score the first stays first.
        vectors, names : of these images, see `neighbours`.
        similarity : "cider" or "bleu". Each is the best for its own metric.
        k, m : neighbours (or all, where the collection has fewer) and votes.

        Raises
        ------
        InputError : an unknown similarity, k or m below 1.
        """
        if similarity not in SIMILARITIES:
            known = " or ".join(SIMILARITIES)
            raise InputError(f"similarity {similarity!r} is not {known}")
        if m < 1:
            raise InputError(f"the number of votes must be 1 or more, not {m}")
        scores = self.scores(
            [[caption.tokens for caption in own] for own in hypotheses],
            self.neighbours(vectors, k, names),
            similarity,
            m,
        )
        return list(map(sort_by, scores, hypotheses))

    def oracle(
        self,
        hypotheses: Sequence[Sequence[Caption]],
        references: Sequence[Sequence[Words]],
        similarity: str = "cider",
    ) -> list[list[Caption]]:
        """Sort the captions of each image by its own references: an upper bound.

        It says how good the sentences are that a reranking could choose.

        Parameters
        ----------
        references : for each image what people said about it.
        """
        best = []
        for own, truth in zip(hypotheses, references, strict=True):
            bag = self.similarities.bag([*(c.tokens for c in own), *truth])
            H, S = len(own), len(bag.lengths)
            found = self.similarities.compare(
                bag, slice(0, H), bag, np.arange(H, S), similarity
            )
            best.append(sort_by(found.mean(axis=1), own))
        return best


def mean_of_largest(values: np.ndarray, m: int) -> np.ndarray:
    """Return the mean of the m largest numbers of each row, (H, P) -> (H,)."""
    return -np.sort(-values, axis=1)[:, :m].mean(axis=1)


def sort_by(scores: np.ndarray, items: Sequence) -> list:
    """Return the items, the highest score first; equal scores keep their order."""
    return [items[i] for i in np.argsort(-scores, kind="stable")]
