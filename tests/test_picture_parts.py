"""What costs more than its bytes is refused; what encoders write is not."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from mrnn_np.images import load_image
from mrnn_np.picture_parts import check_parts, segments
from mrnn_np.runtime.errors import InputError

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
PICTURE = Image.fromarray(PIXELS)


def encoded(form, picture=PICTURE, **options):
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


def refused(content, part):
    with pytest.raises(InputError, match=rf"^a picture: {part}"):
        check_parts(content, "a picture")
    with pytest.raises(InputError, match=part):
        load_image(content)


def directory(*entries, data=b""):
    """Return a TIFF of one directory, behind 8 bytes and the data."""
    head = b"II*\0" + struct.pack("<I", 8 + len(data)) + data
    tags = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return head + struct.pack("<H", len(entries)) + tags + bytes(4)


def chunk(kind, data):
    """Return a chunk of a PNG."""
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


def with_segments(content, *segments):
    """Return a JPEG with segments (marker, data) put behind its beginning."""
    put = b"".join(
        b"\xff%c" % marker + struct.pack(">H", len(data) + 2) + data
        for marker, data in segments
    )
    return content[:2] + put + content[2:]


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("GIF", {}),
        ("JPEG", {"exif": b"Exif\0\0" + directory((0x0112, 3, 1, 6))}),
        ("JPEG", {"icc_profile": bytes(9_000_000), "comment": b"hello"}),
        ("PNG", {"icc_profile": bytes(900_000)}), ("GIF", {"comment": b"x" * 90_000}),
        ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("BMP", {}), ("PPM", {}),
        ("TIFF", {"big_tiff": True}), ("WEBP", {}), ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": directory((0x0112, 3, 1, 6)), "quality": 50}),
    ],
)  # fmt: skip
def test_what_encoders_write_is_read(form, options):
    content = encoded(form, **options)
    check_parts(content, "a picture")
    assert load_image(content).size in ((60, 40), (40, 60))
    for cut in range(0, min(len(content), 2000), 7):
        check_parts(content[:cut], "cut short: left to the decoder")


@pytest.mark.parametrize(("scans", "fine"), [(90, True), (91, False), (8000, False)])
def test_scans_of_a_progressive_jpeg(scans, fine):
    content = encoded("JPEG", Image.new("RGB", (60, 40)), progressive=True)
    first = content.index(b"\xff\xda", content.index(b"\xff\xda") + 2)
    behind = content.index(b"\xff", first + 14)
    content = content[:behind] + content[first:behind] * scans + content[behind:]
    if fine:
        assert load_image(content).size == (60, 40)
    else:
        refused(content, "more than 100 scans")


def test_scans_of_a_thumbnail_and_behind_the_end_are_not_counted():
    looks_like_scans = b"\xff\xda" * 500
    content = with_segments(encoded("JPEG"), (0xEB, looks_like_scans))
    content += looks_like_scans
    assert np.array_equal(load_image(content), load_image(encoded("JPEG")))
    markers = [marker for marker, _ in segments(content)]
    assert markers.count(0xDA) == 1 and 0xEB in markers


def test_segments_that_python_reads_one_by_one():
    comments = [(0xFE, b"")] * 900
    assert load_image(with_segments(encoded("JPEG"), *comments)).size == (60, 40)
    refused(with_segments(encoded("JPEG"), *comments, *comments), "more than 1000 seg")
    note = (0xE1, b"Exif\0\0" + bytes(100))
    refused(with_segments(encoded("JPEG"), *[note] * 17), "more than 16 segments of EX")


OVERLAPPING = directory(
    *[(tag, 7, 60_000, 8) for tag in range(1, 1001)], data=bytes(60_000)
)


def test_notes_whose_entries_name_the_same_bytes():
    part = "more than 33554432 bytes of tags"
    few = directory(*[(tag, 7, 50_000, 8) for tag in range(1, 400)], data=bytes(50_000))
    assert load_image(encoded("JPEG", exif=b"Exif\0\0" + few)).size == (60, 40)
    note = directory(*[(t, 7, 60_000, 8) for t in range(1, 1001)], data=bytes(50_000))
    for words in (b"Exif\0\0", b"Exif\0\0Exif\0\0"):
        refused(with_segments(encoded("JPEG"), (0xE1, words + note)), part)
    pieces = [(0xE1, b"Exif\0\0" + OVERLAPPING[at : at + 30_000])
              for at in range(0, len(OVERLAPPING), 30_000)]  # fmt: skip
    refused(with_segments(encoded("JPEG"), *pieces), part)
    refused(with_segments(encoded("JPEG"), (0xE2, b"MPF\0" + note)), part)
    refused(OVERLAPPING, part)
    big_endian = b"MM\0*" + struct.pack(">I", 60_008) + bytes(60_000)
    big_endian += struct.pack(">H", 1000)
    big_endian += b"".join(struct.pack(">HHII", t, 7, 60_000, 8) for t in range(1000))
    refused(big_endian, part)


def test_a_note_in_a_png_is_looked_at_before_it_is_read():
    """As text, packed, it has 0.1 % of its length; the picture is read without it."""
    note = b"\nexif\n  1\n" + OVERLAPPING.hex().encode()
    text = chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(note))
    for part in (text, chunk(b"eXIf", OVERLAPPING)):
        content = encoded("PNG")
        content = content[:33] + part + content[33:]
        assert np.array_equal(load_image(content), PIXELS)
    turned = b"\nexif\n  1\n" + directory((0x0112, 3, 1, 6)).hex().encode()
    text = chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(turned))
    content = encoded("PNG")
    assert load_image(content[:33] + text + content[33:]).size == (40, 60)


def test_chunks_of_a_png():
    content = encoded("PNG")
    head, rest = content[:33], content[33:]
    assert load_image(head + chunk(b"aaAa", b"") * 900 + rest).size == (60, 40)
    refused(head + chunk(b"aaAa", b"") * 1001 + rest, "more than 1000 chunks beside")
    refused(head + chunk(b"IDAT", b"") * 100_001 + rest, "more than 100000 chunks")
    # Behind the end lies what nobody reads.
    assert load_image(content + chunk(b"aaAa", b"") * 1001).size == (60, 40)


@pytest.mark.parametrize("kind", ["blocks of a comment", "comments", "nothing"])
def test_blocks_of_a_gif(kind):
    block = {
        "blocks of a comment": b"!\xfe" + b"\1a" * 100_001 + b"\0",
        "comments": b"!\xfe\0" * 100_001,
        "nothing": b"\0" * 100_001,
    }[kind]
    content = encoded("GIF")
    start = 13 + (3 << (content[10] & 7) + 1)
    assert content[start : start + 1] in b"!,"
    refused(content[:start] + block + content[start:], "more than 100000 blocks")


@pytest.mark.parametrize(
    ("size", "body"),
    [
        ("VP8X", b"\0\0\0\0" + b"\xff\xff\0" * 2),
        ("VP8L", b"\x2f" + struct.pack("<I", 0x0FFFFFFF)),
        ("VP8 ", b"\0\0\0\x9d\x01\x2a" + b"\xff\x3f" * 2),
    ],
)
def test_the_canvas_of_a_webp(size, body):
    chunks = size.encode() + struct.pack("<I", len(body)) + body + bytes(80)
    refused(b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks,
            "more than 64000000 pixels")  # fmt: skip


def test_directories_of_a_tiff():
    offsets = [(273, 4, 600_000, 8), (279, 4, 600_000, 8)]
    refused(directory(*offsets, data=bytes(2_400_000)), "more than 500000 numbers")
    tile = [(322, 4, 1, 30_000), (323, 3, 1, 30_000)]
    refused(directory(*tile), "more than 64000000 pixels in a tile")
    number = struct.pack("<Q", 70_000)
    entries = b"".join(struct.pack("<HHQ", *tag) + number for tag in
                       ((1, 7, 8), (2, 7, 8)) * 40_000)  # fmt: skip
    big = b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 80_000) + entries
    refused(big, "more than 65535 tags")
    check_parts(b"II+\0\x08\0\0\0" + b"\xff" * 8, "far behind its end")


def test_run_lengths_and_headers_that_python_reads():
    head = struct.pack("<IiiHHI", 40, 65_535, 976, 1, 8, 1) + bytes(20)
    content = b"BM" + struct.pack("<IHHI", 1400, 0, 0, 1078) + head + bytes(1400)
    refused(content, "more than 8000000 pixels in run lengths")
    for comment in (b"#" + b"x" * 70_000 + b"\n", b"#\n" * 35_000, b" " * 70_000):
        refused(b"P6\n" + comment + b"8 8\n255\n" + bytes(192), "a header of more than")
    assert load_image(b"P6 # a\n#b\n 8 8\n255\n" + bytes(192)).size == (8, 8)
    assert load_image(b"P4\n1000 1000\n" + bytes(125_000)).size == (1000, 1000)
