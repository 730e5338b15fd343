"""Captions in tables of text: the three forms in which Flickr8k and Flickr30k go about.

    read_token    1000.jpg#0 <tab> A dog runs .          (as its authors distribute it)
    read_bars     1000.jpg| 0| A dog runs .              (results.csv)
    read_csv      1000.jpg,"A dog , running"             (captions.txt, captions.csv)

Each takes (name of the file, its text) and returns (image name -> captions in the order
of the file, remarks).

Knows: these lines. Does not know: where the files lie, lists, pictures.
"""

import csv
import io
import re

from mrnn_np.data.text_files import clean_caption, lines, safe_name
from mrnn_np.runtime.errors import InputError

Table = tuple[dict[str, list[str]], tuple[str, ...]]

# One key of Flickr8k is 2258277193_586949ec62.jpg.1#0: its ".1" is dropped.
KEY = re.compile(r"(?P<image>\S+\.jpg)(?:\.\d+)?#(?P<number>\d+)")
# The bar after the number is missing once in the results.csv that everybody has:
# "2199200615.jpg| 4   A dog runs across the grass ."
BARS = re.compile(
    r"(?P<image>[^|]+)\|\s*(?P<number>\d+)(?P<bar>\s*\||\s)(?P<caption>.*)"
)
IMAGE_COLUMNS = ("image", "image_name")
CAPTION_COLUMNS = ("caption", "comment")
NUMBER_COLUMNS = ("comment_number", "caption_number")


class Collector:
    """Gathers captions and refuses what no table may hold."""

    def __init__(self) -> None:
        self.captions: dict[str, list[str]] = {}
        self._seen: set[tuple[str, str]] = set()

    def add(self, where: str, key: str, image: str, number: str, caption: str) -> None:
        """Add one caption; `number` is "" in tables that do not count them.

        Raises
        ------
        InputError : a name that leads out of the folder, an empty caption, or a
            second caption for the same key.
        """
        if image not in self.captions:
            safe_name(image, where)
        caption = clean_caption(caption)
        if not caption:
            raise InputError(f"{where}: empty caption of {key[:60]}")
        if number and (image, number) in self._seen:
            raise InputError(f"{where}: {key[:60]} has a caption already")
        self._seen.add((image, number))
        self.captions.setdefault(image, []).append(caption)

    def table(self, label: str, remarks: tuple[str, ...] = ()) -> Table:
        """Return what was gathered; InputError where that is nothing."""
        if not self.captions:
            raise InputError(f"{label}: no caption in it")
        return self.captions, remarks


def read_token(label: str, text: str) -> Table:
    """Read ``NAME.jpg#K`` and a caption, apart by any tabs and blanks."""
    collector = Collector()
    for number, line in lines(text):
        where = f"{label}:{number}"
        key, *rest = line.split(maxsplit=1)
        match = KEY.fullmatch(key)
        if match is None:
            raise InputError(
                f"{where}: expected NAME.jpg#K and a caption, got {line[:60].strip()!r}"
            )
        # A key that was mended keeps its own numbers: they may occur twice.
        collector.add(where, key, match["image"], key, "".join(rest))
    return collector.table(label)


def read_bars(label: str, text: str) -> Table:
    """Read ``NAME.jpg| K| caption`` under a header; a missing second bar is mended."""
    collector, mended = Collector(), []
    for number, line in lines(text):
        if number == 1 and line.rstrip().endswith("comment"):
            continue  # image_name| comment_number| comment; some copies cut its start
        where = f"{label}:{number}"
        match = BARS.fullmatch(line.rstrip() + " ")
        if match is None:
            raise InputError(f"{where}: expected NAME.jpg| K| caption, got "
                             f"{line[:60].strip()!r}")  # fmt: skip
        if "|" not in match["bar"]:
            mended.append(where)
        image = match["image"].strip()
        key = f"{image}#{match['number']}"
        collector.add(where, key, image, match["number"], match["caption"])
    remarks: tuple[str, ...] = ()
    if mended:
        remarks = (f"{len(mended)} rows lack a bar and were mended, first {mended[0]}",)
    return collector.table(label, remarks)


def read_csv(label: str, text: str) -> Table:
    """Read comma-separated values, captions with commas in double quotes.

    The header names the columns: ``image,caption``, or
    ``image_name,comment_number,comment``.
    """
    # strict: else a quote that is never closed would swallow the rest of the file.
    rows = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
    collector, header = Collector(), None
    try:
        for row in rows:
            where = f"{label}:{rows.line_num}"
            if not any(field.strip() for field in row):
                continue
            if header is None:
                header = [field.strip().lower() for field in row]
                names = column(header, IMAGE_COLUMNS)
                texts = column(header, CAPTION_COLUMNS)
                count = column(header, NUMBER_COLUMNS)
                if names is None or texts is None:
                    raise InputError(
                        f"{where}: expected the header image,caption, got "
                        f"{','.join(row)[:60]!r}"
                    )
                image, caption = names, texts
                continue
            if len(row) != len(header):
                raise InputError(
                    f"{where}: {len(row)} fields, expected {','.join(header)} (a "
                    'caption with commas needs "quotes")'
                )
            name = row[image].strip()
            number = "" if count is None else row[count].strip()
            key = f"{name}#{number}" if number else name
            collector.add(where, key, name, number, row[caption])
    except csv.Error as error:
        raise InputError(f"{label}:{rows.line_num}: {error}") from None
    return collector.table(label)


def column(header: list[str], names: tuple[str, ...]) -> int | None:
    """Return which column has one of these names, None where none has."""
    found = [index for index, name in enumerate(header) if name in names]
    return found[0] if found else None
