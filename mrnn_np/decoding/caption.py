"""A finished sentence.

Knows: words and what a sentence of them looks like. Does not know: how they are chosen.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from mrnn_np.data.tokenizer import detokenize
from mrnn_np.decoding.next_words import NextWords

# Words at most, as neuraltalk and im2txt have it: 1.8 % of Flickr8k's sentences are
# longer. A caption that gets there is mostly one in a loop ("a hat and a hat and a
# hat"): 16 of 1,000 on Flickr8k dev, and at 30 words they cost BLEU-1 .608 for .611.
LONGEST = 20


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


def make_caption(model: NextWords, ids: Iterable[int], log_prob: float) -> Caption:
    """Turn word ids (without <end>) into a `Caption`."""
    tokens = tuple(model.vocabulary.words[i] for i in ids)
    return Caption(detokenize(list(tokens), model.tokenizer), tokens, float(log_prob))
