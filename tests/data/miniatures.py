"""Small pictures and files for the tests of the readers, all drawn or written here."""

import json
import zipfile

from PIL import Image

COLOURS = ("red", "green", "blue", "yellow", "black", "white", "grey", "orange")


def draw(folder, *names):
    """Draw a picture of 8 x 6 pixels for each name, which may lead through folders."""
    for index, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 6), COLOURS[index % len(COLOURS)]).save(path)


def write(folder, name, text, encoding="utf-8"):
    """Write a text file just as given (no line end is touched)."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


def write_json(folder, name, data):
    return write(folder, name, json.dumps(data))


def zip_folder(folder, path):
    """Pack a folder, itself included, as the distributions do."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*"):
            archive.write(file, file.relative_to(folder.parent))
