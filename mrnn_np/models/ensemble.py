"""Several captioners whose probabilities are averaged at every word.

Networks that learned the same data from different random numbers make different
mistakes; the average of what they say makes fewer. The usual recipe is to train the
same config with other seeds (a ``[training]`` table with ``seed = 1`` and so on):

    mrnn-np train DATASET --features F.npz --config seed1.toml --out runs/seed1
    mrnn-np evaluate DATASET --features F.npz \\
        --checkpoint runs/seed0/best.npz --checkpoint runs/seed1/best.npz

The vocabulary does not depend on the seed, so such models always fit together.

Two seeds on Flickr8k dev, perplexity 18.10 and 18.18 alone: together 17.20 and BLEU-4
.202 (beam 5; the first alone .199). The geometric mean of the probabilities, made to
sum to 1 again, comes to 17.36 and .198, and needs all V of them to score one word.

Knows: probabilities of next words. Does not know: how a member computes them.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from mrnn_np.data.batches import PackedBatch
from mrnn_np.models.model import Model
from mrnn_np.models.next_word import NextWordModel
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.storage import content_hash


class Ensemble(NextWordModel):
    """The average of several captioners, used like one of them.

        P(w | words before it, I) = (1/K) sum_k P_k(w | words before it, I)

    Parameters
    ----------
    models : K captioners with the same words, tokenizer and CNN. Their sizes,
        feature statistics and classes may differ.

    Attributes
    ----------
    models : tuple of them.
    vocabulary, tokenizer, extractor, dtype : as the members have them.
    feature_mean : of the first one.

    Raises
    ------
    InputError : no model, or two that do not fit together; says which and why.
    """

    def __init__(self, models: Sequence[Model]) -> None:
        if not models:
            raise InputError("an ensemble needs at least one model")
        members: list[NextWordModel] = []
        for number, model in enumerate(models, start=1):
            if not isinstance(model, NextWordModel):
                raise InputError(
                    f"model {number} of the ensemble is a ranker, which gives no word "
                    "a probability: only captioners can be averaged"
                )
            members.append(model)
        self.models = tuple(members)
        first = self.models[0]
        self.vocabulary, self.tokenizer = first.vocabulary, first.tokenizer
        self.extractor, self.dtype = first.extractor, first.dtype
        self.feature_mean = first.feature_mean
        for number, other in enumerate(self.models[1:], start=2):
            _check_fits(first, other, f"models 1 and {number} of the ensemble")

    @property
    def output_size(self) -> int:
        """Sum of the members' M."""
        return sum(model.output_size for model in self.models)

    def standardise(self, features: np.ndarray) -> np.ndarray:
        """Check CNN features (n, D); they stay as they are.

        Each member standardises them with the statistics that it learned with.
        """
        self.models[0].standardise(features)
        return np.asarray(features, self.dtype)

    def fingerprint(self) -> str:
        """Return a hash of the fingerprints of all members, in their order."""
        members = [model.fingerprint() for model in self.models]
        return content_hash({"model": "ensemble", "members": members}, {})

    def token_losses(self, batch: PackedBatch) -> np.ndarray:
        """Return -log P(target | words before it, image) of each token, (P,) nats.

        Only the probability of the right word is mixed, not those of all V.
        """
        losses = []
        for model in self.models:
            features = model.standardise(batch.features)
            losses.append(
                model.token_losses(dataclasses.replace(batch, features=features))
            )
        return -log_mean_exp([-one for one in losses])

    def start(self, features: np.ndarray) -> dict[str, np.ndarray]:
        """Return the states of all members: "0/r" is "r" of the first one."""
        states = [model.start(model.standardise(features)) for model in self.models]
        return _together(states)

    def step(
        self, tokens: np.ndarray, state: dict[str, np.ndarray]
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Feed the last words (n,); return log P(next word), (n, V), and the state."""
        log_probs, states = [], []
        for number, model in enumerate(self.models):
            prefix = f"{number}/"
            own = {
                name.removeprefix(prefix): value
                for name, value in state.items()
                if name.startswith(prefix)
            }
            said, after = model.step(tokens, own)
            log_probs.append(said)
            states.append(after)
        return log_mean_exp(log_probs), _together(states)

    def refined_features(self, features: np.ndarray) -> np.ndarray:
        """Return the members' refined features side by side, (n, sum of their M)."""
        return np.hstack([model.refined_features(features) for model in self.models])


def log_mean_exp(logs: Sequence[np.ndarray]) -> np.ndarray:
    """Return the logarithm of the mean of K arrays that are given as logarithms.

        log((1/K) sum_k exp(l_k)) = h + log((1/K) sum_k exp(l_k - h)),  h = max_k l_k

    Parameters
    ----------
    logs : K finite arrays of one shape, overwritten when K > 1.
    """
    if len(logs) == 1:
        return logs[0]
    highest = np.maximum.reduce(logs)
    total = np.zeros_like(highest)
    for one in logs:
        one -= highest
        total += np.exp(one, out=one)
    total /= len(logs)
    return highest + np.log(total, out=total)


def _together(states: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Put the members' states into one dict, with the number of each in its names."""
    return {
        f"{number}/{name}": value
        for number, state in enumerate(states)
        for name, value in state.items()
    }


def _check_fits(first: NextWordModel, other: NextWordModel, who: str) -> None:
    """Raise InputError unless two models speak of the same things in the same words."""
    if other.vocabulary.words != first.vocabulary.words:
        raise InputError(
            f"{who} know different words ({len(first.vocabulary)} and "
            f"{len(other.vocabulary)}): train them on the same data set with the same "
            "threshold"
        )
    if other.tokenizer != first.tokenizer:
        raise InputError(
            f"{who} cut sentences differently ({first.tokenizer} and "
            f"{other.tokenizer}): train them on the same data set"
        )
    if other.extractor != first.extractor or other.dtype != first.dtype:
        names = [(one.extractor or {}).get("name", "?") for one in (first, other)]
        raise InputError(
            f"{who} do not take the same image features ({names[0]} {first.dtype} and "
            f"{names[1]} {other.dtype}; their weights and preprocessing count too): "
            "train them with the same --features"
        )
