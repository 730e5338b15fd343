"""What all rows share: epochs that fit a budget, and a plan that comes back whole."""

import dataclasses
import json

import pytest
from small_race import features_of, small_dataset, small_plan

from mrnn_np import InputError
from mrnn_np.features.matrix import Features
from mrnn_np.tables.plan import Plan, fit_epochs, inputs_of, trial_epochs

PLAN = Plan("scenes", "hash", images=20, gallery=10)


@pytest.fixture(scope="module")
def dataset():
    return small_dataset()


@pytest.fixture(scope="module")
def features(dataset):
    return features_of(dataset)


def test_the_largest_number_of_epochs_that_fits_is_taken():
    # 4 trials of 1 epoch and 1 training of 3: 7 passes of 100 s, 70 % of 1,077 s.
    plan = dataclasses.replace(PLAN, minutes=700 / 60 / 0.7)
    assert plan.trials == 4
    assert fit_epochs(plan, [60, 40], seeds=1).epochs == 3
    just_less = dataclasses.replace(plan, minutes=plan.minutes * 0.999)
    assert fit_epochs(just_less, [60, 40], seeds=1).epochs == 2


def test_more_seeds_leave_room_for_fewer_epochs():
    # 4 trials of 1 epoch and 2 trainings of 3: 10 passes.
    plan = dataclasses.replace(PLAN, minutes=1000 / 60 / 0.7 + 1e-9)
    assert fit_epochs(plan, [100], seeds=2).epochs == 3
    assert fit_epochs(plan, [100], seeds=1).epochs == 5  # trials of 1 (1.25 rounded)


def test_a_budget_too_small_for_one_epoch_gives_one_and_a_large_one_sixteen():
    assert fit_epochs(PLAN, [1e9], seeds=1).epochs == 1
    assert fit_epochs(PLAN, [1e-9], seeds=1).epochs == 16


def test_a_trial_has_a_quarter_of_the_epochs():
    assert [trial_epochs(e) for e in (1, 2, 4, 8, 10, 16)] == [1, 1, 1, 2, 2, 4]


def test_a_plan_comes_back_from_json():
    assert Plan.from_dict(json.loads(json.dumps(PLAN.to_dict()))) == PLAN


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0}, {"epochs": "3"}, {"gallery": True}, {"learning_rates": 0.1},
        {"dropouts": []}, {"dropouts": ["a"]}, {"scale": 0.0}, {"minutes": -1.0},
        {"images": None},
    ],
)  # fmt: skip
def test_a_damaged_plan_is_refused(change):
    with pytest.raises(InputError, match=next(iter(change))):
        Plan.from_dict({**json.loads(json.dumps(PLAN.to_dict())), **change})


def test_a_plan_that_lacks_a_field_is_refused():
    described = PLAN.to_dict()
    del described["samples"]
    with pytest.raises(InputError, match="samples"):
        Plan.from_dict(described)


def test_what_the_numbers_depend_on_is_in_the_fingerprint_and_the_budget_is_not():
    for change in ({"minutes": 3.0}, {"command": "mrnn-np tables"}):
        assert dataclasses.replace(PLAN, **change).fingerprint() == PLAN.fingerprint()
    for one in dataclasses.fields(Plan):
        if one.name in ("minutes", "command"):
            continue
        value = getattr(PLAN, one.name)
        changes = {
            bool: lambda v: not v,
            int: lambda v: v + 1,
            float: lambda v: v / 2,
            str: lambda v: v + "x",
        }
        change = changes.get(type(value), lambda v: (*v, 0.125))
        other = dataclasses.replace(PLAN, **{one.name: change(value)})
        assert other.fingerprint() != PLAN.fingerprint(), one.name


def test_captions_and_features_of_both_splits_are_the_inputs(dataset, features):
    before = inputs_of(dataset, features, None)
    assert before == inputs_of(dataset, features, None)
    for split in ("train", "dev"):
        name = dataset.split(split)[0]
        matrix = features.matrix.copy()
        matrix[features.names.index(name), 0] += 1
        changed = Features(features.names, matrix, features.extractor)
        assert inputs_of(dataset, changed, None) != before
        captions = {**dataset.captions, name: ["another one"]}
        assert (
            inputs_of(dataclasses.replace(dataset, captions=captions), features, None)
            != before
        )
    assert inputs_of(dataset, features, features) != before


def test_a_gallery_is_no_larger_than_the_dev_list(dataset, features):
    assert small_plan(dataset, features).images == 8
    plan = small_plan(dataset, features, gallery=3)
    assert plan.gallery == 3
