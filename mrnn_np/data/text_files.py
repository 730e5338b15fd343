"""The text files of data sets: found, decoded, cut into lines, names made safe.

Knows: folders, zips, encodings, line ends, lists of image names. Does not know: any
data set's format.
"""

import os
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.lines import COMMANDS_TO_A_TERMINAL
from mrnn_np.runtime.untrusted import read_bounded
from mrnn_np.runtime.untrusted_arrays import read_member

LINE_END = re.compile(r"\r\n|\n|\r")
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
LARGEST_FILE = 1 << 28  # bytes; dataset_coco.json, the largest known, has 144 MB
LONGEST_PART, LONGEST_NAME = 255, 1000  # bytes that file systems take


def need_folder(place: str, name: str, holds: str) -> Path:
    """Return the folder of a data set; InputError says what to write instead.

    Parameters
    ----------
    place : what stood after ``NAME:``.
    name : the NAME; holds : what lies in such a folder.
    """
    if not place or not os.path.isdir(place):  # Path.is_dir raises for overlong ones
        raise InputError(
            f"{place or name}: no such folder: write {name}:DIR, with DIR the folder "
            f"that holds {holds}"
        )
    return Path(place)


def find_file(
    folder: Path,
    file_name: str,
    subfolders: Sequence[str] = (),
    archive: str = "",
) -> tuple[str, bytes | None]:
    """Return (name for errors, contents) of a file, contents None where it is missing.

    Looked for in the subfolders, in the folder itself, and in the zip `archive` of
    the folder, at whatever depth.

    Raises
    ------
    InputError : the file or the zip is there but cannot be read.
    """
    for path in (*(folder / sub / file_name for sub in subfolders), folder / file_name):
        if is_there(path):
            return str(path), read_bytes(path)
    archive_path = folder / archive
    if not archive or not os.path.isfile(archive_path):
        return file_name, None
    label = f"{archive_path}: {file_name}"
    try:
        with zipfile.ZipFile(archive_path) as opened:
            for member in opened.infolist():
                inner = PurePosixPath(member.filename)
                if inner.name == file_name and "__MACOSX" not in inner.parts:
                    return label, read_member(opened, member, LARGEST_FILE, label)
    except InputError:
        raise
    except Exception as error:  # a broken list of contents, of half a dozen kinds
        raise InputError(f"{archive_path}: not a readable zip: {error}") from error
    return label, None


def is_there(path: Path) -> bool:
    """Whether something to be read is there, or what only looks so (`read_bytes`).

    A folder is none: some programs unpack ``a.json`` into a folder of that name.
    """
    return os.path.exists(path) and not os.path.isdir(path)


def read_bytes(path: Path, limit: int = LARGEST_FILE) -> bytes:
    """Return the contents of a file.

    Raises
    ------
    InputError : a pipe, a device, larger than `limit` bytes, or not readable.
    """
    return read_bounded(path, limit, "a file of a data set")


def decode(label: str, content: bytes) -> str:
    """Return the text of a file in UTF-8, or in UTF-16 with its byte order mark.

    Spreadsheets write UTF-16 when they are asked for "Unicode text".

    Raises
    ------
    InputError : any other encoding; it names the line.
    """
    encoding = "utf-16" if content[:2] in UTF16_MARKS else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{label}:{number}: not UTF-8 text: save the file as UTF-8"
        ) from None
    if "\0" in text:
        number = text.count("\n", 0, text.index("\0")) + 1
        raise InputError(f"{label}:{number}: not a text file: save the file as UTF-8")
    return text


def lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield (number from 1, line) for the lines that are not blank, any line ends."""
    begin, number = 0, 1
    while begin < len(text):  # one by one: a list of empty lines takes 8 times the text
        end = LINE_END.search(text, begin)
        line = text[begin : end.start() if end else None]
        if line.strip():
            yield number, line
        begin, number = end.end() if end else len(text), number + 1


def safe_name(name: str, where: str) -> str:
    """Return a picture's name as it stands in a file, once it is harmless.

    It names a file below the folder of the pictures: folders are parted by ``/``, and
    no way leads out (no ``..``, no absolute path, no drive, no backslash).

    Parameters
    ----------
    where : file and line, for the error.

    Raises
    ------
    InputError : the name is empty, too long, leads out, or holds what commands a
            terminal.
    """
    parts = name.split("/")
    if (
        "\\" in name
        or COMMANDS_TO_A_TERMINAL.search(name)
        or name[1:2] == ":"
        or any(part.strip() in ("", ".", "..") for part in parts)
        or any(len(part.encode()) > LONGEST_PART for part in parts)
        or len(name.encode()) > LONGEST_NAME
    ):
        raise InputError(f"{where}: {name[:60]!r} cannot be the name of a picture")
    return name


def clean_caption(text: str) -> str:
    """Return a caption on one line, ``""`` where it has neither letter nor digit."""
    caption = " ".join(text.split())
    return caption if any(sign.isalnum() for sign in caption) else ""


def read_list(
    label: str, text: str, captions: Mapping, caption_file: str, suffix: str = ""
) -> list[str]:
    """Return the image names of one split, a name a line.

    Parameters
    ----------
    captions : image name -> captions; lists and captions come together, so a name
        without captions means a damaged or mixed copy.
    caption_file : where the captions came from, for errors.
    suffix : added to names that lack it (``".jpg"``).

    Raises
    ------
    InputError : a name without captions, a name twice, no name at all.
    """
    names: dict[str, None] = {}
    for number, line in lines(text):
        name = line.strip()
        if not name.endswith(suffix):
            name += suffix
        if name not in captions:
            raise InputError(f"{label}:{number}: no caption in {caption_file} for "
                             f"{name[:60]!r}")  # fmt: skip
        if name in names:
            raise InputError(f"{label}:{number}: {name[:60]} is listed twice")
        names[name] = None
    if not names:
        raise InputError(f"{label}: no image in it")
    return list(names)
