"""How good do captions from a CPU get? Everything the model family allows, on dev.

    python recipes/best_captions.py flickr8k:DIR --features LITE0.npz \\
        --features VGG16.npz --out runs/best --seeds 3

Trains the same model with several seeds (a run that is there already is not repeated,
one that was stopped goes on), then prints a table in Markdown: every single model and
the ensemble of all, each as it is and reranked by consensus, with a narrow and with a
wide beam; and how well the first model, and the ensemble, find images and sentences.
One --features file a CNN: several are put side by side.

Trained on the training list, compared on dev: a row is chosen here, so dev flatters it.
What was found is in recipes/README.md.
"""

import argparse
import dataclasses
from pathlib import Path

import numpy as np

from mrnn_np.cli.inputs import add_features, load_features
from mrnn_np.data import load_dataset
from mrnn_np.decoding.consensus import Consensus
from mrnn_np.evaluation import rate_captions, rate_sentences
from mrnn_np.metrics.score import Rating
from mrnn_np.models import Ensemble, MRNNConfig, load_model
from mrnn_np.retrieval.protocol import retrieve
from mrnn_np.runtime.progress import say
from mrnn_np.training import Trainer, load_config, prepare

BEAMS = (5, 10, 20)


def train(dataset, features, config, seed: int, out: Path):
    """Return the model of one seed, trained now unless its file is there already."""
    folder = out / f"seed{seed}"
    done = folder / "done"
    if not done.exists():
        model_config, training = config
        training = dataclasses.replace(training, seed=seed)
        model, examples, dev = prepare(dataset, features, model_config, training)
        say(f"training seed {seed}")
        trainer = Trainer(model, training, folder)
        trainer.fit(examples, dev, resume=(folder / "last.npz").exists())
        done.touch()
    return load_model(str(folder / "best.npz"))


def caption_rows(label: str, model, dataset, names, features) -> None:
    """Print one row a beam and a way of reranking."""
    matrix = features.rows(names)
    part = rate_sentences(model, dataset, names, matrix)
    perplexity = Rating(tuple(names), (part,)).corpus["perplexity"]
    consensus = Consensus.of_training_split(model, dataset, features)
    vectors = model.refined_features(matrix)
    for beam in BEAMS:
        beams = model.caption(matrix, beam_size=beam, n_best=beam, label=f"beam {beam}")
        orders = {"-": beams} | {
            by: consensus.rerank(beams, vectors, names, by) for by in ("cider", "bleu")
        }
        for by, order in orders.items():
            texts = {n: own[0].text for n, own in zip(names, order, strict=True)}
            scores = rate_captions(dataset, texts).corpus
            numbers = [f"{scores[f'BLEU-{n}']:.3f}" for n in (1, 2, 3, 4)]
            numbers += [f"{scores[name]:.3f}" for name in ("ROUGE-L", "CIDEr")]
            cells = [label, f"{perplexity:.2f}", str(beam), by, *numbers]
            print(f"| {' | '.join(cells)} |", flush=True)


def retrieval_rows(label: str, model, dataset, names, features, path: Path) -> None:
    """Print recall in both directions, from the exact matrix (kept in a file)."""
    rng = np.random.default_rng(0)
    training = [name for name in dataset.split("train") if name in features]
    sampled = [training[i] for i in rng.permutation(len(training))[:200]]
    found = retrieve(
        model, dataset, names, features.rows(names), features.rows(sampled), rng,
        path=path,
    )  # fmt: skip
    for task in ("image to sentence, marginal", "sentence to image"):
        row = found.rows[task]
        numbers = [f"{value:.1f}" for value in row.at.values()]
        cells = [label, task, *numbers, f"{row.median:.0f}"]
        print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    summary, _, rest = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("dataset", metavar="DATASET")
    add_features(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seeds", type=int, default=3, help="models (default 3)")
    parser.add_argument("--config", type=Path, metavar="C.toml")
    args = parser.parse_args()
    dataset = load_dataset(args.dataset)
    features = load_features(args.features)
    names = [name for name in dataset.split("dev") if name in features]
    config = load_config(args.config, MRNNConfig)
    models = [
        train(dataset, features, config, seed, args.out) for seed in range(args.seeds)
    ]
    rows = {f"seed {seed}": model for seed, model in enumerate(models)}
    if len(models) > 1:
        rows[f"ensemble of {len(models)}"] = Ensemble(models)
    print("| model | perplexity | beam | reranked by | B-1 | B-2 | B-3 | B-4 "
          "| ROUGE-L | CIDEr |\n" + "| --- " * 10 + "|")  # fmt: skip
    for label, model in rows.items():
        caption_rows(label, model, dataset, names, features)
    print("\n| model | task | R@1 | R@5 | R@10 | median |\n" + "| --- " * 6 + "|")
    for label in dict.fromkeys((next(iter(rows)), list(rows)[-1])):  # first and last
        path = args.out / f"{label.replace(' ', '-')}.likelihoods.npz"
        retrieval_rows(label, rows[label], dataset, names, features, path)


if __name__ == "__main__":
    main()
