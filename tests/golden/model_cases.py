"""What the scripts that freeze models with PyTorch share: a small case, and its file.

A script defines each model sentence by sentence and word by word, padded nowhere, from
the equations of its paper, in float64; PyTorch's autograd is the independent judge.

    def lines(p, ids, image):            # p: name -> tensor; ids: words of a sentence
        ...                              # the model's own
        return logits                    # one row a target: words of ids, then <end>

    freeze("nic", {"recurrent_size": 4, ...}, lines)

writes model_nic.npz, which tests/models/test_models_golden.py compares with ours.
Parameters come from the table of our model, drawn anew and large, so that no gradient
is near zero: names, shapes and order are the only things that are ours.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from mrnn_np.data import SPECIALS, Vocabulary
from mrnn_np.models import model_class

START, END = 1, 2
LENGTHS = (5, 1, 3, 3, 31, 0)  # words; one sentence runs through more than 30 steps
IMAGE_OF = (0, 1, 2, 1, 3, 0)  # sentence -> image
V, D = 9, 6


def vocabulary() -> Vocabulary:
    """Return V words, made up."""
    words = [*SPECIALS, *"abcde"]
    return Vocabulary(words, np.arange(1, len(words) + 1))


def freeze(
    name: str,
    config: dict,
    lines: Callable,
    variant: str = "",
    loss: Callable | None = None,
) -> None:
    """Compute loss and gradients of a model in PyTorch and write them to a file.

    Parameters
    ----------
    name : of the registry; config : fields of its config (image_size is set here).
    lines : (parameters, word ids, image (D,)) -> logits, a row a target.
    variant : told apart in the name of the file.
    loss : for a model that is no sum over words: (parameters, list of ids,
        images (sentences, D), image numbers) -> scalar, in place of `lines`.
    """
    rng = np.random.default_rng(7)
    config = {"image_size": D, **config}
    cls = model_class(name)
    ours = cls(cls.config_class(**config), vocabulary(), dtype=np.float64)
    values = {
        key: 0.4 * rng.standard_normal(array.shape)
        for key, array in ours.params.items()
    }
    sentences = [rng.integers(len(SPECIALS), V, length) for length in LENGTHS]
    features = rng.standard_normal((max(IMAGE_OF) + 1, config["image_size"]))
    p = {key: torch.tensor(value, requires_grad=True) for key, value in values.items()}
    images = torch.tensor(features)
    if loss is None:
        total = 0.0
        for ids, image in zip(sentences, IMAGE_OF, strict=True):
            log_probs = torch.log_softmax(lines(p, list(ids), images[image]), 1)
            targets = torch.tensor([*ids, END])
            total = total - log_probs[torch.arange(len(targets)), targets].sum()
        total = total / sum(length + 1 for length in LENGTHS)
    else:
        total = loss(p, [list(ids) for ids in sentences], images[list(IMAGE_OF)],
                     list(IMAGE_OF))  # fmt: skip
    total.backward()
    arrays = {
        "name": np.array(name),
        "config": np.array(json.dumps(config)),
        "features": features,
        "loss": total.detach().numpy(),
    }
    for number, ids in enumerate(sentences):
        arrays[f"sentence{number}"] = ids
    for key, tensor in p.items():
        grad = np.zeros(tensor.shape) if tensor.grad is None else tensor.grad.numpy()
        arrays |= {f"param/{key}": values[key], f"grad/{key}": grad}
    label = name if not variant else f"{name}_{variant}"
    path = Path(__file__).with_name(f"model_{label.replace('-', '_')}.npz")
    np.savez_compressed(path, **arrays)
    print(f"{path.name}: loss {float(total.detach()):.6f}")


def g(x: torch.Tensor) -> torch.Tensor:
    """1.7159 tanh(2x/3)."""
    return 1.7159 * torch.tanh(2 * x / 3)
