"""Fisher information of weights against finite differences of KL, and how it joins covariances."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pocketlens.calibration.collect import collect
from pocketlens.calibration.fisher import add_fisher, blend, correlations
from pocketlens.engine.reference.engine import ReferenceEngine
from pocketlens.graph.build import Builder
from pocketlens.graph.graph import Network
from pocketlens.torchnet.network import has_torch

torch_only = pytest.mark.skipif(not has_torch(), reason="torch is not installed")
Array = NDArray[np.float32]


def small_network() -> Network:
    """Two convolutions, the second a depthwise one, a mean over the picture, a classifier."""
    rng = np.random.default_rng(0)
    build = Builder()

    def tensor(name: str, *shape: int) -> str:
        return build.tensor(name, rng.normal(0, 0.5, shape).astype(np.float32))

    x = build.input("x", (1, 2, 6, 6))
    x = build.add(
        "conv2d", x, tensor("first", 4, 2, 3, 3), tensor("first.bias", 4),
        pads=(1, 1, 1, 1), activation="relu",
    )  # fmt: skip
    x = build.add(
        "conv2d", x, tensor("second", 4, 1, 3, 3), tensor("second.bias", 4),
        pads=(1, 1, 1, 1), activation="relu", groups=4,
    )  # fmt: skip
    x = build.add("reduce", x, kind="mean", axes=(2, 3), keepdims=0)
    x = build.add("linear", x, tensor("last", 3, 4), tensor("last.bias", 3))
    return build.network(outputs=(x,))


def photos(count: int) -> list[Array]:
    rng = np.random.default_rng(1)
    return [rng.normal(0, 1, (1, 2, 6, 6)).astype(np.float32) for _ in range(count)]


def test_blending_keeps_traces_and_what_is_not_known() -> None:
    covariance = np.stack([np.diag([1.0, 3.0]), np.eye(2)])
    matrices = np.stack([np.diag([20.0, 20.0]), np.zeros((2, 2))])
    blended = blend(covariance, matrices, 0.75)
    assert np.einsum("gii->g", blended).tolist() == [4.0, 2.0]
    assert np.diag(blended[0]).tolist() == pytest.approx([1.75, 2.25])
    assert (blended[1] == covariance[1]).all()


@torch_only
def test_it_foretells_the_divergence() -> None:
    network = small_network()
    inputs = photos(120)
    known = add_fisher(network, collect(network, inputs), inputs, draws=4)
    engine = ReferenceEngine(network)
    before = [engine.run([x])[0][0].astype(np.float64) for x in inputs]
    rng = np.random.default_rng(2)
    for name in ("first", "second"):
        layer = known[name]
        told, seen = 0.0, 0.0
        for _ in range(6):
            error = rng.normal(0, 0.01, network.tensors[name].shape)
            rows = error.reshape(len(error), -1)
            mean = np.repeat(layer.mean, len(rows) // layer.groups, axis=0)
            tensors = dict(network.tensors)
            tensors[name] = (tensors[name] + error).astype(np.float32)
            tensors[f"{name}.bias"] = (tensors[f"{name}.bias"] - (rows * mean).sum(axis=1)).astype(
                np.float32
            )
            after = ReferenceEngine(Network(network.graph, tensors))
            seen += np.mean(
                [divergence(z, after.run([x])[0][0]) for x, z in zip(inputs, before, strict=True)]
            )
            covariance = np.repeat(layer.covariance, len(rows) // layer.groups, axis=0)
            each = np.einsum("oc,ocd,od->o", rows, covariance, rows)
            told += float((layer.sensitivity * each).sum()) / 2
        # The temperature softens p, so it is not the divergence itself, but near.
        assert 0.5 < told / seen < 2.0


def divergence(z: NDArray[np.float64], other: Array) -> float:
    p = z - z.max() - np.log(np.exp(z - z.max()).sum())
    q = other.astype(np.float64)
    q = q - q.max() - np.log(np.exp(q - q.max()).sum())
    return float((np.exp(p) * (p - q)).sum())


@torch_only
def test_the_same_seed_says_the_same_with_any_threads() -> None:
    network = small_network()
    inputs = photos(20)  # more than two runs
    known = collect(network, inputs)
    first = add_fisher(network, known, inputs, seed=3)
    second = add_fisher(network, known, inputs, seed=3, threads=3)
    for name, layer in first.items():
        assert (layer.covariance == second[name].covariance).all()
        assert (layer.sensitivity == second[name].sensitivity).all()


def test_correlations_of_what_never_moves_are_none() -> None:
    moved = np.random.default_rng(1).normal(size=(50, 4))
    moved[:, 2] = 0
    found = correlations(moved.T @ moved)
    np.testing.assert_allclose(np.diagonal(found), 1.0)
    assert not found[2, [0, 1, 3]].any()
    assert np.abs(found[0, 1] - found[1, 0]) < 1e-12
    assert np.abs(found).max() <= 1.0 + 1e-12
