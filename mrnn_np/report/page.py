"""The frame of a report: title, sections, style, and one file on disk.

Knows: HTML. Does not know: charts or captions.
"""

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

from mrnn_np.runtime.outputs import Output, atomic_write

STYLE = """
:root { color-scheme: light dark; --ink: #1d2330; --paper: #fbfaf7; --line: #d9d6cd;
  --soft: #6a7080; --first: #b4532a; --second: #2b6a8f; --card: #ffffff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e4de; --paper: #16181d;
  --line: #363a44; --soft: #9aa0ae; --first: #e08a5e; --second: #6cb2d6;
  --card: #1e2128; } }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 64rem; color: var(--ink);
  background: var(--paper); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .25rem; } h2 { margin: 2.5rem 0 .5rem;
  font-size: 1.2rem; } p { max-width: 44rem; } .soft { color: var(--soft); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line);
  text-align: left; } td.number, th.number { text-align: right; }
.wall { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); }
figure { margin: 0; background: var(--card); border: 1px solid var(--line);
  border-radius: 6px; overflow: hidden; } figure img { display: block; width: 100%;
  aspect-ratio: 4 / 3; object-fit: contain; background: var(--line); }
figcaption { padding: .6rem .75rem .75rem; } figcaption b { display: block; }
figcaption .soft { font-size: .85rem; display: block; margin-top: .35rem; }
.query { margin: 1.25rem 0; } h3 { font-size: 1rem; margin: 0 0 .4rem; }
h3 .soft { font-weight: normal; margin-left: .5rem; }
.strip { display: grid; gap: .6rem; grid-template-columns: repeat(6, 1fr); }
.strip figcaption { padding: .2rem .5rem; font-size: .85rem; }
.beside { display: grid; gap: 1rem; grid-template-columns: 11rem 1fr;
  align-items: start; }
.found { margin: 0; padding: 0; } .found li { list-style: none; padding: .15rem .6rem;
  border-left: 4px solid transparent; } figure.right { border-color: var(--second);
  outline: 3px solid var(--second); } .found li.right { font-weight: bold;
  border-color: var(--second); }
@media (max-width: 45rem) { .strip { grid-template-columns: repeat(3, 1fr); }
  .beside { grid-template-columns: 1fr; } }
svg text { fill: var(--soft); font: 12px system-ui, sans-serif; }
"""
GENERATOR = '<meta name="generator" content="mrnn-np">'
OLD_STYLE = "<style>\n:root { color-scheme: light dark; --ink: "  # before GENERATOR
MARKS = "|".join(map(re.escape, (GENERATOR, OLD_STYLE)))
BEGINNING = f"<!doctype html>\n.*?({MARKS})".encode()


class Page:
    """A report that grows section by section.

    Parameters
    ----------
    title : shown on top and as the window's title.
    summary : a sentence below the title.
    style : CSS of this page alone, after what all pages share.
    """

    def __init__(self, title: str, summary: str = "", style: str = "") -> None:
        self.title = title
        self.style = style
        self.parts = [
            f"<h1>{escape(title)}</h1>",
            f'<p class="soft">{escape(summary)}</p>',
        ]

    def section(self, title: str, text: str, *content: str) -> None:
        """Add a heading, a plain-text explanation, and pieces of HTML."""
        self.parts.append(f"<h2>{escape(title)}</h2>")
        if text:
            self.parts.append(f"<p>{escape(text)}</p>")
        self.parts.extend(content)

    def html(self) -> str:
        """Return the whole page."""
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
            f"{GENERATOR}\n"
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(self.title)}</title>\n<style>{STYLE}{self.style}</style></head>\n"
            "<body>\n" + "\n".join(self.parts) + "\n</body></html>\n"
        )

    def save(self, path: str | Path) -> None:
        """Write the page to one file, atomically."""
        with atomic_write(path) as temporary:
            # Halves of characters, which UTF-8 cannot spell, are shown by number.
            temporary.write_bytes(self.html().encode("utf-8", "backslashreplace"))


def page_output(path: str | Path | None, option: str) -> Output:
    """Describe a page that a command will write."""
    return Output(path, option, "a page of mrnn-np", BEGINNING)


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return an HTML table; numbers are shown as given and stand to the right."""

    def cell(tag: str, value: object, number: bool) -> str:
        mark = ' class="number"' if number else ""
        return f"<{tag}{mark}>{escape(str(value))}</{tag}>"

    lines = [cell("th", name, i > 0) for i, name in enumerate(header)]
    body = "".join(
        "<tr>" + "".join(cell("td", v, i > 0) for i, v in enumerate(row)) + "</tr>"
        for row in rows
    )
    return f"<table><tr>{''.join(lines)}</tr>{body}</table>"
