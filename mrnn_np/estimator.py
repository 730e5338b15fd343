"""The captioner as a scikit-learn estimator: fit, predict, score.

    captioner = mr.MRNNCaptioner(epochs=8).fit(features, captions)
    captioner.predict(new_features)         # one caption an image

Everything is done by the modules below: `models`, `training`, `decoding`. This one
turns arrays and lists into what they take, and keeps scikit-learn's promises: the
constructor only stores, `fit` learns from its arguments alone, errors are ValueErrors.

Knows: scikit-learn's contract. Does not know: layers, gradients, search, data sets.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from mrnn_np.data.batches import Examples
from mrnn_np.data.caption_lists import read_captions
from mrnn_np.data.tokenizer import get_tokenizer
from mrnn_np.data.vocabulary import UNK, Vocabulary
from mrnn_np.models import (
    ModelConfig,
    NextWordModel,
    ParametricModel,
    model_class,
    must_speak,
)
from mrnn_np.runtime.errors import InputError
from mrnn_np.training import Trainer, TrainingConfig

if TYPE_CHECKING:
    from sklearn.utils import Tags

# A sentence or several for each image.
Captions = Sequence[str | Sequence[str]]

try:
    from sklearn.utils.validation import validate_data
except ImportError:  # scikit-learn before 1.6 has it as a method

    def validate_data(
        estimator: BaseEstimator, X: ArrayLike, **choices: object
    ) -> np.ndarray:
        return estimator._validate_data(X, **choices)


class MRNNCaptioner(BaseEstimator):
    """Learn to describe images from their features and what people said of them.

    The m-RNN, or another model, in the form of scikit-learn: it works in `Pipeline`,
    `cross_val_score` and `GridSearchCV`. The defaults are those of the shipped model,
    but for `min_word_count`.

    Parameters
    ----------
    model : its name, one of `mrnn_np.models.MODELS`. Of the sizes and rates below it
        takes those that its config has.
    embedding_size, recurrent_size, multimodal_size : sizes of the layers E1, R and M.
    dropout : dropped share of the layers w, r and m while training, in [0, 1).
    dropout_image : dropped share of the image's features, likewise.
    min_word_count : occurrences in the training sentences that a word needs to be
        learned; rarer words share ``<unk>``, which is never part of a caption. 1
        keeps every word, and what is unknown later was never trained. With 800 images
        of Flickr8k, 1, 2 and 5 give a score of -3.89, -3.65 and -3.65 and BLEU-4
        .133, .156 and .142 on 200 dev images; with all its 6,000, 5 is usual.
    tokenizer : ``"english"``, or ``"characters"`` for Chinese.
    optimiser : ``"adam"``, ``"rmsprop"``, ``"adagrad"`` or ``"sgd"``.
    learning_rate, schedule, clip_norm, l2 : see `mrnn_np.training.TrainingConfig`.
    batch_size : sentences in a batch.
    epochs : at most so many.
    validation_fraction : share of `fit`'s images, in [0, 1), that are held out to
        choose the epoch: the parameters of the epoch that predicts their sentences
        best are kept. 0 holds out none and chooses on the training sentences.
    patience : stop after so many epochs without a better one.
    beam_size : sentences that `predict` follows for each image; 1 is greedy.
    max_length : words of a caption at most.
    length_penalty : see `mrnn_np.decoding.beam_search`.
    random_state : int, RandomState or None: what is held out, the first parameters,
        the order of the sentences, dropout. The same int gives the same bits.
    verbose : report every epoch on stderr.

    Attributes
    ----------
    model_ : the fitted model; ``model_.log_likelihood(features, sentences)`` rates
        sentences, ``model_.save(path)`` writes the checkpoint of the command line.
    vocabulary_ : its `Vocabulary`.
    n_rare_words_ : different training words that share ``<unk>``.
    history_ : a dict an epoch, see `Trainer.fit`; "dev" are the images held out.
    n_features_in_ : D. ``feature_names_in_`` : with a DataFrame, its columns.

    Notes
    -----
    One row is one image with all its sentences. If images are repeated, one row a
    sentence, cross-validation tests on images that were trained on.

    Examples
    --------
    >>> import mrnn_np as mr
    >>> from mrnn_np.features.extractors import load_extractor
    >>> scenes = mr.load_dataset("scenes")
    >>> names = scenes.split("train")[:250]
    >>> X = load_extractor("scenes").features(scenes.images.open(n) for n in names)
    >>> y = [scenes.captions[name] for name in names]  # five sentences an image
    >>> captioner = mr.MRNNCaptioner(
    ...     recurrent_size=64, multimodal_size=64, dropout=0, dropout_image=0,
    ...     epochs=3, batch_size=32, learning_rate=0.01, random_state=0)
    >>> captioner.fit(X[:200], y[:200]).predict(X[200:]).shape
    (50,)
    >>> bool(captioner.score(X[200:], y[200:]) > -1)  # 50 new images, nats a word
    True
    """

    def __init__(
        self,
        model: str = "mrnn",
        embedding_size: int = 128,
        recurrent_size: int = 256,
        multimodal_size: int = 512,
        dropout: float = 0.5,
        dropout_image: float = 0.5,
        min_word_count: int = 2,
        tokenizer: str = "english",
        optimiser: str = "adam",
        learning_rate: float = 1e-3,
        schedule: str = "linear",
        clip_norm: float = 5.0,
        l2: float = 0.0,
        batch_size: int = 128,
        epochs: int = 16,
        validation_fraction: float = 0.1,
        patience: int = 3,
        beam_size: int = 5,
        max_length: int = 20,
        length_penalty: float = 0.0,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ) -> None:
        self.model = model
        self.embedding_size = embedding_size
        self.recurrent_size = recurrent_size
        self.multimodal_size = multimodal_size
        self.dropout = dropout
        self.dropout_image = dropout_image
        self.min_word_count = min_word_count
        self.tokenizer = tokenizer
        self.optimiser = optimiser
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.clip_norm = clip_norm
        self.l2 = l2
        self.batch_size = batch_size
        self.epochs = epochs
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.beam_size = beam_size
        self.max_length = max_length
        self.length_penalty = length_penalty
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: ArrayLike, y: Captions) -> "MRNNCaptioner":
        """Learn a vocabulary and a model.

        Parameters
        ----------
        X : (n, D), the image features. They are standardised inside.
        y : n captions, each a str or a list of str: one or more sentences an image. A
            number is a sentence of one word.

        Returns
        -------
        self

        Raises
        ------
        InputError (a ValueError) : captions that are missing, empty, no text or not
            as many as rows; no word frequent enough; a parameter out of range.
        TrainingDiverged (an InputError) : the learning rate is too high.
        """
        features = validate_data(self, X, dtype=np.float32)
        tokenizer = get_tokenizer(self.tokenizer)
        captions = read_captions(y, len(features), tokenizer.tokenize)
        random_state = check_random_state(self.random_state)
        train, dev = self._hold_out(len(features), random_state)
        seed = int(random_state.randint(2**31 - 1))
        sizes, training = self._configs(features.shape[1], seed)
        # As in training.prepare: nothing is learned from the images held out.
        sentences = [tokens for i in train for tokens in captions[i]]
        words = {word for tokens in sentences for word in tokens}
        vocabulary = _vocabulary(sentences, training.threshold)
        rng = np.random.default_rng(seed)
        cls = model_class(self.model)
        model = cls(sizes, vocabulary, rng, tokenizer=tokenizer.name)
        model.set_feature_statistics(features[train])
        learned, chosen_on = (
            _examples(model, features[i], [captions[j] for j in i])
            for i in (train, dev)
        )
        history = Trainer(model, training, verbose=self.verbose).fit(learned, chosen_on)
        # Only now: a training that failed leaves what was learned before.
        self.model_, self.vocabulary_, self.history_ = model, vocabulary, history
        self.n_rare_words_ = sum(word not in vocabulary for word in words)
        return self

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Describe each image in a sentence, by beam search.

        Parameters
        ----------
        X : (n, D), the image features.

        Returns
        -------
        (n,) object array of str.

        Raises
        ------
        InputError : the model is a ranker, which cannot speak.
        """
        check_is_fitted(self, "model_")
        features = validate_data(self, X, dtype=np.float32, reset=False)
        captions = must_speak(self.model_, f"model {self.model!r}").caption(
            features,
            beam_size=self._positive_integer("beam_size"),
            max_length=self._positive_integer("max_length"),
            length_penalty=_plain(self.length_penalty),
        )
        return np.array([caption.text for caption in captions], dtype=object)

    def score(self, X: ArrayLike, y: Captions) -> float:
        """Return the mean log-likelihood of a word of the captions: larger is better.

            score = (1/P) sum_p log P(word_p | words before it, image)      nats

        over all P words of all sentences, each ``<end>`` included;
        `mrnn_np.metrics.perplexity` of -score is the paper's. It is what training
        raises, it needs no search, and it tells good models from slightly better ones
        on a few images, where BLEU is mostly 0.

        A word outside the vocabulary gets its share of ``<unk>``,
        P(<unk>) / (n_rare_words_ + 1): as likely as each rare training word, and as
        all words together that were never seen. So models of all vocabularies predict
        the same events, and their scores compare. With P(<unk>) whole, a model that
        knows two words looks best: for `min_word_count` 1, 100 and 500 on 300 new
        scenes -0.93, -0.86 and -0.44; shared, it is -0.93, -1.41 and -3.42.

        Of a ranker, which gives no word a probability, the score is its mean loss,
        negative. It compares models that learn with the same loss.

        Parameters
        ----------
        X, y : as in `fit`. No word needs to be known.

        Notes
        -----
        No caption is searched for, so `beam_size`, `max_length` and `length_penalty`
        make no difference: to choose those, give ``scoring=`` a function of
        (captioner, X, y) that rates ``captioner.predict(X)`` by `mrnn_np.metrics`.
        """
        check_is_fitted(self, "model_")
        features = validate_data(self, X, dtype=np.float32, reset=False)
        tokenize = get_tokenizer(self.model_.tokenizer).tokenize
        examples = _examples(
            self.model_, features, read_captions(y, len(features), tokenize)
        )
        loss = self.model_.mean_loss(examples)
        if not isinstance(self.model_, NextWordModel):
            return float(-loss)
        n_unknown = sum(list(ids).count(UNK) for ids in examples.sentences)
        share = n_unknown / examples.lengths().sum()
        return float(-loss - share * math.log(self.n_rare_words_ + 1))

    # --- what fit and score share -------------------------------------------------

    def _hold_out(
        self, n: int, random_state: np.random.RandomState
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows to train on and the rows to choose the epoch on."""
        fraction = _plain(self.validation_fraction)
        if not isinstance(fraction, int | float) or not 0 <= fraction < 1:
            raise InputError(f"validation_fraction must be in [0, 1), not {fraction!r}")
        if fraction == 0:
            return np.arange(n), np.arange(n)
        if n == 1:
            raise InputError(
                "n_samples=1: one image cannot be divided; for a validation_fraction "
                "above 0 there must be at least 2"
            )
        rows = random_state.permutation(n)
        held_out = min(max(1, round(fraction * n)), n - 1)
        return np.sort(rows[held_out:]), np.sort(rows[:held_out])

    def _configs(
        self, image_size: int, seed: int
    ) -> tuple[ModelConfig, TrainingConfig]:
        """Return the parameters as the modules below name and check them."""
        plain = {name: _plain(value) for name, value in vars(self).items()}
        names = "epochs batch_size optimiser learning_rate schedule clip_norm l2"
        training = TrainingConfig(
            seed=seed,
            threshold=self._positive_integer("min_word_count"),
            patience=plain["patience"],
            **{name: plain[name] for name in names.split()},
        )
        config_class = model_class(self.model).config_class
        choices = {}
        for field in dataclasses.fields(config_class):
            if field.name in plain:
                choices[field.name] = plain[field.name]
            elif field.name.startswith("dropout_"):
                choices[field.name] = plain["dropout"]
        return config_class(**choices, image_size=image_size), training

    def _positive_integer(self, name: str) -> int:
        value = _plain(getattr(self, name))
        if not isinstance(value, int) or value < 1:
            raise InputError(f"{name} must be a positive integer, not {value!r}")
        return value

    def __sklearn_tags__(self) -> "Tags":
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def _more_tags(self) -> dict[str, bool]:  # the same for scikit-learn before 1.6
        return {"requires_y": True}


def _vocabulary(sentences: list[list[str]], min_word_count: int) -> Vocabulary:
    """Collect the frequent words; an error speaks of this estimator's parameter."""
    try:
        return Vocabulary.build(sentences, min_word_count)
    except InputError as error:
        raise InputError(
            f"no word occurs {min_word_count} times in {len(sentences)} training "
            "sentences: lower min_word_count, or give more captions"
        ) from error


def _examples(model: ParametricModel, X: np.ndarray, captions: list) -> Examples:
    """Return every sentence with the row of its image."""
    pairs = [(row, s) for row, sentences in enumerate(captions) for s in sentences]
    return Examples(
        [model.vocabulary.encode(tokens) for _, tokens in pairs],
        np.array([row for row, _ in pairs]),
        model.standardise(X),
    )


def _plain(value: Any) -> Any:
    """Return Python's own number for NumPy's: a grid may be an array."""
    return value.item() if isinstance(value, np.generic) else value
