"""Signals: whatever a training is doing, it goes on to the same bits."""

import os
import signal
import threading

import pytest
from training_cases import (
    config,
    folders_equal,
    make_examples,
    make_model,
    params_equal,
    without_time,
)

from mrnn_np.models.checkpoint import read_checkpoint
from mrnn_np.training import Trainer
from mrnn_np.training import trainer as trainer_module
from mrnn_np.training.interrupt import DeferredInterrupt

ASKS_TO_END = ("SIGINT", "SIGTERM", "SIGHUP")  # the last is not known to Windows
NUMBERS = [getattr(signal, name) for name in ASKS_TO_END if hasattr(signal, name)]
train, dev = make_examples(), make_examples(20, 1)


@pytest.fixture(scope="module", params=["sgd", "adam"])
def whole(request, tmp_path_factory):
    """A run that nobody stopped: its choices, folder, model and log."""
    choices = config(optimiser=request.param, learning_rate=0.003)
    folder, model = tmp_path_factory.mktemp("whole"), make_model()
    history = Trainer(model, choices, folder).fit(train, dev)
    return choices, folder, model, history


def assert_goes_on(whole, folder):
    choices, whole_folder, whole_model, history = whole
    resumed = make_model(seed=5)  # its own parameters must not matter
    second = Trainer(resumed, choices, folder).fit(train, dev, resume=True)
    assert params_equal(whole_model.params, resumed.params)
    assert folders_equal(whole_folder, folder)
    assert without_time(second) == without_time(history)


def after(count, function, action):
    """Return `function`, which calls `action` too after its call number `count`."""
    calls = []

    def wrapped(*args):
        result = function(*args)
        calls.append(args)
        if len(calls) == count:
            action()
        return result

    return wrapped


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("stop_after", [1, 8, 11, 20])
def test_resume_after_a_signal_continues_to_the_bit(
    whole, tmp_path, stop_after, number
):
    """8 steps an epoch: stops in the first, at an end, and in later epochs."""
    trainer = Trainer(make_model(), whole[0], tmp_path)
    before = signal.getsignal(number)
    trainer.optimiser.update = after(
        stop_after, trainer.optimiser.update, lambda: signal.raise_signal(number)
    )
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(train, dev)
    assert signal.getsignal(number) is before
    assert trainer.epoch * 8 + trainer.step == stop_after
    assert_goes_on(whole, tmp_path)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("epoch", [1, 2])
def test_a_signal_while_dev_is_measured_keeps_the_epoch(
    whole, tmp_path, number, epoch, monkeypatch
):
    """Dev is measured in batches, of which the first one is the last one here."""
    model = make_model()
    monkeypatch.setattr(
        model,
        "token_losses",
        after(epoch, model.token_losses, lambda: signal.raise_signal(number)),
    )
    trainer = Trainer(model, whole[0], tmp_path)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(train, dev)
    assert (trainer.epoch, trainer.step) == (epoch - 1, 8)
    assert_goes_on(whole, tmp_path)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_while_the_files_are_written(whole, tmp_path, number):
    trainer = Trainer(make_model(), whole[0], tmp_path)
    trainer.folder.write_copies = after(
        2, trainer.folder.write_copies, lambda: signal.raise_signal(number)
    )
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(train, dev)
    assert (trainer.epoch, trainer.step) == (2, 0)
    assert_goes_on(whole, tmp_path)


class Killed(BaseException):
    """What no handler of errors catches."""


@pytest.mark.parametrize(
    ("method", "calls", "kept"),
    [
        ("train_step", 2, (0, 1)),
        ("train_step", 8, (0, 7)),
        ("train_step", 9, (1, 0)),
        ("train_step", 14, (1, 5)),
        ("_measure", 1, (0, 8)),
        ("_measure", 2, (1, 8)),
        ("_end_epoch", 2, (1, 8)),
    ],
)
def test_a_killed_run_goes_on_from_the_last_save(
    whole, tmp_path, method, calls, kept, monkeypatch
):
    """Saved after every step here, every few minutes otherwise."""
    monkeypatch.setattr(trainer_module, "SECONDS_BETWEEN_SAVES", 0.0)

    def kill():
        raise Killed

    trainer = Trainer(make_model(), whole[0], tmp_path)
    setattr(trainer, method, after(calls, getattr(trainer, method), kill))
    with pytest.raises(Killed):
        trainer.fit(train, dev)
    monkeypatch.undo()
    state = read_checkpoint(tmp_path / "last.npz")[1]
    assert (state["epoch"], state["step"]) == kept
    assert_goes_on(whole, tmp_path)


def test_nothing_is_saved_within_a_short_epoch(tmp_path, monkeypatch):
    trainer = Trainer(make_model(), config(epochs=2), tmp_path)
    saves = []
    trainer._save = lambda: saves.append((trainer.epoch, trainer.step))
    trainer.fit(train, dev)
    assert saves == [(1, 0), (2, 0)]


def test_a_second_signal_does_what_it_did_before():
    came = []
    old = signal.signal(signal.SIGTERM, lambda number, frame: came.append(number))
    try:
        with DeferredInterrupt() as interrupt:
            signal.raise_signal(signal.SIGTERM)
            assert interrupt.asked and came == []
            signal.raise_signal(signal.SIGTERM)
            assert came == [signal.SIGTERM]
            # A handler that was put in place meanwhile stays.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, old)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
def test_what_nohup_ignores_stays_ignored():
    old = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with DeferredInterrupt() as interrupt:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not interrupt.asked
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, old)


def test_a_block_that_changes_nothing_stops_at_once():
    with DeferredInterrupt() as interrupt:
        with pytest.raises(KeyboardInterrupt), interrupt.at_once():
            signal.raise_signal(signal.SIGINT)
        assert interrupt.asked
        with pytest.raises(KeyboardInterrupt), interrupt.at_once():
            raise AssertionError("was asked to stop before")


def test_a_thread_leaves_the_handlers_alone():
    before = [signal.getsignal(number) for number in NUMBERS]
    seen = []

    def work():
        with DeferredInterrupt():
            seen.extend(signal.getsignal(number) for number in NUMBERS)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == before
