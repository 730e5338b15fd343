"""The log-probability of every edge of a tree of sentences, for a block of images.

The same three times: `edge_scores_plain` feeds the words through `model.start` and
`model.step`, which every captioner has. `captioner_scores` does so too, but keeps of a
block of logits only the sum and the edges' words. `MultimodalScorer` is for models
whose image joins only at the multimodal layer. There the language side is computed once
for all images, and what is left for an image is

    m = g(words + image)          (nodes, M)       tanh
    z = m Wo + bo                 (nodes, V)       nearly all of the time
    log P(word | ...) = z[word] - log sum exp z    one number an edge

Knows: trees and how a model scores their edges. Does not know: data sets, ranking.
"""

import functools
import itertools
from collections.abc import Callable, Iterator

import numpy as np

from mrnn_np.kernels.activations import AMPLITUDE
from mrnn_np.kernels.log_softmax import chosen_log_probs, chosen_logits, log_sums
from mrnn_np.models.captioner import Captioner
from mrnn_np.models.ensemble import Ensemble, log_mean_exp
from mrnn_np.models.multimodal import MultimodalCaptioner
from mrnn_np.models.next_word import NextWordModel
from mrnn_np.retrieval.trie import PrefixTrie

# Logits at once, 16 MB. With fewer rows of them BLAS packs Wo more often: two threads
# with 512 rows (V = 2,540) reached 0.83 of the machine's matrix product, with 1,024
# rows 0.86, with 2,048 rows 0.89.
LOGITS = 2**22
Scorer = Callable[[np.ndarray], np.ndarray]  # features (B, D) -> scores (edges, B)


def edge_scores_plain(
    model: NextWordModel, trie: PrefixTrie, features: np.ndarray
) -> np.ndarray:
    """Score every edge of the tree for each image, with any captioner.

    Parameters
    ----------
    features : (B, D) as `standardise` returns them.

    Returns (edges, B), nats; `PrefixTrie.sentence_sums` makes sentences of it.
    """
    B = len(features)
    state = model.start(features)  # rows: (prefix, image), one prefix so far
    edges = np.empty((len(trie.words), B))
    above = 0  # first node of the level before
    for first, last in itertools.pairwise(trie.levels):
        step, states = max(1, rows_at_once(len(model.vocabulary)) // B), []
        for begin in range(first, last, step):
            nodes = np.arange(begin, min(begin + step, last))
            rows = (trie.parents[nodes] - above)[:, None] * B + np.arange(B)
            log_probs, after = model.step(
                trie.tokens[nodes].repeat(B),
                {name: value[rows.ravel()] for name, value in state.items()},
            )
            log_probs = log_probs.reshape(len(nodes), B, -1)
            for node, of_node in zip(nodes, log_probs, strict=True):
                out = slice(trie.offsets[node], trie.offsets[node + 1])
                edges[out] = of_node[:, trie.words[out]].T
            states.append(after)
        state = {name: np.concatenate([s[name] for s in states]) for name in state}
        above = first
    return edges


def captioner_scores(
    model: Captioner, trie: PrefixTrie, features: np.ndarray
) -> np.ndarray:
    """Do what `edge_scores_plain` does, for a captioner in float32.

    All log-probabilities of a row are never written down: a kernel takes the sum and
    the few chosen words of every row of logits. Returns (edges, B) float32.
    """
    B = len(features)
    log2e = np.float32(1 / np.log(2))
    matrix, bias = model.output_matrix() * log2e, model.params["bo"] * log2e
    nodes_at_once = max(1, rows_at_once(len(bias)) // B)
    logits = np.empty((nodes_at_once * B, len(bias)), np.float32)
    edges = np.empty((len(trie.words), B), np.float32)
    state = model.start(features)  # rows: (prefix, image), one prefix so far
    above = 0  # first node of the level before
    for begin, end in itertools.pairwise(trie.levels):
        states = []
        for first in range(begin, end, nodes_at_once):
            last = min(first + nodes_at_once, end)
            rows = (trie.parents[first:last] - above)[:, None] * B + np.arange(B)
            m, after = model.advance(
                trie.tokens[first:last].repeat(B),
                {name: value[rows.ravel()] for name, value in state.items()},
            )
            x, _ = model.to_output(m)
            z = np.matmul(x, matrix, out=logits[: len(x)])
            offsets = trie.offsets[first : last + 1]
            out = slice(offsets[0], offsets[-1])
            words = trie.words[out]
            chosen_log_probs(z, bias, offsets - offsets[0], words, B, edges[out])
            states.append(after)
        state = {name: np.concatenate([s[name] for s in states]) for name in state}
        above = begin
    return edges


def rows_at_once(V: int) -> int:
    """Return how many rows of V logits are computed in one block."""
    return max(1, LOGITS // V)


class MultimodalScorer:
    """The fast way, for a `MultimodalCaptioner` in float32.

    Constants move out of the loop: the 2/3 and 1.7159 of g and the log2(e) that turns
    e^z into 2^z are multiplied into what is computed once.

    Parameters
    ----------
    model, trie : the captioner and the sentences.
    """

    def __init__(self, model: MultimodalCaptioner, trie: PrefixTrie) -> None:
        self.model, self.trie = model, trie
        self.rows = rows_at_once(len(model.vocabulary))
        words = model.text_terms(trie.tokens, trie.parents, trie.levels)
        self.words = words.astype(np.float32, copy=False)  # (nodes, M)
        self.words *= np.float32(2 / 3)
        log2e = 1 / np.log(2)
        self.UI = None
        if "UI" in model.params:
            self.UI = (model.params["UI"] * (AMPLITUDE * 2 / 3)).astype(np.float32)
        self.Wo = (model.output_matrix() * (AMPLITUDE * log2e)).astype(np.float32)
        self.bo = (model.params["bo"] * log2e).astype(np.float32)

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Score every edge for each image, (B, D) -> (edges, B) float32 nats."""
        trie, B = self.trie, len(features)
        edges = np.empty((len(trie.words), B), np.float32)
        logits = np.empty((max(self.rows, B), len(self.bo)), np.float32)
        for first, last, m in self.blocks_of_m(features, self.words):
            z = np.matmul(m, self.Wo, out=logits[: len(m)])
            offsets = trie.offsets[first : last + 1]
            out = slice(offsets[0], offsets[-1])
            words = trie.words[out]
            chosen_log_probs(z, self.bo, offsets - offsets[0], words, B, edges[out])
        return edges

    def log_normalisers(
        self, features: np.ndarray, nodes: np.ndarray | None = None
    ) -> np.ndarray:
        """Return log sum exp z of these nodes (None: of all), (nodes, B) float32."""
        words = self.words if nodes is None else self.words[nodes]
        out = np.empty((len(words), len(features)), np.float32)
        for first, last, m in self.blocks_of_m(features, words):
            log_sums(m @ self.Wo, self.bo, out[first:last].reshape(-1))
        return out

    def chosen_logits(self, features: np.ndarray) -> np.ndarray:
        """Return the logit z of every edge's word for each image, (edges, B) float32.

        These are the M products an edge that remain when the normaliser is known.
        """
        trie, B = self.trie, len(features)
        out = np.empty((len(trie.words), B), np.float32)
        columns = np.ascontiguousarray(self.Wo.T)  # (V, M)
        for first, last, m in self.blocks_of_m(features, self.words):
            offsets = trie.offsets[first : last + 1]
            edges = slice(offsets[0], offsets[-1])
            words, offsets = trie.words[edges], offsets - offsets[0]
            chosen_logits(m, columns, self.bo, offsets, words, B, out[edges])
        return out

    def blocks_of_m(
        self, features: np.ndarray, words: np.ndarray
    ) -> Iterator[tuple[int, int, np.ndarray]]:
        """Yield (first node, last node, what the nodes between send to the output).

        That is the multimodal layer or, when tied, x = g(m UI). It comes without its
        factor 1.7159, (nodes * B, M) with the images of a node together, and is
        overwritten by the next block.

        words : (nodes, M), rows of `self.words`.
        """
        image, B = self.image_terms(features), len(features)
        step = max(1, self.rows // B)  # nodes at once
        buffer = np.empty((step, B, words.shape[1]), np.float32)
        for first in range(0, len(words), step):
            last = min(first + step, len(words))
            m = buffer[: last - first]
            np.add(words[first:last, None], image, out=m)
            np.tanh(m, out=m)
            m = m.reshape(-1, words.shape[1])
            if self.UI is not None:
                m = m @ self.UI
                np.tanh(m, out=m)
            yield first, last, m

    def image_terms(self, features: np.ndarray) -> np.ndarray:
        """Return the images' share of the argument of tanh, (B, M) float32."""
        return np.float32(2 / 3) * self.model.image_terms(features).astype(np.float32)


class EnsembleScorer:
    """An ensemble: on every edge the mean of the members' probabilities.

    Only the probability of the edge's own word is mixed, not those of all V.
    """

    def __init__(self, ensemble: Ensemble, trie: PrefixTrie) -> None:
        self.models = ensemble.models
        self.scorers = [scorer(model, trie) for model in self.models]

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Score every edge for each image, (B, D) -> (edges, B)."""
        return log_mean_exp(
            [
                score(model.standardise(features))
                for model, score in zip(self.models, self.scorers, strict=True)
            ]
        )


@functools.singledispatch
def scorer(model: NextWordModel, trie: PrefixTrie) -> Scorer:
    """Return the fastest function from features (B, D) to scores (edges, B)."""
    return functools.partial(edge_scores_plain, model, trie)


@scorer.register
def _(model: Captioner, trie: PrefixTrie) -> Scorer:
    plain = model.dtype != np.float32
    return functools.partial(
        edge_scores_plain if plain else captioner_scores, model, trie
    )


@scorer.register
def _(model: MultimodalCaptioner, trie: PrefixTrie) -> Scorer:
    if model.dtype != np.float32:
        return functools.partial(edge_scores_plain, model, trie)
    return MultimodalScorer(model, trie)


@scorer.register
def _(model: Ensemble, trie: PrefixTrie) -> Scorer:
    return EnsembleScorer(model, trie)
