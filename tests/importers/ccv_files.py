"""ccv's own fixtures, and networks of its kind written here."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import struct
import zlib
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


def write_network(
    path: Path,
    *,
    weight: np.ndarray | None = None,
    table: np.ndarray | None = None,
    conv_weight: bytes | None = b"",
    conv_table: np.ndarray | None = None,
) -> Path:
    """A convolution of 3x3, a max pool, and full connect of 36 inputs and 6 outputs.

    weight       of full connect, (6, 36) float32; None: in a picture
    table        its table of values, float16; None: it has none
    conv_weight  b"": drawn; None: in a picture of 4 rows of 27
    conv_table   likewise
    """
    random = np.random.default_rng(2)
    drawn = random.normal(size=4 * 27).astype("<f4").tobytes()
    columns = (
        "layer, type, input_matrix_rows, input_matrix_cols, input_matrix_channels, "
        "input_matrix_partition, input_node_count, output_rows, output_cols, output_channels, "
        "output_partition, output_count, output_strides, output_border, output_size, "
        "output_kappa, output_alpha, output_beta, output_relu"
    )
    rows = (
        (0, 1, 7, 7, 3, 1, 0, 3, 3, 3, 1, 4, 1, 1, *[None] * 5),
        (1, 3, 7, 7, 4, 1, 0, *[None] * 5, 2, 0, 3, *[None] * 4),
        (2, 2, 3, 3, 4, 1, 36, *[None] * 4, 6, *[None] * 6, 0),
    )
    data = (
        (0, drawn if conv_weight == b"" else conv_weight, np.ones(4, "<f4").tobytes(), 0),
        (2, None if weight is None else weight.astype("<f4").tobytes(),
         np.zeros(6, "<f4").tobytes(), 0),
    )  # fmt: skip
    path.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute(f"create table layer_params ({columns})")
        database.executemany(f"insert into layer_params values({','.join('?' * 19)})", rows)
        database.execute(
            "create table convnet_params (convnet, input_height, input_width, mean_activity)"
        )
        mean = np.full(9 * 9 * 3, 100, "<f4").tobytes()
        database.execute("insert into convnet_params values(0, 9, 9, ?)", (mean,))
        database.execute("create table layer_data (layer, weight, bias, half_precision)")
        database.executemany("insert into layer_data values(?, ?, ?, ?)", data)
        database.execute("create table layer_quant (layer, quant)")
        for layer, values in ((0, conv_table), (2, table)):
            if values is not None:
                blob = values.astype("<f2").tobytes()
                database.execute("insert into layer_quant values(?, ?)", (layer, blob))
        database.commit()
    return path


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
