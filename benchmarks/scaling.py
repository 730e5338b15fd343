"""How time and memory grow with the work, beside what the arithmetic asks for.

    python benchmarks/scaling.py [--out bench] [--repeats 3]

`mrnn-np bench --scaling` is the same. Every point is the median of some calls. Beside
it stands how long its matrix products alone would take at the full speed of this
machine, measured in turn: a line that no program can get below, and whose slope ours
must have where the work is large. The slopes that are printed are those through the
last three points, on logarithmic axes.
"""

import argparse
import functools
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from drawn import describe, features, photograph, sentences, training_case
from joblib import cpu_count
from timing import blas_threads, new_memory

import mrnn_np as mr
from mrnn_np.cnn.shapes import output_shapes
from mrnn_np.features.extraction import load_once
from mrnn_np.report import Page, line_chart, table
from mrnn_np.retrieval.pairs import pair_scores
from mrnn_np.runtime.machine import products
from mrnn_np.runtime.parallel import spread
from mrnn_np.runtime.progress import show
from mrnn_np.runtime.workers import Workers
from mrnn_np.training import Trainer, TrainingConfig

CNN = "efficientnet_lite0"
PHOTOGRAPHS = 48  # to share among the processes
SECONDS = 0.1  # of measuring the matrix product, after every call


@dataclass(frozen=True)
class Point:
    """One measurement.

    x : size of the work.
    seconds : of a call.
    work : multiply-adds of its matrix products.
    speed : multiply-adds a second of this machine, at that time.
    memory : bytes, None if not known.
    """

    x: float
    seconds: float
    work: float
    speed: float
    memory: int | None


@dataclass(frozen=True)
class Series:
    """Measurements of one kind of work against one size, smallest first."""

    title: str
    x: str
    text: str
    points: list[Point]

    def least(self) -> list[float]:
        """Return the seconds of the products alone; one speed holds for all points."""
        speed = statistics.median(p.speed for p in self.points)
        return [p.work / speed for p in self.points]

    def slopes(self) -> tuple[float, float]:
        """Return the powers with which time and arithmetic grow at the right end."""
        last = self.points[-3:]
        x = np.log([p.x for p in last])
        both = np.log([(p.seconds, p.work) for p in last])
        return tuple(np.polyfit(x, both, 1)[0])


def timed(call: Callable, repeats: int, work: float) -> tuple[float, float, float]:
    """Return seconds of a call, its work, and multiply-adds a second between calls."""
    call()  # compiles and allocates
    times, speeds = [], []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
        speeds.append(products(SECONDS))
    return statistics.median(times), work, statistics.median(speeds)


def point(x: float, call: Callable, work: float, repeats: int) -> Point:
    """Measure one call."""
    return Point(x, *timed(call, repeats, work), new_memory(call))


# --- training -------------------------------------------------------------------------


def step_multiply_adds(model, batch) -> int:
    """Count what the matrix products of a training step multiply.

    Forward, gradient of the input and gradient of the matrix cost the same. The image
    needs no gradient, and enters once a sentence.
    """
    P, N = len(batch.tokens), len(batch.features)
    size = {name: value.size for name, value in model.params.items()}
    rows = 3 * P * sum(size[name] for name in ("W2", "Vw", "Vr", "Wo"))
    return rows + 3 * (P - N) * size["U"] + 2 * N * size["Vi"]


def training(
    name: str, values: Iterable, text: str, repeats: int, sizes=dict
) -> Series:
    """Measure a training step for several values of one size; the others stay.

    sizes : from a value to arguments of `training_case`.
    """
    points = []
    for value in values:
        model, batch = training_case(**(sizes(**{name: value})))
        step = functools.partial(first_step, model, batch)
        trainer = step()
        memory = new_memory(step)  # of a first step, which makes all the buffers
        call = functools.partial(trainer.train_step, batch)
        work = step_multiply_adds(model, batch)
        points.append(Point(value, *timed(call, repeats, work), memory))
    return Series(f"A training step against {name}", name, text, points)


def first_step(model, batch) -> Trainer:
    """Return a new trainer that has made one step."""
    trainer = Trainer(model, TrainingConfig(), verbose=False)
    trainer.train_step(batch)
    return trainer


def all_sizes(size: float) -> dict[str, int]:
    """Return E1, R and M of a model so many times the paper's."""
    return {"E1": int(128 * size), "R": int(256 * size), "M": int(512 * size)}


# --- features -------------------------------------------------------------------------


def image_multiply_adds(cnn) -> int:
    """Count what the convolutions of one image multiply."""
    shapes = output_shapes(cnn.layers, cnn.feature_preprocessing.size)
    return sum(
        math.prod(shapes[layer.name][:-1]) * cnn.weights[f"{layer.name}.weight"].size
        for layer in cnn.layers
        if f"{layer.name}.weight" in cnn.weights
    )


def features_by_images(repeats: int) -> Series:
    """Measure the features of more and more images, in one process."""
    work, points = image_multiply_adds(load_once(CNN)), []
    for count in (1, 2, 4, 8, 16, 32):
        call = functools.partial(describe, CNN, [photograph(i) for i in range(count)])
        points.append(point(count, call, count * work, repeats))
    text = (
        f"JPEG to {CNN} features in one process. Proportional to the images: slope 1."
    )
    return Series("Features against images", "images", text, points)


def features_by_jobs(repeats: int) -> Series:
    """Measure the features of the same images by more and more processes."""
    files = [photograph(i) for i in range(PHOTOGRAPHS)]
    blocks = [files[i : i + 4] for i in range(0, len(files), 4)]
    work = PHOTOGRAPHS * image_multiply_adds(load_once(CNN))
    describe_block = functools.partial(describe, CNN)
    points, cores = [], cpu_count()
    for jobs in sorted({1, cores, 2 * cores}):
        workers = Workers("processes", jobs)

        def call(workers=workers):
            return list(spread(describe_block, blocks, workers))

        points.append(Point(jobs, *timed(call, repeats, work), None))
    text = (
        f"{PHOTOGRAPHS} JPEG files by several processes, which share the cores. One "
        "job has them all for BLAS; more jobs than cores must not cost anything."
    )
    return Series("Features against jobs", "jobs", text, points)


# --- retrieval ------------------------------------------------------------------------


def retrieval(name: str, cases: Iterable[tuple[int, int]], repeats: int) -> Series:
    """Measure exact likelihoods for pairs of (sentences, images)."""
    model, cases = mr.load_model("flickr8k"), list(cases)
    most = max(count for count, _ in cases)
    texts = [text for five in sentences(model, -(-most // 5)) for text in five]
    encoded, points = [model.encode(text) for text in texts], []
    for count, images in cases:
        call = functools.partial(
            pair_scores,
            model,
            features(model, images),
            encoded[:count],
            Workers(jobs=blas_threads()),
        )
        work = call()[1].multiply_adds
        x = count if name == "sentences" else images
        points.append(point(x, call, work, repeats))
    text = (
        "Exact log-likelihoods of every pair. Twice the images cost twice as much; "
        "twice the sentences a little less, since more of them begin alike."
    )
    return Series(f"Retrieval against {name}", name, text, points)


def measure(repeats: int) -> Iterable[Series]:
    """Yield every series as soon as it is measured."""
    step = functools.partial(training, repeats=repeats)
    yield step("V", (1000, 2000, 4000, 8000, 16000), "Words in the vocabulary.")
    yield step("N", (25, 50, 100, 200, 400), "Sentences in the batch, of 11 words.")
    yield step("T", (3, 6, 12, 24, 48), "Words in each of the 100 sentences.")
    yield step(
        "size",
        (0.5, 1, 2, 4),
        "E1, R and M together; 1 is the paper's 128, 256 and 512. The products with "
        "the vocabulary grow with the size, those between layers with its square.",
        sizes=all_sizes,
    )
    yield features_by_images(repeats)
    yield features_by_jobs(repeats)
    by_sentences = [(count, 8) for count in (125, 250, 500, 1000)]
    yield retrieval("sentences", by_sentences, repeats)
    by_images = [(250, images) for images in (4, 8, 16, 32)]
    yield retrieval("images", by_images, repeats)


# --- what people read -----------------------------------------------------------------


def rows(series: Series) -> list[tuple[str, ...]]:
    """Return x, time, time of the products, their share, and memory of each point."""
    return [
        (
            f"{p.x:g}",
            f"{1e3 * p.seconds:.1f}",
            f"{1e3 * least:.1f}",
            f"{least / p.seconds:.0%}",
            "" if p.memory is None else f"{p.memory / 2**20:.1f}",
        )
        for p, least in zip(series.points, series.least(), strict=True)
    ]


HEADER = ("ms", "products alone, ms", "share", "new arrays, MiB")


def slope_line(series: Series) -> str:
    """Say both slopes."""
    return "Slope at the right end: measured {:.2f}, products {:.2f}.".format(
        *series.slopes()
    )


def add_section(page: Page, series: Series) -> None:
    """Add chart and table of one series."""
    lines = {
        "measured": [(p.x, 1e3 * p.seconds) for p in series.points],
        "products alone": [
            (p.x, 1e3 * least)
            for p, least in zip(series.points, series.least(), strict=True)
        ],
    }
    page.section(
        series.title,
        f"{series.text} {slope_line(series)}",
        line_chart(lines, series.x, "ms", logarithmic=True),
        table((series.x, *HEADER), rows(series)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("bench"))
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    page = Page(
        "Cost as the work grows",
        "Time of one call beside the time of its matrix products at the full speed of "
        f"this machine. Threads: {blas_threads()}. Both axes are logarithmic.",
    )
    for series in measure(args.repeats):
        show(f"{series.title}. {slope_line(series)}")
        for row in ((series.x, *HEADER), *rows(series)):
            show("".join(f"{cell:>20}" for cell in row))
        add_section(page, series)
    page.save(args.out / "scaling.html")
    show(str(args.out / "scaling.html"))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
