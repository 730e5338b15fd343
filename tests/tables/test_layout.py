"""Which rows stand in which table, and how a number is written."""

import pytest
from made_up import PLAN, captioner, failed, few_rows, ranker, score, with_retrieval

from mrnn_np.tables.filled import fill, footnotes, summary, write, write_fact
from mrnn_np.tables.layout import TABLES, TITLES


def test_every_row_stands_in_a_table_and_every_table_has_rows_there_are():
    assert [table.number for table in TABLES] == [1, 2, 3, 4, 5, 6]
    placed = [row for table in TABLES for row in table.rows]
    assert set(placed) == set(TITLES)
    assert len(set(TITLES.values())) == len(TITLES)
    for table in TABLES:
        assert len(set(table.rows)) == len(table.rows)
        assert len({column.metric for column in table.columns}) == len(table.columns)


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("BLEU-4", 0.2134, ".213"),
        ("BLEU-4", -0.0204, "-.020"),
        ("BLEU-4", 1.0, "1.000"),
        ("CIDEr", 10.5, "10.500"),
        ("perplexity", 17.028, "17.03"),
        ("perplexity", 2513.7, "2514"),
        ("perplexity", float("inf"), "inf"),
        ("R@5", 41.04, "41.0"),
        ("R@1", 0.1, "0.1"),
        ("median", 12.0, "12"),
        ("median", 12.5, "12.5"),
    ],
)
def test_scores_are_written_as_in_the_papers(key, value, text):
    assert write(key, value) == text


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("parameters", 4_123_456, "4.12 M"),
        ("parameters", 512, "512"),
        ("training_seconds", 12.4, "12 s"),
        ("training_seconds", 754.0, "13 min"),
        ("training_seconds", 3601.0, "1 h 00"),
        ("training_seconds", 7980.0, "2 h 13"),
        ("captions_per_second", 1234.5, "1,234"),
        ("captions_per_second", 3.14, "3.1"),
        ("recurrent_size", 256, "256"),
        ("cell", "lstm", "lstm"),
    ],
)
def test_facts_are_written_with_their_unit(key, value, text):
    assert write_fact(key, value) == text


def cells_of(rows, number, row):
    """Return title -> cell of one row of one table."""
    [table] = [f for f in fill(PLAN, rows) if f.table.number == number]
    [line] = [line for line in table.lines if line.row == row]
    return {
        column.metric: cell
        for column, cell in zip(table.table.columns, line.cells, strict=True)
    }


def test_what_is_in_a_cell():
    cells = cells_of(few_rows(), 2, "mrnn")
    bleu = cells["BLEU-4"]
    assert (bleu.value, bleu.text, bleu.interval) == (0.213, ".213", ".200-.226")
    assert bleu.seeds == (0.21, 0.216)
    assert bleu.published.text == ".170 F8K"
    assert cells["BLEU-1"].seeds == ()  # one seed is no spread
    assert cells["parameters"].text == "4.10 M" and cells["parameters"].value is None
    ranked = cells_of(few_rows(), 2, "dmsm")
    assert ranked["perplexity"].text == ranked["BLEU-4"].text == "-"
    assert ranked["BLEU-4"].published.text == ".21 COCO"
    both = cells_of(few_rows(), 1, "dmsm")
    assert both["image to sentence R@10"].text == "80.0"
    assert both["sentence to image R@10"].text == "85.0"  # not the other way


def test_a_score_that_does_not_vary_has_no_interval():
    row = captioner("mrnn", 0.2, 17.0)
    row["scores"]["BLEU-4"] = {**score(0.2), "low": 0.2, "high": 0.2}
    assert cells_of([row], 2, "mrnn")["BLEU-4"].interval == ""


def test_a_table_for_each_gallery_the_largest_first():
    row = with_retrieval(captioner("mrnn", 0.2, 17.0), 3.0, 20)
    large = with_retrieval(captioner("mrnn", 0.2, 17.0), 9.0, 1000)
    row["retrieval"] |= large["retrieval"]
    small = with_retrieval(ranker("dmsm", 4.0), 4.0, 20)
    tables = fill(PLAN, [row, small])
    assert [t.title for t in tables][:3] == [
        "Table 1. Retrieval among 1,000 images and 5,000 sentences",
        "Table 1. Retrieval among 20 images and 100 sentences",
        "Table 2. Captioning",
    ]
    dmsm = {line.row: line for line in tables[0].lines}["dmsm"]
    assert dmsm.cells[0].text == "-"
    assert fill(PLAN, [])[0].title == "Table 1. Retrieval"


def test_what_is_not_there_and_what_failed():
    table = fill(PLAN, [captioner("mrnn", 0.2, 17.0), failed("mrnn-lstm", "why")])[2]
    assert [line.row for line in table.lines] == ["mrnn", "mrnn-lstm"]
    assert [line.reason for line in table.lines] == ["", "why"]
    assert "LRCN (4 layers)" in table.missing and "m-RNN" not in table.missing


def test_notes_have_letters_in_the_order_of_their_tables():
    filled = fill(PLAN, few_rows())
    letters = footnotes(filled)
    assert list(letters.values()) == list("ab")
    assert "slides" in next(iter(letters))
    everything = [captioner(name, 0.2, 17.0) for name in TITLES]
    assert len(footnotes(fill(PLAN, everything))) > 5


def test_the_summary_says_what_all_rows_share():
    assert summary(PLAN, few_rows()) == (
        "dev of flickr8k:DIR, 40 images, 4 epochs a row, batches of 128, the best of 4 "
        "trials of learning rate and dropout, up to 2 seeds a row"
    )
    assert summary({"dataset": "scenes", "images": 1200}, []) == (
        "dev of scenes, 1,200 images, one seed a row"
    )
