"""Every kind of picture comes out as upright RGB; every broken one as one line."""

import io
import os
import pickle
import struct
import subprocess
import sys
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from mrnn_np import images
from mrnn_np.images import ImageFolder, ImageZip, NoImages, load_image
from mrnn_np.runtime.errors import InputError

# Left half red, right half blue, 16 x 8.
TWO_HALVES = np.zeros((8, 16, 3), np.uint8)
TWO_HALVES[:, :8, 0] = TWO_HALVES[:, 8:, 2] = 255


def encoded(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def pixels(source):
    image = load_image(source)
    assert image.mode == "RGB"
    return np.asarray(image)


def test_path_bytes_and_stream_agree(tmp_path):
    content = encoded(Image.fromarray(TWO_HALVES))
    (tmp_path / "a.png").write_bytes(content)
    for source in (content, io.BytesIO(content), tmp_path / "a.png"):
        assert np.array_equal(pixels(source), TWO_HALVES)
    assert np.array_equal(pixels(str(tmp_path / "a.png")), TWO_HALVES)


def test_grey_palette_and_bilevel():
    grey = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))
    assert np.array_equal(pixels(encoded(grey))[..., 1], np.asarray(grey))
    palette = Image.fromarray(TWO_HALVES).quantize(4)
    assert palette.mode == "P"
    assert np.array_equal(pixels(encoded(palette)), TWO_HALVES)
    assert np.array_equal(pixels(encoded(palette, "GIF")), TWO_HALVES)
    one_bit = Image.fromarray(TWO_HALVES[..., 0]).convert("1")
    assert np.array_equal(pixels(encoded(one_bit))[..., 2], TWO_HALVES[..., 0])


def test_transparent_parts_become_white():
    rgba = np.dstack([TWO_HALVES, np.full((8, 16), 255, np.uint8)])
    rgba[:4, :, 3] = 0
    rgba[4, :, 3] = 128
    result = pixels(encoded(Image.fromarray(rgba)))
    assert (result[:4] == 255).all()
    assert np.array_equal(result[5:], TWO_HALVES[5:])
    # Half of red on white: 255 and (1 - 128/255) * 255 = 127
    assert abs(result[4, 0].astype(int) - [255, 127, 127]).max() <= 1
    grey_alpha = Image.merge("LA", [Image.new("L", (4, 4), 9), Image.new("L", (4, 4))])
    assert (pixels(encoded(grey_alpha)) == 255).all()


def test_transparent_palette_colour_and_transparent_grey():
    palette = Image.fromarray(TWO_HALVES).quantize(4)
    red = palette.getpixel((0, 0))
    result = pixels(encoded(palette, transparency=red))
    assert (result[:, :8] == 255).all()
    assert np.array_equal(result[:, 8:], TWO_HALVES[:, 8:])
    grey = Image.fromarray(TWO_HALVES[..., 0])
    result = pixels(encoded(grey, transparency=0))
    assert (result == 255).all()


def test_sixteen_bits_are_scaled_not_clipped():
    values = np.array([[0, 257, 32896, 65535]], np.uint16)
    result = pixels(encoded(Image.fromarray(values)))
    assert result[0, :, 0].tolist() == [0, 1, 128, 255]
    tiff = encoded(Image.fromarray(values.astype(np.int32)), "TIFF")
    assert pixels(tiff)[0, :, 2].tolist() == [0, 1, 128, 255]


def test_cmyk_keeps_its_colours():
    cmyk = Image.fromarray(TWO_HALVES).resize((64, 32)).convert("CMYK")
    jpeg = encoded(cmyk, "JPEG", quality=95)  # Pillow writes the inverted ones of Adobe
    assert b"Adobe" in jpeg
    for content in (jpeg, encoded(cmyk, "TIFF")):
        result = pixels(content).astype(int)
        assert abs(result[16, 10] - [255, 0, 0]).max() < 12
        assert abs(result[16, 54] - [0, 0, 255]).max() < 12


# What a camera does to an upright picture before it writes the note `value`.
STORED = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.transpose(1, 0, 2),
    6: lambda x: np.rot90(x, 1),
    7: lambda x: x[::-1, ::-1].transpose(1, 0, 2),
    8: lambda x: np.rot90(x, -1),
    9: lambda x: x,  # no such value: left as it is
}


@pytest.mark.parametrize("value", STORED)
def test_exif_orientation(value):
    upright = TWO_HALVES.copy()
    upright[:2, :5, 1] = 255  # a corner of its own, so that no two turns are alike
    exif = Image.Exif()
    exif[0x0112] = value
    stored = Image.fromarray(np.ascontiguousarray(STORED[value](upright)))
    assert np.array_equal(pixels(encoded(stored, exif=exif)), upright)


def test_broken_exif_does_not_spoil_the_picture():
    content = encoded(Image.fromarray(TWO_HALVES), exif=b"Exif\x00\x00nonsense")
    assert np.array_equal(pixels(content), TWO_HALVES)


JPEG = encoded(
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)),
    "JPEG",
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an image"),
        (b"just text", "not an image"),
        (JPEG[: len(JPEG) // 2], "broken image"),
        (encoded(Image.fromarray(TWO_HALVES))[:-30], "broken image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
    ],
)
def test_broken_files_are_named(tmp_path, content, message):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"photo\.jpg: {message}"):
        load_image(path)
    with pytest.raises(InputError, match=rf"^mine: {message}"):
        load_image(content, "mine")


def test_libtiff_is_not_heard(capfd):
    """It writes to the descriptor itself, past Python."""
    stream = io.BytesIO()
    Image.fromarray(TWO_HALVES).save(stream, "TIFF", compression="tiff_lzw")
    broken = stream.getvalue().replace(stream.getvalue()[8:16], b"\xff" * 8)
    with pytest.raises(InputError, match="broken image"):
        load_image(broken)
    assert capfd.readouterr() == ("", "")


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(InputError, match=r"gone\.jpg: no such file"):
        load_image(tmp_path / "gone.jpg")
    with pytest.raises(InputError, match="is a folder"):
        load_image(str(tmp_path))


@pytest.mark.parametrize("side", [9_000, 12_000, 60_000])
def test_a_bomb_of_pixels_is_refused_before_it_is_unpacked(side):
    tiny = bytearray(encoded(Image.new("L", (1, 1))))
    tiny[16:24] = side.to_bytes(4, "big") * 2  # width and height in the PNG header
    tiny[29:33] = zlib.crc32(tiny[12:29]).to_bytes(4, "big")
    with pytest.raises(InputError, match="pixels"):
        load_image(bytes(tiny))


def test_a_line_of_millions_of_pixels_is_refused():
    fine = load_image(encoded(Image.new("L", (65_535, 1))))
    assert fine.size == (65_535, 1)
    with pytest.raises(InputError, match="more than 65535 along a side"):
        load_image(encoded(Image.new("L", (1, 65_536))))


def test_folder(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.fromarray(TWO_HALVES).save(folder / "b.png")
    Image.fromarray(TWO_HALVES).save(folder / "a.PNG")
    Image.fromarray(TWO_HALVES).save(tmp_path / "outside.png")
    (folder / "readme.txt").write_text("no image")
    (folder / "broken.jpg").write_bytes(b"x")
    pictures = ImageFolder(folder)
    assert pictures.names() == ["a.PNG", "b.png", "broken.jpg"]
    assert "a.PNG" in pictures and "c.png" not in pictures
    assert np.array_equal(np.asarray(pictures.open("b.png")), TWO_HALVES)
    for name in ("../outside.png", str(tmp_path / "outside.png"), "..", ""):
        assert name not in pictures
        with pytest.raises(InputError, match="holds no image"):
            pictures.open(name)
    with pytest.raises(InputError, match=r"broken\.jpg: not an image"):
        pictures.open("broken.jpg")
    with pytest.raises(InputError, match="no such folder"):
        ImageFolder(tmp_path / "nowhere")


def make_zip(path, **members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_zip(tmp_path):
    picture = encoded(Image.fromarray(TWO_HALVES))
    path = make_zip(
        tmp_path / "set.zip",
        **{
            "Set/": b"",
            "Set/a.png": picture,
            "Set/deep/b.png": picture,
            "Set/broken.jpg": b"x",
            "Set/notes.txt": b"x",
            "Set/._a.png": b"x",
            "__MACOSX/Set/a.png": b"x",
        },
    )
    pictures = ImageZip(path)
    assert pictures.names() == ["a.png", "b.png", "broken.jpg"]
    assert "a.png" in pictures and "Set/a.png" not in pictures
    assert np.array_equal(np.asarray(pictures.open("b.png")), TWO_HALVES)
    with pytest.raises(InputError, match=r"holds no image 'c\.png'"):
        pictures.open("c.png")
    with pytest.raises(InputError, match=r"set\.zip: broken\.jpg: not an image"):
        pictures.open("broken.jpg")
    copy = pickle.loads(pickle.dumps(pictures))
    assert np.array_equal(np.asarray(copy.open("a.png")), TWO_HALVES)
    assert copy.names() == pictures.names()


def test_a_member_without_a_name(tmp_path):
    path = make_zip(tmp_path / "set.zip", x=b"", **{"y.png": b""})
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\1\2")
    content[entry + 28], content[entry + 30] = 0, 1  # the x is no name but a remark
    path.write_bytes(content)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["", "y.png"]
    assert ImageZip(path).names() == ["y.png"]


def test_damaged_zips(tmp_path, monkeypatch):
    picture = encoded(Image.fromarray(TWO_HALVES))
    with pytest.raises(InputError, match="no such zip"):
        ImageZip(tmp_path / "gone.zip")
    (tmp_path / "no.zip").write_bytes(b"PK" + bytes(100))
    with pytest.raises(InputError, match="not a readable zip"):
        ImageZip(tmp_path / "no.zip")
    twice = make_zip(tmp_path / "two.zip", **{"a/x.png": picture, "b/x.png": picture})
    with pytest.raises(InputError, match=r"two images 'x\.png'"):
        ImageZip(twice)
    path = make_zip(tmp_path / "set.zip", **{"x.png": picture})
    content = bytearray(path.read_bytes())
    content[60] ^= 0xFF  # a byte of the picture: its checksum no longer fits
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.png: cannot be unpacked"):
        ImageZip(path).open("x.png")
    monkeypatch.setattr(images, "LARGEST_BYTES", 10)
    with pytest.raises(InputError, match="unpacked"):
        ImageZip(path).open("x.png")


def test_no_images():
    nothing = NoImages("they are elsewhere")
    assert nothing.names() == [] and "a.jpg" not in nothing
    for ask in (nothing.open, nothing.read, nothing.checksum):
        with pytest.raises(InputError, match="they are elsewhere"):
            ask("a.jpg")


def test_a_folder_that_may_not_be_read_is_named(monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr("os.stat", refuse)
        with pytest.raises(InputError) as caught:
            load_image("locked/x.jpg")
    assert str(caught.value) == "locked/x.jpg: cannot be read: Permission denied"


def test_what_has_no_end_and_names_that_are_none(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "large.jpg").touch()
    os.truncate(tmp_path / "large.jpg", 10 << 30)
    for path, part in (
        (tmp_path / "pipe.jpg", "a pipe or a device"),
        ("/dev/zero", "a pipe or a device"),
        (tmp_path / "large.jpg", "larger than"),
        ("x" * 5000, "File name too long"),
        ("x\0", "null"),
    ):
        with pytest.raises(InputError, match=part):
            load_image(path)
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    folder = ImageFolder(tmp_path)
    for name in ("pipe.jpg", "zero.jpg", "x" * 5000, "x\0"):
        with pytest.raises(InputError, match="holds no image"):
            folder.open(name)
    with pytest.raises(InputError, match="larger than"):
        folder.open("large.jpg")
    for kind in (ImageFolder, ImageZip):
        for path in ("x" * 5000, "x\0", tmp_path / "pipe.jpg"):
            with pytest.raises(InputError, match="no such"):
                kind(path)

    class Endless(io.RawIOBase):
        def read(self, size):
            return bytes(size)

    with pytest.raises(InputError, match="more than 256 MB"):
        load_image(Endless())


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zips_packed_without_a_limit_are_refused(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "set.zip", "w", method) as archive:
        archive.writestr("x.png", encoded(Image.fromarray(TWO_HALVES)))
    with pytest.raises(InputError, match="is packed in an unusual way"):
        ImageZip(tmp_path / "set.zip").open("x.png")


def test_libtiff_says_nothing_itself(capfd):
    picture = Image.effect_noise((64, 64), 80)
    content = bytearray(encoded(picture, "TIFF", compression="tiff_lzw"))
    content[100:1100] = bytes(1000)
    with pytest.raises(InputError, match="broken image"):
        load_image(bytes(content))
    assert capfd.readouterr() == ("", "")


def test_pillow_says_nothing_itself(tmp_path):
    """In a process of its own: pytest listens to all that is logged here."""
    entries = [(256, 4), (257, 4), (258, 8), (259, 1), (262, 2), (277, 47104)]
    content = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries))
    content += b"".join(struct.pack("<HHII", tag, 4, 1, n) for tag, n in entries)
    (tmp_path / "x.tif").write_bytes(content + bytes(4))
    program = "import sys; from mrnn_np.images import *\n"
    program += "try: load_image(sys.argv[1])\nexcept InputError as error: print(error)"
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "x.tif")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("x.tif: not an image, or of an unknown kind\n")
    assert done.stderr == ""


def test_strips_make_no_difference(monkeypatch):
    rng = np.random.default_rng(0)
    rgba = Image.fromarray(rng.integers(0, 256, (31, 17, 4)).astype(np.uint8))
    palette = rgba.convert("RGB").quantize(9)
    deep = Image.fromarray(rng.integers(0, 65536, (31, 17)).astype(np.uint16))
    contents = [
        encoded(rgba),
        encoded(rgba.convert("LA")),
        encoded(palette, transparency=4),
        encoded(palette, "GIF", transparency=4),
        encoded(deep),
        encoded(Image.fromarray(np.asarray(deep).astype(np.int32) * 3), "TIFF"),
    ]
    at_once = [pixels(content) for content in contents]
    for size in (1, 40, 100):
        monkeypatch.setattr(images, "STRIP_PIXELS", size)
        for content, expected in zip(contents, at_once, strict=True):
            assert np.array_equal(pixels(content), expected)


@pytest.mark.parametrize("claimed", [None, 1 << 28])
def test_a_picture_in_a_zip_that_unpacks_to_far_more_is_refused_unread(
    tmp_path, monkeypatch, claimed
):
    with zipfile.ZipFile(tmp_path / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.png", bytes(200_000_000))
    pictures = ImageZip(tmp_path / "set.zip")
    assert "x.png" in pictures
    if claimed is not None:  # a list of contents may say anything
        pictures._open_archive()[1]["x.png"].compress_size = claimed
    monkeypatch.setattr(zipfile.ZipFile, "open", None)
    with pytest.raises(InputError, match=r"set\.zip: x\.png: .*unpack to 200000000"):
        pictures.open("x.png")
