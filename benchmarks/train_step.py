"""One training step, beside PyTorch doing the same with the same numbers.

    python benchmarks/train_step.py [--repeats 15] [--cpu]

A step is forward pass, backward pass, clipping by the global norm and Adam, on 100
sentences with the lengths of Flickr8k. The peers are what people write (sentences
padded to the longest, one loop over time) and a PyTorch program with this project's
packing. Both use Adam(fused=True). `agree` checks that all three compute the same.
"""

import argparse
from collections.abc import Callable

import numpy as np
import torch
from timing import Row, blas_threads, interleave, new_memory
from torch.nn import functional

from mrnn_np.data.batches import PackedBatch, pack
from mrnn_np.data.vocabulary import SPECIALS, Vocabulary
from mrnn_np.models.mrnn import MRNN, MRNNConfig
from mrnn_np.runtime.machine import SIZES
from mrnn_np.training import Trainer, TrainingConfig

# Captions of Flickr8k's training list with 2, 3, 4 ... words.
LENGTH_COUNTS = (
    15, 126, 346, 862, 1958, 2537, 2928, 3318, 3320, 3132, 2777, 2321, 1848, 1328, 977,
    662, 513, 365, 204, 136, 110, 74, 52, 33, 20, 11, 7, 9, 4, 3,
)  # fmt: skip
SENTENCES = 100
PRODUCTS = 12  # as much arithmetic as a large step
RATE, CLIP = 1e-3, 5.0
# name, E1, R, M, V, D, ratios needed over padded and over packed
LARGE = ("large: 512/256/512, V 8000, D 4096", 512, 256, 512, 8000, 4096, 2.0, 1.25)
PAPER = ("paper: 128/256/512, V 2500, D 1280", 128, 256, 512, 2500, 1280, 1.6, 1.1)
GEMM_SHARE = 0.8  # of the machine's matrix product, needed for the large step


def make_case(E1, R, M, V, D, dropout) -> tuple[MRNN, PackedBatch]:
    """Return a new model and a batch whose words are as unequal as a language's."""
    rng = np.random.default_rng(0)
    words = [*SPECIALS, *(f"w{i}" for i in range(V - len(SPECIALS)))]
    names = ("embedding", "recurrent", "image", "multimodal")
    config = MRNNConfig(
        D, E1, R, M, bias_from_counts=False, **{f"dropout_{n}": dropout for n in names}
    )
    model = MRNN(config, Vocabulary(words, np.ones(V, int)), rng)
    at = (np.arange(SENTENCES) + 0.5) / SENTENCES * sum(LENGTH_COUNTS)
    lengths = 2 + np.searchsorted(np.cumsum(LENGTH_COUNTS), at)
    zipf = 1 / np.arange(1, V - len(SPECIALS) + 1)
    ids = [
        len(SPECIALS) + rng.choice(len(zipf), length, p=zipf / zipf.sum())
        for length in lengths
    ]
    features = rng.standard_normal((SENTENCES, D), np.float32)
    return model, pack(ids, features)


class Peer:
    """The same model in PyTorch; a subclass says how a batch becomes a loss."""

    def __init__(self, model: MRNN, batch: PackedBatch) -> None:
        self.p = {
            name: torch.nn.Parameter(torch.from_numpy(value.copy()))
            for name, value in model.params.items()
        }
        self.drop = model.config.dropout_embedding
        self.optimiser = torch.optim.Adam(self.p.values(), RATE, fused=True)
        self.image = torch.from_numpy(batch.features)
        self.take(batch)

    def dropout(self, x):
        return functional.dropout(x, self.drop) if self.drop else x

    def words(self, tokens):
        p = self.p
        e = stanh(functional.embedding(tokens, p["E1"]))
        return self.dropout(stanh(e @ p["W2"] + p["b2"]))

    def step(self) -> float:
        self.optimiser.zero_grad()
        loss = self.loss()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.p.values(), CLIP)
        self.optimiser.step()
        return loss.item()


class Padded(Peer):
    """What people write: (N, T) words, and a loss that ignores the padding."""

    def take(self, batch: PackedBatch) -> None:
        N, T = len(batch.features), len(batch.batch_sizes)
        step = np.repeat(np.arange(T), batch.batch_sizes)
        tokens, targets = np.zeros((N, T), int), np.full((N, T), -100)
        tokens[batch.sentence, step] = batch.tokens
        targets[batch.sentence, step] = batch.targets
        self.tokens, self.targets = torch.from_numpy(tokens), torch.from_numpy(targets)

    def loss(self):
        p = self.p
        w = self.words(self.tokens)  # (N, T, R)
        r = torch.zeros_like(w[:, 0])
        states = []
        for t in range(w.shape[1]):
            r = torch.relu(r @ p["U"] + w[:, t] + p["br"])
            states.append(r)
        r = self.dropout(torch.stack(states, 1))
        image = self.dropout(self.image) @ p["Vi"] + p["bm"]
        m = stanh(w @ p["Vw"] + r @ p["Vr"] + image[:, None])
        logits = self.dropout(m) @ p["Wo"] + p["bo"]  # (N, T, V)
        return functional.cross_entropy(logits.flatten(0, 1), self.targets.flatten())


class Packed(Peer):
    """The same without padding: P rows, time-major, as in mrnn_np/data/batches.py."""

    def take(self, batch: PackedBatch) -> None:
        self.tokens = torch.from_numpy(batch.tokens)
        self.targets = torch.from_numpy(batch.targets)
        self.sentence = torch.from_numpy(batch.sentence)
        self.sizes = batch.batch_sizes.tolist()

    def loss(self):
        p = self.p
        w = self.words(self.tokens)  # (P, R)
        r = torch.zeros_like(w[: self.sizes[0]])
        states = []
        for x in torch.split(w, self.sizes):
            r = torch.relu(r[: len(x)] @ p["U"] + x + p["br"])
            states.append(r)
        r = self.dropout(torch.cat(states))
        image = self.dropout(self.image) @ p["Vi"] + p["bm"]
        m = stanh(w @ p["Vw"] + r @ p["Vr"] + image[self.sentence])
        logits = self.dropout(m) @ p["Wo"] + p["bo"]  # (P, V)
        return functional.cross_entropy(logits, self.targets)


def stanh(x):
    return 1.7159 * torch.tanh(x * (2 / 3))


def our_step(model: MRNN, batch: PackedBatch) -> Callable[[], float]:
    """Return a function that makes one step with the library's own trainer."""
    config = TrainingConfig(learning_rate=RATE, clip_norm=CLIP)
    trainer = Trainer(model, config, verbose=False)

    def step() -> float:
        before = trainer.loss_sum
        trainer.train_step(batch)
        return (trainer.loss_sum - before) / len(batch.tokens)

    return step


def agree(sizes: tuple, steps: int = 4) -> float:
    """Return how far losses are apart over some steps without dropout (relative)."""
    model, batch = make_case(*sizes, dropout=0.0)
    peers = [Padded(model, batch).step, Packed(model, batch).step]
    ours = our_step(model, batch)
    worst = 0.0
    for _ in range(steps):
        loss = ours()
        worst = max(worst, *(abs(peer() - loss) / loss for peer in peers))
    return worst


def gemm_flops(model: MRNN, batch: PackedBatch) -> int:
    """Return the additions and multiplications of the step's matrix products.

    Forward, gradient of the input and gradient of the matrix cost the same. The image
    needs no gradient, and enters once a sentence.
    """
    P, N = len(batch.tokens), len(batch.features)
    size = {name: value.size for name, value in model.params.items()}
    rows = 3 * P * sum(size[name] for name in ("W2", "Vw", "Vr", "Wo"))
    return 2 * (rows + 3 * (P - N) * size["U"] + 2 * N * size["Vi"])


def gemm_call() -> Callable[[], None]:
    """Return a function that makes PRODUCTS matrix products: the machine's limit."""
    rows, depth, columns = SIZES
    rng = np.random.default_rng(0)
    a = rng.standard_normal((rows, depth), np.float32)
    b = rng.standard_normal((depth, columns), np.float32)
    out = a @ b

    def products() -> None:
        for _ in range(PRODUCTS):
            np.matmul(a, b, out=out)

    return products


def measure(repeats: int = 15, cpu: bool = False) -> list[Row]:
    """Measure both sizes; with dropout, as models are trained."""
    torch.set_num_threads(blas_threads())
    rows = []
    for name, *sizes, over_padded, over_packed in (LARGE, PAPER):
        apart = agree(sizes)
        if apart > 1e-4:
            raise SystemExit(f"{name}: losses differ by {apart:.1e}: not the same step")
        model, batch = make_case(*sizes, dropout=0.5)
        padded, packed = Padded(model, batch), Packed(model, batch)
        ours = our_step(model, batch)
        calls = (ours, padded.step, packed.step, gemm_call())
        a, b, c, product = interleave(calls, repeats, cpu)
        memory = new_memory(our_step(model, batch))  # the first step, with its buffers
        rows.append(Row(name, a, "PyTorch, padded", b, over_padded, memory))
        rows.append(Row(name, a, "PyTorch, packed", c, over_packed, memory))
        if name == LARGE[0]:
            limit = product * gemm_flops(model, batch) / (PRODUCTS * 2 * np.prod(SIZES))
            rows.append(Row(name, a, "its products at full speed", limit, GEMM_SHARE))
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--cpu", action="store_true", help="CPU seconds of the process")
    args = parser.parse_args()
    for row in measure(args.repeats, args.cpu):
        print(row)
