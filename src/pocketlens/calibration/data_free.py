"""Statistics for whoever has no photos: nothing is known, and that is what they say.

An importer folds BatchNorm into weights and biases, so what it knew of each channel is gone.
"""

from __future__ import annotations

import numpy as np

from pocketlens.calibration.columns import column_shape, weight_users
from pocketlens.calibration.moments import block_width
from pocketlens.calibration.statistics import LayerStatistics
from pocketlens.graph.graph import Network


def data_free(network: Network) -> dict[str, LayerStatistics]:
    """Inputs of mean 0 that are independent and equally large, outputs that are worth the same.

    For a network without a recipe. Much worse than a hundred photos, and than pictures that are
    invented by a recipe (invented.py). `photos` and `samples` are 0, by which such statistics
    are known (LayerStatistics.is_data_free). No bias is corrected and no error is fed back,
    since means are 0 and covariances diagonal, and read-only.

    sensitivity  of a layer: 1 / sum of its squared weights, so that the same
                 relative error costs the same in every layer; an absolute scale means nothing
    """
    found = {}
    for name, nodes in weight_users(network.graph).items():
        groups, columns = column_shape(network.graph, nodes[0])
        width = block_width(columns)
        blocks = -(-columns // width)
        covariance = np.broadcast_to(np.eye(width), (groups * blocks, width, width))
        weights = network.tensors[name].astype(np.float64)
        energy = float((weights**2).sum())
        worth = 1.0 / energy if energy > 0 else 0.0
        found[name] = LayerStatistics(
            mean=np.zeros((groups, columns)),
            covariance=covariance,
            sensitivity=np.full(len(weights), worth),
            photos=0,
            samples=0,
        )
    return found
