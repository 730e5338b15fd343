"""The rows of the tables: a model, its sizes, and how its captions are decoded.

Sizes are those of the papers where these say them (models/NAME.py), with one exception:
LRCN has layers of 256 units, as many as the m-RNN's, not 1,000. The three rows of it
would take four fifths of all the time, for 30,000 sentences that leave no use for 20
million parameters.

Knows: names and sizes. Does not know: how a row is trained or scored.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mrnn_np.models import ModelConfig, model_class
from mrnn_np.runtime.errors import WrongUse

UNSCALED = ("image_size", "context_size")  # given by the features; a number of words
SMALLEST = 8  # of a size that is scaled down


@dataclass(frozen=True)
class Row:
    """One row.

    Fields
    ------
    name : unique, as ``--rows`` takes it; its title stands in layout.py.
    model : name in the registry; "" for a baseline, which is not trained.
    choices : fields of the model's config that differ from their defaults.
    of : the row whose training this one shares, and whose model it decodes otherwise.
    decoding : of tables/scores.py.
    ranks : whether it is scored on retrieval.
    meteor : whether it is scored by METEOR too, where Java is there.
    regions : whether it sees the regions of an image where features of them are given.
    """

    name: str
    model: str = ""
    choices: Mapping[str, Any] = field(default_factory=dict)
    of: str = ""
    decoding: str = "beam"
    ranks: bool = False
    meteor: bool = False
    regions: bool = False


LRCN_SIZES = {"embedding_size": 256, "recurrent_size": 256}
OF_SHARED: dict[str, Any] = {"model": "mrnn", "of": "mrnn-shared", "meteor": True}
ROWS = (
    Row("random", ranks=True),
    Row("human", meteor=True),
    Row("nearest-neighbour"),
    Row("mrnn", "mrnn", ranks=True, meteor=True),
    Row("mrnn-greedy", "mrnn", of="mrnn", decoding="greedy", meteor=True),
    Row("rnn-base", "rnn-base"),
    Row("mlbl-b", "mlbl-b", ranks=True),
    Row("mlbl-f", "mlbl-f", ranks=True),
    Row("rvr", "rvr", ranks=True),
    Row("deepvs", "deepvs", ranks=True),
    Row("nic", "nic", ranks=True),
    Row("lrcn", "lrcn", LRCN_SIZES, ranks=True),
    Row("dmsm", "dmsm", ranks=True),
    Row("deepfe", "deepfe", ranks=True, regions=True),
    Row("deepvs-align", "deepvs-align", ranks=True, regions=True),
    Row("mnlm-rank", "mnlm-rank", ranks=True),
    Row("no-emb-input", "no-emb-input"),
    Row("one-layer-emb", "one-layer-emb"),
    Row("emb-one-input", "emb-one-input"),
    Row("vis-in-rnn", "vis-in-rnn"),
    Row("vis-in-rnn-both", "vis-in-rnn-both"),
    Row("vis-in-rnn-both-shared", "vis-in-rnn-both-shared"),
    Row("mrnn-128", "mrnn", {"recurrent_size": 128}),
    Row("mrnn-512", "mrnn", {"recurrent_size": 512}),
    Row("mrnn-gru", "mrnn", {"cell": "gru"}),
    Row("mrnn-lstm", "mrnn", {"cell": "lstm"}),
    Row("lrcn-unfactored", "lrcn", {**LRCN_SIZES, "factored": False}),
    Row("lrcn-4", "lrcn", {**LRCN_SIZES, "recurrent_layers": 4}),
    Row("mrnn-shared", "mrnn", {"tied": True}, meteor=True),
    Row("mrnn-shared-bleu", decoding="bleu", **OF_SHARED),
    Row("mrnn-shared-cider", decoding="cider", **OF_SHARED),
    Row("mrnn-shared-bleu-oracle", decoding="bleu oracle", **OF_SHARED),
    Row("mrnn-shared-cider-oracle", decoding="cider oracle", **OF_SHARED),
)


def chosen_rows(names: str | None) -> list[Row]:
    """Return the rows of a list like ``mrnn,nic``, in their order; all for None.

    A row that shares another's training brings that one along.

    Raises
    ------
    WrongUse : there is no row of that name.
    """
    if names is None:
        return list(ROWS)
    by_name = {row.name: row for row in ROWS}
    wanted = set()
    for name in (part.strip() for part in names.split(",")):
        if name not in by_name:
            raise WrongUse(f"--rows: {name!r} is not one of {', '.join(by_name)}")
        wanted |= {name, by_name[name].of}
    return [row for row in ROWS if row.name in wanted]


def trained(rows: Iterable[Row]) -> list[Row]:
    """Return those that have a training of their own."""
    return [row for row in rows if row.model and not row.of]


def config_of(row: Row, dropout: float, scale: float = 1.0) -> ModelConfig:
    """Return the config of a row's model.

    Parameters
    ----------
    dropout : the rate, wherever the model has one.
    scale : of all sizes but those that are given, to try everything quickly.
    """
    config = model_class(row.model).config_class(**row.choices)
    changes: dict[str, Any] = {}
    for one in dataclasses.fields(config):
        if one.name.startswith("dropout_"):
            changes[one.name] = dropout
        elif one.name.endswith("_size") and one.name not in UNSCALED:
            size = round(scale * getattr(config, one.name))
            changes[one.name] = max(SMALLEST, size)
    return dataclasses.replace(config, **changes)
