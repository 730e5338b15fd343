"""A scene as pixels.

Every shape is drawn four times as large and averaged down, which gives smooth edges
from Pillow's plain integer drawing.

Knows: what shapes and colours look like. Does not know: how scenes come about.
"""

import math

from PIL import Image, ImageDraw

from mrnn_np.data.scenes.composition import SIDE, Scene

PALETTE = {
    "red": (214, 48, 49),
    "orange": (243, 142, 30),
    "yellow": (250, 211, 50),
    "green": (42, 157, 86),
    "blue": (45, 108, 202),
    "purple": (130, 70, 175),
    "pink": (244, 134, 180),
    "brown": (125, 80, 50),
    "white": (250, 250, 248),
    "grey": (178, 184, 192),
    "black": (36, 38, 46),
    "beige": (236, 222, 192),
}
OVERSAMPLING = 4


def draw(scene: Scene) -> Image.Image:
    """Return the picture of a scene: RGB, SIDE x SIDE pixels."""
    side = SIDE * OVERSAMPLING
    canvas = Image.new("RGB", (side, side), PALETTE[scene.background])
    pen = ImageDraw.Draw(canvas)
    for group in reversed(scene.groups):  # what is inside comes last, on top
        outline = OUTLINES[group.shape]
        for x, y in group.centres:
            points = [
                (
                    round((x + group.radius * across) * OVERSAMPLING),
                    round((y + group.radius * down) * OVERSAMPLING),
                )
                for across, down in outline
            ]
            pen.polygon(points, fill=PALETTE[group.colour])
    return canvas.reduce(OVERSAMPLING)


def circle_outline() -> list[tuple[float, float]]:
    """Return 64 points on the unit circle."""
    turns = [2 * math.pi * i / 64 for i in range(64)]
    return [(math.cos(turn), math.sin(turn)) for turn in turns]


def star_outline() -> list[tuple[float, float]]:
    """Return the ten corners of a five-pointed star that stands on two of them."""
    corners = []
    for i in range(10):
        reach = 1.05 if i % 2 == 0 else 0.44
        turn = math.pi * i / 5
        corners.append((reach * math.sin(turn), 0.06 - reach * math.cos(turn)))
    return corners


def heart_outline() -> list[tuple[float, float]]:
    """Return 64 points on the well-known heart curve of sines and cosines."""
    points = []
    for i in range(64):
        t = 2 * math.pi * i / 64
        up = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t)
        up -= math.cos(4 * t)
        points.append((math.sin(t) ** 3, -(up + 2.5) / 15.5))
    return points


# Shape -> corners (across, down) in units of the radius, from the centre.
OUTLINES: dict[str, list[tuple[float, float]]] = {
    "circle": circle_outline(),
    "square": [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
    "triangle": [(0, -0.95), (1, 0.85), (-1, 0.85)],
    "star": star_outline(),
    "heart": heart_outline(),
    "cross": [
        (-0.35, -1), (0.35, -1), (0.35, -0.35), (1, -0.35), (1, 0.35), (0.35, 0.35),
        (0.35, 1), (-0.35, 1), (-0.35, 0.35), (-1, 0.35), (-1, -0.35), (-0.35, -0.35),
    ],
}  # fmt: skip
