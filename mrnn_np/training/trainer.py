"""The training loop: epochs, dev perplexity, checkpoints, and a clean stop.

A run's folder holds

    best.npz    the model with the best dev perplexity so far
    last.npz    the model as it is, with all that is needed to go on
    log.jsonl   one line of JSON an epoch

All random numbers of a step follow from (seed, epoch, step), so there is no generator
whose state would have to be stored: a resumed run draws what an uninterrupted one
draws, and ends with the same bits (on one machine, with one number of BLAS threads).

Knows: when to do what. Does not know: layers, words, or how a file is laid out.
"""

import dataclasses
import hashlib
import json
import math
import signal
import threading
import time
from pathlib import Path

import numpy as np

from mrnn_np.data.batches import Examples, shuffled_batches
from mrnn_np.errors import InputError
from mrnn_np.layers import Buffers, l2_backward, l2_forward
from mrnn_np.machine import within_cores
from mrnn_np.metrics import perplexity
from mrnn_np.models.base import Captioner
from mrnn_np.models.checkpoint import read_checkpoint
from mrnn_np.progress import progress, say
from mrnn_np.training.config import TrainingConfig
from mrnn_np.training.optimisers import OPTIMISERS, clip_by_global_norm
from mrnn_np.training.schedules import learning_rate_factor

EXPLODED = 3.0  # times the loss of the very first batch


class TrainingDiverged(InputError):
    """The loss became NaN or exploded; the files of the run are still good."""


class Trainer:
    """Trains a captioner on examples and keeps its best state.

    Parameters
    ----------
    model : changed by `fit`; holds the best parameters when it returns.
    config : see `TrainingConfig`.
    out : the run's folder, or None to write no file.
    verbose : report progress and every epoch on stderr.
    """

    def __init__(
        self,
        model: Captioner,
        config: TrainingConfig | None = None,
        out: str | Path | None = None,
        verbose: bool = True,
    ) -> None:
        self.model = model
        self.verbose = verbose
        self.config = config or TrainingConfig()
        self.out = None if out is None else Path(out)
        self.optimiser = OPTIMISERS[self.config.optimiser](model.params)
        self.buffers = Buffers()  # of the steps (layers/buffers.py)
        # Everything below is stored in last.npz and comes back with resume.
        self.epoch = 0  # epochs that are done
        self.step = 0  # steps of the present epoch that are done
        self.loss_sum = 0.0  # over those steps, weighted by tokens
        self.token_sum = 0
        self.norm_sum = 0.0  # of the gradients, before clipping
        self.rate = self.config.learning_rate  # of the last step
        self.seconds = 0.0  # spent on this epoch
        self.first_loss = None  # of the very first batch
        self.best_loss = math.inf  # nats per token on dev
        self.best_epoch = 0
        self.history: list[dict] = []

    def fit(self, train: Examples, dev: Examples, resume: bool = False) -> list[dict]:
        """Train until the epochs are done or dev stops getting better.

        Parameters
        ----------
        train, dev : see `Captioner.examples`.
        resume : go on from last.npz of the run's folder.

        Returns
        -------
        The log: a dict an epoch with epoch, train_loss and dev_loss (nats per token),
        dev_perplexity, learning_rate, gradient_norm, seconds.

        Raises
        ------
        InputError : the folder holds a run and `resume` is off; or nothing to resume;
            or what is resumed is another run.
        TrainingDiverged : the loss became NaN or more than three times the first.
        KeyboardInterrupt : Ctrl-C; last.npz has been written by then.
        """
        self.fingerprint = _fingerprint(train)
        self._open_folder(resume)
        lengths = train.lengths()
        best = {name: value.copy() for name, value in self.model.params.items()}
        if resume and (self.out / "best.npz").is_file():
            best = read_checkpoint(self.out / "best.npz", self.model.dtype)[0].params
        # What overflows is a loss that is not finite, and ends in `TrainingDiverged`.
        quiet = np.errstate(over="ignore", invalid="ignore")
        with _DeferredInterrupt() as interrupt, within_cores(), quiet:
            while not self._finished():
                if self._train_epoch(train, lengths, interrupt):
                    self._save_last()
                    if self.out is not None:
                        say(
                            f"{self.out}/last.npz keeps this state: go on with --resume"
                        )
                    raise KeyboardInterrupt
                if self._end_epoch(dev):
                    best = {k: v.copy() for k, v in self.model.params.items()}
                    if self.out is not None:
                        self.model.save(self.out / "best.npz")
                self._save_last()
        self.model.params = best
        return self.history

    def _finished(self) -> bool:
        waited = self.epoch - self.best_epoch
        return self.epoch >= self.config.epochs or waited >= self.config.patience

    def _train_epoch(self, train, lengths, interrupt) -> bool:
        """Run the rest of one epoch; return True when Ctrl-C stopped it early."""
        c = self.config
        rng = np.random.default_rng([c.seed, self.epoch])
        batches = shuffled_batches(lengths, c.batch_size, rng, c.bucket)
        todo = batches[self.step :]
        if self.verbose:
            label = f"epoch {self.epoch + 1}/{c.epochs}"
            todo = progress(todo, len(todo), label, "batch")
        start = time.perf_counter()
        for rows in todo:
            done = (self.epoch + self.step / len(batches)) / c.epochs
            self.rate = c.learning_rate * learning_rate_factor(c.schedule, done)
            self.train_step(train.batch(rows))
            if interrupt.asked:
                break
        self.seconds += time.perf_counter() - start
        return interrupt.asked

    def train_step(self, batch) -> None:
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
        self.loss_sum += loss * len(batch.tokens)
        self.token_sum += len(batch.tokens)
        self.norm_sum += norm
        self.step += 1

    def _refuse_divergence(self, where: str, loss: float, norm: float) -> None:
        """Raise TrainingDiverged when the loss, in nats, is beyond any good run."""
        if math.isfinite(loss + norm) and loss <= EXPLODED * self.first_loss:
            return
        c = self.config
        kept = "" if self.out is None else f"; {self.out}/best.npz is still good"
        raise TrainingDiverged(
            f"training diverged in epoch {self.epoch + 1}, {where}: loss {loss:.3g} "
            f"nats (first {self.first_loss:.3g}), gradient norm {norm:.3g}: lower "
            f"learning_rate ({c.learning_rate:g}) or clip_norm ({c.clip_norm:g}){kept}"
        )

    def _end_epoch(self, dev: Examples) -> bool:
        """Measure dev, write the log; return True when it is the best so far."""
        dev_loss = self.model.mean_loss(dev)
        # No step has looked at what the last update did.
        self._refuse_divergence("on dev", dev_loss, self.norm_sum / self.step)
        better = dev_loss < self.best_loss
        entry = {
            "epoch": self.epoch + 1,
            "train_loss": self.loss_sum / self.token_sum,
            "dev_loss": dev_loss,
            "dev_perplexity": perplexity(dev_loss),
            "learning_rate": self.rate,
            "gradient_norm": self.norm_sum / self.step,
            "seconds": round(self.seconds, 2),
        }
        self.history.append(entry)
        if self.out is not None:
            with open(self.out / "log.jsonl", "a", encoding="utf-8") as stream:
                stream.write(json.dumps(entry) + "\n")
        if self.verbose:
            say(
                f"epoch {entry['epoch']:>3}/{self.config.epochs}  "
                f"train {entry['train_loss']:.3f} nats  dev perplexity "
                f"{entry['dev_perplexity']:.2f}{'  best' if better else ''}"
                f"  {self.seconds:.1f} s"
            )
        self.epoch += 1
        self.step = self.token_sum = 0
        self.loss_sum = self.norm_sum = self.seconds = 0.0
        if better:
            self.best_loss, self.best_epoch = dev_loss, self.epoch
        return better

    def _open_folder(self, resume: bool) -> None:
        if self.out is None:
            if resume:
                raise InputError("there is nothing to resume without a folder")
            return
        last = self.out / "last.npz"
        if resume:
            if not last.is_file():
                raise InputError(f"{self.out}: no last.npz there, nothing to resume")
            self._load_last(last)
        elif last.exists() or (self.out / "best.npz").exists():
            raise InputError(
                f"{self.out}: holds a training run already: go on with --resume, or "
                "choose another folder with --out"
            )
        self.out.mkdir(parents=True, exist_ok=True)
        # Without last.npz a log is of a run that never got through an epoch.
        with open(self.out / "log.jsonl", "w", encoding="utf-8") as stream:
            stream.writelines(json.dumps(entry) + "\n" for entry in self.history)

    STORED = (
        "epoch step loss_sum token_sum norm_sum rate seconds first_loss best_loss "
        "best_epoch history fingerprint"
    ).split()

    def _save_last(self) -> None:
        if self.out is None:
            return
        state = {name: getattr(self, name) for name in self.STORED}
        # JSON has no infinity; None stands for "no epoch measured yet".
        state["best_loss"] = None if math.isinf(self.best_loss) else self.best_loss
        state["config"] = dataclasses.asdict(self.config)
        state["optimiser_steps"] = self.optimiser.steps
        self.model.save(self.out / "last.npz", training=(state, self.optimiser.memory))

    def _load_last(self, path: Path) -> None:
        model, state, memory = read_checkpoint(path, self.model.dtype)
        if not state:
            raise InputError(f"{path}: holds no training state, cannot be resumed")
        for name, here, there in (
            ("training config", dataclasses.asdict(self.config), state["config"]),
            ("model config", self.model.config, model.config),
            ("vocabulary", self.model.vocabulary, model.vocabulary),
            ("training data", self.fingerprint, state["fingerprint"]),
        ):
            if here != there:
                raise InputError(f"{path}: made with another {name}, cannot go on")
        for name in self.STORED:
            setattr(self, name, state[name])
        if self.best_loss is None:
            self.best_loss = math.inf
        self.model.params = model.params
        self.optimiser.steps = state["optimiser_steps"]
        self.optimiser.memory = memory


class _DeferredInterrupt:
    """While active, Ctrl-C only sets `asked`; a second one stops at once.

    An update must not be cut in two: half-moved parameters would be saved.
    """

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> "_DeferredInterrupt":
        self.old = None
        if threading.current_thread() is threading.main_thread():
            self.old = signal.signal(signal.SIGINT, self._ask)
        return self

    def _ask(self, number, frame) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        say("stopping after this step (Ctrl-C again: at once)")

    def __exit__(self, *exception) -> None:
        if self.old is not None:
            signal.signal(signal.SIGINT, self.old)


def _fingerprint(examples: Examples) -> str:
    """Return a short hash of the sentences, to notice another data set."""
    digest = hashlib.sha256()
    for ids in examples.sentences:
        digest.update(np.asarray(ids, np.int64).tobytes() + b"|")
    digest.update(np.asarray(examples.image, np.int64).tobytes())
    return digest.hexdigest()[:16]
