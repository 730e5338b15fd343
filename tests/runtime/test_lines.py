"""Errors and printed text: one line, harmless, of bounded length."""

import pickle

import pytest

from mrnn_np.runtime.errors import InputError, WrongUse
from mrnn_np.runtime.lines import LONGEST, harmless, one_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain", "plain"),
        ("ü 狗 \U0001f600 e\u0301", "ü 狗 \U0001f600 e\u0301"),
        ("two\nlines\r\n and\tblanks  ", "two lines and blanks"),
        ("\u2028a\x85b\x1cc", "a b c"),
        ("\x1b[2Ja\x7f\x9b31m", "\\u001b[2Ja\\u007f\\u009b31m"),
        ("a\u202eb\u2066c", "a\\u202eb\\u2066c"),
        ("a\ud800b\udcff", "a\\ud800b\\udcff"),
        ("", ""),
    ],
)
def test_one_line(text, line):
    assert one_line(text) == line
    assert one_line(line) == line and harmless(line) == line
    line.encode()


def test_the_middle_of_a_long_line_is_left_out():
    line = one_line("where: " + "x" * 70_000 + " what to do")
    assert line.startswith("where: xxx") and line.endswith("xxx what to do")
    assert " ... " in line and len(line) == LONGEST + 5
    assert one_line("x" * LONGEST) == "x" * LONGEST


@pytest.mark.parametrize("kind", [InputError, WrongUse])
def test_errors_are_one_line_whatever_they_quote(kind):
    error = kind("f\x1b.npz: wrong\nin two lines")
    assert str(error) == f"{error}" == "f\\u001b.npz: wrong in two lines"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert len(str(kind(f"{'x' * 70_000}: no such file"))) < 1000
