"""How good a trained model is: the numbers of a row.

    captions     every dev image described once, and compared with people's sentences
    perplexity   of people's sentences
    retrieval    of a fixed part of the dev list, or of all of it, in both directions

Every number comes with the interval that a bootstrap over images gives for the first
seed (metrics/bootstrap.py), and with the value of every seed. In retrieval an image and
its sentences are drawn together.

Knows: what is measured of a row, and as what it is kept. Does not know: how captions
are searched, scored or ranked.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mrnn_np.data import CaptionDataset, get_tokenizer
from mrnn_np.decoding import Caption
from mrnn_np.decoding.blocks import caption_images
from mrnn_np.decoding.consensus import Consensus
from mrnn_np.evaluation import rate_captions, rate_sentences
from mrnn_np.features.matrix import Features
from mrnn_np.metrics import bootstrap, meteor
from mrnn_np.metrics.score import Rating
from mrnn_np.models import Model, NextWordModel, Ranker
from mrnn_np.retrieval.protocol import Retrieval, retrieve
from mrnn_np.retrieval.ranking import CUTOFFS, first_ranks, relevance
from mrnn_np.tables.layout import DIRECTIONS
from mrnn_np.tables.plan import Plan, readable

BEAM, WIDE = 5, 10  # sentences: the paper's, for captions as they are and reranked
WARM_UP = 8  # images that are described before time is taken
RESAMPLES, SEED = 1000, 0  # of the bootstrap

Number = dict[str, Any]  # value, low, high, seeds


def number(values: Sequence[float], low: float, high: float) -> Number:
    """Return a number as a row keeps it.

    Parameters
    ----------
    values : one a seed.
    low, high : the interval of the first seed.
    """
    return {
        "value": float(np.mean(values)),
        "low": float(low),
        "high": float(high),
        "seeds": [float(value) for value in values],
    }


# --- captions ---------------------------------------------------------------------


def decode(
    model: NextWordModel,
    dataset: CaptionDataset,
    names: Sequence[str],
    features: Features,
    decoding: str,
) -> list[Caption]:
    """Describe images in the way a row asks for.

    Parameters
    ----------
    decoding : "beam"; "greedy"; "bleu" or "cider", the beam's sentences sorted by
        consensus; "bleu oracle" or "cider oracle", sorted by the image's own sentences,
        which bounds what any sorting can reach.
    """
    matrix = features.rows(names)
    if decoding in ("beam", "greedy"):
        width = BEAM if decoding == "beam" else 1
        return [found[0] for found in caption_images(model, matrix, width)]
    beams = caption_images(model, matrix, WIDE, WIDE)
    consensus = Consensus.of_training_split(model, dataset, features)
    similarity, _, oracle = decoding.partition(" ")
    if oracle:
        tokenize = get_tokenizer(model.tokenizer).tokenize
        references = [list(map(tokenize, dataset.captions[name])) for name in names]
        order = consensus.oracle(beams, references, similarity)
    else:
        vectors = model.refined_features(matrix)
        order = consensus.rerank(beams, vectors, names, similarity)
    return [found[0] for found in order]


def rate_model(
    model: NextWordModel,
    dataset: CaptionDataset,
    names: Sequence[str],
    features: Features,
    decoding: str,
    with_meteor: bool,
) -> tuple[Rating, dict[str, str], float]:
    """Return the rating of a model's captions and perplexity, the captions, their rate.

    The rate is in captions a second, of all that `decode` does.
    """
    part = rate_sentences(model, dataset, names, features.rows(names))
    decode(model, dataset, names[:WARM_UP], features, "beam")
    start = time.perf_counter()
    found = decode(model, dataset, names, features, decoding)
    seconds = time.perf_counter() - start
    captions = {name: one.text for name, one in zip(names, found, strict=True)}
    rating = rate_captions(dataset, captions, with_meteor and has_meteor(dataset))
    rating = Rating(rating.images, (part, *rating.parts))
    return rating, captions, len(names) / seconds


def has_meteor(dataset: CaptionDataset) -> bool:
    """Whether METEOR can be computed: Java is there, and the captions are English."""
    return dataset.language == "en" and meteor.unavailable() is None


def numbers_of(ratings: Sequence[Rating]) -> dict[str, Number]:
    """Return metric -> number, of one rating a seed."""
    intervals = ratings[0].intervals(np.random.default_rng(SEED), RESAMPLES)
    values = [rating.corpus for rating in ratings]
    return {
        name: number([value[name] for value in values], low, high)
        for name, (low, high) in intervals.items()
    }


# --- retrieval --------------------------------------------------------------------


def gallery(dataset: CaptionDataset, features: Features, plan: Plan) -> list[str]:
    """Return the part of the dev list that is searched, the same for every row."""
    names = readable(dataset, features, "dev")
    chosen = np.random.default_rng(SEED).permutation(len(names))[: plan.gallery]
    return [names[i] for i in np.sort(chosen)]


def ranks_of_model(
    model: Model,
    dataset: CaptionDataset,
    names: Sequence[str],
    features: Features,
    plan: Plan,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the rank of every query's first right answer, and its image.

    Returns
    -------
    ranks : of images as queries (n,) and of sentences as queries (S,), by direction.
    owner : (S,) the number of each sentence's image.
    """
    training = readable(dataset, features, "train")
    rng = np.random.default_rng(SEED)
    count = 0 if isinstance(model, Ranker) else plan.samples
    sampled = [training[i] for i in rng.permutation(len(training))[:count]]
    result = retrieve(
        model, dataset, names, features.rows(names), features.rows(sampled), rng
    )
    return ranks_of(result), result.owner


def ranks_of(result: Retrieval) -> dict[str, np.ndarray]:
    """Return the ranks of both directions; see `ranks_of_model`."""
    relevant = relevance(result.owner, len(result.names))
    ranks = (
        first_ranks(result.sentence_scores, relevant.T),
        first_ranks(result.image_scores, relevant),
    )
    return dict(zip(DIRECTIONS, ranks, strict=True))


def retrieval_numbers(
    runs: Sequence[Mapping[str, np.ndarray]], owner: np.ndarray
) -> dict[str, Any]:
    """Return recall and median rank of both directions, with intervals.

    Parameters
    ----------
    runs : ranks by direction, one a seed.
    owner : (S,) the image of each sentence, 0 to n - 1.
    """
    n = int(owner.max()) + 1
    drawn = bootstrap.draw(n, np.random.default_rng(SEED), RESAMPLES)
    table: dict[str, Any] = {"sentences": len(owner), "owner": owner.tolist()}
    for direction, image_of in zip(DIRECTIONS, (np.arange(n), owner), strict=True):
        ranks = [run[direction] for run in runs]
        measured = [measures(one) for one in ranks]
        low, high = bootstrap.ends(resampled(ranks[0], image_of, drawn))
        table[direction] = {
            name: number([one[name] for one in measured], low[i], high[i])
            for i, name in enumerate(measured[0])
        }
        table[direction]["ranks"] = ranks[0].tolist()
    return table


def measures(ranks: np.ndarray) -> dict[str, float]:
    """Return R@K in percent, and the median rank."""
    recalls = {f"R@{K}": 100 * float(np.mean(ranks <= K)) for K in CUTOFFS}
    return {**recalls, "median": float(np.median(ranks))}


def resampled(ranks: np.ndarray, image_of: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Return `measures` of each sample of images, (resamples, 4).

    Parameters
    ----------
    ranks : (Q,); image_of : (Q,), the image that a query is drawn with.
    drawn : (resamples, n), how often each image was drawn.
    """
    order = np.argsort(ranks, kind="stable")
    sorted_ranks = ranks[order]
    weights = drawn[:, image_of[order]]
    total = weights.sum(axis=1)
    columns = [
        100 * (weights * (sorted_ranks <= K)).sum(axis=1) / total for K in CUTOFFS
    ]
    # The median of a weighted sample: the mean of the two in the middle.
    reached = weights.cumsum(axis=1)
    half = total[:, None] / 2
    lower = sorted_ranks[np.argmax(reached >= half, axis=1)]
    upper = sorted_ranks[np.argmax(reached > half, axis=1)]
    return np.column_stack([*columns, (lower + upper) / 2])
