import pickle

import pytest

from mrnn_np.data import CaptionDataset, load_dataset
from mrnn_np.runtime.errors import InputError

DATASET = CaptionDataset(
    name="toy",
    images=None,
    captions={"a": ["One .", "Two ."], "b": ["Three ."]},
    splits={"train": ["b", "a"], "dev": []},
)


def test_sentences_follow_the_list():
    sentences = list(DATASET.sentences("train"))
    assert sentences == [("b", "Three ."), ("a", "One ."), ("a", "Two .")]
    assert list(DATASET.sentences("dev")) == []


def test_a_missing_split_is_answered_with_those_there_are():
    with pytest.raises(InputError, match=r"toy has no split 'test' .*: train, dev"):
        list(DATASET.sentences("test"))


def test_it_cannot_be_changed_and_can_be_sent():
    with pytest.raises(AttributeError):
        DATASET.name = "other"
    DATASET.split("train").append("c")
    assert DATASET.split("train") == ["b", "a"]
    assert pickle.loads(pickle.dumps(DATASET)) == DATASET


@pytest.mark.parametrize("spec", ["flickr9k:x", "", "Scenes", ":scenes"])
def test_unknown_names_are_answered_with_the_known(spec):
    with pytest.raises(InputError, match=r"scenes or scenes:zh, flickr8k:DIR"):
        load_dataset(spec)
