"""How good is a captioner? All numbers of one split of a data set.

Knows: which sentences are compared with which, and how they are cut for it. Does not
know: how a score is computed or shown.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mrnn_np import metrics
from mrnn_np.data import CaptionDataset, get_tokenizer
from mrnn_np.decoding import Caption
from mrnn_np.decoding.blocks import caption_images
from mrnn_np.decoding.consensus import Consensus
from mrnn_np.decoding.similarity import SIMILARITIES
from mrnn_np.features.matrix import Features
from mrnn_np.metrics import ptb
from mrnn_np.metrics.score import Part, Rating, perplexity_part
from mrnn_np.models.next_word import NextWordModel
from mrnn_np.runtime.workers import THREADS, Workers


def evaluate(
    model: NextWordModel,
    dataset: CaptionDataset,
    names: Sequence[str],
    matrix: np.ndarray,
    beam_size: int = 5,
    with_meteor: bool = False,
    workers: Workers = THREADS,
    folder: Path | None = None,
) -> tuple[Rating, list[Caption]]:
    """Return the scores of a model on some images, and its captions.

    Perplexity is over all people's sentences of these images, words that the model
    does not know counting as <unk>; the other scores compare one caption an image with
    them.

    Parameters
    ----------
    names : the images; matrix : (n, D), their features as the CNN gave them.
    beam_size : width of the search for the captions.
    with_meteor : see `mrnn_np.metrics.score`.
    workers, folder : who searches for the captions, and where they are kept meanwhile,
        see `mrnn_np.decoding.blocks`.
    """
    part = rate_sentences(model, dataset, names, matrix)
    beams = caption_images(model, matrix, beam_size, 1, workers, folder)
    captions = [beam[0] for beam in beams]
    texts = {name: caption.text for name, caption in zip(names, captions, strict=True)}
    rating = rate_captions(dataset, texts, with_meteor)
    return Rating(rating.images, (part, *rating.parts)), captions


def evaluate_reranked(
    model: NextWordModel,
    dataset: CaptionDataset,
    names: Sequence[str],
    features: Features,
    similarity: str = "cider",
    beam_size: int = 10,
    with_meteor: bool = False,
    workers: Workers = THREADS,
    folder: Path | None = None,
) -> tuple[Rating, list[Caption], dict[str, Rating]]:
    """Do what `evaluate` does, with the beam's sentences sorted by consensus.

    The votes are those of the data set's training images; an image's own sentences
    never count, whatever split it is in. See `mrnn_np.decoding.consensus`.

    Parameters
    ----------
    names : the images; features : of these and of the training images.
    similarity : "cider" or "bleu".
    The others as in `evaluate`.

    Returns
    -------
    Scores and captions as `evaluate` returns them, and for comparison the scores of
    the "beam" as it is and of the two oracles, which sort it by the image's own
    sentences and so bound what reranking can do.
    """
    matrix = features.rows(names)
    part = rate_sentences(model, dataset, names, matrix)
    consensus = Consensus.of_training_split(model, dataset, features)
    beams = caption_images(model, matrix, beam_size, beam_size, workers, folder)
    tokenize = get_tokenizer(model.tokenizer).tokenize
    references = [list(map(tokenize, dataset.captions[name])) for name in names]
    orders = {"beam": beams}
    for name in SIMILARITIES:
        orders[f"{name} oracle"] = consensus.oracle(beams, references, name)
    vectors = model.refined_features(matrix)
    reranked = consensus.rerank(beams, vectors, names, similarity)

    def rate(order: list[list[Caption]], with_meteor: bool = False) -> Rating:
        texts = {name: own[0].text for name, own in zip(names, order, strict=True)}
        return rate_captions(dataset, texts, with_meteor)

    others = {name: rate(order) for name, order in orders.items()}
    rating = rate(reranked, with_meteor)
    rating = Rating(rating.images, (part, *rating.parts))
    return rating, [own[0] for own in reranked], others


def rate_sentences(
    model: NextWordModel,
    dataset: CaptionDataset,
    names: Sequence[str],
    matrix: np.ndarray,
) -> Part:
    """Return the perplexity of people's sentences, image by image.

    Parameters as of `evaluate`.
    """
    pairs = [(name, text) for name in names for text in dataset.captions[name]]
    examples = model.examples(pairs, names, matrix)
    losses = model.sentence_losses(examples, label="perplexity")
    nats = np.bincount(examples.image, losses, len(names))
    tokens = np.bincount(examples.image, examples.lengths(), len(names))
    return perplexity_part(nats, tokens)


def rate_captions(
    dataset: CaptionDataset, captions: Mapping[str, str], with_meteor: bool = False
) -> Rating:
    """Rate one caption an image, wherever it comes from, against people's sentences.

    All text is cut by the same tokenizer: for English the one that published scores
    are made with (metrics/ptb.py), for others that of the data set.

    Parameters
    ----------
    captions : image name -> caption, as a person would read it.
    """
    english = dataset.language == "en"
    tokenize = ptb.tokenize if english else get_tokenizer(dataset.tokenizer).tokenize
    references = {
        name: [" ".join(tokenize(text)) for text in dataset.captions[name]]
        for name in captions
    }
    hypotheses = {name: [" ".join(tokenize(text))] for name, text in captions.items()}
    return metrics.rate(references, hypotheses, with_meteor)
