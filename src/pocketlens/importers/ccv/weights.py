"""Blobs to float32: exactly as long as the layer needs, and every number finite.

ccv counts elements by integer division and takes a blob of another length for missing weights,
which are then zeros; here both are refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.errors import ModelError
from pocketlens.importers.ccv.database import Database, Value, told
from pocketlens.importers.ccv.layers import Layer, flag, whole

HALF, SINGLE = "<f2", "<f4"
"""Of a number in a blob."""
_COLUMNS = ("layer", *told("weight"), *told("bias"), "half_precision")


@dataclass(frozen=True)
class Stored:
    """What the row of a layer holds, its lengths judged; nothing is read yet.

    key       the row's number as SQLite has it
    has_weight  whether the weights are there; else they have to be in a picture
    item      "<f4" or "<f2": of both blobs
    """

    key: Value
    has_weight: bool
    item: str


def stored_layers(database: Database, layers: Sequence[Layer]) -> dict[int, Stored]:
    """What every layer with weights has, by its number. Raises ModelError 'ccv-weights'."""
    found: dict[int, tuple[Value, ...]] = {}
    for row in database.rows("layer_data", _COLUMNS):
        number = whole(row[0], "the layer", "a row of 'layer_data'", slug="ccv-weights")
        if number >= len(layers) or number in found:
            raise ModelError(
                f"its table 'layer_data' has a row for layer {number}"
                + (" twice" if number in found else f", but there are {len(layers)} layers"),
                slug="ccv-weights",
            )
        found[number] = row
    return {
        layer.number: _stored(layer, found.get(layer.number))
        for layer in layers
        if layer.has_weights
    }


def read_weight(database: Database, layer: Layer, stored: Stored) -> NDArray[np.float32]:
    """The weights in ccv's order: (count, kernel rows, kernel cols, channels of a group), or
    (outputs, inputs). Raises ModelError 'not-finite'.
    """
    blob = database.blob("layer_data", "weight", "layer", stored.key)
    return floats(blob, stored.item, layer.weight_shape, f"the weights of layer {layer.number}")


def read_bias(database: Database, layer: Layer, stored: Stored) -> NDArray[np.float32]:
    """The bias, (count,). Raises ModelError 'not-finite'."""
    blob = database.blob("layer_data", "bias", "layer", stored.key)
    return floats(blob, stored.item, (layer.count,), f"the bias of layer {layer.number}")


def floats(blob: bytes, item: str, shape: Sequence[int], what: str) -> NDArray[np.float32]:
    """Numbers of a blob, "<f4" or "<f2", as float32. Raises ModelError 'not-finite'."""
    values = np.frombuffer(blob, item).astype(np.float32).reshape(tuple(shape))
    if not np.isfinite(values).all():
        broken = int(np.count_nonzero(~np.isfinite(values)))
        raise ModelError(
            f"{broken:,} of the {values.size:,} numbers of {what} are NaN or infinite; the file "
            "was damaged, or its training diverged",
            slug="not-finite",
        )
    return values


def seen(kind: Value, length: Value) -> str:
    """What stands where a blob should, by its told() type and length, in words."""
    if kind == "blob":
        return f"{length!s} bytes"
    return "NULL" if kind == "null" else f"a value of type {kind!r}"


def _stored(layer: Layer, row: tuple[Value, ...] | None) -> Stored:
    if row is None:
        raise layer.fault("has no row in 'layer_data', so no weights", slug="ccv-weights")
    key, *lengths, half = row
    owner = f"layer {layer.number}"
    item = HALF if flag(half, "'half_precision'", owner) else SINGLE
    weight = (lengths[0], lengths[1])
    has_weight = weight[0] != "null" and weight != ("blob", 0)
    if has_weight:
        _check_length(layer, "weights", weight, math.prod(layer.weight_shape), item)
    _check_length(layer, "bias", (lengths[2], lengths[3]), layer.count, item)
    return Stored(key, has_weight, item)


def _check_length(
    layer: Layer, what: str, blob: tuple[Value, Value], count: int, item: str
) -> None:
    kind, length = blob
    expected = count * np.dtype(item).itemsize
    if kind == "blob" and length == expected:
        return
    width = "half" if item == HALF else "single"
    raise layer.fault(
        f"has {seen(kind, length)} for its {what}; {count:,} numbers in {width} precision take "
        f"{expected:,} bytes",
        slug="ccv-weights",
    )
