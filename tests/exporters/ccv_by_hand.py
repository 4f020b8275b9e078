"""What ccv computes from its files, written from the format's description and from nothing here.

Loops over pixels in float64; the importer, the graph and the engines have no part in it, so that
an exporter and an importer that are wrong in the same way do not agree with it.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Row = dict[str, Any]
Array = np.ndarray


def encode(path: Path, patch: Array) -> list[Array]:
    """Every layer's output for a patch (rows, cols, channels), mean subtracted already."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        layers = [dict(row) for row in database.execute("SELECT * FROM layer_params ORDER BY 1")]
        data = {row["layer"]: dict(row) for row in database.execute("SELECT * FROM layer_data")}
        has_quant = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'layer_quant'")
        quants = dict(database.execute("SELECT * FROM layer_quant")) if has_quant.fetchall() else {}
    held, outputs = patch.astype(np.float64), []
    for number, layer in enumerate(layers):
        assert held.shape == shape_below(layer), number
        if layer["type"] in (1, 2):
            kind = "<f2" if data[number]["half_precision"] else "<f4"
            bias = np.frombuffer(data[number]["bias"], kind).astype(np.float64)
            if number in quants:
                assert data[number]["weight"] is None
                weight = from_picture(path, number, quants[number])
            else:
                weight = np.frombuffer(data[number]["weight"], kind).astype(np.float64)
            compute = convolution if layer["type"] == 1 else full_connect
            held = compute(layer, held, weight, bias)
        else:
            held = norm(layer, held) if layer["type"] == 5 else pool(layer, held)
        outputs.append(held)
    return outputs


def shape_below(layer: Row) -> tuple[int, ...]:
    """The input that a layer declares."""
    return tuple(layer[f"input_matrix_{name}"] for name in ("rows", "cols", "channels"))


def from_picture(path: Path, number: int, quant: bytes) -> Array:
    """Weights of a picture and a table."""
    (picture,) = path.parent.glob(f"layer-{number}[-.]*png")
    with Image.open(picture) as opened:
        assert opened.mode == "L"
        return np.frombuffer(quant, "<f2").astype(np.float64)[np.asarray(opened)]


def windows(layer: Row, held: Array, rows: int, cols: int, one: Callable[[Array], Array]) -> Array:
    """What `one` makes of each window of a padded picture."""
    stride, border = layer["output_strides"], layer["output_border"]
    padded = np.pad(held, ((border, border), (border, border), (0, 0)), constant_values=np.nan)
    high, wide = padded.shape[0] - rows, padded.shape[1] - cols
    assert high % stride == 0 and wide % stride == 0
    return np.stack([
        np.stack([one(padded[y : y + rows, x : x + cols]) for x in range(0, wide + 1, stride)])
        for y in range(0, high + 1, stride)
    ])  # fmt: skip


def convolution(layer: Row, held: Array, weight: Array, bias: Array) -> Array:
    """Filters in groups, zeros around the picture, and never less than 0."""
    rows, cols, count = (layer[f"output_{name}"] for name in ("rows", "cols", "count"))
    groups, own = layer["input_matrix_partition"], held.shape[2] // layer["input_matrix_partition"]
    filters = weight.reshape(groups, count // groups, rows, cols, own)

    def one(window: Array) -> Array:
        seen = np.nan_to_num(window).reshape(rows, cols, groups, own)
        return np.einsum("gkyxc,yxgc->gk", filters, seen).reshape(count) + bias

    return np.maximum(windows(layer, held, rows, cols, one), 0)


def pool(layer: Row, held: Array) -> Array:
    """Maximum or average of what of the window lies inside the picture."""
    one = np.nanmax if layer["type"] == 3 else np.nanmean
    size = layer["output_size"]
    return windows(layer, held, size, size, lambda window: one(window, axis=(0, 1)))


def norm(layer: Row, held: Array) -> Array:
    """Over neighbouring channels inside a group; alpha as it is."""
    own, reach = held.shape[2] // layer["input_matrix_partition"], layer["output_size"] // 2
    out = np.empty_like(held)
    for channel in range(held.shape[2]):
        begin = channel // own * own
        near = held[..., max(begin, channel - reach) : min(begin + own, channel + reach + 1)]
        power = layer["output_kappa"] + layer["output_alpha"] * (near**2).sum(-1)
        out[..., channel] = held[..., channel] * power ** -layer["output_beta"]
    return out


def full_connect(layer: Row, held: Array, weight: Array, bias: Array) -> Array:
    """Rows of weights times all numbers, row by row, pixel by pixel."""
    assert layer["input_node_count"] == held.size
    out = weight.reshape(layer["output_count"], -1) @ held.reshape(-1) + bias
    return (np.maximum(out, 0) if layer["output_relu"] else out).reshape(-1, 1, 1)
