"""What the outputs of every layer are worth: g of LayerStatistics, by one of two ways.

With torch: Fisher information by back-propagation, an own value for every output. Without: the
weights of a layer are shaken and KL is measured through the engine (perturbation.py), one value
a layer, which is spread over outputs by who reads them (downstream.py). Both say the same of
layers: on MobileNetV2 and ResNet-8 their logarithms correlate by 0.99.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.progress import Progress, silent
from pocketlens.calibration.columns import weight_users
from pocketlens.calibration.downstream import seen_variances, spread_by_readers
from pocketlens.calibration.perturbation import layer_sensitivities
from pocketlens.calibration.statistics import LayerStatistics
from pocketlens.classify.lens import ends_in_softmax
from pocketlens.graph.graph import Graph, Network
from pocketlens.torchnet.network import ask_for_torch, has_torch

Array = NDArray[np.float32]
Floats = NDArray[np.float64]
Method = Literal["auto", "fisher", "perturbation"]

SHRINK = 0.3
"""Part of an output's worth that is its layer's mean: the estimate is noisy."""

SPREAD = 64.0
"""Within a layer, no output is worth more than this many medians, or less than their inverse."""

SHAKEN_PHOTOS = 16
"""Of the inputs, the first so many serve "perturbation"."""


def add_sensitivities(
    network: Network,
    statistics: Mapping[str, LayerStatistics],
    inputs: Iterable[Array],
    *,
    method: Method = "auto",
    seed: int = 0,
    threads: int = 1,
    progress: Progress = silent,
) -> dict[str, LayerStatistics]:
    """The same statistics with what each output is worth.

    statistics  of collect()
    inputs      as collect() takes them
    method      "fisher" needs torch; "perturbation" does not; "auto": "fisher" where torch is
    seed        of drawn classes or of shakes
    Raises MissingExtraError where "fisher" is asked for without torch; EngineError.
    """
    if method == "fisher" or (method == "auto" and has_torch()):
        worths = _fisher(network, statistics, inputs, seed, threads, progress)
    else:
        some = list(islice(iter(inputs), SHAKEN_PHOTOS))
        found = layer_sensitivities(
            network, statistics, some, seed=seed, threads=threads, progress=progress
        )
        worths = spread_by_readers(network, statistics, found)
    return {
        name: dataclasses.replace(layer, sensitivity=worths[name])
        for name, layer in statistics.items()
    }


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


def _fisher(
    network: Network,
    statistics: Mapping[str, LayerStatistics],
    inputs: Iterable[Array],
    seed: int,
    threads: int,
    progress: Progress,
) -> dict[str, Floats]:
    ask_for_torch("Sensitivities by back-propagation")
    from pocketlens.torchnet.fisher import weight_fisher

    fisher = weight_fisher(
        network,
        inputs,
        {name: layer.mean for name, layer in statistics.items()},
        probabilities=ends_in_softmax(network.graph),
        seed=seed,
        threads=threads,
        progress=progress,
    )
    last = classifying_weights(network.graph)
    return {
        name: spread_worth(fisher[name], seen_variances(layer), rows_are_classes=name == last)
        for name, layer in statistics.items()
    }


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
