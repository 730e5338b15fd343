"""What every captioner can do once it has `forward`, `backward`, `start`, `step`.

Knows: features, sentences, losses, captions. Does not know: any model's layers.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from mrnn_np.data.batches import Examples, PackedBatch, ordered_batches, pack
from mrnn_np.data.tokenizer import get_tokenizer
from mrnn_np.data.vocabulary import UNK, Vocabulary
from mrnn_np.decoding import LONGEST, beam_search, sample
from mrnn_np.errors import InputError
from mrnn_np.progress import progress

EVALUATION_BATCH = 256  # sentences: 2,800 rows, 29 MB of logits at V = 2,500


class Captioner:
    """A model that gives every next word a probability, given an image.

    Attributes
    ----------
    config, vocabulary, params, dtype : see the model.
    tokenizer : name of the tokenizer its sentences went through.
    extractor : dict naming the CNN of its features (name, sha256, preprocessing), or
        None when that is not known.
    feature_mean, feature_scale : (D,); the model works on (features - mean) / scale.
    """

    config_class: type

    def __init__(
        self,
        config,
        vocabulary: Vocabulary,
        rng: np.random.Generator | None = None,
        dtype=np.float32,
        tokenizer: str = "english",
        extractor: Mapping | None = None,
    ) -> None:
        self.config = config
        self.vocabulary = vocabulary
        self.dtype = np.dtype(dtype)
        self.tokenizer = tokenizer
        self.extractor = extractor
        self.feature_mean = np.zeros(config.image_size, self.dtype)
        self.feature_scale = np.ones(config.image_size, self.dtype)
        params = self.initial_params(rng or np.random.default_rng(0))
        self.params = {
            name: np.ascontiguousarray(value, self.dtype)
            for name, value in params.items()
        }

    # --- features and sentences -------------------------------------------------

    def set_feature_statistics(self, features: np.ndarray) -> None:
        """Take mean and deviation of each feature from the training images.

        A feature that never varies keeps the scale 1.
        """
        self.feature_mean = features.mean(axis=0, dtype=np.float64).astype(self.dtype)
        scale = features.std(axis=0, dtype=np.float64)
        scale[scale < 1e-6] = 1
        self.feature_scale = scale.astype(self.dtype)

    def standardise(self, features: np.ndarray) -> np.ndarray:
        """Return (features - mean) / scale, (n, D), in the model's dtype.

        Raises
        ------
        InputError : not a matrix of D columns, or not finite.
        """
        features = np.asarray(features, self.dtype)
        D = self.config.image_size
        if features.ndim != 2 or features.shape[1] != D:
            raise InputError(
                f"image features of shape {features.shape}, the model expects (n, {D})"
            )
        if not np.isfinite(features).all():
            raise InputError("image features hold NaN or infinity")
        return (features - self.feature_mean) / self.feature_scale

    def encode(self, sentence: str) -> list[int]:
        """Return the word ids of a sentence.

        Raises
        ------
        InputError : no word in it, or none that the model knows.
        """
        ids = self.vocabulary.encode(get_tokenizer(self.tokenizer).tokenize(sentence))
        if not ids:
            raise InputError(f"there is no word in the sentence {sentence!r}")
        if all(i == UNK for i in ids):
            raise InputError(f"the model knows no word of the sentence {sentence!r}")
        return ids

    def examples(
        self, pairs: Iterable[tuple[str, str]], names: Sequence[str], features
    ) -> Examples:
        """Make training or evaluation examples of (image name, sentence) pairs.

        Unlike `encode` this lets a sentence of rare words pass: in a data set it is
        not a mistake.

        Parameters
        ----------
        pairs : as `CaptionDataset.sentences` yields them.
        names : the images, in the order of the rows of `features`.
        features : (images, D), as the CNN gives them.
        """
        tokenize = get_tokenizer(self.tokenizer).tokenize
        row = {name: i for i, name in enumerate(names)}
        sentences, image = [], []
        for name, text in pairs:
            sentences.append(np.array(self.vocabulary.encode(tokenize(text)), np.int64))
            image.append(row[name])
        return Examples(sentences, np.array(image), self.standardise(features))

    # --- losses -----------------------------------------------------------------

    def loss_and_grads(
        self, batch: PackedBatch, rng: np.random.Generator | None = None
    ) -> tuple[float, dict[str, np.ndarray]]:
        """Return nats per token and its gradient by every parameter.

            loss = (1/P) sum_p -log P(target_p | words before it, image)

        Base 2 to the power of loss / ln 2 is the paper's perplexity. The L2 term of
        its cost is added by the trainer (layers/l2.py).

        Parameters
        ----------
        batch : see data/batches.py; features as `standardise` returns them.
        rng : source of dropout masks; None switches dropout off.
        """
        losses, cache = self.forward(batch, rng)
        P = len(losses)
        grads = self.backward(np.full(P, 1 / P, losses.dtype), cache)
        return float(losses.mean(dtype=np.float64)), grads

    def mean_loss(self, examples: Examples, label: str = "") -> float:
        """Return nats per token over all examples, each token counting once.

        The perplexity is exp of it (equal to 2 to the power of the mean in bits).
        """
        lengths = examples.lengths()
        total = 0.0
        batches = list(ordered_batches(lengths, EVALUATION_BATCH))
        for rows in progress(batches, label=label, unit="batch") if label else batches:
            losses, _ = self.forward(examples.batch(rows))
            total += losses.sum(dtype=np.float64)
        return total / lengths.sum()

    def log_likelihood(
        self, features: np.ndarray, sentences: Sequence[str]
    ) -> np.ndarray:
        """Return log P(sentence, <end> | image) of each pair, in nats.

        Parameters
        ----------
        features : (N, D), as the CNN gives them.
        sentences : N texts; unknown words count as <unk>.

        Raises
        ------
        InputError : a sentence without any known word, features that do not fit.
        """
        encoded = [self.encode(sentence) for sentence in sentences]
        batch = pack(encoded, self.standardise(features))
        losses, _ = self.forward(batch)
        totals = np.zeros(len(encoded))
        np.add.at(totals, batch.order[batch.sentence], -losses.astype(np.float64))
        return totals

    # --- captions ---------------------------------------------------------------

    def caption(
        self,
        features: np.ndarray,
        beam_size: int = 5,
        max_length: int = LONGEST,
        length_penalty: float = 0.0,
        n_best: int | None = None,
        block: int = 100,
        label: str = "",
    ) -> list:
        """Describe each image in a sentence.

        Parameters
        ----------
        features : (N, D), as the CNN gives them.
        beam_size : width of the beam; 1 is greedy.
        max_length : words at most.
        length_penalty, n_best : see `mrnn_np.decoding.beam_search`.
        block : images searched together (bounds the memory).
        label : shows progress under this name when given.

        Returns
        -------
        One `Caption` an image; with `n_best` a list of them an image, best first.
        """
        standard = self.standardise(features)
        blocks = [standard[i : i + block] for i in range(0, len(standard), block)]
        found = []
        for part in progress(blocks, label=label, unit="block") if label else blocks:
            found += beam_search(
                self, part, beam_size, max_length, length_penalty, n_best or 1
            )
        return found if n_best else [hypotheses[0] for hypotheses in found]

    def sample(
        self,
        features: np.ndarray,
        rng: np.random.Generator,
        temperature: float = 1.0,
        max_length: int = LONGEST,
    ) -> list:
        """Draw a sentence for each image; see `mrnn_np.decoding.sample`."""
        return sample(self, self.standardise(features), rng, temperature, max_length)

    def save(self, path: str | Path, half: bool = False, training=None) -> None:
        """Write a checkpoint; see `mrnn_np.models.checkpoint.save_model`."""
        from mrnn_np.models.checkpoint import save_model

        save_model(self, path, half=half, training=training)
