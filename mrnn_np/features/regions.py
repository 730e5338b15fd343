"""Regions of a picture: the cells of a 3 x 3 grid and the whole, side by side in a row.

    features(I) = [cell 1, ..., cell 9, whole]     each the mean of C channels of a map

The name is a CNN's and ``:regions``, as in ``efficientnet_lite0:regions``. Where
objects are is not asked: this is the plainest cut there is, in place of a detector's.
The whole is the CNN's own features, or a part of them, where these are of the same map.

Rankers of fragments (models/fragments.py) compare every region with every word. How
many regions a row has is a fact of the features: `identity.region_count` reads it.

Knows: how a picture is cut, and what that is called. Does not know: layers, models.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mrnn_np.cnn.network import CNN

GRID = 3  # cells along each side
SUFFIX = ":regions"


class RegionExtractor:
    """Describes each image by B = 10 regions of C numbers, (N, B C).

    Parameters
    ----------
    cnn : whose map is cut.

    Attributes
    ----------
    name : the CNN's and ":regions"; sha256 : the CNN's.
    feature_preprocessing : the CNN's, and "grid" and "regions", GRID and B.
    feature_layers : the one whose map is cut.
    feature_size : B C.
    """

    def __init__(self, cnn: "CNN") -> None:
        self.cnn = cnn
        self.name, self.sha256 = f"{cnn.name}{SUFFIX}", cnn.sha256
        regions = GRID**2 + 1
        self.feature_preprocessing = {
            **cnn.feature_preprocessing.to_dict(),
            "grid": GRID,
            "regions": regions,
        }
        self.feature_layers = (cnn.region_layer,)
        self.feature_size = regions * cnn.region_size

    def features(self, images: Iterable) -> np.ndarray:
        """Return (N, B C) float32."""
        return self.cnn.regions(images, GRID).reshape(-1, self.feature_size)
