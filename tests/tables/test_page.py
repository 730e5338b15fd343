"""The page: whole HTML, nothing from outside, text as text, drawings at their place."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from made_up import PLAN, captioner, dataset, few_captions, few_rows

from mrnn_np.tables.claims import judge
from mrnn_np.tables.filled import Cell, fill, footnotes
from mrnn_np.tables.gallery import SHOWN, choose_pictures
from mrnn_np.tables.layout import TITLES
from mrnn_np.tables.page import claim_html, search_html, table_html, tables_page
from mrnn_np.tables.printed import SOURCES
from mrnn_np.tables.whiskers import (
    INSET,
    LONG,
    WIDTH,
    difference_whisker,
    scale_of,
    whisker,
)

EMPTY = {"meta", "img", "line", "circle", "rect", "br"}


class Reader(HTMLParser):
    """Checks that elements close, and keeps names, ids, links and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open, self.seen, self.ids, self.links = [], [], [], []
        self.text = ""
        self.feed(html)
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        for key, value in attributes:
            if key == "id":
                self.ids.append(value)
            if key in ("href", "src"):
                self.links.append(value)
            assert not key.startswith("on"), f"{tag} {key}"
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in EMPTY:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def html_of(rows=None, with_pictures=True, plan=PLAN) -> str:
    data = dataset()
    rows = few_rows() if rows is None else rows
    captions = few_captions(data)
    claims = judge(PLAN, rows, data, captions, np.random.default_rng(0))
    pictures = None
    if with_pictures:
        pictures = choose_pictures(data, captions, np.random.default_rng(0), 40)
    return tables_page(plan, rows, claims, pictures).html()


def test_the_page_is_whole_and_needs_nothing_from_outside():
    page = Reader(html_of())
    assert "script" not in page.seen and "link" not in page.seen
    assert len(set(page.ids)) == len(page.ids)
    for link in page.links:
        assert link.startswith("data:image/") or link[1:] in page.ids, link[:60]
    assert page.seen.count("details") == len(SOURCES) + 5 + 1  # searched rows, claims
    everything = [captioner(name, 0.2, 17.0) for name in TITLES]
    Reader(html_of(everything, with_pictures=False))
    Reader(tables_page(PLAN, [], []).html())


def test_captions_reasons_and_commands_are_text():
    html = html_of()
    assert "<script>" not in html and "<b>diverged" not in html and "<F>" not in html
    page = Reader(html)
    assert "a <script>alert(1)</script> & a dog" in page.text
    assert "failed: training <b>diverged</b> & more in epoch 2" in page.text
    assert "--features <F>" in page.text
    rows = few_rows()
    rows[1]["cell"] = "<i>"
    assert "<td><i>" not in html_of(rows, with_pictures=False)


def test_a_published_number_is_never_in_the_place_of_a_measured_one():
    html = html_of(with_pictures=False)
    measured = re.findall(r'<span class="measured"[^>]*>([^<]*)</span>', html)
    published = re.findall(r'<i class="published"[^>]*>([^<]*)', html)
    assert ".213" in measured and "-" in measured and ".170 F8K" in published
    labels = re.compile(r" (F8K|F30K|COCO|IAPR|c5|val|c40)$")
    assert not [text for text in measured if labels.search(text)]
    sizes = [text for text in published if not labels.search(text)]
    assert sizes == ["256", "relu", "512", "lstm"]  # of table 6, no data set's
    assert 'title="published: m-RNN-AlexNet, m-RNN paper, version 5, section 7"' in html


def test_every_verdict_of_the_claims_is_on_the_page():
    data = dataset()
    claims = judge(PLAN, few_rows(), data, few_captions(data), np.random.default_rng(0))
    page = Reader(tables_page(PLAN, few_rows(), claims).html())
    for claim in claims:
        assert claim["sentence"] in page.text
        for one in claim["comparisons"]:
            assert one.get("reason", one["sentence"]) in page.text


def test_cells_have_their_whisker():
    """Down a column the dot of the better row stands further to the right."""
    [filled] = [f for f in fill(PLAN, few_rows()) if f.table.number == 2]
    html = table_html(filled, footnotes([filled]))
    dots = {}
    for line in re.findall(r"<tr><th scope=\"row\">.*?</tr>", html):
        title = re.search(r'"row">([^<]*)', line).group(1)
        cells = line.split("<td")[1:]
        dots[title] = [places(cell, "circle", "cx") for cell in cells]
    assert dots["DMSM"] == [[]] * 8  # cannot speak
    people, base = dots["people"], dots["RNN-Base (no image)"]
    assert people[0] == [] and people[5:] == [[]] * 3  # no perplexity, no facts
    for column in range(1, 5):
        order = [dots[row][column][0] for row in ("NIC", "m-RNN", "people")]
        assert base[column][0] < order[0] < order[1] < order[2]


def test_every_metric_of_a_claim_has_its_own_scale():
    def one(metric, low, high):
        middle = (low + high) / 2
        return {"metric": metric, "difference": middle, "low": low, "high": high,
                "verdict": "holds", "sentence": metric}  # fmt: skip

    claim = {"verdict": "holds", "sentence": "s", "source": "t", "margin": 0.0,
             "test": "above"}  # fmt: skip
    comparisons = [one("BLEU-4", 0.01, 0.02), one("CIDEr", 0.1, 0.3)]
    comparisons += [one("BLEU-4", 0.02, 0.04), {"metric": "CIDEr", "reason": "why"}]
    html = claim_html({**claim, "comparisons": comparisons})
    ends = [float(x) for x in re.findall(r'x2="([\d.]+)"[^>]*stroke-width="2.5"', html)]
    full = LONG - INSET
    assert ends == [LONG / 2 + (full - LONG / 2) / 2, full, full]


def test_trials_are_folded_away():
    html = search_html(few_rows()[1])
    assert html.startswith("<details><summary>m-RNN: 2 trials")
    page = Reader(html)
    assert "2.9123 (best)" in page.text and "diverged" in page.text


def test_pictures_are_those_all_rows_describe():
    data = dataset()
    captions = few_captions(data)
    for name in list(captions["nic"])[8:]:
        del captions["nic"][name]
    shown = choose_pictures(data, captions, np.random.default_rng(0))
    assert set(shown.names) == set(captions["nic"])
    many = choose_pictures(data, few_captions(data), np.random.default_rng(0))
    assert len(set(many.names)) == SHOWN
    assert choose_pictures(data, {}, np.random.default_rng(0)) is None
    captions["nic"] = {}
    assert choose_pictures(data, captions, np.random.default_rng(0)) is None


def places(svg: str, element: str, key: str) -> list[float]:
    return [float(x) for x in re.findall(rf'<{element} [^>]*?\b{key}="([-\d.]+)"', svg)]


def test_a_whisker_lies_on_its_scale():
    svg = whisker(0.4, 0.2, 0.6, (0.3, 0.5), (0.0, 1.0))

    def across(share):
        return pytest.approx(INSET + share * (WIDTH - 2 * INSET), abs=0.1)

    assert places(svg, "circle", "cx") == [across(0.4)]
    begins, ends = places(svg, "line", "x1"), places(svg, "line", "x2")
    assert (begins[1], ends[1]) == (across(0.2), across(0.6))
    assert begins[2:] == [across(0.3), across(0.5)]
    assert whisker(1.1, 0.2, 0.6, (), (0.0, 1.0)) == ""
    alone = whisker(0.4, None, None, (), (0.0, 1.0))
    assert places(alone, "line", "x1")[1] == across(0.4)
    assert whisker(float("nan"), None, None, (), (0.0, 1.0)) == ""


def test_a_column_has_one_scale():
    def cell(value, low=None, high=None, seeds=()):
        return Cell(value, low, high, seeds, "", "", None)

    cells = [cell(0.3, 0.2, 0.4), cell(None), cell(0.5, seeds=(0.1, 0.9))]
    assert scale_of(cells) == (0.1, 0.9)
    assert scale_of([cell(float("inf")), cell(0.3)]) is None
    assert scale_of([]) is None


def test_chance_leaves_the_others_room():
    rows = few_rows()
    whiskers = re.compile(r'<svg class="whisker" width="64".*?</svg>')
    drawn = whiskers.findall(html_of(rows, with_pictures=False))
    score = {"value": 9e3, "low": 9e3, "high": 9e3, "seeds": [9e3]}
    for key in ("R@1", "R@5", "R@10", "median"):
        ways = {way: {key: score} for way in ("image to sentence", "sentence to image")}
        far = {**rows[1], "row": "random", "retrieval": {"20": ways}}
        html = html_of([*rows, far], with_pictures=False)
        assert whiskers.findall(html) == drawn
        texts = [cell.text for cell in fill(PLAN, [far])[0].lines[0].cells]
        assert ("9000" in texts) == (key == "median")


def test_a_difference_is_drawn_around_zero():
    one = {"difference": 0.02, "low": -0.01, "high": 0.04, "verdict": "undecided"}
    svg = difference_whisker(one, 0.0, "above", 0.04)
    half = LONG / 2

    def across(number):
        return pytest.approx(half + number / 0.04 * (half - INSET), abs=0.1)

    assert places(svg, "circle", "cx") == [across(0.02)]
    assert places(svg, "line", "x1") == [half, across(-0.01)]
    assert places(svg, "line", "x2") == [half, across(0.04)]
    assert places(svg, "rect", "x") == [half]
    assert places(svg, "rect", "width") == [half]
    assert "--open" in svg and "--yes" not in svg
    little = difference_whisker({**one, "verdict": "holds"}, 0.01, "little", 0.04)
    assert places(little, "rect", "x") == [across(-0.01)]
    width = 0.02 / 0.04 * (half - INSET)
    assert places(little, "rect", "width") == [pytest.approx(width, abs=0.1)]
    assert "--yes" in little
    failed = difference_whisker({**one, "verdict": "does not hold"}, 0, "above", 1)
    assert "--no" in failed
    for nothing in ({**one, "low": float("nan")}, {"verdict": "not measured"}):
        assert difference_whisker(nothing, 0.0, "above", 0.04) == "<span></span>"
    assert difference_whisker(one, 0.0, "above", 0.0) == "<span></span>"
