"""Freeze what coco-caption says of BLEU on made-up captions.

    pip install pycocoevalcap && python tests/golden/make_bleu.py

writes tests/golden/bleu.json: sentences drawn from a small vocabulary with seed 5 (so
that n-grams repeat), and the scores that pycocoevalcap gives them, for the corpus and
for each sentence.
"""

import contextlib
import io
import json
import random
from pathlib import Path

from pycocoevalcap.bleu.bleu import Bleu

WORDS = "a a a man dog the red in runs on two sits with ball".split()


def sentence(rng: random.Random, shortest: int, longest: int) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(shortest, longest)))


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
    hand = {
        "short": ({"x": ["a man runs on a dog"]}, {"x": ["a man"]}),
        "long": ({"x": ["a man"]}, {"x": ["a man runs on a red dog"]}),
        "repeated": ({"x": ["the dog in the sun"]}, {"x": ["the the the the the"]}),
        "no match": ({"x": ["a man runs"]}, {"x": ["red ball sits"]}),
        "tie": ({"x": ["a man runs", "a man runs on a"]}, {"x": ["a man runs on"]}),
        "empty": ({"x": ["a man runs"], "y": ["a dog"]}, {"x": [""], "y": ["a dog"]}),
    }
    many = {i: [sentence(rng, 6, 12) for _ in range(40)] for i in references}
    return {"drawn": (references, hypotheses), "c40": (many, hypotheses), **hand}


if __name__ == "__main__":
    frozen = {}
    for name, (references, hypotheses) in cases().items():
        with contextlib.redirect_stdout(io.StringIO()):
            corpus, each = Bleu(4).compute_score(references, hypotheses, verbose=0)
        frozen[name] = {
            "references": references,
            "hypotheses": hypotheses,
            "corpus": corpus,
            "each": [list(row) for row in zip(*each, strict=True)],
        }
    path = Path(__file__).with_name("bleu.json")
    path.write_text(json.dumps(frozen, indent=0) + "\n", encoding="utf-8")
