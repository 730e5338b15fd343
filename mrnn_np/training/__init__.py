"""Training: optimisers, schedules, and the loop that uses them.

Works on any `ParametricModel`; knows nothing of its layers.
"""

from mrnn_np.training.config import TrainingConfig, load_config
from mrnn_np.training.optimisers import OPTIMISERS, clip_by_global_norm
from mrnn_np.training.prepare import prepare
from mrnn_np.training.run_folder import RunFolder
from mrnn_np.training.schedules import SCHEDULES, learning_rate_factor
from mrnn_np.training.trainer import Trainer, TrainingDiverged, dev_measure

__all__ = [
    "OPTIMISERS",
    "SCHEDULES",
    "RunFolder",
    "Trainer",
    "TrainingConfig",
    "TrainingDiverged",
    "clip_by_global_norm",
    "dev_measure",
    "learning_rate_factor",
    "load_config",
    "prepare",
]
