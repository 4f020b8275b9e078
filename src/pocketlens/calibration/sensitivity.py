"""What the outputs of every layer are worth: g of LayerStatistics, by one of two ways.

With torch: Fisher information by back-propagation, an own value for every output, and of the
shape of the loss (fisher.py). Without: the weights of a layer are shaken and KL is measured
through the engine (perturbation.py), one value a layer, which is spread over outputs by who reads
them (downstream.py). Both say the same of layers: on MobileNetV2 and ResNet-8 their logarithms
correlate by 0.99. They give different bytes, so a lens keeps which it was.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.progress import Progress, silent
from pocketlens.calibration.downstream import spread_by_readers
from pocketlens.calibration.fisher import add_fisher
from pocketlens.calibration.perturbation import layer_sensitivities
from pocketlens.calibration.statistics import LayerStatistics
from pocketlens.graph.graph import Network
from pocketlens.torchnet.network import has_torch

Array = NDArray[np.float32]
Method = Literal["fisher", "shaking"]

SHAKEN_PHOTOS = 16
"""Of the inputs, the first so many serve "shaking"."""


def method_here() -> Method:
    """The way that is used where none is asked for: "fisher" where torch is installed."""
    return "fisher" if has_torch() else "shaking"


def add_sensitivities(
    network: Network,
    statistics: Mapping[str, LayerStatistics],
    inputs: Iterable[Array],
    *,
    method: Method | None = None,
    seed: int = 0,
    threads: int = 1,
    progress: Progress = silent,
) -> dict[str, LayerStatistics]:
    """The same statistics with what each output is worth.

    statistics  of collect()
    inputs      as collect() takes them
    method      None: method_here()
    seed        of drawn directions of the answer, or of shakes
    threads     the result is the same for any number
    Raises MissingExtraError where "fisher" is asked for without torch; EngineError.
    """
    if (method or method_here()) == "fisher":
        return add_fisher(
            network, statistics, inputs, seed=seed, threads=threads, progress=progress
        )
    some = list(islice(iter(inputs), SHAKEN_PHOTOS))
    found = layer_sensitivities(
        network, statistics, some, seed=seed, threads=threads, progress=progress
    )
    worths = spread_by_readers(network, statistics, found)
    return {
        name: dataclasses.replace(layer, sensitivity=worths[name])
        for name, layer in statistics.items()
    }
