"""A lens's tensors in ccv's layout: blobs of numbers, or a table of values and a picture.

Convolutions have the channels of their group last: (count, row, column, channel). A full connect
whose weights have one palette stays palette and indices, as Klaus's were; the columns of the first
one are moved to where ccv has the numbers that they read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pocketlens.engine.reference.tensors import tensor_values
from pocketlens.exporters.ccv.layers import Convolution, FullConnect, Layer, cannot
from pocketlens.exporters.ccv.picture import Picture
from pocketlens.lensfile.contents import LensContents, TensorRecord
from pocketlens.lensfile.indices import tensor_indices

Floats = NDArray[np.float32]
Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True)
class Indexed:
    """Weights as Klaus had them.

    indices  uint8 (outputs, inputs)
    values   float16 (k,), k from 1 to 256, ascending
    """

    indices: NDArray[np.uint8]
    values: NDArray[np.float16]


@dataclass(frozen=True)
class Weights:
    """The numbers of one layer.

    weight  float32 in ccv's layout, or a palette and indices
    bias    float32, one an output
    is_half whether the lens holds all of it in half precision, and nothing changed it
    """

    weight: Floats | Indexed
    bias: Floats
    is_half: bool


def weights_of(
    contents: LensContents, layers: Sequence[Layer], picture: Picture
) -> dict[int, Weights]:
    """The numbers of every layer that has some, by its number. Raises ModelError
    'ccv-cannot-express' where the picture's scale or order cannot be put into weights.
    """
    records = {record.name: record for record in contents.tensors}
    found: dict[int, Weights] = {}
    is_first = True
    for number, layer in enumerate(layers):
        if isinstance(layer, Convolution):
            found[number] = _convolution(records, layer, picture if is_first else None)
            is_first = False
        elif isinstance(layer, FullConnect):
            found[number] = _full_connect(records, layer)
    return found


def _convolution(
    records: Mapping[str, TensorRecord], layer: Convolution, picture: Picture | None
) -> Weights:
    record = records[layer.weight]
    weight = tensor_values(record)
    is_half = record.fate != "float"
    if picture is not None and picture.is_scaled:
        weight = _divided(weight, layer, picture.scale)
        is_half = False
    if picture is not None and picture.is_swapped:
        if layer.groups != 1:
            raise cannot(layer.node, "it takes blue first in groups, and ccv takes red first")
        weight = weight[:, ::-1]
    bias, bias_is_half = _bias(records, layer)
    return Weights(
        np.ascontiguousarray(weight.transpose(0, 2, 3, 1)), bias, is_half and bias_is_half
    )


def _divided(weight: Floats, layer: Convolution, scale: tuple[float, ...]) -> Floats:
    """Weights for pixels that are not divided: each by the scale of the channel that it sees."""
    count, own = weight.shape[:2]
    groups = np.arange(count) // (count // layer.groups)
    channels = groups[:, None] * own + np.arange(own)
    divided: Floats = (weight / np.array(scale)[channels, None, None]).astype(np.float32)
    if not np.isfinite(divided).all():
        raise cannot(layer.node, f"divided by the scale {scale}, its weights do not fit float32")
    return divided


def _full_connect(records: Mapping[str, TensorRecord], layer: FullConnect) -> Weights:
    record = records[layer.weight]
    bias, bias_is_half = _bias(records, layer)
    if record.fate != "palette" or record.group_rows < record.shape[0]:
        weight = _moved(tensor_values(record), layer)
        return Weights(weight, bias, bias_is_half and record.fate != "float")
    values = np.frombuffer(record.palettes, "<f2").astype(np.float16)
    return Weights(Indexed(_moved(tensor_indices(record), layer), values), bias, bias_is_half)


def _moved(rows: NDArray[Number], layer: FullConnect) -> NDArray[Number]:
    """Columns where ccv has them."""
    if layer.places is None:
        return rows
    moved = np.empty_like(rows)
    moved[:, layer.places] = rows
    return moved


def _bias(
    records: Mapping[str, TensorRecord], layer: Convolution | FullConnect
) -> tuple[Floats, bool]:
    """The bias, zeros where there is none, and whether half precision holds it."""
    if not layer.bias:
        return np.zeros(layer.count, np.float32), True
    record = records[layer.bias]
    return tensor_values(record), record.fate != "float"
