"""How large the parameters of every model are before training."""

import numpy as np
import pytest

from mrnn_np.data import SPECIALS, Vocabulary
from mrnn_np.models import MODELS, model_class

# Deviations of what is not drawn with one over the root of its rows.
DRAWS = {"E1": 1.0, "Wo": 0.01}
DRAWS_OF = {
    "dmsm": {"E1": 0.3},
    "deepfe": {"Vi": (40 * 300) ** -0.5},
    "deepvs-align": {"Vi": (40 * 300) ** -0.5},
    "mlbl-b": {"E1": 0.1, "C": 0.01, "M": 0.01},
    "mlbl-f": {"E1": 0.1 * 2**0.5, "C": 0.01, "M": 0.01},
    "rvr": {"E1": 0.3, "Eu": 0.3},
}
RECURRENT = ("U", "Uf", "Ub", "s.U", "u.U")
UNSCALED = ("nic", "lrcn", "deepvs", "mnlm-rank")  # U orthogonal; else times 0.58


@pytest.mark.parametrize("name", list(MODELS))
def test_the_deviations_of_the_first_draw(name):
    words = [*SPECIALS, *(f"w{n}" for n in range(400))]
    cls = model_class(name)
    config = cls.config_class(image_size=40)
    model = cls(config, Vocabulary(words, np.arange(len(words))))
    draws = DRAWS | DRAWS_OF.get(name, {})
    for key, value in model.params.items():
        if value.ndim == 2:
            usual = len(value) ** -0.5
            if key in RECURRENT and name not in UNSCALED:
                usual *= 0.58
            assert abs(value.std() / draws.get(key, usual) - 1) < 0.05, key
