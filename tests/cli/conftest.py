"""Commands are tested without METEOR: its Java program alone takes 20 s to start."""

import pytest

from mrnn_np.metrics import meteor


@pytest.fixture(autouse=True)
def without_meteor(monkeypatch):
    monkeypatch.setattr(meteor, "unavailable", lambda: "not in these tests")
