"""Published networks: shapes, parameters and multiply-adds as they were in 2014 and 2015."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pocketlens.base.errors import UsageError
from pocketlens.engine.reference.engine import ReferenceEngine
from pocketlens.graph.costs import multiply_adds, parameters
from pocketlens.networks.build import build, chain, filled, first_biases, topology
from pocketlens.networks.layers import AveragePool, Convolution, FullConnect, MaxPool, Norm
from pocketlens.networks.published import PUBLISHED

CCV_NAMES = {
    "matt": "matt_a",
    "matt-mobile": "mobile",
    "matt-b": "matt_b",
    "matt-c": "matt_c",
    "matt-c-first": "matt_c_2015_01_27",
    "alex": "alex",
    "vgg-a": "vgg_a",
    "vgg-d": "vgg_d",
}
KINDS = {1: "conv", 2: "fc", 3: "pool", 4: "pool", 5: "norm"}


def told(data_folder: Path, name: str) -> dict[str, Any]:
    text = (data_folder / "ccv" / "fixtures" / "topologies.json").read_text("utf-8")
    document: dict[str, Any] = json.loads(text)[CCV_NAMES[name]]
    return document


@pytest.mark.data
def test_every_topology_has_a_network(data_folder: Path) -> None:
    text = (data_folder / "ccv" / "fixtures" / "topologies.json").read_text("utf-8")
    assert set(CCV_NAMES.values()) == set(json.loads(text))
    assert set(CCV_NAMES) == set(PUBLISHED)


@pytest.mark.data
@pytest.mark.parametrize("name", PUBLISHED)
def test_counts(data_folder: Path, name: str) -> None:
    expected, graph = told(data_folder, name), topology(name)
    assert parameters(graph) == expected["parameters"]["total"]
    assert multiply_adds(graph) == expected["macs_one_patch"]


@pytest.mark.data
@pytest.mark.parametrize("name", PUBLISHED)
def test_layers(data_folder: Path, name: str) -> None:
    graph = topology(name)
    nodes = {node.name: node for node in graph.nodes}
    for layer in told(data_folder, name)["layers"]:
        node = nodes[f"{KINDS[layer['type']]}{layer['layer']}"]
        rows, cols, channels = layer["output_shape"]
        full = layer["type"] == 2
        assert graph.shapes[node.output] == ((1, rows) if full else (1, channels, rows, cols))
        weights = graph.shapes.get(f"{node.name}.weight", (0,))
        assert math.prod(weights) == layer["weights"]
        if layer["type"] == 5:
            output = layer["output"]
            assert node.attributes["groups"] == layer["input"]["partition"]
            assert node.attributes["size"] == output["size"]
            assert node.attributes["alpha"] == pytest.approx(output["alpha"] * output["size"])
            assert (node.attributes["bias"], node.attributes["beta"]) == (2, output["beta"])


@pytest.mark.data
@pytest.mark.parametrize("name", PUBLISHED)
def test_first_biases(data_folder: Path, name: str) -> None:
    expected = [
        layer["bias_init"] for layer in told(data_folder, name)["layers"] if layer["type"] < 3
    ]
    biases = [layer.bias for layer in PUBLISHED[name]
              if isinstance(layer, Convolution | FullConnect)]  # fmt: skip
    assert biases == expected


def test_weights_come_from_the_seed() -> None:
    one, same, other = (build("matt-c-first", classes=10, seed=seed) for seed in (1, 1, 2))
    assert one.graph == same.graph == other.graph
    assert one.graph.shapes[one.graph.outputs[0]] == (1, 10)
    assert set(one.tensors) == set(one.graph.tensor_names())
    for name, values in one.tensors.items():
        assert values.dtype == np.float32 and values.shape == one.graph.shapes[name]
        assert np.array_equal(values, same.tensors[name])
        if name.endswith(".weight"):
            assert not np.array_equal(values, other.tensors[name])
            spread = math.sqrt(2 / math.prod(values.shape[1:]))
            assert abs(values.std() / spread - 1) < 0.05
    assert set(one.tensors["conv0.bias"]) == {0} and set(one.tensors["conv3.bias"]) == {1}


def test_a_chain_has_the_names_of_a_ccv_file() -> None:
    layers = (Convolution(16, 3), MaxPool(), AveragePool(2, 2), FullConnect(32),
              FullConnect(5, relu=False))  # fmt: skip
    graph = chain(layers, side=17)
    assert [node.name for node in graph.nodes] == [
        "conv0", "pool1", "pool2", "flatten3", "fc3", "fc4"
    ]  # fmt: skip
    assert graph.tensor_names()[:2] == ("conv0.weight", "conv0.bias")
    assert graph.shapes["pool2"] == (1, 16, 4, 4)


def test_numbers_neither_grow_nor_vanish() -> None:
    layers = (Convolution(64, 3), Norm(2), *(Convolution(64, 3),) * 8,
              MaxPool(), FullConnect(64), FullConnect(32, relu=False))  # fmt: skip
    network = filled(chain(layers, side=9), first_biases(layers), seed=0)
    picture = np.random.default_rng(1).standard_normal((1, 3, 9, 9), dtype=np.float32)
    (scores,) = ReferenceEngine(network).run({"picture": picture})
    assert scores.shape == (1, 32)
    assert 0.1 < scores.std() < 10


@pytest.mark.parametrize(
    ("name", "classes", "slug"), [("matt-d", 1000, "unknown-network"), ("matt", 0, "bad-classes")]
)
def test_refusals(name: str, classes: int, slug: str) -> None:
    with pytest.raises(UsageError, match=slug):
        build(name, classes=classes)
