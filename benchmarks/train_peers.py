"""One training step of models with gates, beside PyTorch's own LSTM and GRU.

    python benchmarks/train_peers.py [--repeats 9] [--cpu]

The batch, and what a step is, are those of train_step.py. The peers are built around
`torch.nn.LSTM` and `torch.nn.GRU`, with sentences padded to the longest and packed
(`PackedSequence`), and with Adam(fused=True). `apart` checks that their first loss is
ours, without dropout. Two differences cannot be avoided:

- `torch.nn.GRU` lets the reset gate act after the product with U, this project before
  it, as Cho et al. do; the loss is compared with U = 0.
- LRCN's static input has no place in `torch.nn.LSTM`. There v = I Wv, 1,000 numbers as
  in the paper, is put beside the input of every step; ours has Wi = Wv Ws instead.
"""

import argparse
import dataclasses

import numpy as np
import torch
from timing import Row, blas_threads, interleave
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence
from train_step import CLIP, RATE, make_case, our_step, stanh

from mrnn_np.data.batches import PackedBatch
from mrnn_np.models import ParametricModel, model_class

V, D, STATIC = 8000, 4096, 1000
OVER_PADDED, OVER_PACKED = 1.8, 1.2  # ratios needed
# Label, name of the registry, sizes and choices.
GRU = {"embedding_size": 512, "multimodal_size": 512, "cell": "gru"}
MODELS = (
    ("NIC, LSTM 512, V 8000, D 4096", "nic", {}),
    ("LRCN, 2 LSTMs of 1000, V 8000, D 4096", "lrcn", {}),
    ("m-RNN 512/256/512, GRU, V 8000, D 4096", "mrnn", GRU),
)
ORDER = {"LSTM": (0, 1, 3, 2), "GRU": (1, 0, 2)}  # PyTorch's gates among ours


class Peer:
    """A model around PyTorch's recurrent layers; a subclass says how it hangs together.

    A sequence is (T, N, ...) when padded, and (P, ...) when packed: PyTorch's rows of a
    packed batch are this project's.
    """

    def __init__(self, model: ParametricModel, batch: PackedBatch, packed: bool):
        self.drop, self.packed = max(rates(model.config).values()), packed
        self.layers = torch.nn.ModuleList()
        self.p = {
            name: torch.nn.Parameter(torch.from_numpy(value.copy()))
            for name, value in model.params.items()
        }
        self.build(model)
        self.trained = [*self.p.values(), *self.layers.parameters()]
        self.optimiser = torch.optim.Adam(self.trained, RATE, fused=True)
        self.image = torch.from_numpy(batch.features)
        self.sizes, self.sentence = batch.batch_sizes, batch.sentence
        if packed:
            tokens, targets = batch.tokens, batch.targets
        else:
            shape = len(self.sizes), len(batch.features)
            step = np.repeat(np.arange(len(self.sizes)), self.sizes)
            tokens, targets = np.zeros(shape, int), np.full(shape, -100)
            tokens[step, batch.sentence] = batch.tokens
            targets[step, batch.sentence] = batch.targets
        self.tokens, self.targets = torch.from_numpy(tokens), torch.from_numpy(targets)

    def take_layer(self, kind: str, head: str = "", static=None) -> None:
        """Make one of PyTorch's layers of W, U and br; `static` are more rows of W."""
        W, U, br = (self.p.pop(f"{head}{name}").detach() for name in ("W", "U", "br"))
        W = W if static is None else torch.cat([W, static])
        layer = getattr(torch.nn, kind)(len(W), len(U))
        with torch.no_grad():
            for own, value in (("weight_ih_l0", W), ("weight_hh_l0", U)):
                gates = value.chunk(len(ORDER[kind]), 1)
                ordered = torch.cat([gates[k] for k in ORDER[kind]], 1)
                getattr(layer, own).copy_(ordered.T)
            gates = br.chunk(len(ORDER[kind]))
            layer.bias_ih_l0.copy_(torch.cat([gates[k] for k in ORDER[kind]]))
            layer.bias_hh_l0.zero_()
        self.layers.append(layer)

    def run(self, layer, x, sizes=None):
        """Return the outputs of all steps."""
        if not self.packed:
            return layer(x)[0]
        sizes = torch.from_numpy(self.sizes if sizes is None else sizes)
        return layer(PackedSequence(x, sizes))[0].data

    def at_every_step(self, image):
        """Return the row of each token's sentence, or one that fits all steps."""
        return image[self.sentence] if self.packed else image[None]

    def dropout(self, x):
        return functional.dropout(x, self.drop) if self.drop else x

    def loss(self):
        m = self.top()
        logits = (m @ self.p["Wo"] + self.p["bo"]).reshape(-1, V)
        return functional.cross_entropy(logits, self.targets.flatten())

    def step(self) -> float:
        self.optimiser.zero_grad()
        loss = self.loss()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained, CLIP)
        self.optimiser.step()
        return loss.item()


class NIC(Peer):
    def build(self, model):
        self.take_layer("LSTM")

    def top(self):
        N = len(self.image)
        image = self.image @ self.p["Wi"]
        words = functional.embedding(self.tokens, self.p["E1"])
        x = torch.cat([image if self.packed else image[None], words])
        h = self.run(self.layers[0], self.dropout(x), np.array([N, *self.sizes]))
        return self.dropout(h[N:] if self.packed else h[1:])


class LRCN(Peer):
    def build(self, model):
        rng, gates = np.random.default_rng(1), self.p.pop("Wi").shape[1]
        Wv, Ws = (
            rng.standard_normal(shape, np.float32) / shape[0] ** 0.5
            for shape in ((D, STATIC), (STATIC, gates))
        )
        self.p["Wv"] = torch.nn.Parameter(torch.from_numpy(Wv))
        model.params["Wi"] = Wv @ Ws
        self.take_layer("LSTM", "1.")
        self.take_layer("LSTM", "2.", torch.from_numpy(Ws))

    def top(self):
        x = self.dropout(functional.embedding(self.tokens, self.p["E1"]))
        h = self.dropout(self.run(self.layers[0], x))
        v = self.at_every_step(self.image @ self.p["Wv"]).expand(*h.shape[:-1], -1)
        return self.dropout(self.run(self.layers[1], torch.cat([h, v], -1)))


class GatedMRNN(Peer):
    def build(self, model):
        self.take_layer("GRU")

    def top(self):
        p = self.p
        e = stanh(functional.embedding(self.tokens, p["E1"]))
        w = self.dropout(stanh(e @ p["W2"] + p["b2"]))
        r = self.dropout(self.run(self.layers[0], w))
        image = self.at_every_step(self.dropout(self.image) @ p["Vi"] + p["bm"])
        return self.dropout(stanh(w @ p["Vw"] + r @ p["Vr"] + image))


PEERS = {"nic": NIC, "lrcn": LRCN, "mrnn": GatedMRNN}


def rates(config) -> dict[str, float]:
    """Return the dropped shares of a config."""
    fields = dataclasses.asdict(config).items()
    return {name: value for name, value in fields if name.startswith("dropout_")}


def make_model(name: str, vocabulary, dropout: float, **choices) -> ParametricModel:
    """Return a new model that drops the same share everywhere."""
    cls = model_class(name)
    same = dict.fromkeys(rates(cls.config_class()), dropout)
    config = cls.config_class(D, bias_from_counts=False, **same, **choices)
    return cls(config, vocabulary, np.random.default_rng(0))


def apart(name: str, vocabulary, batch: PackedBatch, choices: dict) -> float:
    """Return how far the first losses are apart, relative, without dropout."""
    model = make_model(name, vocabulary, 0.0, **choices)
    if choices.get("cell") == "gru":
        model.params["U"][...] = 0
    model.params["Wo"] *= 30  # as small as it starts, every loss is log V
    losses = []
    for packed in (False, True):
        peer = PEERS[name](model, batch, packed)  # LRCN's sets our Wi
        losses.append(peer.loss().item())
    ours = model.loss_and_grads(batch)[0]
    return max(abs(loss - ours) / ours for loss in losses)


def measure(repeats: int = 9, cpu: bool = False) -> list[Row]:
    """Measure all models; with dropout, as models are trained."""
    torch.set_num_threads(blas_threads())
    small, batch = make_case(8, 8, 8, V, D, dropout=0.0)
    rows = []
    for label, name, choices in MODELS:
        far = apart(name, small.vocabulary, batch, choices)
        if far > 1e-4:
            raise SystemExit(f"{label}: losses differ by {far:.1e}: not the same step")
        model = make_model(name, small.vocabulary, 0.5, **choices)
        padded, packed = (PEERS[name](model, batch, one) for one in (False, True))
        calls = (our_step(model, batch), padded.step, packed.step)
        a, b, c = interleave(calls, repeats, cpu)
        rows.append(Row(label, a, "PyTorch, padded", b, OVER_PADDED))
        rows.append(Row(label, a, "PyTorch, packed", c, OVER_PACKED))
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--cpu", action="store_true", help="CPU seconds of the process")
    args = parser.parse_args()
    for row in measure(args.repeats, args.cpu):
        print(row)
