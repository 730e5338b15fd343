"""The retrieval wall: queries, what was found for them, and what should have been.

The queries are drawn at random, so failures are seen as often as they happen.

Knows: pictures, sentences and their ranks. Does not know: how scores were computed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from PIL.Image import Image

from mrnn_np.images import Images
from mrnn_np.report.page import Page, table
from mrnn_np.report.walls import data_url
from mrnn_np.retrieval.protocol import Retrieval
from mrnn_np.retrieval.ranking import Recall, relevance

QUERIES = 10  # of each kind: a page of 1 MB with photographs
SHOWN = 5  # results of a query
SIDE = 240  # pixels: six pictures stand in a row


@dataclass(frozen=True)
class Hit:
    """One result of a query.

    Fields
    ------
    rank : 1 is best.
    number : which candidate it is.
    right : whether it belongs to the query.
    """

    rank: int
    number: int
    right: bool


def best_hits(scores: np.ndarray, relevant: np.ndarray) -> list[Hit]:
    """Return the first results of one query, and the first right one wherever it is.

    Parameters
    ----------
    scores : (candidates,), larger is better; -inf for what was never looked at, which
        is not shown.
    relevant : (candidates,) bool. Where scores are equal the right one comes last, as
        in `mrnn_np.retrieval.first_ranks`.
    """
    order = np.lexsort((relevant, -scores))
    order = order[np.isfinite(scores[order])]
    hits = [Hit(i + 1, int(n), bool(relevant[n])) for i, n in enumerate(order)]
    first_right = next((hit.rank for hit in hits if hit.right), 0)
    return [hit for hit in hits if hit.rank <= SHOWN or hit.rank == first_right]


def rank_line(hits: list[Hit], candidates: int) -> str:
    """Say where the first right result stands."""
    for hit in hits:
        if hit.right:
            return f"rank {hit.rank} of {candidates}"
    return "not on the shortlist"


def image_strip(
    sentence: str, hits: list[Hit], candidates: int, pictures: Callable[[int], Image]
) -> str:
    """Show a sentence and the pictures found for it, the right one framed.

    pictures : candidate number -> Pillow image.
    """
    figures = []
    for hit in hits:
        mark, kind = (" ✓", ' class="right"') if hit.right else ("", "")
        figures.append(
            f'<figure{kind}><img src="{data_url(pictures(hit.number), SIDE)}" '
            f'alt=""><figcaption>{hit.rank}{mark}</figcaption></figure>'
        )
    return (
        f'<div class="query"><h3>{escape(sentence)} <span class="soft">'
        f"{rank_line(hits, candidates)}</span></h3>"
        f'<div class="strip">{"".join(figures)}</div></div>'
    )


def sentence_list(
    title: str, remark: str, picture: Image, lines: Sequence[tuple[str, bool]]
) -> str:
    """Show a picture beside sentences, the right ones marked.

    lines : (text, whether it is right) each.
    """
    items = "".join(
        f'<li class="right">{escape(text)} ✓</li>'
        if right
        else f"<li>{escape(text)}</li>"
        for text, right in lines
    )
    return (
        f'<div class="query beside"><figure><img src="{data_url(picture, SIDE)}" '
        f'alt="{escape(title)}"></figure><div><h3>{escape(title)} <span class="soft">'
        f'{escape(remark)}</span></h3><ul class="found">{items}</ul></div></div>'
    )


def recall_table(rows: Mapping[str, Recall]) -> str:
    """Return the table of both tasks."""
    return table(
        ["", "R@1", "R@5", "R@10", "median rank", "mean rank"],
        [
            (name, *(f"{v:.1f}" for v in (*row.at.values(), row.median, row.mean)))
            for name, row in rows.items()
        ],
    )


def add_retrieval(
    page: Page, result: Retrieval, images: Images, rng: np.random.Generator
) -> None:
    """Add the table of both tasks, and a wall of queries for each.

    Parameters
    ----------
    images : where the pictures are, as a data set has them.
    rng : draws the queries.
    """
    page.section(
        "Finding images and sentences",
        "R@K is the percentage of queries with a right result among the first K; the "
        "ranks are those of the first right one, 1 is best. A sentence has one right "
        "image, an image all sentences that were written for it. By chance is what a "
        "random order gives.",
        recall_table(result.rows),
    )
    n = len(result.names)
    relevant = relevance(result.owner, n)
    strips = []
    for query in rng.permutation(len(result.sentences))[:QUERIES]:
        hits = best_hits(result.image_scores[query], relevant[query])
        strips.append(
            image_strip(
                result.sentences[query],
                hits,
                n,
                lambda number: images.open(result.names[number]),
            )
        )
    page.section(
        "Images for a sentence",
        f"Sentences drawn at random, and the {SHOWN} images that score best for each: "
        "of a captioner those for which the sentence is likeliest. The image it was "
        "written for is framed; where it comes later, it is the last of the row. "
        "Others may fit as well, but do not count.",
        *strips,
    )
    lists = []
    for query in rng.permutation(n)[:QUERIES]:
        hits = best_hits(result.sentence_scores[query], relevant[:, query])
        name, sentences = result.names[query], result.sentences
        lines = [(f"{hit.rank}. {sentences[hit.number]}", hit.right) for hit in hits]
        line = rank_line(hits, len(sentences))
        lists.append(sentence_list(name, line, images.open(name), lines))
    page.section(
        "Sentences for an image",
        f"Images drawn at random, and the {SHOWN} best sentences for each: of a "
        "captioner those whose likelihood is largest beside its mean over training "
        "images. Sentences that were written for the image are marked; where they come "
        "later, the first of them is the last of the list.",
        *lists,
    )
