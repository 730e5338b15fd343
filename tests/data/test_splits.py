import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrnn_np.data.splits import (
    check_disjoint,
    fraction,
    oddities,
    split_by_rank,
    split_by_share,
)
from mrnn_np.images import NoImages
from mrnn_np.runtime.errors import InputError

NAMES = [f"{number}.jpg" for number in range(2000)]


def test_the_hash_never_changes():
    # printf 'mrnn_np split 1:1000092795.jpg' | sha256sum | cut -c1-16
    # Whoever changes this number moves images of every user to another side.
    assert fraction("1000092795.jpg") == 0xD859CE3F10A704A8 / 2**64


def test_shares_hold_on_average_and_nobody_is_lost():
    splits = split_by_share(NAMES, 0.1, 0.1, "x")
    assert sorted(name for side in splits.values() for name in side) == sorted(NAMES)
    check_disjoint(splits, "x")
    for split in ("dev", "test"):
        assert abs(len(splits[split]) - 200) < 4 * 200**0.5
        assert splits[split] == [name for name in NAMES if name in set(splits[split])]


@settings(max_examples=30)
@given(st.integers(60, 1900))
def test_no_image_changes_sides_when_others_come(n):
    few = split_by_share(NAMES[:n], 0.1, 0.1, "x")
    more = split_by_share([*NAMES[n:], *NAMES[:n]], 0.1, 0.1, "x")
    assert all(set(few[split]) <= set(more[split]) for split in few)


@given(st.sets(st.text(max_size=8), min_size=3, max_size=12))
def test_small_sets_have_all_three(names):
    splits = split_by_share(sorted(names), 0.1, 0.1, "x")
    assert all(splits.values())
    assert {name for side in splits.values() for name in side} == names


def test_exact_numbers():
    splits = split_by_rank(NAMES, 30, 20, "x")
    assert {split: len(names) for split, names in splits.items()} == {
        "train": 1950,
        "dev": 30,
        "test": 20,
    }
    highest = max(map(fraction, splits["dev"]))
    assert highest < min(map(fraction, splits["test"]))
    assert max(map(fraction, splits["test"])) < min(map(fraction, splits["train"]))
    backwards = split_by_rank(NAMES[::-1], 30, 20, "x")
    assert set(backwards["dev"]) == set(splits["dev"])


def test_numbers_in_proportion():
    sizes = {
        n: tuple(map(len, split_by_rank(range_of(n), 1014, 1000, "x", 31783).values()))
        for n in (3, 200, 31783, 32000)
    }
    assert sizes[3] == (1, 1, 1)
    assert sizes[200] == (188, 6, 6)
    assert sizes[31783] == (29769, 1014, 1000)
    assert sizes[32000] == (29986, 1014, 1000)


def range_of(n):
    return [f"{number}.jpg" for number in range(n)]


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few(n):
    with pytest.raises(InputError, match=rf"x: {n} captioned images cannot be split"):
        split_by_share(NAMES[:n], 0.1, 0.1, "x")


def test_an_image_on_two_sides():
    check_disjoint({"train": ["a"], "dev": ["b"]}, "x")
    with pytest.raises(InputError, match="x: a is in the list of train and in that of"):
        check_disjoint({"train": ["a"], "dev": ["b"], "test": ["a"]}, "x")


def test_oddities_are_counted():
    captions = {"a": ["A"], "b": ["B"], "c": ["C"]}
    assert oddities(captions, {"train": ["a", "b"]}, NoImages("none")) == (
        "1 captioned images are in no list",
        "2 listed images have no picture",
    )
