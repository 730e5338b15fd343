"""What MS COCO costs: unit costs measured on this machine, times the size of the work.

    python benchmarks/coco_cost.py > benchmarks/coco_cost.md

Nothing of COCO is needed: photographs of its size are drawn, and a model with as many
words as its captions have is as fast untrained as trained.
"""

import platform
from collections.abc import Callable
from functools import partial

from drawn import describe, features, photograph, sentences, training_case
from scaling import CNN, first_step, timed
from threadpoolctl import threadpool_limits
from timing import new_memory

import mrnn_np as mr
from mrnn_np.decoding.blocks import caption_images
from mrnn_np.features.extraction import load_once
from mrnn_np.retrieval.pairs import pair_scores
from mrnn_np.runtime.machine import gemm_speed
from mrnn_np.runtime.workers import Workers

# The 2014 release: 82,783 training and 40,504 validation images.
IMAGES, CAPTIONS = 123_287, 616_767
TRAIN_CAPTIONS, VAL_IMAGES = 414_113, 40_504
SIDE, JPEG_BYTES = (640, 480), 19e9 / IMAGES  # the two archives hold 13 and 6 GB
WORDS = 8_800  # that occur 5 times or more in the training captions
LENGTH = 12  # words of a caption and its end
BATCH, EPOCHS = 128, 16  # defaults of TrainingConfig
RANKED = 5_000  # images of the usual test split, with five sentences each
CORES = (1, 8, 64)


def seconds(call: Callable, threads: int, repeats: int = 3) -> float:
    """Return the median seconds of a call with so many threads."""
    with threadpool_limits(threads):
        return timed(call, repeats, 0)[0]


def units() -> tuple[dict[str, dict[int, float]], float, dict[str, int]]:
    """Measure the units of work.

    Returns seconds by name and threads, by what those of the vocabulary were
    multiplied, and bytes of new arrays.
    """
    files = [photograph(seed, SIDE) for seed in range(16)]
    D = load_once(CNN).feature_size
    model, batch = training_case(V=WORDS, N=BATCH, T=LENGTH, D=D)
    trainer = first_step(model, batch)
    shipped = mr.load_model("flickr8k")
    X = features(shipped, 250)
    texts = [text for five in sentences(shipped, 100) for text in five]
    encoded = [shipped.encode(text) for text in texts]
    more = WORDS / len(shipped.vocabulary)
    calls = {
        "features of an image": (16, lambda n: describe(CNN, files)),
        "a training step": (1, lambda n: trainer.train_step(batch)),
        "beam 5, an image": (
            len(X) / more,
            lambda n: caption_images(shipped, X, workers=Workers(jobs=n)),
        ),
        "a sentence and an image": (
            16 * len(encoded) / more,
            lambda n: pair_scores(shipped, X[:16], encoded, Workers(jobs=n)),
        ),
    }
    found = {
        name: {n: seconds(partial(call, n), n) / count for n in (1, 2)}
        for name, (count, call) in calls.items()
    }
    memory = {
        "step": new_memory(partial(first_step, model, batch)),
        "features": new_memory(partial(describe, CNN, files[:4])),
        "pair": new_memory(partial(calls["a sentence and an image"][1], 1)),
    }
    return found, more, memory


def processor() -> str:
    """Return what the system says this machine's processor is."""
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.split(":")[1] for line in file if "model name" in line]
        return names[0].strip()
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def duration(value: float) -> str:
    """Return a time in the unit that a person would use."""
    for name, size in (("years", 365 * 86400), ("days", 86400), ("h", 3600)):
        if value >= 2 * size:
            return f"{value / size:.3g} {name}"
    number, name = (value / 60, "min") if value >= 60 else (value, "s")
    return f"{number:.0f} {name}" if number >= 10 else f"{number:.1f} {name}"


def table(*rows: tuple[str, ...]) -> str:
    """Return a Markdown table; the first row is its head."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "| --- " * len(rows[0]) + "|", *lines[1:]])


PAGE = """# What MS COCO costs

Arithmetic, not a run: what one unit of work costs on one core of this machine, times
the size of the data set. `python benchmarks/coco_cost.py` measures again and prints
this page.

COCO's 2014 release has {IMAGES:,} images and {CAPTIONS:,} captions; {TRAIN_CAPTIONS:,}
captions are for training, {VAL_IMAGES:,} images for validation. {WORDS:,} words occur
five times or more, a caption has {LENGTH} words with its `<end>`, an image is described
by the {D:,} numbers of {CNN}.

## Units

{unit_table}

One core multiplies matrices at {one:.0f} GFLOP/s, two at {two:.0f} ({processor}).
Beams and pairs were measured with the {small:,} words of the shipped model and their
time multiplied by {more:.1f}: products with the vocabulary are nearly all they do.

## Cores

{core_table}

Features, beams and pairs come in blocks that know nothing of each other: n cores, here
or (`--backend dask`) on other machines, take 1/n of the time as long as memory and disk
keep up. Training is one step after the other in one process. Two threads made a step
{gain:.2f} times as fast, so a share of {alone:.0%} is done by one thread alone, and the
rows above follow Amdahl's law with it. That is an extrapolation; beyond 8 cores, train
several seeds beside each other instead.

All images against all captions is out of reach for an exact search. That is why the
usual protocol takes {RANKED:,} images, and what `rank --shortlist` and the bounds of
`search` are for.

## Memory, disk and network

{memory_table}

A cluster gets its pictures through the machine that starts the run: to keep 64 cores
busy takes {network:.2f} Gbit/s. Beams and pairs send a model of {parameters:.0f} MB
once to each worker, then the features of a few images a block.

## In which order

1. `mrnn-np features coco:DIR -o F.npz --jobs N`, once: everything else reads F.npz. It
   can be stopped and goes on with `--resume`.
2. `mrnn-np train coco:DIR --features F.npz`: after the first epoch judge how many are
   wanted.
3. `mrnn-np evaluate` and `rank` on the test split of `karpathy:dataset_coco.json`,
   {RANKED:,} images, rather than on all {VAL_IMAGES:,}.
"""


def main() -> None:
    speed = {n: 2e-9 * gemm_speed(n) for n in (1, 2)}
    unit, more, memory = units()
    D = load_once(CNN).feature_size
    steps = -(-TRAIN_CAPTIONS // BATCH)
    step = unit["a training step"]
    # Amdahl: what two threads gained tells which share one of them does alone.
    alone = min(1.0, max(0.0, 2 * step[2] / step[1] - 1))
    blocks = {
        "features of all images": (IMAGES, "features of an image"),
        f"beam 5, {VAL_IMAGES:,} validation images": (VAL_IMAGES, "beam 5, an image"),
        f"rank: {RANKED:,} images, {5 * RANKED:,} sentences": (
            5 * RANKED**2,
            "a sentence and an image",
        ),
        "all images, all captions": (IMAGES * CAPTIONS, "a sentence and an image"),
    }
    by_cores = {
        name: {n: count * unit[one][1] / n for n in CORES}
        for name, (count, one) in blocks.items()
    }
    for name, count in (("an epoch", steps), (f"{EPOCHS} epochs", EPOCHS * steps)):
        by_cores[f"{name} of training"] = {
            n: count * step[1] * (alone + (1 - alone) / n) for n in CORES
        }
    parameters = sum(
        array.size for array in training_case(V=WORDS, N=2, D=D)[0].params.values()
    )
    matrix = IMAGES * D
    kept = {
        "pictures on disk": JPEG_BYTES * IMAGES,
        "features, float16, on disk": 2 * matrix,
        "`train`: features, float16 and twice float32 while it starts": 10 * matrix,
        "`train`: new arrays of a step, and parameters with Adam's moments": (
            memory["step"] + 12 * parameters
        ),
        "`features`, each process": memory["features"] + 2e8,
        f"`rank`: the matrix of {RANKED:,} x {5 * RANKED:,}": 4 * 5 * RANKED**2,
        "`rank`, each thread": memory["pair"],
    }
    print(
        PAGE.format(
            IMAGES=IMAGES,
            CAPTIONS=CAPTIONS,
            TRAIN_CAPTIONS=TRAIN_CAPTIONS,
            VAL_IMAGES=VAL_IMAGES,
            WORDS=WORDS,
            LENGTH=LENGTH,
            RANKED=RANKED,
            CNN=CNN,
            D=D,
            unit_table=table(
                ("one core", "ms"),
                *((name, f"{1e3 * value[1]:.3g}") for name, value in unit.items()),
            ),
            one=speed[1],
            two=speed[2],
            processor=processor(),
            small=round(WORDS / more),
            more=more,
            core_table=table(
                ("job", *(f"{n} core{'s' * (n > 1)}" for n in CORES)),
                *(
                    (name, *(duration(value[n]) for n in CORES))
                    for name, value in by_cores.items()
                ),
            ),
            gain=step[1] / step[2],
            alone=alone,
            memory_table=table(
                ("what", "GB"),
                *((name, f"{value / 1e9:.2g}") for name, value in kept.items()),
            ),
            network=64 * JPEG_BYTES * 8e-9 / unit["features of an image"][1],
            parameters=4e-6 * parameters,
        )
    )


if __name__ == "__main__":
    main()
