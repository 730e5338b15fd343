"""A finished sentence, and what all three ways of decoding share.

Knows: which words may come out. Does not know: how they are chosen.
"""

from dataclasses import dataclass

import numpy as np

from mrnn_np.data.tokenizer import detokenize
from mrnn_np.data.vocabulary import PAD, START, UNK

# Words at most, as neuraltalk and im2txt have it: 1.8 % of Flickr8k's sentences are
# longer. A caption that gets there is mostly one in a loop ("a hat and a hat and a
# hat"): 16 of 1,000 on Flickr8k dev, and at 30 words they cost BLEU-1 .608 for .611.
LONGEST = 20
FORBIDDEN = [PAD, START, UNK]  # never words of a caption


@dataclass(frozen=True)
class Caption:
    """A generated sentence.

    text : as a person would write it.
    tokens : the words, without <end>.
    log_prob : log P(tokens, <end> | image), nats.
    """

    text: str
    tokens: tuple[str, ...]
    log_prob: float


def make_caption(model, ids, log_prob: float) -> Caption:
    """Turn word ids (without <end>) into a `Caption`."""
    tokens = tuple(model.vocabulary.words[i] for i in ids)
    return Caption(detokenize(list(tokens), model.tokenizer), tokens, float(log_prob))


def next_log_probs(model, tokens: np.ndarray, state: dict) -> tuple[np.ndarray, dict]:
    """Return log P(next word), (n, V), with -inf for the words that may not come out.

    The others are left as the model gave them: a caption's log-probability is what
    the model says about that sentence, whatever the search.
    """
    log_probs, state = model.step(tokens, state)
    log_probs[:, FORBIDDEN] = -np.inf
    return log_probs, state
