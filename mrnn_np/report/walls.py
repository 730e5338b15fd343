"""The caption wall: pictures with what the model says, and what people said.

Knows: pictures and sentences. Does not know: models or data sets.
"""

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape

from PIL.Image import Image

LONGEST_SIDE = 360  # pixels of a picture inside the page: 20 kB each


def caption_wall(
    items: Iterable[tuple[Image, str, Sequence[str]]], label: str = "people:"
) -> str:
    """Show pictures in a grid, each with its caption and remarks below.

    Parameters
    ----------
    items : (Pillow image in RGB, caption, remarks) each; remarks may be empty.
    label : stands before the remarks.

    Returns HTML with the pictures inside.
    """
    figures = []
    for image, caption, remarks in items:
        below = ""
        if remarks:
            lines = "<br>".join(escape(line) for line in remarks)
            below = f'<span class="soft">{escape(label)} {lines}</span>'
        figures.append(
            f'<figure><img src="{data_url(image)}" alt="{escape(caption)}">'
            f"<figcaption><b>{escape(caption)}</b>{below}</figcaption></figure>"
        )
    return f'<div class="wall">{"".join(figures)}</div>'


def data_url(image: Image, side: int = LONGEST_SIDE) -> str:
    """Return a picture as the text that an <img> can hold, shrunk when it is large.

    Small drawings are kept exactly, as PNG; photographs become JPEG.

    side : longest side of what is shown, in pixels.
    """
    small = max(image.size) <= LONGEST_SIDE // 2
    kind, options = ("png", {}) if small else ("jpeg", {"quality": 82})
    copy = image.copy()
    copy.thumbnail((side, side))
    stream = io.BytesIO()
    copy.save(stream, kind, **options)
    text = base64.b64encode(stream.getvalue()).decode("ascii")
    return f"data:image/{kind};base64,{text}"
