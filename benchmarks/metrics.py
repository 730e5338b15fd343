"""CIDEr and BLEU of 1,000 captions with 5 references each, beside pycocoevalcap.

    python benchmarks/metrics.py [--repeats 5] [--cpu]

Both begin with sentences whose words stand between spaces, and both give the corpus'
scores and each image's. `agree` checks that they are the same to 1e-9.
"""

import argparse
import contextlib
import io

import numpy as np
from drawn import sentences
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from timing import Row, interleave, new_memory

import mrnn_np as mr
from mrnn_np.metrics import bleu, cider
from mrnn_np.metrics.ngrams import ORDERS, count_corpus

IMAGES = 1000
FASTER = 5.0  # ratio needed


def ours(references: dict, hypotheses: dict) -> np.ndarray:
    """Return BLEU-1..4 and CIDEr-D: of each image, (N, 5), the corpus' below them."""
    names = list(references)
    corpus = count_corpus(
        [[text.split() for text in references[name]] for name in names],
        [hypotheses[name][0].split() for name in names],
    )
    counts, consensus = bleu.image_counts(corpus), cider.image_scores(corpus)
    each = np.column_stack([bleu.bleu_of_counts(counts), consensus])
    whole = [*bleu.bleu_of_counts(counts.sum(axis=0)), consensus.mean()]
    return np.vstack([each, whole])


def theirs(references: dict, hypotheses: dict) -> np.ndarray:
    """Return the same by pycocoevalcap."""
    with contextlib.redirect_stdout(io.StringIO()):
        whole, each = Bleu(ORDERS).compute_score(references, hypotheses, verbose=0)
    mean, consensus = Cider().compute_score(references, hypotheses)
    return np.vstack([np.column_stack([*each, consensus]), [*whole, mean]])


def agree(references: dict, hypotheses: dict) -> None:
    """Stop unless every score is the same to 1e-9."""
    apart = np.abs(ours(references, hypotheses) - theirs(references, hypotheses))
    if not apart.max() < 1e-9:
        raise SystemExit(f"scores differ by {apart.max():.1e}")


def measure(repeats: int = 5, cpu: bool = False) -> list[Row]:
    """Measure one corpus, its sentences sampled from the shipped model."""
    drawn = sentences(mr.load_model("flickr8k"), IMAGES, each=6)
    references = {str(i): texts[:5] for i, texts in enumerate(drawn)}
    hypotheses = {str(i): texts[5:] for i, texts in enumerate(drawn)}
    agree(references, hypotheses)
    calls = [lambda f=f: f(references, hypotheses) for f in (ours, theirs)]
    mine, peer = interleave(calls, repeats, cpu)
    job = f"CIDEr and BLEU, {IMAGES} captions"
    return [Row(job, mine, "pycocoevalcap", peer, FASTER, new_memory(calls[0]))]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cpu", action="store_true", help="CPU seconds of the process")
    args = parser.parse_args()
    for row in measure(args.repeats, args.cpu):
        print(row)
