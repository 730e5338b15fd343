"""The tokenizer against the Java program's own output."""

import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrnn_np.metrics import ptb

REPOSITORY = Path(__file__).parents[2]
GOLDEN = json.loads(
    (REPOSITORY / "tests" / "golden" / "ptb.json").read_text(encoding="utf-8")
)
CHUNK = 100


def test_every_case():
    assert len(GOLDEN["cases"]) > 600
    different = {
        text: (got, expected)
        for text, expected in GOLDEN["cases"].items()
        if (got := " ".join(ptb.tokenize(text))) != expected
    }
    assert different == {}


def test_every_training_caption_of_flickr8k():
    """Hashes only: the captions are not ours to distribute."""
    from mrnn_np.data import load_dataset

    data = os.environ.get("MRNN_NP_DATA", REPOSITORY.parent / "shared" / "data")
    folder = Path(data) / "flickr8k"
    if not folder.is_dir():
        pytest.skip("Flickr8k is not here (set MRNN_NP_DATA to the folder above it)")
    frozen = GOLDEN["flickr8k train"]
    pairs = load_dataset(f"flickr8k:{folder}").sentences("train")
    captions = [caption for _, caption in pairs]
    assert len(captions) == frozen["captions"] == 30_000
    lines = [" ".join(ptb.tokenize(caption)) for caption in captions]
    for i, expected in enumerate(frozen["chunks"]):
        chunk = "\n".join(lines[i * CHUNK : (i + 1) * CHUNK])
        digest = hashlib.sha256(chunk.encode()).hexdigest()
        assert digest.startswith(expected), f"captions {i * CHUNK} to {(i + 1) * CHUNK}"
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == frozen["sha256"]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("A man's T-shirt (red).", "a man 's t-shirt -lrb- red -rrb-"),
        ("They don't, can't, cannot", "they do n't ca n't can not"),
        ('He says "hi" -- twice ...', "he says hi twice"),
        ("Really?? Yes!", "really ?? yes"),
        ("", ""),
        (" \n ", ""),
        (". , ! ' \"", ""),
    ],
)
def test_by_hand(text, tokens):
    assert ptb.tokenize(text) == tokens.split()


@given(st.text(max_size=30) | st.text("aAn1.,'-& ()<\"", max_size=30))
def test_any_text_gives_tokens(text):
    tokens = ptb.tokenize(text)
    for token in tokens:
        assert token == token.lower() and token not in ptb.PUNCTUATION
        assert token and not set(token) & set(" \t\n\r")


@given(st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), max_size=8))
def test_words_go_through_unchanged_and_alone(words):
    words = [word for word in words if word not in ptb.SPLIT]
    assert ptb.tokenize(" ".join(words)) == words


PIECES = [
    "a", "a.", "-", "1:", "'", "<a ", "1 ", "a@", "&", "&.", "<!a", "a@.", "a@b.",
    "²1½", "_-\xad{&acute;", "<a b='", "\xad", "www.", "http://", "a-", ". ",
]  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
def test_long_nonsense_takes_as_long_as_it_is_long(piece, monkeypatch):
    """What the rules are shown is counted, since clocks are not to be trusted."""
    seen = 0

    class Counting:
        def __init__(self, pattern):
            self.pattern = pattern

        def match(self, text, place, end):
            nonlocal seen
            seen += min(end, len(text)) - place
            return self.pattern.match(text, place, end)

    counting = [(Counting(pattern), write) for pattern, write in ptb.COMPILED]
    monkeypatch.setattr(ptb, "COMPILED", counting)
    for length in (4000, 8000):
        seen = 0
        ptb.tokenize((piece * length)[:length])
        assert seen <= 2 * ptb.WINDOW * len(counting) * length


TEXTS = st.lists(st.sampled_from([*PIECES, "a dog", " ", "\xa0", ".com", "U.S.", "\n"]))


@given(TEXTS.map("".join), st.integers(1, 40))
def test_the_window_changes_no_token(text, times):
    """Long words, addresses and rows of signs are cut as if everything were seen."""
    with pytest.MonkeyPatch.context() as patch:
        windowed = ptb.tokens_of(text * times)
        patch.setattr(ptb, "WINDOW", 1 << 30)
        assert windowed == ptb.tokens_of(text * times)


def test_tokens_longer_than_the_window_stay_whole():
    for token in (
        "a" * 5000,
        "a-" * 2000 + "b",
        "1" * 3000,
        "a@" + "b" * 4000 + ".com",
    ):
        assert len(token) > 4 * ptb.WINDOW
        assert ptb.tokenize(f"see {token} there") == ["see", token, "there"]
    tag = f"<!{'a dog ' * 1000}>"
    assert ptb.tokenize(f"see {tag}") == ["see", tag.replace(" ", "\xa0")]
