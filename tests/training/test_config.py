"""The choices of a run: types, ranges, and files that are no configs."""

import dataclasses
import os
import tracemalloc

import pytest

from mrnn_np import InputError
from mrnn_np.data import SPECIALS, Vocabulary
from mrnn_np.models import MRNN, MRNNConfig
from mrnn_np.training import TrainingConfig, load_config

WORDS = Vocabulary([*SPECIALS, "dog"], [0, 0, 1, 0, 1])


def test_config_file(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text("[model]\nrecurrent_size = 64\n[training]\nlearning_rate = 0.01\n")
    model, training = load_config(path, MRNNConfig)
    assert model == MRNNConfig(recurrent_size=64)
    assert training == TrainingConfig(learning_rate=0.01)
    assert load_config(None, MRNNConfig) == (MRNNConfig(), TrainingConfig())


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[training]\nlerning_rate = 1\n", "unknown key 'lerning_rate' in .training."),
        ("[modell]\n", "unknown table or key 'modell'"),
        ("epochs = 3\n", "unknown table or key 'epochs'"),
        ("[training]\nepochs = 0\n", "epochs must be a positive integer"),
        ("[training]\nepochs = 'many'\n", "epochs must be an integer, not 'many'"),
        ("[training]\nepochs = true\n", "epochs must be an integer, not True"),
        ("[training]\nepochs = 3.0\n", "epochs must be an integer, not 3.0"),
        ("[training]\nepochs = [3]\n", "epochs must be an integer, not a list of 1"),
        ("[training]\nepochs = 1979-05-27\n", "epochs must be an integer, not 1979"),
        ("[training]\nseed = -1\n", "seed must be 0 or more, not -1"),
        ("[training]\nl2 = nan\n", "l2 must be a number, not nan"),
        ("[training]\nlearning_rate = true\n", "learning_rate must be a number"),
        ("[training]\noptimiser = 7\n", "optimiser must be a text, not 7"),
        ("[training]\nschedule = ['linear']\n", "schedule must be a text"),
        ("[model]\nembedding_size = true\n", "embedding_size must be an integer"),
        ("[model]\nembedding_size = 9223372036854775808\n", "an integer beyond 64"),
        ("[model]\nrecurrent_scale = 'x'\n", "recurrent_scale must be a number"),
        ("[model]\nrecurrent_scale = inf\n", "recurrent_scale cannot be inf"),
        ("[model]\nrecurrent_scale = -1e308\n", "recurrent_scale cannot be -1e"),
        ("[model]\nbias_from_counts = 1\n", "bias_from_counts must be true or false"),
        (
            "[model]\nbias_from_counts = 'no'\n",
            "bias_from_counts must be true or false",
        ),
        ("[model]\nimage_size = 1" + "0" * 999, "a line of more than 1000 characters"),
        ("[model]\nimage_size = 1" + "0" * 900, "an integer beyond 64 bits"),
        ("a." * 400 + "b = 1\n", "unknown table or key 'a'"),
        ("a = " + "[\n" * 2000 + "]\n" * 2000, "nested too deeply"),
        ("a = " + "{b=[\n" * 2000, "nested too deeply"),
        ("#" * 70 + "\n" + "a = 1\n" * 20_000, "larger than 65536 bytes"),
        ("[training]\noptimiser = 'adamw'\n", "not one of sgd, rmsprop"),
        ("[model]\ndropout_image = 2\n", "dropout_image"),
        ("[model]\ndropout_image = 'x'\n", "dropout_image"),
        ("[training\n", "not a TOML file"),
        ("\xff", "not a TOML file"),
    ],
)
def test_bad_config_files_are_named(tmp_path, text, part):
    path = tmp_path / "c.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=part) as caught:
        load_config(path, MRNNConfig)
    assert "c.toml" in str(caught.value) and "\n" not in str(caught.value)


def test_config_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"no\.toml: no such file"):
        load_config(tmp_path / "no.toml", MRNNConfig)
    with pytest.raises(InputError, match="is a folder, not a config"):
        load_config(tmp_path, MRNNConfig)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes")
def test_a_config_is_a_file(tmp_path):
    os.mkfifo(tmp_path / "c.toml")
    for path in (tmp_path / "c.toml", "/dev/zero"):
        with pytest.raises(InputError, match="is a pipe or a device, not a config"):
            load_config(path, MRNNConfig)


@pytest.mark.parametrize("config_class", [MRNNConfig, TrainingConfig])
def test_every_field_of_a_config_has_a_type_that_is_checked(config_class):
    for field in dataclasses.fields(config_class):
        for value in (None, [], "x", True, 2**63, 1.5, float("nan")):
            if type(value) is field.type and value == value:
                continue  # right, or for the checks of ranges
            if field.type is float and value == 1.5:
                continue
            with pytest.raises(InputError, match=f"{field.name} must be "):
                config_class(**{field.name: value})


def test_a_model_beyond_any_memory_is_refused():
    with pytest.raises(InputError, match=r"1\.0e\+12 parameters, at most 1\.1e\+09"):
        MRNN(MRNNConfig(recurrent_size=10**6), WORDS)
    tracemalloc.start()
    with pytest.raises(InputError, match="choose smaller sizes"):
        MRNN(MRNNConfig(image_size=2**40), WORDS)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
