"""Freeze what PyTorch computes for the m-RNN and for the optimisers.

    pip install torch && python tests/golden/make_mrnn.py

writes tests/golden/mrnn.npz. PyTorch's autograd is the independent judge: the model is
written here sentence by sentence, padded nowhere, from the equations of the paper.
Everything is float64; parameters and inputs come from NumPy's seed 7.
"""

from pathlib import Path

import numpy as np
import torch

V, E, R, M, D = 9, 3, 4, 5, 6
LENGTHS = (5, 1, 3, 3)


def draw() -> tuple[dict[str, np.ndarray], list[np.ndarray], np.ndarray]:
    rng = np.random.default_rng(7)
    shapes = {
        "E1": (V, E),
        "W2": (E, R),
        "b2": (R,),
        "U": (R, R),
        "br": (R,),
        "Vw": (R, M),
        "Vr": (R, M),
        "Vi": (D, M),
        "bm": (M,),
        "Wo": (M, V),
        "bo": (V,),
    }
    params = {name: 0.7 * rng.standard_normal(shape) for name, shape in shapes.items()}
    sentences = [rng.integers(4, V, length) for length in LENGTHS]
    return params, sentences, rng.standard_normal((len(LENGTHS), D))


def mrnn(out: dict) -> None:
    params, sentences, features = draw()
    p = {k: torch.tensor(v, requires_grad=True) for k, v in params.items()}
    images = torch.tensor(features)

    def g(x):
        return 1.7159 * torch.tanh(2 * x / 3)

    losses = []
    for n, ids in enumerate(sentences):
        r = torch.zeros(R, dtype=torch.float64)
        inputs, targets = [1, *ids], [*ids, 2]  # <start> is 1, <end> is 2
        total = 0.0
        for word, target in zip(inputs, targets, strict=True):
            w = g(g(p["E1"][word]) @ p["W2"] + p["b2"])
            r = torch.relu(r @ p["U"] + w + p["br"])
            m = g(w @ p["Vw"] + r @ p["Vr"] + images[n] @ p["Vi"] + p["bm"])
            logits = m @ p["Wo"] + p["bo"]
            total = total - torch.log_softmax(logits, 0)[target]
        losses.append(total)
    losses = torch.stack(losses)
    mean = losses.sum() / sum(length + 1 for length in LENGTHS)
    mean.backward()
    out["mrnn/features"] = features
    out["mrnn/sentence_nats"] = losses.detach().numpy()
    out["mrnn/loss"] = mean.detach().numpy()
    for n, ids in enumerate(sentences):
        out[f"mrnn/sentence{n}"] = ids
    for name in params:
        out[f"mrnn/param/{name}"] = params[name]
        out[f"mrnn/grad/{name}"] = p[name].grad.numpy()


def optimisers(out: dict) -> None:
    rng = np.random.default_rng(8)
    start = rng.standard_normal(6)
    grads = rng.standard_normal((5, 6))
    rate = 0.05
    makers = {
        "sgd": lambda p: torch.optim.SGD(p, lr=rate, momentum=0.9),
        "adagrad": lambda p: torch.optim.Adagrad(p, lr=rate, eps=1e-8),
        "adam": lambda p: torch.optim.Adam(p, lr=rate),
    }
    out["optimiser/start"], out["optimiser/grads"] = start, grads
    for name, make in makers.items():
        p = torch.tensor(start, requires_grad=True)
        optimiser = make([p])
        for g in grads:
            p.grad = torch.tensor(g)
            optimiser.step()
        out[f"optimiser/{name}"] = p.detach().numpy()


if __name__ == "__main__":
    arrays = {}
    mrnn(arrays)
    optimisers(arrays)
    np.savez(Path(__file__).with_name("mrnn.npz"), **arrays)
