"""Sensitivities say what KL will be: by shaking and, where torch is, by back-propagation."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from pocketlens.base.errors import MissingExtraError
from pocketlens.calibration import sensitivity
from pocketlens.calibration.collect import collect
from pocketlens.calibration.data_free import data_free
from pocketlens.calibration.divergence import kl_each
from pocketlens.calibration.fisher import SPREAD, classifying_weights, spread_worth
from pocketlens.calibration.perturbation import mean_shift
from pocketlens.calibration.sensitivity import add_sensitivities, method_here
from pocketlens.engine.reference import ReferenceEngine
from pocketlens.graph.graph import Network
from pocketlens.importers.onnx.reader import read_onnx
from pocketlens.torchnet.network import has_torch
from small_models import write_small_classifier

needs_torch = pytest.mark.skipif(not has_torch(), reason="the 'torch' extra is not installed")
METHODS = ("shaking", pytest.param("fisher", marks=needs_torch))


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    path = write_small_classifier(tmp_path_factory.mktemp("model") / "m.onnx", side=16)
    return read_onnx(path).network


@pytest.fixture(scope="module")
def photos() -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    return [rng.standard_normal((1, 3, 16, 16)).astype(np.float32) + i % 3 for i in range(64)]


def scores(network: Network, photos: list[np.ndarray]) -> np.ndarray:
    (out,) = ReferenceEngine(network).run([np.concatenate(photos)])
    return out


@pytest.mark.parametrize("method", METHODS)
def test_predicted_kl_is_measured_kl(
    network: Network, photos: list[np.ndarray], method: sensitivity.Method
) -> None:
    statistics = add_sensitivities(network, collect(network, photos), photos, method=method)
    before = scores(network, photos)
    rng = np.random.default_rng(9)
    ratios = []
    for name, layer in statistics.items():
        predicted, measured = [], []
        for _ in range(8):
            weights = network.tensors[name]
            change = 0.05 * float(weights.std()) * rng.standard_normal(weights.shape)
            tensors = {**network.tensors, name: (weights + change).astype(np.float32)}
            (node,) = [node for node in network.graph.nodes if name in node.inputs]
            bias = node.inputs[2]
            tensors[bias] = (tensors[bias] - mean_shift(change, layer)).astype(np.float32)
            after = scores(Network(network.graph, tensors), photos)
            measured.append(kl_each(before, after, probabilities=False).mean())
            rows = change.reshape(len(change), -1)
            errors = ((rows @ layer.covariance[0]) * rows).sum(axis=1)
            predicted.append(0.5 * (layer.sensitivity * errors).sum())
        ratios.append(np.mean(measured) / np.mean(predicted))
    # Fisher's answers are softened, so that those of a network as sure of itself as this one cost
    # too much, in all layers alike; shaking knows the cost and spreads it over outputs by guess.
    assert max(ratios) / min(ratios) < (1.5 if method == "fisher" else 7)
    low, high = (1 / 7, 1.5) if method == "fisher" else (1 / 3, 3)
    assert all(low < ratio < high for ratio in ratios), ratios


@pytest.mark.parametrize("method", METHODS)
def test_a_dead_input_is_worth_nothing_and_breaks_nothing(
    network: Network, method: sensitivity.Method
) -> None:
    still = [np.zeros((1, 3, 16, 16), np.float32)] * 4
    statistics = add_sensitivities(network, collect(network, still), still, method=method)
    for layer in statistics.values():
        assert np.isfinite(layer.sensitivity).all()
        assert (layer.sensitivity >= 0).all()
    first = next(iter(statistics.values()))
    assert not first.covariance.any()
    assert not first.sensitivity.any()


def test_shaking_is_repeatable_and_seeded(network: Network, photos: list[np.ndarray]) -> None:
    statistics = collect(network, photos[:8])
    once, again, other = (
        add_sensitivities(network, statistics, photos[:8], method="shaking", seed=seed)
        for seed in (0, 0, 1)
    )
    for name in statistics:
        assert (once[name].sensitivity == again[name].sensitivity).all()
        assert (once[name].sensitivity != other[name].sensitivity).all()


def test_worth_is_spread_but_kept() -> None:
    rng = np.random.default_rng(0)
    fisher, variances = rng.gamma(0.3, size=50), rng.uniform(0.1, 3, 50)
    fisher[3], variances[7] = 0.0, 0.0
    worth = spread_worth(fisher, variances)
    assert worth @ variances == pytest.approx(fisher.sum())
    assert (worth > 0).all()
    assert worth.max() <= SPREAD * np.median(worth) * 1.001
    same = spread_worth(fisher, variances, rows_are_classes=True)
    assert (same == same[0]).all()
    assert same @ variances == pytest.approx(fisher.sum())
    assert not spread_worth(np.zeros(4), np.ones(4)).any()
    assert not spread_worth(np.ones(4), np.zeros(4)).any()


def test_the_weights_that_classify_are_found(network: Network) -> None:
    last = [node for node in network.graph.nodes if node.op in ("conv2d", "linear")][-1]
    assert classifying_weights(network.graph) == last.inputs[1]


def test_fisher_without_torch_says_what_to_install(
    network: Network, photos: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pocketlens.torchnet.network.find_spec", lambda name: None)
    assert method_here() == "shaking"
    with pytest.raises(MissingExtraError, match=r"pocketlens\[torch\]"):
        add_sensitivities(network, collect(network, photos[:2]), photos[:2], method="fisher")


def test_without_photos_nothing_is_known(network: Network, tmp_path: Path) -> None:
    found = data_free(network)
    assert list(found) == list(collect(network, [np.zeros((1, 3, 16, 16), np.float32)]))
    for name, layer in found.items():
        assert layer.is_data_free
        assert not layer.mean.any()
        for _, columns, matrix in layer.parts():
            assert (matrix == np.eye(columns.stop - columns.start)).all()
        energy = (network.tensors[name].astype(float) ** 2).sum()
        assert layer.sensitivity == pytest.approx(1 / energy)
    scaled = dict(network.tensors)
    name = next(iter(found))
    scaled[name] = np.zeros_like(scaled[name])
    assert not data_free(dataclasses.replace(network, tensors=scaled))[name].sensitivity.any()
