"""The toy models in the registry: one line each, as for any model."""

import pytest
from toy_models import TOYS

from mrnn_np.models import MODELS


@pytest.fixture
def toys(monkeypatch):
    """Add them."""
    for name, place in TOYS.items():
        monkeypatch.setitem(MODELS, name, place)
