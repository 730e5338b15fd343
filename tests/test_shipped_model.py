"""The model that comes with the project: small, usable, and it looks at the image."""

import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_sample_image

import mrnn_np as mr
from mrnn_np.features.extractors import check_same_extractor
from mrnn_np.features.identity import identity
from mrnn_np.runtime.storage import weights_folder

DATA = Path(
    os.environ.get("MRNN_NP_DATA", Path(__file__).parents[2] / "shared" / "data")
)


@pytest.fixture(scope="module")
def cnn():
    try:
        return mr.load_cnn("efficientnet_lite0")
    except mr.InputError as error:
        pytest.skip(f"no CNN weights: {error}")


@pytest.fixture(scope="module")
def model():
    return mr.load_model("flickr8k")


def test_is_small_and_made_for_this_cnn(model, cnn):
    assert (weights_folder() / "flickr8k.npz").stat().st_size < 12e6
    check_same_extractor(identity(cnn), model.extractor)
    sizes = (128, 256, 512)  # the paper's
    c = model.config
    assert (c.embedding_size, c.recurrent_size, c.multimodal_size) == sizes


@pytest.mark.slow
def test_captions_of_photographs_are_scored_by_the_model(model, cnn):
    images = [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    features = cnn.features(images)
    captions = model.caption(features)
    assert captions[0].text != captions[1].text
    np.testing.assert_allclose(
        [caption.log_prob for caption in captions],
        model.log_likelihood(features, [caption.text for caption in captions]),
        rtol=1e-4,
    )
    assert all(len(caption.tokens) >= 4 for caption in captions)


@pytest.mark.slow
def test_on_real_photographs_it_never_saw(model, cnn):
    if not (DATA / "flickr8k").is_dir():
        pytest.skip("Flickr8k is not here (set MRNN_NP_DATA to the folder above it)")
    dataset = mr.load_dataset(f"flickr8k:{DATA / 'flickr8k'}")
    names = dataset.split("dev")[:60]
    features = cnn.features(dataset.images.open(name) for name in names)
    pairs = [(name, text) for name in names for text in dataset.captions[name]]
    examples = model.examples(pairs, names, features)
    assert mr.metrics.perplexity(model.mean_loss(examples)) < 22
    sentences = [dataset.captions[name][0] for name in names]
    own = model.log_likelihood(features, sentences)
    other = model.log_likelihood(np.roll(features, 1, axis=0), sentences)
    assert (own > other).mean() > 0.75
    assert (own - other).mean() > 3
