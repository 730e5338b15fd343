"""Greedy search, sampling and beam search."""

import itertools

import numpy as np
import pytest

from mrnn_np import InputError
from mrnn_np.data import END, SPECIALS, Vocabulary
from mrnn_np.decoding import beam_search, greedy_search, sample
from mrnn_np.decoding.beam import images_together
from mrnn_np.decoding.next_words import best_next_plain
from mrnn_np.models import MRNN, MRNNConfig


def random_model(words: int = 6, seed: int = 0, sharpness: float = 1.0) -> MRNN:
    """Return an untrained model whose preferences differ from image to image."""
    rng = np.random.default_rng(seed)
    vocabulary = Vocabulary(
        [*SPECIALS, *(f"w{i}" for i in range(words))], np.ones(words + 4, int)
    )
    config = MRNNConfig(
        image_size=5, embedding_size=6, recurrent_size=7, multimodal_size=8
    )
    model = MRNN(config, vocabulary, rng, dtype=np.float64)
    model.params["Wo"] = sharpness * rng.standard_normal((8, words + 4))
    return model


def images(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 5))


def teacher_forced(model, feature, tokens) -> float:
    return model.log_likelihood(feature[None], [" ".join(tokens)])[0]


def exhaustive(model, feature, longest: int) -> list[tuple[float, tuple]]:
    """Rate every sentence of at most `longest` words, one after another."""
    words = model.vocabulary.words[4:]
    rated = []
    for length in range(longest + 1):
        for tokens in itertools.product(words, repeat=length):
            state, total = model.start(feature[None]), 0.0
            for word, target in zip(
                ["<start>", *tokens], [*tokens, "<end>"], strict=True
            ):
                ids = [model.vocabulary.words.index(w) for w in (word, target)]
                log_probs, state = model.step(np.array(ids[:1]), state)
                total += log_probs[0, ids[1]]
            rated.append((total, tokens))
    return sorted(rated, reverse=True)


@pytest.mark.parametrize("seed", range(4))
def test_beam_of_one_is_greedy_search(seed):
    model = random_model(20, seed, sharpness=0.7)
    features = images(30, seed)
    greedy = greedy_search(model, features, max_length=12)
    beam = beam_search(model, features, beam_size=1, max_length=12)
    assert [c.tokens for c in greedy] == [b[0].tokens for b in beam]
    np.testing.assert_allclose(
        [c.log_prob for c in greedy], [b[0].log_prob for b in beam]
    )
    assert len({c.tokens for c in greedy}) > 3


@pytest.mark.parametrize("seed", range(3))
def test_a_beam_that_holds_everything_is_an_exhaustive_search(seed):
    model = random_model(3, seed, sharpness=0.5)
    longest = 4
    every = sum(3**length for length in range(longest + 1))
    for feature in images(3, seed):
        expected = exhaustive(model, feature, longest)
        (found,) = beam_search(
            model, feature[None], every, max_length=longest, n_best=every
        )
        assert len(found) == every
        np.testing.assert_allclose(
            [c.log_prob for c in found], [total for total, _ in expected]
        )
        assert [c.tokens for c in found[:10]] == [t for _, t in expected[:10]]


def test_an_exhaustive_beam_finds_the_best_mean_per_word():
    model = random_model(3, 5, sharpness=0.5)
    feature = images(1, 5)
    rated = exhaustive(model, feature[0], 4)
    best = max(rated, key=lambda item: item[0] / (len(item[1]) + 1))
    (found,) = beam_search(model, feature, 200, max_length=4, length_penalty=1.0)
    assert found[0].tokens == best[1]
    np.testing.assert_allclose(found[0].log_prob, best[0])


@pytest.mark.parametrize("beam_size", [1, 3, 7])
@pytest.mark.parametrize("max_length", [1, 4, 15])
def test_score_is_the_teacher_forced_log_probability(beam_size, max_length):
    model = random_model(8, 2)
    features = images(6, 2)
    for feature, found in zip(
        features,
        beam_search(model, features, beam_size, max_length, n_best=beam_size),
        strict=True,
    ):
        for caption in found:
            assert len(caption.tokens) <= max_length
            if caption.tokens:
                np.testing.assert_allclose(
                    caption.log_prob, teacher_forced(model, feature, caption.tokens)
                )
        order = [caption.log_prob for caption in found]
        assert order == sorted(order, reverse=True)
        assert len({caption.tokens for caption in found}) == len(found)


def test_a_wider_beam_is_not_worse_on_the_whole():
    model = random_model(12, 3)
    features = images(40, 3)
    means = [
        np.mean([b[0].log_prob for b in beam_search(model, features, size, 10)])
        for size in (1, 4, 16)
    ]
    assert means[0] < means[1] <= means[2]


def test_images_do_not_disturb_each_other():
    model = random_model(10, 4)
    features = images(9, 4)
    together = beam_search(model, features, 4, 8, n_best=4)
    alone = [beam_search(model, f[None], 4, 8, n_best=4)[0] for f in features]
    assert [[c.tokens for c in found] for found in together] == [
        [c.tokens for c in found] for found in alone
    ]


class Scripted:
    """A model that follows a table: (words so far) -> probability of each next word."""

    tokenizer = "english"
    best_next = best_next_plain

    def __init__(self, table, words):
        self.table = table
        self.vocabulary = Vocabulary([*SPECIALS, *words], np.ones(len(words) + 4, int))

    def start(self, features):
        return {"history": np.full((len(features), 9), -1)}

    def step(self, tokens, state):
        history = state["history"].copy()
        log_probs = np.full((len(tokens), len(self.vocabulary)), -np.inf)
        for n, word in enumerate(tokens):
            history[n, np.argmax(history[n] < 0)] = word
            past = " ".join(self.vocabulary.words[i] for i in history[n] if i > 2)
            for following, p in self.table.get(past, {"<end>": 1.0}).items():
                i = self.vocabulary.words.index(following)
                log_probs[n, i] = np.log(p)
        return log_probs, {"history": history}


def test_finished_sentences_take_no_place_in_the_beam_and_never_grow():
    # Two sentences end at once; the third, better one is found only when the beam
    # still has both its places after they have ended.
    table = {
        "": {"a": 0.5, "b": 0.3, "<end>": 0.2},
        "a": {"<end>": 0.4, "c": 0.35, "d": 0.25},
        "b": {"c": 1.0},
        "a c": {"<end>": 1.0},
        "a d": {"<end>": 1.0},
        "b c": {"<end>": 1.0},
    }
    model = Scripted(table, "abcd")
    (found,) = beam_search(model, np.zeros((1, 1)), 2, 5, n_best=2)
    assert [c.text for c in found] == ["b c", "a"]
    np.testing.assert_allclose(np.exp([c.log_prob for c in found]), [0.3, 0.2])


@pytest.mark.parametrize("special", ["<pad>", "<start>", "<unk>"])
def test_specials_never_come_out(special):
    model = random_model(5, 6)
    model.params["bo"][SPECIALS.index(special)] = 50  # the model wants nothing else
    features = images(5, 6)
    captions = greedy_search(model, features, 6)
    captions += sample(model, features, np.random.default_rng(0), max_length=6)
    for found in beam_search(model, features, 3, 6, n_best=3):
        captions += found
    for caption in captions:
        assert np.isfinite(caption.log_prob)
        assert not set(caption.tokens) & set(SPECIALS)


def test_samples_follow_the_distribution():
    table = {"": {"a": 0.6, "b": 0.3, "<end>": 0.1}}
    model = Scripted(table, "ab")
    drawn = sample(model, np.zeros((4000, 1)), np.random.default_rng(0))
    shares = [np.mean([c.text == text for c in drawn]) for text in ("a", "b", "")]
    np.testing.assert_allclose(shares, [0.6, 0.3, 0.1], atol=0.03)
    np.testing.assert_allclose(np.exp({c.text: c.log_prob for c in drawn}["b"]), 0.3)


def test_temperature_sharpens_and_flattens():
    model = Scripted({"": {"a": 0.6, "b": 0.4}}, "ab")
    rng = np.random.default_rng(0)
    cold, hot = (
        np.mean([c.text == "a" for c in sample(model, np.zeros((2000, 1)), rng, t)])
        for t in (0.1, 100.0)
    )
    assert cold > 0.97 and abs(hot - 0.5) < 0.05


def test_same_seed_same_samples():
    model, features = random_model(9, 7), images(5, 7)
    one, two = (sample(model, features, np.random.default_rng(3)) for _ in range(2))
    assert one == two


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"beam_size": 0}, "1 or more"),
        ({"max_length": 0}, "1 or more"),
        ({"beam_size": 2, "n_best": 3}, "widen the beam"),
        ({"length_penalty": -1.0}, "length penalty"),
        ({"beam_size": 10**6}, "a beam of 1000000 sentences, at most 1000"),
        ({"beam_size": 10**6, "n_best": 10**6}, "at most 1000"),
        ({"max_length": 10**9}, "1000000000 words a sentence, at most 1000"),
    ],
)
def test_options_out_of_range_are_refused(arguments, part):
    with pytest.raises(InputError, match=part):
        beam_search(random_model(), images(1), **arguments)
    with pytest.raises(InputError, match="temperature"):
        sample(random_model(), images(1), np.random.default_rng(0), temperature=0)


def test_wide_beams_take_few_images_at_a_time():
    assert [images_together(K, 250) for K in (1, 5, 100)] == [250] * 3
    assert [images_together(K, 250) for K in (200, 500, 1000)] == [62, 10, 2]
    assert images_together(10, 4) == 4
    model, features = random_model(3, 6), images(5, 2)
    together = [b[0].tokens for b in beam_search(model, features, 1000, 3)]
    apart = model.caption(features, beam_size=1000, max_length=3)
    assert [caption.tokens for caption in apart] == together


def test_a_model_whose_numbers_overflow_is_named():
    model = random_model()
    for value in (np.inf, 1e308):
        model.params["Wo"][:] = value
        with pytest.raises(InputError, match="its numbers overflow"):
            beam_search(model, images(1), 3)
        with pytest.raises(InputError, match="the model's numbers overflow"):
            model.log_likelihood(images(1), ["w1"])


def test_end_is_paid_for_at_full_length():
    model = random_model(4, 8)
    model.params["bo"][END] = -40  # never ends of its own will
    (found,) = beam_search(model, images(1, 8), 2, 3)
    assert len(found[0].tokens) == 3
    assert found[0].log_prob < -30
