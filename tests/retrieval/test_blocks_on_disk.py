"""Blocks that an interrupted run left on disk are read as any other file."""

from pathlib import Path

import numpy as np
import pytest
from retrieval_cases import small_model, some_sentences

from mrnn_np.decoding import blocks as captioning
from mrnn_np.decoding.blocks import caption_images
from mrnn_np.features.extraction import blocks_to_do, merge
from mrnn_np.features.matrix import Features
from mrnn_np.retrieval.pairs import pair_scores
from mrnn_np.runtime import storage
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.parts import BlockFolder
from mrnn_np.runtime.workers import Workers

ONE = Workers(jobs=1)


def rewritten(path: Path, kind: str, change) -> None:
    """Change the arrays of a file; its hash and its fingerprint are right."""
    header, arrays = storage.load_arrays(path, kind)
    change(arrays)
    storage.save_arrays(path, kind, {"inputs": header["inputs"]}, arrays)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a.pop("counts"), "has no array 'counts'"),
        (lambda a: a.update(counts=a["counts"][:-1]), r"counts is of shape \(1,\)"),
        (lambda a: a.update(words=a["words"] + 99), "do not fit together"),
        (lambda a: a.update(words=a["words"] - 99), "do not fit together"),
        (lambda a: a.update(words=a["words"][1:]), "do not fit together"),
        (lambda a: a.update(lengths=a["lengths"] * 0 - 1), "do not fit together"),
        (lambda a: a.update(lengths=a["lengths"] * 0 + 2**62), "do not fit together"),
        (lambda a: a.update(counts=a["counts"] * 0), "do not fit together"),
        (lambda a: a.update(counts=a["counts"] * 2**62), "do not fit together"),
        (lambda a: a.update(log_probs=a["log_probs"][:1]), "log_probs is of shape"),
        (lambda a: a.update(words=a["words"].astype(str)), "expected integers"),
        (lambda a: a.update(lengths=a["lengths"].astype(float)), "expected integers"),
    ],
)
def test_captions_that_do_not_fit_together(tmp_path, change, words, monkeypatch):
    monkeypatch.setattr(captioning, "BLOCK", 2)
    model, features = small_model(), np.random.default_rng(0).standard_normal((4, 5))
    expected = caption_images(model, features, 3, 2, ONE, tmp_path)
    assert caption_images(model, features, 3, 2, ONE, tmp_path) == expected
    rewritten(tmp_path / "block-1.npz", "captions", change)
    with pytest.raises(InputError, match=rf"block-1\.npz: .*{words}"):
        caption_images(model, features, 3, 2, ONE, tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a.pop("scores"), "has no array 'scores'"),
        (lambda a: a.update(scores=a["scores"][:2]), "scores is of shape"),
        (lambda a: a.update(scores=a["scores"].astype(int)), "expected floats"),
    ],
)
def test_likelihoods_of_another_shape(tmp_path, change, words):
    rng, path = np.random.default_rng(1), tmp_path / "s.npz"
    model, sentences = small_model(), some_sentences(rng, 6)
    features = rng.standard_normal((3, 5))
    pair_scores(model, features, sentences, ONE, path=path)
    rewritten(path, "likelihoods", change)
    with pytest.raises(InputError, match=rf"s\.npz: .*{words}"):
        pair_scores(model, features, sentences, ONE, path=path)
    parts = path.with_name("s.npz.part")
    parts.mkdir()
    path.rename(parts / "0-0-0-1.npz")  # of another block: it is not looked at
    scores, _ = pair_scores(model, features, sentences, ONE, path=path)
    assert scores.shape == (6, 3)


def test_a_copy_of_a_block_has_no_number(tmp_path):
    for name in ("block-000003", "block-000007 (2)", "block-x", "block-", "other"):
        (tmp_path / f"{name}.npz").write_bytes(b"")
    ((path, names),) = blocks_to_do(["a"], BlockFolder(tmp_path))
    assert path.name == "block-000004.npz" and names == ["a"]


def test_blocks_of_different_widths_are_not_put_together():
    who = {"name": "c", "sha256": "0", "preprocessing": {}}
    parts = [Features([n], np.ones((1, w)), who) for n, w in (("a", 3), ("b", 4))]
    with pytest.raises(InputError, match=r"f\.npz: .* rows of 3 and 4 numbers"):
        merge(parts, ["a", "b"], who, "", "f.npz")


def test_only_blocks_are_removed(tmp_path):
    folder = tmp_path / "f.npz.part"
    folder.mkdir()
    own, blocks = ("my-own.npz", "notes.txt"), ("block-0.npz", ".block-1.npz.x")
    for name in (*own, *blocks):
        (folder / name).touch()
    BlockFolder(folder).remove()
    assert sorted(file.name for file in folder.iterdir()) == sorted(own)
    for name in own:
        (folder / name).unlink()
    BlockFolder(folder).remove()
    assert not folder.exists()
    BlockFolder(folder).remove()  # there is nothing to remove any more
    BlockFolder(None).remove()
    assert BlockFolder(None).files() == []
