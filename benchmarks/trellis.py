"""Trellis-coded planes against the product's, at each price of a bit (docs/design/0004).

    POCKETLENS_DATA=... python benchmarks/trellis.py [--model NAME] [--lagrangian 1e-7 ...]
                                                     [--no-torch]

A column's weights are chosen together, down the outputs, by an 8-state trellis over two palettes
(Marcellin and Fischer 1990; with rate: Fischer and Wang 1992); error feedback then goes on to the
next column as ever. Every column starts in state 0, so the order of columns is free. KL is
measured on the select part; `foreseen` is the loss by the statistics, which has no noise. NumPy
only: a network takes minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from compression_judge import prepare
from measuring import commit, machine
from models import MODELS, RealModel, data_folder
from pocketlens.calibration.running import open_float
from pocketlens.calibration.statistics import LayerStatistics
from pocketlens.classify.lens import ends_in_softmax
from pocketlens.compression.bias import bias_shift
from pocketlens.compression.coding import WITH_WEIGHTS
from pocketlens.compression.layer import (
    CodedLayer,
    CodingSettings,
    code_layer,
    evened,
    shrunk_covariance,
)
from pocketlens.graph.graph import Network
from pocketlens.importers.onnx.reader import read_onnx
from pocketlens.palettes.feedback import (
    Hessian,
    back_in_place,
    energy,
    fit_values,
    in_order,
    normal_equations,
    prepare_hessian,
)
from pocketlens.palettes.rate_distortion import RatedPalette, fit_rate_distortion
from pocketlens.planes.encode import encode_plane
from pocketlens.planes.plane import index_bits_for
from rate_distortion import LAGRANGIANS, known_of, log_probabilities, scores_of

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

# Ungerboeck's 8 states. A state reads palette PALETTE[state]; the choice of a level with an even
# or an odd number leads to NEXT[state, 0 or 1].
PALETTE = np.array([0, 1] * 4)
NEXT = np.array([[0, 1], [2, 3], [5, 4], [7, 6], [1, 0], [3, 2], [4, 5], [6, 7]])
STATES = len(NEXT)
FROM = np.array([np.argwhere(to == NEXT) for to in range(STATES)])  # (8, 2, [state, parity])
CAME, TOOK = FROM[..., 0], FROM[..., 1]

LARGEST = (128, 16, 4)
PASSES = 4


def best_path(costs: Floats) -> tuple[Numbers, Numbers]:
    """Viterbi from state 0: palettes and parities (n,) of the least sum of costs (n, 2, 2)."""
    metrics = costs[:, PALETTE[CAME], TOOK]
    total = np.full(STATES, np.inf)
    total[0] = 0.0
    choices = np.empty((len(costs), STATES), np.int64)
    every = np.arange(STATES)
    for number, metric in enumerate(metrics):
        reached = total[CAME] + metric
        choice = choices[number] = (reached[:, 1] < reached[:, 0]).astype(np.int64)
        total = reached[every, choice]
    state = int(total.argmin())
    palettes, parities = np.empty(len(costs), np.int64), np.empty(len(costs), np.int64)
    for number in range(len(costs) - 1, -1, -1):
        choice = choices[number, state]
        parities[number] = TOOK[state, choice]
        state = int(CAME[state, choice])
        palettes[number] = PALETTE[state]
    return palettes, parities


class TrellisLayer:
    """A layer posed as code_layer does, to be coded along a trellis.

    Levels have fine numbers, palette x levels + number in the palette; planes hold the latter.
    """

    def __init__(
        self,
        weights: NDArray[np.float32],
        known: LayerStatistics,
        lagrangian: float,
        settings: CodingSettings,
    ):
        self.shape = weights.shape
        self.rows = np.ascontiguousarray(weights).reshape(len(weights), -1)
        self.known, self.lagrangian, self.settings = known, lagrangian, settings
        covariance = shrunk_covariance(known.covariance, known)
        self.hessian: Hessian = prepare_hessian(covariance, damping=settings.damping)
        self.worth = 0.5 * evened(known.sensitivity, settings.even_outputs)
        self.weights = in_order(self.rows, self.hessian.order)
        self.group_of = np.repeat(np.arange(known.groups), len(self.rows) // known.groups)
        self.importance = self.worth[:, None] * self.hessian.curvature[self.group_of]
        self.whole = energy(self.weights, self.hessian, worth=self.worth)

    def coded(self) -> CodedLayer:
        """The least loss + lagrangian x bits of all numbers of levels; or without a trellis."""
        best = code_layer(
            self.rows.reshape(self.shape), self.known, lagrangian=self.lagrangian,
            settings=self.settings,
        )  # fmt: skip
        for most in LARGEST:
            if most > 16 and len(best.palette) <= 16:
                continue  # planes of 4 bits are packed closer than those of 8
            start = fit_rate_distortion(
                self.weights,
                importance=self.importance,
                lagrangian=self.lagrangian,
                most_levels=most,
            )
            if len(start.values) > 1:
                best = min(best, self._solve(start, most), key=self._cost)
        return best

    def _cost(self, layer: CodedLayer) -> float:
        return layer.distortion + self.lagrangian * layer.bits

    def _solve(self, start: RatedPalette, most: int) -> CodedLayer:
        middle = start.values.astype(np.float64)
        gaps = np.gradient(middle)
        values = np.stack([middle - gaps / 4, middle + gaps / 4])
        least = 1.0 if most > 16 else 0.0
        bits = np.maximum(start.lengths_bits, least).astype(np.float64)
        best: tuple[float, Numbers, Floats] | None = None
        for _ in range(PASSES):
            fine, targets, distortion = self._choose(values, bits)
            counts = np.bincount(fine.reshape(-1), minlength=values.size).astype(np.float64)
            both = counts.reshape(2, -1).sum(axis=0)
            bits = np.maximum(np.log2(both.sum() / np.maximum(both, 0.3)), least)
            cost = distortion + self.lagrangian * float((both * bits).sum())
            if best is None or cost < best[0]:
                best = cost, fine, values
            values = self._centroids(fine, targets, values)
        assert best is not None
        layers = [self._finished(best[1], best[2], tied=tied) for tied in (False, True)]
        return min(layers, key=self._cost)

    def _choose(self, values: Floats, bits: Floats) -> tuple[Numbers, NDArray[np.float32], float]:
        """Fine numbers (outputs, columns), what weights had become, and the distortion."""
        outputs, columns = self.weights.shape
        left = self.weights.copy()
        fine = np.zeros((outputs, columns), np.int64)
        price = self.lagrangian * self.settings.inner_rate
        total, every = 0.0, np.arange(outputs)
        for j in range(columns):
            factor = self.hessian.factor[:, j, j:]
            diagonal = factor[self.group_of, 0].astype(np.float64)
            curvature = self.worth / diagonal**2
            errors = left[:, j, None, None] - values
            costs = curvature[:, None, None] * errors**2 + price * bits
            even, odd = costs[..., 0::2].argmin(-1), costs[..., 1::2].argmin(-1)
            levels = np.stack([2 * even, 2 * odd + 1], axis=-1)
            palettes, parities = best_path(np.take_along_axis(costs, levels, axis=-1))
            numbers = levels[every, palettes, parities]
            error = errors[every, palettes, numbers]
            fine[:, j] = palettes * values.shape[1] + numbers
            total += float((curvature * error**2).sum())
            moved = (error / diagonal).astype(np.float32)[:, None]
            left[:, j + 1 :] -= (
                moved * (factor if len(factor) == 1 else factor[self.group_of])[:, 1:]
            )
        return fine, left, total

    def _centroids(self, fine: Numbers, targets: NDArray[np.float32], values: Floats) -> Floats:
        flat, mass = fine.reshape(-1), self.importance.reshape(-1)
        size = values.size
        masses = np.bincount(flat, weights=mass, minlength=size)
        sums = np.bincount(flat, weights=mass * targets.reshape(-1), minlength=size)
        moved = np.divide(sums, masses, out=values.reshape(-1).copy(), where=masses > 0)
        return np.sort(moved.reshape(values.shape), axis=1)

    def _finished(self, fine: Numbers, values: Floats, *, tied: bool) -> CodedLayer:
        """Values fitted and stretched as the product does, bytes counted.

        tied: the second palette is the first, moved by one distance.
        """
        used, flat = np.unique(fine, return_inverse=True)
        numbers = flat.reshape(fine.shape).astype(np.uint8)
        old = values.reshape(-1)[used].astype(np.float32)
        matrix, vector = normal_equations(
            self.weights, self.hessian, worth=self.worth, indices=numbers, size=len(used)
        )
        second, level = np.divmod(used, values.shape[1])
        levels = np.unique(level)
        free = np.eye(len(used))
        if tied:
            free = np.column_stack([level[:, None] == levels, 2.0 * second - 1]).astype(np.float64)
            old = np.linalg.lstsq(free, old, rcond=None)[0].astype(np.float32)
        fitted = free @ fit_values(free.T @ matrix @ free, free.T @ vector, old)
        follows = float(fitted @ vector)
        if follows > 0:
            fitted *= np.clip(self.whole / follows, 1.0, 2.0) ** self.settings.unbias
        palette = np.clip(fitted, -65504, 65504).astype(np.float16)
        values_of = palette.astype(np.float32)
        loss = energy(self.weights - values_of[numbers], self.hessian, worth=self.worth)
        indices = back_in_place(numbers, self.hessian.order)
        plane = (level - level.min()).astype(np.uint8)[indices].reshape(self.shape)
        encoded = encode_plane(plane, index_bits=index_bits_for(int(plane.max()) + 1))
        bits = 8 * sum(len(band.png) for band in encoded.bands) + 16 * min(free.shape) + 8
        shift = bias_shift(self.rows, values_of[indices], self.known.mean)
        return CodedLayer(indices.reshape(self.shape), palette, shift, loss, bits)


def coded_network(
    network: Network, known: Mapping[str, LayerStatistics], lagrangian: float, *, trellis: bool
) -> tuple[Network, int, float]:
    """The network with weights and biases as coded, its bytes, and the foreseen loss."""
    tensors = dict(network.tensors)
    names = [name for name in network.graph.tensor_names() if name in known]
    bits = 16 * sum(values.size for name, values in tensors.items() if name not in known)
    foreseen = 0.0
    biases = {
        node.inputs[1]: node.inputs[2]
        for node in network.graph.nodes
        if node.op in WITH_WEIGHTS and len(node.inputs) > 2
    }
    for name in names:
        settings = CodingSettings(even_outputs=1.0) if name == names[-1] else CodingSettings()
        weights = network.tensors[name]
        if trellis:
            layer = TrellisLayer(weights, known[name], lagrangian, settings).coded()
        else:
            layer = code_layer(weights, known[name], lagrangian=lagrangian, settings=settings)
        bits, foreseen = bits + layer.bits, foreseen + layer.distortion
        tensors[name] = layer.palette.astype(np.float32)[layer.indices]
        tensors[biases[name]] = tensors[biases[name]] + layer.bias_shift
    return replace(network, tensors=tensors), bits // 8, foreseen


def measure(
    model: RealModel, lagrangians: tuple[float, ...], *, torch: bool, console: Console
) -> None:
    network = read_onnx(data_folder() / model.file).network
    graph = network.graph
    parts = prepare(model)
    known = known_of(network, parts["fit"], torch=torch)
    pictures, softmax = parts["select"].inputs, ends_in_softmax(graph)
    told = _told(network, pictures, softmax=softmax)
    asked = sorted(lagrangians or LAGRANGIANS[model.name])
    rows: dict[bool, list[dict[str, Any]]] = {False: [], True: []}
    for trellis in (False, True):
        for lagrangian in asked:
            coded, size, foreseen = coded_network(network, known, lagrangian, trellis=trellis)
            logs = _told(coded, pictures, softmax=softmax)
            kl = float((np.exp(told) * (told - logs)).sum(axis=1).mean())
            row = {"lagrangian": lagrangian, "bytes": size, "foreseen": foreseen, "KL": kl}
            rows[trellis].append(row)
            against = "  ".join(
                f"{key} {row[key]:.5f} {_saved(row, rows[False], key) if trellis else ''}"
                for key in ("foreseen", "KL")
            )
            kind = "trellis" if trellis else "product"
            console.print(f"{model.name}  {kind}  {lagrangian:.2g}  {size:,} bytes  {against}")


def _saved(row: dict[str, Any], product: list[dict[str, Any]], key: str) -> str:
    """Bytes against the product's at the same loss, between its points in log loss."""
    losses = np.log([other[key] for other in product])
    order, own = np.argsort(losses), np.log(row[key])
    if not losses.min() <= own <= losses.max():
        return "(outside)"
    sizes = np.array([other["bytes"] for other in product], np.float64)
    there = float(np.interp(own, losses[order], sizes[order]))
    return f"({100 * (row['bytes'] / there - 1):+.1f}% bytes)"


def _told(network: Network, pictures: NDArray[np.float32], *, softmax: bool) -> Floats:
    scores = scores_of(open_float(network, network.graph.outputs), pictures)
    return log_probabilities(scores, probabilities=softmax)


@click.command()
@click.option("--model", "names", multiple=True, help="Only these models.")
@click.option("--lagrangian", "lagrangians", multiple=True, type=float, help="In nats a bit.")
@click.option("--torch/--no-torch", default=True, help="Fisher information, or shaken weights.")
def main(names: tuple[str, ...], lagrangians: tuple[float, ...], torch: bool) -> None:
    """Print bytes and losses with and without a trellis."""
    console = Console(width=130, highlight=False)
    console.print(f"{machine()}, commit {commit()}")
    for model in MODELS:
        if not names or model.name in names:
            measure(model, lagrangians, torch=torch, console=console)


if __name__ == "__main__":
    main()
