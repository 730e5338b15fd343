"""A scene in words: five sentences in English or in Chinese.

Each language has templates for the four things a scene can show, and a function that
gives the words to fill in. Five different templates are drawn by lot for a scene, and
whether a size is mentioned is left to chance, so five sentences about one picture
differ much as five people's do.

Words to fill in: ``{A}`` and ``{a}`` name a group, ``A`` always with its size and ``a``
sometimes; ``{A2}`` and ``{a2}`` name the second group; the others speak for themselves.

Knows: what is in a scene. Does not know: pixels.
"""

import numpy as np

from mrnn_np.data.scenes.composition import Group, Scene

SENTENCES_PER_IMAGE = 5

ENGLISH = {
    "one": (
        "{A} {where}",
        "there is {a} {where}",
        "{a} on a {background} background",
        "{a} {where} of a {background} picture",
        "the picture shows {A}",
        "the {shape} {where} is {colour}",
        "{A} and nothing else",
    ),
    "line": (
        "{A} {where}",
        "there are {a} on a {background} background",
        "the picture shows {A}",
        "{a} {where} on a {background} background",
        "all of the {shape} are {colour}",
        "there are {count} {shape} and they are {colour}",
    ),
    "beside": (
        "{A} {is1} {relation} {A2}",
        "{A2} {is2} {reverse} {A}",
        "{a} {relation} {a2}",
        "{a} and {a2} on a {background} background",
        "{a} {here} and {a2} {there}",
        "the {shape} {here} {is1} {colour} and the {shape2} {there} {is2} {colour2}",
    ),
    "inside": (
        "{A} inside {A2}",
        "{A2} with {A} in it",
        "there is {a} in {a2} on a {background} background",
        "{a} is surrounded by {a2}",
        "the {shape} is {colour} and the {shape2} around it is {colour2}",
        "{a2} has {a} inside",
    ),
}
ENGLISH_WHERE = {
    **{
        corner: f"in the {corner} corner"
        for corner in ("top left", "top right", "bottom left", "bottom right")
    },
    "top": "at the top", "bottom": "at the bottom", "left": "on the left",
    "right": "on the right", "centre": "in the centre",
    "row": "in a row", "column": "in a column",
}  # fmt: skip
ENGLISH_RELATION = {
    "left": ("to the left of", "to the right of", "on the left", "on the right"),
    "above": ("above", "below", "at the top", "at the bottom"),
}

CHINESE = {
    "one": (
        "{A}在{where}。",
        "图中{where}有{a}。",
        "{background}背景上有{a}。",
        "{background}背景的{where}有{a}。",
        "{where}的{shape}是{colour}的。",
        "这张图里有{A}。",
        "图中只有{A}。",
    ),
    "line": (
        "{A}{where}。",
        "{background}背景上有{a}。",
        "这张图里有{A}。",
        "{background}背景上的{a}{where}。",
        "这些{shape}都是{colour}的。",
        "图中有{count}个{shape}，都是{colour}的。",
    ),
    "beside": (
        "{A}在{A2}的{here}。",
        "{A2}在{A}的{there}。",
        "{here}是{a}，{there}是{a2}。",
        "{background}背景上有{a}和{a2}。",
        "{here}的{shape}是{colour}的，{there}的{shape2}是{colour2}的。",
        "{a}的{there}有{a2}。",
    ),
    "inside": (
        "{A}在{A2}里面。",
        "{A2}里面有{A}。",
        "{background}背景上有{a2}，里面有{a}。",
        "{a2}包围着{a}。",
        "里面的{shape}是{colour}的，外面的{shape2}是{colour2}的。",
        "{a}被{a2}包围着。",
    ),
}
CHINESE_WORDS = {
    "red": "红色", "orange": "橙色", "yellow": "黄色", "green": "绿色", "blue": "蓝色",
    "purple": "紫色", "pink": "粉色", "brown": "棕色",
    "white": "白色", "grey": "灰色", "black": "黑色", "beige": "米色",
    "circle": "圆形", "square": "正方形", "triangle": "三角形", "star": "星星",
    "heart": "爱心", "cross": "十字", "small": "小", "large": "大",
    "top left": "左上角", "top": "上方", "top right": "右上角", "left": "左边",
    "centre": "中间", "right": "右边", "bottom left": "左下角", "bottom": "下方",
    "bottom right": "右下角", "row": "排成一行", "column": "排成一列",
}  # fmt: skip
CHINESE_RELATION = {"left": ("左边", "右边"), "above": ("上方", "下方")}


def describe(scene: Scene, language: str, seed: int, index: int) -> list[str]:
    """Return the five sentences of scene `index` in a language ("en" or "zh").

    Parameters
    ----------
    scene : what the sentences are about.
    seed, index : the scene's; they also decide which words are chosen.
    """
    rng = np.random.default_rng([seed, index, 1])
    templates, words = LANGUAGES[language]
    sentences = []
    chosen = templates[kind(scene)]
    for i in rng.permutation(len(chosen))[:SENTENCES_PER_IMAGE]:
        sizes = tuple(rng.random(2) < 0.5)
        sentences.append(finish(chosen[i].format(**words(scene, sizes))))
    return sentences


def kind(scene: Scene) -> str:
    """Return which templates fit: "one", "line", "beside" or "inside"."""
    if len(scene.groups) == 2:
        return "inside" if scene.relation == "inside" else "beside"
    return "one" if len(scene.groups[0].centres) == 1 else "line"


def finish(sentence: str) -> str:
    """Give an English sentence its capital letter and full stop."""
    if sentence.endswith("。"):
        return sentence
    return sentence[0].upper() + sentence[1:] + "."


def english_words(scene: Scene, sizes: tuple[bool, bool]) -> dict[str, str]:
    """Return the English words to fill in; `sizes` says which groups get theirs."""
    first, second = scene.groups[0], scene.groups[-1]
    relation, reverse, here, there = ENGLISH_RELATION.get(scene.relation, [""] * 4)
    return {
        "A": english_group(first, True),
        "a": english_group(first, sizes[0]),
        "A2": english_group(second, True),
        "a2": english_group(second, sizes[1]),
        "count": english_count(first),
        "shape": english_shape(first),
        "shape2": english_shape(second),
        "colour": first.colour,
        "colour2": second.colour,
        "is1": "is" if len(first.centres) == 1 else "are",
        "is2": "is" if len(second.centres) == 1 else "are",
        "background": scene.background,
        "where": ENGLISH_WHERE.get(scene.relation, ""),
        "relation": relation,
        "reverse": reverse,
        "here": here,
        "there": there,
    }


def english_group(group: Group, with_size: bool) -> str:
    """Return "a small red star", "an orange circle", "two blue crosses"."""
    words = f"{group.colour} {english_shape(group)}"
    if with_size:
        words = f"{group.size} {words}"
    count = english_count(group)
    if count == "a" and words[0] in "aeiou":
        count = "an"
    return f"{count} {words}"


def english_count(group: Group) -> str:
    """Return the article or the number."""
    return ("a", "two", "three")[len(group.centres) - 1]


def english_shape(group: Group) -> str:
    """Return the shape in singular or plural."""
    if len(group.centres) == 1:
        return group.shape
    return group.shape + ("es" if group.shape.endswith("s") else "s")


def chinese_words(scene: Scene, sizes: tuple[bool, bool]) -> dict[str, str]:
    """Return the Chinese words to fill in; `sizes` says which groups get theirs."""
    first, second = scene.groups[0], scene.groups[-1]
    here, there = CHINESE_RELATION.get(scene.relation, ("", ""))
    return {
        "A": chinese_group(first, True),
        "a": chinese_group(first, sizes[0]),
        "A2": chinese_group(second, True),
        "a2": chinese_group(second, sizes[1]),
        "count": chinese_count(first),
        "shape": CHINESE_WORDS[first.shape],
        "shape2": CHINESE_WORDS[second.shape],
        "colour": CHINESE_WORDS[first.colour],
        "colour2": CHINESE_WORDS[second.colour],
        "background": CHINESE_WORDS[scene.background],
        "where": CHINESE_WORDS.get(scene.relation, ""),
        "here": here,
        "there": there,
    }


def chinese_group(group: Group, with_size: bool) -> str:
    """Return 一个红色的小星星, 两个蓝色的十字."""
    size = CHINESE_WORDS[group.size] if with_size else ""
    colour, shape = CHINESE_WORDS[group.colour], CHINESE_WORDS[group.shape]
    return f"{chinese_count(group)}个{colour}的{size}{shape}"


def chinese_count(group: Group) -> str:
    """Return the number as it stands before a measure word."""
    return "一两三"[len(group.centres) - 1]


LANGUAGES = {"en": (ENGLISH, english_words), "zh": (CHINESE, chinese_words)}
