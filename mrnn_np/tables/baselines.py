"""Rows without training: people, the nearest training images, chance.

- people: each of an image's sentences in turn is taken for the caption, and rated by
  the others;
- nearest neighbours: the caption that most resembles the other captions of similar
  training images (Devlin et al., 2015, "Exploring nearest neighbor approaches for image
  captioning");
- chance: what a random order of images and sentences gives, computed exactly.

Knows: data sets, features, captions. Does not know: models.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from mrnn_np.data import CaptionDataset, get_tokenizer
from mrnn_np.decoding.consensus import Consensus, mean_of_largest
from mrnn_np.evaluation import rate_captions
from mrnn_np.features.matrix import Features
from mrnn_np.metrics.score import Part, Rating
from mrnn_np.retrieval.ranking import Recall, random_recall
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.progress import progress

ROUNDS = 5  # sentences an image has in nearly all data sets
# The best by BLEU-4 / CIDEr of five settings tried on Flickr8k dev, with features of
# EfficientNet-Lite0: .149 / .417. With 20, 50 in place of 60, 125 it was .136 / .410,
# with 40, 25 .133 / .393, with 40, 75 .141 / .414, with 60, 200 .147 / .416.
NEIGHBOURS = 60  # k
VOTES = 125  # m


def human_rating(
    dataset: CaptionDataset, names: Sequence[str], with_meteor: bool = False
) -> Rating:
    """Rate people by people: one sentence of an image against its others.

    Every sentence has its turn, so nothing is left to chance. Each is compared with
    four references where a model's caption has all five, which lowers every score of
    people: with one reference less there is less to agree with. `held_out_rating` of a
    model's captions is the fair comparison.

    Parameters
    ----------
    names : the images; those with a single sentence are left out.

    Raises
    ------
    InputError : no image has two sentences.
    """
    return held_out_rating(dataset, names, None, with_meteor)


def held_out_rating(
    dataset: CaptionDataset,
    names: Sequence[str],
    captions: Mapping[str, str] | None = None,
    with_meteor: bool = False,
) -> Rating:
    """Rate captions by all sentences but one, each left out in turn.

    In round j = 0..4 sentence j of an image is held out, or j modulo their number. The
    counts of the rounds are added image by image: BLEU is that of all rounds' captions
    as one corpus, the others are means over rounds.

    Parameters
    ----------
    captions : image name -> caption; None rates the sentence that is held out.
    """
    shared = [name for name in names if len(dataset.captions[name]) > 1]
    if not shared:
        raise InputError(
            f"{dataset.name}: no image has two sentences, so people cannot be rated "
            "by other people"
        )
    rounds = []
    for j in range(ROUNDS):
        rest, held_out = {}, {}
        for name in shared:
            sentences = list(dataset.captions[name])
            held_out[name] = sentences.pop(j % len(sentences))
            rest[name] = sentences
        others = dataclasses.replace(dataset, captions=rest)
        given = held_out if captions is None else {n: captions[n] for n in shared}
        rounds.append(rate_captions(others, given, with_meteor))
    parts = [
        Part(
            same[0].names, np.sum([part.counts for part in same], axis=0), same[0].score
        )
        for same in zip(*(rating.parts for rating in rounds), strict=True)
    ]
    return Rating(rounds[0].images, tuple(parts))


def neighbour_captions(
    dataset: CaptionDataset,
    features: Features,
    names: Sequence[str],
    k: int = NEIGHBOURS,
    m: int = VOTES,
) -> dict[str, str]:
    """Return for each image a caption that was written for a similar training image.

        caption = argmax over c in the pool of
                  the mean of the m largest similarities of c and another of them

    where the pool has all captions of the k nearest training images, by the angle
    between the CNN's features, and similarity is CIDEr's (decoding/similarity.py).

    Parameters
    ----------
    features : of these images and of the training images.
    k, m : neighbours and votes. 1,000 images take half a minute: there are 90,000
        pairs of captions for each.

    Returns image name -> caption, as it was written.
    """
    training = [n for n in dataset.split("train") if n in features]
    tokenize = get_tokenizer(dataset.tokenizer).tokenize
    texts = [text for name in training for text in dataset.captions[name]]
    words = [list(map(tokenize, dataset.captions[name])) for name in training]
    consensus = Consensus(training, unit(features.rows(training)), words)
    near = consensus.neighbours(unit(features.rows(names)), k, names)
    chosen = {}
    for name, images in progress(
        zip(names, near, strict=True), len(names), "neighbours", "image"
    ):
        votes = mean_of_largest(likeness(consensus, images), m)
        chosen[name] = texts[consensus.pool(images)[int(votes.argmax())]]
    return chosen


def likeness(consensus: Consensus, images: np.ndarray) -> np.ndarray:
    """Return how alike the captions of some images are, without a caption itself.

    Returns
    -------
    (P, P - 1) float64 for P captions in the order of `Consensus.pool`.
    """
    pool, bag = consensus.pool(images), consensus.similarities.collection
    P = len(pool)
    all_pairs = np.vstack(
        [
            consensus.similarities.compare(
                bag, slice(*consensus.first[i : i + 2]), bag, pool, "cider"
            )
            for i in images
        ]
    )
    return all_pairs[~np.eye(P, dtype=bool)].reshape(P, P - 1)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return rows of length 1: among them the nearest has the smallest angle."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, 1e-12)


def random_retrieval(
    dataset: CaptionDataset, names: Sequence[str]
) -> dict[str, Recall]:
    """Return what a random order gives in both directions, computed exactly.

    Returns direction -> `Recall`, the directions named as in the tables.
    """
    counts = [len(dataset.captions[name]) for name in names]
    sentences = sum(counts)
    return {
        "image to sentence": random_recall(counts, sentences),
        "sentence to image": random_recall([1] * sentences, len(names)),
    }
