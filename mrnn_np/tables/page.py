"""The tables as one page to look at: numbers, whiskers, published numbers, verdicts.

In a column of scores every cell has a line on the column's own scale: its 95 %
interval, a dot at the value, a tick for each seed. What differs is seen by looking down
a column.

Knows: HTML. Does not know: what stands in the tables (layout.py), who measured.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any

from mrnn_np.report import Page
from mrnn_np.report import table as plain_table
from mrnn_np.tables.claims import ABSENT, CLAIMS_TEXT, CLAIMS_TITLE, VERDICTS
from mrnn_np.tables.filled import Cell, Filled, Line, fill, footnotes, summary
from mrnn_np.tables.gallery import Pictures, caption_gallery
from mrnn_np.tables.layout import TITLES, Plan, Row
from mrnn_np.tables.printed import LABELS, SOURCES, Source
from mrnn_np.tables.published import Published, parse
from mrnn_np.tables.style import TABLES_STYLE
from mrnn_np.tables.text import Claim, not_compared
from mrnn_np.tables.whiskers import Scale, difference_whisker, scale_of, whisker

LEGEND = (
    "Numbers in upright type were measured here. Below them: the 95 % interval by "
    "bootstrap over images, on the scale of the column, with a tick for each seed "
    "where there are several. Numbers in italics are published: printed in a paper, "
    "measured by others with other features and more training. They are no goal, and "
    "none of them was computed here. A dash is what a model cannot do, or what was not "
    "computed: METEOR needs Java, and small budgets leave it out."
)


def tables_page(
    plan: Plan,
    rows: Sequence[Row],
    claims: Sequence[Claim],
    pictures: Pictures | None = None,
) -> Page:
    """Return the page of all tables.

    Parameters
    ----------
    plan, rows : as plan.json and the files of rows/ hold them.
    claims : as `mrnn_np.tables.claims.judge` returns them.
    pictures : some images with every row's captions, see `gallery.py`; None for a page
        without pictures.
    """
    filled = fill(plan, rows)
    letters = footnotes(filled)
    page = Page("The paper's tables, measured here", summary(plan, rows), TABLES_STYLE)
    if plan.get("command"):
        page.parts.append(f"<p><code>{escape(plan['command'])}</code></p>")
    if claims:
        page.section(CLAIMS_TITLE, CLAIMS_TEXT, claims_html(claims))
    page.section("How to read the tables", LEGEND, legend())
    for table in filled:
        page.section(table.title, table.table.text, table_html(table, letters))
    notes = "".join(
        f'<li id="note-{letter}" value="{ord(letter) - 96}">{escape(note)}</li>'
        for note, letter in letters.items()
    )
    if notes:
        page.section(
            "Notes on published numbers", "", f'<ol class="notes">{notes}</ol>'
        )
    if pictures is not None:
        page.section(
            "Captions",
            "Images drawn at random, what each model says of them, and people.",
            caption_gallery(pictures),
        )
    page.section(
        "How each row was trained",
        "What was tried before the training proper, and the loss on dev that chose.",
        *(search_html(row) for row in rows if row.get("search")),
    )
    page.section(
        "All published numbers",
        "As they are printed, with the row that each stands beside.",
        *(source_html(source) for source in SOURCES),
    )
    return page


def legend() -> str:
    """Return an example of a cell, and what the data sets are called."""
    example = whisker(0.4, 0.2, 0.7, (0.3, 0.5), (0.0, 1.0))
    named = "".join(
        f"<li><i>{escape(label)}</i> {escape(text)}</li>"
        for label, text in LABELS.items()
        if label
    )
    return (
        f'<div class="legend"><div class="cell">.213{example}<i>.170 F8K</i></div>'
        f"<ul><li>measured here</li><li>interval, value, two seeds</li>"
        f'<li><i>published, and for which data set</i></li></ul><ul class="labels">'
        f"{named}</ul></div>"
    )


def table_html(filled: Filled, letters: Mapping[str, str]) -> str:
    """Return one table, in a box that scrolls sideways where the window is narrow."""
    missing = ""
    if filled.missing:
        missing = (
            f'<p class="soft">Not there yet: {escape(", ".join(filled.missing))}.</p>'
        )
    if not filled.lines:
        return '<p class="soft">No row of this table is there yet.</p>'
    columns = filled.table.columns
    groups = [
        (group, len(list(own))) for group, own in groupby(columns, lambda c: c.group)
    ]
    head = ""
    if any(group for group, _ in groups):
        spans = "".join(
            f'<th colspan="{count}" class="group">{escape(group)}</th>'
            for group, count in groups
        )
        head = f"<tr><th></th>{spans}</tr>"
    titles = "".join(f'<th class="number">{escape(c.title)}</th>' for c in columns)
    # Chance is far away, and would leave the others no room on a column's scale.
    scales = [
        scale_of([line.cells[i] for line in filled.lines if line.row != "random"])
        for i in range(len(columns))
    ]
    body = "".join(line_html(line, scales, letters) for line in filled.lines)
    parts = "".join(f'<colgroup span="{count}"></colgroup>' for _, count in groups)
    return (
        '<div class="scroll"><table class="scores"><colgroup span="1"></colgroup>'
        f"{parts}<thead>{head}<tr><th></th>{titles}"
        f"</tr></thead><tbody>{body}</tbody></table></div>{missing}"
    )


def line_html(
    line: Line, scales: Sequence[Scale | None], letters: Mapping[str, str]
) -> str:
    """Return one row; why it failed stands below its title."""
    failed = ""
    if line.reason:
        failed = f'<span class="failed">failed: {escape(line.reason)}</span>'
    cells = "".join(
        cell_html(cell, scale, letters)
        for cell, scale in zip(line.cells, scales, strict=True)
    )
    return f'<tr><th scope="row">{escape(line.title)}{failed}</th>{cells}</tr>'


def cell_html(cell: Cell, scale: Scale | None, letters: Mapping[str, str]) -> str:
    """Return one cell: the number, its whisker, the published number."""
    drawn = ""
    if scale and cell.value is not None:
        drawn = whisker(cell.value, cell.low, cell.high, cell.seeds, scale)
    hint = f' title="{escape(cell.interval)}"' if cell.interval else ""
    published = published_html(cell.published, letters) if cell.published else ""
    return (
        f'<td class="number"><span class="measured"{hint}>{escape(cell.text)}</span>'
        f"{drawn}{published}</td>"
    )


def published_html(number: Published, letters: Mapping[str, str]) -> str:
    """Return a published number with its data set and the letters of its notes."""
    marks = "".join(
        f'<a href="#note-{letters[note]}">{letters[note]}</a>' for note in number.notes
    )
    where = f"published: {number.system}, {number.source.where}"
    return (
        f'<i class="published" title="{escape(where)}">{escape(number.text)}'
        f"{f'<sup>{marks}</sup>' if marks else ''}</i>"
    )


def claims_html(claims: Sequence[Claim]) -> str:
    """Return how many claims have each verdict, then claim by claim.

    Those of which nothing was measured come last, folded away.
    """
    counts = [(v, sum(claim["verdict"] == v for claim in claims)) for v in VERDICTS]
    chips = " ".join(f"{chip(v)} {n}" for v, n in counts if n)
    parts = [f'<p class="counts">{chips}</p>']
    parts += [claim_html(claim) for claim in claims if claim["verdict"] != ABSENT]
    if absent := [claim_html(claim) for claim in claims if claim["verdict"] == ABSENT]:
        parts.append(f"<details><summary>{len(absent)} not measured</summary>")
        parts += [*absent, "</details>"]
    return "".join(parts)


def chip(verdict: str) -> str:
    """Return a verdict as a coloured word."""
    return f'<span class="verdict {verdict.replace(" ", "-")}">{escape(verdict)}</span>'


def claim_html(claim: Claim) -> str:
    """Return a conclusion, its verdict, and the comparisons behind it."""
    comparisons = claim["comparisons"]
    margin, lines = claim["margin"], ""
    for one in comparisons:
        if "reason" in one:
            continue
        # BLEU and CIDEr have other sizes: a scale for each.
        alike = [c for c in comparisons if unit_of(c) == unit_of(one)]
        ends = [abs(c[key]) for c in alike for key in ("low", "high") if key in c]
        reach = max([*filter(math.isfinite, ends), margin])
        drawn = difference_whisker(one, margin, claim["test"], reach)
        lines += f"<li>{drawn}<span>{escape(one['sentence'])}</span></li>"
    if absent := not_compared(claim):
        lines += f'<li class="absent">{escape(absent)}</li>'
    source = f'<span class="soft">({escape(claim["source"])})</span>'
    return (
        f'<div class="claim">{chip(claim["verdict"])}<div>'
        f"<p>{escape(claim['sentence'])} {source}</p><ul>{lines}</ul></div></div>"
    )


def unit_of(comparison: Mapping[str, Any]) -> str:
    """Return the metric without the direction of retrieval."""
    return comparison["metric"].split()[-1]


def search_html(row: Row) -> str:
    """Return the trials of a row, folded away."""
    trials: Sequence[Mapping[str, Any]] = row["search"]
    losses = [t["dev_loss"] for t in trials if t.get("dev_loss") is not None]
    best = min(losses, default=None)
    lines = [
        [
            f"{trial['learning_rate']:g}",
            trial["dropout"],
            "diverged" if (loss := trial.get("dev_loss")) is None
            else f"{loss:.4f}" + (" (best)" if loss == best else ""),
        ]
        for trial in trials
    ]  # fmt: skip
    title = TITLES[row["row"]]
    return (
        f"<details><summary>{escape(title)}: {len(trials)} trials</summary>"
        f"{plain_table(['learning rate', 'dropout', 'dev loss'], lines)}</details>"
    )


def source_html(source: Source) -> str:
    """Return one published table, folded away."""
    lines: dict[tuple[str, str], dict[str, str]] = {}
    for number in parse(source):
        own = lines.setdefault((number.system, number.row), {})
        own[number.metric] = number.printed
    body = [
        [system, row or "-", *(own.get(metric, "-") for metric in source.columns)]
        for (system, row), own in lines.items()
    ]
    data = LABELS[source.label]
    return (
        f"<details><summary>{escape(source.where)}: {escape(data)}</summary>"
        f'<div class="scroll published">'
        f"{plain_table(['in the paper', 'row here', *source.columns], body)}</div>"
        "</details>"
    )
