"""What commands write: never onto what they read, and nothing lost to an encoding."""

import argparse
import importlib
import json
import os
import shlex
import subprocess
import sys

import pytest
import small_model

from mrnn_np.cli import COMMANDS, inputs, main
from mrnn_np.data import load_dataset
from mrnn_np.runtime import machine
from mrnn_np.runtime.outputs import UNFINISHED

NAMES_OR_FILES = {"checkpoint", "cnn", "dataset", "rerank"}
WRITTEN = {"json", "matrix", "out", "output", "report"}
# Neither read nor written.
OTHERS = {
    "action", "arch", "backend", "beam", "budget", "cpu", "epochs", "full", "help",
    "jobs", "memory", "model", "name", "nbest", "repeats", "resume", "rows", "sample",
    "samples", "scaling", "scheduler", "seed", "seeds", "shortlist", "split",
    "temperature", "text", "threads", "top",
}  # fmt: skip
MODEL = "--features f.npz --checkpoint model.npz"
RANK = f"rank scenes {MODEL} --samples 3"
SEARCH = f"search --text 'a red circle' scenes {MODEL}"
EVALUATE = f"evaluate scenes {MODEL} --beam 2"


@pytest.fixture(scope="module")
def dataset():
    return load_dataset("scenes")


@pytest.fixture
def folder(dataset, tmp_path, monkeypatch):
    """The current folder, with a model and what it needs."""
    monkeypatch.setattr("mrnn_np.data.load_dataset", lambda spec: dataset)
    monkeypatch.setattr(machine, "gemm_speed", lambda jobs: 1e9)  # takes its time
    monkeypatch.chdir(tmp_path)
    small_model.make(tmp_path, dataset)
    return tmp_path


def contents(folder):
    return {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")}


def refused(command, part, capsys, folder):
    """Run a command that must say one line and change nothing."""
    before = contents(folder)
    assert main(shlex.split(command)) == 1
    shown = capsys.readouterr()
    assert part in shown.err and shown.err.count("\n") == 1 and shown.out == ""
    assert contents(folder) == before


def options_of(parser):
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from options_of(inner)
        yield action.dest


@pytest.mark.parametrize("command", COMMANDS)
def test_of_every_option_it_is_known_whether_it_names_a_file(command):
    parser = argparse.ArgumentParser()
    importlib.import_module(f"mrnn_np.cli.{command}").add_arguments(parser)
    known = {*inputs.READ, *NAMES_OR_FILES, *WRITTEN, *OTHERS}
    assert set(options_of(parser)) <= known


def test_inputs_are_files_or_names(tmp_path, monkeypatch):
    monkeypatch.setenv("MRNN_NP_HOME", str(tmp_path))
    (tmp_path / "folder").mkdir()
    found = inputs.files_read(
        argparse.Namespace(
            features=["f.npz", "g.npz"],
            checkpoint=["flickr8k"],
            captions=None,
            cnn="vgg16+mine.npz",
            dataset=f"folder:{tmp_path}/folder",
            rerank="karpathy:d.json",
            split="dev",
        )
    )
    found = list(map(str, found))
    assert {"f.npz", "g.npz", "d.json", "mine.npz"} <= set(found)
    assert str(tmp_path / "cnn" / "vgg16.npz") in found
    assert any(path.endswith("weights/flickr8k.npz") for path in found)
    assert "dev" not in found and str(tmp_path / "folder") not in found


@pytest.mark.parametrize("file", ["f.npz", "model.npz", "link", "hard", "x/../f.npz"])
@pytest.mark.parametrize(
    "command",
    [f"{EVALUATE} --json", f"{RANK} --json", f"{RANK} --report", f"{RANK} --matrix",
     f"{SEARCH} --report"],
)  # fmt: skip
def test_an_input_is_not_overwritten(folder, capsys, command, file):
    (folder / "link").symlink_to("model.npz")
    os.link(folder / "f.npz", folder / "hard")
    refused(f"{command} {file}", f"{file}: --", capsys, folder)


@pytest.mark.parametrize(
    ("command", "part"),
    [
        (f"{RANK} --report x --json x", "x: --json and --report would overwrite each"),
        (f"{RANK} --report x --json ./x", "would overwrite each other"),
        (f"{RANK} --report x --matrix a/../x", "would overwrite each other"),
        (f"{RANK} --matrix x --json x.part", "would overwrite each other"),
        (f"{RANK} --matrix x --json x.part/y", "would overwrite each other"),
        (f"{RANK} --json notes.txt", "notes.txt: exists and is not a file of ranks"),
        (f"{RANK} --report notes.txt", "notes.txt: exists and is not a page of"),
        (f"{RANK} --report photo.png", "photo.png: exists and is not a page of"),
        (f"{RANK} --matrix dev_only.npz", "is not a file of likelihoods"),
        (f"{SEARCH} --report notes.txt", "notes.txt: exists and is not a page of"),
        ("search --image photo.png scenes --report photo.png " + MODEL, "is read"),
        (f"{EVALUATE} --json notes.txt", "notes.txt: exists and is not a file of scor"),
        (f"{EVALUATE} --json notes.x", "notes.captions.json: exists and is not a file"),
        (f"{EVALUATE} --json pipe", "pipe: is no regular file"),
        (f"{EVALUATE} --json /dev/null", "/dev/null: is no regular file"),
        (f"{EVALUATE} --json no/such/../../notes.txt", "exists and is not"),
        ("evaluate scenes --captions r.json --json r.json", "r.json, which is read"),
        ("evaluate scenes --captions dev.captions.json --json dev.json",
         "--json (its captions) would overwrite dev.captions.json, which is read"),
        ("features scenes -o f.npz --resume --cnn f.npz", "f.npz, which is read"),
        ("features scenes -o x --cnn x.part/block-0.npz", "which is read"),
        ("features karpathy:notes.txt -o notes.txt --resume", "which is read"),
        ("features scenes -o model.npz --resume", "is not a file of features"),
        ("features scenes -o photo.png", "is not a file of features"),
        ("train scenes --features run/best.npz --out run", "run/best.npz"),
        ("train scenes --features f.npz --config run/log.jsonl --out run", "is read"),
        ("train scenes --features f.npz --out notes.txt", "cannot be written"),
        ("demo photo.png --out d", "d/report.html: exists and is not a page"),
        ("demo d/report.html --out d", "d/report.html, which is read"),
        ("bench --scaling --out d", "d/scaling.html: exists and is not a page"),
        ("weights convert w.npz -o w.npz", "w.npz: -o would overwrite w.npz"),
        ("weights convert w.npz -o f.npz", "f.npz: exists and is not a file of cnn"),
    ],
)  # fmt: skip
def test_nothing_but_an_earlier_output_is_replaced(folder, capsys, command, part):
    for name in ("notes.txt", "notes.captions.json", "w.npz"):
        (folder / name).write_text("written by a person\n")
    entries = [{"image_id": "scene2000", "caption": "a", "by": "a person"}]
    for name in ("r.json", "dev.captions.json"):
        (folder / name).write_text(json.dumps(entries))
    for name in ("scaling.html", "report.html"):
        (folder / "d").mkdir(exist_ok=True)
        (folder / "d" / name).write_text("<html>by a person</html>")
    (folder / "run").mkdir()
    (folder / "run" / "best.npz").write_bytes((folder / "f.npz").read_bytes())
    (folder / "run" / "log.jsonl").write_text("[training]\nepochs = 1\n")
    os.mkfifo(folder / "pipe")
    refused(command, part, capsys, folder)


@pytest.mark.parametrize(
    "command",
    [
        f"{EVALUATE} --json e.json",
        f"{RANK} --json r.json --report r.html --matrix r.npz",
        f"{SEARCH} --report s.html",
        "evaluate scenes --captions c.json --json d.json",
        "features scenes --split dev -o new.npz --resume",
    ],
)
def test_the_same_command_replaces_its_outputs(folder, dataset, command):
    names = dataset.split("dev")[:3]
    entries = [{"image_id": n, "caption": dataset.captions[n][0]} for n in names]
    (folder / "c.json").write_text(json.dumps(entries))
    assert main(shlex.split(command)) == 0
    before = contents(folder)
    assert main(shlex.split(command)) == 0
    assert contents(folder) == before
    assert not [path for path in before if path.name.endswith((".part", UNFINISHED))]


def test_outputs_are_written_through_links(folder, capsys):
    (folder / "real").mkdir()
    for name in ("e.json", "e.captions.json", "p.html"):
        (folder / name).symlink_to(f"real/{name}")
    for command in (f"{EVALUATE} --json e.json", f"{SEARCH} --report p.html"):
        assert main(shlex.split(command)) == 0
    found = sorted(path.name for path in (folder / "real").iterdir())
    assert found == ["e.captions.json", "e.json", "p.html"]
    assert all((folder / name).is_symlink() for name in found)


def test_json_on_standard_output_stands_alone_and_is_complete(folder, capsys):
    before = contents(folder)
    assert main(shlex.split(f"{EVALUATE} --json -")) == 0
    scores = json.loads(capsys.readouterr().out)
    assert contents(folder) == before
    assert main(shlex.split(f"{EVALUATE} --json e.json")) == 0
    table = capsys.readouterr().out
    captions = json.loads((folder / "e.captions.json").read_text())
    found = [(entry["image_id"], entry.pop("caption")) for entry in scores["images"]]
    assert found == [(entry["image_id"], entry["caption"]) for entry in captions]
    assert scores == json.loads((folder / "e.json").read_text())
    assert "95 % interval" in table

    assert main(shlex.split(f"{RANK} --json - --report p.html")) == 0
    ranks = json.loads(capsys.readouterr().out)
    assert main(shlex.split(f"{RANK} --json r.json")) == 0
    assert ranks == json.loads((folder / "r.json").read_text())


def test_results_are_safe_before_they_are_printed(folder, capsys, monkeypatch):
    """`mrnn-np rank --json r.json | head -1` still writes r.json."""

    class Gone:
        encoding = "utf-8"

        def write(self, text):
            raise BrokenPipeError(32, "Broken pipe")

        def fileno(self):
            raise OSError

    for command, files in (
        (f"{EVALUATE} --json e.json", ["e.json", "e.captions.json"]),
        (f"{RANK} --json r.json --report r.html", ["r.json", "r.html"]),
        (f"{SEARCH} --report s.html", ["s.html"]),
        ("features scenes --split dev -o new.npz", ["new.npz"]),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", Gone())
            assert main(shlex.split(command)) == 1
        assert all((folder / name).is_file() for name in files)
        assert not list(folder.glob("*.part"))
        assert "error" not in capsys.readouterr().err


def test_a_caption_that_commands_a_terminal_is_scored_and_written(
    folder, capsys, dataset
):
    name = dataset.split("dev")[0]
    entries = [{"image_id": name, "caption": "a red \x9b31m\x7f circle\x1b[2J\n狗"}]
    (folder / "r.json").write_text(json.dumps(entries))
    assert main(shlex.split("evaluate scenes --captions r.json --json new.json")) == 0
    assert json.loads((folder / "new.captions.json").read_text()) == entries
    capsys.readouterr()
    assert main(shlex.split("evaluate scenes --captions r.json --json -")) == 0
    shown = capsys.readouterr().out
    assert not set("\x1b\x7f\x9b") & set(shown) and "狗" in shown
    assert json.loads(shown)["images"][0]["caption"] == entries[0]["caption"]


ODD = ["a.png", "ü.png", "e\x1b[31m.png", "f\nb.png", "z.png"]


def run(command, folder, **variables):
    return subprocess.run(
        [sys.executable, "-c", "from mrnn_np.cli import program; program()", *command],
        cwd=folder,
        capture_output=True,
        env={**os.environ, **variables},
        timeout=300,
    )


@pytest.mark.parametrize(
    "variables",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"LC_ALL": "C"},
        {"PYTHONIOENCODING": "latin-1:strict"},
        {"PYTHONIOENCODING": "utf-8"},
    ],
)
def test_every_image_is_captioned_whatever_its_name(folder, variables):
    for name in ODD:
        (folder / name).write_bytes((folder / "photo.png").read_bytes())
    command = ["caption", *ODD, "missing ü.png", "--checkpoint", "model.npz"]
    done = run(command, folder, **variables)
    assert done.returncode == 1  # one is missing
    lines = done.stdout.decode("latin-1").splitlines()
    assert len(lines) == len(ODD) and b"\x1b" not in done.stdout + done.stderr
    assert lines[0].startswith("a.png: ") and lines[-1].startswith("z.png: ")
    assert len({line.partition(".png: ")[2] for line in lines}) == 1
    assert done.stderr.count(b"\n") == 1 and b"no such file" in done.stderr
    done = run([*command, "--json"], folder, **variables)
    encoding = variables.get("PYTHONIOENCODING", "utf-8").partition(":")[0]
    images = [entry["image"] for entry in json.loads(done.stdout.decode(encoding))]
    if "PYTHONUTF8" in variables:  # names come in as bytes that are no text
        images = [image.encode(errors="surrogateescape").decode() for image in images]
    assert images == ODD


@pytest.mark.parametrize(
    ("streams", "status", "said"),
    [
        (">/dev/full", 1, b"standard output: cannot be written: No space left"),
        (">&-", 0, b""),
        ("2>&-", 0, b""),
        ("2>/dev/full", 0, b""),
        ("<&- >&- 2>&-", 0, b""),
    ],
)
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "command",
    [
        "caption photo.png --checkpoint model.npz",
        "caption photo.png --checkpoint model.npz --json",
        "features scenes --split dev -o new.npz",
        "weights list",
        "--help",
    ],
)
def test_streams_that_are_full_or_closed(
    folder, command, unbuffered, streams, status, said
):
    if "full" in streams and not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full")
    if "--help" in command and ">&-" in streams:
        said = None  # argparse takes the other stream
    code = "from mrnn_np.cli import program; program()"
    line = shlex.join([sys.executable, "-c", code, *shlex.split(command)])
    done = subprocess.run(
        f"{line} {streams}",
        shell=True,
        cwd=folder,
        capture_output=True,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        timeout=300,
    )
    assert done.returncode == status
    if said is not None:
        assert said in done.stderr and done.stderr.count(b"\n") == bool(said)
    assert ("features" in command) == (folder / "new.npz").is_file()


def test_what_a_library_prints_goes_into_no_file(folder):
    """The first file that is opened would get the number of the closed stream."""
    code = (
        "import os, sys, mrnn_np.cli as cli\n"
        "def main():\n"
        "    with open('file', 'w') as stream:\n"
        "        for number in (1, 2): os.write(number, b'from a library')\n"
        "        stream.write('mine')\n"
        "    return 0\n"
        "cli.main = main; cli.program()"
    )
    line = shlex.join([sys.executable, "-c", code])
    subprocess.run(f"{line} >&- 2>&-", shell=True, cwd=folder, check=True, timeout=60)
    assert (folder / "file").read_text() == "mine"


@pytest.mark.parametrize(
    "command",
    ["caption \x1b[2J.png --checkpoint model.npz", "caption --no\x1b[2J x",
     "\x1b[2J", "train x\x9b31m --features f.npz",
     "--debug caption a --checkpoint \x1b[2J.npz", "bench \x1b[2J"],
)  # fmt: skip
def test_what_a_user_gave_is_shown_escaped(folder, command):
    done = run(command.split(" "), folder)
    assert done.returncode in (1, 2)
    shown = done.stderr.decode()
    assert "\x1b" not in shown and "\x9b" not in shown
    assert "[2J" in shown or "31m" in shown
