"""Every architecture imports, and every engine gives onnxruntime's answer."""

from __future__ import annotations

import time
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

import onnxruntime
from numpy.typing import NDArray

from conformance.engines import ENGINES, Engine, float_contents
from pocketlens.base.tolerances import NETWORK
from pocketlens.graph.graph import Network
from pocketlens.importers.onnx.reader import lower_model, read_onnx

from .filling import NAMES, filled, picture

LIGHT = ("convnext_atto", "mobilenet_v4_small", "shufflenet_v2", "vit_tiny")
"""What an emulator runs."""
CASES = [
    pytest.param(name, engine, id=f"{name}-{engine.name}")
    for name in NAMES  # the slower loop, so that each is prepared once
    for engine in ENGINES
    if name in LIGHT or not engine.emulated
]


@lru_cache(maxsize=1)
def prepared(name: str) -> tuple[Network, NDArray[np.float32], NDArray[np.float32]]:
    """The simplified network, an input, and what onnxruntime says."""
    model = filled(name)
    given = picture(model)
    onnxruntime.set_default_logger_severity(3)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return lower_model(model), given, session.run(None, {"picture": given})[0]


def difference(actual: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """The largest difference, relative to the largest magnitude expected."""
    assert actual.shape == expected.shape
    return float(np.abs(actual - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize(("name", "engine"), CASES)
def test_agrees_with_onnxruntime(name: str, engine: Engine) -> None:
    network, given, expected = prepared(name)
    assert np.ptp(expected) > 0.01, "these weights cannot tell right from wrong"
    started = time.perf_counter()
    actual = engine.run(float_contents(network), [given])[0]
    seconds = time.perf_counter() - started
    worst = difference(actual, expected)
    print(f"{name} {engine.name}: {worst:.1e} in {seconds:.2f} s")
    assert worst <= NETWORK


# What is left of the architectures' building blocks when every pattern has been found.
FOUND = {
    "resnet18": {"conv2d": 20, "linear": 1, "binary": 0, "unary": 0},
    "mobilenet_v2": {"conv2d": 52, "binary": 0, "unary": 0},
    "mobilenet_v3_large": {"conv2d": 62, "unary": 0, "binary": 8},  # 8: squeeze-excite
    "efficientnet_b0": {"conv2d": 81, "unary": 0, "binary": 16},
    "convnext_atto": {"layer_norm": 17, "unary": 0},
    "vit_tiny": {"layer_norm": 25, "softmax": 12, "unary": 0},
    "shufflenet_v2": {"binary": 0, "unary": 0},
}


@pytest.mark.parametrize("name", FOUND)
def test_patterns_are_found(name: str) -> None:
    ops = [node.op for node in prepared(name)[0].graph.nodes]
    assert {op: ops.count(op) for op in FOUND[name]} == FOUND[name]


def test_the_door_reads_an_architecture(tmp_path: Path) -> None:
    path = tmp_path / "squeezenet1_1.onnx"
    path.write_bytes(filled("squeezenet1_1").SerializeToString())
    imported = read_onnx(path)
    assert imported.input_shape == (1, 3, 96, 96)
    assert imported.network.graph.shapes[imported.network.graph.outputs[0]] == (1, 1000)
    assert imported.scores == "logits"
