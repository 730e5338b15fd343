"""`MRNNCaptioner`: scikit-learn's own checks, its tools, and what users really pass."""

import doctest
import inspect
import io
import math
import subprocess
import sys
import zlib
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import mrnn_np as mr
from mrnn_np import InputError, MRNNCaptioner
from mrnn_np.training import TrainingDiverged

SIZES = {"embedding_size": 6, "recurrent_size": 6, "multimodal_size": 12}
TINY = {**SIZES, "epochs": 2, "batch_size": 8, "beam_size": 2, "random_state": 0}
ANIMALS = ("dog", "cat", "horse")


class CaptionsAsNumbers(MRNNCaptioner):
    """The captioner with a number for each different caption.

    Some of scikit-learn's checks subtract predictions from each other. Captions are
    text, so those cannot pass; here they can, and find out whether captions are equal.
    """

    def predict(self, X):
        return np.array([float(zlib.crc32(c.encode())) for c in super().predict(X)])


SUBTRACTS = "subtracts predictions: captions are text (CaptionsAsNumbers passes)"
NOT_FOR_TEXT = {
    "check_estimators_pickle": SUBTRACTS,
    "check_methods_sample_order_invariance": SUBTRACTS,
    "check_methods_subset_invariance": SUBTRACTS,
    "check_fit_idempotent": SUBTRACTS,
}
OPTIONS = {
    "expected_failed_checks": lambda e: NOT_FOR_TEXT if type(e) is Checked else {},
    "xfail_strict": True,
}
UNDERSTOOD = set(OPTIONS) & set(inspect.signature(parametrize_with_checks).parameters)
if "expected_failed_checks" in UNDERSTOOD:
    Checked = MRNNCaptioner
else:  # scikit-learn before 1.6 asks the estimator

    class Checked(MRNNCaptioner):
        def _more_tags(self):
            return {"_xfail_checks": NOT_FOR_TEXT}


@parametrize_with_checks(
    [Checked(**TINY), CaptionsAsNumbers(**TINY)],
    **{name: OPTIONS[name] for name in UNDERSTOOD},
)
def test_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def animals(n=60, seed=0) -> tuple[np.ndarray, list]:
    """Images of animals: the largest of the first three features says which one."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 5)).astype(np.float32)
    kind = X[:, :3].argmax(axis=1)
    X[np.arange(n), kind] += 2
    y = [[f"A {ANIMALS[k]}.", f"there is a {ANIMALS[k]}"][: 1 + k % 2] for k in kind]
    return X, y


def animal_names(y) -> list[str]:
    return [sentences[0].split()[-1].strip(".") for sentences in y]


def learner(**choices) -> MRNNCaptioner:
    """A captioner that learns the animals in half a second."""
    training = {"epochs": 15, "learning_rate": 0.02, "batch_size": 8, "patience": 15}
    rates = {"dropout": 0, "dropout_image": 0}
    return MRNNCaptioner(**{**SIZES, **training, **rates, "random_state": 0, **choices})


def mean_log_likelihood(captioner, X, y) -> float:
    """Score another way: sentence by sentence, with P(<unk>) whole."""
    total, n_words = 0.0, 0
    for image, sentences in zip(X, y, strict=True):
        for text in sentences:
            total += captioner.model_.log_likelihood(image[None], [text])[0]
            n_words += len(mr.tokenize(text)) + 1
    return total / n_words


def same_params(one, other) -> bool:
    pairs = zip(one.model_.params.values(), other.model_.params.values(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


# --- fit, predict, score ------------------------------------------------------------


def test_learns_to_describe_new_images():
    X, y = animals()
    new_X, new_y = animals(40, seed=1)
    captioner = learner().fit(X, y)
    captions = captioner.predict(new_X)
    assert captions.shape == (40,) and captions.dtype == object
    assert all(type(caption) is str for caption in captions)
    named = np.array([caption.split()[-1] for caption in captions])
    right = named == animal_names(new_y)
    assert right.mean() > 0.8  # a guess would be right for a third of them
    untrained = learner(epochs=1, learning_rate=1e-9).fit(X, y)
    assert captioner.score(new_X, new_y) > untrained.score(new_X, new_y) + 0.3


def test_score_is_the_mean_log_likelihood_of_a_word():
    X, y = animals(20)
    captioner = MRNNCaptioner(**TINY).fit(X, y)
    expected = mean_log_likelihood(captioner, X, y)
    np.testing.assert_allclose(captioner.score(X, y), expected, rtol=1e-6)
    assert isinstance(captioner.score(X, y), float)


def test_unknown_words_share_the_probability_of_unk():
    """Two training words are rare: a third of P(<unk>) for each, and for all others."""
    X, y = animals(20)
    y[4], y[5] = "a zebra", "a gnu"
    captioner = MRNNCaptioner(**TINY, validation_fraction=0).fit(X, y)
    assert captioner.n_rare_words_ == 2
    # log_likelihood takes any sentence that has one known word, with P(<unk>) whole.
    log_p = captioner.model_.log_likelihood(X[:1], ["a yak"])[0]
    expected = (log_p - math.log(3)) / 3  # a, yak, <end>
    for word in ("yak", "zebra", "gnu"):
        score = captioner.score(X[:1], [f"a {word}"])
        np.testing.assert_allclose(score, expected, rtol=1e-6)
    assert np.isfinite(captioner.score(X[:1], ["yaks moo"]))  # no known word at all


def test_knowing_few_words_is_no_way_to_a_good_score():
    X, y = animals()
    new = animals(40, seed=1)
    knows_all = learner(epochs=4, min_word_count=1).fit(X, y)
    knows_few = learner(epochs=4, min_word_count=60).fit(X, y)
    assert knows_few.vocabulary_.words[4:] == ("a",)
    assert mean_log_likelihood(knows_few, *new) > knows_all.score(*new) + 0.05
    assert knows_few.score(*new) < knows_all.score(*new) - 0.2


def test_same_random_state_same_bits():
    X, y = animals(30)
    first, again = (MRNNCaptioner(**TINY).fit(X, y) for _ in range(2))
    assert same_params(first, again)
    assert same_params(first, clone(first).fit(X, y))
    assert same_params(first, first.fit(X, y))  # nothing is kept from the first time
    choices = {**TINY, "random_state": np.random.RandomState(0)}
    assert same_params(first, MRNNCaptioner(**choices).fit(X, y))
    other = MRNNCaptioner(**{**TINY, "random_state": 1}).fit(X, y)
    assert not same_params(first, other)
    MRNNCaptioner(**{**TINY, "random_state": None}).fit(X, y)


def test_equal_captions_in_other_containers_give_equal_models():
    X, y = animals(30)
    expected = MRNNCaptioner(**TINY).fit(X, y)
    objects = np.empty(len(y), dtype=object)
    objects[:] = y
    for captions in (tuple(y), objects):
        for features in (X.tolist(), np.asfortranarray(X.astype(np.float64))):
            assert same_params(expected, MRNNCaptioner(**TINY).fit(features, captions))


def test_data_frames():
    pandas = pytest.importorskip("pandas")
    X, y = animals(30)
    columns = [f"pixel {i}" for i in range(5)]
    frame = pandas.DataFrame(X, columns=columns, index=range(100, 130))
    series = pandas.Series(y, index=range(30, 0, -1))
    captioner = MRNNCaptioner(**TINY).fit(frame, series)
    assert captioner.feature_names_in_.tolist() == columns
    assert same_params(captioner, MRNNCaptioner(**TINY).fit(X, y))
    scores = cross_val_score(MRNNCaptioner(**TINY), frame, series, cv=2)
    assert np.array_equal(scores, cross_val_score(MRNNCaptioner(**TINY), X, y, cv=2))
    with pytest.raises(ValueError, match="feature names"):
        captioner.predict(frame.rename(columns={"pixel 0": "volume"}))


def test_chinese():
    X, _ = animals(20)
    captioner = MRNNCaptioner(**TINY, tokenizer="characters").fit(X, ["一只狗。"] * 20)
    assert set(captioner.vocabulary_.words[4:]) == set("一只狗")
    assert captioner.score(X, ["一只狗"] * 20) < 0


def test_the_model_is_a_checkpoint_of_the_command_line(tmp_path):
    X, y = animals(30)
    captioner = MRNNCaptioner(**TINY).fit(X, y)
    captioner.model_.save(tmp_path / "model.npz")
    loaded = mr.load_model(tmp_path / "model.npz").caption(X, beam_size=2)
    assert [caption.text for caption in loaded] == captioner.predict(X).tolist()


# --- what is held out ---------------------------------------------------------------


def test_nothing_is_learned_from_the_images_held_out():
    X, _ = animals(20)
    y = [f"picture number{i}" for i in range(20)]  # the word tells which were used
    captioner = MRNNCaptioner(**TINY, min_word_count=1, validation_fraction=0.25).fit(
        X, y
    )
    words = captioner.vocabulary_.words
    used = [i for i in range(20) if f"number{i}" in words]
    assert len(used) == 15 and captioner.vocabulary_.counts[2] == 15
    np.testing.assert_allclose(
        captioner.model_.feature_mean, X[used].mean(axis=0), 1e-4
    )
    held_out = [i for i in range(20) if i not in used]
    # The kept parameters are those of the epoch that was best on them.
    best = -min(entry["dev_loss"] for entry in captioner.history_)
    score = captioner.score(X[held_out], [y[i] for i in held_out])
    np.testing.assert_allclose(score, best, rtol=1e-6)


def test_nothing_held_out():
    X, y = animals(20)
    captioner = MRNNCaptioner(**TINY, validation_fraction=0).fit(X, y)
    assert captioner.vocabulary_.counts[2] == sum(map(len, y))
    MRNNCaptioner(**TINY, validation_fraction=0).fit(X[:1], [["a dog", "a dog"]])
    tiny = MRNNCaptioner(**TINY, min_word_count=1).fit(X[:2], ["a", "a"])
    assert tiny.vocabulary_.counts[2] == 1  # one image each
    with pytest.raises(InputError, match="n_samples=1: one image"):
        MRNNCaptioner(**TINY).fit(X[:1], ["a dog"])


# --- scikit-learn's tools -----------------------------------------------------------


def test_grid_search_finds_the_model_that_learns():
    X, y = animals()
    grid = {
        "learning_rate": [1e-9, 0.02],
        "recurrent_size": np.array([4, 6]),  # NumPy's integers are no Python ints
        "dropout": np.linspace(0, 0.1, 2, dtype=np.float32)[:1],
    }
    search = GridSearchCV(learner(epochs=8), grid, cv=KFold(2), error_score="raise")
    search.fit(X, y)
    assert search.best_params_["learning_rate"] == 0.02
    assert search.predict(X).shape == (60,)
    np.testing.assert_allclose(search.score(X, y), search.best_estimator_.score(X, y))


def bleu_1(captioner, X, y) -> float:
    """Rate the captions themselves."""
    texts = {i: [text] for i, text in enumerate(captioner.predict(X))}
    references = {
        i: [" ".join(mr.tokenize(text)) for text in sentences]
        for i, sentences in enumerate(y)
    }
    return mr.metrics.score(references, texts)["BLEU-1"]


def test_cross_validation_in_other_processes():
    X, y = animals(30)
    here = cross_val_score(MRNNCaptioner(**TINY), X, y, cv=2)
    there = cross_val_score(MRNNCaptioner(**TINY), X, y, cv=2, n_jobs=2)
    assert np.array_equal(here, there) and here.shape == (2,) and (here < 0).all()
    captions = cross_val_predict(MRNNCaptioner(**TINY), X, y, cv=2)
    assert captions.shape == (30,) and captions.dtype == object


def test_how_captions_are_searched_for_is_chosen_by_their_quality():
    X, y = animals()
    grid = {"max_length": [1, 20]}  # "a", which is too short, or all of "a horse"
    search = GridSearchCV(learner(), grid, scoring=bleu_1, cv=2).fit(X, y)
    assert search.best_params_ == {"max_length": 20} and search.best_score_ > 0.8
    likelihood = GridSearchCV(learner(), grid, cv=2).fit(X, y).cv_results_
    assert len(set(likelihood["mean_test_score"])) == 1


def test_pipeline():
    X, y = animals()
    pipeline = make_pipeline(StandardScaler(), PCA(4, random_state=0), learner())
    pipeline.fit(X, y)
    assert pipeline[-1].n_features_in_ == 4
    Z = pipeline[:-1].transform(X)
    assert pipeline.predict(X).tolist() == pipeline[-1].predict(Z).tolist()
    assert pipeline.score(X, y) == pipeline[-1].score(Z, y)
    pipeline.set_params(mrnncaptioner__beam_size=1)
    assert pipeline.predict(X).shape == (60,)
    scores = cross_val_score(pipeline, X, y, cv=2)
    assert np.isfinite(scores).all()


def test_a_fitted_captioner_survives_joblib():
    X, y = animals(30)
    captioner = MRNNCaptioner(**TINY).fit(X, y)
    stream = io.BytesIO()
    joblib.dump(captioner, stream)
    stream.seek(0)
    loaded = joblib.load(stream)
    assert same_params(captioner, loaded)
    assert loaded.predict(X).tolist() == captioner.predict(X).tolist()
    assert loaded.score(X, y) == captioner.score(X, y)
    assert loaded.get_params() == captioner.get_params()
    fresh = clone(loaded)
    assert fresh.get_params() == captioner.get_params() and not hasattr(fresh, "model_")


# --- mistakes -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choices", "part"),
    [
        ({"min_word_count": 0}, "min_word_count must be a positive integer, not 0"),
        ({"min_word_count": 2.5}, "min_word_count"),
        ({"min_word_count": 999}, "no word occurs 999 times .*lower min_word_count"),
        ({"epochs": 0}, "epochs"),
        ({"batch_size": "all"}, "batch_size"),
        ({"learning_rate": -1}, "learning_rate"),
        ({"optimiser": "adamw"}, "optimiser 'adamw' is not one of"),
        ({"recurrent_size": 0}, "recurrent_size"),
        ({"dropout": 1}, "dropout_"),
        ({"dropout_image": "x"}, "dropout_image"),
        ({"validation_fraction": 1}, "validation_fraction must be in"),
        ({"validation_fraction": None}, "validation_fraction must be in"),
        ({"tokenizer": "german"}, "unknown tokenizer 'german'"),
        ({"random_state": "x"}, "cannot be used to seed"),
    ],
)
def test_parameters_out_of_range_are_named_by_fit(choices, part):
    X, y = animals(20)
    captioner = MRNNCaptioner(**{**TINY, **choices})  # the constructor only stores
    with pytest.raises(ValueError, match=part) as caught:
        captioner.fit(X, y)
    assert "\n" not in str(caught.value)
    with pytest.raises(NotFittedError):
        captioner.predict(X)


def test_wrong_arguments():
    X, y = animals(20)
    captioner = MRNNCaptioner(**TINY).fit(X, y)
    nan = X.copy()
    nan[3, 2] = np.nan
    for bad, part in (
        (X[0], "Expected 2D array"),
        (X[:, :3], "X has 3 features, but MRNNCaptioner is expecting 5"),
        (nan, "NaN"),
        (X.astype(np.float64) * 1e300, "infinity or a value too large"),
        ([["photo.jpg"]], "could not convert string to float"),
    ):
        with np.errstate(all="ignore"), pytest.raises(ValueError, match=part):
            captioner.predict(bad)
    for method in (captioner.score, clone(captioner).fit):
        with pytest.raises(InputError, match="19 captions for 20 images"):
            method(X, y[:-1])
        with pytest.raises(InputError, match=r"image 0 .* has no word: ''"):
            method(X, ["", *y[1:]])
    for name in ("beam_size", "max_length"):
        for value in (0, 2.5, "x", None):
            captioner.set_params(beam_size=2, max_length=9).set_params(**{name: value})
            with pytest.raises(InputError, match=f"{name} must be a positive"):
                captioner.predict(X)


def test_a_training_that_failed_leaves_what_was_learned_before():
    X, y = animals(30)
    captioner = MRNNCaptioner(**TINY).fit(X, y)
    before = captioner.predict(X).tolist()
    captioner.set_params(learning_rate=1e6, optimiser="sgd", epochs=5)
    with pytest.raises(TrainingDiverged, match="lower learning_rate"):
        captioner.fit(X, ["other words of course"] * 30)
    assert captioner.predict(X).tolist() == before


@pytest.mark.parametrize("optimiser", ["adam", "sgd", "rmsprop", "adagrad"])
def test_a_rate_beyond_reason_is_named_by_the_first_epoch(optimiser):
    X, y = animals(30)
    rate = {"learning_rate": 1e6, "optimiser": optimiser, "epochs": 1}
    captioner = MRNNCaptioner(**{**TINY, **rate, "batch_size": 128})
    with pytest.raises(TrainingDiverged, match="lower learning_rate"):
        captioner.fit(X, y)


def test_silent_unless_asked(capsys):
    X, y = animals(20)
    MRNNCaptioner(**TINY).fit(X, y)
    assert capsys.readouterr() == ("", "")
    MRNNCaptioner(**TINY, verbose=True).fit(X, y)
    shown = capsys.readouterr()
    assert shown.out == "" and "epoch   2/2" in shown.err


# --- documentation ------------------------------------------------------------------


@pytest.mark.slow
def test_the_example_in_the_documentation():
    tests = doctest.DocTestFinder(recurse=False).find(MRNNCaptioner, "example")
    assert [len(test.examples) for test in tests] == [9]
    assert doctest.DocTestRunner().run(tests[0]).failed == 0


@pytest.mark.slow
def test_the_grid_search_of_the_python_page(capsys):
    page = Path(__file__).parents[1] / "docs" / "python.md"
    parts = page.read_text(encoding="utf-8").split("```python\n")[1:]
    blocks = [part.split("```")[0] for part in parts]
    [code] = [block for block in blocks if "MRNNCaptioner" in block]
    X, y = animals(30)
    names = {"features": X, "captions": y, "new_features": X, "new_captions": y}
    exec(code, {"mr": mr, **names})
    assert capsys.readouterr().out.startswith("{'dropout': 0.")


def test_importing_the_package_stays_light():
    code = (
        "import sys, mrnn_np; assert 'MRNNCaptioner' in dir(mrnn_np); "
        "print(sorted({'sklearn', 'scipy', 'numba', 'joblib'} & set(sys.modules)))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert shown.stdout == "[]\n"
