"""Palettes by rate and distortion against all ways to cut, and their own promises."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from pocketlens.base.errors import UsageError
from pocketlens.palettes.rate_distortion import (
    LEVEL_BITS,
    MOST_BINS,
    RatedPalette,
    fit_rate_distortion,
)
from pocketlens.planes.encode import encode_plane
from pocketlens.planes.plane import index_bits_for

Weights = NDArray[np.float32]

small = hnp.arrays(np.float32, st.integers(1, 9), elements=st.integers(-20, 20).map(float))
lagrangians = st.sampled_from([1e-3, 0.1, 1.0, 10.0, 1e4])


def fit(weights: Weights, lagrangian: float, most: int = 256) -> RatedPalette:
    ones = np.ones(weights.shape, np.float32)
    return fit_rate_distortion(weights, importance=ones, lagrangian=lagrangian, most_levels=most)


def cost_of_runs(runs: list[Weights], lagrangian: float) -> float:
    total = sum(len(run) for run in runs)
    cost = 0.0
    for run in runs:
        spread = float(((run - run.mean(dtype=np.float64)) ** 2).sum())
        cost += spread + lagrangian * (len(run) * np.log2(total / len(run)) + LEVEL_BITS)
    return cost


def cost_of(weights: Weights, palette: RatedPalette, lagrangian: float) -> float:
    """Of the runs that end halfway between counts: found from the lengths, not the values."""
    counts = np.rint(weights.size * 2.0 ** -palette.lengths_bits.astype(np.float64)).astype(int)
    assert counts.sum() == weights.size
    ends = np.concatenate([[0], np.cumsum(counts)])
    ascending = np.sort(weights)
    return cost_of_runs([ascending[a:b] for a, b in pairwise(ends)], lagrangian)


@given(small, lagrangians)
def test_no_way_to_cut_costs_less(weights: Weights, lagrangian: float) -> None:
    ascending = np.sort(weights)
    steps = [i for i in range(1, len(ascending)) if ascending[i] != ascending[i - 1]]
    least = min(
        cost_of_runs([ascending[a:b] for a, b in pairwise((0, *cuts, len(ascending)))], lagrangian)
        for count in range(len(steps) + 1)
        for cuts in combinations(steps, count)
    )
    found = cost_of(weights, fit(weights, lagrangian), lagrangian)
    assert found == pytest.approx(least, rel=1e-6, abs=1e-6)


def test_dearer_bits_leave_fewer_levels_and_in_the_end_one() -> None:
    weights = np.random.default_rng(0).laplace(0, 1, 5000).astype(np.float32)
    sizes = [len(fit(weights, lagrangian).values) for lagrangian in (1e-4, 1e-2, 1.0, 1e6)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 40
    assert sizes[-1] == 1


@pytest.mark.parametrize("most", [1, 2, 4, 16, 100])
def test_a_cap_is_kept_and_filled(most: int) -> None:
    weights = np.random.default_rng(1).normal(0, 1, 20000).astype(np.float32)
    values = fit(weights, 1e-4, most).values
    assert most - 1 <= len(values) <= most
    assert (np.diff(values) > 0).all()


def test_a_cap_costs_less_than_a_higher_lagrangian() -> None:
    weights = np.random.default_rng(2).laplace(0, 1, 20000).astype(np.float32)
    lagrangian = 1e-4
    capped = fit(weights, lagrangian, 8)
    raised = lagrangian
    while len(fit(weights, raised).values) > 8:
        raised *= 1.3

    def squared_error(values: NDArray[np.float32]) -> float:
        return float((np.abs(weights[:, None] - values).min(axis=1) ** 2).sum())

    assert squared_error(capped.values) < 0.8 * squared_error(fit(weights, raised).values)


def test_pruned_weights_get_a_level_at_zero() -> None:
    rng = np.random.default_rng(3)
    weights = np.where(rng.random(4000) < 0.7, 0.0, rng.laplace(0, 1, 4000)).astype(np.float32)
    palette = fit(weights, 1e-3)
    nearest = np.abs(palette.values).argmin()
    assert abs(palette.values[nearest]) < 1e-2
    assert palette.lengths_bits[nearest] == palette.lengths_bits.min()
    assert palette.lengths_bits.min() < 0.6


def test_weights_of_no_importance_do_not_move_the_palette() -> None:
    weights = np.array([1.0, 1.0, 5.0, 9.0], np.float32)
    importance = np.array([1.0, 1.0, 0.0, 1.0], np.float32)
    palette = fit_rate_distortion(weights, importance=importance, lagrangian=1e-6, most_levels=2)
    assert palette.values.tolist() == [1.0, 9.0]


def test_merged_bins_lose_next_to_nothing() -> None:
    weights = np.random.default_rng(4).normal(0, 1, 300_000).astype(np.float32)
    assert len(np.unique(weights.astype(np.float16))) > 4 * MOST_BINS
    lagrangian = 1e-3
    palette = fit(weights, lagrangian)
    error = float((np.abs(weights[:, None] - palette.values).min(axis=1) ** 2).mean())
    bits = float((2.0**-palette.lengths_bits * palette.lengths_bits).sum())
    # At high rate entropy-coded scalars are 0.255 bits above the rate-distortion bound.
    assert bits + 0.5 * np.log2(error) == pytest.approx(0.2546, abs=0.02)


@pytest.mark.parametrize(("most", "above"), [(4, 0.03), (16, 0.03), (256, 0.04)])
def test_lengths_are_what_a_plane_spends(most: int, above: float) -> None:
    weights = np.random.default_rng(5).laplace(0, 1, (200, 500)).astype(np.float32)
    palette = fit(weights, 0.02, most)
    edges = (palette.values[1:] + palette.values[:-1]) / 2
    indices = np.searchsorted(edges, weights).astype(np.uint8)
    counts = np.bincount(indices.reshape(-1))
    expected = float((counts * -np.log2(counts / counts.sum())).sum()) / 8
    plane = encode_plane(indices, index_bits=index_bits_for(len(palette.values)))
    spent = sum(len(band.png) for band in plane.bands)
    assert expected < spent < expected * (1 + above)


@pytest.mark.parametrize(
    "weights", [np.zeros(7), np.full((3, 2), -2.5), np.array([3.0]), np.array([0.0, -0.0])]
)
def test_constant_tensors_have_one_level(weights: Weights) -> None:
    palette = fit(weights.astype(np.float32), 1e-3)
    assert palette.values.tolist() == [weights.reshape(-1)[0]]
    assert palette.lengths_bits.tolist() == [0.0]


def test_the_same_again() -> None:
    weights = np.random.default_rng(6).normal(0, 1, 70_000).astype(np.float32)
    first, second = fit(weights, 1e-3, 16), fit(weights, 1e-3, 16)
    assert first.values.tobytes() == second.values.tobytes()


def test_what_cannot_be_is_refused() -> None:
    good = np.ones(4, np.float32)
    cases = [
        (good.astype(np.float64), good, 1.0, 4, "bad-weights"),
        (np.array([np.nan, 1], np.float32), np.ones(2), 1.0, 4, "bad-weights"),
        (np.zeros(0, np.float32), np.zeros(0), 1.0, 4, "bad-weights"),
        (good, -good, 1.0, 4, "bad-importance"),
        (good, good[:2], 1.0, 4, "bad-importance"),
        (good, good, 0.0, 4, "bad-lagrangian"),
        (good, good, float("nan"), 4, "bad-lagrangian"),
        (good, good, 1.0, 257, "bad-palette-size"),
    ]
    for weights, importance, lagrangian, most, slug in cases:
        with pytest.raises(UsageError) as refusal:
            fit_rate_distortion(
                weights, importance=importance, lagrangian=lagrangian, most_levels=most
            )
        assert refusal.value.slug == slug
