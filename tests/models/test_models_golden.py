"""Every model against what PyTorch made of its equations, loss and full gradient.

The numbers are frozen by the scripts tests/golden/make_*.py (model_cases.py says how).
"""

import json
from pathlib import Path

import numpy as np
import pytest

from mrnn_np.data import SPECIALS, Vocabulary
from mrnn_np.data.batches import pack
from mrnn_np.models import MODELS, model_class

GOLDEN = Path(__file__).parents[1] / "golden"
FILES = sorted(GOLDEN.glob("model_*.npz"))
IMAGE_OF = np.array([0, 1, 2, 1, 3, 0])  # sentence -> image, as in model_cases.py
WORDS = [*SPECIALS, *"abcde"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_loss_and_gradients_equal_pytorch(path):
    with np.load(path) as stored:
        golden = dict(stored)
    cls = model_class(str(golden["name"]))
    model = cls(
        cls.config_class(**json.loads(str(golden["config"]))),
        Vocabulary(WORDS, np.arange(1, len(WORDS) + 1)),
        dtype=np.float64,
        params={
            key.removeprefix("param/"): value
            for key, value in golden.items()
            if key.startswith("param/")
        },
    )
    sentences = [golden[f"sentence{n}"] for n in range(len(IMAGE_OF))]
    assert max(map(len, sentences)) > 30
    batch = pack(sentences, golden["features"][IMAGE_OF], IMAGE_OF)
    loss, grads = model.loss_and_grads(batch)
    np.testing.assert_allclose(loss, golden["loss"], rtol=1e-9)
    for name in model.params:
        scale = np.abs(golden[f"grad/{name}"]).max()
        np.testing.assert_allclose(
            grads[name], golden[f"grad/{name}"], rtol=1e-9, atol=1e-9 * scale
        )


def test_every_model_has_its_numbers():
    frozen = {str(np.load(path)["name"]) for path in FILES}
    assert frozen >= {*MODELS}
