"""What must hold for every model of the registry, with nothing said of any of them.

Toy models (toy_models.py) run through it too: whatever works for them works for the
next one. A new model needs no test here, only its own equations in a file of its own.
What is asked of rankers alone is in test_every_ranker.py.
"""

import numpy as np
import pytest
import toy_models
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from toy_models import choices, drawn

from mrnn_np.data.batches import Examples, pack
from mrnn_np.data.vocabulary import END, SPECIALS, START, UNK
from mrnn_np.decoding import beam_search
from mrnn_np.decoding.beam_plain import beam_search_plain
from mrnn_np.estimator import MRNNCaptioner
from mrnn_np.gradcheck.model_cases import model_case, small_model
from mrnn_np.gradcheck.precision import model_comparison
from mrnn_np.models import (
    MRNN,
    Captioner,
    Ensemble,
    MultimodalCaptioner,
    Ranker,
    load_model,
)
from mrnn_np.models.registry import model_class, model_name
from mrnn_np.retrieval import pair_scores, scoring
from mrnn_np.runtime.errors import InputError
from mrnn_np.training import Trainer, TrainingConfig

NAMES, RANKERS = toy_models.names_of(Captioner), toy_models.names_of(Ranker)
# With weights tied and not, and the m-RNN with other cells: the name, then the choices.
TIED = [f"{name} {toy_models.other_weights(name)}" for name in NAMES]
CAPTIONERS = [*NAMES, *TIED, "mrnn gru", "mrnn lstm tied", "vis-in-rnn lstm"]
EVERY = [*CAPTIONERS, *RANKERS]
BLIND = {"rnn-base"}  # see no image, on purpose
pytestmark = pytest.mark.usefixtures("toys")


def some_sentences(count, seed=0, longest=6):
    rng = np.random.default_rng(seed)
    return [
        rng.integers(len(SPECIALS), 9, rng.integers(1, longest + 1)).tolist()
        for _ in range(count)
    ]


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("name", EVERY)
def test_gradients(name, dropout):
    # Every entry once, with dropout; of variants some of each parameter. All entries
    # are in the projection, and in the golden numbers.
    name, chosen = choices(name)
    entries = None if dropout and not chosen else 6
    checks = model_case(0, dropout, name, entries, **chosen)
    for check in checks:
        assert check.passed, str(check)
    model = small_model(np.random.default_rng(0), name, **chosen)
    assert {check.name for check in checks} == {*model.params, "all"}
    for check in model_comparison(0, dropout, name, **chosen):  # float32
        assert check.passed, str(check)


@pytest.mark.parametrize("name", CAPTIONERS)
def test_the_image_makes_a_difference_unless_the_model_is_blind(name):
    model, features = drawn(name, dtype=np.float64)
    standard = model.standardise(features[:2])
    one, other = (
        model.token_losses(pack([[4, 5, 6]], image[None])) for image in standard
    )
    same = np.abs(one - other) < 1e-12
    assert same.all() if choices(name)[0] in BLIND else not same.any()


@pytest.mark.parametrize("name", [*EVERY, "deepfe regions", "deepvs-align regions"])
def test_many_features_are_as_long_as_few(name):
    """However many there are, they are at most 8 long, and weigh as much at first."""
    name, chosen = choices(name)
    weights, rng = [], np.random.default_rng(0)
    for together, length in ((16, 4), (64, 8), (1600, 8)):
        D = together * chosen.get("regions", 1)
        model = small_model(rng, name, image_size=D, **chosen)
        model = type(model)(model.config, model.vocabulary)  # as it is drawn
        features = rng.normal(3, 5, (200, D))
        model.set_feature_statistics(features)
        standard = model.standardise(features).reshape(-1, together)
        lengths = np.square(standard).sum(axis=1)
        np.testing.assert_allclose(lengths.mean() ** 0.5, length, rtol=1e-4)
        matrices = {"Vi", "Wi", "J", "Vi1", "Vi2"} & model.params.keys()
        assert bool(matrices) != (name in BLIND)
        for key in matrices:
            assert len(model.params[key]) == together
            shape = model.params[key].shape[1]
            weights.append((key, shape, length * model.params[key].std()))
    for key, shape, weight in weights:
        others = [w for k, s, w in weights if (k, s) == (key, shape)]
        assert len(others) == 3 and weight == pytest.approx(np.mean(others), rel=0.25)


@pytest.mark.parametrize("name", EVERY)
def test_the_registry_knows_its_class_and_its_parameters(name):
    model, _ = drawn(name)
    cls = type(model)
    assert model_class(choices(name)[0]) is cls
    assert model_name(cls) == choices(name)[0]
    table = model.all_parameters()
    assert {key: value.shape for key, value in model.params.items()} == {
        key: parameter.shape for key, parameter in table.items()
    }
    assert all(value.dtype == np.float32 for value in model.params.values())


@pytest.mark.parametrize("name", CAPTIONERS)
def test_stepping_equals_the_forward_pass(name):
    model, features = drawn(name, dtype=np.float64)
    for words, image in zip(some_sentences(5), features, strict=False):
        standard = model.standardise(image[None])
        losses = model.token_losses(pack([words], standard))
        state = model.start(standard)
        for word, target, loss in zip(
            [START, *words], [*words, END], losses, strict=True
        ):
            log_probs, state = model.step(np.array([word]), state)
            np.testing.assert_allclose(np.exp(log_probs).sum(), 1, rtol=1e-12)
            np.testing.assert_allclose(-log_probs[0, target], loss, rtol=1e-10)


@pytest.mark.parametrize("name", CAPTIONERS)
def test_the_batch_a_sentence_is_in_makes_no_difference(name):
    model, features = drawn(name, dtype=np.float64)
    sentences, standard = some_sentences(7), model.standardise(features)
    together = pack(sentences, standard)
    losses = model.token_losses(together)
    for n in range(7):
        alone = pack([sentences[n]], standard[n : n + 1])
        found = losses[together.order[together.sentence] == n]
        np.testing.assert_allclose(found, model.token_losses(alone), rtol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CAPTIONERS)
def test_beam_search_equals_the_plain_one_and_never_says_unk(name, dtype):
    model, features = drawn(name, dtype=dtype)
    model.params["bo"][UNK] += 4  # the likeliest word nearly everywhere
    standard = model.standardise(features)
    tolerance = 1e-4 if dtype == np.float32 else 1e-9
    for beam in (1, 3):
        found = beam_search(model, standard, beam, 6, n_best=beam)
        for image, captions in zip(standard, found, strict=True):
            plain = beam_search_plain(model, image, beam, 6, n_best=beam)
            if dtype == np.float64:
                assert unequal(captions) == unequal(plain)
            np.testing.assert_allclose(
                [c.log_prob for c in captions], [c.log_prob for c in plain],
                rtol=tolerance,
            )  # fmt: skip
            assert not any(set(c.tokens) & set(SPECIALS) for c in captions)


def unequal(captions):
    """Return the captions but those that are as likely as another one.

    Where the next word depends on the last one only, "b c b" and "b b c" may be.
    """
    nats = np.array([caption.log_prob for caption in captions])
    near = np.abs(nats[:, None] - nats) < 1e-9
    # The last one may be as likely as one that was not found.
    alone = near.sum(axis=1) == 1
    kept = alone[:-1] if len(captions) > 1 else alone
    return [c.tokens for c, is_alone in zip(captions, kept, strict=False) if is_alone]


@pytest.mark.parametrize("name", CAPTIONERS)
@pytest.mark.parametrize("logits", [1, 200, scoring.LOGITS])  # at once
def test_all_pairs_at_once_equal_pair_by_pair(name, logits, monkeypatch):
    monkeypatch.setattr(scoring, "LOGITS", logits)
    model, features = drawn(name)
    sentences = some_sentences(12)
    scores, _ = pair_scores(model, features, sentences)
    words = model.vocabulary.words
    texts = [" ".join(words[i] for i in sentence) for sentence in sentences]
    for image, column in zip(features, scores.T, strict=True):
        expected = model.log_likelihood(np.tile(image, (len(texts), 1)), texts)
        np.testing.assert_allclose(column, expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", EVERY)
def test_a_checkpoint_comes_back_as_it_was(name, tmp_path):
    model, features = drawn(name)
    model.save(tmp_path / "m.npz")
    back = load_model(tmp_path / "m.npz")
    assert type(back) is type(model) and back.config == model.config
    assert back.fingerprint() == model.fingerprint()
    scores = [pair_scores(m, features, some_sentences(5))[0] for m in (model, back)]
    np.testing.assert_array_equal(*scores)


@pytest.mark.parametrize("name", EVERY)
def test_each_parameter_counts_in_the_fingerprint(name):
    model, _ = drawn(name)
    prints = {model.fingerprint()}
    for value in (*model.params.values(), model.feature_mean, model.feature_scale):
        value.flat[-1] += 1
        prints.add(model.fingerprint())
    assert len(prints) == len(model.params) + 3


@pytest.mark.parametrize("name", CAPTIONERS)
def test_an_ensemble_is_the_mean_of_its_members(name):
    members = [drawn(name, seed)[0] for seed in (1, 2)]
    members[1].vocabulary = members[0].vocabulary
    both, (_, features) = Ensemble(members), drawn(name, 1)
    texts = ["a b c", "b", "d d a b"]
    found = both.log_likelihood(features[:3], texts)
    assert np.isfinite(found).all()
    twice = Ensemble([members[0], members[0]])
    np.testing.assert_allclose(
        twice.log_likelihood(features[:3], texts),
        members[0].log_likelihood(features[:3], texts),
        rtol=1e-5,
    )
    assert both.caption(features)[0].tokens is not None


@pytest.mark.parametrize("name", CAPTIONERS)
def test_a_few_sentences_are_overfitted(name):
    model, features = drawn(name)
    model = toy_models.with_room(model)
    model.set_feature_statistics(features)
    # Each word follows one other only, so that even the last word alone would do.
    sentences = [[4 + n, 11 - n] for n in range(3)]
    examples = Examples(sentences, np.arange(3), model.standardise(features))
    config = TrainingConfig(
        epochs=150, batch_size=3, learning_rate=0.02, patience=150, schedule="constant"
    )
    first = model.mean_loss(examples)
    Trainer(model, config, verbose=False).fit(examples, examples)
    # Without the image the first of the three words, one of three, remains a guess.
    blind = choices(name)[0] in BLIND
    least = np.log(3) / 3 if blind else 0
    # float32 rounds logits of 40 by 4e-6, and a loss of 0 with them.
    assert least - 1e-5 < model.mean_loss(examples) < least + 0.1 < 1 < first
    words = model.vocabulary.words
    if blind:
        captions = {caption.tokens for caption in model.caption(features)}
        assert len(captions) == 1  # all images have the same
        texts = [" ".join(words[i] for i in sentence) for sentence in sentences]
        found = model.log_likelihood(features[[0, 3, 4]], texts)
        np.testing.assert_allclose(np.exp(found), 1 / 3, atol=0.05)
        return
    for image, sentence in zip(features, sentences, strict=False):
        (caption,) = model.caption(image[None])
        assert caption.tokens == tuple(words[i] for i in sentence)


@pytest.mark.parametrize("name", [*NAMES, *RANKERS])
def test_the_estimator_clones_and_searches_a_grid(name):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((18, 4)).astype(np.float32)
    y = [["a dog runs", "a dog"] if row[0] > 0 else ["the cat sits"] for row in X]
    captioner = MRNNCaptioner(
        model=name, epochs=2, batch_size=8, min_word_count=1, random_state=0,
        embedding_size=5, recurrent_size=6, multimodal_size=7,
    )  # fmt: skip
    assert clone(captioner).get_params() == captioner.get_params()
    search = GridSearchCV(captioner, {"learning_rate": [1e-3, 1e-2]}, cv=2)
    search.fit(X, y)
    assert type(search.best_estimator_.model_) is model_class(name)
    assert np.isfinite(search.score(X, y))
    if name in NAMES:
        assert len(search.predict(X)) == 18
        return
    with pytest.raises(InputError, match=f"model '{name}' .* cannot speak: use rank"):
        search.predict(X)


@pytest.mark.parametrize("missing", ["backward", "text_step", "output_size"])
def test_a_model_that_lacks_a_part_cannot_be_made(missing):
    complete = vars(MRNN)
    parts = {
        name: complete[name]
        for name in ("forward", "backward", "parameters", "output_size",
                     "text_start", "text_step", "image_terms", "config_class")
        if name != missing
    }  # fmt: skip
    unfinished = type("Unfinished", (MultimodalCaptioner,), parts)
    with pytest.raises(TypeError, match=missing):
        unfinished(None, None)
