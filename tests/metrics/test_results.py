"""Results files in COCO's form: written, read, matched, refused."""

import json

import pytest

from mrnn_np import InputError
from mrnn_np.metrics.results import match, read_results, write_results


def test_what_was_written_is_read(tmp_path):
    captions = {391895: "a man", "x.jpg": "ein Café 猫", 7: ""}
    write_results(tmp_path / "r.json", captions)
    assert read_results(tmp_path / "r.json") == captions
    plain = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert plain[0] == {"image_id": 391895, "caption": "a man"}


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[", r"r.json:1: not JSON"),
        ("", "not JSON"),
        ("[]", "no caption in it"),
        ("{}", "a JSON dict, expected a list .* OUT.captions.json"),
        ("3", "a JSON int, expected a list"),
        ("[3]", "entry 1 is a int"),
        ('[{"image_id": 1}]', "entry 1 has no 'caption'"),
        ('[{"caption": "a"}]', "entry 1 has no 'image_id'"),
        ('[{"image_id": 1.5, "caption": "a"}]', "image_id 1.5 is neither"),
        ('[{"image_id": true, "caption": "a"}]', "image_id True is neither"),
        ('[{"image_id": [1], "caption": "a"}]', "is neither"),
        ('[{"image_id": 1, "caption": 2}]', "image 1.*2 is not text"),
        ('[{"image_id": 1, "caption": null}]', "None is not text"),
        (
            '[{"image_id": 1, "caption": "a"}, {"image_id": 1, "caption": "b"}]',
            "two captions for image 1 .*entry 2",
        ),
        ("[" * 100_000, "r.json: JSON nested more than 64 deep, expected"),
        (f'[{{"image_id": {"1" * 5000}, "caption": "a"}}]', "integer of 5000 digits"),
        (
            r'[{"image_id": 1, "caption": "a \ud83d dog"}]',
            r"half a character \(\\ud83d",
        ),
        ('[{"image_id": 1, "image_id": 2, "caption": "a"}]', "'image_id' stands twice"),
        (
            f'[{{"image_id": 7, "caption": "{"a dog " * 80_000}"}}]',
            r"entry 1 \(image 7\): a caption of 480000 characters, at most 10000",
        ),
    ],
)
def test_mistakes_are_named_with_file_and_entry(tmp_path, text, part):
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(InputError, match=part) as error:
        read_results(tmp_path / "r.json")
    assert "r.json" in str(error.value) and "\n" not in str(error.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"no.json: no such file"):
        read_results(tmp_path / "no.json")
    (tmp_path / "r.json").write_bytes(b'[{"image_id": 1, "caption": "\xff"}]')
    with pytest.raises(InputError, match=r"r.json:1: not UTF-8"):
        read_results(tmp_path / "r.json")


NAMES = ["b.jpg", "a.jpg", "c.jpg"]
NUMBERS = {"a.jpg": 1, "b.jpg": 2, "c.jpg": 3, "other.jpg": 4}


def test_match_by_name_or_number_in_the_order_of_the_data_set():
    for captions in (
        {"a.jpg": "A", "b.jpg": "B"},
        {1: "A", 2: "B"},
        {"1": "A", "b.jpg": "B"},
    ):
        found = match("r.json", captions, NAMES, NUMBERS, "dev")
        assert list(found.items()) == [("b.jpg", "B"), ("a.jpg", "A")]


def test_match_refuses_what_is_unknown_or_double():
    with pytest.raises(InputError, match=r"r.json: unknown image 4: it is not in dev"):
        match("r.json", {4: "x"}, NAMES, NUMBERS, "dev")
    with pytest.raises(InputError, match=r"unknown image 1: it is not in dev"):
        match("r.json", {1: "x"}, NAMES, None, "dev")
    with pytest.raises(InputError, match=r"two captions for image 'a.jpg'"):
        match("r.json", {1: "x", "a.jpg": "y"}, NAMES, NUMBERS, "dev")
