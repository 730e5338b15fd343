"""The tables as plain text, for a terminal or a file.

A row takes several lines: what was measured here, its 95 % interval, the range over
seeds where there are several, and what the papers print, in brackets with the data set.

Knows: columns of characters. Does not know: what stands in the tables (layout.py).
"""

import textwrap
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from mrnn_np.tables.claims import CLAIMS_TEXT, CLAIMS_TITLE, VERDICTS
from mrnn_np.tables.filled import Cell, Filled, fill, footnotes, summary, write
from mrnn_np.tables.layout import Column, Plan, Row
from mrnn_np.tables.printed import LABELS

WIDTH = 100

Claim = Mapping[str, Any]  # what claims.judge returns for each


def tables_text(plan: Plan, rows: Sequence[Row], claims: Sequence[Claim]) -> str:
    """Return all tables, the verdicts and the notes.

    Parameters
    ----------
    plan, rows : as plan.json and the files of rows/ hold them; rows that are not there
        yet are named below each table.
    claims : as `mrnn_np.tables.claims.judge` returns them.
    """
    filled = fill(plan, rows)
    letters = footnotes(filled)
    parts = ["\n".join(wrapped(summary(plan, rows)))]
    parts += [table_text(table, letters) for table in filled]
    if claims:
        parts.append(claims_text(claims))
    used = {
        cell.published.source.label
        for table in filled
        for line in table.lines
        for cell in line.cells
        if cell.published
    }
    parts.append(notes_text(letters, used))
    return "\n\n".join(parts) + "\n"


def table_text(filled: Filled, letters: Mapping[str, str]) -> str:
    """Return one table: a block of columns for each direction, where it has two."""
    lines = [filled.title, *wrapped(filled.table.text, "  ")]
    if not filled.lines:
        return "\n".join([*lines, "  No row of this table is there yet."])
    columns = filled.table.columns
    for group, members in groupby(range(len(columns)), lambda i: columns[i].group):
        chosen: list[int] = []
        for number in members:
            if chosen and too_wide(block(filled, [*chosen, number], group, letters)):
                lines += ["", *block(filled, chosen, group, letters)]
                chosen = []
            chosen.append(number)
        lines += ["", *block(filled, chosen, group, letters)]
    if filled.missing:
        lines += wrapped(f"Not there yet: {', '.join(filled.missing)}.", "  ")
    return "\n".join(lines)


def block(
    filled: Filled, chosen: Sequence[int], group: str, letters: Mapping[str, str]
) -> list[str]:
    """Return the lines of some columns."""
    columns = [filled.table.columns[number] for number in chosen]
    grid: list[tuple[str, list[str]] | str] = [(group, [c.title for c in columns])]
    for line in filled.lines:
        cells = [line.cells[number] for number in chosen]
        if line.reason:
            grid.append(f"{line.title}  failed: {line.reason}")
        else:
            grid.append((line.title, [cell.text for cell in cells]))
        below = [
            [cell.interval for cell in cells],
            [seeds_text(*pair) for pair in zip(columns, cells, strict=True)],
            [published_text(cell, letters) for cell in cells],
        ]
        grid += [("", texts) for texts in below if any(texts)]
    first = max(len(row[0]) for row in grid if not isinstance(row, str))
    widths = [
        max(len(row[1][i]) for row in grid if not isinstance(row, str))
        for i in range(len(columns))
    ]
    lines = []
    for row in grid:
        if isinstance(row, str):
            lines += wrapped(row, "  ")
            continue
        texts = [f"{t:>{w}}" for t, w in zip(row[1], widths, strict=True)]
        lines.append(f"  {row[0]:<{first}}  {'  '.join(texts)}".rstrip())
    return lines


def too_wide(lines: Sequence[str]) -> bool:
    """Whether a line does not fit."""
    return max(map(len, lines)) > WIDTH


def seeds_text(column: Column, cell: Cell) -> str:
    """Return the range over the seeds: ``2x .210-.216``."""
    if not cell.seeds:
        return ""
    low, high = (write(column.key, end) for end in (min(cell.seeds), max(cell.seeds)))
    return f"{len(cell.seeds)}x {low}-{high}"


def published_text(cell: Cell, letters: Mapping[str, str]) -> str:
    """Return the published number in brackets, with the letters of its notes."""
    if cell.published is None:
        return ""
    marks = "".join(letters[note] for note in cell.published.notes)
    return f"[{cell.published.text}]{marks}"


def claims_text(claims: Sequence[Claim]) -> str:
    """Return what the paper concludes, with the verdict of each."""
    counts = {v: sum(c["verdict"] == v for c in claims) for v in VERDICTS}
    lines = [CLAIMS_TITLE, *wrapped(CLAIMS_TEXT, "  ")]
    lines += wrapped(", ".join(f"{n} {v}" for v, n in counts.items() if n) + ".", "  ")
    for claim in claims:
        text = f"{claim['verdict'].upper()}: {claim['sentence']} ({claim['source']})"
        lines += ["", *wrapped(text, "  ")]
        for comparison in claim["comparisons"]:
            if "reason" not in comparison:
                lines += wrapped(comparison["sentence"], "      ")
        if absent := not_compared(claim):
            lines += wrapped(absent, "      ")
    return "\n".join(lines)


def not_compared(claim: Claim) -> str:
    """Say why comparisons of a claim could not be made; "" where all were."""
    reasons = [c["reason"] for c in claim["comparisons"] if "reason" in c]
    return f"Not compared: {'; '.join(dict.fromkeys(reasons))}." if reasons else ""


def notes_text(letters: Mapping[str, str], labels: set[str]) -> str:
    """Return what brackets, ranges and letters mean."""
    lines = wrapped(
        "Numbers in [brackets] are published ones, measured by others with other "
        "features and more training: they are no goal, and none of them was computed "
        "here. Below a score stands its 95 % interval by bootstrap over images; 2x "
        "and a range: the smallest and the largest of two seeds. A dash: a model "
        "cannot do this, or it was not computed: METEOR needs Java, and small budgets "
        "leave it out."
    )
    used = [label for label in LABELS if label and label in labels]
    lines += wrapped("; ".join(f"{label}: {LABELS[label]}" for label in used))
    for note, letter in letters.items():
        lines += wrapped(f"{letter}  {note}", "", "   ")
    return "\n".join(lines)


def wrapped(text: str, indent: str = "", later: str | None = None) -> list[str]:
    """Return the lines of a text that is too long for one."""
    below = indent if later is None else later
    return textwrap.wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=below,
        break_on_hyphens=False,
    )  # fmt: skip
