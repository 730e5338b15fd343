"""Beam search over many images at once.

At every step each of the K best unfinished sentences of an image is extended by every
word. Of these K V candidates the K best are looked at: those that end are finished and
leave; the K best that do not end go on. A finished sentence never competes for a place
in the beam, and nothing is ever added to it.

`beam_search_plain` (beam_plain.py) says just that for one image. Here all images share
every step, and three things are left out that cannot change the result:

- words beyond the K best of a sentence: they are never among the K best of all;
- sentences that are already less likely than n_best finished ones: words only make
  them less likely (1,000 images, K = 10, n_best = 1: 87,000 softmaxes of 127,000);
- images whose sentences are all finished.

Knows: log-probabilities. Does not know: words, images, the model's insides.
"""

import numpy as np

from mrnn_np.data.vocabulary import END, START
from mrnn_np.decoding.caption import LONGEST, Caption, make_caption
from mrnn_np.decoding.next_words import NextWords
from mrnn_np.runtime.errors import InputError

# Unfinished sentences of an image. A thousand take 2 s; of 100 dev images of Flickr8k 7
# then get a likelier sentence than 200 find.
WIDEST = 1000
LONGEST_SENTENCE = 1000  # words
MOST_CANDIDATES = (
    2_500_000  # pairs of a sentence and a word; 120 bytes each at the peak
)


def images_together(beam_size: int, most: int) -> int:
    """Return how many images to search together, at most `most`, for memory's sake.

    Up to a beam of 100 it is 250; of each image the K best words of K sentences are
    looked at.
    """
    return max(1, min(most, MOST_CANDIDATES // max(1, beam_size) ** 2))


@np.errstate(over="ignore", invalid="ignore")  # `Finished.captions` sees to it
def beam_search(
    model: NextWords,
    features: np.ndarray,
    beam_size: int = 5,
    max_length: int = LONGEST,
    length_penalty: float = 0.0,
    n_best: int = 1,
) -> list[list[Caption]]:
    """Search for the likeliest sentences of each image.

        score = log P(w_1 .. w_L, <end> | I) / (L + 1)^length_penalty

    The paper has no length penalty (0), a beam of 5, and 10 when the sentences are
    re-ranked afterwards. A beam of 1 is greedy search; a beam that holds every
    sentence is an exhaustive search.

    Parameters
    ----------
    model : with `start`, `best_next`, `vocabulary` and `tokenizer`.
    features : (N, D) as `standardise` returns them.
    beam_size : K, unfinished sentences kept for each image.
    max_length : words at most.
    length_penalty : 0 for the log-probability itself, 1 for its mean per word.
    n_best : sentences returned for each image, at most K.

    Returns
    -------
    For each image its captions, best first; `log_prob` is without the penalty.

    Raises
    ------
    InputError : a beam or length outside 1..1000, a negative penalty, n_best outside
        1..K; or a model whose numbers overflow, to which no sentence is likely.
    """
    check_options(beam_size, max_length, length_penalty, n_best)
    N, K = len(features), beam_size
    finished = Finished(N, n_best, max_length, length_penalty)
    # B beams of K places each. An empty place has the log-probability -inf.
    images = np.arange(N)  # (B,) the image of each beam
    totals = np.full((N, K), -np.inf)
    totals[:, 0] = 0.0  # at first one sentence, of no words
    sentences = np.full((N, K, max_length), END)
    # The model sees n rows, one a live sentence, beam after beam.
    state, tokens = model.start(features), np.full(N, START)
    for length in range(max_length + 1):
        live = totals > -np.inf  # (B, K)
        if not live.any():
            break
        ends, log_probs, best_words, state = model.best_next(tokens, state, K)
        # What a sentence may do next: end, or go on with one of its k best words.
        words = np.full((*live.shape, 1 + log_probs.shape[1]), END)  # (B, K, 1 + k)
        words[live, 1:] = best_words
        candidates = np.full(words.shape, -np.inf)
        candidates[live, 0] = ends + totals[live]
        candidates[live, 1:] = log_probs + totals[live, None]
        if length == max_length:  # full: the only way on is to end
            finished.add(images, candidates[:, :, 0], sentences, length)
            break

        # Each sentence ends at most once, so the 2K best hold K that go on.
        b = np.arange(len(images))[:, None]
        order = largest(candidates.reshape(len(images), -1), 2 * K)  # (B, 2K)
        parents, choice = np.divmod(order, words.shape[2])
        totals, words = candidates[b, parents, choice], words[b, parents, choice]
        ending = words == END
        among_best = np.where(ending, totals, -np.inf)[:, :K]
        finished.add(images, among_best, sentences[b, parents[:, :K]], length)

        # Sorted by "ends?", those that do not end come first, the best in front.
        on = np.argsort(ending, axis=1, kind="stable")[:, :K]  # (B, K)
        totals = np.where(ending, -np.inf, totals)[b, on]
        words, parents = words[b, on], parents[b, on]
        totals[finished.out_of_reach(images, totals)] = -np.inf
        sentences = sentences[b, parents]
        sentences[:, :, length] = words
        # Each new row takes the state of the row that it extends.
        row = np.zeros(live.shape, np.int64)
        row[live] = np.arange(len(tokens))
        live = totals > -np.inf
        rows, tokens = row[b, parents][live], words[live]
        state = {name: value[rows] for name, value in state.items()}
        busy = live.any(axis=1)
        images, totals, sentences = images[busy], totals[busy], sentences[busy]
    return finished.captions(model)


class Finished:
    """The best finished sentences of every image, best first.

    Attributes
    ----------
    scores, totals : (N, n_best), -inf where there is none yet.
    sentences : (N, n_best, max_length) word ids; after the last word only <end>.
    """

    def __init__(self, N: int, n_best: int, max_length: int, penalty: float) -> None:
        self.penalty, self.max_length = penalty, max_length
        self.scores = np.full((N, n_best), -np.inf)
        self.totals = self.scores.copy()
        self.sentences = np.full((N, n_best, max_length), END)

    def add(
        self, images: np.ndarray, totals: np.ndarray, sentences: np.ndarray, length: int
    ) -> None:
        """Let sentences of these images compete with those that are here already.

        Parameters
        ----------
        images : (B,); totals : (B, K), -inf for none; sentences : (B, K, max_length).
        length : of them all, in words.
        """
        scores = np.hstack([self.scores[images], totals / (length + 1) ** self.penalty])
        totals = np.hstack([self.totals[images], totals])
        sentences = np.concatenate([self.sentences[images], sentences], axis=1)
        b, best = np.arange(len(images))[:, None], largest(scores, self.scores.shape[1])
        self.scores[images] = scores[b, best]
        self.totals[images] = totals[b, best]
        self.sentences[images] = sentences[b, best]

    def out_of_reach(self, images: np.ndarray, totals: np.ndarray) -> np.ndarray:
        """Return which unfinished sentences, (B, K), can no longer get in here.

        A log-probability can only fall. With a penalty the score may still rise, at
        most to the present total divided by the largest divisor.
        """
        reachable = totals / (self.max_length + 1) ** self.penalty
        return reachable <= self.scores[images, -1:]

    def captions(self, model: NextWords) -> list[list[Caption]]:
        """Return the captions of every image, best first.

        Raises
        ------
        InputError : an image without any: the model's numbers have overflowed.
        """
        if not (self.totals[:, 0] > -np.inf).all():  # NaN is not either
            raise InputError(
                "the model finds no sentence possible: its numbers overflow (are the "
                "weights damaged?)"
            )
        return [
            [
                make_caption(model, ids[ids != END], total)
                for ids, total in zip(*one, strict=True)
                if total > -np.inf
            ]
            for one in zip(self.sentences, self.totals, strict=True)
        ]


def largest(values: np.ndarray, count: int) -> np.ndarray:
    """Return where the largest of each row are, (B, count), largest first.

    Equal ones come in the order of their places, so that a beam of 1 breaks a tie as
    argmax does.
    """
    return np.argsort(-values, axis=1, kind="stable")[:, :count]


def check_options(
    beam_size: int, max_length: int, length_penalty: float, n_best: int
) -> None:
    """Raise InputError for options that make no sense."""
    if beam_size < 1 or max_length < 1:
        raise InputError("beam size and longest sentence must be 1 or more")
    if beam_size > WIDEST:
        raise InputError(f"a beam of {beam_size} sentences, at most {WIDEST}")
    if max_length > LONGEST_SENTENCE:
        raise InputError(f"{max_length} words a sentence, at most {LONGEST_SENTENCE}")
    if not 1 <= n_best <= beam_size:
        raise InputError(
            f"{n_best} sentences wanted from a beam of {beam_size}: widen the beam "
            "(--beam)"
        )
    if length_penalty < 0:
        raise InputError(f"the length penalty must be 0 or more, not {length_penalty}")
