"""Where NIC, LRCN and DeepVS take the image, and what no config can ask of them."""

import numpy as np
import pytest

from mrnn_np import InputError
from mrnn_np.data.vocabulary import START
from mrnn_np.gradcheck.model_cases import model_case, small_model
from mrnn_np.models.deepvs import DeepVSConfig
from mrnn_np.models.lrcn import LRCNConfig
from mrnn_np.models.nic import NICConfig


def first_steps(name, **choices):
    """Return model, and states before, after <start>, and after a word more.

    Two images with the same words: where their rows differ, the image is seen.
    """
    rng = np.random.default_rng(0)
    model = small_model(rng, name, **choices)
    states = [model.start(rng.standard_normal((2, model.config.image_size)))]
    for word in (START, 5):
        states.append(model.advance(np.array([word, word]), states[-1])[1])
    return model, states


def differ(state, key):
    return not np.array_equal(*state[key])


def test_nic_sees_the_image_before_the_first_word():
    model, (before, *_) = first_steps("nic")
    assert list(before) == ["h"] and differ(before, "h")
    assert before["h"].shape == (2, 2 * model.config.recurrent_size)


def test_deepvs_sees_the_image_with_the_first_word_only():
    _, (before, after, later) = first_steps("deepvs")
    assert not before["h"].any() and differ(before, "v")
    assert differ(after, "h") and not after["v"].any() and not later["v"].any()


@pytest.mark.parametrize(
    ("layers", "factored", "blind"),
    [(2, True, 1), (3, True, 1), (4, True, 2), (4, False, 0), (1, False, 0)],
)
def test_lrcn_sees_the_image_from_one_layer_on_upwards(layers, factored, blind):
    _, states = first_steps("lrcn", recurrent_layers=layers, factored=factored)
    for state in states[1:]:
        seen = [differ(state, f"{n}") for n in range(1, layers + 1)]
        assert seen == [False] * blind + [True] * (layers - blind)


@pytest.mark.slow
@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize(
    "choices",
    [{"factored": False}, {"recurrent_layers": 4, "tied": True}],
    ids=["unfactored", "4 layers, tied"],
)
def test_gradients_of_the_other_stacks(choices, dropout):
    for check in model_case(0, dropout, "lrcn", **choices):
        assert check.passed, str(check)


def test_what_a_config_cannot_ask_for():
    with pytest.raises(InputError, match="factored needs recurrent_layers of 2"):
        LRCNConfig(recurrent_layers=1)
    with pytest.raises(InputError, match="1 to 8, not 9"):
        LRCNConfig(recurrent_layers=9)
    with pytest.raises(InputError, match=r"recurrent_scale cannot be 1e\+39"):
        DeepVSConfig(recurrent_scale=1e39)


def test_nic_has_the_sizes_of_its_paper():
    assert (NICConfig().embedding_size, NICConfig().recurrent_size) == (512, 512)
