"""`scenes`: a data set that is drawn, so that everything can be tried in a minute.

2,600 small pictures of coloured shapes, each with 5 sentences in English (``scenes``)
or in Chinese (``scenes:zh``). Nothing lies on the disk: picture and sentences follow
from the seed and the picture's number, on every machine the same.

    composition   what is in a scene: shapes, colours, sizes, places, relations
    drawing       a scene as pixels
    sentences     a scene in words
    features      numbers from the pixels alone, in place of a CNN

Knows: how the four make a data set. Does not know: models.
"""

from dataclasses import dataclass

from PIL import Image

from mrnn_np.data.dataset import CaptionDataset
from mrnn_np.data.scenes.composition import Scene, compose
from mrnn_np.data.scenes.drawing import draw
from mrnn_np.data.scenes.sentences import LANGUAGES, describe
from mrnn_np.runtime.errors import InputError

SEED = 2015
SPLIT_SIZES = {"train": 2000, "dev": 300, "test": 300}
TOKENIZER = {"en": "english", "zh": "characters"}


@dataclass(frozen=True)
class SceneImages:
    """The pictures, each drawn when it is opened.

    Fields
    ------
    seed : every seed is another data set.
    total : number of pictures.
    """

    seed: int = SEED
    total: int = sum(SPLIT_SIZES.values())

    def names(self) -> list[str]:
        """Return ``scene0000``, ``scene0001`` ... in the order of their numbers."""
        return [f"scene{index:04d}" for index in range(self.total)]

    def __contains__(self, name: str) -> bool:
        digits = name.removeprefix("scene")
        return (
            digits.isdecimal()
            and int(digits) < self.total
            and name == f"scene{int(digits):04d}"
        )

    def scene(self, name: str) -> Scene:
        """Return what is in a picture (the truth behind its sentences)."""
        if name not in self:
            raise InputError(
                f"scenes holds no image {name!r} (scene0000 to scene{self.total - 1})"
            )
        return compose(self.seed, int(name.removeprefix("scene")))

    def open(self, name: str) -> Image.Image:
        """Draw the picture: RGB, 96 x 96 pixels."""
        return draw(self.scene(name))


def read(place: str) -> CaptionDataset:
    """Return the data set in the language `place`: ``""`` or ``"en"``, or ``"zh"``.

    Raises
    ------
    InputError : another language.
    """
    language = place or "en"
    if language not in LANGUAGES:
        raise InputError(
            f"scenes:{place}: write scenes (English) or scenes:zh (Chinese)"
        )
    images = SceneImages()
    names = images.names()
    splits, start = {}, 0
    for split, size in SPLIT_SIZES.items():
        splits[split] = names[start : start + size]
        start += size
    captions = {
        name: describe(images.scene(name), language, images.seed, index)
        for index, name in enumerate(names)
    }
    return CaptionDataset(
        name="scenes" if language == "en" else f"scenes:{language}",
        images=images,
        captions=captions,
        splits=splits,
        language=language,
        tokenizer=TOKENIZER[language],
    )
