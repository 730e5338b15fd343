"""Exact likelihoods of 5,000 sentences, beside the matrix products they consist of.

    python benchmarks/retrieval.py [--repeats 3] [--cpu]

What is to be reached is a share of the machine's own limit, which is measured in turn
with our run: as many threads as cores, each multiplying matrices and nothing else. A
few images stand for the 1,000: every block of images costs the same.
"""

import argparse
from functools import partial

import numpy as np
from drawn import features, sentences
from timing import Row, blas_threads, interleave, new_memory

import mrnn_np as mr
from mrnn_np.retrieval.likelihood import BLOCK
from mrnn_np.retrieval.pairs import pair_scores
from mrnn_np.runtime.machine import SIZES
from mrnn_np.runtime.parallel import spread
from mrnn_np.runtime.workers import Workers

IMAGES, SENTENCES = 1000, 5000
BLOCKS = 1  # of images, a thread
PRODUCTS = 100  # a thread: half a second
SHARE = 0.85  # of the limit, needed
BYTES = 1024  # MB, the default of `mrnn-np rank`


def products(number: int) -> float:
    """Multiply matrices of the size that the output layer has."""
    rows, depth, columns = SIZES
    rng = np.random.default_rng(number)
    a = rng.standard_normal((rows, depth), np.float32)
    b = rng.standard_normal((depth, columns), np.float32)
    out = np.empty((rows, columns), np.float32)
    for _ in range(PRODUCTS):
        np.matmul(a, b, out=out)
    return out[0, 0]


def measure(repeats: int = 3, cpu: bool = False) -> list[Row]:
    """Measure a block of images a thread."""
    model = mr.load_model("flickr8k")
    texts = [one for five in sentences(model, SENTENCES // 5) for one in five]
    encoded = [model.encode(text) for text in texts]
    jobs = blas_threads()
    images = features(model, BLOCK * BLOCKS * jobs, seed=2)
    workers = Workers(jobs=jobs)
    ours = partial(pair_scores, model, images, encoded, workers, BYTES)
    work = ours()[1]

    def limit():
        return list(spread(products, range(jobs), workers))

    mine, theirs = interleave((ours, limit), repeats, cpu)
    theirs *= work.multiply_adds / (jobs * PRODUCTS * np.prod(SIZES))
    scale = IMAGES / len(images)
    job = f"likelihoods, {SENTENCES} x {IMAGES}, exact"
    memory = new_memory(ours)
    return [Row(job, mine * scale, "its products alone", theirs * scale, SHARE, memory)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cpu", action="store_true", help="CPU seconds of the process")
    args = parser.parse_args()
    for row in measure(args.repeats, args.cpu):
        print(row)
