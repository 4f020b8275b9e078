"""Every problem gives the reference's answer on every core target, one image and several."""

from __future__ import annotations

import numpy as np
import pytest

from conformance.engines import CORES, REFERENCE, Array, Engine, float_contents
from pocketlens.base.tolerances import CLOSE

from .cases import all_problems
from .compressed import FATES, Fate, compressed_contents
from .problems import Problem, build, problem

PROBLEMS = all_problems()
WEIGHTED = (
    problem("conv2d", (1, 33, 6, 5), (17, 33, 3, 3), (17,), pads=(1, 1, 1, 1)),
    problem("conv2d", (1, 16, 9, 9), (33, 16, 1, 1), (33,), activation="relu"),
    problem("conv2d", (1, 3, 21, 19), (24, 3, 7, 7), (24,), strides=(2, 2), pads=(3, 3, 3, 3)),
    problem("conv2d", (1, 40, 7, 7), (40, 1, 3, 3), (40,), groups=40, pads=(1, 1, 1, 1)),
    problem("conv2d", (1, 12, 7, 7), (18, 4, 3, 3), (18,), groups=3, strides=(2, 2)),
    problem("conv2d", (1, 7, 5, 5), (21, 1, 3, 3), groups=7),
    problem("linear", (1, 100), (37, 100), (37,)),
    problem("linear", (5, 65), (16, 65)),
    problem("linear", (1, 1), (1, 1)),
)


def assert_close(actual: Array, expected: Array, tolerance: float, *, floor: float = 1e-30) -> None:
    """max|a - b| <= tolerance max|b|, as base/tolerances has it; max|b| is `floor` or more.

    A floor is for sums of numbers near 1 that may cancel: they leave nothing to be relative to.
    """
    assert actual.shape == expected.shape
    largest = max(np.abs(expected).max(), floor)
    assert np.abs(actual.astype(np.float64) - expected).max() <= tolerance * largest


@pytest.mark.parametrize("engine", CORES, ids=lambda engine: engine.name)
@pytest.mark.parametrize("given", PROBLEMS, ids=lambda given: given.name)
def test_the_core_agrees_on_an_operator(given: Problem, engine: Engine) -> None:
    network, inputs = build(given)
    contents = float_contents(network)
    (expected,) = REFERENCE.run(contents, inputs)
    (actual,) = engine.run(contents, inputs)
    assert_close(actual, expected, CLOSE)


@pytest.mark.parametrize("engine", CORES, ids=lambda engine: engine.name)
@pytest.mark.parametrize("fate", FATES, ids=lambda fate: fate.name)
@pytest.mark.parametrize("given", WEIGHTED, ids=lambda given: given.name)
def test_the_core_agrees_on_compressed_weights(given: Problem, fate: Fate, engine: Engine) -> None:
    network, inputs = build(given)
    contents = compressed_contents(network, fate)
    (expected,) = REFERENCE.run(contents, inputs)
    (actual,) = engine.run(contents, inputs)
    assert_close(actual, expected, CLOSE)


@pytest.mark.parametrize("engine", CORES, ids=lambda engine: engine.name)
@pytest.mark.parametrize("given", WEIGHTED, ids=lambda given: given.name)
def test_the_core_agrees_on_several_images(given: Problem, engine: Engine) -> None:
    network, inputs = build(given)
    if inputs[0].shape[0] != 1:
        inputs = [inputs[0]]
    else:
        inputs = [np.concatenate([inputs[0], -inputs[0], inputs[0] / 2])]
    contents = compressed_contents(network, Fate("palette", 16, 4))
    (expected,) = REFERENCE.run(contents, inputs)
    (actual,) = engine.run(contents, inputs)
    assert_close(actual, expected, CLOSE)
