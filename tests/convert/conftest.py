"""A fake package index and an empty home for every test that wants them."""

import fake_index
import pytest

from mrnn_np.convert import manifest


@pytest.fixture
def index(monkeypatch):
    """A package index on this machine, which pip is set to use."""
    with fake_index.serve() as index:
        monkeypatch.setenv("PIP_INDEX_URL", index.simple)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield index


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty cache folder, and a manifest that the test writes."""
    (tmp_path / "manifest").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("MRNN_NP_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(manifest, "weights_folder", lambda: tmp_path / "manifest")
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path
