"""This project's own files: checkpoints, features, networks, likelihoods, captions.

Each is made right, small, and then wrong (`structures.container`). What a reader lets
through is used: a model describes an image, a network looks at a picture.

Knows: what is in each kind. Does not know: how it is damaged.
"""

import contextlib
import io
import math
import os
from pathlib import Path

import numpy as np
from PIL import Image

from fuzzing.limits import Target
from fuzzing.mutations import choose
from fuzzing.structures import container
from mrnn_np.cli.weights import table
from mrnn_np.cnn.preprocessing import PREPROCESSING
from mrnn_np.convert import load_cnn
from mrnn_np.convert.library import entries
from mrnn_np.data import SPECIALS, Vocabulary
from mrnn_np.decoding.blocks import caption_images
from mrnn_np.features.extractors import check_same_extractor
from mrnn_np.features.identity import identity
from mrnn_np.features.joined import join_features
from mrnn_np.features.matrix import Features
from mrnn_np.models import MRNN, MRNNConfig, load_model
from mrnn_np.retrieval.pairs import pair_scores
from mrnn_np.runtime.storage import load_arrays, save_arrays
from mrnn_np.runtime.workers import Workers
from mrnn_np.training import Trainer, TrainingConfig

EXTRACTOR = {"name": "tiny", "sha256": "0" * 64, "preprocessing": {"size": 4}}
SIZE = 5  # numbers of an image
SENTENCES = [[4, 5], [4, 6, 5], [7]]
GOOD: dict[str, tuple[dict, dict]] = {}  # kind -> header and arrays that are right
ALONE = Workers("threads", 1)


def small_model() -> MRNN:
    """Return a model of eight words with random weights."""
    words = Vocabulary([*SPECIALS, *"abcdefgh"], range(len(SPECIALS) + 8))
    config = MRNNConfig(SIZE, 4, 6, 7)
    return MRNN(config, words, np.random.default_rng(0), extractor=EXTRACTOR)


def images() -> np.ndarray:
    """Return the features of three images."""
    return np.random.default_rng(1).standard_normal((3, SIZE)).astype(np.float32)


def some_examples(model: MRNN):
    """Return two images with a sentence each, to learn from."""
    return model.examples([("1", "a b"), ("2", "b c")], ["1", "2"], images()[:2])


def prepare(folder: Path) -> None:
    """Make one right file of each kind, and take it apart."""
    os.environ["MRNN_NP_HOME"] = str(folder / "home")
    folder = folder / "containers"
    model = small_model()
    model.save(folder / "checkpoint.npz")
    examples = some_examples(model)
    trainer = Trainer(model, TrainingConfig(epochs=2), folder / "run", verbose=False)
    trainer.fit(examples, examples)
    Features(["a.jpg", "ü.jpg", "狗.jpg"], images(), EXTRACTOR, "folder:x",
             {"d.jpg": "broken"}).save(folder / "features.npz")  # fmt: skip
    model = small_model()  # the other one has learned something
    pair_scores(model, images(), SENTENCES, ALONE, path=folder / "likelihoods.npz")
    caption_images(model, images(), 2, workers=ALONE, folder=folder / "parts")
    small_network(folder / "cnn.npz")
    for kind, name in (
        ("checkpoint", "checkpoint.npz"), ("run", "run/last.npz"), ("cnn", "cnn.npz"),
        ("features", "features.npz"), ("likelihoods", "likelihoods.npz"),
        ("captions", "parts/block-0.npz"),
    ):  # fmt: skip
        stored = "checkpoint" if kind == "run" else kind
        header, arrays = load_arrays(folder / name, stored)
        for key in ("kind", "version", "content_sha256"):
            del header[key]
        GOOD[kind] = header, arrays


def compile_kernels(folder: Path) -> None:
    """Use what is right once, so that no case has to compile a kernel."""
    read_network(folder / "containers" / "cnn.npz")
    read_checkpoint(folder / "containers" / "checkpoint.npz")


def small_network(path: Path) -> None:
    """Write the first layer of SqueezeNet, for pictures of 32 pixels."""
    variant = next(v for name, v in PREPROCESSING if name == "squeezenet1_1")
    preprocessing = PREPROCESSING["squeezenet1_1", variant].to_dict()
    header = {
        "name": "tiny",
        "architecture": "squeezenet1_1",
        "variant": variant,
        "preprocessing": {**preprocessing, "size": 32, "resize_to": 32},
        "licence": "none",
        "source": {"from": "drawn", "file": "x.pth", "sha256": "0" * 64},
    }
    rng = np.random.default_rng(2)
    arrays = {
        "conv1.weight": rng.standard_normal((3, 3, 3, 64)).astype(np.float32),
        "conv1.bias": rng.standard_normal(64).astype(np.float32),
    }
    save_arrays(path, "cnn", header, arrays)


def maker(kind: str, name: str = ""):
    """Return what writes a damaged file of a kind."""

    def make(rng: np.random.Generator, folder: Path) -> Path:
        stored = "checkpoint" if kind == "run" else kind
        if rng.random() < 0.02:  # a right file of another kind, or a later version
            stored = choose(rng, ("cnn", "features", "x", "captions"))
        path = folder / (name or f"{kind}.npz")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(container(rng, stored, *GOOD[kind]))
        return path

    return make


def read_checkpoint(path: Path) -> None:
    """Load a model; describe an image and score a sentence."""
    model = load_model(path)
    features = np.ones((1, model.config.image_size), np.float32)
    (found,) = model.caption(features, beam_size=3, n_best=2)
    assert all(caption.text == str(caption.text) for caption in found)
    assert all(math.isfinite(caption.log_prob) for caption in found)
    assert np.isfinite(model.log_likelihood(features, ["a b"])).all()
    if model.extractor is not None:
        check_same_extractor(model.extractor, EXTRACTOR, str(path))


def read_features(path: Path) -> None:
    """Load features; take rows, join them with others."""
    features = Features.load(path)
    check_same_extractor(features.extractor, EXTRACTOR, features.source)
    small_model().standardise(features.rows(list(features.names)[:3]))
    other = {**EXTRACTOR, "name": "other"}
    joined = join_features([features, Features(["a.jpg"], images()[:1], other)])
    joined.rows(["a.jpg"])


def read_network(path: Path) -> None:
    """Load a network and show it a picture, unless kernels are plain Python."""
    network = load_cnn(path)
    identity(network)
    if os.environ.get("NUMBA_DISABLE_JIT", "0") == "0":
        network.features([Image.new("RGB", (8, 6), "red")])


def read_listing(path: Path) -> None:
    """List the networks when this file lies among them."""
    home = os.environ["MRNN_NP_HOME"]
    os.environ["MRNN_NP_HOME"] = str(path.parent.parent)
    try:
        table(entries())
    finally:
        os.environ["MRNN_NP_HOME"] = home


def read_run(path: Path) -> None:
    """Go on with a training run."""
    model = small_model()
    examples = some_examples(model)
    trainer = Trainer(model, TrainingConfig(epochs=2), path.parent, verbose=False)
    with contextlib.redirect_stderr(io.StringIO()):  # it says what it mends
        trainer.fit(examples, examples, resume=True)


def read_likelihoods(path: Path) -> None:
    """Take the likelihoods of an earlier run, and rank by them."""
    scores, _ = pair_scores(small_model(), images(), SENTENCES, ALONE, path=path)
    np.argsort(-scores, axis=1)


def read_captions(path: Path) -> None:
    """Take the captions of an earlier run."""
    for found in caption_images(
        small_model(), images(), 2, workers=ALONE, folder=path.parent
    ):
        str(found[0].text)


TARGETS = (
    Target("checkpoint", "container", maker("checkpoint"), read_checkpoint, 4),
    Target("features", "container", maker("features"), read_features, 3),
    Target("cnn", "container", maker("cnn"), read_network, 3),
    Target("listing", "container", maker("cnn", "cnn/mine.npz"), read_listing),
    Target("run", "container", maker("run", "last.npz"), read_run, 1, writes=True),
    Target("likelihoods", "container", maker("likelihoods"), read_likelihoods, 1, True),
    Target("captions", "container", maker("captions", "block-0.npz"), read_captions,
           1, True),
)  # fmt: skip
