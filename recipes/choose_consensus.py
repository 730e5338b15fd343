"""How many neighbours, how many votes, alike in what? Consensus reranking, on dev.

    python recipes/choose_consensus.py flickr8k:DIR --features F.npz --checkpoint M

Searches once for the beam's sentences of every image of the split, then reranks them
in every way: neighbours by the model's refined feature or by the CNN's, by Euclidean
distance or by the angle; similarity of sentences by CIDEr or by BLEU; k neighbours and
the m largest votes. Each cell of a table is BLEU-4 / CIDEr of the sentences that come
first. The defaults of mrnn_np/decoding/consensus.py are read off these tables.

Above the tables: the beam as it is, and two oracles, which sort by the image's own
references and say how much there is to gain. About a minute after the search.

On Flickr8k dev, with the shipped model, the beam's .209/.497 becomes .223/.581 by CIDEr
and .224/.563 by BLEU with k = 20, m = 75. An earlier model with fewer image features
liked k = 30, m = 125 a little better (.217/.562, and .214/.558 with k = 20, m = 100).
Tried as well, with that one, and left out:

- the sentence's log-probability added to the votes: BLEU-4 +.003, CIDEr -.004;
- votes weighted by how near the image is, or neighbours by both features side by side:
  no difference above .005, in either direction;
- a wider beam, which is `--beam`: .221/.567 by CIDEr with 20, .219/.573 with 40, for
  two and five times the search.
"""

import argparse
from collections.abc import Sequence

import numpy as np

from mrnn_np.cli.inputs import add_checkpoint, add_features, load_scoring
from mrnn_np.data import get_tokenizer
from mrnn_np.decoding.consensus import Consensus
from mrnn_np.decoding.similarity import SIMILARITIES
from mrnn_np.metrics import bleu, cider
from mrnn_np.metrics.ngrams import count_corpus

NEIGHBOURS = (10, 20, 30, 40, 60, 80, 100)  # k
VOTES = (25, 50, 75, 100, 125, 175, 250)  # m


class Ratings:
    """BLEU counts and CIDEr of every sentence of every beam, computed once.

    Parameters
    ----------
    beams : for each of N images its H captions.
    references : for each image what people said, as lists of words.
    """

    def __init__(self, beams: Sequence, references: Sequence) -> None:
        truth = [own for own, beam in zip(references, beams, strict=True) for _ in beam]
        corpus = count_corpus(truth, [one.tokens for beam in beams for one in beam])
        frequencies = cider.document_frequencies(references)
        self.first = np.cumsum([0, *map(len, beams)])[:-1]  # row of each beam's best
        self.counts = bleu.image_counts(corpus)  # a row a sentence
        self.ciders = cider.image_scores(corpus, frequencies)

    def of(self, chosen: np.ndarray | int) -> str:
        """Return "BLEU-4/CIDEr" of sentence chosen[i] of the beam of image i."""
        rows = self.first + chosen
        scores = bleu.bleu_of_counts(self.counts[rows].sum(axis=0))
        return f"{scores[3]:.3f}/{self.ciders[rows].mean():.3f}"


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return vectors of length 1: among them the nearest has the smallest angle."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def table(consensus: Consensus, beams, near: np.ndarray, similarity: str) -> dict:
    """Return {(k, m): for each image which sentence of its beam comes first}."""
    similarities = consensus.similarities
    first = {}
    for own, images in zip(beams, near, strict=True):
        bag = similarities.bag([caption.tokens for caption in own])
        found = similarities.compare(
            bag, slice(0, len(own)), similarities.collection,
            consensus.pool(images), similarity,
        )  # fmt: skip
        for k in NEIGHBOURS:
            pool = len(consensus.pool(images[:k]))  # the nearest come first
            sums = -np.sort(-found[:, :pool], axis=1).cumsum(axis=1)
            for m in VOTES:
                if m <= pool:
                    first.setdefault((k, m), []).append(sums[:, m - 1].argmax())
    return {
        cell: np.array(chosen)
        for cell, chosen in first.items()
        if len(chosen) == len(beams)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", metavar="DATASET", help="NAME:PATH")
    parser.add_argument("--split", default="dev", help="which list (default dev)")
    add_features(parser)
    add_checkpoint(parser)
    parser.add_argument("--beam", type=int, default=10, metavar="K", help="default 10")
    args = parser.parse_args()

    model, dataset, features = load_scoring(args)
    names = [n for n in dataset.split(args.split) if n not in features.failed]
    matrix = features.rows(names)
    tokenize = get_tokenizer(model.tokenizer).tokenize
    references = [list(map(tokenize, dataset.captions[name])) for name in names]
    beams = model.caption(
        matrix, beam_size=args.beam, n_best=args.beam, label="captions"
    )
    ratings = Ratings(beams, references)
    consensus = Consensus.of_training_split(model, dataset, features)

    print(f"{dataset.name} {args.split}: {len(names)} images, beam {args.beam}")
    print(f"  beam          {ratings.of(0)}  (BLEU-4/CIDEr)")
    for similarity in SIMILARITIES:
        best = consensus.oracle(beams, references, similarity)
        chosen = [own.index(one[0]) for own, one in zip(beams, best, strict=True)]
        print(f"  {similarity:<5} oracle  {ratings.of(np.array(chosen))}")

    train = features.rows(consensus.names)
    refined = model.refined_features(train), model.refined_features(matrix)
    cnn = model.standardise(train), model.standardise(matrix)
    spaces = {
        "refined feature": refined,
        "refined feature, angle": tuple(map(unit, refined)),
        "CNN's feature": cnn,
        "CNN's feature, angle": tuple(map(unit, cnn)),
    }
    for space, (known, asked) in spaces.items():
        consensus.nearest.fit(known)
        near = consensus.neighbours(asked, max(NEIGHBOURS), names)
        for similarity in SIMILARITIES:
            cells = {
                cell: ratings.of(chosen)
                for cell, chosen in table(consensus, beams, near, similarity).items()
            }
            print(f"\nneighbours by the {space}, similarity {similarity}")
            print("  k \\ m" + "".join(f"{m:>12}" for m in VOTES))
            for k in NEIGHBOURS:
                row = (cells.get((k, m), "") for m in VOTES)
                print(f"  {k:<5}" + "".join(f"{cell:>12}" for cell in row), flush=True)


if __name__ == "__main__":
    main()
