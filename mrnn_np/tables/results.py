"""The folder of the tables: what is done already, so that a stopped run goes on.

    plan.json                 what all rows share (plan.py)
    rows/NAME.json            the numbers of one row
    rows/NAME.captions.json   its captions, in the form of COCO results
    runs/NAME/                its trials and models (search.py)
    tables.json, .txt, .html  all of it, written anew every few rows

Every file is replaced as a whole. A row counts when its file is there and says the
plan that the folder has.

Knows: files. Does not know: how a number came about.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mrnn_np.metrics.results import read_results, write_results
from mrnn_np.report import page_output
from mrnn_np.retrieval.ranking import CUTOFFS
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.outputs import Output, json_output, write_json
from mrnn_np.runtime.untrusted import check_kind, parse_json, read_bounded, take
from mrnn_np.tables.layout import DIRECTIONS
from mrnn_np.tables.plan import Plan

VERSION = 1
TEXT = rb"dev of [^\n]* images, [^\n]*\n"  # how tables.txt begins (text.py)
PLAN, ROW, TABLES = "tables plan", "table row", "tables"
# Fields of a row that may be null: what does not apply to it.
MAYBE = {
    "reason": str, "model": str, "config": dict, "training": dict, "parameters": int,
    "training_seconds": float, "captions_per_second": float, "recurrent_size": int,
    "cell": str, "dev_loss": float,
}  # fmt: skip
LARGEST_FILE = 32 << 20  # bytes; a row of 1,000 images has 60 kB


class ResultsFolder:
    """The files of one run of the tables.

    Parameters
    ----------
    path : the folder; made when something is written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.plan_file = self.path / "plan.json"

    def run(self, row: str) -> Path:
        """Return the folder of a row's trainings."""
        return self.path / "runs" / row

    def row_file(self, row: str) -> Path:
        """Return the file of a row's numbers."""
        return self.path / "rows" / f"{row}.json"

    def captions_file(self, row: str) -> Path:
        """Return the file of a row's captions."""
        return self.path / "rows" / f"{row}.captions.json"

    def tables_file(self, ending: str) -> Path:
        """Return a file of all tables: "json", "txt" or "html"."""
        return self.path / f"tables.{ending}"

    def outputs(self) -> list[Output]:
        """Describe the files that are no row's, for `check_places`."""
        return [
            json_output(self.plan_file, "--out", PLAN, ()),
            json_output(self.tables_file("json"), "--out", TABLES, ()),
            Output(self.tables_file("txt"), "--out", "a text of tables", TEXT),
            page_output(self.tables_file("html"), "--out"),
        ]

    # --- the plan -----------------------------------------------------------------

    def load_plan(self) -> Plan | None:
        """Return the plan that the folder was begun with, None for a new folder.

        Raises
        ------
        InputError : no plan of this version.
        """
        if not self.plan_file.exists():
            return None
        described = _read(self.plan_file, PLAN)
        try:
            return Plan.from_dict(described)
        except InputError as error:
            raise InputError(f"{self.plan_file}: {error}") from None

    def save_plan(self, plan: Plan) -> None:
        """Write the plan."""
        write_json(self.plan_file, {"kind": PLAN, "version": VERSION, **plan.to_dict()})

    # --- rows -----------------------------------------------------------------------

    def load_row(self, name: str, plan: Plan) -> dict[str, Any] | None:
        """Return what is known of a row, None when it has yet to be scored.

        Raises
        ------
        InputError : a damaged file, or one of another plan.
        """
        file = self.row_file(name)
        if not file.exists():
            return None
        entry = _read(file, ROW)
        if take(entry, "plan", str, file) != plan.fingerprint():
            raise InputError(
                f"{file}: a row of another plan than {self.plan_file}: delete it, or "
                "choose another folder with --out"
            )
        if take(entry, "row", str, file) != name:
            raise InputError(f"{file}: is of another row")
        check_row(entry, file)
        return entry

    def save_row(self, entry: Mapping[str, Any], captions: Mapping[str, str]) -> None:
        """Write the captions of a row, if it speaks, then its numbers."""
        if captions:
            found: dict[int | str, str] = {}
            found.update(captions)
            write_results(self.captions_file(entry["row"]), found)
        write_json(
            self.row_file(entry["row"]), {"kind": ROW, "version": VERSION, **entry}
        )

    def captions(self, name: str) -> dict[str, str]:
        """Return image name -> caption of a row; none where it does not speak."""
        file = self.captions_file(name)
        if not file.exists():
            return {}
        return {str(image): text for image, text in read_results(file).items()}

    def lacks_captions(self, entry: Mapping[str, Any]) -> bool:
        """Whether the file of a row's captions is gone; people's row has none."""
        speaks = bool(entry["scores"]) and entry["row"] != "human"
        return speaks and not self.captions_file(entry["row"]).exists()


def check_row(entry: dict[str, Any], file: Path) -> None:
    """Refuse a row that the tables could not show.

    Raises
    ------
    InputError : a field is missing or of another kind; names it.
    """
    for key, kind in MAYBE.items():
        if entry.get(key) is not None and kind is float:
            _check_finite(take(entry, key, kind, file), f"{file}: {key}")
        elif entry.get(key) is not None:
            take(entry, key, kind, file)
    take(entry, "seeds", list, file)
    for key, kind in (("seeds", int), ("nats", float), ("tokens", int)):
        for value in _check_list(entry.get(key, []), kind, f"{file}: {key}"):
            _check_finite(value, f"{file}: {key}")
    if len(entry.get("nats", [])) != len(entry.get("tokens", [])):
        raise InputError(f"{file}: nats and tokens are of different images")
    for trial in take(entry, "search", list, file):
        check_kind(trial, dict, f"{file}: search")
        for key in ("learning_rate", "dropout"):
            _check_finite(take(trial, key, float, f"{file}: search"), f"{file}: search")
        if trial.get("dev_loss") is not None:
            loss = take(trial, "dev_loss", float, f"{file}: search")
            _check_finite(loss, f"{file}: search")
    for name, value in take(entry, "scores", dict, file).items():
        _check_number(value, f"{file}: {name[:40]}")
    for size, found in take(entry, "retrieval", dict, file).items():
        where = f"{file}: retrieval among {size[:40]}"
        if not (size.isdecimal() and len(size) < 10):
            raise InputError(f"{where}: not a number of images")
        _check_retrieval(check_kind(found, dict, where), int(size), where)


def _check_retrieval(found: dict[str, Any], images: int, where: str) -> None:
    take(found, "sentences", int, where)
    owner = _check_list(found.get("owner", []), int, f"{where}: owner")
    if any(not 0 <= image < images for image in owner):
        raise InputError(f"{where}: owner: there are {images} images")
    for direction in DIRECTIONS:
        columns = take(found, direction, dict, where)
        ranks = _check_list(columns.get("ranks", []), int, f"{where}: ranks")
        queries = images if direction == DIRECTIONS[0] else len(owner)
        if "ranks" in columns and len(ranks) != queries:
            raise InputError(f"{where}: {len(ranks)} ranks of {queries} queries")
        for name in (*(f"R@{K}" for K in CUTOFFS), "median"):
            value = take(columns, name, dict, f"{where}: {direction}")
            _check_number(value, f"{where}: {direction}: {name}")


def _check_number(value: Any, where: str) -> None:
    """Refuse what is no number as a row keeps it: value, low, high, seeds."""
    entry = check_kind(value, dict, where)
    numbers = [take(entry, key, float, where) for key in ("value", "low", "high")]
    numbers += _check_list(take(entry, "seeds", list, where), float, where)
    for number in numbers:
        _check_finite(number, where)


def _check_finite(number: float, where: str) -> None:
    if not math.isfinite(number):
        raise InputError(f"{where}: {number} is not finite")


def _check_list(values: Any, kind: type, where: str) -> list:
    for value in check_kind(values, list, where):
        check_kind(value, kind, where)
    return values


def _read(file: Path, kind: str) -> dict[str, Any]:
    """Return the JSON object of a file of that kind, of this version."""
    content = read_bounded(file, LARGEST_FILE)
    entry = check_kind(parse_json(content, str(file), LARGEST_FILE), dict, file)
    if entry.get("kind") != kind:
        raise InputError(f"{file}: is not a {kind} of mrnn_np")
    if entry.get("version") != VERSION:
        raise InputError(
            f"{file}: made by another version of mrnn_np (its layout is "
            f"{str(entry.get('version'))[:20]}, this one's is {VERSION}): choose "
            "another folder with --out"
        )
    return entry
