"""The training loop: epochs, the loss on dev, and a clean stop at any moment.

All random numbers of a step follow from (seed, epoch, step), so there is no generator
whose state would have to be stored: a resumed run draws what an uninterrupted one
draws, and ends with the same bits (on one machine, with one number of BLAS threads).

Knows: when to do what. Does not know: layers, words, or where a run's files are
(training/run_folder.py).
"""

import dataclasses
import math
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NoReturn

import numpy as np

from mrnn_np.data.batches import Examples, PackedBatch, shuffled_batches
from mrnn_np.layers import Buffers, l2_backward, l2_forward
from mrnn_np.metrics import perplexity
from mrnn_np.models.next_word import NextWordModel
from mrnn_np.models.parametric import ParametricModel
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.progress import progress, say
from mrnn_np.runtime.threads import within_cores
from mrnn_np.training.config import TrainingConfig
from mrnn_np.training.fingerprints import fingerprints
from mrnn_np.training.interrupt import DeferredInterrupt
from mrnn_np.training.optimisers import OPTIMISERS, clip_by_global_norm
from mrnn_np.training.run_folder import RunFolder
from mrnn_np.training.schedules import learning_rate_factor

# An epoch of MS COCO takes hours. A process that is killed (SIGKILL, a power cut) loses
# what came after the last save; one takes 0.3 s for the model of Flickr8k.
SECONDS_BETWEEN_SAVES = 300.0
EXPLODED = 3.0  # times the loss of the very first batch
NUMBER = int | float
# What last.npz holds of a `Trainer`, besides its optimiser: JSON, under these names.
STORED = {
    "epoch": int, "step": int, "loss_sum": NUMBER, "token_sum": int,
    "norm_sum": NUMBER, "rate": NUMBER, "seconds": NUMBER,
    "first_loss": NUMBER | None, "best_loss": NUMBER | None, "best_epoch": int,
    "history": list,
}  # fmt: skip


class TrainingDiverged(InputError):
    """The loss became NaN or exploded; the files that the run has are still good."""


class Trainer:
    """Trains a model on examples and keeps the state with the smallest loss on dev.

    Parameters
    ----------
    model : changed by `fit`; holds the best parameters when it returns.
    config : see `TrainingConfig`.
    out : the run's folder, or None to write no file.
    verbose : report progress and every epoch on stderr.
    """

    def __init__(
        self,
        model: ParametricModel,
        config: TrainingConfig | None = None,
        out: RunFolder | str | Path | None = None,
        verbose: bool = True,
    ) -> None:
        self.model = model
        self.verbose = verbose
        self.config = config or TrainingConfig()
        self.folder = RunFolder(out) if isinstance(out, str | Path) else out
        self.optimiser = OPTIMISERS[self.config.optimiser](model.params)
        self.buffers = Buffers()  # of the steps (layers/buffers.py)
        self.speaks = isinstance(model, NextWordModel)  # else a ranker
        # Parameters of the best epoch; none before the first ends.
        self.best: dict[str, np.ndarray] = {}
        self.saved_at = time.monotonic()
        # Everything below is stored in last.npz and comes back with resume.
        self.epoch = 0  # epochs that are done
        self.step = 0  # steps of the present epoch that are done
        self.loss_sum = 0.0  # over those steps, weighted by tokens (a ranker: by pairs)
        self.token_sum = 0
        self.norm_sum = 0.0  # of the gradients, before clipping
        self.rate = self.config.learning_rate  # of the last step
        self.seconds = 0.0  # spent on the steps of this epoch
        self.first_loss: float | None = None  # of the very first batch
        self.best_loss = math.inf  # mean loss on dev
        self.best_epoch = 0
        self.history: list[dict] = []

    def fit(self, train: Examples, dev: Examples, resume: bool = False) -> list[dict]:
        """Train until the epochs are done or dev stops getting better.

        Parameters
        ----------
        train, dev : see `Model.examples`.
        resume : go on from last.npz of the run's folder.

        Returns
        -------
        The log: a dict an epoch with epoch, train_loss and dev_loss (nats per token; of
        a ranker what its own loss is), dev_perplexity (of a ranker none),
        learning_rate, gradient_norm, seconds.

        Raises
        ------
        InputError : the folder holds a run and `resume` is off; or nothing to resume;
            or what is resumed is another run; or another process trains there.
        TrainingDiverged : the loss became NaN or more than three times the first.
        KeyboardInterrupt : Ctrl-C, SIGTERM or SIGHUP; last.npz keeps the state.
        """
        if self.folder is None:
            if resume:
                raise InputError("there is nothing to resume without a folder")
            return self._fit(train, dev)
        self.inputs = fingerprints(self.model, train, dev)
        with self.folder.open(resume):
            # A run that got nowhere yet begins anew, see `RunFolder.open`.
            if resume and self.folder.last.exists():
                self._load()
            return self._fit(train, dev)

    def _fit(self, train: Examples, dev: Examples) -> list[dict]:
        lengths = train.lengths()
        # What overflows is a loss that is not finite, and ends in `TrainingDiverged`.
        quiet = np.errstate(over="ignore", invalid="ignore")
        with DeferredInterrupt() as interrupt, within_cores(), quiet:
            while not self._finished():
                self._train_epoch(train, lengths, interrupt)
                dev_loss = self._measure(dev, interrupt)
                if dev_loss is None:
                    self._stop()
                self._end_epoch(dev_loss)
                self._save()
        self.model.params = self.best
        return self.history

    def _finished(self) -> bool:
        waited = self.epoch - self.best_epoch
        return self.epoch >= self.config.epochs or waited >= self.config.patience

    def _train_epoch(
        self, train: Examples, lengths: np.ndarray, interrupt: DeferredInterrupt
    ) -> None:
        """Run the rest of one epoch, or as far as a signal lets it."""
        c = self.config
        rng = np.random.default_rng([c.seed, self.epoch])
        batches = shuffled_batches(lengths, c.batch_size, rng, c.bucket)
        left = batches[self.step :]
        todo: Iterable[np.ndarray] = left
        if self.verbose:
            label = f"epoch {self.epoch + 1}/{c.epochs}"
            todo = progress(left, len(left), label, "batch")
        for rows in todo:
            if interrupt.asked:
                return
            start = time.perf_counter()
            done = (self.epoch + self.step / len(batches)) / c.epochs
            self.rate = c.learning_rate * learning_rate_factor(c.schedule, done)
            self.train_step(train.batch(rows))
            self.seconds += time.perf_counter() - start
            if time.monotonic() - self.saved_at >= SECONDS_BETWEEN_SAVES:
                self._save()

    def train_step(self, batch: PackedBatch) -> None:
        """Make one update, unless it would do harm."""
        c = self.config
        # +1: NumPy pads seeds with zeros, so [seed, epoch, 0] is [seed, epoch].
        rng = np.random.default_rng([c.seed, self.epoch, self.step + 1])
        loss, grads = self.model.loss_and_grads(batch, rng, self.buffers)
        cost = loss + l2_forward(self.model.params, c.l2)
        l2_backward(self.model.params, c.l2, grads)
        norm = clip_by_global_norm(grads, c.clip_norm)
        self.first_loss = self.first_loss or cost
        self._refuse_divergence(f"step {self.step + 1}", cost, norm)
        self.optimiser.update(self.model.params, grads, self.rate)
        terms = self.model.loss_terms(batch)
        self.loss_sum += loss * terms
        self.token_sum += terms
        self.norm_sum += norm
        self.step += 1

    def _refuse_divergence(self, where: str, loss: float, norm: float) -> None:
        """Raise TrainingDiverged when the loss is beyond any good run.

        A ranker's loss grows with the number of pairs in a batch, and the very first
        batch may have been a small one: there only what is no number counts.
        """
        assert self.first_loss is not None  # a step has been made
        most = EXPLODED * self.first_loss if self.speaks else math.inf
        if math.isfinite(loss + norm) and loss <= most:
            return
        unit = " nats" if self.speaks else ""
        c = self.config
        kept = ""
        if self.folder is not None and self.best_epoch:
            kept = f"; {self.folder.best} is still good"
        raise TrainingDiverged(
            f"training diverged in epoch {self.epoch + 1}, {where}: loss {loss:.3g}"
            f"{unit} (first {self.first_loss:.3g}), gradient norm {norm:.3g}: lower "
            f"learning_rate ({c.learning_rate:g}) or clip_norm ({c.clip_norm:g}){kept}"
        )

    def _measure(self, dev: Examples, interrupt: DeferredInterrupt) -> float | None:
        """Return the mean loss on dev; None when a signal came before it was known.

        Nothing is changed by it, so it can be stopped at once, and a run that goes on
        does it again.
        """
        try:
            with interrupt.at_once():
                return self.model.mean_loss(dev)
        except KeyboardInterrupt:
            return None

    def _end_epoch(self, dev_loss: float) -> None:
        """Add the epoch to the log, and keep its parameters if it is the best."""
        # No step has looked at what the last update did.
        self._refuse_divergence("on dev", dev_loss, self.norm_sum / self.step)
        better = dev_loss < self.best_loss
        entry = {
            "epoch": self.epoch + 1,
            "train_loss": self.loss_sum / self.token_sum,
            "dev_loss": dev_loss,
            **({"dev_perplexity": perplexity(dev_loss)} if self.speaks else {}),
            "learning_rate": self.rate,
            "gradient_norm": self.norm_sum / self.step,
            "seconds": round(self.seconds, 2),
        }
        self.history.append(entry)
        if self.verbose:
            say(
                f"epoch {entry['epoch']:>3}/{self.config.epochs}  "
                f"train {entry['train_loss']:.3f}{' nats' if self.speaks else ''}  "
                f"{dev_measure(entry)}{'  best' if better else ''}"
                f"  {self.seconds:.1f} s"
            )
        self.epoch += 1
        self.step = self.token_sum = 0
        self.loss_sum = self.norm_sum = self.seconds = 0.0
        if better:
            self.best_loss, self.best_epoch = dev_loss, self.epoch
            self.best = {name: p.copy() for name, p in self.model.params.items()}

    def _stop(self) -> NoReturn:
        self._save()
        if self.folder is not None:
            say(f"{self.folder.last} keeps this state: {self.folder.go_on}")
        raise KeyboardInterrupt

    def _save(self) -> None:
        if self.folder is None:
            return
        state = {name: getattr(self, name) for name in STORED}
        # JSON has no infinity; None stands for "no epoch measured yet".
        state["best_loss"] = None if math.isinf(self.best_loss) else self.best_loss
        state["config"] = dataclasses.asdict(self.config)
        state["inputs"] = self.inputs
        state["optimiser_steps"] = self.optimiser.steps
        self.folder.save(self.model, state, self.optimiser.state, self.best)
        self.saved_at = time.monotonic()

    def _load(self) -> None:
        """Take over the state of last.npz, if it is of the same run."""
        assert self.folder is not None  # `fit` has seen to it
        path = self.folder.last
        model, state, slots, best = self.folder.load(self.model.dtype)
        config = dataclasses.asdict(self.config)
        self._check_same("training config", config, state.get("config"))
        if "fingerprint" in state:
            say(
                f"{path}: an earlier version of mrnn_np made it, without a note of all "
                "its inputs: see to it that features and captions are the same"
            )
        else:
            inputs = state.get("inputs")
            inputs = inputs if isinstance(inputs, dict) else {}
            for name, here in self.inputs.items():
                self._check_same(name, here, inputs.get(name))
        self._check_same("model config", self.model.config, model.config)
        self._check_same("vocabulary", self.model.vocabulary, model.vocabulary)
        self._check_same("optimiser", _shapes(self.optimiser.state), _shapes(slots))
        for name, kind in {**STORED, "optimiser_steps": int}.items():
            if not isinstance(state.get(name), kind):
                raise InputError(f"{path}: {name} {state.get(name)!r}: not understood")
        if state["best_epoch"]:
            self._check_same("best parameters", _shapes(model.params), _shapes(best))
        for name in STORED:
            setattr(self, name, state[name])
        if self.best_loss is None:
            self.best_loss = math.inf
        self.model.params, self.best = model.params, best
        self.optimiser.steps = state["optimiser_steps"]
        self.optimiser.state = slots
        self.folder.write_copies(self.model, state, best)

    def _check_same(self, name: str, here: object, there: object) -> None:
        if here != there:
            assert self.folder is not None
            raise InputError(
                f"{self.folder.last}: not made with the same {name}, cannot go on: "
                "give what it was made with, or choose another folder with --out"
            )


def dev_measure(entry: Mapping) -> str:
    """Say how good an epoch of the log was: in perplexity, or a ranker's loss."""
    if "dev_perplexity" in entry:
        return f"dev perplexity {entry['dev_perplexity']:.2f}"
    return f"dev loss {entry['dev_loss']:.4f}"


def _shapes(arrays: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in arrays.items()}
