"""What the papers print: copied rightly, placed at the right row, misprints noted."""

import dataclasses
import sys

import pytest

from mrnn_np.data.dataset import READERS
from mrnn_np.tables.layout import TITLES
from mrnn_np.tables.printed import BOTH_WAYS, LABELS, SIZES, SOURCES, Source
from mrnn_np.tables.published import NOTES, PUBLISHED, beside, parse

NUMBERS = [number for number in PUBLISHED if number.source is not SIZES]


def printed(where: str, system: str, dataset: str = "") -> dict[str, float]:
    """Return what one system has in one table."""
    return {
        n.metric: float(n.printed)
        for n in NUMBERS
        if where in n.source.where
        and n.system == system
        and n.source.dataset.startswith(dataset)
    }


def test_every_number_is_one_and_stands_beside_a_row_of_ours():
    assert len(NUMBERS) > 400
    for number in NUMBERS:
        assert float(number.printed) >= 0
        assert number.row in ("", *TITLES), number
        assert number.source.dataset in READERS
    assert {source.label for source in SOURCES} == set(LABELS)
    for number in parse(SIZES):
        assert number.row in TITLES


@pytest.mark.parametrize(
    ("where", "system", "dataset", "metric", "value"),
    [
        ("table 1", "m-RNN-AlexNet", "iaprtc12", "perplexity", 6.92),
        ("table 1", "RNN-Base", "iaprtc12", "BLEU-4", 0.043),
        ("table 2", "m-RNN-AlexNet", "iaprtc12", "sentence to image median", 21),
        ("table 3", "DeepFE-RCNN", "flickr8k", "image to sentence R@5", 32.9),
        ("table 4", "NIC", "flickr30k", "sentence to image R@5", 57.0),
        ("table 4", "m-RNN-VggNet", "flickr30k", "sentence to image R@1", 22.8),
        ("version 5, table 5", "m-RNN-VggNet", "coco", "BLEU-3", 0.35),
        ("slides, table 2", "m-RNN-VggNet", "coco", "BLEU-4", 0.24),
        ("10.1", "m-RNN-visInRnn-both-shared", "flickr30k", "BLEU-1", 0.478),
        ("slides, table 4", "Human-c5", "coco", "METEOR", 0.252),
        ("table 7", "m-RNN-beam-c5", "coco", "CIDEr", 0.791),
        ("table 8", "+CIDEr-oracle", "coco", "CIDEr", 1.272),
    ],
)
def test_numbers_are_those_of_the_papers(where, system, dataset, metric, value):
    assert printed(where, system, dataset)[metric] == value


def implausible() -> set[tuple[str, str, str]]:
    """Return the numbers that cannot be what they seem, by themselves alone.

    R@K grows with K, reaches 50 % by the median rank (which some papers interpolate:
    hence one rank of tolerance), and BLEU-n falls with n.
    """
    found = set()
    for source in SOURCES[:-1]:
        for system in {n.system for n in parse(source)}:
            own = {n.metric: float(n.printed) for n in parse(source)
                   if n.system == system}  # fmt: skip
            for way in ("image to sentence", "sentence to image"):
                at = [(K, own.get(f"{way} R@{K}")) for K in (1, 5, 10)]
                at = [(K, value) for K, value in at if value is not None]
                half = own.get(f"{way} median", 1e9)
                for i, (K, value) in enumerate(at):
                    if any(other > value for _, other in at[:i]):
                        found.add((source.label, system, f"{way} R@{K}"))
                    if half <= K - 1 and value < 50:
                        found.add((source.label, system, f"{way} R@{K}"))
            bleu = [own[f"BLEU-{n}"] for n in range(1, 5) if f"BLEU-{n}" in own]
            if bleu != sorted(bleu, reverse=True):
                found.add((source.label, system, "BLEU"))
    return found


def test_the_one_impossible_number_is_noted(monkeypatch):
    [place] = implausible()
    assert place == ("COCO", "m-RNN-VggNet", "sentence to image R@5")
    [number] = [n for n in NUMBERS if (n.source.label, n.system, n.metric) == place]
    assert number.printed == "42.2" and "misprint" in number.notes[0]
    planted = {"55.0": False, "9.0": True, "62.0": True, "45.0": True}
    for printed_there, caught in planted.items():
        line = f"x A 20.0 {printed_there} 60.0 4 1 2 3 400"
        source = Source("coco", "COCO", "", BOTH_WAYS, line)
        monkeypatch.setattr(sys.modules[__name__], "SOURCES", (source, SIZES))
        assert bool(implausible()) == caught


def test_every_note_is_carried():
    for note in NOTES:
        assert [n for n in PUBLISHED if note.text in n.notes], note
    texts = [note.text for note in NOTES]
    assert len(set(texts)) == len(texts)


def test_devises_rows_are_equal_as_the_note_says():
    rows = [printed(table, "DeViSE-avg-RCNN") for table in ("table 3", "table 4")]
    assert rows[0] == rows[1] != {}


def test_gains_of_reranking_are_those_of_the_note():
    for where, bleu, cider in (("table 8", 2.5, 9.6), ("test server", 2.3, 9.8)):
        own = {
            system: {
                n.metric: float(n.printed)
                for n in NUMBERS
                if n.system == system and n.source.where.endswith(where)
            }
            for system in ("m-RNN-shared", "+NNref-BLEU", "+NNref-CIDEr")
        }
        base = own["m-RNN-shared"]
        gain = 100 * (own["+NNref-BLEU"]["BLEU-4"] - base["BLEU-4"])
        assert gain == pytest.approx(bleu)
        gain = 100 * (own["+NNref-CIDEr"]["CIDEr"] - base["CIDEr"])
        assert gain == pytest.approx(cider)


def test_of_several_numbers_the_nearest_stands_beside():
    assert beside("mrnn", "BLEU-4", "flickr8k:DIR").text == ".170 F8K"
    assert beside("mrnn", "BLEU-4", "iaprtc12").text == ".208 IAPR"
    assert beside("mrnn", "BLEU-4", "scenes").text == ".19 F30K"  # of VggNet features
    assert beside("mrnn", "BLEU-4", "scenes", ["10.1"]).text == ".187 F30K"
    assert beside("mrnn", "BLEU-4", "flickr8k", ["table 7"]).text == ".272 c5"
    assert beside("mrnn", "BLEU-4", "coco", ["none", "table 8"]).text == ".25 COCO"
    assert beside("nic", "recurrent_size", "coco").text == "512"
    assert beside("dmsm", "CIDEr", "coco") is None


def test_a_line_of_a_wrong_length_is_refused():
    with pytest.raises(ValueError, match="zip"):
        parse(dataclasses.replace(SOURCES[0], lines="mrnn m-RNN 1 2 3"))
