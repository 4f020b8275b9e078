"""The story of reading a network of ccv's: tables, rules, lengths, and only then blobs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.errors import ModelError
from pocketlens.base.files import cannot_read
from pocketlens.importers.ccv.database import LAYER_COLUMNS, Database, open_database
from pocketlens.importers.ccv.layers import Layer, read_layers
from pocketlens.importers.ccv.lowering import bias_name, channels_first, lower, weight_name
from pocketlens.importers.ccv.picture import read_recipe
from pocketlens.importers.ccv.pictures import (
    Table,
    find_pictures,
    read_palette,
    stored_tables,
    weights_of,
)
from pocketlens.importers.ccv.rules import check_layers
from pocketlens.importers.ccv.weights import HALF, Stored, read_bias, read_weight, stored_layers
from pocketlens.importers.imported import GivenPalette, Imported
from pocketlens.labels.beside import labels_beside
from pocketlens.labels.order import ILSVRC_CLASSES


def read(path: Path, *, planes: Mapping[int, Path] | None) -> Imported:
    """Read the network in `path`; reader.read_ccv says how."""
    try:
        with open_database(path) as database:
            return _read(path, database, planes)
    except ModelError as error:
        raise ModelError(
            f"Cannot read '{path}' as a network of ccv's: {error.sentence.rstrip('.')}.",
            slug=error.slug,
        ) from error


def _read(path: Path, database: Database, planes: Mapping[int, Path] | None) -> Imported:
    layers = read_layers(database.rows("layer_params", LAYER_COLUMNS))
    check_layers(layers)
    recipe = read_recipe(database, layers[0])
    stored = stored_layers(database, layers)
    tables = stored_tables(database, layers)
    pictures = find_pictures(path, tuple(tables), planes)
    weights: dict[int, NDArray[np.float32]] = {}
    biases: dict[int, NDArray[np.float32]] = {}
    palettes: dict[str, GivenPalette] = {}
    used: list[int] = []
    for number, row in stored.items():
        layer = layers[number]
        biases[number] = read_bias(database, layer, row)
        palette = _palette(database, layer, row, tables.get(number), pictures.get(number))
        if palette is None:
            weights[number] = channels_first(layer, read_weight(database, layer, row))
            continue
        used.append(number)
        palette = GivenPalette(channels_first(layer, palette.indices), palette.values)
        palettes[weight_name(layer)], weights[number] = palette, weights_of(palette)
    network = lower(layers, weights, biases)
    graph = network.graph
    labels = labels_beside(path, classes=layers[-1].count)
    return Imported(
        network=network,
        name=path.stem,
        source_name=path.name,
        source_sha256=_sha256(path),
        scores="logits",
        input_shape=graph.shapes[graph.inputs[0]],
        labels=labels,
        source_nodes=len(layers),
        palettes=palettes,
        recipe=recipe,
        beside_bytes=sum(_bytes(pictures[number]) for number in used),
        halves=_halves(layers, stored),
        class_order="ilsvrc2012" if layers[-1].count == ILSVRC_CLASSES and not labels else "",
    )


def _halves(layers: Sequence[Layer], stored: Mapping[int, Stored]) -> frozenset[str]:
    """Tensors whose numbers are in half precision; a picture's are whatever the blobs are."""
    return frozenset(
        name
        for number, row in stored.items()
        if row.item == HALF
        for name in (weight_name(layers[number]), bias_name(layers[number]))
    )


def _palette(
    database: Database, layer: Layer, stored: Stored, table: Table | None, picture: Path | None
) -> GivenPalette | None:
    """The palette of a layer's weights, in ccv's order; None where they are in the file alone.

    Weights that are in the file are what ccv computes with, and those of a picture what the app
    did: where both are there, they have to be the same.
    """
    if table is None or picture is None:
        if stored.has_weight:
            return None
        raise _missing(layer, table)
    palette = read_palette(database, layer, table, picture)
    if stored.has_weight:
        inline, values = read_weight(database, layer, stored), weights_of(palette)
        if not np.array_equal(inline.view(np.uint32), values.view(np.uint32)):
            raise layer.fault(
                f"has its weights in the file, and others in '{picture.name}': remove the picture, "
                f"or the layer's row in 'layer_quant'",
                slug="ccv-weights-twice",
            )
    return palette


def _missing(layer: Layer, table: Table | None) -> ModelError:
    if table is None:
        return layer.fault(
            "has no weights: neither in the file nor, since 'layer_quant' has no table for it, in "
            "a picture",
            slug="ccv-weights",
        )
    return layer.fault(
        f"has its weights in a picture, which is missing: put layer-{layer.number}.png beside the "
        f"model, or name it: --plane {layer.number}=FILE",
        slug="ccv-plane-missing",
    )


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise cannot_read(path, error) from error


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise cannot_read(path, error) from error
