"""Sentences as a tree of their prefixes, so that what is shared is computed once.

Of the sentences "a dog runs" and "a dog sleeps" the first two words are the same, and
so is everything a model computes for them. The tree has

- a node for every different prefix (the empty one, "a", "a dog", ...): one row of
  the softmax, whatever the number of sentences that begin like that;
- an edge for every different next word after a prefix (<end> is one too): one
  log-probability. Every node but the first hangs at the end of one edge.

log P(sentence | image) is the sum along the edges from the first node to the sentence's
<end>. On Flickr8k dev 59,505 words to predict become 40,450 nodes.

Knows: lists of word ids. Does not know: models, probabilities.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mrnn_np.data.vocabulary import END, START


@dataclass(frozen=True)
class PrefixTrie:
    """The tree. Nodes and edges are numbered by depth, edges also by their node.

    Fields
    ------
    tokens : (nodes,) the last word of each prefix, <start> for the empty one.
    parents : (nodes,) the prefix without its last word, 0 for the empty one itself.
    edge_above : (nodes,) the edge that leads to the node, -1 for the empty one.
    levels : (depth + 1,) nodes levels[t] to levels[t+1] have t words.
    offsets : (nodes + 1,) edges offsets[j] to offsets[j+1] leave node j.
    words : (edges,) the next word of each edge.
    ends : (sentences,) the edge that is the <end> of each sentence.
    rows_alone : prefixes counted once a sentence, as if nothing were shared.
    """

    tokens: np.ndarray
    parents: np.ndarray
    edge_above: np.ndarray
    levels: np.ndarray
    offsets: np.ndarray
    words: np.ndarray
    ends: np.ndarray
    rows_alone: int

    @property
    def nodes(self) -> int:
        return len(self.tokens)

    def sentence_sums(self, edge_values: np.ndarray) -> np.ndarray:
        """Add up the edges of every sentence, (edges, B) -> (sentences, B) float64."""
        totals = edge_values.astype(np.float64)
        for first, last in zip(self.levels[1:-1], self.levels[2:], strict=True):
            edges = slice(self.offsets[first], self.offsets[last])
            widths = np.diff(self.offsets[first : last + 1])
            # Whatever leads to a node is part of every sentence that goes through it.
            totals[edges] += totals[self.edge_above[first:last].repeat(widths)]
        return totals[self.ends]


def build_trie(sentences: Sequence[Sequence[int]]) -> PrefixTrie:
    """Build the tree of some sentences, level by level.

    At level t every sentence that has not ended stands at a node. The pairs (node, next
    word) are the edges; equal pairs are one edge, and all but <end> lead to a new node.

    Parameters
    ----------
    sentences : word ids without <start> and <end>.
    """
    lengths = np.array([len(sentence) for sentence in sentences])
    padded = np.full((len(sentences), lengths.max(initial=0) + 1), END)
    for row, sentence in zip(padded, sentences, strict=True):
        row[: len(sentence)] = sentence
    span = (
        padded.max(initial=END) + 1
    )  # pair (node, word) as the number node * span + word

    tokens, parents = [[START]], [[0]]
    edge_above: list[list[int] | np.ndarray] = [[-1]]
    widths, words, levels = [], [], [0, 1]
    ends = np.full(len(sentences), -1)
    alive, position = np.arange(len(sentences)), np.zeros(len(sentences), np.int64)
    edges = 0
    while len(alive):
        level = len(levels) - 2
        pairs = position * span + padded[alive, level]
        pairs, edge_of = np.unique(pairs, return_inverse=True)
        node, word = pairs // span, pairs % span
        words.append(word)
        widths.append(np.bincount(node - levels[-2], minlength=levels[-1] - levels[-2]))
        going = word != END
        new_nodes = levels[-1] + np.cumsum(going) - 1
        tokens.append(word[going])
        parents.append(node[going])
        edge_above.append(edges + np.flatnonzero(going))
        ended = ~going[edge_of]
        ends[alive[ended]] = edges + edge_of[ended]
        alive, position = alive[~ended], new_nodes[edge_of[~ended]]
        edges += len(pairs)
        if going.any():
            levels.append(levels[-1] + int(going.sum()))
    return PrefixTrie(
        tokens=np.concatenate(tokens),
        parents=np.concatenate(parents),
        edge_above=np.concatenate(edge_above),
        levels=np.array(levels),
        offsets=np.concatenate([[0], *widths]).cumsum(),
        words=np.concatenate(words),
        ends=ends,
        rows_alone=int((lengths + 1).sum()),
    )
