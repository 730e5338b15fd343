"""METEOR 1.5, whose alignments come from its own Java program.

Matching words by stem, synonym and paraphrase needs METEOR's tables (61 MB), so this
one metric is not written here: `pip install mrnn_np[coco]` brings pycocoevalcap, which
holds the program, and Java runs it. Java counts; the score is computed from the counts:

    P, R   = weighted matches / weighted words of the hypothesis, of the best reference
    Fmean  = 1 / ((1 - alpha) / P + alpha / R)
    METEOR = Fmean (1 - gamma (chunks / matches)^beta)

Exact matches weigh 1, stems 0.6, synonyms 0.8, paraphrases 0.6; a content word weighs
delta and a function word 1 - delta. Counts of images are added to those of a corpus,
as in BLEU. Source: Denkowski and Lavie (2014), with their parameters for English.

Knows: sentences, and how the program is talked to. Does not know: how it matches.
"""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mrnn_np.metrics.ngrams import Words
from mrnn_np.runtime.errors import InputError

ALPHA, BETA, GAMMA, DELTA = 0.85, 0.2, 0.6, 0.75
MODULES = np.array([1.0, 0.6, 0.8, 0.6])  # exact, stem, synonym, paraphrase
COLUMNS = 23  # of the program's counts
PATIENCE = 600  # seconds; 1,000 images take about 20


def unavailable() -> str | None:
    """Return why METEOR cannot be computed here, or None if it can."""
    if package_folder() is None:
        return "pycocoevalcap is not installed (pip install 'mrnn_np[coco]')"
    if shutil.which("java") is None:
        return "there is no `java` on this machine"
    return None


def package_folder() -> Path | None:
    """Return where the package with METEOR's program lies, None if it is not there."""
    spec = importlib.util.find_spec("pycocoevalcap")
    places = spec and spec.submodule_search_locations
    return Path(places[0]) if places else None


def compute_score(
    references: Sequence[Sequence[Words]], hypotheses: Sequence[Words]
) -> tuple[float, np.ndarray]:
    """Return METEOR of the corpus (not the mean of `each`), and of each image.

    Parameters
    ----------
    references : for each image its sentences, each a list of words.
    hypotheses : for each image one list of words; an empty one is allowed.

    Raises
    ------
    InputError : not available (see `unavailable`), or the program failed.
    """
    counts = image_counts(references, hypotheses)
    return float(meteor_of_counts(counts.sum(axis=0))), meteor_of_counts(counts)


def image_counts(
    references: Sequence[Sequence[Words]], hypotheses: Sequence[Words]
) -> np.ndarray:
    """Return the program's counts of each image, (N, 23) float64.

    Words, then function words, of the hypothesis and of its best reference; for each of
    the 4 modules the matched content words of the two, then their function words;
    chunks; matches of the two. Adding rows gives the counts of a corpus.
    """
    lines = [
        " ||| ".join(["SCORE", *(plain(words) for words in truth), plain(guess)])
        for truth, guess in zip(references, hypotheses, strict=True)
    ]
    answer = run_program(lines)
    try:
        counts = np.array([line.split() for line in answer], float)
    except ValueError:
        counts = np.empty((0, 0))
    if counts.shape != (len(lines), COLUMNS):
        raise InputError(
            f"METEOR: its program gave {len(answer)} lines for {len(lines)} images, "
            f"the last {answer[-1] if answer else ''!r}: is this a METEOR 1.5?"
        )
    # A perfect hypothesis is one chunk, which METEOR does not count as a break.
    matched = counts[:, 4:20].reshape(-1, 4, 2, 2).sum(axis=(1, 2))  # (N, 2)
    perfect = (matched == counts[:, :2]).all(axis=1) & (counts[:, 20] == 1)
    counts[perfect, 20] = 0
    return counts


def meteor_of_counts(counts: np.ndarray) -> np.ndarray:
    """Turn (..., 23) counts, or sums of them, into scores (...), float64."""
    words, function = counts[..., 0:2], counts[..., 2:4]  # (hypothesis, reference)
    length = DELTA * (words - function) + (1 - DELTA) * function
    modules = counts[..., 4:20].reshape(*counts.shape[:-1], 4, 2, 2)
    matches = MODULES @ (DELTA * modules[..., 0, :] + (1 - DELTA) * modules[..., 1, :])
    with np.errstate(divide="ignore", invalid="ignore"):
        precision, recall = np.moveaxis(matches / length, -1, 0)
        mean = 1 / ((1 - ALPHA) / precision + ALPHA / recall)
        broken = counts[..., 20] / (counts[..., 21:23].sum(axis=-1) / 2)
        score = mean * (1 - GAMMA * broken**BETA)
    return np.maximum(np.nan_to_num(score, nan=0.0), 0)


def plain(words: Words) -> str:
    """Return a sentence that cannot be taken for the program's separators."""
    return " ".join(" ".join(words).replace("|||", "").split())


def run_program(lines: Sequence[str]) -> list[str]:
    """Send lines to METEOR's program and return its answers, one a line.

    All lines are sent at once and its messages are read too, so that neither side
    waits for the other for ever.
    """
    reason, package = unavailable(), package_folder()
    if reason or package is None:
        raise InputError(f"METEOR: {reason}")
    # Under some languages Java writes 0,5 for a half: ask for English numbers.
    command = ["java", "-Xmx2G", "-Duser.language=en", "-Duser.country=US",
               "-Dfile.encoding=UTF-8", "-jar", "meteor-1.5.jar",
               "-", "-", "-stdio", "-l", "en", "-norm"]  # fmt: skip
    try:
        done = subprocess.run(
            command,
            input="".join(f"{line}\n" for line in lines).encode(errors="replace"),
            capture_output=True,
            cwd=package / "meteor",
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            timeout=PATIENCE,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"METEOR: its program did not run: {error}") from None
    if done.returncode:
        message = done.stderr.decode(errors="replace").strip().split("\n")[0]
        raise InputError(
            f"METEOR: its program stopped with status {done.returncode}: {message}"
        )
    return done.stdout.decode(errors="replace").splitlines()
