"""The torch module computes what the reference computes: every operator, one image and several."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from parity.cases import all_problems
from parity.problems import build
from parity.random_graphs import networks
from pocketlens.base.tolerances import CLOSE, NETWORK
from pocketlens.engine.reference import ReferenceEngine
from pocketlens.graph.graph import Network
from pocketlens.graph.ops import OPS

torch = pytest.importorskip("torch", reason="the 'torch' extra is not installed")

from pocketlens.torchnet.batches import runs_in_batches  # noqa: E402
from pocketlens.torchnet.network import build_module  # noqa: E402


def run(network: Network, inputs: list[np.ndarray]) -> np.ndarray:
    out = build_module(network)(*(torch.from_numpy(x) for x in inputs))
    return out.numpy()


def far(actual: np.ndarray, expected: np.ndarray) -> float:
    assert actual.shape == expected.shape
    return float(np.abs(actual.astype(float) - expected).max() / max(np.abs(expected).max(), 1e-30))


@pytest.mark.parametrize("op", OPS)
def test_every_problem_of_an_operator(op: str) -> None:
    problems = [case for case in all_problems() if case.op == op]
    assert problems
    for case in problems:
        network, inputs = build(case)
        (expected,) = ReferenceEngine(network).run(inputs)
        assert far(run(network, inputs), expected) <= CLOSE, case.name


def test_several_images_are_as_one_by_one() -> None:
    batched = 0
    for case in all_problems()[::3]:
        network, inputs = build(case)
        first = [network.graph.shapes[name] for name in (*network.graph.inputs,
                                                         *network.graph.outputs)]  # fmt: skip
        if any(shape[0] != 1 for shape in first):
            continue
        several = [np.concatenate([x, x[..., ::-1], x]) for x in inputs]
        expected = np.concatenate([
            ReferenceEngine(network).run([x[i : i + 1] for x in several])[0] for i in range(3)
        ])  # fmt: skip
        batched += runs_in_batches(network.graph)
        assert far(run(network, several), expected) <= CLOSE, case.name
    assert batched > 100


@settings(max_examples=150)
@given(networks())
def test_random_networks(network: Network) -> None:
    shape = network.graph.shapes["x"]
    whole = all(network.graph.shapes[name][0] == 1 for name in network.graph.outputs)
    images = 2 if whole else 1
    x = np.random.default_rng(0).uniform(-1, 1, (images, *shape[1:])).astype(np.float32)
    expected = ReferenceEngine(network).run([x])
    outputs = build_module(network)(torch.from_numpy(x))
    outputs = outputs if isinstance(outputs, list) else [outputs]
    for one, other in zip(outputs, expected, strict=True):
        assert one.shape == other.shape
        largest = max(np.abs(other).max(), 0.01)
        assert np.abs(one.numpy() - other).max() <= NETWORK * largest
