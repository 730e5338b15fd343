"""Image files of every format that is read, damaged, or with absurd things in them.

Knows: how pictures are written. Does not know: how they are read.
"""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from fuzzing.limits import Target
from fuzzing.mutations import choose, damage, some
from mrnn_np.images import load_image

FORMS = (
    ("JPEG", "RGB", {}), ("JPEG", "L", {}), ("JPEG", "CMYK", {"quality": 30}),
    ("JPEG", "RGB", {"progressive": True}), ("PNG", "RGB", {}), ("PNG", "RGBA", {}),
    ("PNG", "P", {"transparency": 3}), ("PNG", "I;16", {}), ("PNG", "1", {}),
    ("GIF", "P", {}), ("GIF", "P", {"save_all": True}), ("BMP", "RGB", {}),
    ("BMP", "P", {}), ("TIFF", "RGB", {}), ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    ("TIFF", "RGB", {"compression": "jpeg"}), ("TIFF", "F", {}), ("TIFF", "I;16", {}),
    ("TIFF", "1", {"compression": "group4"}), ("TIFF", "CMYK",
    {"compression": "packbits"}),
    ("TIFF", "RGB", {"compression": "tiff_adobe_deflate"}), ("PPM", "RGB", {}),
    ("PPM", "L", {}), ("PPM", "1", {}), ("PPM", "I", {}), ("WEBP", "RGB", {}),
    ("WEBP", "RGBA", {"lossless": True}), ("WEBP", "RGB", {"save_all": True}),
)  # fmt: skip
SIDES = (0, 1, 2, 255, 8000, 12_000, 65_535, 65_536, 2**31 - 1, 2**31, 2**32 - 1)


def make(rng: np.random.Generator, folder: Path) -> Path:
    """Write a damaged picture; its name says another format than it has, sometimes."""
    kind = rng.random()
    if kind < 0.8:
        content = damage(rng, good(rng))
    else:
        content = choose(rng, CRAFTED)(rng)
    path = folder / f"picture.{choose(rng, ('jpg', 'png', 'tif', 'gif', 'webp', 'x'))}"
    path.write_bytes(content)
    return path


def good(rng: np.random.Generator) -> bytes:
    """Return a small picture of any format, some with an EXIF note."""
    form, mode, options = choose(rng, FORMS)
    size = (int(rng.integers(1, 40)), int(rng.integers(1, 40)))
    pixels = rng.integers(0, 256, (*size[::-1], 3)).astype(np.uint8)
    picture = Image.fromarray(pixels)
    if mode == "I;16":
        picture = Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 200)
    elif mode != "RGB":
        picture = picture.convert(mode)
    options = dict(options)
    if "save_all" in options:
        options["append_images"] = [picture.copy(), picture.rotate(90)]
    if form in ("JPEG", "PNG", "WEBP") and rng.random() < 0.3:
        exif = Image.Exif()
        exif[0x0112] = choose(rng, (1, 3, 6, 8, 99))
        exif[0x010E] = "a note"
        options["exif"] = exif
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


def png(rng: np.random.Generator) -> bytes:
    """Return a PNG of any declared size, or with text that unpacks to much."""

    def chunk(name: bytes, data: bytes) -> bytes:
        check = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)

    width, height = choose(rng, SIDES), choose(rng, SIDES)
    depth, colour = choose(rng, (1, 8, 16, 3)), choose(rng, (0, 2, 3, 4, 6, 7))
    header = struct.pack(
        ">IIBBBBB", width, height, depth, colour, 0, 0, choose(rng, (0, 1))
    )
    parts = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header)]
    if rng.random() < 0.3:
        packed = zlib.compress(bytes(30_000_000), 1)
        kind = choose(rng, (b"zTXt", b"iCCP"))
        parts += [chunk(kind, b"a\0\0" + packed)] * choose(rng, (1, 3))
    samples = {0: 1, 2: 3, 4: 2, 6: 4}.get(colour, 1)
    right = height * (1 + (width * depth * samples + 7) // 8)
    rows = zlib.compress(bytes(min(right, choose(rng, (10, 100_000, 30_000_000)))), 1)
    return b"".join([*parts, chunk(b"IDAT", rows), chunk(b"IEND", b"")])


def many_scans(rng: np.random.Generator) -> bytes:
    """Return a progressive JPEG that says the same thing over and over."""
    side = choose(rng, (16, 600, 1500))
    stream = io.BytesIO()
    Image.new("RGB", (side, side), "grey").save(stream, "JPEG", progressive=True)
    content = stream.getvalue()
    begin = content.index(b"\xff\xda")
    begin = content.index(b"\xff\xda", begin + 2)
    end = content.index(b"\xff", begin + 14)
    while content[end + 1] == 0:
        end = content.index(b"\xff", end + 2)
    scan = content[begin:end]
    return content[:end] + scan * int(rng.integers(100, 9000)) + content[end:]


def bitmap(rng: np.random.Generator) -> bytes:
    """Return a BMP or PPM of any declared size."""
    width, height = choose(rng, SIDES), choose(rng, SIDES)
    if rng.random() < 0.5:
        kind = choose(rng, (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"P7", b"Pf"))
        most = choose(rng, (b"1", b"255", b"65535", b"0", b"99999", b"9" * 5000))
        return kind + b"\n%d %d\n%s\n" % (width, height, most) + rng.bytes(100)
    bits, packing = choose(rng, (1, 4, 8, 16, 24, 32, 5)), choose(rng, (0, 1, 2, 3, 9))
    numbers = (width, height, 1, bits, packing, 0, 1, 1, choose(rng, SIDES), 0)
    info = struct.pack("<IIIHHIIIIII", 40, *numbers)
    return b"BM" + struct.pack("<IHHI", 200, 0, 0, 54) + info + rng.bytes(100)


def tiff(rng: np.random.Generator) -> bytes:
    """Return a TIFF with a directory of random, plausible entries."""
    tags = {
        256: 20,
        257: 20,
        258: 8,
        259: 1,
        262: 2,
        273: 8,
        277: 3,
        278: 20,
        279: 1200,
    }
    for _ in some(rng):
        tag = choose(rng, [*tags, 254, 266, 282, 284, 317, 320, 322, 323, 324, 330, 338,
                           339, 347, 530, 34665, 34675, 34853, 700])  # fmt: skip
        tags[tag] = choose(
            rng, (0, 1, 2, 3, 5, 7, 8, 16, 32, 34925, 65535, 2**31, 2**32 - 1)
        )
    entries = b""
    for tag in sorted(tags):
        kind = choose(rng, (4, 4, 4, 3, 1, 12, 2))
        count = choose(rng, (1, 1, 1, 1, 2, 3, 60_000, 2**32 - 1))
        entries += struct.pack("<HHII", tag, kind, count, tags[tag])
    body = rng.bytes(1200)
    directory = struct.pack("<H", len(tags)) + entries
    following = choose(rng, (0, 0, 8 + len(body)))  # a ring
    return (
        b"II*\0"
        + struct.pack("<I", 8 + len(body))
        + body
        + directory
        + struct.pack("<I", following)
    )


def large(rng: np.random.Generator) -> bytes:
    """Return a picture without fault, about as large as is allowed, in few bytes."""
    sizes = ((8000, 8000), (8001, 8000), (12_000, 12_000), (65_536, 8), (65_535, 900))
    picture = Image.new(choose(rng, ("1", "L", "RGB")), choose(rng, sizes))
    form, options = choose(rng, (("PNG", {"compress_level": 1}), ("TIFF", {}), ("GIF",
                                                                                {}),
                                 ("TIFF", {"compression": "tiff_lzw"})))  # fmt: skip
    if max(picture.size) > 65_535:  # more than a GIF can be wide
        form, options = "PNG", {}
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


CRAFTED = (png, png, many_scans, bitmap, bitmap, tiff, tiff, tiff, large)


def read(path: Path) -> None:
    """Load a picture; look at its pixels."""
    picture = load_image(path)
    assert picture.mode == "RGB" and picture.width * picture.height <= 64_000_000
    np.asarray(picture).max(initial=0)


TARGETS = (Target("picture", "picture", make, read, 8),)
