"""ccv's own fixtures, and networks of its kind written here."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pocketlens.planes.packing import pack_rows

NAMES = ("micro", "tiny", "tiny-half", "odd", "mobile/mobile", "mobile/mobile-full")


def fixtures(data_folder: Path) -> Path:
    """The folder of the fixtures."""
    folder = data_folder / "ccv" / "fixtures"
    if not folder.is_dir():
        pytest.skip(f"'{data_folder}' has no ccv/fixtures")
    return folder


def malformed(folder: Path) -> list[dict[str, Any]]:
    """The cases of malformed.json: name, sql, what a reader should do."""
    cases: list[dict[str, Any]] = json.loads((folder / "malformed.json").read_text())["cases"]
    return cases


def changed(source: Path, target: Path, *statements: str) -> Path:
    """A copy of a file after SQL statements."""
    shutil.copy(source, target)
    target.chmod(0o644)
    database = sqlite3.connect(target)
    for statement in statements:
        database.executescript(statement)
    database.commit()
    database.close()
    return target


CONV, FC, MAX_POOL, AVG_POOL, NORM = 1, 2, 3, 4, 5
_OUTPUT = (
    "rows", "cols", "channels", "partition", "count", "strides", "border", "size", "kappa",
    "alpha", "beta", "relu",
)  # fmt: skip
_INPUT = ("rows", "cols", "channels", "partition")


@dataclass(frozen=True)
class Row:
    """A layer: its type, (rows, cols, channels) of its input, groups, and its output_ columns."""

    type: int
    input: tuple[int, int, int]
    groups: int = 1
    output: dict[str, Any] = field(default_factory=dict)

    def columns(self, number: int) -> tuple[Any, ...]:
        rows, cols, channels = self.input
        nodes = rows * cols * channels if self.type == FC else 0
        output = [self.output.get(name) for name in _OUTPUT]
        return number, self.type, rows, cols, channels, self.groups, nodes, *output


def write_database(
    path: Path,
    layers: Sequence[Row],
    data: Mapping[int, tuple[np.ndarray | None, np.ndarray]],
    *,
    picture: tuple[int, int, int] = (9, 9, 3),
    tables: Mapping[int, np.ndarray] | None = None,
) -> Path:
    """A database of ccv's, without a type or a key in its tables.

    data     weights (None: in a picture) and bias by layer, in ccv's order; float16 or float32
    picture  input_height, input_width, channels of the mean picture
    tables   of values, by layer
    """
    columns = ", ".join([
        "layer", "type", *(f"input_matrix_{name}" for name in _INPUT), "input_node_count",
        *(f"output_{name}" for name in _OUTPUT),
    ])  # fmt: skip
    path.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute(f"create table layer_params ({columns})")
        for number, layer in enumerate(layers):
            marks = ",".join("?" * 19)
            database.execute(f"insert into layer_params values({marks})", layer.columns(number))
        database.execute(
            "create table convnet_params (convnet, input_height, input_width, mean_activity)"
        )
        mean = np.full(picture, 100, "<f4").tobytes()
        database.execute("insert into convnet_params values(0, ?, ?, ?)", (*picture[:2], mean))
        database.execute("create table layer_data (layer, weight, bias, half_precision)")
        for number, (weight, bias) in data.items():
            blobs = [None if values is None else values.tobytes() for values in (weight, bias)]
            half = int(bias.dtype == np.float16)
            database.execute("insert into layer_data values(?, ?, ?, ?)", (number, *blobs, half))
        if tables:
            database.execute("create table layer_quant (layer, quant)")
        for number, values in (tables or {}).items():
            blob = values.astype("<f2").tobytes()
            database.execute("insert into layer_quant values(?, ?)", (number, blob))
        database.commit()
    return path


def write_network(
    path: Path,
    *,
    table: np.ndarray | None = None,
    conv_table: np.ndarray | None = None,
) -> Path:
    """A convolution of 3x3, 4 x 27 weights, a max pool, and full connect of 36 inputs, 6 outputs.

    table       of values of the full connect layer, whose weights are then in a picture
    conv_table  likewise of the convolution
    """
    random = np.random.default_rng(2)
    kernel = {"rows": 3, "cols": 3, "channels": 3, "partition": 1}
    layers = (
        Row(CONV, (7, 7, 3), 1, {**kernel, "count": 4, "strides": 1, "border": 1}),
        Row(MAX_POOL, (7, 7, 4), 1, {"size": 3, "strides": 2, "border": 0}),
        Row(FC, (3, 3, 4), 1, {"count": 6, "relu": 0}),
    )
    given = {0: conv_table, 2: table}
    tables = {number: values for number, values in given.items() if values is not None}
    data = {}
    for number, shape in ((0, (4, 27)), (2, (6, 36))):
        drawn = random.normal(size=shape).astype(np.float32)
        bias = random.normal(size=shape[0]).astype(np.float32)
        data[number] = (None if number in tables else drawn, bias)
    return write_database(path, layers, data, tables=tables)


def png(samples: np.ndarray, bits: int, *, colour: int = 0, interlace: int = 0) -> bytes:
    """A PNG of raw samples: chunks that may be skipped are in it, rows have all filters."""
    packed = pack_rows(samples.astype(np.uint8), bits)
    lines = []
    for number, row in enumerate(packed):
        above = packed[number - 1] if number else np.zeros_like(row)
        left = np.concatenate([[0], row[:-1]]).astype(np.uint8)
        coded = {0: row, 1: row - left, 2: row - above}[number % 3]
        lines.append(bytes([number % 3]) + coded.astype(np.uint8).tobytes())
    header = struct.pack(
        ">IIBBBBB", samples.shape[1], samples.shape[0], bits, colour, 0, 0, interlace
    )
    chunks = [(b"IHDR", header), (b"gAMA", bytes(4)), (b"tEXt", b"a\0b")]
    if colour == 3:
        chunks.append((b"PLTE", bytes(range(256))[: 3 << min(bits, 6)]))
    chunks += [(b"IDAT", zlib.compress(b"".join(lines))), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(content)) + each + struct.pack(">I", zlib.crc32(each))
        for content, each in ((content, kind + content) for kind, content in chunks)
    )
    return b"\x89PNG\r\n\x1a\n" + body
