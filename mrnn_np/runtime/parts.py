"""The blocks of a long computation on disk, so that a run that stops can go on.

Each block is a file in a folder beside the goal, written as soon as it is computed, by
the process that gathers the results. It says what it depends on, so that blocks of
other inputs are refused, not mixed in: `Parts` holds a fingerprint of all of it, the
blocks of features (features/extraction.py) hold the images and the extractor.

Knows: folders, files, fingerprints. Does not know: what is computed, and by whom.
"""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.progress import say
from mrnn_np.runtime.storage import content_hash, load_arrays, save_arrays


class Fingerprinted(Protocol):
    """What tells by a hash all that its answers depend on, as a model does."""

    def fingerprint(self) -> str: ...


class BlockFolder:
    """A folder of blocks, one file each.

    Parameters
    ----------
    folder : where; None keeps nothing.
    names : pattern of what blocks are called. Whatever else lies there stays there.
    """

    def __init__(self, folder: Path | None, names: str = "block-*") -> None:
        self.folder, self.names = folder, names

    def where(self, name: str) -> Path:
        """Return the file of a block."""
        assert self.folder is not None  # else no block is found or kept
        return self.folder / f"{name}.npz"

    def files(self) -> list[Path]:
        """Return the files of all blocks, in the order of their names."""
        if self.folder is None:
            return []
        return sorted(self.folder.glob(f"{self.names}.npz"))

    @contextlib.contextmanager
    def told_when_stopped(self, what: str, how: str) -> Iterator[None]:
        """When Ctrl-C ends the work meanwhile, say what is kept and how to go on."""
        try:
            yield
        except KeyboardInterrupt:
            if self.folder is not None and self.folder.is_dir():
                say(f"{what} is kept in {self.folder}: {how}")
            raise

    def remove(self) -> None:
        """Delete all blocks, and the folder unless it holds something else."""
        if self.folder is None or not self.folder.is_dir():
            return
        # A name that begins with a dot is a file that was being written at the end.
        for file in (*self.files(), *self.folder.glob(f".{self.names}")):
            file.unlink(missing_ok=True)  # another run of the same may do so too
        with contextlib.suppress(OSError):  # not empty
            self.folder.rmdir()


class Parts(BlockFolder):
    """Blocks of arrays that depend on a model and on what it was given.

    Parameters
    ----------
    kind : of the files, see `mrnn_np.runtime.storage`.
    inputs : the fingerprint.
    The others as of `BlockFolder`.
    """

    def __init__(
        self, folder: Path | None, kind: str, inputs: str, names: str = "block-*"
    ) -> None:
        super().__init__(folder, names)
        self.kind, self.inputs = kind, inputs

    def load(self, name: str) -> dict[str, np.ndarray] | None:
        """Return the arrays of a block, None if it is not there.

        Raises
        ------
        InputError : it was computed from other inputs, or is damaged.
        """
        if self.folder is None:
            return None
        return load_of(self.where(name), self.kind, self.inputs)

    def save(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep a block."""
        if self.folder is not None:
            save_arrays(self.where(name), self.kind, {"inputs": self.inputs}, arrays)


def load_of(path: Path, kind: str, inputs: str) -> dict[str, np.ndarray] | None:
    """Return the arrays of a file, None if there is no file.

    Raises
    ------
    InputError : it was computed from other inputs than those of this fingerprint.
    """
    if not path.exists():
        return None
    header, arrays = load_arrays(path, kind)
    if header.get("inputs") != inputs:
        raise InputError(
            f"{path}: {kind} of another model, other sentences, features or options: "
            "delete it or name another file"
        )
    return arrays


def fingerprint(
    model: Fingerprinted, standard: np.ndarray, **arrays: np.ndarray
) -> str:
    """Return a hash of a model, the features it is given, and whatever else counts.

    Parameters
    ----------
    standard : (n, D) as `standardise` returns them.
    arrays : what else the result depends on.
    """
    return content_hash(
        {"model": model.fingerprint()}, {**arrays, "standardised features": standard}
    )
