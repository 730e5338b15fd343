"""Two captioners and a ranker as small as can be, which everything must work for.

They hold the interfaces of `mrnn_np.models.captioner` and `mrnn_np.models.ranker` to
what they say: the tests of all models (test_every_model.py, test_every_ranker.py) run
over them too.
"""

import dataclasses
import importlib
from dataclasses import dataclass

import numpy as np

from mrnn_np.cells import CELLS
from mrnn_np.data.batches import pack
from mrnn_np.gradcheck.model_cases import small_model
from mrnn_np.layers import (
    Buffers,
    affine_backward,
    affine_forward,
    embedding_backward,
    embedding_forward,
    stanh_backward,
    stanh_forward,
)
from mrnn_np.layers.parameters import normal, zeros
from mrnn_np.models import MODELS
from mrnn_np.models.captioner import Captioner, CaptionerConfig
from mrnn_np.models.multimodal import MultimodalCaptioner
from mrnn_np.models.parametric import ModelConfig
from mrnn_np.models.ranker import Ranker, negatives

TOYS = {
    "last_word": ("toy_models", "LastWord"),
    "sum": ("toy_models", "Sum"),
    "two_towers": ("toy_models", "TwoTowers"),
}


def names_of(kind):
    """Return the names of the models of the registry, and of the toys, of a kind."""
    return [
        name
        for name, (module, cls) in {**MODELS, **TOYS}.items()
        if issubclass(getattr(importlib.import_module(module), cls), kind)
    ]


def other_weights(name):
    """Return "tied" for a model whose weights are not tied unless asked for."""
    module, cls = {**MODELS, **TOYS}[name]
    tied = getattr(importlib.import_module(module), cls).config_class().tied
    return "untied" if tied else "tied"


def choices(name):
    """Return the name of a model, and what else was chosen."""
    name, *chosen = name.split()
    given = {"tied": True} if "tied" in chosen else {}
    given |= {"tied": False} if "untied" in chosen else {}
    given |= {"regions": 4} if "regions" in chosen else {}
    cells = [one for one in chosen if one in CELLS]
    return name, given | ({"cell": cells[0]} if cells else {})


def drawn(name, seed=0, dtype=np.float32):
    """Return a model that images and words make a difference to, and some images."""
    rng = np.random.default_rng(seed)
    name, chosen = choices(name)
    model = small_model(rng, name, dtype, **chosen)
    features = rng.standard_normal((7, model.config.image_size)).astype(dtype)
    model.set_feature_statistics(features)
    return model, features


def with_room(model):
    """Return a model of the kind whose layers have 24 units each, not yet trained."""
    sizes = {
        field.name: 24
        for field in dataclasses.fields(model.config)
        if field.name.endswith("_size") and field.name != "image_size"
    }
    config = dataclasses.replace(model.config, **sizes)
    return type(model)(config, model.vocabulary, np.random.default_rng(0))


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
        M = self.config.word_size
        return {
            "E1": normal(len(self.vocabulary), M, 1.0),
            "Vi": self.image_matrix(M),
            "b": zeros(M),
        }

    def forward(self, batch, rng=None):
        p = self.params
        words, c_words = embedding_forward(batch.tokens, p["E1"])
        image, c_image = affine_forward(batch.features, p["Vi"], p["b"])
        m, c_m = stanh_forward(words + image[batch.sentence])
        return m, (c_words, c_image, c_m, batch.sentence, len(image))

    def backward(self, dm, cache, memory):
        c_words, c_image, c_m, sentence, N = cache
        dz = stanh_backward(dm, c_m)
        dimage = np.zeros((N, dz.shape[1]), dz.dtype)
        np.add.at(dimage, sentence, dz)
        _, dVi, db = affine_backward(dimage, c_image)
        return {"E1": embedding_backward(dz, c_words, memory("E1")), "Vi": dVi, "b": db}

    def text_start(self, n):
        return {"none": np.zeros((n, 1), self.dtype)}

    def text_step(self, tokens, state):
        return self.params["E1"].take(tokens, axis=0), state

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
        S = self.config.state_size
        return {"E1": normal(len(self.vocabulary), S, 0.5), "Vi": self.image_matrix(S)}

    def forward(self, batch, rng=None):
        p = self.params
        words, c_words = embedding_forward(batch.tokens, p["E1"])
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
        dE = embedding_backward(dwords, c_words, memory("E1"))
        return {"E1": dE, "Vi": features.T @ dh}

    def start(self, features):
        return {"h": features @ self.params["Vi"]}

    def advance(self, tokens, state):
        h, _ = stanh_forward(state["h"] + self.params["E1"].take(tokens, axis=0))
        return h, {"h": h}


@dataclass(frozen=True)
class TwoTowersConfig(ModelConfig):
    joint_size: int = 16


class TwoTowers(Ranker):
    """s = u v, with u = g(sum of E[x]) of a sentence and v = g(I Vi + b) of an image.

        loss = (1/N) sum_n sum_k max(0, 1 - s_nn + s_nk) + max(0, 1 - s_nn + s_kn)

    over the pairs n of a batch and their negatives k; s_nk is sentence n, image k.
    """

    config_class = TwoTowersConfig

    def parameters(self):
        F = self.config.joint_size
        return {
            "E1": normal(len(self.vocabulary), F, 0.5),
            "Vi": self.image_matrix(F),
            "b": zeros(F),
        }

    def text_tower(self, batch):
        words, c_words = embedding_forward(batch.targets, self.params["E1"])
        total = np.zeros((len(batch.order), words.shape[1]), words.dtype)
        np.add.at(total, batch.sentence, words)
        u, c_u = stanh_forward(total)
        return u, (c_words, c_u, batch.sentence)

    def image_tower(self, features):
        z, c_z = affine_forward(features, self.params["Vi"], self.params["b"])
        v, c_v = stanh_forward(z)
        return v, (c_z, c_v)

    def embed_images(self, features):
        return self.image_tower(features)[0]

    def embed_sentences(self, sentences):
        batch = pack(sentences, np.zeros((len(sentences), 0)))
        u = np.empty((len(sentences), self.config.joint_size), self.dtype)
        u[batch.order] = self.text_tower(batch)[0]
        return u

    def scores(self, embedded, features):
        return embedded @ self.embed_images(features).T

    def loss_and_grads(self, batch, rng=None, buffers=None):
        buffers = buffers or Buffers()
        buffers.next_step()
        u, (c_words, c_u, sentence) = self.text_tower(batch)
        v, (c_z, c_v) = self.image_tower(batch.features)
        violations = [np.maximum(0, one) for one in self.margins(u @ v.T, batch)]
        N = len(u)
        by_image, by_sentence = ((one > 0).astype(u.dtype) / N for one in violations)
        ds = by_image + by_sentence
        ds[np.diag_indices(N)] -= by_image.sum(axis=1) + by_sentence.sum(axis=0)
        dtotal = stanh_backward(ds @ v, c_u)
        _, dVi, db = affine_backward(stanh_backward(ds.T @ u, c_v), c_z)
        memory = buffers.like("E1", self.params["E1"])
        dE = embedding_backward(dtotal[sentence], c_words, memory)
        return float(sum(map(np.sum, violations))) / N, {"E1": dE, "Vi": dVi, "b": db}

    def margins(self, scores, batch):
        """Return 1 - s_nn + s_nk in row n, and 1 - s_nn + s_kn in column n.

        What is no negative has -1, which adds nothing to the loss.
        """
        own, apart = np.diag(scores), negatives(batch)
        for right in (own[:, None], own):
            yield np.where(apart, 1 - right + scores, np.array(-1, scores.dtype))

    def distance_to_kink(self, batch, rng=None):
        scores = self.text_tower(batch)[0] @ self.embed_images(batch.features).T
        return min(np.abs(one).min() for one in self.margins(scores, batch))
