"""Moments from the core are those of every window, written out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pocketlens.base.errors import DataError, UsageError
from pocketlens.calibration import columns
from pocketlens.calibration.collect import collect
from pocketlens.calibration.moments import BLOCK_COLUMNS, MAX_COLUMNS, Moments
from pocketlens.engine.reference.engine import ReferenceEngine
from pocketlens.graph.graph import Graph, Network, Node
from pocketlens.importers.onnx.reader import read_onnx
from small_models import write_small_classifier

NOTHING = {"activation": "none", "alpha": 0.0, "beta": 0.0}


def conv(name: str, inputs: tuple[str, ...], **attributes: Any) -> Node:
    usual = {"strides": (1, 1), "pads": (0, 0, 0, 0), "dilations": (1, 1), "groups": 1}
    return Node("conv2d", name, inputs, name, {**NOTHING, **usual, **attributes})


def zoo(seed: int = 0) -> Network:
    """Padded, strided, dilated, grouped and depthwise layers, one tensor used twice, a linear."""
    rng = np.random.default_rng(seed)
    shapes = {
        "x": (1, 3, 11, 9),
        "w1": (8, 3, 3, 3), "a": (1, 8, 6, 5),
        "w2": (8, 1, 3, 2), "b": (1, 8, 2, 5),
        "w3": (6, 4, 1, 1), "c": (1, 6, 2, 5),
        "w4": (6, 6, 1, 1), "d": (1, 6, 2, 5), "e": (1, 6, 2, 5),
        "f": (1, 6, 10), "w5": (4, 10), "g": (1, 6, 4),
    }  # fmt: skip
    nodes = (
        conv("a", ("x", "w1"), strides=(2, 2), pads=(1, 0, 1, 2)),
        conv("b", ("a", "w2"), groups=8, dilations=(2, 1), pads=(0, 1, 0, 0)),
        conv("c", ("b", "w3"), groups=2),
        conv("d", ("c", "w4")),
        conv("e", ("d", "w4")),
        Node("reshape", "f", ("e",), "f", {"shape": (1, 6, 10)}),
        Node("linear", "g", ("f", "w5"), "g", NOTHING),
    )
    tensors = {
        name: rng.standard_normal(shape).astype(np.float32)
        for name, shape in shapes.items()
        if name.startswith("w")
    }
    return Network(Graph(("x",), ("g",), nodes, shapes), tensors)


def photos(network: Network, n: int, seed: int = 1) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    shape = network.graph.shapes[network.graph.inputs[0]]
    return [(rng.standard_normal(shape) + 3).astype(np.float32) for _ in range(n)]


def windows(x: np.ndarray, node: Node, weights: tuple[int, ...]) -> np.ndarray:
    """(groups, samples, columns) of a conv2d, position by position."""
    (sh, sw), (dh, dw) = node.attributes["strides"], node.attributes["dilations"]
    top, left, bottom, right = node.attributes["pads"]
    x = np.pad(x[0].astype(np.float64), ((0, 0), (top, bottom), (left, right)))
    kh, kw = (weights[2] - 1) * dh + 1, (weights[3] - 1) * dw + 1
    groups = node.attributes["groups"]
    out = [
        x[:, y : y + kh : dh, z : z + kw : dw].reshape(groups, -1)
        for y in range(0, x.shape[1] - kh + 1, sh)
        for z in range(0, x.shape[2] - kw + 1, sw)
    ]
    return np.stack(out, axis=1)


def expected(network: Network, pictures: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Every sample of every tensor: (groups, samples, columns)."""
    graph = network.graph
    names = tuple(node.output for node in graph.nodes)
    engine = ReferenceEngine(Network(Graph(graph.inputs, names, graph.nodes, graph.shapes),
                                     network.tensors))  # fmt: skip
    samples: dict[str, list[np.ndarray]] = {}
    for picture in pictures:
        arrays = {"x": picture, **dict(zip(names, engine.run([picture]), strict=True))}
        for node in graph.nodes:
            if node.op == "conv2d":
                seen = windows(arrays[node.inputs[0]], node, graph.shapes[node.inputs[1]])
            elif node.op == "linear":
                rows = arrays[node.inputs[0]]
                seen = rows.reshape(1, -1, rows.shape[-1]).astype(np.float64)
            else:
                continue
            samples.setdefault(node.inputs[1], []).append(seen)
    return {name: np.concatenate(parts, axis=1) for name, parts in samples.items()}


@pytest.mark.parametrize("memory_bytes", (1, 1 << 30), ids=("a layer a run", "all at once"))
def test_moments_are_those_of_all_samples(memory_bytes: int) -> None:
    network = zoo()
    pictures = photos(network, 4)
    found = collect(network, iter(pictures), memory_bytes=memory_bytes)
    wanted = expected(network, pictures)
    assert list(found) == ["w1", "w2", "w3", "w4", "w5"]
    for name, samples in wanted.items():
        statistics = found[name]
        assert statistics.samples == samples.shape[1]
        assert statistics.photos == 4
        mean = samples.mean(axis=1)
        np.testing.assert_allclose(statistics.mean, mean, rtol=1e-5, atol=1e-5)
        centred = samples - mean[:, None]
        covariance = centred.transpose(0, 2, 1) @ centred / samples.shape[1]
        scale = np.abs(covariance).max()
        np.testing.assert_allclose(statistics.covariance, covariance, atol=2e-5 * scale)
        assert (statistics.covariance == statistics.covariance.transpose(0, 2, 1)).all()
        assert statistics.sensitivity.shape == (network.tensors[name].shape[0],)


def test_two_collections_are_the_same_to_the_bit(tmp_path: Path) -> None:
    network = read_onnx(write_small_classifier(tmp_path / "m.onnx", side=48)).network
    pictures = photos(network, 3)
    one, two = collect(network, pictures), collect(network, iter(pictures), memory_bytes=1)
    for name in one:
        assert (one[name].covariance == two[name].covariance).all()


def test_large_maps_are_sampled_all_over() -> None:
    seen: set[int] = set()
    for photo in range(200):
        positions = columns.some_positions(112 * 112, photo)
        assert 0.9 * columns.POSITIONS < len(positions) <= columns.POSITIONS
        assert (np.diff(positions) > 0).all()
        assert positions[-1] < 112 * 112
        seen.update(positions.tolist())
    assert len(seen) > 0.9 * 112 * 112
    assert (columns.some_positions(800, 5) == np.arange(800)).all()


def test_wide_layers_get_blocks() -> None:
    rng = np.random.default_rng(3)
    width = MAX_COLUMNS + 10
    samples = rng.standard_normal((1, width, 5)).astype(np.float32)
    moments = Moments(1, width)
    moments.add(samples.copy())
    mean, covariance = moments.finish()
    assert mean.shape == (1, width)
    assert covariance.shape == (-(-width // BLOCK_COLUMNS), BLOCK_COLUMNS, BLOCK_COLUMNS)
    rest = width % BLOCK_COLUMNS
    np.testing.assert_allclose(
        covariance[-1, :rest, :rest], np.cov(samples[0, -rest:], bias=True), atol=1e-5
    )
    assert not covariance[-1, rest:].any()
    assert not covariance[-1, :, rest:].any()


def test_a_mean_far_above_its_deviation_loses_nothing() -> None:
    rng = np.random.default_rng(4)
    parts = [(1000 + rng.standard_normal((1, 7, 50))).astype(np.float32) for _ in range(6)]
    moments = Moments(1, 7)
    for part in parts:
        moments.add(part.copy())
    _, covariance = moments.finish()
    wanted = np.cov(np.concatenate(parts, axis=2)[0].astype(np.float64), bias=True)
    np.testing.assert_allclose(covariance[0], wanted, atol=1e-4)


def test_no_photo_is_an_error() -> None:
    with pytest.raises(DataError, match="calibration-empty"):
        collect(zoo(), [])


def test_an_input_of_another_shape_is_an_error() -> None:
    with pytest.raises(UsageError, match="calibration-input"):
        collect(zoo(), [np.zeros((1, 3, 9, 11), np.float32)])


@pytest.mark.parametrize("sizes", [[1] * 200, [1, 70, 3, 5, 64, 57], [200]])
def test_samples_may_come_one_by_one(sizes: list[int]) -> None:
    samples = np.random.default_rng(5).standard_normal((2, 9, 200)).astype(np.float32)
    moments = Moments(2, 9)
    for part in np.split(samples, np.cumsum(sizes)[:-1], axis=2):
        moments.add(part.copy())
    assert moments.samples == 200
    mean, covariance = moments.finish()
    np.testing.assert_allclose(mean, samples.mean(axis=2), atol=1e-6)
    for group in (0, 1):
        np.testing.assert_allclose(covariance[group], np.cov(samples[group], bias=True), atol=1e-6)
