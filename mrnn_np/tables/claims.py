"""Does what the paper concludes hold here? Verdicts, each with how sure it is.

A `Claim` (conclusions.py) compares rows, two at a time, by a metric. Two kinds of test,
of a difference d that is positive where the paper's side wins:

- above: d > -margin. With a margin it says "not worse by more than that";
- little: -margin < d < margin.

A comparison "holds" where the whole 95 % interval of d (paired.py) passes the test,
"does not hold" where all of it fails, and is "undecided" between. A claim holds if all
its comparisons that could be made do, and does not if one does not. "Not measured" is
what has no numbers yet.

Of twenty differences that are nothing but luck one is expected to leave its interval:
a single narrow verdict among many is weak evidence.

Knows: verdicts, which numbers of which row they need. Does not know: how a difference
is computed (paired.py), how verdicts are shown.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mrnn_np.data import CaptionDataset
from mrnn_np.tables.conclusions import CLAIMS, PRODUCT, Claim
from mrnn_np.tables.evidence import Absent, Bench
from mrnn_np.tables.filled import write
from mrnn_np.tables.layout import DIRECTIONS, TITLES, Plan, Row
from mrnn_np.tables.paired import Difference

HOLDS, FAILS, OPEN, ABSENT = "holds", "does not hold", "undecided", "not measured"
VERDICTS = (HOLDS, FAILS, OPEN, ABSENT)
CLAIMS_TITLE = "What the paper concludes, and whether it holds here"
CLAIMS_TEXT = (
    "A comparison holds where its whole 95 % interval says so, does not hold where all "
    "of it says the contrary, and is undecided between. The interval is that of the "
    "difference on samples of the same images. Where a number of seeds is named, "
    "scores are means over them, and the interval is widened by their spread; where "
    "none is, each row was trained once, and nobody knows what another seed gives. "
    "Of twenty differences that are only luck, one leaves its interval."
)


def judge(
    plan: Plan,
    rows: Sequence[Row],
    dataset: CaptionDataset,
    captions: Mapping[str, Mapping[str, str]],
    rng: np.random.Generator,
    with_meteor: bool = False,
) -> list[dict[str, Any]]:
    """Return the verdict of every claim, as JSON can hold it.

    Parameters
    ----------
    plan : as plan.json holds it; rows of another plan are left out.
    rows : as rows/NAME.json holds them. For perplexity they have "nats" and "tokens"
        (a number an image), for retrieval "ranks" in each direction (a number a query,
        image by image) and beside the directions "owner", the image of each sentence,
        unless every image has as many; all of the first seed.
    dataset : people's sentences of these images.
    captions : row -> image name -> caption, of the first seed.
    rng : draws the samples; comparisons of as many images have the same.
    with_meteor : also compare METEOR, which starts Java ten times: three minutes for
        1,000 images.

    Returns
    -------
    A dict a claim: id, sentence, source, test, margin, verdict, comparisons. Each of
    these has first, second, metric, gallery (images to choose from), verdict, sentence;
    where it could be made also values, difference, low, high, share (of the samples
    that pass the test), images, seeds; else a reason.
    """
    # What was trained by another plan is no comparison.
    own = {row["row"]: row for row in rows if row["plan"] == plan["fingerprint"]}
    bench = Bench(own, dataset, captions, rng, with_meteor)
    return [judge_claim(claim, bench) for claim in CLAIMS]


def judge_claim(claim: Claim, bench: Bench) -> dict[str, Any]:
    """Return the verdict of one claim, see `judge`."""
    found = [
        judge_pair(claim, first, second, metric, bench)
        for first, second in claim.pairs
        for metric in claim.metrics
    ]
    return {
        "id": claim.id,
        "sentence": claim.sentence,
        "source": claim.source,
        "test": claim.test,
        "margin": claim.margin,
        "verdict": together([one["verdict"] for one in found]),
        "comparisons": found,
    }


def judge_pair(
    claim: Claim, first: str, second: str, metric: str, bench: Bench
) -> dict[str, Any]:
    """Return the verdict of one comparison, see `judge`."""
    named = {"first": first, "second": second, "metric": metric, "gallery": ""}
    try:
        found, seeds, gallery = bench.compare(first, second, metric)
    except Absent as absent:
        reason = str(absent)
        sentence = f"{TITLES[first]} and {TITLES[second]}, {metric}: {reason}."
        return {**named, "verdict": ABSENT, "sentence": sentence, "reason": reason}
    named["gallery"] = gallery
    verdict = verdict_of(found.low, found.high, claim.test, claim.margin)
    share = passing(found.samples, claim.test, claim.margin)
    return {
        **named,
        "verdict": verdict,
        "sentence": sentence_of(named, found, verdict, share, seeds),
        "values": [found.first, found.second],
        "difference": found.value,
        "low": found.low,
        "high": found.high,
        "share": share,
        "images": found.images,
        "seeds": seeds,
    }


def together(verdicts: Sequence[str]) -> str:
    """Return the verdict of a claim whose comparisons have these.

    It holds where all of them do: one that was not made leaves it undecided.
    """
    if set(verdicts) <= {ABSENT}:
        return ABSENT
    if FAILS in verdicts:
        return FAILS
    return OPEN if {OPEN, ABSENT} & set(verdicts) else HOLDS


def verdict_of(low: float, high: float, test: str, margin: float) -> str:
    """Return whether an interval lies inside what a test asks for, outside, or both."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return OPEN
    if test == "above":
        return HOLDS if low > -margin else FAILS if high < -margin else OPEN
    if -margin < low and high < margin:
        return HOLDS
    return FAILS if low > margin or high < -margin else OPEN


def passing(samples: np.ndarray, test: str, margin: float) -> float:
    """Return the share of the samples that pass a test."""
    passed = samples > -margin
    if test == "little":
        passed &= samples < margin
    return float(passed.mean())


def sentence_of(
    named: Mapping[str, str],
    found: Difference,
    verdict: str,
    share: float,
    seeds: Sequence[int],
) -> str:
    """Say what was compared, what came out, and whose luck the interval knows."""
    metric = named["metric"]
    how = verdict
    if verdict == OPEN and max(seeds) == 1:
        how += f" ({100 * share:.0f} % of samples in favour)"
    one, other = TITLES[named["first"]], TITLES[named["second"]]
    luck = f", {max(seeds)} seeds" if max(seeds) > 1 else ""
    numbers = (found.value, found.low, found.high)
    if metric == PRODUCT:
        d, low, high = (f"{math.exp(min(value, 99)):.3g}" for value in numbers)
        return (
            f"From {one} to {other} BLEU-4 falls by {d} times the factor by which "
            f"perplexity rises ({low} to {high}{luck}): {how}."
        )
    key = metric
    for direction in DIRECTIONS:
        key = key.removeprefix(f"{direction} ")
    d, low, high = (("+" if v >= 0 else "") + write(key, v) for v in numbers)
    among = f" among {int(named['gallery']):,} images" if named["gallery"] else ""
    return (
        f"{metric}{among}: {one} {write(key, found.first)}, {other} "
        f"{write(key, found.second)}, difference {d} ({low} to {high}{luck}): "
        f"{how}."
    )
