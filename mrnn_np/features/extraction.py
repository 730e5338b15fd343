"""Computing the features of many images, in blocks that survive an interruption.

It takes minutes to hours, so the work is done in blocks of 64 images. Each block is
written beside the goal as soon as it is done (``F.npz.part/block-*.npz``); an
interrupted run goes on from there with ``resume=True``. At the end the blocks become
one file and the folder goes away.

Measured on Flickr8k (EfficientNet-Lite0, 2 cores): 11 ms an image with two processes
of one thread each (7,000 images in 73 s), and with one process of two threads; about
220 MB a process.

On a Dask cluster the workers see no file of this machine: the network is sent to each
once, and every block goes with the compressed files of its images (COCO: 10 MB).

Knows: blocks, and what to do about a broken image. Does not know: how an extractor
works, who computes a block (mrnn_np/runtime/parallel.py).
"""

import contextlib
import functools
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mrnn_np.features.extractors import load_extractor
from mrnn_np.features.identity import Extractor, identity
from mrnn_np.features.matrix import Features
from mrnn_np.images import Images, ImageSource, load_image, send_images
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.parallel import spread
from mrnn_np.runtime.parts import BlockFolder
from mrnn_np.runtime.progress import printable, progress, say
from mrnn_np.runtime.storage import only_run
from mrnn_np.runtime.workers import Workers

BLOCK = 64  # images a block: a second of work, lost at most when interrupted
NAMED = 3  # pictures that a message names
LARGEST_HALF = float(np.finfo(np.float16).max)  # 65504
ALONE = Workers("processes", 1)  # this process


def extract_features(
    images: Images,
    names: Sequence[str],
    extractor: Extractor | str,
    path: str | Path,
    workers: Workers = ALONE,
    resume: bool = False,
    dataset: str = "",
) -> Features:
    """Compute the features of many images and write them to `path`.

    Parameters
    ----------
    images : has ``open(name)`` -> Pillow RGB and ``name in images``, and can be
        pickled: `ImageFolder`, `ImageZip`, `SceneImages`.
    names : which images; rows come in this order.
    extractor : its name (see `load_extractor`), or the object itself.
    path : the goal. One that exists is refused, unless `resume` is given.
    workers : who computes: processes that share the cores evenly, by default this one
        alone, or a Dask cluster.
    resume : go on with what an interrupted run left beside `path`, or add the images
        that the file at `path` lacks. Images that could not be read are tried again,
        and those whose files are not what they were are computed anew.
    dataset : name for the file's header.

    Returns the features. An image that cannot be read is named on stderr, left out,
    and listed in the file. The memory needed is that of the matrix (float16, or float32
    where a number is too large for it) and of one block a process.

    Raises
    ------
    InputError : the goal or a part of it is in the way, was made by another extractor,
        or cannot be written; or no image can be read; or another process is at it.
    """
    with only_run(path):
        return _extract(images, names, extractor, path, workers, resume, dataset)


def _extract(
    images: Images,
    names: Sequence[str],
    extractor: Extractor | str,
    path: str | Path,
    workers: Workers,
    resume: bool,
    dataset: str,
) -> Features:
    path = Path(path)
    folder = path.with_name(path.name + ".part")
    parts = BlockFolder(folder)
    names = list(dict.fromkeys(names))
    if not names:
        raise InputError(f"{path}: no image to compute features of")
    if not resume:
        refuse_to_overwrite(path, folder)
    loaded = load_extractor(extractor) if isinstance(extractor, str) else extractor
    done = [Features.load(path)] if path.exists() else []
    done += [Features.load(file) for file in parts.files()]
    for features in done:
        check_resumable(features, identity(loaded))
    changed = replaced(images, names, done)
    if changed:
        some = ", ".join(changed[:NAMED]) + (" ..." if len(changed) > NAMED else "")
        say(
            f"{path}: pictures replaced since their features were computed: "
            f"{len(changed)} ({some}); computing these anew"
        )
        gone = set(changed)
        done = [f.only([n for n in f.names if n not in gone]) for f in done]
    have = {name for features in done for name in features.names}
    missing = [name for name in names if name not in have]
    if missing and not any(name in images for name in missing):
        images.open(missing[0])  # raises what is wrong with all of them

    work = blocks_to_do(missing, parts)
    # Processes of this machine load an extractor by its name rather than receive it.
    by_name = workers.backend == "processes" and workers.count() > 1
    compute = BlockOfFeatures(extractor if by_name else loaded, dataset)
    send = send_images if workers.backend == "dask" else lambda images, names: images
    tasks = ((send(images, block), block) for _, block in work)
    results = kept(spread(compute, tasks, workers), work)
    with parts.told_when_stopped("what was computed", "go on with --resume"):
        for name, reason in progress(results, len(missing), "features", "image"):
            if reason:
                say(f"skipped {name}: {reason}")
    done += [Features.load(file) for file, _ in work]
    features = merge(done, names, identity(loaded), dataset, str(path))
    features.save(path)
    parts.remove()
    return features


def refuse_to_overwrite(path: Path, parts: Path) -> None:
    """Raise InputError when a finished or interrupted run is at the goal already."""
    if path.exists():
        raise InputError(
            f"{path}: exists already: --resume adds images that it lacks; to begin "
            "anew delete it or name another file"
        )
    if parts.exists():
        raise InputError(
            f"{parts}: holds an interrupted run: --resume goes on with it; to begin "
            "anew delete the folder"
        )


def check_resumable(features: Features, wanted: Mapping[str, Any]) -> None:
    """Raise InputError when earlier rows come from another extractor."""
    if features.extractor != wanted:
        raise InputError(
            f"{features.source}: made by {features.extractor['name']} "
            f"({features.extractor['sha256'][:8]}), cannot go on with {wanted['name']} "
            f"({wanted['sha256'][:8]}): delete it or name another file"
        )


def replaced(
    images: Images, names: Sequence[str], done: Sequence[Features]
) -> list[str]:
    """Return the pictures that have features, but of another file than there is now.

    Every file is read for it: 0.03 ms a picture of Flickr8k, whose features take 11 ms.
    Of a zip archive, its directory says enough. A picture that is gone or cannot be
    read keeps its features.

    Parameters
    ----------
    done : earlier rows, where the last of the same name counts.
    """
    if not hasattr(images, "checksum"):  # they are no files
        return []
    known = {}
    for features in done:
        known.update({name: features.checksums.get(name) for name in features.names})
    names = [name for name in names if known.get(name) is not None]
    changed = []
    for name in progress(names, len(names), "comparing", "image"):
        with contextlib.suppress(InputError):
            if images.checksum(name) != known[name]:
                changed.append(name)
    return changed


def blocks_to_do(
    names: Sequence[str], parts: BlockFolder
) -> list[tuple[Path, list[str]]]:
    """Return (file to write, image names) of every block, after those there are."""
    # A copy that somebody made, "block-000001 (2).npz", has no number.
    found = (re.fullmatch(r"block-(\d{1,18})", file.stem) for file in parts.files())
    first = max((int(match[1]) for match in found if match), default=-1) + 1
    cuts = range(0, len(names), BLOCK)
    return [
        (parts.where(f"block-{first + i:06d}"), list(names[start : start + BLOCK]))
        for i, start in enumerate(cuts)
    ]


def kept(
    results: Iterable[tuple[int, Features]], work: list[tuple[Path, list[str]]]
) -> Iterator[tuple[str, str | None]]:
    """Write each block as it comes; yield (image name, why it failed or None)."""
    for number, features in results:
        path, names = work[number]
        features.save(path)
        for name in names:
            yield name, features.failed.get(name)


@dataclass(frozen=True)
class BlockOfFeatures:
    """Computes the features of a block of images.

    Fields
    ------
    extractor : the object, or its name where other processes load it themselves.
    dataset : name for the header of the block.
    """

    extractor: Extractor | str
    dataset: str

    def __call__(self, task: tuple[ImageSource, list[str]]) -> Features:
        """Return the features of a block: where its images are, and their names."""
        images, names = task
        extractor = self.extractor
        if isinstance(extractor, str):
            extractor = load_once(extractor)
        good, failed, checksums = [], {}, {}

        def pictures() -> Iterator[Image.Image]:
            for name in names:
                try:
                    picture, checksum = open_picture(images, name)
                except InputError as error:
                    failed[name] = printable(str(error))
                    continue
                good.append(name)
                if checksum is not None:
                    checksums[name] = checksum
                yield picture

        matrix = extractor.features(pictures())  # (len(good), D) float32
        matrix = compact(matrix, good, extractor.name)
        made_by = identity(extractor)
        return Features(
            good, matrix, made_by, self.dataset, failed, checksums=checksums
        )


def open_picture(images: ImageSource, name: str) -> tuple[Image.Image, int | None]:
    """Return a picture and the CRC-32 of its file, None where there is no file.

    What is hashed is what is shown, even if the file is replaced at this moment.
    """
    if not hasattr(images, "read"):
        return images.open(name), None
    content, label = images.read(name)
    return load_image(content, label), zlib.crc32(content)


@functools.lru_cache(maxsize=1)
def load_once(extractor: str) -> Extractor:
    """Load an extractor at the first block that a process computes with it."""
    return load_extractor(extractor)


def compact(matrix: np.ndarray, names: list[str], extractor: str) -> np.ndarray:
    """Return the rows as float16, or unchanged where a number is too large for it.

    float16 keeps three digits and reaches 65504. InputError for what is no number.
    """
    finite = np.isfinite(matrix).all(axis=1)
    if not finite.all():
        name = names[int(np.flatnonzero(~finite)[0])]
        raise InputError(
            f"{extractor}: the features of {name} are not finite: are the weights "
            "damaged?"
        )
    fits = np.abs(matrix).max(initial=0.0) <= LARGEST_HALF
    return matrix.astype(np.float16) if fits else matrix


def merge(
    parts: list[Features],
    names: list[str],
    extractor: dict[str, Any],
    dataset: str,
    source: str,
) -> Features:
    """Put parts together: the wanted images in order, then what else there was."""
    rows: dict[str, np.ndarray] = {}
    failed: dict[str, str] = {}
    checksums: dict[str, int] = {}
    for part in parts:
        rows.update(zip(part.names, part.matrix, strict=True))
        failed.update(part.failed)
        checksums.update(part.checksums)
    order = [name for name in names if name in rows]
    wanted = set(order)
    order += [name for name in rows if name not in wanted]
    failed = {name: reason for name, reason in failed.items() if name not in rows}
    if not order:
        name, reason = next(iter(failed.items()))
        raise InputError(f"{source}: no image could be read; {name}: {reason}")
    widths = {part.size for part in parts if len(part)}
    if len(widths) > 1:
        raise InputError(
            f"{source}: its parts have rows of {min(widths)} and {max(widths)} "
            "numbers: delete them"
        )
    matrix = np.stack([rows[name] for name in order])
    return Features(order, matrix, extractor, dataset, failed, source, checksums)
