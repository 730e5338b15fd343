"""The tables as text: one of them letter by letter, and what all have to keep."""

import re
from textwrap import dedent

import numpy as np
from made_up import PLAN, captioner, dataset, failed, few_captions, few_rows

from mrnn_np.tables.claims import judge
from mrnn_np.tables.filled import fill, footnotes
from mrnn_np.tables.layout import TITLES
from mrnn_np.tables.text import WIDTH, not_compared, table_text, tables_text

TABLE = """
    Table 3. The recurrence: its size, and gates
      The paper's point: a plain recurrence of 256 units does what others use larger ones and LSTMs for.

             units    cell      perplexity        BLEU-4      CIDEr  parameters  training  captions/s
      m-RNN    256    relu           17.03          .213       .511      4.10 M    13 min         912
                               16.69-17.37     .200-.226  .475-.547
                            2x 17.03-17.16  2x .210-.216
             [256]  [relu]     [24.39 F8K]    [.170 F8K]  [.791 c5]
      m-RNN (LSTM)  failed: training <b>diverged</b> & more in epoch 2
      NIC      256    relu           18.50          .180       .432      4.10 M    13 min         912
                               18.13-18.87     .169-.191  .402-.462
                            2x 18.50-18.62  2x .180-.180
             [512]  [lstm]
      Not there yet: m-RNN (128 units), m-RNN (512 units), m-RNN (GRU), RVR, DeepVS, LRCN, LRCN
      (unfactored), LRCN (4 layers), MNLM.
"""  # noqa: E501


def whole(rows=None) -> str:
    data = dataset()
    rows = few_rows() if rows is None else rows
    claims = judge(PLAN, rows, data, few_captions(data), np.random.default_rng(0))
    return tables_text(PLAN, rows, claims)


def test_a_table_letter_by_letter():
    filled = fill(PLAN, few_rows())
    assert table_text(filled[2], footnotes(filled)) == dedent(TABLE).strip()


def test_no_line_is_too_long_and_none_ends_in_blanks():
    rows = [captioner(name, 0.21, 117.0, 0.2, 0.22) for name in TITLES]
    rows[3] = failed("mrnn", "a long reason " * 20)
    for text in (whole(), whole(rows)):
        for line in text.splitlines():
            assert len(line) <= WIDTH and line == line.rstrip()


def test_published_numbers_are_in_brackets_and_measured_ones_are_not():
    text = whole()
    start = text.index("Table 2")
    assert "[.170 F8K]" in text and ".213" in text
    measured = re.sub(r"\[[^\]]*\]", "", text[start : text.index("Table 3")])
    assert ".170" not in measured and "F8K" not in measured
    assert "F8K: Flickr8K" in text and "IAPR: IAPR TC-12" in text
    assert "c40:" not in text  # not used


def test_every_letter_has_its_note():
    text = whole()
    used = set(re.findall(r"\[[^\]]+\]([a-z]+)", text))
    noted = set(re.findall(r"^([a-z])  \S", text, re.M))
    assert set("".join(used)) == noted != set()


def test_a_dash_where_a_model_cannot():
    [line] = re.findall(r"^  DMSM .*$", whole()[whole().index("Table 2") :], re.M)[:1]
    assert line.split()[1:] == ["-"] * 5


def test_verdicts_are_counted_and_said():
    text = whole()
    counts = text[text.index("What the paper") :]
    [holds] = re.findall(r"(\d+) holds", counts)[:1]
    assert counts.count("  HOLDS: ") == int(holds) > 0
    assert "Not compared: MLBL-B is not there yet; MLBL-F is not there yet;" in counts
    assert "difference +" in counts


def test_without_rows_and_claims_there_is_still_a_text():
    text = tables_text(PLAN, [], [])
    assert text.count("No row of this table is there yet.") == 6
    assert "What the paper concludes" not in text


def test_reasons_are_named_once():
    claim = {"comparisons": [{"reason": "x"}, {"reason": "x"}, {"reason": "y"}, {}]}
    assert not_compared(claim) == "Not compared: x; y."
    assert not_compared({"comparisons": [{}]}) == ""
