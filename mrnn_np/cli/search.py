"""`mrnn-np search`: images for a sentence, or sentences for a photograph."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mrnn_np.cli.inputs import (
    add_checkpoint,
    add_features,
    files_read,
    images_of,
    load_scoring,
    positive,
    together,
)

if TYPE_CHECKING:
    from mrnn_np.data import CaptionDataset
    from mrnn_np.features.matrix import Features
    from mrnn_np.images import Images
    from mrnn_np.report import Page

EXAMPLE = (
    'mrnn-np search --text "two dogs run on the grass" flickr8k:DIR '
    "--features flickr8k.npz --checkpoint flickr8k --report dogs.html"
)
RANKER = "score: the model's own, larger is better"  # of one that cannot speak


def add_arguments(parser: argparse.ArgumentParser) -> None:
    query = parser.add_mutually_exclusive_group(required=True)
    query.add_argument("--text", metavar="SENTENCE", help="find images for it")
    query.add_argument("--image", metavar="FILE", help="find sentences for it")
    parser.add_argument("dataset", metavar="DATASET", help="NAME:PATH, e.g. scenes")
    parser.add_argument(
        "--split",
        default="dev",
        help="whose images or sentences are searched (default dev)",
    )
    add_features(parser)
    add_checkpoint(parser)
    parser.add_argument(
        "--top", type=positive, default=5, metavar="K", help="results shown (default 5)"
    )
    parser.add_argument(
        "--samples",
        type=positive,
        default=200,
        metavar="N",
        help="of --image: training images that a sentence's likelihood is averaged "
        "over (default 200); a ranker needs none",
    )
    parser.add_argument(
        "--report", type=Path, metavar="PAGE.html", help="write a page with pictures"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    from mrnn_np.report import page_output
    from mrnn_np.runtime.outputs import check_places
    from mrnn_np.runtime.progress import show, show_json

    find = find_images if args.text is not None else find_sentences
    check_places(page_output(args.report, "--report"), inputs=files_read(args))
    title, explained, results, add_to = find(args)
    if args.report:
        from mrnn_np.report import Page

        page = Page("m-RNN search", f"{title}, model {together(args.checkpoint)}")
        add_to(page)
        page.save(args.report)
    if args.json:
        query = {"text": args.text} if args.text is not None else {"image": args.image}
        summary = {
            **query,
            "dataset": args.dataset,
            "split": args.split,
            "checkpoint": together(args.checkpoint),
            "results": results,
        }
        show_json(summary)
    else:
        show(title)
        show(explained)
        for rank, result in enumerate(results, start=1):
            show(f"{rank:4}  {line_of(result)}")
    return 0


def line_of(result: Mapping) -> str:
    """Write one result as a line: the score, then what was found."""
    if "sentence" not in result:
        return f"{score_of(result):8.2f}  {result['image']}"
    first, *others = result["images"]
    more = f" and {len(others)} more" if others else ""
    return f"{result['score']:8.2f}  {result['sentence']}  ({first}{more})"


def score_of(result: Mapping) -> float:
    """Return what an image was ranked by."""
    return result.get("score", result.get("log_prob"))


def split_of(
    dataset: "CaptionDataset", features: "Features", args: argparse.Namespace
) -> list[str]:
    """Return the readable images of the split; refuse what would fail at the end."""
    names = images_of(dataset, args.split, features)
    if args.report:
        dataset.images.open(names[0])  # says so when the pictures did not come along
    return names


def find_images(
    args: argparse.Namespace,
) -> "tuple[str, str, list[dict], Callable[[Page], None]]":
    """Search by text.

    Returns
    -------
    title, explained : what was searched, and what the score is.
    results : one dict a result, as --json prints it.
    add_to : adds the results to a page.
    """
    import numpy as np

    from mrnn_np.data import get_tokenizer
    from mrnn_np.models import Ranker
    from mrnn_np.retrieval.search import images_for_sentence
    from mrnn_np.runtime.progress import say

    model, dataset, features = load_scoring(args)
    words = model.encode(args.text)
    tokens = get_tokenizer(model.tokenizer).tokenize(args.text)
    unknown = [token for token in tokens if token not in model.vocabulary]
    if unknown:
        say(f"words that the model does not know, <unk> to it: {', '.join(unknown)}")
    names = split_of(dataset, features, args)
    scores = images_for_sentence(model, words, features.rows(names))
    best = np.argsort(-scores, kind="stable")[: args.top]
    ranker = isinstance(model, Ranker)
    key = "score" if ranker else "log_prob"
    results = [{"image": names[i], key: round(float(scores[i]), 4)} for i in best]
    title = (
        f"{dataset.name} {args.split}: best {len(best)} of {len(names)} images for "
        f"{args.text!r}"
    )
    explained = RANKER if ranker else "score: log P(sentence | image), nats"

    def add_to(page: "Page") -> None:
        page.section("Found", explained, picture_wall(dataset.images, results))

    return title, explained, results, add_to


def find_sentences(
    args: argparse.Namespace,
) -> "tuple[str, str, list[dict], Callable[[Page], None]]":
    """Search by a photograph; returns what `find_images` returns."""
    import numpy as np

    from mrnn_np.cli.rank import sample_training
    from mrnn_np.features.extractors import extractor_of
    from mrnn_np.images import load_image
    from mrnn_np.models import Ranker
    from mrnn_np.retrieval.search import different_sentences, sentences_for_image
    from mrnn_np.runtime.errors import InputError
    from mrnn_np.runtime.progress import say

    photograph = load_image(args.image)
    model, dataset, features = load_scoring(args)
    names = split_of(dataset, features, args)
    sentences = different_sentences(model, dataset, names)
    if not sentences:
        raise InputError(f"{dataset.name}: the split {args.split!r} has no sentence")
    rng = np.random.default_rng(0)  # the sample of `mrnn-np rank`
    ranker = isinstance(model, Ranker)
    samples = 0 if ranker else args.samples
    training = sample_training(dataset, features, samples, rng)
    extractor = extractor_of(model.extractor, together(args.checkpoint))
    found = sentences_for_image(
        model,
        [sentence.words for sentence in sentences],
        extractor.features([photograph]),
        features.rows(training),
        args.top,
    )
    results = []
    for number, i in enumerate(found.best):
        result: dict[str, Any] = {"sentence": sentences[i].text}
        result["score"] = round(float(found.scores[number]), 4)
        if found.log_probs is not None:
            result["log_prob"] = round(float(found.log_probs[number]), 4)
        results.append({**result, "images": sentences[i].images})
    explained = RANKER
    if not ranker:
        say(
            f"{100 * found.share:.0f} % of all pairs of a sentence and a training "
            "image were computed: the others cannot change the result"
        )
        explained = (
            f"score: log P(sentence | image) less log of its mean over {len(training)} "
            "training images, nats"
        )
    title = (
        f"{dataset.name} {args.split}: best {len(results)} of {len(sentences)} "
        f"sentences for {args.image}"
    )

    def add_to(page: "Page") -> None:
        from mrnn_np.report.retrieval_wall import sentence_list

        lines = [(f"{r['score']:.2f}  {r['sentence']}", False) for r in results]
        name = Path(args.image).name
        page.section("Found", explained, sentence_list(name, "", photograph, lines))
        page.section(
            "What the sentences were written for",
            "The first image of each.",
            picture_wall(dataset.images, results),
        )

    return title, explained, results, add_to


def picture_wall(images: "Images", results: Sequence[Mapping]) -> str:
    """Show the picture of each result."""
    from mrnn_np.report import caption_wall

    items = []
    for rank, result in enumerate(results, start=1):
        if "sentence" in result:
            name, caption = result["images"][0], f"{rank}. {result['sentence']}"
        else:
            name, caption = result["image"], f"{rank}. {score_of(result):.2f}"
        items.append((images.open(name), caption, [name]))
    return caption_wall(items, label="image")
