"""Weights from pictures: a table of up to 256 half-precision values, and a PNG of indices into it.

Pictures lie beside the model and are known by the layer's number (layer-10-4bit.png, layer-11.png),
or are named by the caller. Pixel (row j, column k) is the index of weight j x inputs + k.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.errors import ModelError, UsageError
from pocketlens.base.files import cannot_read
from pocketlens.importers.ccv.database import QUANT_TABLE, Database, Value, told
from pocketlens.importers.ccv.layers import Layer, whole
from pocketlens.importers.ccv.samples import GREY, Samples, read_samples
from pocketlens.importers.ccv.weights import seen
from pocketlens.importers.imported import GivenPalette
from pocketlens.planes.plane import index_bits_for

MOST_TABLE = 256
MOST_PIXELS = 2**28
"""The largest layer of the published networks has 103 million weights."""
_NAME = re.compile(r"layer-([0-9]{1,6})(?:[^0-9].*)?\.png", re.IGNORECASE | re.DOTALL)

Half = NDArray[np.float16]


@dataclass(frozen=True)
class Table:
    """The length of a layer's table, judged, and its row's number as SQLite has it."""

    key: Value
    entries: int


def stored_tables(database: Database, layers: Sequence[Layer]) -> dict[int, Table]:
    """Which layers have a table of values. Raises ModelError 'ccv-table'."""
    tables: dict[int, Table] = {}
    if not database.has_quant:
        return tables
    columns = ("layer", *told("quant"))
    for key, kind, length in database.rows(QUANT_TABLE, columns):
        number = whole(key, "the layer", f"a row of '{QUANT_TABLE}'", slug="ccv-table")
        if number in tables or number >= len(layers):
            raise ModelError(
                f"its table '{QUANT_TABLE}' has a row for layer {number}"
                + (" twice" if number in tables else f", but there are {len(layers)} layers"),
                slug="ccv-table",
            )
        if not layers[number].has_weights:
            continue  # nobody reads it, as nobody reads such a row of layer_data
        fits = kind == "blob" and isinstance(length, int) and 2 <= length <= 2 * MOST_TABLE
        if not (fits and isinstance(length, int) and length % 2 == 0):
            raise layers[number].fault(
                f"has {seen(kind, length)} for its table of values; expected are 1 to "
                f"{MOST_TABLE} numbers in half precision, 2 bytes each",
                slug="ccv-table",
            )
        tables[number] = Table(key, length // 2)
    return tables


def find_pictures(
    model: Path, wanted: Sequence[int], given: Mapping[int, Path] | None
) -> dict[int, Path]:
    """The picture of every layer that has one: as given, else beside the model.

    wanted  layers that have a table of values: only those can have a picture
    Raises UsageError 'ccv-plane-of-none'; ModelError 'ccv-plane-ambiguous'; FileError.
    """
    given = dict(given or {})
    for number in given:
        if number not in wanted:
            raise UsageError(
                f"A picture is given for layer {number} of '{model.name}', which has no table of "
                f"values for it; {_listed(wanted)}.",
                slug="ccv-plane-of-none",
            )
    found: dict[int, list[Path]] = {}
    for path in _beside(model) if set(wanted) - set(given) else ():
        name = _NAME.fullmatch(path.name)
        if name and int(name[1]) in wanted:
            found.setdefault(int(name[1]), []).append(path)
    for number, paths in found.items():
        if len(paths) > 1 and number not in given:
            names = " and ".join(f"'{path.name}'" for path in sorted(paths))
            raise ModelError(
                f"there are {names} for layer {number}; say which is meant: "
                f"--plane {number}={sorted(paths)[0].name}",
                slug="ccv-plane-ambiguous",
            )
    return {number: paths[0] for number, paths in found.items()} | given


def read_palette(database: Database, layer: Layer, table: Table, path: Path) -> GivenPalette:
    """The palette of a layer's weights: indices shaped like the weights in ccv's order, values
    ascending. Raises FileError; ModelError 'ccv-plane', 'ccv-plane-size', 'ccv-index',
    'ccv-too-large', 'not-finite'.
    """
    outputs, inputs = layer.count, math.prod(layer.weight_shape[1:])
    if outputs * inputs > MOST_PIXELS:
        raise layer.fault(
            f"has {outputs:,} x {inputs:,} weights; a picture holds at most {MOST_PIXELS:,}",
            slug="ccv-too-large",
        )
    samples = read_samples(path, height=outputs, width=inputs)
    indices = _indices(samples, table.entries)
    most = int(indices.max())
    if most >= table.entries:
        raise layer.fault(
            f"has a table of {table.entries} values, but '{path.name}' holds the index {most}",
            slug="ccv-index",
        )
    values = np.frombuffer(database.blob(QUANT_TABLE, "quant", "layer", table.key), "<f2")
    used = np.bincount(indices.reshape(-1), minlength=len(values)) > 0
    finite = np.isfinite(values)
    if not finite[used].all():
        raise layer.fault(
            "has a table with a value that is NaN or infinite, and weights that use it",
            slug="not-finite",
        )
    # Entries that nothing uses stay, so that indices stay what they are in the picture; but 16
    # values spread over 256, as a picture of 4 bits that was scaled has them, are 4 bits again.
    fewer = index_bits_for(int(used.sum())) < index_bits_for(len(values))
    order, values = _ascending(values, kept=used if fewer else finite)
    return GivenPalette(order[indices].reshape(layer.weight_shape), values)


def weights_of(palette: GivenPalette) -> NDArray[np.float32]:
    """The weights that a palette tells, shaped like its indices."""
    weights: NDArray[np.float32] = palette.values.astype(np.float32)[palette.indices]
    return weights


def _indices(samples: Samples, entries: int) -> NDArray[np.uint8]:
    """Samples to indices: the app of 2014 drew pictures in 8-bit grey, where a sample of 4 bits
    comes out times 17, so tables and pictures of either kind are about.
    """
    values, bits = samples.values, samples.bits
    if samples.colour != GREY:
        return values
    if entries == MOST_TABLE and bits < 8:
        return values * np.uint8(255 // ((1 << bits) - 1))
    if entries == 16 and bits == 8 and int(values.max()) > 15 and not (values % 17).any():
        return values // np.uint8(17)
    return values


def _ascending(
    values: NDArray[np.float16], *, kept: NDArray[np.bool_]
) -> tuple[NDArray[np.uint8], Half]:
    """Where each entry goes in an ascending palette without repetitions, and that palette.

    kept  which entries it has; nothing uses the others
    Told apart by their bits, so that -0.0 stays what it was.
    """
    codes = values.astype("<f2").view("<u2").astype(np.int32)
    ranks = np.where(codes >= 0x8000, -(codes - 0x8000) - 1, codes)
    palette = np.unique(ranks[kept])
    order = np.searchsorted(palette, np.where(kept, ranks, palette[0])).astype(np.uint8)
    codes = np.where(palette < 0, 0x8000 - palette - 1, palette).astype(np.uint16)
    return order, codes.view(np.float16)


def _beside(model: Path) -> list[Path]:
    try:
        return sorted(path for path in model.absolute().parent.iterdir() if path.is_file())
    except OSError as error:
        raise cannot_read(model.parent, error) from error


def _listed(numbers: Sequence[int]) -> str:
    if not numbers:
        return "all its weights are in the file itself"
    return f"it has one for layer{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}"
