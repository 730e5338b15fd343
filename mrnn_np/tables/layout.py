"""The six tables: which rows and columns stand in each.

1 retrieval, 2 captioning, 3 the recurrence, 4 all metrics, 5 the ablation of the
embeddings, 6 that of the image's place: the tables of the m-RNN paper, with all models
measured on the same images.

Knows: rows, columns, tables. Does not know: what is in a cell (filled.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]  # a scored row, as rows/NAME.json holds it
Plan = Mapping[str, Any]

DIRECTIONS = ("image to sentence", "sentence to image")
CUTOFFS = ("R@1", "R@5", "R@10")

# Row -> its title. Each stands in one table at least.
TITLES = {
    "random": "chance",
    "nearest-neighbour": "nearest neighbours' caption",
    "human": "people",
    "mrnn": "m-RNN",
    "mrnn-greedy": "m-RNN (greedy)",
    "rnn-base": "RNN-Base (no image)",
    "mlbl-b": "MLBL-B",
    "mlbl-f": "MLBL-F",
    "rvr": "RVR",
    "deepvs": "DeepVS",
    "nic": "NIC",
    "lrcn": "LRCN",
    "lrcn-4": "LRCN (4 layers)",
    "lrcn-unfactored": "LRCN (unfactored)",
    "mrnn-128": "m-RNN (128 units)",
    "mrnn-512": "m-RNN (512 units)",
    "mrnn-lstm": "m-RNN (LSTM)",
    "mrnn-gru": "m-RNN (GRU)",
    "mrnn-shared": "m-RNN-shared",
    "mrnn-shared-bleu": "m-RNN-shared + BLEU",
    "mrnn-shared-cider": "m-RNN-shared + CIDEr",
    "mrnn-shared-bleu-oracle": "m-RNN-shared + BLEU oracle",
    "mrnn-shared-cider-oracle": "m-RNN-shared + CIDEr oracle",
    "no-emb-input": "NoEmbInput",
    "one-layer-emb": "OneLayerEmb",
    "emb-one-input": "EmbOneInput",
    "vis-in-rnn": "visInRnn",
    "vis-in-rnn-both": "visInRnn-both",
    "vis-in-rnn-both-shared": "visInRnn-both-shared",
    "dmsm": "DMSM",
    "deepfe": "DeepFE",
    "deepvs-align": "DeepVS (alignment)",
    "mnlm-rank": "MNLM",
}


@dataclass(frozen=True)
class Column:
    """What stands in a column.

    Fields
    ------
    key : the metric, or the entry of a row. title : on top of the column.
    better : 1 where more is better, -1 where less is, 0 for what is no score.
    group : the direction of retrieval; "" for everything else.
    """

    key: str
    title: str
    better: int = 1
    group: str = ""

    @property
    def metric(self) -> str:
        """The name of a published number: the direction first, for retrieval."""
        return f"{self.group} {self.key}".strip()


PERPLEXITY = Column("perplexity", "perplexity", -1)
BLEU = tuple(Column(f"BLEU-{n}", f"BLEU-{n}") for n in (1, 2, 3, 4))
CIDER, ROUGE = Column("CIDEr", "CIDEr"), Column("ROUGE-L", "ROUGE-L")
METEOR = Column("METEOR", "METEOR")
PARAMETERS = Column("parameters", "parameters", 0)
TRAINING = Column("training_seconds", "training", 0)
SPEED = Column("captions_per_second", "captions/s", 0)
SIZE, CELL = Column("recurrent_size", "units", 0), Column("cell", "cell", 0)
RETRIEVAL = tuple(
    column
    for group in DIRECTIONS
    for column in (
        *(Column(key, key, 1, group) for key in CUTOFFS),
        Column("median", "median", -1, group),
    )
)
PEERS = ("mlbl-b", "mlbl-f", "rvr", "deepvs", "nic", "lrcn")
RANKERS = ("deepfe", "deepvs-align", "dmsm", "mnlm-rank")


@dataclass(frozen=True)
class Table:
    """One of the six tables; prefer : whose published numbers, see `beside`."""

    number: int
    title: str
    text: str
    rows: Sequence[str]
    columns: Sequence[Column]
    prefer: Sequence[str] = ()


TABLES = (
    Table(
        1,
        "Retrieval",
        "R@K is the percentage of queries with a right result among the first K, the "
        "median that of the ranks of the first right one. Published numbers are for "
        "1,000 images with 5,000 sentences: the smaller the gallery, the higher R@K by "
        "itself, so compare with the row of chance.",
        ("random", *RANKERS, *PEERS, "mrnn"),
        (*RETRIEVAL, PARAMETERS, TRAINING),
    ),
    Table(
        2,
        "Captioning",
        "Perplexity is over all people's sentences; the other scores compare one "
        "caption an image with them. Captions by a beam of 5 unless a row says "
        "otherwise. Each of people's sentences is rated by the image's others, one "
        "reference less than a model's captions have, which lowers that row a little.",
        (
            "human", "nearest-neighbour", "rnn-base", *PEERS, "dmsm",
            "mrnn-greedy", "mrnn",
        ),
        (PERPLEXITY, *BLEU, PARAMETERS, TRAINING, SPEED),
    ),
    Table(
        3,
        "The recurrence: its size, and gates",
        "The paper's point: a plain recurrence of 256 units does what others use "
        "larger ones and LSTMs for.",
        (
            "mrnn-128", "mrnn", "mrnn-512", "mrnn-lstm", "mrnn-gru", "rvr", "deepvs",
            "nic", "lrcn", "lrcn-unfactored", "lrcn-4", "mnlm-rank",
        ),
        (SIZE, CELL, PERPLEXITY, BLEU[3], CIDER, PARAMETERS, TRAINING, SPEED),
    ),
    Table(
        4,
        "All metrics",
        "As MS COCO's test server prints them for five references an image (c5). The "
        "oracles choose among the beam's sentences by the image's own references: an "
        "upper bound for reranking. People have one reference less, as in table 2.",
        (
            "human", "nearest-neighbour", "mrnn-greedy", "mrnn", "mrnn-shared",
            "mrnn-shared-bleu", "mrnn-shared-cider", "mrnn-shared-bleu-oracle",
            "mrnn-shared-cider-oracle",
        ),
        (*BLEU, CIDER, ROUGE, METEOR),
        ("slides, table 4", "table 7", "table 8, test server", "table 8"),
    ),
    Table(
        5,
        "Ablation: the word embeddings",
        "Without the embedding's way past the recurrence (NoEmbInput), with one "
        "embedding in place of two (OneLayerEmb), with the first of the two on that "
        "way (EmbOneInput).",
        ("mrnn", "no-emb-input", "one-layer-emb", "emb-one-input"),
        (PERPLEXITY, *BLEU, CIDER, PARAMETERS, TRAINING),
        ("section 10.1",),
    ),
    Table(
        6,
        "Ablation: where the image joins",
        "In the multimodal layer (m-RNN), in the recurrence (visInRnn), in both, with "
        "two matrices or with one, or nowhere.",
        ("mrnn", "vis-in-rnn", "vis-in-rnn-both", "vis-in-rnn-both-shared", "rnn-base"),
        (PERPLEXITY, *BLEU, CIDER, PARAMETERS, TRAINING),
        ("section 10.1",),
    ),
)  # fmt: skip
