"""What a layer's outputs are worth, measured: its weights are shaken, KL is read off.

Every weight of one layer moves by the same small amount, up or down by a seeded coin, with the
bias moving against the mean that follows (so that what is left is what quantization with bias
correction leaves). For small steps KL = 1/2 sum_o g_o E[e_o^2], and E[e_o^2] follows from the
input's covariance, so one g for the layer follows from KL. Each shake is done forth and back:
odd orders of KL cancel (antithetic variates; Hammersley and Morton 1956, "A new Monte Carlo
technique: antithetic variates").
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.progress import Progress, silent
from pocketlens.calibration.columns import weight_users
from pocketlens.calibration.divergence import kl_each
from pocketlens.calibration.running import open_float
from pocketlens.calibration.statistics import LayerStatistics
from pocketlens.classify.lens import ends_in_softmax
from pocketlens.graph.graph import Graph, Network, Node

Array = NDArray[np.float32]
Floats = NDArray[np.float64]

PAIRS = 2
"""Shakes of a layer, each forth and back."""

TARGET_KL = 0.02
"""Nats a photo that a shake should cost: far above rounding, still in the square's reach."""

_FIRST_STEP = 0.05  # of the layer's root mean square weight, to find the size of the real step
_STEPS = (1e-4, 1.0)  # bounds of the real step, likewise


def layer_sensitivities(
    network: Network,
    statistics: Mapping[str, LayerStatistics],
    inputs: Sequence[Array],
    *,
    pairs: int = PAIRS,
    seed: int = 0,
    threads: int = 1,
    progress: Progress = silent,
) -> dict[str, float]:
    """One g for every layer of `statistics`, by name; 0 where the layer's inputs never vary.

    inputs  some photos, (1, C, H, W) float32; eight to sixteen serve
    Runs the network (2 pairs + 1) times a layer on all inputs. Raises EngineError.
    """
    shaker = _Shaker(network, inputs, threads)
    found = {}
    for number, (name, layer) in enumerate(statistics.items()):
        progress("sensitivities", number, len(statistics))
        found[name] = _sensitivity(shaker, name, layer, pairs, seed)
    progress("sensitivities", len(statistics), len(statistics))
    return found


def _sensitivity(
    shaker: _Shaker, name: str, layer: LayerStatistics, pairs: int, seed: int
) -> float:
    values = shaker.network.tensors[name].astype(np.float64)
    size = float(np.sqrt((values**2).mean()))
    rng = np.random.default_rng((seed, zlib.crc32(name.encode())))
    # E[e_o^2] of a step of 1 in every weight, summed over outputs: signs are independent.
    outputs = len(values) // layer.groups
    noise = outputs * sum(float(np.trace(matrix)) for _, _, matrix in layer.parts())
    if not size or not noise:
        return 0.0
    step = _FIRST_STEP * size
    first = shaker.kl(name, layer, step * _coins(rng, values.shape))
    if first > 0:
        step *= float(np.sqrt(TARGET_KL / first))
    step = float(np.clip(step, _STEPS[0] * size, _STEPS[1] * size))
    costs = []
    for _ in range(pairs):
        shake = step * _coins(rng, values.shape)
        costs += [shaker.kl(name, layer, shake), shaker.kl(name, layer, -shake)]
    return 2 * float(np.mean(costs)) / (step**2 * noise)


def _coins(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """+1 or -1 for every weight."""
    coins: Floats = 2.0 * rng.integers(0, 2, shape).astype(np.float64) - 1.0
    return coins


class _Shaker:
    """Runs the network with one layer's weights moved, against its answers as they are."""

    def __init__(self, network: Network, inputs: Sequence[Array], threads: int) -> None:
        self.network = network
        self._inputs = np.concatenate(list(inputs))
        self._threads = threads
        self._probabilities = ends_in_softmax(network.graph)
        self._users = weight_users(network.graph)
        self._before = self._scores(network)

    def kl(self, name: str, layer: LayerStatistics, shake: Floats) -> float:
        """Mean KL to the network as it is, with `shake` added to a weight tensor."""
        tensors = dict(self.network.tensors)
        tensors[name] = (tensors[name] + shake).astype(np.float32)
        graph, tensors = _with_biases_moved(
            self.network.graph, tensors, self._users[name], mean_shift(shake, layer)
        )
        scores = self._scores(Network(graph, tensors))
        return float(kl_each(self._before, scores, probabilities=self._probabilities).mean())

    def _scores(self, network: Network) -> Array:
        engine = open_float(network, network.graph.outputs, threads=self._threads)
        (scores,) = engine.run([self._inputs])
        return scores.reshape(len(self._inputs), -1)


def mean_shift(change: Floats, layer: LayerStatistics) -> Floats:
    """What a change of a layer's weights adds to its outputs in the mean: (outputs,)."""
    rows = change.reshape(layer.groups, -1, layer.mean.shape[1])
    shift: Floats = np.einsum("goc,gc->go", rows, layer.mean).reshape(-1)
    return shift


def _with_biases_moved(
    graph: Graph, tensors: Mapping[str, Array], users: Sequence[Node], shift: Floats
) -> tuple[Graph, dict[str, Array]]:
    """A graph whose `users` have biases less `shift`; where there was none, there is one."""
    moved, shapes, nodes = dict(tensors), dict(graph.shapes), list(graph.nodes)
    for user in users:
        inputs = [*user.inputs, ""][: max(3, len(user.inputs))]
        old = tensors[inputs[2]] if inputs[2] else 0.0
        inputs[2] = f"{user.output}: moved bias"
        moved[inputs[2]] = (old - shift).astype(np.float32)
        shapes[inputs[2]] = shift.shape
        nodes[nodes.index(user)] = dataclasses.replace(user, inputs=tuple(inputs))
    return dataclasses.replace(graph, nodes=tuple(nodes), shapes=shapes), moved
