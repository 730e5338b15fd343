"""The tokenizer of the field: Penn Treebank tokens as coco-caption makes them.

Published scores are of sentences cut by the Stanford tokenizer (version 3.4.1, in
Java), in lower case, without the tokens of a list of punctuation. This is the same in
Python: equal on every training caption of Flickr8k and on the cases of its tests, at
10,000 to 20,000 captions a second.

It works as its model does. At each place of the text every rule of a table says how
far it reaches; the longest wins, of two the one that stands first. A rule may look at
what follows ("'s, but not before a letter"); what it looks at counts for its reach but
is left for the next token. So "don't" is "do" (seen before n't) and "n't", and
"mother-in-law's" is a hyphenated thing and "'s".

Quirks that scores depend on, and that are kept: brackets become "-lrb-" and "-rrb-"
and are not dropped (the list has them in capitals only); "??" and "!!" are not on the
list either; "can not" is two words, "gonna" is "gon na".

Not modelled: vowel signs of Indian scripts, and two places where the Java program lets
the first word of the next caption change the last token of this one (a caption that
ends in a single letter with a full stop, or in "no.").

Knows: characters. Does not know: vocabularies, images, scores.
"""

import re

from mrnn_np.metrics.ptb_rules import RULES, SPACE

# Tokens that coco-caption drops, spelt as there.
PUNCTUATION = frozenset(
    ["''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".", "?", "!", ",", ":",
     "-", "--", "...", ";"]
)  # fmt: skip

COMPILED = [
    (re.compile(f"({token})(?:{context})"), write) for token, context, write in RULES
]
BLANK = re.compile(rf"(?:[ \t\n]{SPACE}*)+")
# Most tokens are a word or one sign before a blank, where no rule reaches further:
# four of five tokens never see the table.
EASY = re.compile(r"([a-zA-Z]+|[,;:]|\.(?![ \xa0]+\.))(?=[ \n])")
WINDOW = 256  # characters; the longest token of Flickr8k has 20
SPLIT = {"cannot", "gonna", "gotta", "lemme", "gimme", "wanna"}
LINE_BREAKS = re.compile("[\r\n\u2028\u2029\x0b\x0c]")


def tokenize(text: str) -> list[str]:
    """Cut an English sentence as coco-caption does.

    >>> tokenize("A man's T-shirt (red) isn't his, etc.")
    ['a', 'man', "'s", 't-shirt', '-lrb-', 'red', '-rrb-', 'is', "n't", 'his', 'etc.']
    """
    return [token for token in tokens_of(text) if token not in PUNCTUATION]


def tokens_of(text: str) -> list[str]:
    """Return all tokens, punctuation too, in lower case."""
    text = LINE_BREAKS.sub(" ", text) + "\n"
    tokens: list[str] = []
    place = 0
    while True:
        blank = BLANK.match(text, place)
        place = blank.end() if blank else place
        if place == len(text):
            return tokens
        easy = EASY.match(text, place)
        if easy and easy[1].lower() not in SPLIT:
            tokens.append(easy[1].lower())
            place = easy.end()
        else:
            length, token = longest(text, place)
            place += length
            if token:
                tokens.append(token.lower())


def longest(text: str, place: int) -> tuple[int, str]:
    """Return how many characters the token at this place takes, and what it is.

    An empty token: nothing is written for these characters.

    The rules see a window. A rule that fails may have looked at all that it sees, at
    every place anew: without a window "&." 16,000 times took 10 s, now 1 s. What takes
    half of the window might take more, so then the window grows. Only a tag, <!...>,
    is anything at all up to its end, so it is seen up to there.
    """
    window = WINDOW
    if text[place] == "<":
        window = max(window, text.find(">", place) + 1 - place)
    while True:
        end = place + window
        reach, best, write_best = place, None, None
        for pattern, write in COMPILED:
            match = pattern.match(text, place, end)
            if match and match.end() > reach:
                reach, best, write_best = match.end(), match[1], write
        if reach - place <= window // 2 or end >= len(text):
            break
        window *= 2
    if best is None:  # a character without any rule, as most pictograms
        return 1, ""
    return len(best), write_best(best) if write_best else best
