"""Freeze what coco-caption's Java tokenizer makes of sentences.

    pip install pycocoevalcap && python tests/golden/make_ptb.py [FLICKR8K]

writes tests/golden/ptb.json: the sentences below, which were written by hand, and
sentences thrown together from pieces (seed 3), with their tokens; and, given the folder
of Flickr8k, hashes of the tokens of its 30,000 training captions, one for each hundred
of them, so that a difference can be found. No caption of the data set is stored.
"""

import hashlib
import json
import random
import sys
from pathlib import Path

from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

from mrnn_np.data import load_dataset

CHUNK = 100
BY_HAND = r"""
I cannot go and they can't go, gonna wanna gotta lemme gimme dunno 'twas 'tis
Cannot CANNOT cannots cannot. cannot, gonna. Gonna GONNA gonnaa wanna's
colour grey theatre centre neighbour travelled Grey GREY Monday monday march
U.S. troops in the U.S. The man. He lives in the U.S.A.
Mr. Smith and Dr. Jones vs. Mrs. Brown etc. The end
t-shirt T-shirts well-known 5-year-old mother-in-law's jack-o'-lantern up-to-date!
it's dog's dogs' don't won't they're I'll he'd I've I'm shouldn't've y'all'd o'clock's
"hello" said 'John' ``quoted'' “curly” ‘single’ don’t it’s “ ” ‘ ’ ’” «a» „b“ ‹c›
two men , one in a " Superman " shirt . a woman 's , the dogs ' ball
AT&T R&D and/or 1/2 5 7/8 3/4-inch black/white a/b/c/d 5& & && a&b R&B's A+B
10:30 a.m. 1,000 $5.00 $1,000.50 50% #1 #hashtag #a1 @user @1 12:30pm 12:30-1:30
wait... what?? no!! hi?! -- a --- b ---- c ----- d - e ..... . . . end…
(parens) [brackets] {braces} <angle> <b>bold</b> a < b <<c>> <a href="x y">
http://www.example.com/foo www.foo.com foo.com me@foo.com, x.org/y file.txt photo.jpg
o'clock rock'n'roll rock 'n' roll c'mon y'all ma'am ol' 'em 'cause O'Neil d'Artagnan
café naïve Zürich ½ cup 1½ ⅔ 20°C £5 €10 ¥5 ¢5 5€ 10² m² H₂O × ÷ ± ™ ® ©
'80s the 80's 1980s 1980's 80s '05 '20's 20s'
&amp; &lt; &gt; &quot; &nbsp; &mdash; a&b &eacute;t&eacute; &#39;
2-3 -5 +5 2x4 4x4 #23 No. 5 no. 5 No 5 9-11 24/7 6'4" 5'10 6-ft 3-D. 1st, 22nd.
a.b c.d e.g. i.e. p.m. A.M. I. The end of B. A man
under_score foo_bar __init__ snake-case_x foo--bar foo -bar foo- -a-b a_ _a_
(555) 123-4567 555-1234 555.123.4567 12 345 6789 2014-01-02 1/2/2014
~ ^ | \ * ** + = % @ @@ *a* = a=b
:) ;) :-) :( :D <3 ^_^ -_- C++ C# S&P-500 Cap'n c'est pro- anti-war
a—b em—dash en–dash … ellipsis...end a..b a....b
Yahoo! OK! x!y q?r hello.world foo,bar one;two a:b .5 1.5 1:2 ,3 :2
B'Gosh Shi'ite nor'easter li'l ev'ry s'mores e'er nat'l cont'd Hawai'i fo'c'sle
Jan. Feb. Mon. Tues. Calif. Inc. Corp. Ltd. St. Ave. Blvd. Rd. Miss. miss. Ill. ill.
Bldg. bull's-eye cat-o'-nine-tails
Prop. 5 prop. a fig. 3 figs. b No. no. sq. ft. Jr. Sr. Mlle. Adj. MFG. Mfg. approx. in.
`a' ``b'' "e" "f g" " h " "i."j "k" l"m n" 'a' 'ab' 'abc 's 'd 'm 've 'll 're 'sa 'nt
DON'T CAN'T Don'T x'S x'LL X'RE n't N'T isn`t it´s it'sa it's-a it'llx goin' somethin'
emoji 😀 here 👍🏽 ☺ ♥ ★ ☃ 日本語 русский
"""
BY_CODE = [
    "a\xadb soft\xad hy\xad-phen \xad",
    "zero\u200bwidth nbsp\xa0here\u2009thin",
    "nai\u0308ve cafe\u0301",
    "",
    "   ",
    ".",
    "...",
    "tab\there  two   blanks ",
]
PIECES = """
a b A dog Dog man's the 1 2 20 1990 ' ' ' " " . . , , - - -- ; : ! ? / ( ) [ ] & # $ %
@ * _ + = 's 't n't 'll 're don't can not cannot gonna 'em ol' o'clock y'all ma'am
U.S. a.m. Mr. Dr. St. No. no. etc. e.g. Ph.D. Miss. Ill. t-shirt x-ray up-to-date
5-year-old 2-3 1/2 3/4 10:30 1,000 .5 1st 20s '80s '90 black/white AT&T a&b &amp;
foo_bar www.x.com #tag ... .. .... “ ” ‘ ’ – — … é café ½ ° £ x 4x4 Ave. ft. Sept.
dogs' n' o' d' till O'Neil B'Gosh <b> </b> :) ;-) pro- 6'4" 3-D 2-D. b/w The A
""".split()


def cases() -> list[str]:
    rng = random.Random(3)
    drawn = [
        "x "
        + "".join(
            rng.choice(PIECES) + rng.choice(["", "", " "])
            for _ in range(rng.randint(1, 9))
        )
        for _ in range(600)
    ]
    return [*BY_HAND.strip().split("\n"), *BY_CODE, *drawn]


def tokenize(sentences: list[str]) -> list[str]:
    """Return the tokens of each sentence, separated by blanks."""
    # A neutral sentence between any two: the program looks over the ends of lines.
    spaced = [text for sentence in sentences for text in (sentence, "x y z")]
    found = PTBTokenizer().tokenize(
        {i: [{"caption": text}] for i, text in enumerate(spaced)}
    )
    return [found[i][0] for i in range(0, len(spaced), 2)]


def digests(tokens: list[str]) -> list[str]:
    """Return a hash of each chunk of sentences."""
    return [
        hashlib.sha256("\n".join(tokens[i : i + CHUNK]).encode()).hexdigest()
        for i in range(0, len(tokens), CHUNK)
    ]


if __name__ == "__main__":
    path = Path(__file__).with_name("ptb.json")
    frozen = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    frozen["cases"] = dict(zip(cases(), tokenize(cases()), strict=True))
    if len(sys.argv) > 1:
        pairs = load_dataset(f"flickr8k:{sys.argv[1]}").sentences("train")
        tokens = tokenize([caption for _, caption in pairs])
        chunks = digests(tokens)
        frozen["flickr8k train"] = {
            "captions": len(tokens),
            "sha256": hashlib.sha256("\n".join(tokens).encode()).hexdigest(),
            "chunks": [digest[:12] for digest in chunks],
        }
    text = json.dumps(frozen, indent=0, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
