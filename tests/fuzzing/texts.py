"""TOML, results files, tokenizers, vocabularies, captions, the manifest, tables.

Knows: what these look like. Does not know: how they are read.
"""

import json
from pathlib import Path

import numpy as np

from fuzzing.limits import Target
from fuzzing.mutations import (
    TEXTS,
    change,
    choose,
    damage_json,
    damage_text,
    some,
    text,
    to_json,
)
from mrnn_np.convert import manifest
from mrnn_np.data import UNK, Vocabulary, detokenize, load_dataset, tokenize
from mrnn_np.data.caption_lists import read_captions
from mrnn_np.metrics import ptb
from mrnn_np.metrics.results import match, read_results
from mrnn_np.models import MRNNConfig
from mrnn_np.runtime.storage import weights_folder
from mrnn_np.runtime.untrusted import parse_json
from mrnn_np.tables.claims import judge
from mrnn_np.tables.page import tables_page
from mrnn_np.tables.plan import Plan
from mrnn_np.tables.results import ResultsFolder
from mrnn_np.tables.text import tables_text
from mrnn_np.training import load_config

TOML = """[model]
embedding_size = 64
recurrent_scale = 0.5
dropout_image = 0.25
bias_from_counts = true
[training]
seed = 3
epochs = 4
batch_size = 32
optimiser = "adam"
learning_rate = 1e-3
clip_norm = 5.0
l2 = 0.0
patience = 3
"""
TOML_VALUES = (
    "true", "false", "0", "-1", "1", "2", "0.5", "-0.5", "1.0", "nan", "inf", "-inf",
    "1e400", "9223372036854775808", "1" * 5000, '"x"', '""', "[]", "[1]", "{}",
    "{a = 1}",
    "1979-05-27", "[" * 2000 + "]" * 2000, "[" * 100_000,
    "{a=" * 3000 + "1" + "}" * 3000,
    '"\\u001b[31m"', "'''x'''", "0x10", "1_000", "07:32:00", '"\\ud800"', "sgd",
)  # fmt: skip


def make_config(rng: np.random.Generator, folder: Path) -> Path:
    """Write a TOML file with some values exchanged, keys added, or text damaged."""
    rows = TOML.splitlines()
    for _ in some(rng):
        at = int(rng.integers(len(rows)))
        key = rows[at].partition(" =")[0]
        kind = rng.random()
        if kind < 0.6 and " = " in rows[at]:
            rows[at] = f"{key} = {choose(rng, TOML_VALUES)}"
        elif kind < 0.7:
            rows.insert(at, rows[at])
        elif kind < 0.8:
            rows.insert(at, f"{json.dumps(text(rng)[:3000])} = 1")
        elif kind < 0.9:
            rows.insert(
                at, f"[{choose(rng, ('model', 'x', 'a.' * 2000 + 'a', '[model]'))}]"
            )
    content = "\n".join(rows).encode()
    path = folder / "c.toml"
    path.write_bytes(damage_text(rng, content) if rng.random() < 0.3 else content)
    return path


def read_config(path: Path) -> None:
    """Read the choices; say them again, as a checkpoint does."""
    model, training = load_config(path, MRNNConfig)
    json.dumps([vars(model), vars(training)])


def make_results(rng: np.random.Generator, folder: Path) -> Path:
    entries = [{"image_id": n, "caption": f"a dog {n}"} for n in (1, 2, "3.jpg")]
    path = folder / "r.json"
    path.write_bytes(damage_json(rng, entries))
    return path


def read_captions_file(path: Path) -> None:
    """Read a results file, find its images, cut its captions."""
    names, numbers = ["1.jpg", "2.jpg", "3.jpg"], {"1.jpg": 1, "2.jpg": 2, "3.jpg": 3}
    found = match(path, read_results(path), names, numbers, "dev of x")
    for caption in found.values():
        ptb.tokenize(caption)


def make_sentence(rng: np.random.Generator, folder: Path) -> str:
    """Return a text with much of the same in it, up to 60,000 characters."""
    pieces = ["".join(_piece(rng) for _ in some(rng)) for _ in some(rng)]
    most = choose(rng, (10, 1000, 60_000))
    return "".join(
        piece * int(rng.integers(1, max(2, most // max(1, len(piece)))))
        for piece in pieces
    )[:60_000]


def _piece(rng: np.random.Generator) -> str:
    """Return a few signs; those that the rules of the tokenizers look for."""
    if rng.random() < 0.3:
        return chr(int(rng.integers(1, 0x3000)))
    if rng.random() < 0.1:
        return choose(rng, TEXTS)[:100]
    return choose(rng, ("a", "A", ".", "'", "&", ";", "-", "/", "1", ",", " ", "\n",
                        ":", "<",
                        ">", "@", "http://", "n't", "&amp;", "...", "$", "%", "é",
                        "狗", "_",
                        "(", "\\", "#", "~", "\u2019", "=", "www.", "e.g.",
                        "can not"))  # fmt: skip


def read_sentence(sentence: str) -> None:
    """Cut a text by every tokenizer, and put it together again."""
    ptb.tokenize(sentence)
    for name in ("english", "characters"):
        tokens = tokenize(sentence, name)
        assert tokenize(detokenize(tokens, name), name) == tokens


def make_vocabulary(rng: np.random.Generator, folder: Path) -> str:
    """Return what the header of a checkpoint may hold in place of a vocabulary."""
    words = ["<pad>", "<start>", "<end>", "<unk>", "a", "b"]
    return to_json(change(rng, {"words": words, "counts": [0, 0, 2, 1, 3, 4]}))


def read_vocabulary(content: str) -> None:
    """Make the vocabulary; count, encode and decode with it."""
    data = parse_json(content, "header", 1 << 20)
    vocabulary = Vocabulary.from_dict(data)
    vocabulary.decode(vocabulary.encode(["a", "x"]))
    json.dumps(vocabulary.to_dict(), ensure_ascii=False).encode()
    np.log(vocabulary.counts[UNK:] + 1.0)


def make_manifest(rng: np.random.Generator, folder: Path) -> Path:
    data = json.loads((weights_folder() / manifest.MANIFEST).read_text("utf-8"))
    path = folder / manifest.MANIFEST
    path.write_bytes(damage_json(rng, data))
    return path


def read_manifest(path: Path) -> None:
    """Read the list of networks, and use it as `weights list` and `get` do."""
    real = manifest.weights_folder
    manifest.weights_folder = lambda: path.parent
    try:
        for name, network in manifest.load_manifest().items():
            manifest.find_network(name)
            f"{network.sources[0].download_bytes / 1e6:.0f} {network.licence.ljust(9)}"
            [source.where() for source in network.sources]
        manifest.recognise("0" * 64)
    finally:
        manifest.weights_folder = real


def make_lists(rng: np.random.Generator, folder: Path):
    """Return captions in lists, for the estimator; some are none."""
    data = [["a dog", "a cat"], "a bird", ["a fish"]]
    try:
        return json.loads(to_json(change(rng, data)))
    except (ValueError, RecursionError):
        return choose(rng, (np.array([["a", np.nan]] * 3), np.zeros(3), {}, {1, 2, 3}))


def read_lists(captions) -> None:
    """Take captions as a list."""
    for sentences in read_captions(captions, 3, tokenize):
        assert all(all(words) for words in sentences)


NUMBER = {"value": 0.25, "low": 0.125, "high": 0.5, "seeds": [0.25]}
DIRECTION = {"R@1": NUMBER, "R@5": NUMBER, "R@10": NUMBER, "median": NUMBER}
ROW = {
    "kind": "table row", "version": 1, "plan": "PLAN", "row": "mrnn", "reason": None,
    "model": "mrnn", "config": {}, "training": {},
    "search": [{"learning_rate": 1e-3, "dropout": 0.5, "dev_loss": 2.5}],
    "parameters": 1000, "training_seconds": 3.5, "captions_per_second": 90.5,
    "recurrent_size": 16, "cell": "relu", "seeds": [0],
    "scores": {"perplexity": NUMBER, "BLEU-4": NUMBER, "CIDEr": NUMBER},
    "retrieval": {"2": {
        "sentences": 4, "owner": [0, 0, 1, 1],
        "image to sentence": {**DIRECTION, "ranks": [1, 2]},
        "sentence to image": {**DIRECTION, "ranks": [1, 1, 2, 2]},
    }},
    "nats": [10.5, 12.25], "tokens": [4, 5],
}  # fmt: skip


def make_tables(rng: np.random.Generator, folder: Path) -> ResultsFolder:
    """Write the folder of some tables, one of whose two files is damaged."""
    results = ResultsFolder(folder)
    plan = Plan("scenes", "0", images=2, gallery=2)
    results.save_plan(plan)
    row = {**ROW, "plan": plan.fingerprint()}
    (folder / "rows").mkdir()
    file = results.row_file("mrnn")
    file.write_text(json.dumps(row))
    if rng.random() < 0.3:
        described = json.loads(results.plan_file.read_text())
        results.plan_file.write_bytes(damage_json(rng, described))
    else:
        file.write_bytes(damage_json(rng, row))
    return results


def read_tables(results: ResultsFolder) -> None:
    """Go on with the tables: read what is done, judge and show it."""
    plan = results.load_plan()
    row = results.load_row("mrnn", plan)
    described, rows = plan.to_dict(), [row, {**row, "row": "nic"}]
    captions = {name: results.captions(name) for name in ("mrnn", "nic")}
    scenes = load_dataset("scenes")
    claims = judge(described, rows, scenes, captions, np.random.default_rng(0))
    tables_text(described, rows, claims).encode("utf-8", "backslashreplace")
    tables_page(described, rows, claims).html().encode("utf-8", "backslashreplace")


TARGETS = (
    Target("config", "text", make_config, read_config, 3),
    Target("results", "text", make_results, read_captions_file, 2),
    Target("tokenizers", "text", make_sentence, read_sentence, 3),
    Target("vocabulary", "text", make_vocabulary, read_vocabulary, 1),
    Target("lists", "text", make_lists, read_lists, 1),
    Target("manifest", "text", make_manifest, read_manifest, 1),
    Target("tables", "text", make_tables, read_tables, 2),
)
