"""The picture of the README: photographs and drawn scenes, with what models say.

    pip install -e ".[pretrained,test]" && python docs/make_picture.py

writes docs/captions.png. The photographs are described by the shipped model, as by
``mrnn-np caption FILE --nbest 3``; the scenes by a model that is trained here as in
``mrnn-np demo``, eight epochs of drawn scenes, and are the first of its dev split.
Nothing is chosen among sentences. The photographs were chosen: one that the model
describes well, one half, one wrongly.

Licences: `camera` and `chelsea` of scikit-image are CC0 (L. Varshney; S. van der Walt),
`flower.jpg` of scikit-learn is CC BY 2.0 (vultilion on Flickr).
"""

import textwrap
from io import BytesIO
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from skimage import data as skimage_data
from sklearn.datasets import load_sample_image

from mrnn_np import load_cnn, load_model
from mrnn_np.cli.demo import SMALL
from mrnn_np.data import load_dataset
from mrnn_np.features.extractors import identity, load_extractor
from mrnn_np.features.matrix import Features
from mrnn_np.models import MRNNConfig
from mrnn_np.training import Trainer, TrainingConfig, prepare

OUT = Path(__file__).with_name("captions.png")
LARGEST = 150_000  # bytes
SCENES = 4


def photographs() -> list[tuple[np.ndarray, str]]:
    """Return (picture, how well it is described)."""
    camera = skimage_data.camera()  # (H, W), grey
    return [
        (np.repeat(camera[..., None], 3, axis=2), "right"),
        (skimage_data.chelsea(), "half right: it is a cat"),
        (load_sample_image("flower.jpg"), "wrong: no person, no shirt"),
    ]


def sentences_for_photographs(pictures: list[np.ndarray]) -> list[list[str]]:
    """Return the three likeliest sentences of the shipped model for each."""
    features = load_cnn("efficientnet_lite0").features(pictures)
    found = load_model("flickr8k").caption(features, n_best=3)
    return [[caption.text for caption in captions] for captions in found]


def described_scenes() -> list[tuple[Image.Image, str]]:
    """Train the model of the demo; return some scenes new to it, with its captions."""
    dataset, extractor = load_dataset("scenes"), load_extractor("scenes")
    names = [*dataset.split("train"), *dataset.split("dev")]
    matrix = extractor.features(dataset.images.open(name) for name in names)
    features = Features(names, matrix, identity(extractor))
    config = TrainingConfig(epochs=8, batch_size=64, learning_rate=3e-3)
    model, train, dev = prepare(dataset, features, MRNNConfig(**SMALL), config)
    Trainer(model, config).fit(train, dev)
    shown = dataset.split("dev")[:SCENES]
    captions = model.caption(features.rows(shown))
    return [
        (dataset.images.open(name), caption.text)
        for name, caption in zip(shown, captions, strict=True)
    ]


def draw(photos, sentences, scenes) -> Image.Image:
    """Return the figure: photographs above, scenes below, sentences under each."""
    figure = plt.figure(figsize=(9, 5.9), dpi=100)
    above, below = figure.subfigures(2, 1, height_ratios=(1.5, 1))
    widths = [picture.shape[1] / picture.shape[0] for picture, _ in photos]
    axes = above.subplots(1, len(photos), width_ratios=widths)
    for ax, (picture, note), (best, *others) in zip(
        axes, photos, sentences, strict=True
    ):
        ax.imshow(picture)
        ax.set_title(note, fontsize=9, color="dimgrey")
        wide = 20 * picture.shape[1] // picture.shape[0] + 8
        write(ax, [best], wide, -0.04, 9.5, "black")
        lines = len(textwrap.wrap(best, wide))
        write(ax, others, wide + 6, -0.06 - 0.085 * lines, 7.5, "grey")
    for ax, (scene, caption) in zip(below.subplots(1, SCENES), scenes, strict=True):
        ax.imshow(scene)
        write(ax, [caption], 28, -0.05, 9.5, "black")
    for ax in figure.axes:
        ax.set_xticks([])
        ax.set_yticks([])
    above.subplots_adjust(left=0.01, right=0.99, top=0.93, bottom=0.26, wspace=0.06)
    below.subplots_adjust(left=0.01, right=0.99, top=0.99, bottom=0.25)
    stream = BytesIO()
    figure.savefig(stream, format="png")
    return Image.open(stream).convert("RGB")


def write(ax, texts: list[str], wide: int, top: float, size: float, colour: str):
    """Write texts below an axis, each folded to so many letters."""
    folded = "\n".join(textwrap.fill(text, wide) for text in texts)
    ax.text(0.5, top, folded, fontsize=size, color=colour, ha="center", va="top",
            transform=ax.transAxes)  # fmt: skip


def main() -> None:
    photos = photographs()
    sentences = sentences_for_photographs([picture for picture, _ in photos])
    scenes = described_scenes()
    for said in (*sentences, *([caption] for _, caption in scenes)):
        print(*said, sep="\n  ")
    # 256 colours are a third of the bytes.
    draw(photos, sentences, scenes).quantize(256).save(OUT, optimize=True)
    size = OUT.stat().st_size
    print(f"{OUT.name}: {size} bytes")
    if size > LARGEST:
        raise SystemExit(f"larger than {LARGEST} bytes")


if __name__ == "__main__":
    main()
