"""Beam search over 1,000 images, beside PyTorch and beside one image after another.

    python benchmarks/beam.py [--features F.npz --dataset D] [--repeats 3] [--cpu]

The shipped Flickr8k model describes the dev images of a data set; without one, random
features with the training images' mean and deviation.
The PyTorch program is batched the same way: all images of a block share every step,
and images that are done leave. It asks for topk of the K V sums, as people write it.
An image is done, as people write it, when none of its sentences can still get among
the K best finished ones; a second row gives PyTorch our rule, too: when none can still
win. `agree` checks that both find our sentences.
"""

import argparse
import functools
import os

import numpy as np
import torch
from timing import Row, blas_threads, interleave, new_memory

import mrnn_np as mr
from mrnn_np.data.vocabulary import END, PAD, START, UNK
from mrnn_np.decoding import LONGEST
from mrnn_np.features.matrix import Features

IMAGES, BLOCK = 1000, 250  # the latter as in NextWordModel.caption
OVER_PYTORCH, OVER_SAME_RULE = 1.5, 1.0  # ratios needed
OVER_SINGLE = 2.0  # it was 5 when a search alone took 57 ms; now that takes 5 ms
SINGLES = 50  # images that are really searched one after another; the rest is scaled


def make_features(model, file: str | None, dataset: str | None) -> np.ndarray:
    """Return (1000, D) features: of dev images, or random ones."""
    if file:
        names = mr.load_dataset(dataset).split("dev")[:IMAGES]
        return Features.load(file).rows(names)
    noise = np.random.default_rng(0).standard_normal((IMAGES, len(model.feature_mean)))
    return (model.feature_mean + model.feature_scale * noise).astype(np.float32)


class Peer:
    """The same model and the same search in PyTorch.

    wins : an image is done when its best sentence cannot change, not its K best.
    """

    def __init__(self, model, wins: bool) -> None:
        self.model, self.wins = model, wins
        self.p = {name: torch.from_numpy(v) for name, v in model.params.items()}

    def step(self, tokens, r, image):
        """Return log P(next word), (n, V), and the new recurrent state."""
        p = self.p
        w = stanh(stanh(p["E1"][tokens]) @ p["W2"] + p["b2"])
        r = torch.relu(r @ p["U"] + w + p["br"])
        m = stanh(w @ p["Vw"] + r @ p["Vr"] + image)
        log_probs = torch.log_softmax(m @ p["Wo"] + p["bo"], dim=1)
        log_probs[:, [PAD, START, UNK]] = -torch.inf
        return log_probs, r

    def caption(self, features: np.ndarray, K: int) -> list[tuple[tuple, float]]:
        standard = torch.from_numpy(self.model.standardise(features))
        with torch.inference_mode():
            return [
                found for part in standard.split(BLOCK) for found in self.block(part, K)
            ]

    def block(self, features, K: int) -> list[tuple[tuple, float]]:
        """Return the best sentence of each image and its log-probability."""
        p, N = self.p, len(features)
        finished = torch.full((N, K), -torch.inf)  # the K best, best first
        best_sentence = torch.full((N, LONGEST), END)
        images = torch.arange(N)  # (B,) those that are still searched
        totals = torch.zeros(N, 1)  # (B, places): one sentence at first, then K
        sentences = torch.full((N, 1, LONGEST), END)
        tokens = torch.full((N, 1), START)
        r = torch.zeros(N, 1, len(p["U"]))
        image = features @ p["Vi"] + p["bm"]  # (B, M)
        for length in range(LONGEST + 1):
            B, places = totals.shape
            rows = image[:, None].expand(B, places, -1).flatten(0, 1)
            log_probs, r = self.step(tokens.flatten(), r.flatten(0, 1), rows)
            sums = totals[:, :, None] + log_probs.view(B, places, -1)  # (B, places, V)
            if length == LONGEST:
                value, parent = sums[:, :, END].max(dim=1)
                ended, parents = value[:, None], parent[:, None]
            else:
                value, at = sums.flatten(1).topk(2 * K, dim=1)  # (B, 2K)
                parents, words = at // sums.shape[2], at % sums.shape[2]
                ending = words == END
                ended = value.masked_fill(~ending, -torch.inf)[:, :K]
            # What ended now, beside what ended before.
            value_ended, which = ended.max(dim=1)
            better = torch.nonzero(value_ended > finished[images, 0]).flatten()
            parent = parents[better, which[better]]
            best_sentence[images[better]] = sentences[better, parent]
            both = torch.cat([finished[images], ended], dim=1)
            finished[images] = both.topk(K, dim=1).values
            if length == LONGEST:
                break
            # The K best that go on; images leave when none of them can get anywhere.
            totals, on = value.masked_fill(ending, -torch.inf).topk(K, dim=1)
            busy = totals[:, 0] > finished[images, 0 if self.wins else -1]
            if not busy.any():
                break
            parents, tokens = parents.gather(1, on)[busy], words.gather(1, on)[busy]
            b = torch.arange(B)[busy][:, None]
            r = r.view(B, places, -1)[b, parents]
            sentences = sentences[b, parents]
            sentences[:, :, length] = tokens
            totals, image, images = totals[busy], image[busy], images[busy]
        words = self.model.vocabulary.words
        return [
            (tuple(words[i] for i in ids if i != END), total)
            for ids, total in zip(
                best_sentence.tolist(), finished[:, 0].tolist(), strict=True
            )
        ]


def stanh(x):
    return 1.7159 * torch.tanh(x * (2 / 3))


def agree(ours: list, peer: list) -> float:
    """Return the share of images with the same sentence.

    Rounding may decide between two sentences of equal log-probability; anything else
    is refused.
    """
    for caption, (tokens, total) in zip(ours, peer, strict=True):
        if abs(caption.log_prob - total) > 1e-4:
            raise SystemExit(f"not the same search: {caption} against {tokens} {total}")
    return np.mean([c.tokens == tokens for c, (tokens, _) in zip(ours, peer)])  # noqa: B905


def measure(
    repeats: int = 3,
    cpu: bool = False,
    features: str | None = None,
    dataset: str | None = None,
) -> list[Row]:
    """Measure a beam of 5 and one of 10."""
    torch.set_num_threads(blas_threads())
    os.environ["LOKY_MAX_CPU_COUNT"] = str(blas_threads())  # threads of our blocks
    model = mr.load_model("flickr8k")
    X = make_features(model, features, dataset)
    usual, same_rule = Peer(model, wins=False), Peer(model, wins=True)
    rows = []
    for K in (5, 10):

        def ours(K=K):
            return model.caption(X, K)

        def singles(K=K):
            return [model.caption(x[None], K)[0] for x in X[:SINGLES]]

        calls = (
            ours,
            functools.partial(usual.caption, X, K),
            functools.partial(same_rule.caption, X, K),
            singles,
        )
        share = min(agree(ours(), theirs()) for theirs in calls[1:3])
        a, b, c, d = interleave(calls, repeats, cpu)
        d *= len(X) / SINGLES
        job, memory = f"beam {K}, {len(X)} images, {share:.1%} same", new_memory(ours)
        rows.append(Row(job, a, "PyTorch", b, OVER_PYTORCH, memory))
        rows.append(Row(job, a, "PyTorch, our stopping rule", c, OVER_SAME_RULE))
        rows.append(Row(job, a, "one image after another", d, OVER_SINGLE))
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cpu", action="store_true", help="CPU seconds of the process")
    parser.add_argument("--features", help="file of the shipped model's features")
    parser.add_argument("--dataset", help="flickr8k:DIR, with --features")
    args = parser.parse_args()
    for row in measure(args.repeats, args.cpu, args.features, args.dataset):
        print(row)
