"""What the m-RNN paper concludes, as data: which rows differ, by which metric, how.

Knows: the paper's conclusions. Does not know: our numbers (claims.py judges them).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mrnn_np.tables.layout import PEERS, RANKERS

PRODUCT = "log(BLEU-4 x perplexity)"
LITTLE = 0.01  # of BLEU-4: more than the paper's own variants of the embeddings span


@dataclass(frozen=True)
class Claim:
    """One conclusion.

    Fields
    ------
    sentence : what the paper says, in our words; source : where.
    pairs : (better row, other row) each; metrics : each is compared for every pair.
    test, margin : "above" or "little", see claims.py.
    """

    id: str
    sentence: str
    source: str
    pairs: Sequence[tuple[str, str]]
    metrics: Sequence[str]
    test: str = "above"
    margin: float = 0.0


def over(first: str, *others: str) -> list[tuple[str, str]]:
    """Return the pairs of one row and each of some others."""
    return [(first, other) for other in others]


R10 = ("image to sentence R@10", "sentence to image R@10")
VIS = ("vis-in-rnn", "vis-in-rnn-both", "vis-in-rnn-both-shared")
EMB = ("no-emb-input", "one-layer-emb", "emb-one-input")
CLAIMS = (
    Claim(
        "captions-over-peers",
        "The m-RNN describes images better than each model of its time.",
        "tables 1 and 5",
        over("mrnn", *PEERS),
        ("BLEU-4",),
    ),
    Claim(
        "retrieval-over-rankers",
        "A model that speaks finds images and sentences better than models made for "
        "ranking.",
        "tables 3 and 4",
        over("mrnn", *RANKERS),
        R10,
    ),
    Claim(
        "retrieval-over-peers",
        "It also finds them better than other models that speak.",
        "table 4",
        over("mrnn", "rvr", "nic", "lrcn"),
        R10,
    ),
    Claim(
        "image-lowers-perplexity",
        "The image makes people's sentences likelier.",
        "table 1",
        over("mrnn", "rnn-base"),
        ("perplexity",),
    ),
    Claim(
        "image-makes-captions",
        "Without the image captions are worse.",
        "table 1",
        over("mrnn", "rnn-base"),
        ("BLEU-4",),
    ),
    Claim(
        "perplexity-is-not-bleu",
        "A low perplexity alone does not make good captions: without the image BLEU-4 "
        "falls by a larger factor than perplexity rises.",
        "table 1",
        over("mrnn", "rnn-base"),
        (PRODUCT,),
    ),
    Claim(
        "embeddings-matter-little",
        "How words reach the multimodal layer matters little: within .01 of BLEU-4.",
        "section 10.1",
        over("mrnn", *EMB),
        ("BLEU-4",),
        "little",
        LITTLE,
    ),
    Claim(
        "two-embeddings-are-best",
        "Two embeddings, the second with a way past the recurrence, are the best of "
        "the four.",
        "section 10.1, by BLEU-1",
        over("mrnn", *EMB),
        ("BLEU-1",),
    ),
    Claim(
        "image-joins-last",
        "An image that joins in the multimodal layer beats one in the recurrence.",
        "section 10.1",
        over("mrnn", *VIS),
        ("BLEU-4",),
    ),
    Claim(
        "image-in-both",
        "Where the image is in the recurrence, it helps to give it to the multimodal "
        "layer as well.",
        "section 10.1",
        over("vis-in-rnn-both", "vis-in-rnn"),
        ("BLEU-4",),
    ),
    Claim(
        "no-gates-needed",
        "A plain ReLU recurrence is not worse than an LSTM or a GRU in its place, by "
        ".01 of BLEU-4.",
        "section 3.2, table 6",
        over("mrnn", "mrnn-lstm", "mrnn-gru"),
        ("BLEU-4",),
        margin=LITTLE,
    ),
    Claim(
        "256-units",
        "256 recurrent units are enough: neither 128 nor 512 are better by .01 of "
        "BLEU-4.",
        "section 7, table 6",
        over("mrnn", "mrnn-128", "mrnn-512"),
        ("BLEU-4",),
        margin=LITTLE,
    ),
    Claim(
        "beam-over-greedy",
        "A beam finds better captions than greedy search.",
        "table 7",
        over("mrnn", "mrnn-greedy"),
        ("BLEU-4", "CIDEr"),
    ),
    Claim(
        "sharing-costs-nothing",
        "Words that enter and leave by the same matrix cost no quality: not .01 of "
        "BLEU-4.",
        "tables 7 and 8",
        over("mrnn-shared", "mrnn"),
        ("BLEU-4",),
        margin=LITTLE,
    ),
    Claim(
        "consensus-raises-bleu",
        "Reranking by BLEU's consensus raises BLEU-4.",
        "table 8",
        over("mrnn-shared-bleu", "mrnn-shared"),
        ("BLEU-4",),
    ),
    Claim(
        "consensus-raises-cider",
        "Reranking by CIDEr's consensus raises CIDEr.",
        "table 8",
        over("mrnn-shared-cider", "mrnn-shared"),
        ("CIDEr",),
    ),
    Claim(
        "own-similarity",
        "By CIDEr, the consensus of CIDEr is better than that of BLEU.",
        "table 8",
        over("mrnn-shared-cider", "mrnn-shared-bleu"),
        ("CIDEr",),
    ),
    Claim(
        "beam-has-better",
        "The beam has better sentences than consensus finds: an oracle chooses them.",
        "table 8",
        over("mrnn-shared-cider-oracle", "mrnn-shared-cider"),
        ("CIDEr",),
    ),
    Claim(
        "model-over-people-by-bleu",
        "By BLEU-4 the model is better than people, each rated by the same four "
        "references.",
        "slides, table 4; table 7",
        over("mrnn", "human"),
        ("BLEU-4",),
    ),
    Claim(
        "people-over-model",
        "By CIDEr and METEOR people are better than the model, each rated by the same "
        "four references.",
        "slides, table 4; table 7",
        over("human", "mrnn"),
        ("CIDEr", "METEOR"),
    ),
)
