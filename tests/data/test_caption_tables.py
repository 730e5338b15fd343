"""The three tables of captions, their known damages, and garbage."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mrnn_np.data.caption_tables import read_bars, read_csv, read_token
from mrnn_np.runtime.errors import InputError


def test_bars():
    captions, remarks = read_bars(
        "r.csv",
        "image_name| comment_number| comment\n"
        '1.jpg| 0| Two men , one with a " sign " .\n'
        "1.jpg| 1|  Two | men .\n"
        "2.jpg| 4   A dog runs .\n",
    )
    assert captions == {
        "1.jpg": ['Two men , one with a " sign " .', "Two | men ."],
        "2.jpg": ["A dog runs ."],
    }
    assert remarks == ("1 rows lack a bar and were mended, first r.csv:4",)


def test_a_header_that_was_cut_and_none_at_all():
    cut = "age_name| comment_number| comment\r\n1.jpg| 0| A man .\r\n"
    assert read_bars("r", cut) == ({"1.jpg": ["A man ."]}, ())
    assert read_bars("r", "1.jpg| 0| A man .") == ({"1.jpg": ["A man ."]}, ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1.jpg| 0| A .\n1.jpg, 1, B\n", r"r:2: expected NAME.jpg\| K\| caption, got"),
        ("1.jpg| A dog", r"r:1: expected NAME"),
        ("1.jpg| 0|  .\n", r"r:1: empty caption of 1.jpg#0"),
        ("1.jpg| 4", r"r:1: empty caption of 1.jpg#4"),
        ("1.jpg| 0| A\n1.jpg| 0| B\n", r"r:2: 1.jpg#0 has a caption already"),
        ("../1.jpg| 0| A\n", r"r:1: '../1.jpg' cannot be the name"),
        ("image_name| comment_number| comment\n", r"r: no caption in it"),
    ],
)
def test_bad_bars(text, message):
    with pytest.raises(InputError, match=message):
        read_bars("r", text)


def test_csv():
    text = (
        'image,caption\r\n1.jpg,"A dog , running"\r\n\r\n1.jpg,A dog .\r\n'
        '2.jpg,"A ""stop"" sign"\r\n2.jpg, "over\r\ntwo lines"\r\n'
    )
    assert read_csv("c", text) == (
        {
            "1.jpg": ["A dog , running", "A dog ."],
            "2.jpg": ['A "stop" sign', "over two lines"],
        },
        (),
    )
    numbered = "image_name,comment_number,comment\n1.jpg,0,A dog .\n1.jpg,1,A dog .\n"
    assert read_csv("c", numbered)[0] == {"1.jpg": ["A dog .", "A dog ."]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1.jpg,A dog\n", r"c:1: expected the header image,caption, got '1.jpg,A dog'"),
        ("image,caption\n1.jpg,A dog, running\n", r"c:2: 3 fields, expected image,cap"),
        ("image,caption\n1.jpg\n", r"c:2: 1 fields"),
        ('image,caption\n1.jpg,"A dog\n2.jpg,A cat\n', r"c:\d: unexpected end of data"),
        ('image,caption\n1.jpg,"A" dog\n', r"c:2: .*expected after"),
        ("image,caption\n/1.jpg,A dog\n", r"c:2: '/1.jpg' cannot be"),
        ("image,caption\n1.jpg,.\n", r"c:2: empty caption of 1.jpg"),
        ("image_name,comment_number,comment\na,0,A\na,0,B\n", r"c:3: a#0 has a capt"),
        ("image,caption\n", r"c: no caption in it"),
        ("", r"c: no caption in it"),
        ("image,caption\n1.jpg," + "x" * 200_000, r"c:2: field larger than"),
    ],
)
def test_bad_csv(text, message):
    with pytest.raises(InputError, match=message):
        read_csv("c", text)


def test_token_with_and_without_a_tab():
    text = "1.jpg#0\tA dog .\n1.jpg#1   A dog runs .\n2.jpg.1#0\tA cat\n"
    assert read_token("t", text)[0] == {
        "1.jpg": ["A dog .", "A dog runs ."],
        "2.jpg": ["A cat"],
    }
    with pytest.raises(InputError, match=r"t:1: '../1.jpg' cannot be"):
        read_token("t", "../1.jpg#0\tA dog\n")


# Bits of real lines, so that garbage gets past the first check.
GARBAGE = st.lists(
    st.one_of(
        st.sampled_from(
            ["1.jpg", "#0", "|", "| ", "\t", ",", '"', "\n", "\r\n", "image,caption\n",
             "image_name| comment_number| comment\n", "A dog .", "0", " ", "../"]
        ),
        st.text(max_size=5),
    ),
    max_size=14,
).map("".join)  # fmt: skip


@pytest.mark.parametrize("read", [read_token, read_bars, read_csv])
@given(text=GARBAGE)
@example(text="\r")
@example(text='image,caption\n"')
def test_garbage_is_read_or_refused(read, text):
    try:
        captions, _ = read("g", text)
    except InputError as error:
        assert str(error).startswith("g:")
        assert "\n" not in str(error)
        return
    assert captions and all(captions.values())
