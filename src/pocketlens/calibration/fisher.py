"""Statistics that know what the network makes of a layer's input, not only what it is.

The covariance says how large an error of weights becomes in a layer's outputs, at one position of
a picture; Fisher information says what the answer then loses, over the whole picture. As the
shape of the loss it makes smaller files at the same KL: on ResNet-8 (625 rows to fit, 625 others to
measure) by about a tenth, with the same sensitivities.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.progress import Progress, silent
from pocketlens.calibration.columns import weight_users
from pocketlens.calibration.downstream import seen_variances
from pocketlens.calibration.statistics import LayerStatistics
from pocketlens.classify.lens import ends_in_softmax
from pocketlens.graph.graph import Graph, Network
from pocketlens.torchnet.network import ask_for_torch

Array = NDArray[np.float32]
Floats = NDArray[np.float64]

PART = 0.9
"""Of the matrix that is Fisher's; the rest is the covariance, which is less noisy."""

SHRINK = 0.3
"""Part of an output's worth that is its layer's mean: the estimate is noisy."""

SPREAD = 64.0
"""Within a layer, no output is worth more than this many medians, or less than their inverse."""


def add_fisher(
    network: Network,
    statistics: Mapping[str, LayerStatistics],
    inputs: Iterable[Array],
    *,
    draws: int = 2,
    seed: int = 0,
    threads: int = 1,
    progress: Progress = silent,
) -> dict[str, LayerStatistics]:
    """The same statistics with Fisher information for sensitivities and in the covariances.

    statistics  of collect(); inputs as collect() takes them
    draws       random directions of the answer for each photo; seed: of them
    threads     that look at photos side by side; the result is the same for any number

    Covariances keep their scale, so errors still cost KL = 1/2 sum_o g_o e' C e. Those kept in
    blocks or too large for Fisher's matrix stay as they are. Raises MissingExtraError without
    torch.
    """
    ask_for_torch("Fisher information")
    from pocketlens.torchnet.fisher_matrices import fisher_matrices

    found = fisher_matrices(
        network,
        inputs,
        {name: layer.mean for name, layer in statistics.items()},
        probabilities=ends_in_softmax(network.graph),
        draws=draws,
        seed=seed,
        threads=threads,
        progress=progress,
    )
    last = classifying_weights(network.graph)
    out = {}
    for name, layer in statistics.items():
        worth = spread_worth(
            found[name].traces, seen_variances(layer), rows_are_classes=name == last
        )
        matrices = found[name].matrices
        covariance = layer.covariance
        if matrices is not None and matrices.shape == covariance.shape:
            covariance = blend(covariance, matrices, PART)
        between = found[name].between
        out[name] = dataclasses.replace(
            layer,
            covariance=covariance,
            sensitivity=worth,
            between=None if between is None or name == last else correlations(between),
        )
    return out


def correlations(products: Floats) -> Floats:
    """Of pairs, from their mean products (n, n): 1 on the diagonal, 0 for what is always 0."""
    power = np.diagonal(products)
    root = np.sqrt(np.maximum(power, 0.0))
    scale = np.divide(1.0, root, out=np.zeros_like(root), where=root > 0)
    found: Floats = products * np.outer(scale, scale)
    np.einsum("ii->i", found)[...] = 1.0
    return found


def spread_worth(fisher: Floats, variances: Floats, *, rows_are_classes: bool = False) -> Floats:
    """Sensitivities of a layer's outputs from a noisy Fisher information of their weights.

    fisher            (outputs,), not negative: summed over columns
    variances         (outputs,): of the columns that each output sees, summed
    rows_are_classes  then most outputs got no gradient on a few hundred photos, and all are
                      worth the same
    returns           g with sum g variances = sum fisher; outputs differ as their own estimates
                      do, but SHRINK of it is the layer's, and within SPREAD of the median.
                      All zero where the layer is dead
    """
    total, seen = float(fisher.sum()), float(variances.sum())
    if total <= 0 or seen <= 0:
        return np.zeros(len(fisher))
    mean = total / seen
    if rows_are_classes:
        return np.full(len(fisher), mean)
    own = np.divide(fisher, variances, out=np.full(len(fisher), mean), where=variances > 0)
    shrunk = (1 - SHRINK) * own + SHRINK * mean
    median = float(np.median(shrunk))
    kept = np.clip(shrunk, median / SPREAD, median * SPREAD)
    worth: Floats = kept * (total / float(kept @ variances))
    return worth


def blend(covariance: Floats, matrices: Floats, part: float) -> Floats:
    """Covariances (groups, columns, columns), of which `part` has the matrices' shape.

    Traces stay; a group whose matrix is all zero keeps its covariance.
    """
    own = np.einsum("gii->g", covariance)
    other = np.einsum("gii->g", matrices)
    use = part * (other > 0)
    scale = np.divide(own, other, out=np.zeros_like(own), where=other > 0)
    blended: Floats = (1 - use)[:, None, None] * covariance
    blended += (use * scale)[:, None, None] * matrices
    return blended


def classifying_weights(graph: Graph) -> str:
    """The weights whose outputs are the classes, or "": those of the layer before the scores.

    Scores may be moved, averaged over positions (SqueezeNet), rectified, and end in a softmax.
    """
    makers = {node.output: node for node in graph.nodes}
    node = makers.get(graph.outputs[0])
    while node is not None and node.op in (
        *("softmax", "reshape", "transpose", "slice", "reduce", "avg_pool", "unary"),
    ):
        node = makers.get(node.inputs[0])
    if node is None or node.op not in ("conv2d", "linear"):
        return ""
    return node.inputs[1] if node.inputs[1] in weight_users(graph) else ""
