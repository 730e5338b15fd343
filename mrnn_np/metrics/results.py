"""Results files in the form of the COCO caption challenge.

    [{"image_id": 391895, "caption": "a man rides a motorcycle"}, ...]

one caption an image. The id is a number in MS COCO and a file name elsewhere;
`read_results` gives it back as it stands, `match` finds the data set's image for it.

Knows: this form and its mistakes. Does not know: data sets, scores.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.outputs import Output, write_json
from mrnn_np.runtime.untrusted import parse_json, read_bounded, shown

LARGEST_FILE = 64 << 20  # bytes; one of the 40,775 images of COCO's test list has 3 MB
# Characters. The longest that people wrote for Flickr8k has 199; the longest common
# subsequence of two such captions takes their product.
LONGEST_CAPTION = 10_000
FORM = '[{"image_id": ID, "caption": "..."}, ...]'
# A first entry of these two keys, laid out as `write_results` does.
BEGINNING = rb'\[\n \{\n  "image_id": [^\n]+,\n  "caption": "[^\n]*"\n \}(,|\n\])'


def write_results(path: str | Path, captions: Mapping[int | str, str]) -> None:
    """Write image id -> caption; the file appears whole or not at all."""
    entries = [{"image_id": image, "caption": text} for image, text in captions.items()]
    write_json(path, entries)


def results_output(path: str | Path | None, option: str) -> Output:
    """Describe a file of `write_results` that a command will write."""
    return Output(path, option, "a file of captions of mrnn_np", BEGINNING)


def read_results(path: str | Path) -> dict[int | str, str]:
    """Read image id -> caption, in the order of the file. A caption may be empty.

    Raises
    ------
    InputError : no such file, not JSON, another form, an image twice, no caption at
        all. The line names the file and the entry or the image.
    """
    content = read_bounded(path, LARGEST_FILE, "a results file")
    try:
        entries = parse_json(content, str(path), LARGEST_FILE)
    except InputError as error:
        raise InputError(f"{error}, expected {FORM}") from None
    if not isinstance(entries, list):
        raise InputError(
            f"{path}: a JSON {type(entries).__name__}, expected a list {FORM} "
            "(`evaluate --json OUT.json` writes one to OUT.captions.json)"
        )
    captions: dict[int | str, str] = {}
    for number, entry in enumerate(entries, start=1):
        image, text = check_entry(f"{path}: entry {number}", entry)
        if image in captions:
            raise InputError(
                f"{path}: two captions for image {image!r} (the second is entry "
                f"{number}), expected exactly one"
            )
        captions[image] = text
    if not captions:
        raise InputError(f"{path}: no caption in it")
    return captions


def check_entry(place: str, entry: object) -> tuple[int | str, str]:
    """Return image id and caption of one entry, or say what is wrong with it."""
    if not isinstance(entry, dict):
        raise InputError(f"{place} is a {type(entry).__name__}, expected {FORM[1:-6]}")
    for key in ("image_id", "caption"):
        if key not in entry:
            raise InputError(f"{place} has no {key!r}, expected {FORM[1:-6]}")
    image, text = entry["image_id"], entry["caption"]
    if isinstance(image, bool) or not isinstance(image, int | str):
        raise InputError(
            f"{place}: image_id {shown(image)} is neither a number nor text"
        )
    if not isinstance(text, str):
        raise InputError(
            f"{place} (image {shown(image)}): the caption {shown(text)} is not text"
        )
    if len(text) > LONGEST_CAPTION:
        raise InputError(
            f"{place} (image {shown(image)}): a caption of {len(text)} characters, at "
            f"most {LONGEST_CAPTION}"
        )
    return image, text


def match(
    path: str | Path,
    captions: Mapping[int | str, str],
    names: Sequence[str],
    numbers: Mapping[str, int] | None,
    where: str,
) -> dict[str, str]:
    """Return image name -> caption, in the order of `names`.

    An id may be the name, or the number that the data set has for it (as a number or
    as text). Images without a caption are simply not in what is returned.

    Parameters
    ----------
    path : the file, for errors. captions : from `read_results`.
    names : the images that may occur; where : what they are, for errors.
    numbers : name -> number, see `CaptionDataset.ids`; None if there are none.

    Raises
    ------
    InputError : an id that is not among them, two ids that mean the same image.
    """
    known = {str(numbers[name]): name for name in names} if numbers else {}
    known |= {name: name for name in names}
    found: dict[str, str] = {}
    for image, text in captions.items():
        name = known.get(str(image))
        if name is None:
            raise InputError(f"{path}: unknown image {image!r}: it is not in {where}")
        if name in found:
            raise InputError(f"{path}: two captions for image {image!r} ({name})")
        found[name] = text
    return {name: found[name] for name in names if name in found}
