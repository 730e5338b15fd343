"""Every command with its options: values of every kind in every place.

A case begins with a call that is right, on a small data set, model and network that
are copied into its folder. Then some values become hostile ones: numbers at extremes,
texts, paths of everything that is not the file that was meant, outputs that are inputs.

Paths to write to never lead out of the case's folder, and device nodes are the case's
own: a fault here must not cost the machine its /dev/null.

Knows: the options. Does not know: how a call is run and judged (`calls`).
"""

import contextlib
import json
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from fuzzing.calls import Call, read, read_as_process
from fuzzing.containers import small_network
from fuzzing.datasets import CAPTIONS, lay_out, picture
from fuzzing.limits import Target
from fuzzing.mutations import TEXTS, choose, damage, some
from fuzzing.weights import WEIGHTS
from mrnn_np import training
from mrnn_np.data import Vocabulary, load_dataset, tokenize
from mrnn_np.data.scenes.features import SceneFeatures
from mrnn_np.features.identity import identity
from mrnn_np.features.matrix import Features
from mrnn_np.metrics.results import write_results
from mrnn_np.models import MRNN, MRNNConfig
from mrnn_np.report import Page
from mrnn_np.runtime.outputs import write_json
from mrnn_np.training import Trainer, load_config

# What calls are made of: a command and its arguments. An argument is a flag, "" for a
# positional one, with a kind of value, "" for none; its share says how often it is
# there, 1 for always. A command that stands here twice gets twice as many cases.
MODEL = (("--features", "features", 1), ("--checkpoint", "checkpoint", 1))
DESCRIBED = (
    ("--checkpoint", "checkpoint", 1),
    ("--beam", "count", 0.3),
    ("--nbest", "count", 0.3),
    ("--json", "", 0.3),
)
SPLIT = ("--split", "split", 0.3)
JOBS = ("--jobs", "jobs", 0.2)
CALLS = (
    ("features", ("", "dataset", 1), ("-o", "output.npz", 1), ("--resume", "", 0.3),
     ("--cnn", "extractor", 0.9), SPLIT, ("--jobs", "processes", 0.1),
     ("--backend", "backend", 0.03), ("--scheduler", "address", 0.03)),
    ("train", ("", "dataset", 1), ("--features", "features", 1), ("--out", "run", 0.9),
     ("--config", "config", 0.9), ("--resume", "", 0.3), ("--model", "model", 0.3)),
    ("caption", ("", "image", 1), ("", "image", 0.4), *DESCRIBED),
    ("caption", ("", "image", 1), *DESCRIBED, ("--sample", "", 1),
     ("--temperature", "number", 0.5), ("--seed", "integer", 0.5)),
    ("caption", ("", "image", 1), *DESCRIBED, ("--rerank", "dataset", 1),
     ("--rerank-features", "features", 1)),
    ("classify", ("", "image", 1), ("--cnn", "network", 1), ("--json", "", 0.4)),
    ("evaluate", ("", "dataset", 1), *MODEL, SPLIT, ("--beam", "count", 0.3),
     ("--rerank", "similarity", 0.2), ("--json", "output.json", 0.6), JOBS),
    ("evaluate", ("", "dataset", 1), SPLIT, ("--captions", "results", 1),
     ("--json", "output.json", 0.6)),
    ("rank", ("", "dataset", 1), *MODEL, SPLIT, ("--samples", "count", 0.2), JOBS,
     ("--matrix", "output.npz", 0.3), ("--memory", "megabytes", 0.2),
     ("--json", "output.json", 0.4), ("--report", "output.html", 0.3)),
    ("rank", ("", "dataset", 1), *MODEL, ("--shortlist", "count", 1), JOBS,
     ("--json", "output.json", 0.4)),
    ("search", ("--text", "sentence", 1), ("", "dataset", 1), *MODEL, SPLIT,
     ("--top", "count", 0.3), ("--report", "output.html", 0.4), ("--json", "", 0.3)),
    ("search", ("--image", "image", 1), ("", "dataset", 1), *MODEL, SPLIT,
     ("--top", "count", 0.3), ("--samples", "count", 0.2),
     ("--report", "output.html", 0.4), ("--json", "", 0.3)),
    ("weights convert", ("", "weights", 1), ("-o", "output.npz", 0.8),
     ("--arch", "architecture", 0.3)),
    ("weights get", ("", "name", 1)),
    ("weights list",),
    ("gradcheck", ("--seed", "integer", 1), ("--model", "model", 1)),
    ("demo", ("", "image", 0.5), ("--out", "run", 1), ("--epochs", "count", 0.3)),
    ("bench", ("", "job", 0.7), ("--threads", "count", 0.4), ("--repeats", "count",
    0.4),
     ("--json", "", 0.3), ("--scaling", "", 0.1), ("--out", "run", 0.4)),
)  # fmt: skip
PROCESSES = CALLS[:13]  # those that are run as processes, too
# kind -> values that are right; of "output" and "run" those that nothing stands at.
GOOD = {
    "dataset": ("folder:pets",), "features": ("f.npz",), "checkpoint": ("model.npz",),
    "image": ("photo.png", "pets/0.jpg", "ü.png"), "config": ("c.toml",),
    "results": ("results.json", "old.captions.json"), "weights": ("w.npz",),
    "extractor": ("scenes",),
    "network": ("cnn.npz",), "split": ("dev", "train", "test"), "count": ("1", "3",
    "20"),
    "jobs": ("1", "2"), "processes": ("1",), "integer": ("0", "7"), "number": ("0.5",
    "1", "3"),
    "backend": ("dask", "loky"), "address": ("127.0.0.1", "x:y"),
    "similarity": ("cider", "bleu"), "architecture": ("squeezenet1_1", "vgg16"),
    "model": ("mrnn",),
    "name": ("tiny", "vgg16"), "job": ("metrics",), "megabytes": ("100", "1024"),
    "sentence": ("a dog isn't here", "number"),
    "run": ("new", "runs/new", "run"), "output.npz": ("new.npz", "sub/new.npz"),
    "output.json": ("new.json", "sub/new.json", "old.json"),
    "output.html": ("new.html", "sub/new.html", "old.html"),
}  # fmt: skip
NUMBERS = ("0", "-1", "1000000", "2147483648", "9223372036854775808", "1" * 5000, "1e3",
           "nan", "inf", "-inf", "1e-300", "1e300", "0x10", "1_0", "٣", "½", "", " ",
           "x")  # fmt: skip
INPUTS = ("f.npz", "model.npz", "photo.png", "c.toml", "results.json", "w.npz",
          "cnn.npz",
          "pets/captions.tsv", "pets/0.jpg", "run/last.npz")  # fmt: skip
STRANGE = ("pipe", "null", "full", "loop", "gone", "link.npz", "pets", "empty", "run",
           "damaged.npz", "x" * 300, "missing", "photo.png/x", "\x1b[31m.png", "-",
           "--",
           "\ud800.png", "null-link")  # fmt: skip
# Bytes until the disk is full. Semaphores are files, too, of 32 bytes.
ROOM = (100, 500, 1000, 3000, 10_000, 30_000)
NUMBER_KINDS = ("count", "jobs", "processes", "integer", "number", "megabytes")
BASE = Path("/nowhere")  # set by prepare


@dataclass(frozen=True)
class Value:
    """One argument as it is given: flag, kind, text."""

    flag: str
    kind: str
    text: str


def prepare(folder: Path) -> None:
    """Make a data set, its features, a model, and the other files of a right call."""
    global BASE
    BASE = folder / "commands"
    names = [f"{number}.jpg" for number in range(12)]
    rows = [f"{n}\t{CAPTIONS[i % 6]}" for i, n in enumerate(names) for _ in range(2)]
    lay_out(BASE, {f"pets/images/{name}": picture() for name in names[1:]})
    lay_out(BASE, {"pets/0.jpg": picture(), "pets/images/0.jpg": picture()})
    lay_out(BASE, {"pets/captions.tsv": "\n".join(rows).encode()})
    dataset = load_dataset(f"folder:{BASE / 'pets'}")
    extractor = SceneFeatures()
    matrix = extractor.features(dataset.images.open(name) for name in names)
    matrix = matrix + np.random.default_rng(0).random(matrix.shape, np.float32)
    Features(names, matrix, identity(extractor), "folder:pets").save(BASE / "f.npz")
    words = Vocabulary.build([tokenize(text) for text in CAPTIONS], 1)
    config = MRNNConfig(matrix.shape[1], 4, 6, 7)
    rng = np.random.default_rng(0)
    model = MRNN(config, words, rng, extractor=identity(extractor))
    model.set_feature_statistics(matrix)
    model.save(BASE / "model.npz")
    small_network(BASE / "cnn.npz")
    np.savez(BASE / "w.npz", **WEIGHTS)
    Image.new("RGB", (30, 20), "blue").save(BASE / "photo.png")
    shutil.copy(BASE / "photo.png", BASE / "ü.png")
    sizes = "[model]\nembedding_size = 4\nrecurrent_size = 6\nmultimodal_size = 7\n"
    rest = "[training]\nepochs = 1\nthreshold = 1\n"
    results = [{"image_id": n, "caption": "a dog"} for n in dataset.split("dev")]
    lay_out(BASE, {
        "c.toml": (sizes + rest).encode(),
        "results.json": json.dumps(results).encode(),
        "empty": b"",
    })  # fmt: skip
    write_json(BASE / "old.json", {"kind": "scores"})
    write_results(BASE / "old.captions.json", dict.fromkeys(dataset.split("dev"), "a"))
    Page("m-RNN").save(BASE / "old.html")
    choices = load_config(BASE / "c.toml", MRNNConfig)
    features = Features.load(BASE / "f.npz")
    learner, train, dev = training.prepare(dataset, features, *choices)
    Trainer(learner, choices[1], BASE / "run", verbose=False).fit(train, dev)


def lay_base(rng: np.random.Generator, folder: Path) -> None:
    """Put the files of a call into its folder, and things that are no files."""
    shutil.copytree(BASE, folder, dirs_exist_ok=True)
    shutil.copy(BASE / "photo.png", folder / "\x1b[31m.png")
    content = (BASE / choose(rng, ("model.npz", "f.npz", "cnn.npz"))).read_bytes()
    (folder / "damaged.npz").write_bytes(damage(rng, content))
    os.mkfifo(folder / "pipe")
    for name, minor in (("null", 3), ("full", 7)):
        with contextlib.suppress(PermissionError):  # only root makes devices
            os.mknod(folder / name, 0o666 | stat.S_IFCHR, os.makedev(1, minor))
    for name, goal in (("loop", "loop"), ("gone", "nothing/there"), ("link.npz",
                                                                     "f.npz"),
                       ("null-link", "null")):  # fmt: skip
        (folder / name).symlink_to(goal)


def hostile(rng: np.random.Generator, kind: str, others: list[Value]) -> str:
    """Return a value that is not meant for an argument of this kind."""
    if kind in NUMBER_KINDS:
        return choose(rng, NUMBERS)
    what = rng.random()
    if kind.startswith(("output", "run")):
        suffix = kind.partition(".")[2]
        if what < 0.3:
            return choose(rng, INPUTS)
        if what < 0.6:
            return choose(rng, STRANGE)
        if what < 0.8 and others:  # another argument of this call, input or output
            name = choose(rng, others).text.rpartition(":")[2]
            return (
                choose(rng, (name, f"./{name}", f"sub/../{name}"))
                if inside(name)
                else "x"
            )
        name = choose(rng, TEXTS)[:5000]
        return f"{name}.{suffix}" if inside(name) else "sub/x"
    place = (
        choose(rng, (*INPUTS, *STRANGE)) if what < 0.7 else choose(rng, TEXTS)[:90_000]
    )
    if kind == "dataset":
        names = ("folder", "karpathy", "coco", "flickr8k", "flickr30k", "iaprtc12", "x")
        return f"{choose(rng, names)}:{place}" if rng.random() < 0.8 else place
    return place


def inside(name: str) -> bool:
    """Whether a path stays in the folder in which a command runs."""
    return bool(name) and not os.path.isabs(name) and ".." not in name


def as_argument(text: str) -> str:
    """Return a text as a process gets it: bytes without null, halves of characters."""
    return os.fsdecode(text.replace("\0", "").encode("utf-8", "surrogatepass"))


def make(rng: np.random.Generator, folder: Path, process: bool = False) -> Call:
    """Return a call of a random command in the folder."""
    lay_base(rng, folder)
    command, *possible = choose(rng, PROCESSES if process else CALLS)
    values: list[Value] = []
    for flag, kind, share in possible:
        if rng.random() < share:
            text = choose(rng, GOOD[kind]) if kind else ""
            values.append(Value(flag, kind, text))
    if rng.random() < 0.8 and values:
        for _ in some(rng, 3):
            at = int(rng.integers(len(values)))
            flag, kind = values[at].flag, values[at].kind
            if kind:
                values[at] = Value(flag, kind, hostile(rng, kind, values))
            elif rng.random() < 0.3:
                values.append(values[at])
    arguments = command.split()
    for value in values:
        text = as_argument(value.text)
        if value.flag and value.kind and rng.random() < 0.3 and value.flag != "-o":
            arguments.append(f"{value.flag}={text}")
        else:
            arguments += [value.flag] * bool(value.flag) + [text] * bool(value.kind)
    outputs = [
        as_argument(v.text) for v in values if v.kind.startswith(("output", "run"))
    ]
    if not outputs:  # where they go when nobody says so
        outputs = {"train": ["runs"], "bench": ["bench"]}.get(command, [])
    if command == "weights convert" and not outputs:
        stems = (Path(as_argument(v.text)).stem[:200] for v in values)
        outputs = ["w.npz", *(f"{stem}.npz" for stem in stems)]
    encoding = choose(rng, ("utf-8", "utf-8", "ascii", "latin-1"))
    room = choose(rng, ROOM) if rng.random() < 0.15 else None
    return Call(arguments, folder, outputs, "--resume" in arguments, encoding, room)


def make_process(rng: np.random.Generator, folder: Path) -> Call:
    """Return a call that is run as a process of its own."""
    return make(rng, folder, process=True)


TARGETS = (
    Target("command", "command", make, read, 6, writes=True),
    Target("process", "command", make_process, read_as_process, 1, writes=True),
)
