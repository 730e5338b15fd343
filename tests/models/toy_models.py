"""Two captioners as small as can be, which everything must work for.

They hold the interface of `mrnn_np.models.captioner` to what it says: the tests of all
models (test_every_model.py) run over them too.
"""

from dataclasses import dataclass

import numpy as np

from mrnn_np.layers import (
    affine_backward,
    affine_forward,
    embedding_backward,
    embedding_forward,
    stanh_backward,
    stanh_forward,
)
from mrnn_np.layers.parameters import normal, zeros
from mrnn_np.models.captioner import Captioner, CaptionerConfig
from mrnn_np.models.multimodal import MultimodalCaptioner


@dataclass(frozen=True)
class LastWordConfig(CaptionerConfig):
    word_size: int = 16


class LastWord(MultimodalCaptioner):
    """m = g(E[x] + I Vi + b): only the last word counts, and the image joins last."""

    config_class = LastWordConfig

    @property
    def output_size(self):
        return self.config.word_size

    def parameters(self):
        D, M = self.config.image_size, self.config.word_size
        return {
            "E": normal(len(self.vocabulary), M, 1.0),
            "Vi": normal(D, M),
            "b": zeros(M),
        }

    def forward(self, batch, rng=None):
        p = self.params
        words, c_words = embedding_forward(batch.tokens, p["E"])
        image, c_image = affine_forward(batch.features, p["Vi"], p["b"])
        m, c_m = stanh_forward(words + image[batch.sentence])
        return m, (c_words, c_image, c_m, batch.sentence, len(image))

    def backward(self, dm, cache, memory):
        c_words, c_image, c_m, sentence, N = cache
        dz = stanh_backward(dm, c_m)
        dimage = np.zeros((N, dz.shape[1]), dz.dtype)
        np.add.at(dimage, sentence, dz)
        _, dVi, db = affine_backward(dimage, c_image)
        return {"E": embedding_backward(dz, c_words, memory("E")), "Vi": dVi, "b": db}

    def text_start(self, n):
        return {"none": np.zeros((n, 1), self.dtype)}

    def text_step(self, tokens, state):
        return self.params["E"].take(tokens, axis=0), state

    def image_terms(self, features):
        return features @ self.params["Vi"] + self.params["b"]


@dataclass(frozen=True)
class SumConfig(CaptionerConfig):
    state_size: int = 16


class Sum(Captioner):
    """m_t = h_t = g(h_{t-1} + E[x_t]), h_0 = I Vi: the image is where it begins."""

    config_class = SumConfig

    @property
    def output_size(self):
        return self.config.state_size

    def parameters(self):
        D, S = self.config.image_size, self.config.state_size
        return {"E": normal(len(self.vocabulary), S, 0.5), "Vi": normal(D, S)}

    def forward(self, batch, rng=None):
        p = self.params
        words, c_words = embedding_forward(batch.tokens, p["E"])
        h = batch.features @ p["Vi"]
        m, steps, begin = np.empty_like(words), [], 0
        for n in batch.batch_sizes:
            h, cache = stanh_forward(h[:n] + words[begin : begin + n])
            m[begin : begin + n] = h
            steps.append(cache)
            begin += n
        return m, (c_words, batch.features, steps)

    def backward(self, dm, cache, memory):
        c_words, features, steps = cache
        dwords, end = np.empty_like(dm), len(dm)
        dh = np.zeros((0, dm.shape[1]), dm.dtype)
        for c_step in reversed(steps):
            n = len(c_step)
            above = dm[end - n : end].copy()
            above[: len(dh)] += dh
            dh = dwords[end - n : end] = stanh_backward(above, c_step)
            end -= n
        dE = embedding_backward(dwords, c_words, memory("E"))
        return {"E": dE, "Vi": features.T @ dh}

    def start(self, features):
        return {"h": features @ self.params["Vi"]}

    def advance(self, tokens, state):
        h, _ = stanh_forward(state["h"] + self.params["E"].take(tokens, axis=0))
        return h, {"h": h}
