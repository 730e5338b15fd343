"""Freeze what coco-caption says of made-up captions.

    pip install pycocoevalcap && python tests/golden/make_metrics.py

writes tests/golden/metrics.json: sentences drawn from a small vocabulary and from a
small grammar with seed 5 (so that n-grams repeat), sentences written by hand, and what
pycocoevalcap's scorers give, for the corpus and for each sentence. METEOR needs Java.

pycocoevalcap has CIDEr-D only (and calls it CIDEr). The first author's own `cider` has
plain CIDEr too, and differs in two places: no clipping, no punishment of length. Both
are switched off from outside here: sigma is infinite, and the module's `min` returns
its first argument.
"""

import contextlib
import io
import json
import math
import random
from pathlib import Path

from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider import cider_scorer
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.meteor.meteor import Meteor
from pycocoevalcap.rouge.rouge import Rouge

WORDS = "a a a man dog the red in runs on two sits with ball".split()
GRAMMAR = {
    "S": ["NP V PLACE", "NP V", "NP and NP V PLACE", "there is NP PLACE"],
    "NP": ["a A N", "the N", "two A N", "a N with a A T", "a A , A N"],
    "A": ["small", "brown", "young", "big", "wet", "smiling", "old"],
    "N": ["dog", "boy", "girl", "man", "horse", "woman", "child"],
    "T": ["ball", "hat", "stick", "bag"],
    "V": ["is running", "jumps", "is sitting", "looks up", "plays with a T", "waits"],
    "PLACE": ["in the T2", "on the T2", "near NP", "in front of a T2"],
    "T2": ["grass", "snow", "water", "street", "field", "house"],
}


def sentence(rng: random.Random, shortest: int, longest: int) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(shortest, longest)))


def grow(rng: random.Random, symbol: str = "S") -> str:
    if symbol not in GRAMMAR:
        return "" if symbol == "," else symbol
    parts = [grow(rng, part) for part in rng.choice(GRAMMAR[symbol]).split()]
    return " ".join(part for part in parts if part)


def cases() -> dict[str, tuple[dict, dict]]:
    rng = random.Random(5)
    references = {
        str(i): [sentence(rng, 4, 14) for _ in range(rng.randint(1, 6))]
        for i in range(40)
    }
    hypotheses = {i: [sentence(rng, 3, 12)] for i in references}
    # A person's own sentence, so that 4-grams match.
    for i in list(references)[::3]:
        hypotheses[i] = [references[i][0]]
    c5 = {str(i): [grow(rng) for _ in range(5)] for i in range(60)}
    c40 = {str(i): [grow(rng) for _ in range(40)] for i in range(15)}
    hand = {
        "one image": ({"x": ["a man runs on a dog"]}, {"x": ["a man runs"]}),
        "short": (
            {"x": ["a man runs on a dog"], "y": ["two dogs"]},
            {"x": ["man"], "y": ["two"]},
        ),
        "long": ({"x": ["a man"]}, {"x": ["a man runs on a red dog"]}),
        "repeated": (
            {"x": ["the dog in the sun", "a dog lies in the sun"], "y": ["a red car"]},
            {"x": ["the the the sun sun sun"], "y": ["red red red red car"]},
        ),
        "no match": ({"x": ["a man runs"]}, {"x": ["red ball sits"]}),
        "tie": ({"x": ["a man runs", "a man runs on a"]}, {"x": ["a man runs on"]}),
        "empty": (
            {"x": ["a man runs"], "y": ["a dog", "the dog"], "z": ["a cat sleeps"]},
            {"x": [""], "y": ["a dog"], "z": [""]},
        ),
        "all empty": ({"x": ["a man runs"], "y": ["a dog"]}, {"x": [""], "y": [""]}),
        "empty reference": (
            {"x": ["", "a man"], "y": [""], "z": ["a cat"]},
            {"x": ["a man"], "y": [""], "z": ["dog"]},
        ),
        "shared by all": (
            {"x": ["a dog", "a dog runs"], "y": ["a dog"], "z": ["a dog"]},
            {"x": ["a dog runs"], "y": ["a dog"], "z": ["the dog"]},
        ),
    }
    return {
        "drawn": (references, hypotheses),
        "c5": (c5, {i: [grow(rng)] for i in c5}),
        "c40": (c40, {i: [grow(rng)] for i in c40}),
        **hand,
    }


def plain_cider(references: dict, hypotheses: dict):
    cider_scorer.min = lambda hypothesis, reference: hypothesis
    try:
        return Cider(sigma=math.inf).compute_score(references, hypotheses)
    finally:
        del cider_scorer.min


if __name__ == "__main__":
    frozen = {}
    for name, (references, hypotheses) in cases().items():
        with contextlib.redirect_stdout(io.StringIO()):
            bleu, each_bleu = Bleu(4).compute_score(references, hypotheses, verbose=0)
        results = {
            "ROUGE-L": Rouge().compute_score(references, hypotheses),
            "CIDEr": Cider().compute_score(references, hypotheses),
            "plain CIDEr": plain_cider(references, hypotheses),
            "METEOR": Meteor().compute_score(references, hypotheses),
        }
        for n in range(4):
            results[f"BLEU-{n + 1}"] = bleu[n], each_bleu[n]
        frozen[name] = {
            "references": references,
            "hypotheses": hypotheses,
            "corpus": {key: float(value) for key, (value, _) in results.items()},
            "each": {key: list(map(float, v)) for key, (_, v) in results.items()},
        }
    path = Path(__file__).with_name("metrics.json")
    path.write_text(json.dumps(frozen, indent=0) + "\n", encoding="utf-8")
