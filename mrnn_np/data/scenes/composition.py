"""What is in a drawn scene: groups of equal shapes and how they stand to each other.

Five kinds of scenes: one shape in one of nine places; two or three equal ones in a row
or a column; two shapes side by side or one above the other; a small shape inside a
large one; a group beside or above a single shape. Two groups never share a colour, so
a colour is enough to tell which group is meant.

Knows: geometry and chance. Does not know: pixels or words of a language.
"""

from dataclasses import dataclass

import numpy as np

SIDE = 96  # pixels, both ways
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown")
SHAPES = ("circle", "square", "triangle", "star", "heart", "cross")
BACKGROUNDS = ("white", "grey", "black", "beige")
SIZES = ("small", "large")
# The nine places of a single shape, row by row, as (down, across) thirds.
PLACES = (
    "top left", "top", "top right",
    "left", "centre", "right",
    "bottom left", "bottom", "bottom right",
)  # fmt: skip
THIRDS = (0.23, 0.5, 0.77)  # of the side: centres that keep large shapes inside
KINDS = ("single", "row", "pair", "inside", "group and one")
KIND_SHARES = (0.25, 0.15, 0.3, 0.15, 0.15)


@dataclass(frozen=True)
class Group:
    """One to three equal shapes.

    Fields
    ------
    colour, shape, size : words of COLOURS, SHAPES, SIZES.
    centres : (x, y) of every shape, in pixels from the top left corner.
    radius : half the extent of a shape, in pixels; up to 10 small, from 13 large.
    """

    colour: str
    shape: str
    size: str
    centres: tuple[tuple[float, float], ...]
    radius: float


@dataclass(frozen=True)
class Scene:
    """A background and one or two groups.

    Fields
    ------
    background : a word of BACKGROUNDS.
    groups : one group, or two of which the first stands in `relation` to the second.
    relation : of two groups "left" (of), "above" or "inside"; of one group its
        place (a word of PLACES), or "row" or "column" when it has several shapes.
    """

    background: str
    groups: tuple[Group, ...]
    relation: str


def compose(seed: int, index: int) -> Scene:
    """Return scene number `index` of the data set with that seed."""
    rng = np.random.default_rng([seed, index])
    background = pick(rng, BACKGROUNDS)
    first_colour, second_colour = (COLOURS[i] for i in rng.permutation(8)[:2])
    groups: tuple[Group, ...]
    kind = KINDS[int(np.searchsorted(np.cumsum(KIND_SHARES), rng.random()))]
    if kind == "single":
        place = int(rng.integers(9))
        centre = (THIRDS[place % 3], THIRDS[place // 3])
        groups = (make_group(rng, first_colour, [centre]),)
        relation = PLACES[place]
    elif kind == "row":
        count = int(rng.integers(2, 4))
        relation = pick(rng, ("row", "column"))
        across = rng.uniform(0.3, 0.7)
        centres = along(relation, spaced(count, rng), across)
        large = (13, 14) if count == 3 else (16, 20)
        groups = (make_group(rng, first_colour, centres, large=large),)
    elif kind == "inside":
        outer = tuple(rng.uniform(0.42, 0.58, size=2))
        inner = tuple(np.add(outer, rng.uniform(-0.06, 0.06, size=2)))
        container = make_group(
            rng, second_colour, [outer], ("circle", "square"), ("large",), (29, 35)
        )
        groups = (make_group(rng, first_colour, [inner], sizes=("small",)), container)
        relation = "inside"
    else:
        count = 1 if kind == "pair" else int(rng.integers(2, 4))
        relation = pick(rng, ("left", "above"))
        # "left" puts groups into columns, "above" into rows.
        line = "column" if relation == "left" else "row"
        sizes = ("small",) if count == 3 else SIZES
        near, far = THIRDS[0] + rng.uniform(0, 0.03), THIRDS[2] - rng.uniform(0, 0.03)
        group_is_first = rng.random() < 0.5
        several = make_group(
            rng,
            first_colour,
            along(line, spaced(count, rng), near if group_is_first else far),
            sizes=sizes,
        )
        one = make_group(
            rng,
            second_colour,
            along(line, spaced(1, rng), far if group_is_first else near),
        )
        groups = (several, one) if group_is_first else (one, several)
    return Scene(background, groups, relation)


def make_group(
    rng: np.random.Generator,
    colour: str,
    centres: list[tuple[float, float]],
    shapes: tuple[str, ...] = SHAPES,
    sizes: tuple[str, ...] = SIZES,
    large: tuple[int, int] = (16, 20),
) -> Group:
    """Draw shape, size and radius by lot; `centres` are shares of the side."""
    size = pick(rng, sizes)
    low, high = large if size == "large" else (8, 10)
    pixels = tuple(
        (round(float(x) * SIDE, 1), round(float(y) * SIDE, 1)) for x, y in centres
    )
    radius = float(rng.integers(low, high + 1))
    return Group(colour, pick(rng, shapes), size, pixels, radius)


def spaced(count: int, rng: np.random.Generator) -> list[float]:
    """Return evenly spaced places for 1 to 3 shapes; `rng` moves a single one."""
    if count == 1:
        return [float(rng.uniform(0.35, 0.65))]
    return [0.27, 0.73] if count == 2 else [0.18, 0.5, 0.82]


def along(line: str, places: list[float], across: float) -> list[tuple[float, float]]:
    """Return (x, y) of shapes in a row at height `across`, or in a column."""
    if line == "row":
        return [(place, across) for place in places]
    return [(across, place) for place in places]


def pick(rng: np.random.Generator, words: tuple[str, ...]) -> str:
    """Return one of the words, each as likely."""
    return words[int(rng.integers(len(words)))]
