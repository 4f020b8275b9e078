"""Rows to ccv's SQLite file: the tables and columns that its reader asks for by name.

Written straight to a file, since a network's blobs can have hundreds of megabytes. Same rows, same
bytes: fields of SQLite's header that tell the library and its writes are set to constants.
"""

from __future__ import annotations

import contextlib
import sqlite3
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.files import cannot_write
from pocketlens.exporters.ccv.layers import Convolution, FullConnect, Layer, Norm, Pool
from pocketlens.exporters.ccv.picture import Picture
from pocketlens.exporters.ccv.weights import Indexed, Weights

Value: TypeAlias = int | float | bytes | None

PAGE_BYTES = 4096
_WRITES = 1
_WRITER = 3_036_000

_COLUMNS = {
    "type": "INTEGER",
    "input_matrix_rows": "INTEGER",
    "input_matrix_cols": "INTEGER",
    "input_matrix_channels": "INTEGER",
    "input_matrix_partition": "INTEGER",
    "input_node_count": "INTEGER",
    "output_rows": "INTEGER",
    "output_cols": "INTEGER",
    "output_channels": "INTEGER",
    "output_partition": "INTEGER",
    "output_count": "INTEGER",
    "output_strides": "INTEGER",
    "output_border": "INTEGER",
    "output_size": "INTEGER",
    "output_kappa": "REAL",
    "output_alpha": "REAL",
    "output_beta": "REAL",
    "output_relu": "INTEGER",
}
"""Of `layer_params`, beside the number of the layer."""
_TABLES = {
    "layer_params": ("layer", _COLUMNS),
    "convnet_params": (
        "convnet",
        {"input_height": "INTEGER", "input_width": "INTEGER", "mean_activity": "BLOB"},
    ),
    "layer_data": (
        "layer",
        {"weight": "BLOB", "bias": "BLOB", "half_precision": "INTEGER"},
    ),
    "layer_quant": ("layer", {"quant": "BLOB"}),
}
_CONVOLUTION, _FULL_CONNECT, _MAX_POOL, _AVERAGE_POOL, _NORM = 1, 2, 3, 4, 5


def write_database(
    path: Path, layers: Sequence[Layer], weights: Mapping[int, Weights], picture: Picture
) -> None:
    """Write a network into the empty file at `path`. Raises FileError 'cannot-write'."""
    try:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            database.execute("PRAGMA journal_mode = OFF")  # nobody sees the file before it is whole
            database.execute("PRAGMA synchronous = OFF")
            database.execute("BEGIN")
            _fill(database, layers, weights, picture)
            database.execute("COMMIT")
        _forget_history(path)
    except (sqlite3.Error, OverflowError) as error:
        raise cannot_write(path, OSError(str(error))) from error


def _fill(
    database: sqlite3.Connection,
    layers: Sequence[Layer],
    weights: Mapping[int, Weights],
    picture: Picture,
) -> None:
    _insert(database, "layer_params", _layer_rows(layers))
    _insert(
        database,
        "convnet_params",
        iter([(0, {"input_height": picture.height, "input_width": picture.width,
                   "mean_activity": picture.mean})]),
    )  # fmt: skip
    is_half = all(each.is_half for each in weights.values())
    _insert(database, "layer_data", _data_rows(weights, is_half=is_half))
    tables = {
        number: each.weight.values for number, each in weights.items()
        if isinstance(each.weight, Indexed)
    }  # fmt: skip
    if tables:
        quants = ((number, {"quant": _half(values)}) for number, values in tables.items())
        _insert(database, "layer_quant", quants)


def _insert(
    database: sqlite3.Connection, table: str, rows: Iterator[tuple[int, Mapping[str, Value]]]
) -> None:
    """Make a table and its rows, each a number and columns by name; others are NULL."""
    key, columns = _TABLES[table]
    told = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    database.execute(f"CREATE TABLE {table} ({key} INTEGER PRIMARY KEY ASC, {told})")
    marks = ", ".join("?" * (len(columns) + 1))
    for number, row in rows:
        values = [row.get(name) for name in columns]
        database.execute(f"INSERT INTO {table} VALUES ({marks})", (number, *values))


def _layer_rows(layers: Sequence[Layer]) -> Iterator[tuple[int, dict[str, Value]]]:
    partition = 1
    for number, layer in enumerate(layers):
        below = layer.below
        row: dict[str, Value] = {
            "input_matrix_rows": below.rows,
            "input_matrix_cols": below.cols,
            "input_matrix_channels": below.channels,
            "input_matrix_partition": partition,
            "input_node_count": 0,
        }
        match layer:
            case Convolution():
                partition = _partition_above(layer, layers[number + 1 :])
                row |= _convolution_columns(layer, partition)
            case Pool():
                row |= _pool_columns(layer)
            case Norm():
                row |= _norm_columns(layer)
            case FullConnect():
                row |= _full_connect_columns(layer)
        yield number, row


def _convolution_columns(layer: Convolution, partition: int) -> dict[str, Value]:
    return {
        "type": _CONVOLUTION,
        "input_matrix_partition": layer.groups,
        "output_rows": layer.rows,
        "output_cols": layer.cols,
        "output_channels": layer.below.channels,
        "output_partition": partition,
        "output_count": layer.count,
        "output_strides": layer.strides,
        "output_border": layer.border,
    }


def _partition_above(layer: Convolution, above: Sequence[Layer]) -> int:
    """The groups that the next layer with groups takes its filters in: what ccv trained with."""
    groups = next((each.groups for each in above if isinstance(each, Convolution | Norm)), 1)
    fits = groups % layer.groups == 0 and layer.count % groups == 0
    return groups if fits else layer.groups


def _pool_columns(layer: Pool) -> dict[str, Value]:
    return {
        "type": _MAX_POOL if layer.kind == "max" else _AVERAGE_POOL,
        "output_size": layer.size,
        "output_strides": layer.strides,
        "output_border": layer.border,
    }


def _norm_columns(layer: Norm) -> dict[str, Value]:
    return {
        "type": _NORM,
        "input_matrix_partition": layer.groups,
        "output_size": layer.size,
        "output_kappa": float(np.float32(layer.kappa)),
        "output_alpha": float(np.float32(layer.alpha)),
        "output_beta": float(np.float32(layer.beta)),
    }


def _full_connect_columns(layer: FullConnect) -> dict[str, Value]:
    return {
        "type": _FULL_CONNECT,
        "input_matrix_partition": 1,
        "input_node_count": layer.below.count,
        "output_count": layer.count,
        "output_relu": int(layer.relu),
    }


def _data_rows(
    weights: Mapping[int, Weights], *, is_half: bool
) -> Iterator[tuple[int, dict[str, Value]]]:
    kind = "<f2" if is_half else "<f4"
    for number, each in weights.items():
        weight = None if isinstance(each.weight, Indexed) else each.weight.astype(kind).tobytes()
        bias = each.bias.astype(kind).tobytes()
        yield number, {"weight": weight, "bias": bias, "half_precision": int(is_half)}


def _half(values: NDArray[np.float16]) -> bytes:
    return values.astype("<f2").tobytes()


def _forget_history(path: Path) -> None:
    """https://www.sqlite.org/fileformat2.html, 1.3: change counter, its version, the library's."""
    with path.open("r+b") as file:
        file.seek(24)
        file.write(struct.pack(">I", _WRITES))
        file.seek(92)
        file.write(struct.pack(">II", _WRITES, _WRITER))
