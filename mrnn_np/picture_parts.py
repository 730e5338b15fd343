"""What the file of a picture declares, looked at before a decoder works on it.

The size in pixels is not all that decides what a picture costs. A progressive JPEG is
drawn in passes over the whole picture: 8,000 of them fit into 0.9 MB and take 36 s. The
directory of a TIFF, and an EXIF note, which has the same form, list values by length
and place; 5,000 entries may all name the same 60 kB. Notes that Python reads one by one
cost more than their bytes. So each format is walked through from part to part, nothing
is unpacked, and what no encoder writes is refused.

Knows: how each format is put together. Does not know: pixels, what notes say, and
damage, which is left to the decoder.
"""

import re
import struct
from collections.abc import Iterator

from mrnn_np.runtime.errors import InputError

# libjpeg writes 10 scans, the optimisers for the web about as many; libtiff, for the
# JPEG inside of a TIFF, believes no more than 100 either. Over 64 million pixels they
# take 2 s.
MOST_SCANS = 100
# Segments or chunks beside the pixels. Profiles and notes of phones, which JPEG cuts
# into pieces of 64 kB, have up to 400.
MOST_NOTES = 1000
MOST_EXIF = 16  # segments of one JPEG that hold EXIF: one is right, each is appended
MOST_CHUNKS = 100_000  # of pixels in a PNG, blocks of notes in a GIF, of 255 bytes each
MOST_TAGS = 65_535  # of a directory, all that a plain TIFF can count
MOST_NUMBERS = 500_000  # in a directory: a TIFF of 65,535 lines in 3 planes has 400,000
TAG_BYTES = 32 << 20  # of a directory, however often the same ones are named
MOST_PIXELS = 64_000_000  # of a picture or a tile: 192 MB as RGB, above any camera
MOST_RUN_LENGTH = 8_000_000  # pixels of a packed BMP, which Pillow unpacks in Python
LONGEST_HEADER = 1 << 16  # bytes of a PPM with its comments, read one by one in Python

# A marker with something behind it: not a stuffed zero, not one that restarts decoding.
MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)
START_OF_IMAGE, TEMPORARY, END_OF_IMAGE, START_OF_SCAN = 0xD8, 0x01, 0xD9, 0xDA
COMMENT = re.compile(rb"#[^\r\n]*")
PREFIX = re.compile(rb"\A(?:Exif\0\0){1,2}")
PIXELS = (b"IDAT", b"fdAT", b"fcTL")  # chunks of a PNG; the last two of animated ones
# Bytes of an element, by the number of its type in a directory.
TYPE_BYTES = {
    1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4,
    16: 8, 17: 8, 18: 8,
}  # fmt: skip
AS_BYTES = (1, 2, 7)  # types whose values stay bytes; Python makes numbers of others
TILE_WIDTH, TILE_LENGTH = 322, 323


def check_parts(content: bytes, name: str) -> None:
    """Look through the file of a picture; other files are let pass.

    Raises
    ------
    InputError : more scans, notes, chunks or tags, or a larger canvas or tile, than any
        picture has. The error begins with `name`.
    """
    for signature, check in CHECKS.items():
        if content.startswith(signature):
            try:
                check(content)
            except InputError as error:
                raise InputError(f"{name}: {error}") from None
            except (struct.error, IndexError):
                return  # it ends within a part; the decoder says so


def at_most(number: int, most: int, what: str) -> None:
    """Raise InputError where there are more of something than any picture has."""
    if number > most:
        raise InputError(f"more than {most} {what}, which no photograph has")


def check_jpeg(content: bytes) -> None:
    """Count scans and segments, and look at the notes that have directories."""
    scans, exif = 0, []
    for count, (marker, data) in enumerate(segments(content), start=1):
        if marker == START_OF_SCAN:
            scans += 1
            at_most(scans, MOST_SCANS, "scans")
        elif data[:6] == b"Exif\0\0":
            exif.append(data[6:])
            at_most(len(exif), MOST_EXIF, "segments of EXIF")
        elif data[:4] == b"MPF\0":
            check_directory(data[4:])
        at_most(count, MOST_NOTES, "segments")
    if exif:
        check_exif(b"".join(exif))


def segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (marker, data) of a JPEG's segments up to its end."""
    at = 0
    while found := MARKER.search(content, at):
        marker, at = found[1][0], found.end()
        if marker == END_OF_IMAGE:
            return
        if marker not in (START_OF_IMAGE, TEMPORARY):
            (length,) = struct.unpack_from(">H", content, at)
            yield marker, content[at + 2 : at + length]
            at += max(length, 2)


def check_png(content: bytes) -> None:
    """Count the chunks of pixels and those of notes."""
    at, pixels, notes = 8, 0, 0
    while at + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        pixels += kind in PIXELS
        notes += kind not in PIXELS
        at_most(pixels, MOST_CHUNKS, "chunks")
        at_most(notes, MOST_NOTES, "chunks beside the pixels")
        if kind == b"IEND":
            return
        at += 12 + length


def check_gif(content: bytes) -> None:
    """Count the blocks before the first picture."""
    flags = content[10]
    at = 13 + (3 << (flags & 7) + 1) * (flags >> 7)
    blocks = 0
    while content[at] != ord(","):
        blocks += 1
        at += 1
        if content[at - 1] == ord("!"):
            at += 1
            while length := content[at]:
                at += 1 + length
                blocks += 1
                at_most(blocks, MOST_CHUNKS, "blocks of notes")
            at += 1
        at_most(blocks, MOST_CHUNKS, "blocks of notes")


def check_webp(content: bytes) -> None:
    """Look at the canvas, for which memory is taken when the file is opened."""
    if content[8:12] != b"WEBP":
        return
    kind, width, height = content[12:16], 0, 0
    if kind == b"VP8X":
        width = 1 + int.from_bytes(content[24:27], "little")
        height = 1 + int.from_bytes(content[27:30], "little")
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 21)
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"VP8 ":
        width, height = (
            side & 0x3FFF for side in struct.unpack_from("<HH", content, 26)
        )
    at_most(width * height, MOST_PIXELS, "pixels")


def check_bmp(content: bytes) -> None:
    """Look at the size of one that is packed by run lengths, as drawings are.

    5 kB can hold 64 million pixels, and take 7 s.
    """
    width, height, _, _, packing = struct.unpack_from("<iiHHI", content, 18)
    if packing in (1, 2):
        at_most(abs(width * height), MOST_RUN_LENGTH, "pixels in run lengths")


def check_ppm(content: bytes) -> None:
    """Look for the end of the header: kind, width, height, and the largest value."""
    words = COMMENT.sub(b" ", content[:LONGEST_HEADER]).split(None, 4)
    if len(content) > LONGEST_HEADER and len(words) < 4:
        raise InputError(f"a header of more than {LONGEST_HEADER} bytes")


def check_exif(note: bytes) -> None:
    """Look at an EXIF note, with or without the words in front that JPEG gives it."""
    check_directory(PREFIX.sub(b"", note))


def check_directory(content: bytes) -> None:
    """Look at the first directory of a TIFF, or of a note of that form.

    Its entries are (tag, type, number of values, their place or the value itself), with
    counts of 32 bits, or of 64 in a BigTIFF.
    """
    order = "<" if content[:2] == b"II" else ">"
    layouts = [("I", 4, "H", "HHI4s")]
    if 43 in content[2:4]:
        layouts.append(("Q", 8, "Q", "HHQ8s"))
    for place, at, number, entry in layouts:
        try:
            (begin,) = struct.unpack_from(order + place, content, at)
            (entries,) = struct.unpack_from(order + number, content, begin)
            begin += struct.calcsize(order + number)
            _check_entries(content, order, entry, begin, entries)
        except (struct.error, OverflowError):  # it lies behind the end
            continue


def _check_entries(
    content: bytes, order: str, entry: str, begin: int, entries: int
) -> None:
    """Add up what the entries of a directory ask for."""
    named = numbers = 0
    tile = {TILE_WIDTH: 0, TILE_LENGTH: 0}
    width = struct.calcsize(order + entry)
    for index in range(entries):
        at_most(index + 1, MOST_TAGS, "tags")
        found = struct.unpack_from(order + entry, content, begin + index * width)
        tag, kind, count, value = found
        # Of what reaches beyond the end no more is read than there is.
        size = min(count * TYPE_BYTES.get(kind, 0), len(content))
        named += size
        if kind not in AS_BYTES:
            numbers += size // TYPE_BYTES.get(kind, 1)
        at_most(named, max(TAG_BYTES, 4 * len(content)), "bytes of tags")
        at_most(numbers, MOST_NUMBERS, "numbers in tags")
        if tag in tile:
            length = TYPE_BYTES.get(kind, 0)
            value = value[:length] if order == "<" else value[:length][::-1]
            tile[tag] = int.from_bytes(value, "little")
    at_most(tile[TILE_WIDTH] * tile[TILE_LENGTH], MOST_PIXELS, "pixels in a tile")


CHECKS = {
    b"\xff\xd8\xff": check_jpeg,
    b"\x89PNG\r\n\x1a\n": check_png,
    b"GIF8": check_gif,
    b"RIFF": check_webp,
    b"BM": check_bmp,
    b"P": check_ppm,
    b"II": check_directory,
    b"MM": check_directory,
}
