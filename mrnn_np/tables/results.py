"""The folder of the tables: what is done already, so that a stopped run goes on.

    plan.json                 what all rows share (plan.py)
    rows/NAME.json            the numbers of one row
    rows/NAME.captions.json   its captions, in the form of COCO results
    runs/NAME/                its trials and models (search.py)
    tables.json, .txt, .html  all of it, written anew after every row

Every file is replaced as a whole. A row counts when its file is there and says the
plan that the folder has.

Knows: files. Does not know: how a number came about.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mrnn_np.metrics.results import read_results, write_results
from mrnn_np.report import page_output
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.outputs import Output, json_output, write_json
from mrnn_np.runtime.untrusted import check_kind, parse_json, read_bounded, take
from mrnn_np.tables.plan import Plan

VERSION = 1
TEXT = rb"dev of [^\n]* images, [^\n]*\n"  # how tables.txt begins (text.py)
PLAN, ROW, TABLES = "tables plan", "table row", "tables"
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
        for key, kind in (("scores", dict), ("retrieval", dict), ("seeds", list)):
            take(entry, key, kind, file)
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
