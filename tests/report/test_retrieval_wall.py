"""The retrieval wall shows what the scores say: order, ranks, the right ones marked."""

import base64
import io
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mrnn_np.report import Page, add_retrieval
from mrnn_np.report.retrieval_wall import (
    SHOWN,
    Hit,
    best_hits,
    image_strip,
    rank_line,
    sentence_list,
)
from mrnn_np.retrieval import Recall, first_ranks
from mrnn_np.retrieval.protocol import Retrieval

IMAGES, EACH = 12, 2


class Colours:
    """Pictures of one colour each: the number of the image is its red."""

    def open(self, name: str) -> Image.Image:
        return Image.new("RGB", (8, 6), (int(name), 0, 0))


def red(tag: str) -> int:
    """Return the red of the picture inside an <img>."""
    text = re.search(r"data:image/png;base64,([^\"]+)", tag)[1]
    return Image.open(io.BytesIO(base64.b64decode(text))).getpixel((0, 0))[0]


def test_hits_by_hand():
    scores = np.array([5.0, 9.0, 1.0, 7.0, 3.0, 8.0, 6.0])
    relevant = np.zeros(7, bool)
    relevant[[2, 4]] = True
    hits = best_hits(scores, relevant)
    assert [hit.number for hit in hits] == [1, 5, 3, 6, 0, 4]
    assert [hit.rank for hit in hits] == [1, 2, 3, 4, 5, 6]
    assert [hit.right for hit in hits] == [False] * 5 + [True]
    relevant[5] = True
    assert len(best_hits(scores, relevant)) == SHOWN  # one is right already
    assert rank_line(best_hits(scores, relevant), 7) == "rank 2 of 7"


def test_what_was_never_looked_at_is_not_shown():
    scores = np.array([-np.inf, 2.0, -np.inf, 1.0])
    relevant = np.array([True, False, False, False])
    hits = best_hits(scores, relevant)
    assert hits == [Hit(1, 1, False), Hit(2, 3, False)]
    assert rank_line(hits, 4) == "not on the shortlist"


@given(st.integers(0, 10_000), st.integers(1, 30))
def test_the_mark_stands_at_the_rank_that_is_scored(seed, n):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, n).astype(float)  # many are equal
    relevant = rng.random(n) < 0.2
    relevant[rng.integers(n)] = True
    rank = int(first_ranks(scores[None], relevant[None])[0])
    hits = best_hits(scores, relevant)
    assert min(hit.rank for hit in hits if hit.right) == rank
    values = [scores[hit.number] for hit in hits]
    assert values == sorted(values, reverse=True)


def test_a_strip_frames_the_right_picture():
    hits = [Hit(1, 4, False), Hit(2, 7, True), Hit(9, 3, False)]
    html = image_strip("<b>dogs</b> & cats", hits, 20, lambda n: Colours().open(n))
    assert "<b>" not in html and "&lt;b&gt;dogs" in html and "&amp; cats" in html
    figures = re.findall(r"<figure.*?</figure>", html)
    assert [red(figure) for figure in figures] == [4, 7, 3]
    assert ['class="right"' in figure for figure in figures] == [False, True, False]
    assert "<figcaption>2 ✓<" in figures[1] and "rank 2 of 20" in html


def test_a_list_marks_the_right_sentences():
    lines = [("1. a <dog>", False), ("2. a cat", True)]
    html = sentence_list("x<y>.jpg", "rank 2 of 9", Colours().open("1"), lines)
    assert "<dog>" not in html and "<y>" not in html and "rank 2 of 9" in html
    assert re.findall(r"<li.*?</li>", html) == [
        "<li>1. a &lt;dog&gt;</li>",
        '<li class="right">2. a cat ✓</li>',
    ]


@pytest.fixture(scope="module")
def result() -> Retrieval:
    rng = np.random.default_rng(5)
    owner = np.arange(IMAGES).repeat(EACH)
    return Retrieval(
        names=[str(i) for i in range(IMAGES)],
        sentences=[f"sentence {i // EACH}-{i % EACH}" for i in range(IMAGES * EACH)],
        owner=owner,
        image_scores=rng.standard_normal((IMAGES * EACH, IMAGES)),
        sentence_scores=rng.standard_normal((IMAGES, IMAGES * EACH)),
        rows={"sentence to image": Recall({1: 12.34, 5: 50.0, 10: 75.0}, 3.0, 4.56)},
        skipped=0.0,
        work=None,
    )


def page_of(result, seed: int = 0) -> str:
    page = Page("test")
    add_retrieval(page, result, Colours(), np.random.default_rng(seed))
    return page.html()


def test_every_query_of_the_page_shows_its_own(result):
    html = page_of(result)
    assert "12.3" in html and "4.6" in html  # the table
    strips = re.findall(r'<div class="query">.*?</div></div>', html)
    lists = re.findall(r'<div class="query beside">.*?</div></div>', html)
    assert len(strips) == 10 and len(lists) == 10
    for strip in strips:
        image, number = map(int, re.search(r"sentence (\d+)-(\d+)", strip).groups())
        framed = re.findall(r'<figure class="right">.*?</figure>', strip)
        assert [red(figure) for figure in framed] == [image]
        order = np.argsort(-result.image_scores[image * EACH + number])
        rank = order.tolist().index(image) + 1
        assert f"rank {rank} of {IMAGES}<" in strip
        reds = [red(figure) for figure in re.findall(r"<figure.*?</figure>", strip)]
        assert reds[:SHOWN] == order[:SHOWN].tolist()
    for part in lists:
        image = red(part)
        assert f"<h3>{image} " in part
        for item in re.findall(r"<li.*?</li>", part):
            assert ("class" in item) == (f"sentence {image}-" in item)


def test_the_queries_are_drawn_by_the_seed(result):
    assert page_of(result, 0) == page_of(result, 0)
    assert page_of(result, 0) != page_of(result, 1)
