"""The real models: importer and reference against onnxruntime, the core against the reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conformance.engines import CORES, REFERENCE, Array, Engine, float_contents
from pocketlens.base.tolerances import NETWORK
from pocketlens.graph.graph import Network
from pocketlens.importers.onnx.reader import lower_model

from .compressed import Fate, compressed_contents
from .test_operators import assert_close

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

MODELS = {
    "squeezenet_v1.0": 50.0,
    "mobilenet_v1_0.25_224_float": 1.0,
    "tf2_mobilenet_v2_1.0_224": 1.0,
    "mlperf_resnet8_cifar10": 60.0,
}
"""Names of files, and how large their inputs are (standard deviation)."""

pytestmark = pytest.mark.data


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest, data_folder: Path) -> tuple[Path, Network, Array]:
    path = data_folder / "models" / f"{request.param}.onnx"
    network = lower_model(onnx.load(path))
    shape = network.graph.shapes[network.graph.inputs[0]]
    x = np.random.default_rng(3).standard_normal(shape).astype(np.float32)
    return path, network, x * np.float32(MODELS[request.param])


def test_the_reference_agrees_with_onnxruntime(model: tuple[Path, Network, Array]) -> None:
    path, network, x = model
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {session.get_inputs()[0].name: x})
    (actual,) = REFERENCE.run(float_contents(network), [x])
    assert_close(actual.reshape(expected.shape), expected, NETWORK)


@pytest.mark.parametrize("engine", CORES, ids=lambda engine: engine.name)
@pytest.mark.parametrize("fate", [Fate("float"), Fate("palette", 16, 4)], ids=lambda f: f.name)
def test_the_core_agrees_with_the_reference(
    model: tuple[Path, Network, Array], fate: Fate, engine: Engine
) -> None:
    _, network, x = model
    contents = compressed_contents(network, fate)
    (expected,) = REFERENCE.run(contents, [x])
    (actual,) = engine.run(contents, [x])
    assert_close(actual, expected, NETWORK)
