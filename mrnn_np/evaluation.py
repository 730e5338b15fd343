"""How good is a captioner? All numbers of one split of a data set.

Knows: which sentences are compared with which. Does not know: how a score is computed
or shown.
"""

from collections.abc import Sequence

import numpy as np

from mrnn_np import metrics
from mrnn_np.data import CaptionDataset, get_tokenizer
from mrnn_np.decoding import Caption
from mrnn_np.models import Captioner


def evaluate(
    model: Captioner,
    dataset: CaptionDataset,
    names: Sequence[str],
    matrix: np.ndarray,
    beam_size: int = 5,
) -> tuple[dict[str, float], list[Caption]]:
    """Return the scores of a model on some images, and its captions.

    Perplexity is over all people's sentences of these images, words that the model
    does not know counting as <unk>; BLEU compares one caption an image with them.

    Parameters
    ----------
    names : the images; matrix : (n, D), their features as the CNN gave them.
    beam_size : width of the search for the captions.
    """
    tokenize = get_tokenizer(model.tokenizer).tokenize
    pairs = [(name, text) for name in names for text in dataset.captions[name]]
    loss = model.mean_loss(model.examples(pairs, names, matrix), label="perplexity")
    captions = model.caption(matrix, beam_size=beam_size, label="captions")
    references = {
        name: [" ".join(tokenize(text)) for text in dataset.captions[name]]
        for name in names
    }
    hypotheses = {
        name: [" ".join(caption.tokens)]
        for name, caption in zip(names, captions, strict=True)
    }
    scores = {"perplexity": metrics.perplexity(loss)}
    return scores | metrics.score(references, hypotheses), captions
