"""The training loop: learns, keeps its best, and stops when it gets no better."""

import contextlib
import dataclasses
import json

import numpy as np
import pytest
from training_cases import WORDS, config, make_examples, make_model, params_equal

from mrnn_np.data import Vocabulary
from mrnn_np.data.batches import Examples
from mrnn_np.models import MRNN, MRNNConfig, load_model
from mrnn_np.training import Trainer, TrainingDiverged


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


def test_same_seed_same_bits():
    runs = []
    for _ in range(2):
        model = make_model()
        Trainer(model, config()).fit(make_examples(), make_examples(20, 1))
        runs.append(model.params)
    assert params_equal(*runs)


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
    with pytest.raises(
        TrainingDiverged, match=r"epoch 3, step 1: .*learning_rate"
    ) as e:
        trainer.fit(train, dev)
    assert str(e.value).endswith("best.npz is still good")
    for name in ("best.npz", "last.npz"):
        kept = load_model(tmp_path / name)
        assert np.isfinite(kept.mean_loss(dev))
    assert all(np.isfinite(value).all() for value in model.params.values())


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
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fault", ["train", "dev"])
def test_divergence_in_the_first_epoch_promises_no_file(tmp_path, fault, monkeypatch):
    model, dev = make_model(), make_examples(20, 1)
    if fault == "train":
        monkeypatch.setattr(model, "loss_and_grads", lambda *_: (np.nan, {}))
    else:  # exp(dev loss), the perplexity, is no number
        monkeypatch.setattr(model, "mean_loss", lambda _: 1e4)
    with pytest.raises(TrainingDiverged, match="epoch 1") as caught:
        Trainer(model, config(), tmp_path).fit(make_examples(), dev)
    assert "still good" not in str(caught.value)
    # and another try may begin in the same folder
    Trainer(make_model(), config(epochs=1), tmp_path).fit(make_examples(), dev)


def test_l2_pulls_the_parameters_towards_zero():
    norms = []
    for strength in (0.0, 0.05):
        model = make_model()
        Trainer(model, config(l2=strength)).fit(make_examples(), make_examples(20, 1))
        norms.append(sum(np.vdot(p, p) for p in model.params.values()))
    assert norms[1] < 0.9 * norms[0]


def test_the_bar_of_an_epoch_says_which_it_is(monkeypatch):
    labels = []

    def record(items, total, label, unit):
        labels.append((label, total, unit))
        return items

    monkeypatch.setattr("mrnn_np.training.trainer.progress", record)
    examples = make_examples(20)
    Trainer(make_model(), config(epochs=2)).fit(examples, examples)
    assert labels == [("epoch 1/2", 3, "batch"), ("epoch 2/2", 3, "batch")]


def test_divergence_on_dev_names_the_mean_gradient_norm():
    trainer = Trainer(make_model(), config(), verbose=False)
    trainer.first_loss, trainer.step, trainer.norm_sum = 2.0, 4, 10.0
    with pytest.raises(TrainingDiverged, match=r"on dev: loss 99 .*norm 2\.5: lower"):
        trainer._end_epoch(99.0)


@pytest.mark.parametrize("loss", [5.9, 6.1])
def test_a_loss_of_three_times_the_first_is_divergence(loss):
    trainer = Trainer(make_model(), config(), verbose=False)
    trainer.first_loss = 2.0
    ends = pytest.raises(TrainingDiverged) if loss > 6 else contextlib.nullcontext()
    with ends:
        trainer._refuse_divergence("step 1", loss, 1.0)
