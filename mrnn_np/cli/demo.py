"""`mrnn-np demo`: the whole story in three minutes.

1. The shipped model describes two real photographs, and any that are given.
2. A small m-RNN learns to describe drawn scenes, from random weights. It is scored on
   three tasks: captions, images for a sentence, sentences for an image.
3. A page to look at shows it all.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mrnn_np.cli.inputs import files_read, positive
from mrnn_np.runtime.progress import say, show

if TYPE_CHECKING:
    from PIL.Image import Image

    from mrnn_np.data import CaptionDataset
    from mrnn_np.features.matrix import Features
    from mrnn_np.models import Captioner
    from mrnn_np.report import Page
    from mrnn_np.retrieval.protocol import Retrieval

EXAMPLE = "mrnn-np demo photo.jpg --out demo"
SHIPPED = "flickr8k"
PHOTOGRAPHS = ("china.jpg", "flower.jpg")  # come with scikit-learn
SHOWN = 12  # scenes on the page
SMALL: dict[str, Any] = {  # a model that learns the scenes in about a minute
    "embedding_size": 64,
    "recurrent_size": 128,
    "multimodal_size": 192,
    "dropout_embedding": 0.1,
    "dropout_recurrent": 0.1,
    "dropout_image": 0.0,  # half of a scene's 236 numbers would be half of the scene
    "dropout_multimodal": 0.1,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "images", metavar="IMAGE", nargs="*", help="photographs of your own"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("demo"),
        metavar="DIR",
        help="where report.html goes (default demo)",
    )
    parser.add_argument(
        "--epochs",
        type=positive,
        default=8,
        metavar="N",
        help="of the small training (default 8)",
    )


def run(args: argparse.Namespace) -> int:
    from mrnn_np.report import Page, page_output
    from mrnn_np.runtime.outputs import check_places

    page = Page(
        "m-RNN demo",
        "A shipped model on photographs, and a small one trained from nothing.",
    )
    report = args.out / "report.html"
    check_places(page_output(report, "--out"), inputs=files_read(args))
    failed = describe_photographs(args.images, page)
    train_on_scenes(args.epochs, page)
    page.save(report)
    show()
    show(f"Report with pictures and curves: {report}")
    return 1 if failed else 0


def photographs(paths: list[str]) -> "list[tuple[str, Image]]":
    """Return (name, image) of the two photographs of scikit-learn, then the user's."""
    from sklearn.datasets import load_sample_image

    from mrnn_np.cnn.preprocessing import as_picture
    from mrnn_np.images import load_image

    own = [(path, load_image(path)) for path in paths]
    return [(name, as_picture(load_sample_image(name))) for name in PHOTOGRAPHS] + own


def describe_photographs(paths: list[str], page: "Page") -> bool:
    """Caption photographs with the shipped model; return whether that failed.

    Without the CNN's weights the demo still goes on to its second part.
    """
    from mrnn_np.features.extractors import extractor_of
    from mrnn_np.models import load_model, must_speak
    from mrnn_np.runtime.errors import InputError

    show(f"1. Photographs, described by the shipped model {SHIPPED}")
    show()
    images = photographs(paths)
    try:
        model = must_speak(load_model(SHIPPED), SHIPPED)
        extractor = extractor_of(model.extractor, SHIPPED)
    except InputError as error:
        say(f"mrnn-np: error: {error}")
        page.section("Photographs", f"Left out: {error}")
        return True
    features = extractor.features([image for _, image in images])
    wall = []
    for (name, image), best in zip(
        images, model.caption(features, n_best=3), strict=True
    ):
        show(f"   {name}: {best[0].text}")
        wall.append((image, best[0].text, [c.text for c in best[1:]]))
    show()
    from mrnn_np.report import caption_wall

    page.section(
        "Photographs",
        f"Described by the model {SHIPPED}: image features of "
        f"{extractor.name}, beam search with 5 sentences.",
        caption_wall(wall, label="also considered:"),
    )
    return False


def train_on_scenes(epochs: int, page: "Page") -> None:
    """Train a small m-RNN on drawn scenes, score it, show what it says and finds."""
    import numpy as np

    from mrnn_np.data import load_dataset
    from mrnn_np.evaluation import evaluate
    from mrnn_np.features.extractors import load_extractor
    from mrnn_np.features.identity import identity
    from mrnn_np.features.matrix import Features
    from mrnn_np.models import MRNN, MRNNConfig
    from mrnn_np.report import add_retrieval, caption_wall, line_chart, table
    from mrnn_np.training import Trainer, TrainingConfig, prepare

    dataset = load_dataset("scenes")
    show(
        f"2. A small m-RNN learns from {len(dataset.split('train'))} drawn scenes, "
        "starting with random weights"
    )
    show()
    names = [name for split in ("train", "dev") for name in dataset.split(split)]
    extractor = load_extractor("scenes")
    matrix = extractor.features(dataset.images.open(name) for name in names)
    features = Features(names, matrix, identity(extractor))
    config = TrainingConfig(epochs=epochs, batch_size=64, learning_rate=3e-3)
    model, train, dev = prepare(dataset, features, MRNNConfig(**SMALL), config, MRNN)
    before = model.mean_loss(dev)
    history = Trainer(model, config).fit(train, dev)
    names = dataset.split("dev")
    rating, captions = evaluate(model, dataset, names, features.rows(names), 5)
    scores = rating.corpus
    from mrnn_np.metrics import perplexity

    show()
    show(
        f"   perplexity on {len(names)} new scenes: {perplexity(before):.1f} before, "
        f"{scores['perplexity']:.2f} after; BLEU-4 {scores['BLEU-4']:.3f}"
    )
    result = find_scenes(model, dataset, features)
    shown = list(zip(names, captions, strict=True))[:SHOWN]
    for name, caption in shown[:5]:
        show(f"   {name}: {caption.text}")
        show(f"       a person would say: {dataset.captions[name][0]}")
    page.section(
        "Drawn scenes",
        "The model learned from drawings and five sentences for each. These drawings "
        "are new to it.",
        caption_wall(
            [
                (dataset.images.open(name), caption.text, dataset.captions[name][:1])
                for name, caption in shown
            ],
            label="given:",
        ),
    )
    page.section(
        "How it learned",
        "Nats per word on the training sentences (with dropout) and on sentences that "
        "it never saw. The perplexity is e to that power.",
        line_chart(
            {
                "training": [(e["epoch"], e["train_loss"]) for e in history],
                "dev": [(0, before)] + [(e["epoch"], e["dev_loss"]) for e in history],
            },
            "epoch",
            "nats per word",
        ),
        table(
            ["on the dev scenes", "value"],
            [(name, f"{value:.3f}") for name, value in scores.items()],
        ),
    )
    add_retrieval(page, result, dataset.images, np.random.default_rng(0))


def find_scenes(
    model: "Captioner", dataset: "CaptionDataset", features: "Features"
) -> "Retrieval":
    """Score both retrieval tasks on the dev scenes; print and return the result."""
    import numpy as np

    from mrnn_np.retrieval.protocol import SAMPLES, retrieve

    names, training = dataset.split("dev"), dataset.split("train")[:SAMPLES]
    result = retrieve(
        model, dataset, names, features.rows(names), features.rows(training),
        np.random.default_rng(0),
    )  # fmt: skip
    for task, row in (
        ("sentence to image", "sentence to image"),
        ("image to sentence", "image to sentence, marginal"),
    ):
        first, chance = result.rows[row].at[1], result.rows[f"{task}, by chance"].at[1]
        show(f"   {task}: right first for {first:.1f} % (by chance {chance:.1f} %)")
    show()
    return result
