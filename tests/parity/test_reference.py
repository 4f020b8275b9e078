"""The reference engine's own promises: batches, inputs by name, decoded tensors, errors."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from conformance.engines import float_contents
from pocketlens.base.errors import EngineError, ModelError
from pocketlens.engine.reference import ReferenceEngine, tensor_values
from pocketlens.graph.build import Builder
from pocketlens.graph.graph import Network

from .cases import all_problems
from .compressed import FATES, Fate, compressed_contents
from .problems import build, problem


def small_network() -> Network:
    builder = Builder()
    rng = np.random.default_rng(1)
    x = builder.input("x", (1, 3, 6, 6))
    w = builder.tensor("w", rng.standard_normal((10, 3, 3, 3)).astype(np.float32))
    y = builder.add("conv2d", x, w, activation="relu", output="y")
    z = builder.add("reduce", y, kind="mean", axes=(2, 3), keepdims=0, output="z")
    return builder.network(outputs=(z,))


def test_every_problem_runs_and_is_finite() -> None:
    problems = all_problems()
    assert len(problems) > 1000
    for given in problems:
        network, inputs = build(given)
        (output,) = ReferenceEngine(network).run(inputs)
        assert output.dtype == np.float32
        assert output.flags.c_contiguous
        assert np.isfinite(output).all(), given.name


def test_a_convolution_is_the_sum_it_says() -> None:
    network = small_network()
    x = np.random.default_rng(2).standard_normal((1, 3, 6, 6)).astype(np.float32)
    w = network.tensors["w"]
    total = 0.0
    for y in range(4):
        for z in range(4):
            terms = w[7].astype(float) * x[0, :, y : y + 3, z : z + 3]
            total += max(0.0, math.fsum(terms.ravel()))
    assert ReferenceEngine(network).run([x])[0][0, 7] == pytest.approx(total / 16, rel=1e-6)


def test_many_images_run_as_if_one_by_one() -> None:
    engine = ReferenceEngine(small_network())
    x = np.random.default_rng(2).standard_normal((4, 3, 6, 6)).astype(np.float32)
    (together,) = engine.run({"x": x})
    alone = np.concatenate([engine.run([image[np.newaxis]])[0] for image in x])
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize(
    "shape", [(3, 6, 6), (1, 3, 6, 7), (0, 3, 6, 6), (1, 1, 3, 6, 6), (), (2, 3, 5, 6)]
)
def test_an_input_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(EngineError) as caught:
        ReferenceEngine(small_network()).run([np.zeros(shape, np.float32)])
    assert caught.value.slug == "bad-input"


def test_inputs_that_do_not_match_are_refused() -> None:
    engine = ReferenceEngine(small_network())
    x = np.zeros((1, 3, 6, 6), np.float32)
    for inputs in ([], [x, x], {"y": x}, {"x": x, "y": x}):
        with pytest.raises(EngineError) as caught:
            engine.run(inputs)
        assert caught.value.slug == "bad-input"


def test_a_graph_that_does_not_hold_together_is_refused() -> None:
    network = small_network()
    shapes = {**network.graph.shapes, "y": (1, 9, 4, 4)}
    broken = dataclasses.replace(network.graph, shapes=shapes)
    with pytest.raises(ModelError):
        ReferenceEngine(dataclasses.replace(network, graph=broken))


@pytest.mark.parametrize("fate", FATES, ids=lambda fate: fate.name)
def test_a_lens_means_its_decoded_tensors(fate: Fate) -> None:
    network, inputs = build(problem("conv2d", (1, 5, 7, 6), (10, 5, 3, 3), (10,)))
    contents = compressed_contents(network, fate)
    decoded = {record.name: tensor_values(record) for record in contents.tensors}
    for name, values in decoded.items():
        assert values.dtype == np.float32
        assert values.shape == network.tensors[name].shape
    if fate.kind == "palette":
        groups = -(-10 // fate.group_rows) if fate.group_rows else 1
        assert len(np.unique(decoded["t1"])) <= fate.palette_size * groups
    expected = ReferenceEngine(Network(network.graph, decoded)).run(inputs)
    np.testing.assert_array_equal(ReferenceEngine(contents).run(inputs), expected)


def test_a_palette_tensor_is_decoded_group_by_group() -> None:
    network, _ = build(problem("linear", (1, 3), (5, 3)))
    (record,) = compressed_contents(network, Fate("palette", 2, 2)).tensors
    palettes = np.frombuffer(record.palettes, "<f2").reshape(3, 2)
    values = tensor_values(record)
    for output in range(5):
        assert set(values[output]) <= set(palettes[output // 2].astype(np.float32))


def test_float_tensors_survive_a_lens() -> None:
    network = small_network()
    (record,) = float_contents(network).tensors
    np.testing.assert_array_equal(tensor_values(record), network.tensors["w"])
