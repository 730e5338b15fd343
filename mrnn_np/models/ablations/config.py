"""Sizes and choices of the ablations that lack a part of the m-RNN's config.

A field that a model has no use for is not a field of its config, so that whoever sets
it is told.

Knows: what all of them have. Does not know: what each adds.
"""

from dataclasses import dataclass

from mrnn_np.cells.relu import check_scale
from mrnn_np.cells.stack import check_cell
from mrnn_np.models.captioner import CaptionerConfig


@dataclass(frozen=True)
class RecurrentConfig(CaptionerConfig):
    """The fields of `MRNNConfig` that are neither of E1's size nor of the image."""

    recurrent_size: int = 256  # R
    multimodal_size: int = 512  # M
    dropout_embedding: float = 0.5  # of w
    dropout_recurrent: float = 0.5  # of r on its way up
    dropout_multimodal: float = 0.5  # of m
    recurrent_scale: float = 0.58
    cell: str = "relu"
    recurrent_layers: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_cell(self.cell, self.recurrent_layers)
        check_scale(self.recurrent_scale)
