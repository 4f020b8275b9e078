"""Networks of ccv's as random as they come, against its description written down once more."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from importers.ccv_files import AVG_POOL, CONV, FC, MAX_POOL, NORM, Row, write_database
from pocketlens.base.errors import ModelError
from pocketlens.engine.core import CoreEngine
from pocketlens.engine.reference.engine import ReferenceEngine
from pocketlens.graph.graph import Network
from pocketlens.importers.ccv.reader import read_ccv
from pocketlens.importers.records import as_lens

Data = Mapping[int, tuple[np.ndarray | None, np.ndarray]]


def conv(shape: tuple[int, int, int], groups: int = 1, **output: Any) -> Row:
    usual = {"channels": shape[2], "partition": groups, "strides": 1, "border": 0}
    return Row(CONV, shape, groups, {**usual, **output})


def drawn(layers: tuple[Row, ...], dtype: type = np.float32) -> Data:
    """Weights and biases for layers."""
    random = np.random.default_rng(8)
    data = {}
    for number, layer in enumerate(layers):
        count = layer.output.get("count")
        if count is not None:
            inputs = int(np.prod(layer.input))
            if layer.type == CONV:
                side = layer.output["rows"] * layer.output["cols"]
                inputs = side * layer.input[2] // layer.groups
            weight = random.normal(size=(count, inputs)) / np.sqrt(inputs)
            data[number] = (weight.astype(dtype), random.normal(size=count).astype(dtype))
    return data


def forward(layers: tuple[Row, ...], data: Data, x: np.ndarray) -> list[np.ndarray]:
    """Every layer's output, rows x cols x channels: ccv's description word by word, in float64."""
    outputs = []
    for number, layer in enumerate(layers):
        o = layer.output
        if layer.type == FC:
            weight, bias = data[number]
            assert weight is not None
            x = weight.astype(np.float64) @ x.reshape(-1) + bias
            x = np.maximum(x, 0) if o["relu"] else x
        elif layer.type == NORM:
            x = _norm(layer, x)
        else:
            x = _windows(layer, data.get(number), x)
        outputs.append(x)
    return outputs


def _norm(layer: Row, x: np.ndarray) -> np.ndarray:
    o, each = layer.output, x.shape[2] // layer.groups
    half = (o["size"] or 0) // 2
    out = np.empty_like(x)
    for k in range(x.shape[2]):
        group = k // each * each
        near = x[:, :, max(k - half, group) : min(k + half + 1, group + each)]
        out[:, :, k] = x[:, :, k] * (o["kappa"] + o["alpha"] * (near**2).sum(2)) ** -o["beta"]
    return out


def _windows(layer: Row, data: tuple[np.ndarray | None, np.ndarray] | None, x: np.ndarray) -> Any:
    o = layer.output
    high, wide = (o["rows"], o["cols"]) if layer.type == CONV else (o["size"],) * 2
    border, strides = o["border"], o["strides"]
    rows, cols = (
        (x.shape[axis] + 2 * border - side) // strides + 1 for axis, side in ((0, high), (1, wide))
    )
    out = np.empty((rows, cols, o["count"] if layer.type == CONV else x.shape[2]))
    for i in range(rows):
        for j in range(cols):
            top, left = i * strides - border, j * strides - border
            if layer.type == CONV:
                assert data is not None
                out[i, j] = _filtered(layer, data, x, top, left)
            else:
                seen = x[max(top, 0) : top + high, max(left, 0) : left + wide]
                flat = seen.reshape(-1, x.shape[2])
                out[i, j] = flat.max(0) if layer.type == MAX_POOL else flat.mean(0)
    return out


def _filtered(layer: Row, data: Any, x: np.ndarray, top: int, left: int) -> np.ndarray:
    o, border = layer.output, layer.output["border"]
    high, wide, count = o["rows"], o["cols"], o["count"]
    padded = np.pad(x, ((border, border), (border, border), (0, 0)))
    seen = padded[top + border : top + border + high, left + border : left + border + wide]
    each = x.shape[2] // layer.groups
    weight = data[0].astype(np.float64).reshape(count, high, wide, each)
    out = np.empty(count)
    for k in range(count):
        p = k // (count // layer.groups)
        out[k] = data[1][k] + (weight[k] * seen[:, :, p * each : (p + 1) * each]).sum()
    return np.maximum(out, 0)


LRN = {"kappa": 1.5, "alpha": 0.1, "beta": 0.75}
NETWORKS: dict[str, tuple[Row, ...]] = {
    "kernels and pictures that are not square": (
        conv((9, 13, 3), rows=3, cols=5, count=6),
        Row(AVG_POOL, (7, 9, 6), 1, {"size": 3, "strides": 2, "border": 0}),
        Row(FC, (3, 4, 6), 1, {"count": 5, "relu": 0}),
    ),
    "groups of one filter, not four": (
        conv((7, 7, 3), groups=3, rows=3, cols=3, count=3, border=1),
        conv((7, 7, 3), rows=1, cols=1, count=10),
        conv((7, 7, 10), groups=2, rows=3, cols=3, count=6, strides=2, border=1),
        Row(MAX_POOL, (4, 4, 6), 2, {"size": 2, "strides": 2, "border": 0}),
        Row(FC, (2, 2, 6), 1, {"count": 3, "relu": 0}),
    ),
    "full connect after a convolution, and twice": (
        conv((5, 5, 3), rows=3, cols=3, count=7),
        Row(FC, (3, 3, 7), 1, {"count": 9, "relu": 1}),
        Row(FC, (9, 1, 1), 1, {"count": 4, "relu": 0}),
    ),
    "full connect alone, of a gray picture": (
        Row(FC, (4, 6, 1), 1, {"count": 4, "relu": 0}),
    ),
    "norms of every size, in groups": (
        conv((5, 5, 3), rows=1, cols=1, count=12),
        Row(NORM, (5, 5, 12), 3, {"size": 4, **LRN}),
        Row(NORM, (5, 5, 12), 1, {"size": 5, **LRN}),
        Row(NORM, (5, 5, 12), 4, {"size": 9, **LRN}),
        Row(NORM, (5, 5, 12), 2, {"size": None, **LRN}),
        Row(FC, (5, 5, 12), 1, {"count": 2, "relu": 0}),
    ),
    "pools with borders": (
        Row(MAX_POOL, (7, 7, 3), 1, {"size": 5, "strides": 1, "border": 4}),
        Row(AVG_POOL, (11, 11, 3), 1, {"size": 4, "strides": 3, "border": 1}),
        Row(FC, (4, 4, 3), 1, {"count": 3, "relu": None}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_every_layer_is_the_descriptions(tmp_path: Path, name: str, dtype: type) -> None:
    layers = NETWORKS[name]
    data = drawn(layers, dtype)
    rows, cols, channels = layers[0].input
    path = write_database(
        tmp_path / "n.sqlite3", layers, data, picture=(rows + 2, cols + 1, channels)
    )
    imported = read_ccv(path)
    graph = imported.network.graph
    names = tuple(node.output for node in graph.nodes if node.op != "reshape")
    network = Network(dataclasses.replace(graph, outputs=names), imported.network.tensors)
    patch = np.random.default_rng(9).normal(size=layers[0].input) * 20
    given = patch.astype(np.float32).transpose(2, 0, 1)[None]
    outputs = ReferenceEngine(network).run([given])
    for found, want in zip(outputs, forward(layers, data, patch), strict=True):
        expected = want.transpose(2, 0, 1)[None] if want.ndim == 3 else want[None]
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
    (core,) = CoreEngine(as_lens(imported)).run([given])
    assert np.abs(core - outputs[-1]).max() <= 1e-5 * np.abs(outputs[-1]).max()


def test_only_row_0_of_the_pictures_counts(tmp_path: Path) -> None:
    layers = NETWORKS["full connect alone, of a gray picture"]
    path = write_database(tmp_path / "n.sqlite3", layers, drawn(layers), picture=(8, 9, 1))
    before = read_ccv(path)

    with sqlite3.connect(path) as database:
        for key in (1, -1, None, "zero"):
            database.execute("insert into convnet_params values(?, 1, 1, x'00')", (key,))
    assert read_ccv(path).recipe == before.recipe
    with sqlite3.connect(path) as database:
        database.execute("insert into convnet_params values(0, 1, 1, x'00')")
    with pytest.raises(ModelError) as refused:
        read_ccv(path)
    assert refused.value.slug == "ccv-picture"


def test_activations_that_no_memory_holds(tmp_path: Path) -> None:
    layers = (
        conv((7, 7, 3), rows=3, cols=3, count=4, border=10_000),
        Row(MAX_POOL, (20_005, 20_005, 4), 1, {"size": 3, "strides": 10_001, "border": 0}),
        Row(FC, (3, 3, 4), 1, {"count": 3, "relu": 0}),
    )
    path = write_database(tmp_path / "n.sqlite3", layers, drawn(layers))
    with pytest.raises(ModelError) as refused:
        read_ccv(path)
    assert refused.value.slug == "ccv-too-large"
