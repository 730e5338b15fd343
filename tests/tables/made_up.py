"""Rows made by hand: what passes between training and tables, without any training.

40 grey images with 5 sentences each; rows that speak, rank, failed, or have two seeds.
"""

import numpy as np
from PIL import Image

from mrnn_np.data.dataset import CaptionDataset

N = 40
WORDS = "a the man dog red runs sits on in grass ball two".split()
PLAN = {
    "kind": "tables plan",
    "version": 1,
    "dataset": "flickr8k:DIR",
    "split": "dev",
    "images": N,
    "gallery": 20,
    "epochs": 4,
    "batch_size": 128,
    "learning_rates": [1e-3, 5e-4, 2e-3],
    "dropouts": [0.5, 0.2],
    "minutes": 150.0,
    "fingerprint": "f",
    "command": "mrnn-np tables flickr8k:DIR --features <F>",
}


class GreyImages:
    """Small grey pictures."""

    def open(self, name: str) -> Image.Image:
        return Image.new("RGB", (40, 30), (128, 128, 128))


def sentence(rng: np.random.Generator) -> str:
    return " ".join(rng.choice(WORDS, rng.integers(5, 9)))


def dataset(seed: int = 0) -> CaptionDataset:
    """Return images whose five sentences share most of their words."""
    rng = np.random.default_rng(seed)
    captions = {}
    for i in range(N):
        words = sentence(rng).split()
        captions[f"{i:02d}.png"] = [changed(words, rng, 0.3) for _ in range(5)]
    return CaptionDataset("flickr8k", GreyImages(), captions, {"dev": list(captions)})


def changed(words, rng: np.random.Generator, share: float) -> str:
    """Return a sentence of which some words are others."""
    return " ".join(
        str(rng.choice(WORDS)) if rng.random() < share else w for w in words
    )


def captions_of(data: CaptionDataset, share: float, seed: int = 1) -> dict[str, str]:
    """Return captions that are people's, more or less."""
    rng = np.random.default_rng(seed)
    return {n: changed(own[0].split(), rng, share) for n, own in data.captions.items()}


def score(value: float, *seeds: float, width: float = 0.02) -> dict:
    """Return a score with its interval and seeds."""
    return {
        "value": value,
        "low": round(value * (1 - width), 6),
        "high": round(value * (1 + width), 6),
        "seeds": list(seeds or [value]),
    }


def captioner(name: str, bleu: float, perplexity: float, *seeds: float) -> dict:
    """Return a row that speaks; seeds : its BLEU-4, one a seed."""
    values = [score(round(bleu * f, 4)) for f in (3.0, 2.1, 1.5)]
    around = [perplexity + i / 8 for i in range(len(seeds))]
    rng = np.random.default_rng(len(name))
    tokens = rng.integers(30, 60, N)
    return {
        "kind": "table row", "version": 1, "plan": "f", "row": name, "reason": None,
        "model": name, "config": {}, "training": {},
        "search": [
            {"learning_rate": 1e-3, "dropout": 0.5, "dev_loss": 2.9123},
            {"learning_rate": 5e-4, "dropout": 0.3, "dev_loss": None},
        ],
        "parameters": 4.1e6, "training_seconds": 754.0, "captions_per_second": 912.3,
        "recurrent_size": 256, "cell": "relu", "seeds": list(range(len(seeds) or 1)),
        "scores": {
            "perplexity": score(perplexity, *around),
            **{f"BLEU-{n}": value for n, value in enumerate(values, start=1)},
            "BLEU-4": score(bleu, *seeds, width=0.06),
            "ROUGE-L": score(0.45), "CIDEr": score(2.4 * bleu, width=0.07),
        },
        "nats": (tokens * np.log(perplexity) * rng.uniform(0.9, 1.1, N)).tolist(),
        "tokens": tokens.tolist(),
        "retrieval": {},
    }  # fmt: skip


def ranks(median: float, queries: int, seed: int) -> list[int]:
    """Return ranks of the first right result."""
    rng = np.random.default_rng(seed)
    return (1 + rng.exponential(median / np.log(2), queries)).astype(int).tolist()


def with_retrieval(row: dict, median: float, gallery: int = 20) -> dict:
    """Return a row that also ranks."""
    ways = {"sentences": 5 * gallery}
    for way, queries in (("image to sentence", 1), ("sentence to image", 5)):
        own = ranks(median, queries * gallery, len(row["row"]))
        ways[way] = {
            **{
                f"R@{K}": score(round(100 * float(np.mean(np.array(own) <= K)), 3))
                for K in (1, 5, 10)
            },
            "median": score(float(np.median(own))),
            "ranks": own,
        }
    return {**row, "retrieval": {str(gallery): ways}}


def ranker(name: str, median: float) -> dict:
    """Return a row that ranks and cannot speak."""
    row = {**captioner(name, 0.1, 20.0), "scores": {}, "captions_per_second": None}
    del row["nats"], row["tokens"]
    return with_retrieval(row, median)


def failed(name: str, reason: str) -> dict:
    """Return a row without numbers."""
    row = captioner(name, 0.1, 20.0)
    for key in ("parameters", "training_seconds", "captions_per_second"):
        row[key] = None
    return {**row, "reason": reason, "scores": {}, "nats": None, "tokens": None}


def baseline(name: str, bleu: float) -> dict:
    """Return a row without training."""
    row = captioner(name, bleu, 1.0)
    for key in ("model", "parameters", "training_seconds", "captions_per_second",
                "config", "training", "recurrent_size", "cell"):  # fmt: skip
        row[key] = None
    del row["scores"]["perplexity"], row["nats"], row["tokens"]
    return {**row, "search": []}


def few_rows() -> list[dict]:
    """Return six rows: two seeds, a peer, no image, a ranker, a failure, people."""
    return [
        baseline("human", 0.218),
        with_retrieval(captioner("mrnn", 0.213, 17.03, 0.210, 0.216), 2.0),
        with_retrieval(captioner("nic", 0.18, 18.5, 0.18, 0.18), 3.0),
        captioner("rnn-base", 0.04, 24.0),
        failed("mrnn-lstm", "training <b>diverged</b> & more in epoch 2"),
        ranker("dmsm", 4.0),
    ]


def few_captions(data: CaptionDataset) -> dict[str, dict[str, str]]:
    """Return captions of those of `few_rows` that speak."""
    shares = {"mrnn": 0.2, "nic": 0.5, "rnn-base": 0.9}
    made = {row: captions_of(data, share) for row, share in shares.items()}
    made["nic"]["03.png"] = "a <script>alert(1)</script> & a dog"
    return made
