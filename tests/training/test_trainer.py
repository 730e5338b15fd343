"""The training loop: learns, stops, resumes to the bit, and never loses a file."""

import dataclasses
import json
import signal

import numpy as np
import pytest

from mrnn_np import InputError
from mrnn_np.data import SPECIALS, Vocabulary
from mrnn_np.data.batches import Examples
from mrnn_np.models import MRNN, MRNNConfig, load_model
from mrnn_np.training import Trainer, TrainingConfig, TrainingDiverged

SMALL = {
    "image_size": 6,
    "embedding_size": 8,
    "recurrent_size": 16,
    "multimodal_size": 16,
}
WORDS = [*SPECIALS, *(f"w{i}" for i in range(12))]


def make_model(seed=0, **choices) -> MRNN:
    vocabulary = Vocabulary(WORDS, np.ones(16, int))
    config = MRNNConfig(**SMALL, **choices)
    return MRNN(config, vocabulary, np.random.default_rng(seed))


def make_examples(count=60, seed=0) -> Examples:
    """Sentences that follow from the image: its largest entry names the words."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((count, 6)).astype(np.float32)
    largest = features.argmax(axis=1)
    sentences = [[4 + k] * (1 + k % 3) + [10 + k] for k in largest]
    return Examples(sentences, np.arange(count), features)


def config(**choices) -> TrainingConfig:
    return TrainingConfig(
        **{"epochs": 3, "batch_size": 8, "learning_rate": 0.01, **choices}
    )


def test_learns_and_keeps_the_best(tmp_path):
    model = make_model()
    dev = make_examples(30, 1)
    before = model.mean_loss(dev)
    history = Trainer(model, config(epochs=6), tmp_path).fit(make_examples(), dev)
    best = min(entry["dev_loss"] for entry in history)
    assert best < 0.7 * before
    np.testing.assert_allclose(model.mean_loss(dev), best)
    np.testing.assert_allclose(load_model(tmp_path / "best.npz").mean_loss(dev), best)
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == history


@pytest.mark.slow
def test_overfits_fifty_captions():
    rng = np.random.default_rng(0)
    sentences = [rng.integers(4, 16, rng.integers(3, 9)).tolist() for _ in range(50)]
    features = rng.standard_normal((50, 6)).astype(np.float32)
    examples = Examples(sentences, np.arange(50), features)
    rates = dict.fromkeys(
        [f"dropout_{n}" for n in ("embedding", "recurrent", "image", "multimodal")], 0.0
    )
    vocabulary = Vocabulary(WORDS, np.ones(16, int))
    model = MRNN(MRNNConfig(image_size=6, **rates), vocabulary)
    choices = config(epochs=90, batch_size=10, learning_rate=3e-3, patience=90)
    Trainer(model, choices).fit(examples, examples)
    assert model.mean_loss(examples) < 0.1


def params_equal(one, two) -> bool:
    return all(np.array_equal(one[name], two[name]) for name in one)


def test_same_seed_same_bits():
    runs = []
    for _ in range(2):
        model = make_model()
        Trainer(model, config()).fit(make_examples(), make_examples(20, 1))
        runs.append(model.params)
    assert params_equal(*runs)


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
@pytest.mark.parametrize("stop_after", [1, 8, 11, 20])
def test_resume_after_ctrl_c_continues_to_the_bit(tmp_path, stop_after, optimiser):
    """8 steps an epoch: stops in the first, at an end, and in later epochs."""
    train, dev = make_examples(), make_examples(20, 1)
    choices = config(optimiser=optimiser, learning_rate=0.003)
    whole = make_model()
    history = Trainer(whole, choices, tmp_path / "whole").fit(train, dev)

    model = make_model()
    trainer = Trainer(model, choices, tmp_path / "cut")
    update = trainer.optimiser.update

    def update_then_ctrl_c(*args):
        update(*args)
        if trainer.optimiser.steps == stop_after:
            signal.raise_signal(signal.SIGINT)

    trainer.optimiser.update = update_then_ctrl_c
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(train, dev)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    resumed = make_model(seed=5)  # its own parameters must not matter
    second = Trainer(resumed, choices, tmp_path / "cut").fit(train, dev, resume=True)
    assert params_equal(whole.params, resumed.params)
    last = [load_model(tmp_path / run / "last.npz").params for run in ("whole", "cut")]
    assert params_equal(*last)

    def without_time(log):
        return [
            {key: value for key, value in entry.items() if key != "seconds"}
            for entry in log
        ]

    assert without_time(second) == without_time(history)


def test_a_finished_run_resumes_to_itself(tmp_path):
    train, dev = make_examples(), make_examples(20, 1)
    model = make_model()
    history = Trainer(model, config(), tmp_path).fit(train, dev)
    again = make_model(seed=5)
    assert Trainer(again, config(), tmp_path).fit(train, dev, resume=True) == history
    assert params_equal(model.params, again.params)


def test_stops_early_when_dev_gets_no_better():
    model = make_model()
    choices = config(epochs=50, patience=2, learning_rate=0.05)
    # dev sentences have nothing to do with the images of the training
    dev = dataclasses.replace(
        make_examples(30, 1), features=make_examples(30, 9).features
    )
    history = Trainer(model, choices).fit(make_examples(), dev)
    best = np.argmin([entry["dev_loss"] for entry in history])
    assert len(history) == best + 3 < 50
    np.testing.assert_allclose(model.mean_loss(dev), history[best]["dev_loss"])


@pytest.mark.parametrize("fault", ["nan", "exploding"])
def test_divergence_stops_and_keeps_the_good_files(tmp_path, fault):
    train, dev = make_examples(), make_examples(20, 1)
    model = make_model()
    trainer = Trainer(model, config(epochs=9, patience=9), tmp_path)
    honest = model.loss_and_grads

    def faulty(batch, rng=None, buffers=None):
        loss, grads = honest(batch, rng, buffers)
        if trainer.epoch == 2:
            loss = loss * 100 if fault == "exploding" else loss
            if fault == "nan":
                grads["U"][0, 0] = np.nan
        return loss, grads

    model.loss_and_grads = faulty
    with pytest.raises(TrainingDiverged, match=r"epoch 3, step 1: .*learning_rate"):
        trainer.fit(train, dev)
    for name in ("best.npz", "last.npz"):
        kept = load_model(tmp_path / name)
        assert np.isfinite(kept.mean_loss(dev))
    assert all(np.isfinite(value).all() for value in model.params.values())


def test_a_run_is_never_overwritten(tmp_path):
    train, dev = make_examples(), make_examples(20, 1)
    Trainer(make_model(), config(epochs=1), tmp_path).fit(train, dev)
    before = (tmp_path / "best.npz").read_bytes()
    with pytest.raises(InputError, match="holds a training run"):
        Trainer(make_model(), config(), tmp_path).fit(train, dev)
    assert (tmp_path / "best.npz").read_bytes() == before


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"config": config(seed=3)}, "training config"),
        ({"model": make_model(dropout_image=0.1)}, "model config"),
        ({"train": make_examples(61)}, "training data"),
    ],
)
def test_resuming_another_run_is_refused(tmp_path, changed, part):
    train, dev = make_examples(), make_examples(20, 1)
    Trainer(make_model(), config(), tmp_path).fit(train, dev)
    trainer = Trainer(
        changed.get("model", make_model()), changed.get("config", config()), tmp_path
    )
    with pytest.raises(InputError, match=f"another {part}"):
        trainer.fit(changed.get("train", train), dev, resume=True)


@pytest.mark.parametrize("optimiser", ["adam", "sgd", "rmsprop", "adagrad"])
@pytest.mark.parametrize("rate", [1e3, 1e6, 1e30])
def test_the_last_update_may_be_the_one_that_diverges(optimiser, rate, tmp_path):
    """One step an epoch: only the dev sentences show what it did."""
    choices = config(optimiser=optimiser, learning_rate=rate, batch_size=1000)
    trainer = Trainer(make_model(), choices, tmp_path)
    with pytest.raises(
        TrainingDiverged, match=r"epoch 1, .*: loss .* lower learning_r"
    ):
        trainer.fit(make_examples(), make_examples(20, 1))
    assert (tmp_path / "log.jsonl").read_text() == ""


def test_nothing_to_resume(tmp_path):
    with pytest.raises(InputError, match="nothing to resume"):
        Trainer(make_model(), config(), tmp_path).fit(
            make_examples(), make_examples(), resume=True
        )


def test_l2_pulls_the_parameters_towards_zero():
    norms = []
    for strength in (0.0, 0.05):
        model = make_model()
        Trainer(model, config(l2=strength)).fit(make_examples(), make_examples(20, 1))
        norms.append(sum(np.vdot(p, p) for p in model.params.values()))
    assert norms[1] < 0.9 * norms[0]
