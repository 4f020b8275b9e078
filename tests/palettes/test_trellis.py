"""Indices along a trellis: against all paths there are, a plain programme, and each other."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pocketlens.palettes import _kmeans
from pocketlens.palettes.both_ways import Between, energy_both_ways, prepare_between
from pocketlens.palettes.feedback import Coding, Hessian, energy, prepare_hessian
from pocketlens.palettes.trellis import code_along_trellis
from pocketlens.planes.trellis import NEXT, palette_places

Floats = NDArray[np.float64]
Array = NDArray[np.float32]

# Eleven numbers, the last one alone in its kind.
VALUES = np.sort(np.random.default_rng(3).normal(0, 1.2, 22)).astype(np.float32)
BITS = np.random.default_rng(4).uniform(1, 5, 11).astype(np.float32)


def mixed(size: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    columns = rng.normal(size=(4 * size, size)) @ rng.normal(size=(size, size))
    made: Floats = columns.T @ columns / (4.0 * size)
    return made + 0.05 * np.trace(made) / size * np.eye(size)


def posed(outputs: int, columns: int, seed: int = 5) -> tuple[Array, Hessian, Floats]:
    rng = np.random.default_rng(seed)
    weights = rng.normal(0, 1, (outputs, columns)).astype(np.float32)
    hessian = prepare_hessian(mixed(columns, seed + 1)[None], damping=0.01)
    return weights, hessian, rng.uniform(0.5, 2, outputs)


def between_of(outputs: int, seed: int = 2) -> Between:
    between = prepare_between(mixed(outputs, seed))
    assert between is not None
    return between


def coded(
    weights: Array, hessian: Hessian, between: Between | None, worth: Floats, lagrangian: float
) -> Coding:
    return code_along_trellis(
        weights, hessian, between, worth=worth, values=VALUES, lengths_bits=BITS,
        lagrangian=lagrangian,
    )  # fmt: skip


def told(coding: Coding) -> bytes:
    """What a reader makes of the numbers alone."""
    return palette_places(bytes((coding.indices // 2).reshape(-1)), coding.indices.shape[1])


def least(costs: Floats) -> float:
    """The least sum over all paths from state 0, of costs (outputs, values)."""
    best = np.inf
    for parities in product((0, 1), repeat=len(costs)):
        state, total = 0, 0.0
        for cost, parity in zip(costs, parities, strict=True):
            total += cost[state % 2 + 2 * parity :: 4].min()
            state = NEXT[state][parity]
        best = min(best, total)
    return best


def viterbi(costs: Floats) -> list[int]:
    """Places of the least sum, state by state: what every survivor took, and from where."""
    totals: list[tuple[float, list[int]] | None] = [(0.0, []), *[None] * 7]
    for cost in costs:
        after: list[tuple[float, list[int]] | None] = [None] * 8
        for state, survivor in enumerate(totals):
            for parity in (0, 1) if survivor else ():
                assert survivor is not None
                first = state % 2 + 2 * parity
                place = first + 4 * int(cost[first::4].argmin())
                total = survivor[0] + float(cost[place])
                held = after[NEXT[state][parity]]
                if held is None or total < held[0]:
                    after[NEXT[state][parity]] = total, [*survivor[1], place]
        totals = after
    return min((each for each in totals if each), key=lambda each: each[0])[1]


@given(st.integers(1, 11), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.01, 0.2]))
def test_no_path_through_a_column_costs_less(outputs: int, seed: int, lagrangian: float) -> None:
    weights, hessian, worth = posed(outputs, 1, seed)
    coding = coded(weights, hessian, None, worth, lagrangian)
    curvature = worth[:, None] * hessian.curvature[0]
    costs = curvature * (weights.astype(np.float64) - VALUES) ** 2 + lagrangian * BITS.repeat(2)
    cost = costs[np.arange(outputs), coding.indices[:, 0]].sum()
    assert cost == pytest.approx(least(costs), rel=1e-9)
    assert coding.indices[:, 0].tolist() == viterbi(costs)


def plainly(weights: Array, hessian: Hessian, worth: Floats, lagrangian: float) -> NDArray[Any]:
    """Column by column in double precision."""
    across = hessian.factor[0].astype(np.float64)
    left = weights.astype(np.float64)
    indices = np.zeros(weights.shape, np.uint8)
    for j in range(left.shape[1]):
        errors = (left[:, j, None] - VALUES) / across[j, j]
        indices[:, j] = viterbi(worth[:, None] * errors**2 + lagrangian * BITS.repeat(2))
        left[:, j:] -= np.outer(errors[np.arange(len(left)), indices[:, j]], across[j, j:])
    return indices


def plainly_together(
    weights: Array, hessian: Hessian, between: Between, lagrangian: float
) -> NDArray[Any]:
    """The same where every survivor has moved the outputs ahead by its own errors."""
    across, down = hessian.factor[0].astype(np.float64), between.factor.astype(np.float64)
    left = weights.astype(np.float64)
    indices = np.zeros(weights.shape, np.uint8)
    for j in range(left.shape[1]):
        survivors: dict[int, tuple[float, list[int], Floats]] = {0: (0.0, [], left[:, j])}
        for o in range(len(left)):
            after: dict[int, tuple[float, list[int], Floats]] = {}
            for state, (total, path, moved) in sorted(survivors.items()):
                errors = (moved[o] - VALUES) / down[o, o]
                costs = (errors / across[j, j]) ** 2 + lagrangian * BITS.repeat(2)
                for parity in (0, 1):
                    first = state % 2 + 2 * parity
                    place = first + 4 * int(costs[first::4].argmin())
                    cost, to = total + float(costs[place]), NEXT[state][parity]
                    if to not in after or cost < after[to][0]:
                        ahead = moved - errors[place] * down[o] * (np.arange(len(left)) > o)
                        after[to] = cost, [*path, place], ahead
            survivors = after
        indices[:, j] = min(survivors.values(), key=lambda each: each[0])[1]
        error = (left[:, j] - VALUES[indices[:, j]]) / across[j, j]
        left[:, j:] -= np.outer(error, across[j, j:])
    return indices


@pytest.mark.parametrize(("outputs", "columns"), [(1, 1), (1, 5), (4, 1), (9, 7), (40, 37)])
@pytest.mark.parametrize("lagrangian", [0.0, 0.05])
def test_it_is_the_plain_loop(outputs: int, columns: int, lagrangian: float) -> None:
    weights, hessian, worth = posed(outputs, columns)
    coding = coded(weights, hessian, None, worth, lagrangian)
    # Single precision may tip a choice that is all but a tie, and what follows from it.
    expected = plainly(weights, hessian, worth, lagrangian)
    assert (coding.indices == expected).mean() > 0.8
    assert told(coding) == coding.indices.tobytes()
    assert coding.distortion == pytest.approx(
        energy(weights - VALUES[coding.indices], hessian, worth=worth), rel=1e-3
    )


@pytest.mark.parametrize(("outputs", "columns"), [(1, 1), (4, 1), (9, 7), (32, 3), (70, 18)])
@pytest.mark.parametrize("lagrangian", [0.0, 0.05])
def test_so_it_is_where_outputs_go_together(outputs: int, columns: int, lagrangian: float) -> None:
    weights, hessian, worth = posed(outputs, columns)
    between = between_of(outputs)
    coding = coded(weights, hessian, between, worth, lagrangian)
    expected = plainly_together(weights, hessian, between, lagrangian)
    assert (coding.indices == expected).mean() > 0.8
    assert told(coding) == coding.indices.tobytes()
    assert coding.distortion == pytest.approx(
        energy_both_ways(weights - VALUES[coding.indices], hessian, between), rel=1e-3
    )


def test_outputs_that_do_not_go_together_are_each_for_itself() -> None:
    weights, hessian, worth = posed(70, 33)
    between = prepare_between(np.diag(worth))
    assert between is not None
    both = coded(weights, hessian, between, worth, 0.02)
    alone = coded(weights, hessian, None, worth, 0.02)
    assert (both.indices == alone.indices).mean() > 0.9
    assert both.distortion == pytest.approx(alone.distortion, rel=1e-2)


def test_errors_that_others_make_good_cost_less() -> None:
    weights, hessian, worth = posed(64, 40)
    between = between_of(64)
    together = coded(weights, hessian, between, worth, 0.0)
    alone = coded(weights, hessian, None, np.diagonal(between.gram).astype(np.float64), 0.0)
    errors = weights - VALUES[alone.indices]
    assert together.distortion < 0.9 * energy_both_ways(errors, hessian, between)


def test_twice_the_values_in_the_same_bits_are_nearer() -> None:
    """On independent numbers of equal worth, even values: most of the decibel that is known."""
    weights = np.random.default_rng(0).uniform(-1, 1, (4096, 1)).astype(np.float32)
    hessian = prepare_hessian(np.ones((1, 1, 1)), damping=1e-9)
    step = 0.25
    values = (step / 2 * np.arange(-10, 10) + step / 4).astype(np.float32)
    coding = code_along_trellis(
        weights, hessian, None, worth=np.ones(4096), values=values,
        lengths_bits=np.zeros(10, np.float32), lagrangian=0.0,
    )  # fmt: skip
    scalar = step**2 / 12 * 4096
    assert 0.7 * scalar < coding.distortion < 0.8 * scalar


@pytest.mark.parametrize(("values", "bits"), [(3, 3), (257, 257), (8, 7)])
def test_other_palettes_are_refused(values: int, bits: int) -> None:
    weights, hessian, worth = posed(4, 3)
    with pytest.raises(ValueError, match="4 to 256 values"):
        _kmeans.code_trellis(
            weights.T.copy(), hessian.factor[0], None, worth,
            np.zeros(values, np.float32), np.zeros(bits, np.float32), 0.0,
        )  # fmt: skip
