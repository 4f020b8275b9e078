"""What of a lens can be trained, and how it goes back into the lens.

Weights keep their indices: the values of their palettes are trained, an even palette by its
offset and its step. Biases, and the scales of norms, are trained as they are kept: half precision
and float freely, palettes as those of weights, even palettes on their grid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.halves import even_halves
from pocketlens.engine.reference.tensors import tensor_values
from pocketlens.graph.graph import Graph
from pocketlens.lensfile.contents import TensorRecord
from pocketlens.lensfile.indices import tensor_indices
from pocketlens.palettes.ascending import ascending_groups
from pocketlens.torchnet.trainable import Trainable

Floats = NDArray[np.float32]
HALF_MAX = 65504.0


@dataclass(frozen=True)
class Place:
    """A tensor that is trained, and where it stands.

    record     as the lens has it
    trainable  what training changes
    counts     (groups, k): how many weights each value of its palettes stands for; None where
               there are no palettes
    """

    record: TensorRecord
    trainable: Trainable
    counts: NDArray[np.int64] | None

    def keep(self, values: Floats) -> Floats:
        """The nearest values that a record can hold, before rounding: ascending, within half."""
        if self.record.fate != "float":
            values = np.clip(values, -HALF_MAX, HALF_MAX)
        if self.counts is None or self.trainable.is_even:
            return values
        return ascending_groups(values.reshape(self.counts.shape), self.counts).reshape(-1)

    def record_with(self, values: Floats) -> TensorRecord:
        """The record with trained values, as many bytes as before."""
        values = self.keep(values)
        if self.trainable.is_even:
            return self._even(values)
        if self.counts is not None:
            halves = ascending_groups(values.reshape(self.counts.shape), self.counts)
            return replace(self.record, palettes=halves.astype("<f2").tobytes())
        kind = "<f4" if self.record.fate == "float" else "<f2"
        return replace(self.record, values=values.astype(kind).tobytes())

    def _even(self, values: Floats) -> TensorRecord:
        size = self.record.palette_size
        if np.array_equal(values, self.trainable.values):
            return self.record
        step = (float(values[-1]) - float(values[0])) / max(size - 1, 1)
        offset, step = float(np.float32(values[0])), float(np.float32(step))
        try:
            palettes = even_halves(offset, step, size)
        except OverflowError:
            return self.record
        return replace(
            self.record, palettes=palettes, affine=(offset, step), reason=self._reason(step)
        )

    def _reason(self, step: float) -> str:
        """The record's reason with the new step where it tells the old one.

        Reasons that tell their own step are kept once in the file; one that tells another takes
        bytes that the budget does not have.
        """
        if self.record.affine is None:
            return self.record.reason
        old = f"steps of {self.record.affine[1]:.3g} "
        return self.record.reason.replace(old, f"steps of {step:.3g} ", 1)


def places_of(graph: Graph, records: Sequence[TensorRecord]) -> tuple[Place, ...]:
    """Every tensor of a lens that training may change, in the lens's order.

    Half-precision weights, constants and the indices of biases stay what they are.
    """
    layers = _layers_of(graph)
    weights = {node.inputs[1] for node in graph.nodes if node.op in ("conv2d", "linear")}
    places = []
    for record in records:
        if record.fate == "palette" and (record.name in weights or record.name in layers):
            places.append(_palette(record))
        elif record.name in layers:
            values = tensor_values(record).reshape(-1)
            spread = float(values.std()) if layers[record.name] is None else 1.0
            trainable = Trainable(
                record.name, record.shape, values, None, spread, layers[record.name]
            )
            places.append(Place(record, trainable, None))
    return tuple(places)


def _layers_of(graph: Graph) -> dict[str, str | None]:
    """Biases with the weights of their layer, and the norms' tensors with None."""
    layers: dict[str, str | None] = {}
    for node in graph.nodes:
        if node.op in ("conv2d", "linear") and len(node.inputs) > 2 and node.inputs[2]:
            layers[node.inputs[2]] = node.inputs[1]
        if node.op == "layer_norm":
            layers.update((name, None) for name in node.inputs[1:] if name)
    names = set(graph.tensor_names())
    return {name: layer for name, layer in layers.items() if name in names}


def _palette(record: TensorRecord) -> Place:
    palettes = np.frombuffer(record.palettes, "<f2").astype(np.float32)
    palettes = palettes.reshape(-1, record.palette_size)
    rows = tensor_indices(record).reshape(record.shape[0], -1)
    groups = np.arange(record.shape[0], dtype=np.int32) // record.group_rows
    indices = rows.astype(np.int32) + record.palette_size * groups[:, None]
    counts = np.bincount(indices.reshape(-1), minlength=palettes.size).reshape(palettes.shape)
    values = palettes.reshape(-1)
    if record.affine is not None:  # before rounding, so that what is not moved comes back as it was
        offset, step = record.affine
        values = (offset + step * np.arange(record.palette_size)).astype(np.float32)
    trainable = Trainable(
        record.name,
        record.shape,
        values,
        indices.reshape(record.shape),
        _distance(palettes),
        None,
        is_even=record.affine is not None,
    )
    return Place(record, trainable, counts)


def _distance(palettes: Floats) -> float:
    """Mean distance of neighbours in a palette, or how large its only value is."""
    spans = palettes.max(1) - palettes.min(1)
    if palettes.shape[1] > 1 and spans.any():
        distance: float = spans.mean().item() / (palettes.shape[1] - 1)
        return distance
    largest: float = np.abs(palettes).max().item()
    return largest


def with_values(
    records: Sequence[TensorRecord], places: Sequence[Place], values: Mapping[str, Floats]
) -> tuple[TensorRecord, ...]:
    """The records of a lens with trained values, in the lens's order."""
    changed = {place.record.name: place.record_with(values[place.record.name]) for place in places}
    return tuple(changed.get(record.name, record) for record in records)
