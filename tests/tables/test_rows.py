"""The rows: every one can be made, and is found by name."""

import dataclasses

import pytest

from mrnn_np.models import model_class
from mrnn_np.models.registry import MODELS
from mrnn_np.runtime.errors import WrongUse
from mrnn_np.tables.layout import TITLES
from mrnn_np.tables.rows import ROWS, chosen_rows, config_of, trained


def test_every_model_of_the_registry_is_a_row():
    assert {row.model for row in trained(ROWS)} == set(MODELS)


def test_every_row_has_a_title():
    assert {row.name for row in ROWS} == set(TITLES)


def test_names_are_unique_and_sources_come_first():
    names = [row.name for row in ROWS]
    assert len(set(names)) == len(names)
    for number, row in enumerate(ROWS):
        if row.of:
            assert row.of in names[:number]


@pytest.mark.parametrize("row", trained(ROWS), ids=lambda row: row.name)
def test_a_config_has_the_rows_choices_and_one_rate_everywhere(row):
    config = config_of(row, 0.25)
    for name, value in row.choices.items():
        assert getattr(config, name) == value
    fields = dataclasses.asdict(config)
    assert {v for k, v in fields.items() if k.startswith("dropout_")} <= {0.25}
    default = model_class(row.model).config_class(**row.choices)
    small = config_of(row, 0.25, scale=0.5)
    for name, value in fields.items():
        if name.endswith("_size") and name not in ("image_size", "context_size"):
            assert value == getattr(default, name)
            assert getattr(small, name) == max(8, round(value / 2))
    for name in ("image_size", "context_size"):
        assert getattr(small, name, None) == getattr(default, name, None)


def test_rows_come_in_their_order_with_what_they_need():
    names = [row.name for row in chosen_rows("nic, mrnn-shared-cider,mrnn")]
    assert names == ["mrnn", "nic", "mrnn-shared", "mrnn-shared-cider"]
    assert chosen_rows(None) == list(ROWS)


@pytest.mark.parametrize("names", ["nick", "", "mrnn,,nic", "mrnn nic"])
def test_an_unknown_row_is_named(names):
    with pytest.raises(WrongUse, match="is not one of random, human"):
        chosen_rows(names)
