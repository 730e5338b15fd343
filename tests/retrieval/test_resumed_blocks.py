"""A run that goes on with other memory or threads than it began with."""

import numpy as np
import pytest
from retrieval_cases import small_model, some_sentences

from mrnn_np.retrieval import likelihood, pair_scores
from mrnn_np.runtime.parts import Parts
from mrnn_np.runtime.workers import Workers


@pytest.mark.parametrize(
    ("before", "after"), [((2, 99), (5, 99)), ((2, 99), (4, 99)), ((3, 20), (3, 45))]
)
def test_blocks_of_another_size_are_not_mistaken(before, after, tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    model, sentences = small_model(), some_sentences(rng, 30)
    features = rng.standard_normal((10, 5))
    expected, _ = pair_scores(model, features, sentences)
    honest = likelihood.sentence_groups

    def limits(images: int, words: int) -> None:
        monkeypatch.setattr(likelihood, "BLOCK", images)
        groups = lambda s, most: honest(s, words)  # noqa: E731
        monkeypatch.setattr(likelihood, "sentence_groups", groups)

    path, written = tmp_path / "s.npz", []
    save = Parts.save

    def stops_after_two(parts, name, arrays):
        save(parts, name, arrays)
        written.append(name)
        if len(written) == 2:
            raise KeyboardInterrupt

    limits(*before)
    one = Workers(jobs=1)
    monkeypatch.setattr(Parts, "save", stops_after_two)
    with pytest.raises(KeyboardInterrupt):
        pair_scores(model, features, sentences, one, path=path)
    monkeypatch.setattr(Parts, "save", save)
    limits(*after)
    found, _ = pair_scores(model, features, sentences, one, path=path)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert not (tmp_path / "s.npz.part").exists()


def test_blocks_that_a_killed_run_left_beside_its_matrix_go_away(tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    model, sentences = small_model(), some_sentences(rng, 30)
    features, path = rng.standard_normal((10, 5)), tmp_path / "s.npz"
    with monkeypatch.context() as patch:
        patch.setattr(Parts, "remove", lambda parts: None)
        expected, _ = pair_scores(model, features, sentences, path=path)
    assert any((tmp_path / "s.npz.part").iterdir())
    other = tmp_path / "s.npz.part" / "notes.txt"
    other.touch()
    found, _ = pair_scores(model, features, sentences, path=path)
    assert np.array_equal(found, expected)
    assert list((tmp_path / "s.npz.part").iterdir()) == [other]
    other.unlink()
    pair_scores(model, features, sentences, path=path)
    assert [file.name for file in tmp_path.iterdir()] == ["s.npz"]
