"""The m-RNN of Mao et al.: two embeddings, a ReLU recurrence, a multimodal layer.

    e = g(E1[x])                                  first embedding       (P, E1)
    w = g(e W2 + b2)                              second embedding      (P, R)
    r_t = relu(r_{t-1} U + w_t + br)              recurrent layer       (P, R)
    m = g(w Vw + r Vr + I Vi + bm)                multimodal layer      (P, M)
    p = softmax(m Wo + bo)                        next word             (P, V)

with g(x) = 1.7159 tanh(2x/3), P tokens in a packed batch, I the image (N, D). The
image never enters the recurrence: it joins at every word, in the multimodal layer.

Knows: how the layers hang together. Does not know: how it is trained or searched.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np

from mrnn_np.data.batches import PackedBatch
from mrnn_np.decoding.next_words import best_next_plain, best_of_output
from mrnn_np.errors import InputError
from mrnn_np.fields import check_fields
from mrnn_np.layers import (
    Buffers,
    affine_backward,
    affine_forward,
    dropout_backward,
    dropout_forward,
    embedding_backward,
    embedding_forward,
    log_softmax,
    multimodal_backward,
    multimodal_forward,
    output_backward,
    output_forward,
    recurrent_backward,
    recurrent_forward,
    recurrent_step,
    stanh_backward,
    stanh_forward,
)
from mrnn_np.models.base import Captioner

IMAGE_LENGTH = 8.0  # of a standardised feature vector, see `MRNN.image_gain`


@dataclass(frozen=True)
class MRNNConfig:
    """Sizes and choices of an `MRNN`. The sizes are the paper's.

    The paper gives the sizes and the non-linearities; it says nothing of biases,
    initialisation or dropout. Those fields are this project's choices.
    """

    image_size: int = 1280  # D; set from the features when a model is trained
    embedding_size: int = 128  # E1
    recurrent_size: int = 256  # R; also of the second embedding, which is added to it
    multimodal_size: int = 512  # M
    # Dropped shares while training. Chosen on Flickr8k dev.
    dropout_embedding: float = 0.5  # of w, hence in the recurrence and beside it
    dropout_recurrent: float = 0.5  # of r on its way up, never of r_{t-1} -> r_t
    dropout_image: float = 0.5  # of the image feature
    dropout_multimodal: float = 0.5  # of m
    # U starts as a random orthogonal matrix times this. Below 1 the state of a ReLU
    # recurrence cannot grow without bound; near 1 it remembers longer (lesson 2 draws
    # both). Tried on Flickr8k dev: 0.9 and 0.58.
    recurrent_scale: float = 0.58
    # The output bias starts at the log frequency of every word: the first batches
    # need not learn that "a" is common. False starts it at zero.
    bias_from_counts: bool = True

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("image", "embedding", "recurrent", "multimodal"):
            size = getattr(self, f"{name}_size")
            if size < 1:
                raise InputError(f"{name}_size must be a positive integer, not {size}")
        for name in ("embedding", "recurrent", "image", "multimodal"):
            rate = getattr(self, f"dropout_{name}")
            if not 0 <= rate < 1:
                raise InputError(f"dropout_{name} must be in [0, 1), not {rate}")
        if not math.isfinite(self.recurrent_scale):
            raise InputError(f"recurrent_scale cannot be {self.recurrent_scale}")


class MRNN(Captioner):
    """The m-RNN captioner.

    Parameters
    ----------
    config : sizes and choices.
    vocabulary : the V words.
    rng : source of the initial parameters; a Generator of seed 0 when left out.
    dtype : float32 to train and run, float64 to check gradients.
    params : parameters that are there already; drawn when left out.

    Attributes
    ----------
    params : dict with E1 (V, E1), W2 (E1, R), b2 (R,), U (R, R), br (R,), Vw (R, M),
        Vr (R, M), Vi (D, M), bm (M,), Wo (M, V), bo (V,).
    """

    config_class = MRNNConfig

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every parameter."""
        c, V = self.config, len(self.vocabulary)
        D, E1 = c.image_size, c.embedding_size
        R, M = c.recurrent_size, c.multimodal_size
        return {
            "E1": (V, E1), "W2": (E1, R), "b2": (R,), "U": (R, R), "br": (R,),
            "Vw": (R, M), "Vr": (R, M), "Vi": (D, M), "bm": (M,),
            "Wo": (M, V), "bo": (V,),
        }  # fmt: skip

    def initial_params(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Draw parameters such that every layer starts with a variance near 1.

        With g a unit-variance input gives a unit-variance output when the weights
        have the variance 1 / (rows of the matrix): what g was made for (LeCun).
        Wo starts small, so that the first loss is log V, or the entropy of the word
        frequencies with `bias_from_counts`.
        """
        c, V = self.config, len(self.vocabulary)
        D, R, M = c.image_size, c.recurrent_size, c.multimodal_size

        def normal(rows: int, columns: int, scale: float) -> np.ndarray:
            return scale * rng.standard_normal((rows, columns))

        bo = np.zeros(V)
        if c.bias_from_counts:
            # <pad> and <start> are never predicted; half a count keeps log finite.
            counts = np.maximum(self.vocabulary.counts, 0.5)
            bo = np.log(counts / counts.sum())
        return {
            "E1": normal(V, c.embedding_size, 1.0),
            "W2": normal(c.embedding_size, R, c.embedding_size**-0.5),
            "b2": np.zeros(R),
            "U": c.recurrent_scale * np.linalg.qr(normal(R, R, 1.0))[0],
            "br": np.zeros(R),
            "Vw": normal(R, M, R**-0.5),
            "Vr": normal(R, M, R**-0.5),
            "Vi": normal(D, M, D**-0.5 / self.image_gain),
            "bm": np.zeros(M),
            "Wo": normal(M, V, 0.01),
            "bo": bo,
        }

    @property
    def image_gain(self) -> float:
        """What standardised features are multiplied by: min(1, 8 / sqrt(D)).

        Adam moves every weight by about the learning rate, however small its gradient.
        The image's share of the multimodal layer is a sum over D features, so it moves
        the faster the more there are, and learns the training images by heart. A
        feature vector of D numbers of variance 1 is sqrt(D) long; here it is never
        longer than 8, and Vi starts larger in turn. On Flickr8k dev with 3,104
        features perplexity after five epochs was 20.17 without this, 19.28 with a
        length of 22, 19.03 with 8; 3 learned more slowly.
        """
        return min(1.0, IMAGE_LENGTH / self.config.image_size**0.5)

    def set_feature_statistics(self, features: np.ndarray) -> None:
        """Take mean and deviation of each feature from the training images.

        See `Captioner`; the scale includes `image_gain`.
        """
        super().set_feature_statistics(features)
        self.feature_scale /= self.dtype.type(self.image_gain)

    def forward(
        self,
        batch: PackedBatch,
        rng: np.random.Generator | None,
        buffers: Buffers,
    ) -> tuple[np.ndarray, tuple]:
        """Run the model over a batch.

        Parameters
        ----------
        batch : P tokens; `batch.features` as `standardise` returns them.
        rng : source of the dropout masks, None when not training.
        buffers : for the largest arrays, see layers/buffers.py.

        Returns
        -------
        losses : (P,) nats, -log P(target | words before it, image); and the cache.
        """
        p, c = self.params, self.config
        rows, c_rows = embedding_forward(batch.tokens, p["E1"])
        e, c_e = stanh_forward(rows)
        w, c_w = affine_forward(e, p["W2"], p["b2"])
        w, c_gw = stanh_forward(w)
        w, c_dw = dropout_forward(w, c.dropout_embedding, rng)
        r, c_r = recurrent_forward(w, p["U"], p["br"], batch.batch_sizes)
        r, c_dr = dropout_forward(r, c.dropout_recurrent, rng)
        image, _ = dropout_forward(batch.features, c.dropout_image, rng)
        m, c_m = multimodal_forward(
            w, r, image, batch.sentence, p["Vw"], p["Vr"], p["Vi"], p["bm"]
        )
        m, c_dm = dropout_forward(m, c.dropout_multimodal, rng)
        z = buffers.array("scores", (len(m), len(p["bo"])), m.dtype)
        losses, c_o = output_forward(m, p["Wo"], p["bo"], batch.targets, z)
        return losses, (c_rows, c_e, c_w, c_gw, c_dw, c_r, c_dr, c_m, c_dm, c_o)

    def backward(
        self, dlosses: np.ndarray, cache: tuple, buffers: Buffers
    ) -> dict[str, np.ndarray]:
        """Send the gradient of every token's loss back to the parameters.

        The same lines as `forward`, from the last to the first. The second embedding
        feeds two layers, so two gradients meet in dw.
        """
        c_rows, c_e, c_w, c_gw, c_dw, c_r, c_dr, c_m, c_dm, c_o = cache
        p, g = self.params, {}
        dWo, dVi = buffers.like("Wo", p["Wo"]), buffers.like("Vi", p["Vi"])
        dm, g["Wo"], g["bo"] = output_backward(dlosses, c_o, dWo)
        dm = dropout_backward(dm, c_dm)
        # The CNN is frozen: the gradient of the image goes nowhere. Leaving out that
        # product was tried, and saved 1 % of the step.
        dw, dr, _, g["Vw"], g["Vr"], g["Vi"], g["bm"] = multimodal_backward(
            dm, c_m, dVi
        )
        dr = dropout_backward(dr, c_dr)
        dx, g["U"], g["br"] = recurrent_backward(dr, c_r)
        dw += dx
        dw = dropout_backward(dw, c_dw)
        dw = stanh_backward(dw, c_gw)
        de, g["W2"], g["b2"] = affine_backward(dw, c_w)
        drows = stanh_backward(de, c_e)
        g["E1"] = embedding_backward(drows, c_rows, buffers.like("E1", p["E1"]))
        return g

    def refined_features(self, features: np.ndarray) -> np.ndarray:
        """Return the image's share of the multimodal layer, as if it were alone there.

            refined = g(I Vi)          (m-RNN paper, section 8.1)

        Images that make the model say similar things are near each other.

        Parameters
        ----------
        features : (n, D), as the CNN gives them.

        Returns (n, M).
        """
        refined, _ = stanh_forward(self.standardise(features) @ self.params["Vi"])
        return refined

    def image_terms(self, features: np.ndarray) -> np.ndarray:
        """Return the image's share of the multimodal layer, I Vi + bm, (n, M).

        It is the same at every word. `features` (n, D) as `standardise` returns them.
        """
        return features @ self.params["Vi"] + self.params["bm"]

    def word_terms(
        self, tokens: np.ndarray, parents: np.ndarray, levels: np.ndarray
    ) -> np.ndarray:
        """Return the words' share of the multimodal layer, w Vw + r Vr.

        It is the same for every image: the whole language side of a sentence can be
        computed without knowing what is described.

        Parameters
        ----------
        tokens, parents, levels : of a `PrefixTrie`, a row a beginning of a sentence.

        Returns (nodes, M).
        """
        p = self.params
        e, _ = stanh_forward(p["E1"].take(tokens, axis=0))
        w, _ = stanh_forward(affine_forward(e, p["W2"], p["b2"])[0])
        r = np.zeros((len(tokens), self.config.recurrent_size), w.dtype)
        for first, last in itertools.pairwise(levels):
            # The empty beginning is its own parent, and its state is still zero here.
            previous = r[parents[first:last]]
            r[first:last] = recurrent_step(w[first:last], previous, p["U"], p["br"])
        return w @ p["Vw"] + r @ p["Vr"]

    def start(self, features: np.ndarray) -> dict[str, np.ndarray]:
        """Return the state before the first word, one row an image.

        Parameters
        ----------
        features : (n, D) as `standardise` returns them.

        Returns
        -------
        state : "r" (n, R), zeros, and "image" (n, M), the image's share of the
            multimodal layer, which stays the same for every word.
        """
        size, dtype = self.config.recurrent_size, self.params["U"].dtype
        return {
            "r": np.zeros((len(features), size), dtype),
            "image": self.image_terms(features),
        }

    def step(
        self, tokens: np.ndarray, state: dict[str, np.ndarray]
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Feed one word to each of n sentences.

        Parameters
        ----------
        tokens : (n,) integer, the last words (<start> at first).
        state : of `start` or of the step before, n rows.

        Returns
        -------
        log_probs : (n, V) nats, of the next word; and the new state.
        """
        m, state = self.multimodal_step(tokens, state)
        return log_softmax(m @ self.params["Wo"] + self.params["bo"]), state

    def best_next(
        self, tokens: np.ndarray, state: dict[str, np.ndarray], k: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """Do what `best_next_plain` does with `step`, in float32 the fast way.

        Parameters
        ----------
        tokens, state : as for `step`; k : words wanted.

        Returns
        -------
        ends (n,), log_probs (n, k), words (n, k), and the new state.
        """
        if self.dtype != np.float32:
            return best_next_plain(self, tokens, state, k)
        m, state = self.multimodal_step(tokens, state)
        return *best_of_output(m, self.params["Wo"], self.params["bo"], k), state

    def multimodal_step(
        self, tokens: np.ndarray, state: dict[str, np.ndarray]
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Feed one word to each of n sentences; return m (n, M) and the new state.

        The words' side is computed once for each different word: 1,000 sentences that
        grow together end in 100 different words or so.
        """
        p = self.params
        words, place = np.unique(tokens, return_inverse=True)
        e, _ = stanh_forward(p["E1"].take(words, axis=0))
        w, _ = stanh_forward(affine_forward(e, p["W2"], p["b2"])[0])
        r = recurrent_step(w[place], state["r"], p["U"], p["br"])
        z = r @ p["Vr"]
        z += (w @ p["Vw"])[place]  # (different words, M) -> (n, M)
        z += state["image"]
        m, _ = stanh_forward(z)
        return m, {"r": r, "image": state["image"]}
