import pickle

import pytest
from miniatures import draw, write, zip_folder

from mrnn_np.data.pictures import ImageTree, ImageUnion, find_pictures
from mrnn_np.images import ImageFolder, ImageZip, NoImages
from mrnn_np.runtime.errors import InputError


def test_a_tree_of_pictures(tmp_path):
    draw(tmp_path, "b.jpg", "01/2.jpg", "01/x/3.png", ".hidden/4.jpg")
    write(tmp_path, "01/notes.txt", "x")
    tree = pickle.loads(pickle.dumps(ImageTree(tmp_path)))
    assert tree.names() == ["01/2.jpg", "01/x/3.png", "b.jpg"]
    assert all(name in tree for name in tree.names())
    assert tree.open("01/x/3.png").size == (8, 6)


def test_no_way_leads_out_of_a_tree(tmp_path):
    draw(tmp_path, "out.jpg", "in/a.jpg")
    tree = ImageTree(tmp_path / "in")
    for name in ("../out.jpg", str(tmp_path / "out.jpg"), "./a.jpg", "b.jpg", ""):
        assert name not in tree
        with pytest.raises(InputError, match="holds no image"):
            tree.open(name)
    with pytest.raises(InputError, match="gone: no such folder of images"):
        ImageTree(tmp_path / "gone")


def test_several_places_as_one(tmp_path):
    draw(tmp_path / "train", "a.jpg", "b.jpg")
    draw(tmp_path / "val", "c.jpg", "b.jpg")
    zip_folder(tmp_path / "val", tmp_path / "val.zip")
    union = ImageUnion(
        [ImageFolder(tmp_path / "train"), ImageZip(tmp_path / "val.zip")]
    )
    assert union.names() == ["a.jpg", "b.jpg", "c.jpg"]
    assert "c.jpg" in union and "d.jpg" not in union
    green, red = (0, 128, 0), (254, 0, 0)
    assert near(union.open("b.jpg"), green)  # the first place has the word
    assert near(union.open("c.jpg"), red)
    with pytest.raises(InputError, match=r"train: holds no image 'd\.jpg'"):
        union.open("d.jpg")


def near(picture, colour):
    pixel = picture.getpixel((0, 0))
    return max(abs(a - b) for a, b in zip(pixel, colour, strict=True)) < 8


def test_folders_come_before_zips_and_nothing_is_an_answer(tmp_path):
    none = find_pictures(tmp_path, ("one", "two"))
    assert isinstance(none, NoImages)
    with pytest.raises(InputError, match=r"no folder one or two, and no \.zip of that"):
        none.open("a.jpg")
    draw(tmp_path / "one", "a.jpg")
    zip_folder(tmp_path / "one", tmp_path / "one.zip")
    draw(tmp_path / "two", "b.jpg")
    assert find_pictures(tmp_path, ("three", "two")).names() == ["b.jpg"]
    assert find_pictures(tmp_path, ("one", "two")).names() == ["a.jpg"]
    (tmp_path / "one").rename(tmp_path / "gone")
    assert isinstance(find_pictures(tmp_path, ("one",)), ImageZip)
