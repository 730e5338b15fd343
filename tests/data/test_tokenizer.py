import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mrnn_np.data import detokenize, get_tokenizer, tokenize
from mrnn_np.runtime.errors import InputError


@pytest.mark.parametrize(
    ("raw", "tokens"),
    [
        ("A dog's ball.", "a dog 's ball"),
        ("A man 's shirt .", "a man 's shirt"),
        ("They don't run, can't swim", "they do n't run ca n't swim"),
        ("He isn 't", "he isn t"),
        ("I'll say we've won", "i 'll say we 've won"),
        ("She'd go, I'm sure", "she 'd go i 'm sure"),
        ("The boys' bikes", "the boys bikes"),
        ("a black-and-white T-shirt - old", "a black-and-white t-shirt old"),
        ("rock 'n' roll", "rock n roll"),
        ("'slide' at 5 o'clock", "slide at 5 o'clock"),
        ("at&t & co", "at&t co"),
        ("U.S.A. in D.C.", "u.s.a. in d.c."),
        ("The end.Another", "the end another"),
        ("1,000 at 4.5 by 10:30", "1,000 at 4.5 by 10:30"),
        ("a ‘dog’s’ “bone” — café", "a dog 's bone café"),
        ("ＦＵＬＬ ｗｉｄｔｈ", "full width"),
        ("a_b <end> #2", "a b end 2"),
        ("bird's-eye-view", "bird 's eye-view"),
        (" . ! ", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_english(raw, tokens):
    assert tokenize(raw) == tokens.split()


def test_split_and_raw_sentences_come_out_the_same():
    raw = "A woman's t-shirt doesn't fit, so she's cold."
    split = "a woman 's t-shirt does n't fit , so she 's cold ."
    assert tokenize(raw) == tokenize(split)


def test_characters():
    tokens = tokenize("一个穿T-Shirt的女人，看着2只狗。", "characters")
    assert tokens == [*"一个穿", "t", "shirt", *"的女人看着", "2", *"只狗"]
    assert detokenize(tokens, "characters") == "一个穿t shirt的女人看着2只狗"


def test_detokenize_puts_endings_back():
    assert detokenize("a dog 's ball does n't roll".split()) == (
        "a dog's ball doesn't roll"
    )
    assert detokenize(["'s"]) == "'s"
    for endings in (["n't"] * 3, ["dog", "'s", "n't"], ["do", "n't", "'s"]):
        assert tokenize(detokenize(endings)) == endings
    assert detokenize([]) == ""


# Besides any characters at all, the ones that decide where a word ends.
TRICKY = st.text(st.sampled_from("nts'mdrevl’ .-&,:_1aXé中İßﬁ\u0301")) | st.text()


@given(TRICKY, st.sampled_from(["english", "characters"]))
@example("n'tn't's'd've", "english")
@example("a.b.c.'s", "english")
@example("1's_", "english")
@example("1's＿", "english")
@example("2×3÷é", "characters")
def test_tokens_survive_the_round_trip(text, name):
    tokens = tokenize(text, name)
    assert tokenize(detokenize(tokens, name), name) == tokens
    assert tokenize(" ".join(tokens), name) == tokens
    for token in tokens:
        assert token and re.search(r"\w", token) and not re.search(r"\s|[A-Z_]", token)


def test_unknown_tokenizer_is_named():
    with pytest.raises(InputError, match=r"'klingon'.*english, characters"):
        get_tokenizer("klingon")
    assert get_tokenizer("characters").name == "characters"
