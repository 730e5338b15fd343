"""How good is a captioner? All numbers of one split of a data set.

Knows: which sentences are compared with which, and how they are cut for it. Does not
know: how a score is computed or shown.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from mrnn_np import metrics
from mrnn_np.data import CaptionDataset, get_tokenizer
from mrnn_np.decoding import Caption
from mrnn_np.metrics.score import Part, Rating, perplexity_part
from mrnn_np.models.next_word import NextWordModel


def evaluate(
    model: NextWordModel,
    dataset: CaptionDataset,
    names: Sequence[str],
    matrix: np.ndarray,
    beam_size: int = 5,
    with_meteor: bool = False,
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
    """
    part = rate_sentences(model, dataset, names, matrix)
    captions = model.caption(matrix, beam_size=beam_size, label="captions")
    texts = {name: caption.text for name, caption in zip(names, captions, strict=True)}
    rating = rate_captions(dataset, texts, with_meteor)
    return Rating(rating.images, (part, *rating.parts)), captions


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

    All text is cut by the same tokenizer.

    Parameters
    ----------
    captions : image name -> caption, as a person would read it.
    """
    tokenize = get_tokenizer(dataset.tokenizer).tokenize
    references = {
        name: [" ".join(tokenize(text)) for text in dataset.captions[name]]
        for name in captions
    }
    hypotheses = {name: [" ".join(tokenize(text))] for name, text in captions.items()}
    return metrics.rate(references, hypotheses, with_meteor)
