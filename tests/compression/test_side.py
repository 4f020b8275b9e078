"""Biases in few bits: what is promised of levels and losses, what stays in half precision."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pocketlens.base.halves import even_halves
from pocketlens.calibration.statistics import LayerStatistics
from pocketlens.compression.side import (
    BIAS_WORTH,
    MIDDLE,
    CodedBias,
    RoundedBias,
    _distortion,
    bias_worths,
    code_bias,
)
from pocketlens.graph.graph import Graph, Node
from pocketlens.lensfile.steps import stepped

Floats = NDArray[np.float64]


def biases(count: int, *, scale: float = 0.5, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, scale, count).astype(np.float32)


def check(coded: CodedBias, values: NDArray[np.float32], worth: Floats) -> None:
    assert coded.indices.dtype == np.uint8
    assert coded.indices.shape == values.shape
    assert coded.indices.max() < len(coded.palette) <= 256
    assert (np.diff(coded.palette.astype(np.float64)) >= 0).all()
    if coded.affine is not None:
        offset, step = coded.affine
        assert (offset, step) == (np.float32(offset), np.float32(step))
        assert coded.palette.tobytes() == even_halves(offset, step, len(coded.palette))
    errors = values - coded.palette.astype(np.float64)[coded.indices]
    assert coded.distortion == pytest.approx(float((worth * errors**2).sum()))


def test_a_dear_bit_makes_coarse_steps() -> None:
    values, worth = biases(300), np.full(300, 2.0)
    steps = []
    for lagrangian in (1e-5, 1e-4, 1e-3):
        coded = code_bias(values, worth, lagrangian=lagrangian)
        assert coded is not None
        check(coded, values, worth)
        assert coded.affine is not None
        steps.append(coded.affine[1])
    assert steps == sorted(steps)
    assert steps[-1] / steps[0] == pytest.approx(10, rel=0.6)  # as the root of the price


def test_the_common_index_is_the_middle() -> None:
    for shift in (-3.0, 0.0, 7.0):
        values = biases(300) + np.float32(shift)
        coded = code_bias(values, np.ones(300), lagrangian=1e-4)
        assert coded is not None
        assert np.median(coded.indices) == pytest.approx(MIDDLE, abs=1)


def test_a_long_tail_moves_the_middle() -> None:
    values = np.concatenate([np.linspace(0, 1, 250), [40.0]]).astype(np.float32)
    worth = np.full(251, 1e-2)
    coded = code_bias(values, worth, lagrangian=1e-6)
    assert coded is not None
    check(coded, values, worth)


def test_half_precision_stays_where_it_is_cheaper() -> None:
    assert code_bias(biases(300), np.full(300, 1e6), lagrangian=1e-7) is None  # too many levels
    assert code_bias(biases(8), np.ones(8), lagrangian=1e-5) is None  # its own plane costs more
    assert code_bias(biases(300), np.ones(300), lagrangian=1e-4) is not None


def test_dear_biases_are_rounded_to_steps() -> None:
    """Where 256 levels do not reach: multiples of a power of two, finer where a bit is cheap."""
    values, worth = np.append(biases(300, scale=1.0), np.float32(90.0)), np.full(301, 1e3)
    assert not isinstance(code_bias(values, worth, lagrangian=1e-2), RoundedBias)
    steps = []
    for lagrangian in (1e-3, 3e-2):
        coded = code_bias(values, worth, lagrangian=lagrangian, among=50, rounded=True)
        assert isinstance(coded, RoundedBias)
        errors = values - coded.values.astype(np.float64)
        assert coded.distortion == pytest.approx(float((worth * errors**2).sum()))
        told = stepped(coded.values.tobytes())
        assert told is not None
        steps.append(float(np.frombuffer(told.step, "<f2")[0]))
        nearest = _distortion(values, values.astype("<f2"), worth)
        assert coded.distortion < nearest + lagrangian * 16 * 301
    assert steps[0] < steps[1]


def test_biases_are_not_rounded_where_that_saves_nothing() -> None:
    rounded = code_bias(biases(300), np.full(300, 1e9), lagrangian=1e-9, rounded=True)
    assert rounded is None


def test_what_is_worth_nothing_takes_no_levels() -> None:
    coded = code_bias(biases(300), np.zeros(300), lagrangian=1e-6)
    assert coded is not None
    assert len(np.unique(coded.indices)) <= 2


def test_equal_biases_take_one_level() -> None:
    for value in (0.0, -1.25, 60_000.0):
        values = np.full(100, value, np.float32)
        coded = code_bias(values, np.ones(100), lagrangian=1e-6)
        assert coded is not None
        check(coded, values, np.ones(100))
        assert len(np.unique(coded.indices)) == 1


def test_many_biases_of_few_kinds_take_free_levels() -> None:
    rng = np.random.default_rng(3)
    kinds = np.array([-50.0, 0.013, 0.02, 0.9], np.float32)
    values = kinds[rng.integers(0, 4, 2000)]
    coded = code_bias(values, np.full(2000, 1e3), lagrangian=1e-4)
    assert coded is not None
    check(coded, values, np.full(2000, 1e3))
    assert coded.affine is None
    assert len(coded.palette) == 4


def test_only_biases_of_seen_layers_are_worth_something() -> None:
    def layer(number: int, inputs: tuple[str, ...], op: str = "linear") -> Node:
        return Node(op, f"n{number}", inputs, f"y{number}", {})

    nodes = (
        layer(0, ("x", "w0", "alone")),
        layer(1, ("y0", "w1", "both")),
        layer(2, ("y1", "w2", "both")),
        layer(3, ("y2", "w3", "used")),
        layer(4, ("y3", "used"), "binary"),
        layer(5, ("y4", "unseen", "other")),
    )
    seen = LayerStatistics(np.zeros((1, 2)), np.eye(2)[None], np.array([1.0, 3.0]), 4, 4)
    guessed = LayerStatistics(np.zeros((1, 2)), np.eye(2)[None], np.ones(2), 0, 0)
    statistics = {"w0": seen, "w1": seen, "w2": seen, "w3": seen, "unseen": guessed}
    worths = bias_worths(Graph(("x",), ("y5",), nodes, {}), statistics)
    assert set(worths) == {"alone", "both"}
    np.testing.assert_allclose(worths["alone"], BIAS_WORTH / 2 * np.array([1.0, 3.0]))
    np.testing.assert_allclose(worths["both"], 2 * worths["alone"])
