"""The same work with one thread, one a core, and twice as many as there are cores.

    python benchmarks/threads.py [--repeats 3]

More threads must give the same result and must not be slower, not even when they wait
for each other's cores. `agree` checks the result. These are seconds that pass, so the
machine has to be free.
"""

import argparse
from collections.abc import Callable
from functools import partial

import numpy as np
from drawn import describe, features, photograph, sentences, training_case
from joblib import cpu_count
from threadpoolctl import threadpool_limits
from timing import Row, interleave

import mrnn_np as mr
from mrnn_np.decoding.blocks import caption_images
from mrnn_np.layers import Buffers
from mrnn_np.retrieval.pairs import pair_scores
from mrnn_np.runtime.threads import within_cores
from mrnn_np.runtime.workers import Workers

NOT_SLOWER = 0.95  # ratio needed: 5 % are lost in the noise
SAME = 1e-4  # of the largest number: rounding depends on who adds what


def training_step() -> Callable[[int], list[np.ndarray]]:
    """Return the loss and the mean gradients of a batch of the paper's sizes."""
    model, batch = training_case(dropout=0.0)
    buffers = Buffers()

    def call(threads: int) -> list[np.ndarray]:
        loss, grads = model.loss_and_grads(batch, buffers=buffers)
        return [np.array([loss, *(np.abs(g).mean() for g in grads.values())])]

    return call


def cnn_features(name: str) -> Callable[[int], list[np.ndarray]]:
    """Return the features of eight JPEG files."""
    files = [photograph(seed) for seed in range(8)]

    def call(threads: int) -> list[np.ndarray]:
        return [describe(name, files)]

    return call


def beams(model) -> Callable[[int], list[np.ndarray]]:
    """Return the log-probabilities of what is found for 400 images."""
    X = features(model, 400)

    def call(threads: int) -> list[np.ndarray]:
        found = caption_images(model, X, workers=Workers(jobs=threads))
        return [np.array([best[0].log_prob for best in found])]

    return call


def likelihoods(model) -> Callable[[int], list[np.ndarray]]:
    """Return the likelihoods of 200 sentences for 32 images."""
    texts = [text for five in sentences(model, 40) for text in five]
    encoded, X = [model.encode(text) for text in texts], features(model, 32)

    def call(threads: int) -> list[np.ndarray]:
        return [pair_scores(model, X, encoded, Workers(jobs=threads))[0]]

    return call


def limited(call: Callable[[int], list[np.ndarray]], threads: int) -> list[np.ndarray]:
    """Call with so many threads, of BLAS or of our own.

    As in training and in extraction, BLAS is not left more threads than cores.
    """
    with threadpool_limits(threads), within_cores():
        return call(threads)


def agree(job: str, results: list[list[np.ndarray]]) -> None:
    """Stop unless all numbers of threads gave the same."""
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            apart = np.abs(a - b).max() / np.abs(a).max()
            if not apart < SAME:
                raise SystemExit(f"{job}: threads change the result by {apart:.1e}")


def measure(repeats: int = 3, cpu: bool = False) -> list[Row]:
    """Measure four jobs; seconds that pass, whatever `cpu` says."""
    counts = sorted({1, cpu_count(), 2 * cpu_count()})
    model = mr.load_model("flickr8k")
    jobs = {
        "training step": training_step(),
        "features, 8 images": cnn_features("efficientnet_lite0"),
        "beam 5, 400 images": beams(model),
        "likelihoods, 200 x 32": likelihoods(model),
    }
    rows = []
    for job, call in jobs.items():
        calls = [partial(limited, call, threads) for threads in counts]
        agree(job, [one() for one in calls])
        times = interleave(calls, repeats)
        for i in range(1, len(counts)):
            name = f"{counts[i - 1]} thread{'s' * (counts[i - 1] > 1)}"
            what = f"{job}, {counts[i]} threads"
            rows.append(Row(what, times[i], name, times[i - 1], NOT_SLOWER))
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    for row in measure(args.repeats):
        print(row)
