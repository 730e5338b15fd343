"""The folder of a training run: never in a state from which nobody can go on.

    last.npz    all that is needed to go on: the model as it is, the optimiser's
                memory, the best parameters so far, the log
    best.npz    the model with the best loss on dev so far
    log.jsonl   one line of JSON an epoch

Only last.npz counts. The other two are copies of parts of it, written after it and
written anew when a run goes on. Each file is replaced as a whole. So whenever a process
is killed or a disk is full, there is either no last.npz, and a run begins, or one from
which a run goes on to the same bits; what is missing beside it comes back.

Knows: the files, their order, who may begin where. Does not know: what the training
state means.
"""

import contextlib
import copy
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from mrnn_np.models.checkpoint import read_checkpoint
from mrnn_np.models.parametric import ParametricModel
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.outputs import Output, atomic_write, check_places
from mrnn_np.runtime.progress import say
from mrnn_np.runtime.storage import npz_output, only_run

Arrays = dict[str, np.ndarray]
BEST = "best/"  # begins the names of the best parameters among the arrays of last.npz
FIRST_LINE = '{"epoch": 1, "train_loss": '  # how every log begins
ENOUGH = 10_000  # characters of a log, to see whether it has one line; one has 200


class RunFolder:
    """One run's files.

    Parameters
    ----------
    path : the folder.
    go_on : what to do to go on with a stopped run, as its command has it.
    """

    def __init__(self, path: str | Path, go_on: str = "go on with --resume") -> None:
        self.path = Path(path)
        self.go_on = go_on
        self.last = self.path / "last.npz"
        self.best = self.path / "best.npz"
        self.log = self.path / "log.jsonl"
        self.is_open = False
        self.epoch_of_best = None  # of what this process wrote to best.npz

    @contextlib.contextmanager
    def open(self, resume: bool, inputs: Iterable[str | Path] = ()) -> Iterator[None]:
        """Take the folder: meanwhile no other process trains there.

        Whoever is handed an open folder may open it again.

        Parameters
        ----------
        resume : whether one wants to go on with the run that is there.
        inputs : files that are read, which must not be among those that are written.

        Raises
        ------
        InputError : another process trains there; the folder cannot be written to; it
            holds a run and `resume` is off, or none and `resume` is on.
        """
        if self.is_open:
            yield
            return
        if resume and not self.path.is_dir():
            raise InputError(f"{self.path}: no such folder, nothing to resume")
        with _removed_if_empty(self.path), only_run(self.last):
            check_places(
                npz_output(self.last, "--out", "checkpoint"),
                npz_output(self.best, "--out", "checkpoint"),
                Output(self.log, "--out"),
                inputs=inputs,
            )
            self._delete_unfinished()
            self._check(resume)
            self.is_open = True
            try:
                yield
            finally:
                self.is_open = False

    def _delete_unfinished(self) -> None:
        """Delete the files that killed processes of earlier versions were writing."""
        for file in (self.last, self.best, self.log):
            for left in self.path.glob(f".{file.name}.????????"):
                left.unlink(missing_ok=True)

    def _check(self, resume: bool) -> None:
        if self.last.exists():
            if not resume:
                raise InputError(
                    f"{self.path}: holds a training run already: go on with --resume, "
                    "or choose another folder with --out"
                )
            return
        text = self._beginning_of_log()
        one_epoch = text is not None and _is_of_one_epoch(text)
        if resume and one_epoch and self.best.is_file():
            # Earlier versions wrote the first best.npz before the first last.npz. The
            # run that begins anew is the same, and ends with the same file.
            say(
                f"{self.path}: the run was stopped before its first last.npz, so it "
                "begins anew"
            )
        elif resume:
            raise InputError(f"{self.path}: no last.npz there, nothing to resume")
        elif self.best.exists():
            raise InputError(
                f"{self.best}: exists already, without the last.npz of its run: "
                f"{'go on with --resume, or ' if one_epoch else ''}choose another "
                "folder with --out"
            )
        elif self.log.exists() and text != "" and not one_epoch:
            raise InputError(
                f"{self.log}: exists already, without the last.npz of its run: delete "
                "it, or choose another folder with --out"
            )

    def _beginning_of_log(self) -> str | None:
        """Return at most ENOUGH characters; None where there is no file of text."""
        try:
            if self.log.is_file():
                with open(self.log, encoding="utf-8") as stream:
                    return stream.read(ENOUGH)
        except (OSError, UnicodeDecodeError):
            pass
        return None

    def load(self, dtype: np.dtype) -> tuple[ParametricModel, dict, Arrays, Arrays]:
        """Return what last.npz holds: model, state, arrays, the best parameters.

        A run of an earlier version kept the best parameters in best.npz alone.

        Raises
        ------
        InputError : see `read_checkpoint`; or no training state in it.
        """
        model, state, arrays = read_checkpoint(self.last, dtype)
        if not state or not isinstance(state, dict):
            raise InputError(f"{self.last}: holds no training state, cannot be resumed")
        best = {
            name.removeprefix(BEST): arrays.pop(name)
            for name in list(arrays)
            if name.startswith(BEST)
        }
        if state.get("best_epoch") and not best:
            if not self.best.is_file():
                raise InputError(
                    f"{self.best}: is gone, and the last.npz of an earlier version "
                    "does not hold the best parameters: train again in another folder"
                )
            best = read_checkpoint(self.best, dtype)[0].params
        elif best and not self.best.is_file():
            say(f"{self.best}: was gone, it is written again from last.npz")
        return model, state, arrays, best

    def save(
        self, model: ParametricModel, state: dict, arrays: Arrays, best: Arrays
    ) -> None:
        """Write last.npz, then what is new in the two others.

        Parameters
        ----------
        model : as it is.
        state : what JSON can hold, with "history" and "best_epoch".
        arrays : what else is needed to go on.
        best : the best parameters so far; empty in the first epoch.
        """
        kept = {f"{BEST}{name}": value for name, value in best.items()}
        model.save(self.last, training=(state, {**arrays, **kept}))
        self.write_copies(model, state, best)

    def write_copies(self, model: ParametricModel, state: dict, best: Arrays) -> None:
        """Write best.npz and log.jsonl where they do not hold what last.npz holds."""
        epoch = state["best_epoch"]
        if best and (self.epoch_of_best != epoch or not self.best.is_file()):
            model = copy.copy(model)
            model.params = best
            model.save(self.best)
            self.epoch_of_best = epoch
        # As a whole: a line that is added to a file on a full disk is cut.
        lines = [json.dumps(entry) + "\n" for entry in state["history"]]
        with atomic_write(self.log) as temporary:
            temporary.write_text("".join(lines), encoding="utf-8")


@contextlib.contextmanager
def _removed_if_empty(folder: Path) -> Iterator[None]:
    """Leave no new folder behind where nothing was written to it."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # the first that holds something ends it
            for path in new:
                path.rmdir()


def _is_of_one_epoch(text: str) -> bool:
    """Whether a log is of one epoch, or of a part of one: the disk was full."""
    if not text or len(text) == ENOUGH or "\n" in text[:-1]:
        return False
    return text.startswith(FIRST_LINE) or FIRST_LINE.startswith(text)
