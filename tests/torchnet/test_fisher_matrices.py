"""Sums of Fisher information by factors are those by whole gradients."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pocketlens.graph.build import Builder
from pocketlens.graph.graph import Network

torch = pytest.importorskip("torch", reason="torch is not installed")

from pocketlens.torchnet import fisher_matrices as module  # noqa: E402
from pocketlens.torchnet.fisher_sums import factored  # noqa: E402

Array = NDArray[np.float32]


def network(*, twice: bool = False) -> Network:
    """Convolutions of 3x3, of 1x1 with strides and of 1x1 in groups; a classifier, or two alike."""
    rng = np.random.default_rng(0)
    build = Builder()

    def tensor(name: str, *shape: int) -> str:
        return build.tensor(name, rng.normal(0, 0.5, shape).astype(np.float32))

    x = build.input("x", (1, 2, 5, 5))
    x = build.add("conv2d", x, tensor("wide", 12, 2, 3, 3), pads=(1, 1, 1, 1), activation="relu")
    x = build.add("conv2d", x, tensor("few", 12, 12, 1, 1), tensor("few.bias", 12), strides=(2, 3),
                  activation="clip", alpha=0.0, beta=6.0)  # fmt: skip
    x = build.add("conv2d", x, tensor("grouped", 12, 6, 1, 1), groups=2, activation="relu")
    x = build.add("reduce", x, kind="mean", axes=(2, 3), keepdims=0)
    last = tensor("last", 12, 12)
    x = build.add("linear", x, last, tensor("last.bias", 12))
    if twice:
        x = build.add("linear", x, last)
    return build.network(outputs=(x,))


def test_what_goes_by_factors() -> None:
    found = factored(network().graph, {"wide", "few", "grouped", "last"})
    assert found == {"few", "last"}
    assert factored(network(twice=True).graph, {"few", "last"}) == {"few"}


def test_factors_say_what_gradients_say(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    inputs = [rng.normal(0, 1, (1, 2, 5, 5)).astype(np.float32) for _ in range(11)]
    columns = {"wide": (1, 18), "few": (1, 12), "grouped": (2, 6), "last": (1, 12)}
    means = {name: rng.normal(0, 1, shape) for name, shape in columns.items()}
    asked = {"probabilities": False, "seed": 5}
    by_factors = module.fisher_matrices(network(), inputs, means, threads=2, **asked)
    monkeypatch.setattr(module, "factored", lambda graph, names: set())
    by_gradients = module.fisher_matrices(network(), inputs, means, **asked)
    for name, found in by_factors.items():
        expected = by_gradients[name]
        np.testing.assert_allclose(found.traces, expected.traces, rtol=1e-4)
        assert found.matrices is not None
        assert expected.matrices is not None
        size = np.abs(expected.matrices).max()
        np.testing.assert_allclose(found.matrices, expected.matrices, atol=1e-5 * size)
        assert (found.between is None) == (name == "grouped")
        if found.between is not None and expected.between is not None:
            size = np.abs(expected.between).max()
            np.testing.assert_allclose(found.between, expected.between, atol=1e-5 * size)


def test_torch_has_its_threads_again() -> None:
    before = torch.get_num_threads()
    rng = np.random.default_rng(1)
    inputs = [rng.normal(0, 1, (1, 2, 5, 5)).astype(np.float32)]
    module.fisher_matrices(network(), inputs, {"last": np.zeros((1, 12))}, probabilities=False)
    assert torch.get_num_threads() == before
