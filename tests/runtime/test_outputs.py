"""Where outputs may go, and how they get there: through links, whole or not at all."""

import json
import os
import signal
import stat
import subprocess
import sys
import threading

import numpy as np
import pytest

from mrnn_np.metrics.results import results_output, write_results
from mrnn_np.report import Page, page_output
from mrnn_np.runtime import outputs
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.outputs import (
    UNFINISHED,
    Output,
    atomic_write,
    check_places,
    delete_unfinished,
    json_output,
    json_place,
    write_json,
)
from mrnn_np.runtime.storage import VERSIONS, load_arrays, npz_output, save_arrays

WRITER = (
    "import sys; from mrnn_np.runtime.outputs import atomic_write\n"
    "with atomic_write(sys.argv[1]) as temporary:\n"
    "    temporary.write_text('half'); print('begun', flush=True); sys.stdin.read()\n"
)


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def put(path, text="old"):
    path.write_text(text)
    return path


def write(path, text="new"):
    with atomic_write(path) as temporary:
        temporary.write_text(text)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def begun_writer(path):
    """Return a process that has half of a file written."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline().strip() == b"begun"
    return process


# The way a file is written.


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    write(tmp_path / "new" / "f")
    assert (tmp_path / "new" / "f").read_text() == "new"
    with pytest.raises(ZeroDivisionError), atomic_write(tmp_path / "new" / "f") as file:
        file.write_text("half")
        raise ZeroDivisionError
    assert (tmp_path / "new" / "f").read_text() == "new"
    assert names(tmp_path / "new") == ["f"]


def test_an_error_of_the_system_names_the_file(tmp_path):
    with pytest.raises(InputError, match=r"f: cannot be written: No space left"):
        with atomic_write(tmp_path / "f"):
            raise OSError(28, "No space left on device")
    assert names(tmp_path) == []


def test_permissions_are_those_of_the_old_file_or_of_any_new_one(tmp_path):
    write(tmp_path / "f")
    (tmp_path / "g").touch()
    assert (tmp_path / "f").stat().st_mode == (tmp_path / "g").stat().st_mode
    (tmp_path / "f").chmod(0o600)
    write(tmp_path / "f", "newer")
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o600


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_its_target_is_written(tmp_path, there):
    target = tmp_path / "far" / "target"
    target.parent.mkdir()
    if there:
        put(target)
    (tmp_path / "second").symlink_to(target)
    (tmp_path / "first").symlink_to("second")
    check_places(tmp_path / "first")
    write(tmp_path / "first")
    assert target.read_text() == "new" and not target.is_symlink()
    assert os.readlink(tmp_path / "first") == "second"
    assert names(tmp_path) == ["far", "first", "second"]
    assert names(target.parent) == ["target"]


def test_what_is_no_regular_file_stays_what_it_is(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to("/dev/null")
    (tmp_path / "circle").symlink_to("circle")
    reading, writing = os.pipe()
    (tmp_path / "descriptor").symlink_to(f"/dev/fd/{writing}")
    for name in ("pipe", "null", "descriptor", "circle", "missing/../pipe"):
        for refuse in (check_places, write):
            with pytest.raises(InputError, match=r"no regular file|levels of symbolic"):
                refuse(tmp_path / name)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert names(tmp_path) == ["circle", "descriptor", "null", "pipe"]
    os.close(reading)
    os.close(writing)


def test_a_file_that_has_lost_its_name_is_refused(tmp_path):
    """A descriptor leads to it, but no path does."""
    with open(tmp_path / "f", "w") as stream:
        (tmp_path / "f").unlink()
        with pytest.raises(InputError, match="no regular file"):
            write(f"/dev/fd/{stream.fileno()}")
    assert names(tmp_path) == []


def test_the_folder_is_synced_after_the_renaming(tmp_path, monkeypatch):
    done = []
    replace, sync = os.replace, os.fsync
    monkeypatch.setattr(
        os, "replace", lambda *paths: done.append("rename") or replace(*paths)
    )

    def fsync(handle):
        is_folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        done.append("folder" if is_folder else "file")
        sync(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    write(tmp_path / "f")
    assert done == ["file", "rename", "folder"]


def test_the_folder_may_be_one_that_cannot_be_synced_or_listed(tmp_path, monkeypatch):
    sync = os.fsync

    def refuse(*arguments):
        raise PermissionError(13, "Permission denied")

    def fsync(handle):
        (refuse if stat.S_ISDIR(os.fstat(handle).st_mode) else sync)(handle)

    monkeypatch.setattr(os, "listdir", refuse)
    monkeypatch.setattr(os, "fsync", fsync)
    write(tmp_path / "f")
    assert (tmp_path / "f").read_text() == "new"


FULL = """
import resource, sys
from pathlib import Path
import numpy as np
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.storage import load_arrays, save_arrays
arrays = {"a": np.arange(3000.0), "b": np.zeros(0), "c": np.arange(99)}
save_arrays("whole.npz", "cnn", {}, arrays)
size, hard = Path("whole.npz").stat().st_size, resource.RLIM_INFINITY
before = Path("whole.npz").read_bytes()
for limit in [*range(0, size, 997), *range(size - 400, size, 7)]:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        save_arrays("whole.npz", "cnn", {}, arrays)
    except InputError as error:
        assert str(error) == "whole.npz: cannot be written: File too large", error
    else:
        raise AssertionError(f"{limit} bytes were enough for {size}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert Path("whole.npz").read_bytes() == before
assert [path.name for path in Path().iterdir()] == ["whole.npz"]
"""


def test_wherever_the_disk_is_full_the_file_is_named_and_the_old_one_stays(tmp_path):
    pytest.importorskip("resource")
    done = subprocess.run([sys.executable, "-c", FULL], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


# What killed writers leave.


def test_what_killed_writers_left_is_deleted_but_never_what_the_living_write(tmp_path):
    pytest.importorskip("fcntl")
    goal = tmp_path / "best.npz"
    dead = [begun_writer(goal) for _ in range(2)]
    for process in dead:
        process.kill()
        process.communicate()
    assert len(names(tmp_path)) == 2
    others = [".best.npz.20241231", ".best.npz.lock", ".rest.npz.x.unfinished"]
    for other in others:
        put(tmp_path / other)
    alive = begun_writer(goal)
    assert len(names(tmp_path)) == 4  # those of the dead are gone
    write(goal)
    assert goal.read_text() == "new"
    alive.communicate(b"", timeout=60)
    assert alive.returncode == 0 and goal.read_text() == "half"
    assert names(tmp_path) == sorted([*others, "best.npz"])


def test_ctrl_c_leaves_nothing(tmp_path):
    process = begun_writer(tmp_path / "f")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert names(tmp_path) == []


def test_nothing_is_deleted_where_there_are_no_locks(tmp_path, monkeypatch):
    left = put(tmp_path / f".f.x{UNFINISHED}")

    def no_locks(handle, how):
        raise OSError(95, "Operation not supported")

    if outputs.fcntl is not None:
        monkeypatch.setattr(outputs.fcntl, "flock", no_locks)
        write(tmp_path / "f")
    monkeypatch.setattr(outputs, "fcntl", None)
    write(tmp_path / "f", "newer")
    assert left.exists() and (tmp_path / "f").read_text() == "newer"


def test_a_name_with_signs_of_patterns_is_only_a_name(tmp_path):
    left = put(tmp_path / f".f.x{UNFINISHED}")
    delete_unfinished(tmp_path / "[a-z]")
    delete_unfinished(tmp_path / "*")
    assert left.exists()
    delete_unfinished(tmp_path / "f")
    assert left.exists() == (outputs.fcntl is None)


def test_many_writers_of_one_file_do_not_take_each_others_work(tmp_path):
    failed = []

    def work(number):
        try:
            for _ in range(30):
                write(tmp_path / "f", str(number) * 1000)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    text = (tmp_path / "f").read_text()
    assert len(text) == 1000 and len(set(text)) == 1
    assert names(tmp_path) == ["f"]


# The rule.


def test_places_are_checked_before_the_work(tmp_path):
    file = put(tmp_path / "file")
    check_places(None, file, tmp_path / "new" / "result.json")
    assert file.read_text() == "old"
    assert names(tmp_path) == ["file", "new"] and names(tmp_path / "new") == []
    with pytest.raises(InputError, match="is a folder"):
        check_places(tmp_path)
    with pytest.raises(InputError, match="cannot be written"):
        check_places(file / "result.json")
    long = tmp_path / ("n" * 250)  # the file could be, but not while it is written
    with pytest.raises(InputError, match="cannot be written: File name too long"):
        check_places(long)


def hard_link(old, new):
    os.link(old, new)
    return new


def soft_link(old, new):
    new.symlink_to(old)
    return new


def through_a_folder(old, new):
    new.parent.joinpath("a").mkdir()
    return new.parent / "a" / ".." / old.name


def through_a_linked_folder(old, new):
    new.symlink_to(old.parent)
    return new / old.name


SAME = [
    lambda old, new: old,
    lambda old, new: old.name,
    lambda old, new: f"./missing/../{old.name}",
    lambda old, new: soft_link(soft_link(old, new), new.with_name("third")),
    hard_link,
    soft_link,
    through_a_folder,
    through_a_linked_folder,
]


@pytest.mark.parametrize("other", SAME)
def test_what_resolves_to_an_input_or_to_another_output_is_refused(tmp_path, other):
    file = put(tmp_path / "f")
    name = other(file, tmp_path / "new")
    with pytest.raises(InputError, match=r"--json would overwrite .*, which is read"):
        check_places(Output(name, "--json"), inputs=[tmp_path / "x", file])
    with pytest.raises(InputError, match=r"--json would overwrite .*, which is read"):
        check_places(None, Output(file, "--json"), inputs=[name])
    with pytest.raises(InputError, match=r"--json and --report would overwrite each"):
        check_places(Output(file, "--json"), Output(name, "--report"))
    assert file.read_text() == "old"


def test_two_outputs_that_are_not_there_yet_may_be_one_file(tmp_path):
    (tmp_path / "link").symlink_to("f")
    for first, second in (("f", "f"), ("f", "./f"), ("f", "a/../f"), ("link", "f")):
        with pytest.raises(InputError, match="overwrite each other"):
            check_places(tmp_path / first, tmp_path / second)
    check_places(tmp_path / "f", tmp_path / "g", inputs=[tmp_path / "h"])


def test_nothing_else_lies_in_a_folder_of_blocks(tmp_path):
    blocks = Output("f.part", "--matrix (its blocks)", folder=True)
    check_places(tmp_path / "f", blocks, inputs=["f.parts", "f"[:0] or "g"])
    for file in ("f.part", "f.part/block-0.npz", "f.part/new/x"):
        with pytest.raises(InputError, match="its blocks\\) would overwrite"):
            check_places(blocks, inputs=[file])
        with pytest.raises(InputError, match="overwrite each other"):
            check_places(blocks, Output(file))
    (tmp_path / "f.part").mkdir()
    check_places(blocks)
    (tmp_path / "f.part").rmdir()
    put(tmp_path / "f.part")
    with pytest.raises(InputError, match="is a file, but a folder is to be made"):
        check_places(blocks)


def test_what_standard_output_goes_to_is_no_other_output(tmp_path):
    code = (
        "from mrnn_np.runtime.outputs import check_places, InputError\n"
        "try: check_places('f')\n"
        "except InputError as error: print(error)"
    )
    with open(tmp_path / "f", "w") as stream:
        subprocess.run([sys.executable, "-c", code], stdout=stream, check=True)
    assert (tmp_path / "f").read_text().startswith("f: standard output goes there")


def test_a_file_that_is_read_only_is_found_at_once(tmp_path, monkeypatch):
    file = put(tmp_path / "f")
    monkeypatch.setattr(os, "access", lambda path, how: how != os.W_OK)  # if not root
    with pytest.raises(InputError, match="read-only"):
        check_places(file)


SCORES = ("dataset", "split", "checkpoint", "captions")


def outputs_of_all_kinds(path):
    return {
        "page": page_output(path, "--report"),
        "scores": json_output(path, "--json", "scores", SCORES),
        "ranks": json_output(path, "--json", "ranks", (*SCORES[:3], "samples")),
        "captions file": results_output(path, "--json"),
        **{kind: npz_output(path, "-o", kind) for kind in VERSIONS},
    }


def make(kind, path):
    """Write a file of a kind as the commands do."""
    if kind == "page":
        Page("A <title>", "text").save(path)
    elif kind == "captions file":
        write_results(path, {"a\n.jpg": 'a "dog"', "b": "ü"})
    elif kind in VERSIONS:
        save_arrays(path, kind, {"names": ["ü"]}, {"x": np.zeros(3)})
    else:
        write_json(path, {"kind": kind, "dataset": "ü"})


OLD = {
    "page": '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    "<title>m-RNN search</title>\n<style>\n"
    ":root { color-scheme: light dark; --ink: #1d2330;",
    "scores": '{\n "dataset": "scenes",\n "split": "dev",\n "checkpoint": "m.npz",\n'
    ' "captions": "",\n "beam": 5',
    "ranks": '{\n "dataset": "scenes",\n "split": "dev",\n "checkpoint": "m.npz",\n'
    ' "samples": 200,\n "shortlist": null,\n',
}


@pytest.mark.parametrize("there", outputs_of_all_kinds(None))
def test_only_a_file_of_its_kind_is_replaced(tmp_path, there):
    make(there, tmp_path / "f")
    before = (tmp_path / "f").read_bytes()
    for wanted, output in outputs_of_all_kinds(tmp_path / "f").items():
        if wanted == there:
            check_places(output)
            continue
        with pytest.raises(InputError, match=r"f: exists and is not a (page|file) of"):
            check_places(output)
    assert (tmp_path / "f").read_bytes() == before


@pytest.mark.parametrize("kind", OLD)
def test_files_of_before_they_said_their_kind_are_known(tmp_path, kind):
    put(tmp_path / "f", OLD[kind])
    for wanted, output in outputs_of_all_kinds(tmp_path / "f").items():
        if wanted == kind:
            check_places(output)
        else:
            with pytest.raises(InputError, match="exists and is not"):
                check_places(output)


@pytest.mark.parametrize("kind", outputs_of_all_kinds(None))
@pytest.mark.parametrize(
    "text",
    [
        "notes\n",
        "{}",
        "[]",
        "\n",
        '{"kind": "scores"}',
        '{\n "dataset": "mine"\n}',
        '[\n {\n  "image_id": 1,\n  "caption": "a",\n  "by": "me"\n }\n]',
        "<!doctype html>\n<p>mine</p>",
        'a\n{\n "kind": "scores",\n "kind": "ranks",\n',
    ],
)
def test_what_others_wrote_is_never_replaced(tmp_path, kind, text):
    put(tmp_path / "f", text)
    with pytest.raises(InputError, match="exists and is not"):
        check_places(outputs_of_all_kinds(tmp_path / "f")[kind])


def test_an_archive_of_somebody_else_is_not_ours(tmp_path):
    np.savez(tmp_path / "f.npz", x=np.zeros(3))
    for kind in VERSIONS:
        with pytest.raises(InputError, match=f"is not a file of {kind} of mrnn_np"):
            check_places(npz_output(tmp_path / "f.npz", "-o", kind))


def test_an_empty_file_may_become_anything(tmp_path):
    (tmp_path / "f").touch()
    for output in outputs_of_all_kinds(tmp_path / "f").values():
        check_places(output)


# JSON.


def test_json_goes_to_a_file_or_to_standard_output(tmp_path, capsys):
    value = {"ü": ["\x1b[2J", "\udcfc", "\x9b", "a\nb", "狗"]}
    write_json(tmp_path / "f", value)
    assert json.loads((tmp_path / "f").read_text(encoding="utf-8")) == value
    write_json("-", value)
    shown = capsys.readouterr().out
    assert json.loads(shown) == value
    assert "ü" in shown and "狗" in shown and "\x1b" not in shown
    assert names(tmp_path) == ["f"]


def test_a_file_may_still_be_called_minus(tmp_path):
    assert json_place("-") == "-"
    write_json(json_place("./-"), [])
    assert names(tmp_path) == ["-"]


def test_halves_of_characters_are_no_reason_to_lose_a_file(tmp_path):
    write_results(tmp_path / "r.json", {"a": "half \ud83d", "b": "b"})
    entries = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert [entry["caption"] for entry in entries] == ["half \ud83d", "b"]
    Page("half \ud83d").save(tmp_path / "p.html")
    assert "half \\ud83d" in (tmp_path / "p.html").read_text(encoding="utf-8")
    save_arrays(tmp_path / "f.npz", "features", {"failed": ["\udcfc \\ü"]}, {})
    header, _ = load_arrays(tmp_path / "f.npz", "features")
    assert header["failed"] == ["\\udcfc \\ü"]
