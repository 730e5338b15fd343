"""Sentences, words, data sets and batches.

Knows: what people wrote about which picture. Does not know: models or training.
"""

from mrnn_np.data.dataset import CaptionDataset, load_dataset
from mrnn_np.data.tokenizer import Tokenizer, detokenize, get_tokenizer, tokenize
from mrnn_np.data.vocabulary import END, PAD, SPECIALS, START, UNK, Vocabulary

__all__ = [
    "END",
    "PAD",
    "SPECIALS",
    "START",
    "UNK",
    "CaptionDataset",
    "Tokenizer",
    "Vocabulary",
    "detokenize",
    "get_tokenizer",
    "load_dataset",
    "tokenize",
]
