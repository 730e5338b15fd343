"""From a sentence to its tokens and back.

Two tokenizers, each known by a name that is stored beside the vocabulary in every
checkpoint, so that a model always reads sentences the way it was trained:

- ``english``: lower case, punctuation dropped, contractions split as the Penn
  Treebank splits them ("dog's" is ``dog 's``, "don't" is ``do n't``). Flickr8k is
  distributed already split that way; raw sentences come out the same.
- ``characters``: every Chinese character is a token; a run of Latin letters or
  digits stays together.

Knows: characters. Does not know: which words are in a vocabulary.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from mrnn_np.runtime.errors import InputError

# Typographic apostrophes and hyphens, mapped before Unicode normalisation, which
# would turn the acute accent into a blank with a combining accent. The underscore
# is a blank: regular expressions would take it for a letter.
PLAIN = str.maketrans(
    {**dict.fromkeys("‘’ʼ`´", "'"), **dict.fromkeys("\u2010\u2011", "-"), "_": " "}
)
ENDING = r"(?:n't|'(?:s|m|d|re|ve|ll))(?!\w)"
JOINED_ENDING = re.compile(rf"(?<=\w)({ENDING})")
ENGLISH = re.compile(
    rf"""{ENDING}                        # n't 's 'm 'd 're 've 'll
    | (?:[^\W\d_]\.){{2,}}               # u.s.
    | \d+(?:[.,:/]\d+)+                  # 1,000  4.5  10:30
    | [^\W_]+(?:[-&'][^\W_]+)*           # dog  t-shirt  at&t  o'clock
    """,
    re.VERBOSE,
)
# Digits and Latin letters with their accents; not the signs × and ÷ among them.
LATIN = r"[0-9a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f]+"
CHARACTERS = re.compile(rf"{LATIN}|[^\W_]")


@dataclass(frozen=True)
class Tokenizer:
    """A way to cut sentences, known by its name.

    name : what a checkpoint stores.
    tokenize : str -> list of tokens.
    detokenize : list of tokens -> str; ``tokenize(detokenize(t)) == t`` for every
        ``t`` that ``tokenize`` gives.
    """

    name: str
    tokenize: Callable[[str], list[str]]
    detokenize: Callable[[list[str]], str]


def normalise(text: str) -> str:
    """Write equal-looking characters the same way (Unicode NFKC), in lower case."""
    text = unicodedata.normalize("NFKC", text.translate(PLAIN)).lower()
    return unicodedata.normalize("NFKC", text).translate(PLAIN)


def tokenize_english(text: str) -> list[str]:
    """Return lower-case words: ``"A dog's T-shirt!"`` -> ``a dog 's t-shirt``."""
    return ENGLISH.findall(JOINED_ENDING.sub(r" \1", normalise(text)))


def detokenize_english(tokens: list[str]) -> str:
    """Join words by blanks and put ``'s`` and ``n't`` back onto their word."""
    text, attachable = "", False
    for token in tokens:
        is_ending = re.fullmatch(ENDING, token) is not None
        text += token if not text or (is_ending and attachable) else " " + token
        attachable = not is_ending  # "n'tn't" would be one word
    return text


def tokenize_characters(text: str) -> list[str]:
    """Return single Chinese characters and whole Latin words or numbers."""
    return CHARACTERS.findall(normalise(text))


def detokenize_characters(tokens: list[str]) -> str:
    """Join without blanks, except between two Latin words or numbers."""
    text, previous_is_run = "", False
    for token in tokens:
        is_run = re.fullmatch(LATIN, token) is not None
        text += " " + token if is_run and previous_is_run else token
        previous_is_run = is_run
    return text


TOKENIZERS = {
    "english": Tokenizer("english", tokenize_english, detokenize_english),
    "characters": Tokenizer("characters", tokenize_characters, detokenize_characters),
}


def get_tokenizer(name: str) -> Tokenizer:
    """Return the tokenizer of that name.

    Raises
    ------
    InputError : there is none of that name.
    """
    if name not in TOKENIZERS:
        raise InputError(f"unknown tokenizer {name!r}: one of {', '.join(TOKENIZERS)}")
    return TOKENIZERS[name]


def tokenize(text: str, name: str = "english") -> list[str]:
    """Cut a sentence into its tokens.

    Parameters
    ----------
    text : one sentence, raw or already split by blanks.
    name : ``"english"`` or ``"characters"`` (Chinese).

    Returns the tokens, without punctuation; none for a sentence without any word.
    """
    return get_tokenizer(name).tokenize(text)


def detokenize(tokens: list[str], name: str = "english") -> str:
    """Write tokens as a sentence that reads well; the reverse of `tokenize`."""
    return get_tokenizer(name).detokenize(tokens)
