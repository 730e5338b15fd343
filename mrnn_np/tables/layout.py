"""The six tables: which rows and columns stand in each, and what is in a cell.

1 retrieval, 2 captioning, 3 the recurrence, 4 all metrics, 5 the ablation of the
embeddings, 6 that of the image's place: the tables of the m-RNN paper, with all models
measured on the same images.

Knows: rows, columns, tables, and how a number is written. Does not know: what the
tables look like (text.py, page.py), who measured.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mrnn_np.tables.published import Published, beside

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


@dataclass(frozen=True)
class Cell:
    """What is in a cell.

    Fields
    ------
    value, low, high : a score with its interval, None where there is none.
    seeds : its value for each seed, where there are several.
    text, interval : as they are written; "-" for what a model cannot.
    published : the number to stand beside it.
    """

    value: float | None
    low: float | None
    high: float | None
    seeds: tuple[float, ...]
    text: str
    interval: str
    published: Published | None


@dataclass(frozen=True)
class Line:
    """A row of a table; `reason` says why it failed, "" if it did not."""

    row: str
    title: str
    reason: str
    cells: list[Cell]


@dataclass(frozen=True)
class Filled:
    """A table with its numbers.

    Fields
    ------
    title : with the size of the gallery, for retrieval.
    missing : titles of rows that are not there.
    """

    table: Table
    title: str
    lines: list[Line]
    missing: list[str]


def fill(plan: Plan, rows: Sequence[Row]) -> list[Filled]:
    """Return all tables with what there is; the first once for each gallery."""
    found = {row["row"]: row for row in rows}
    sizes = sorted(
        {size for row in rows for size in row.get("retrieval") or {}}, key=int
    )
    filled = []
    for table in TABLES:
        for size in sizes[::-1] or [""] if table.number == 1 else [""]:
            title = f"Table {table.number}. {table.title}"
            if size:
                counts = [r["retrieval"][size].get("sentences") for r in rows
                          if size in (r.get("retrieval") or {})]  # fmt: skip
                title += f" among {int(size):,} images"
                if counts[0]:
                    title += f" and {counts[0]:,} sentences"
            lines = [
                line_of(found[name], table, plan, size)
                for name in table.rows
                if name in found
            ]
            missing = [TITLES[name] for name in table.rows if name not in found]
            filled.append(Filled(table, title, lines, missing))
    return filled


def line_of(row: Row, table: Table, plan: Plan, size: str) -> Line:
    """Return one row of a table."""
    name = row["row"]
    cells = []
    for column in table.columns:
        number = beside(name, column.metric, plan["dataset"], table.prefer)
        cells.append(cell_of(row, column, size, number))
    return Line(name, TITLES[name], row.get("reason") or "", cells)


def cell_of(row: Row, column: Column, size: str, published: Published | None) -> Cell:
    """Return what a row has for a column."""
    if not column.better:
        fact = row.get(column.key)
        text = "-" if fact is None else write_fact(column.key, fact)
        return Cell(None, None, None, (), text, "", published)
    score = score_of(row, column, size)
    if score is None or score.get("value") is None:
        return Cell(None, None, None, (), "-", "", published)
    value, low, high = score["value"], score.get("low"), score.get("high")
    seeds = tuple(score.get("seeds") or ())
    interval = ""
    if low is not None and high is not None and low != high:
        interval = f"{write(column.key, low)}-{write(column.key, high)}"
    return Cell(
        value, low, high, seeds if len(seeds) > 1 else (), write(column.key, value),
        interval, published,
    )  # fmt: skip


def score_of(row: Row, column: Column, size: str) -> Mapping[str, Any] | None:
    """Return value, interval and seeds of a score, None where a model has none."""
    if column.group:
        ways = (row.get("retrieval") or {}).get(size) or {}
        return (ways.get(column.group) or {}).get(column.key)
    return (row.get("scores") or {}).get(column.key)


def write(key: str, value: float) -> str:
    """Return a score as the papers write it: .213, 17.03, 41.0."""
    if not math.isfinite(value):
        return str(value)
    if key == "perplexity":
        return f"{value:.2f}" if value < 1000 else f"{value:.0f}"
    if key == "median":
        return f"{value:g}"
    if key in CUTOFFS:
        return f"{value:.1f}"
    text = f"{value:.3f}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def write_fact(key: str, value: Any) -> str:
    """Return what is no score: a size, a time, a speed, a name."""
    if key == "parameters":
        return f"{value / 1e6:.2f} M" if value >= 1e4 else f"{value:.0f}"
    if key == "training_seconds":
        if value < 60:
            return f"{value:.0f} s"
        hours, minutes = divmod(round(value / 60), 60)
        return f"{hours} h {minutes:02d}" if hours else f"{minutes} min"
    if key == "captions_per_second":
        return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
    return str(value)


def footnotes(filled: Sequence[Filled]) -> dict[str, str]:
    """Return note -> its letter, in the order in which the tables come to them."""
    letters: dict[str, str] = {}
    for table in filled:
        for line in table.lines:
            for cell in line.cells:
                for note in cell.published.notes if cell.published else ():
                    letters.setdefault(note, "abcdefghijklmnopqrstuvwxyz"[len(letters)])
    return letters


def summary(plan: Plan, rows: Sequence[Row]) -> str:
    """Say in a line what all rows share."""
    trials = len(plan.get("learning_rates", ())) + len(plan.get("dropouts", ())) - 1
    seeds = max((len(row.get("seeds") or ()) for row in rows), default=0)
    facts = [
        f"{plan.get('split', 'dev')} of {plan['dataset']}",
        f"{plan['images']:,} images",
        f"{plan['epochs']} epochs a row" if "epochs" in plan else "",
        f"batches of {plan['batch_size']}" if "batch_size" in plan else "",
        f"the best of {trials} trials of learning rate and dropout"
        if trials > 0
        else "",
        f"up to {seeds} seeds a row" if seeds > 1 else "one seed a row",
    ]
    return ", ".join(filter(None, facts))
