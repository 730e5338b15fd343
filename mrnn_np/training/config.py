"""The choices of a training run, and the TOML file they may come from.

[model]                       # the fields of MRNNConfig
recurrent_size = 256
[training]                    # the fields of TrainingConfig
learning_rate = 1e-3
"""

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from mrnn_np.models.parametric import ModelConfig
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.fields import check_fields
from mrnn_np.runtime.untrusted import read_bounded
from mrnn_np.training.optimisers import OPTIMISERS
from mrnn_np.training.schedules import SCHEDULES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Config = TypeVar("Config", bound=ModelConfig)
LARGEST_CONFIG = 1 << 16  # bytes; all there is to choose takes 1,000
# Characters. Python's parser takes quadratic time for a key of many parts (a.b.c ...).
LONGEST_LINE = 1000


@dataclass(frozen=True)
class TrainingConfig:
    """How a model is trained. The defaults train the shipped model on Flickr8k."""

    seed: int = 0  # of the first parameters, the order of examples, the dropout masks
    threshold: int = 5  # occurrences that a word needs to be in the vocabulary
    epochs: int = 16
    batch_size: int = 128  # sentences
    # Batches that are sorted by length together (data/batches.py); 1 shuffles examples
    # into batches whatever their length. Packed batches have no padding to save, and
    # batches of equal lengths learn worse: after 15 epochs on Flickr8k dev perplexity
    # 18.43 and BLEU-4 .182 with 4, 18.11 and .194 with 1.
    bucket: int = 1
    optimiser: str = "adam"
    learning_rate: float = 1e-3
    schedule: str = "linear"
    clip_norm: float = 5.0  # joint norm of all gradients
    l2: float = 0.0  # the paper's lambda, for a loss in nats (layers/l2.py)
    patience: int = 3  # epochs without a better loss on dev before stopping

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("threshold", "epochs", "batch_size", "bucket", "patience"):
            value = getattr(self, name)
            if value < 1:
                raise InputError(f"{name} must be a positive integer, not {value}")
        for name in ("seed", "l2"):
            value = getattr(self, name)
            if value < 0:
                raise InputError(f"{name} must be 0 or more, not {value}")
        for name in ("learning_rate", "clip_norm"):
            value = getattr(self, name)
            if not value > 0:
                raise InputError(f"{name} must be positive, not {value}")
        for name, known in (("optimiser", OPTIMISERS), ("schedule", SCHEDULES)):
            value = getattr(self, name)
            if value not in known:
                raise InputError(
                    f"{name} {value[:40]!r} is not one of {', '.join(known)}"
                )


def load_config(
    path: str | Path | None, model_config_class: type[Config]
) -> tuple[Config, TrainingConfig]:
    """Read a TOML file of choices; what it does not name keeps its default.

    Parameters
    ----------
    path : the file, or None for all defaults.
    model_config_class : dataclass of the [model] table.

    Returns
    -------
    The model's config and the `TrainingConfig`.

    Raises
    ------
    InputError : no such file, not TOML, an unknown table or key, a value out of range.
    """
    if path is None:
        return model_config_class(), TrainingConfig()
    tables = read_toml(path)
    classes = {"model": model_config_class, "training": TrainingConfig}
    for name, table in tables.items():
        if name not in classes or not isinstance(table, dict):
            raise InputError(
                f"{path}: unknown table or key {name[:40]!r}: a config has [model] and "
                "[training]"
            )
        known = [field.name for field in dataclasses.fields(classes[name])]
        for key in table:
            if key not in known:
                raise InputError(
                    f"{path}: unknown key {key[:40]!r} in [{name}]: one of "
                    f"{', '.join(known)}"
                )
    try:
        model_config = model_config_class(**tables.get("model", {}))
        return model_config, TrainingConfig(**tables.get("training", {}))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def read_toml(path: str | Path) -> dict:
    """Return the tables of a small TOML file.

    Raises
    ------
    InputError : not a regular file, longer than any config, or not TOML.
    """
    content = read_bounded(path, LARGEST_CONFIG, "a config")
    if max(map(len, content.splitlines()), default=0) > LONGEST_LINE:
        raise InputError(f"{path}: a line of more than {LONGEST_LINE} characters")
    try:
        return tomllib.loads(content.decode())
    except RecursionError:
        raise InputError(f"{path}: not a config: nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError, UnicodeDecodeError
        raise InputError(f"{path}: not a TOML file: {error}") from error
