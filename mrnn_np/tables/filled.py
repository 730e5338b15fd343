"""The tables with their numbers: what is in a cell, and how it is written.

Knows: scored rows, how a number is written. Does not know: what the tables look like
(text.py, page.py), who measured.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mrnn_np.tables.layout import CUTOFFS, TABLES, TITLES, Column, Plan, Row, Table
from mrnn_np.tables.published import Published, beside


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
