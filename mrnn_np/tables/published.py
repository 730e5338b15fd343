"""Published numbers one by one, and what is wrong with some of them.

Knows: which published number belongs to which row, known misprints. Does not know: our
numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mrnn_np.tables.printed import BLEU, LABELS, SOURCES, Source


@dataclass(frozen=True)
class Published:
    """One printed number.

    Fields
    ------
    row : of our tables; "" where we have none.
    system : as the paper calls it.
    printed : the digits, or words.
    notes : what one should know before using it.
    """

    source: Source
    row: str
    system: str
    metric: str
    printed: str
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The number with its data set, as it stands beside a measured one."""
        return f"{self.printed} {self.source.label}".strip()


@dataclass(frozen=True)
class Note:
    """A remark on printed numbers; a field that is empty holds for all.

    Fields
    ------
    system : how the paper's name of it begins.
    metrics : the columns. where : a part of the place's name.
    """

    text: str
    system: str
    metrics: Sequence[str] = ()
    where: str = ""
    dataset: str = ""

    def holds(self, source: Source, system: str, metric: str) -> bool:
        """Whether it is about this number."""
        return (
            system.startswith(self.system)
            and (not self.metrics or metric in self.metrics)
            and self.where in source.where
            and self.dataset in ("", source.dataset)
        )


NOTES = (
    Note(
        "almost surely a misprint: R@1 of 29.0, R@10 of 77.0 and a median rank of 3 "
        "mean that R@5 is above 50. It stands in the slides too",
        system="m-RNN-VggNet",
        metrics=("sentence to image R@5",),
        where="table 4",
        dataset="coco",
    ),
    Note(
        "the slides print .34 and .24, version 5 of the paper .35 and .25",
        system="m-RNN-VggNet",
        metrics=("BLEU-3", "BLEU-4"),
        dataset="coco",
    ),
    Note(
        "the rows of DeViSE for Flickr8K and Flickr30K are equal, number for number: "
        "one of the two is probably a slip",
        system="DeViSE",
    ),
    Note(
        "by chance the median rank of the first of 5 right sentences among 5,000 is "
        "647, computed exactly",
        system="Random",
        metrics=("image to sentence median",),
    ),
    Note(
        "by chance exactly 0.50 and 1.00",
        system="Random",
        metrics=("image to sentence R@5", "image to sentence R@10"),
        where="table 4",
    ),
    Note(
        "the text says that reranking gains 3.5 (validation) and 3.3 (test) points of "
        "BLEU-4 and 9.4 and 9.8 of CIDEr; by its own table 8 it is 2.5, 2.3, 9.6 and "
        "9.8",
        system="+NNref",
        metrics=("BLEU-4", "CIDEr"),
        where="table 8",
    ),
    Note(
        "by greedy search: the paper's table 5 has no beam",
        system="m-RNN",
        where="table 5",
    ),
    Note(
        "of the whole pipeline of Fang et al. (word detectors, language model, "
        "reranking); the row here is its ranker alone, which cannot speak",
        system="DMSM",
    ),
    Note(
        "four LSTM layers of 1,000 units in the slides; two layers in the published "
        "program, as here",
        system="LRCN",
        metrics=BLEU,
    ),
    Note("in the authors' slides only, not in the paper", system="Human"),
    Note(
        "what the README reports of its own program; the paper of the same model "
        "reports less",
        system="VSE-",
    ),
)


def parse(source: Source) -> list[Published]:
    """Return the numbers of one published table."""
    found = []
    for line in source.lines.strip().splitlines():
        row, system, *numbers = line.split()
        for metric, printed in zip(source.columns, numbers, strict=True):
            if printed != "-":
                notes = tuple(n.text for n in NOTES if n.holds(source, system, metric))
                row_name = "" if row == "." else row
                found.append(
                    Published(source, row_name, system, metric, printed, notes)
                )
    return found


PUBLISHED = tuple(number for source in SOURCES for number in parse(source))


def beside(
    row: str, metric: str, dataset: str, prefer: Sequence[str] = ()
) -> Published | None:
    """Return what is printed for a row and a metric, None where nothing is.

    Of several, that of the preferred place counts, then that of the same data set, then
    those of others in the order of `LABELS`. Of systems with AlexNet and with VggNet
    features it is the one with the better features, which stands first.

    Parameters
    ----------
    dataset : ours, ``NAME`` or ``NAME:PATH``.
    prefer : places, the first one first: parts of `Source.where`.
    """
    name = dataset.partition(":")[0]

    def order(number: Published) -> tuple:
        source = number.source
        hits = [i for i, place in enumerate(prefer) if place in source.where]
        own = source.dataset == name
        return (
            min(hits, default=len(prefer)),
            not own,
            list(LABELS).index(source.label),
        )

    there = [n for n in PUBLISHED if n.row == row and n.metric == metric]
    return min(there, key=order, default=None)
