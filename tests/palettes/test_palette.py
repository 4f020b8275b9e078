"""Palettes against the plain programmes of palettes/reference.py and their own promises."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from pocketlens.base.errors import ModelError, UsageError
from pocketlens.palettes import _kmeans, reference
from pocketlens.palettes.palette import distinct_values, fit_grouped, fit_palette

Weights = NDArray[np.float32]

# Values that half precision holds exactly: nothing is lost but by the palette.
halves = st.floats(-65504, 65504, width=16)
small_tensors = hnp.arrays(np.float32, st.integers(1, 10), elements=halves)
# Few distinct values: ties, and slopes that no lambda can tell apart.
grids = hnp.arrays(np.float32, st.integers(1, 60), elements=st.integers(-12, 12).map(float))
tensors = hnp.arrays(
    np.float32, st.integers(1, 200), elements=st.floats(-60000, 60000, width=32, allow_nan=False)
)
sizes = st.integers(1, 256)


def centroid_distortion(weights: Weights, size: int) -> float:
    """Distortion of the cells that were found, about their own means."""
    indices = fit_palette(weights, size).indices
    half = weights.astype(np.float16).astype(np.float64)
    cells = (half[indices == i] for i in np.unique(indices))
    return float(sum(((cell - cell.mean()) ** 2).sum() for cell in cells))


@given(st.one_of(small_tensors, grids), st.integers(1, 12))
def test_no_way_to_cut_is_better(weights: Weights, size: int) -> None:
    values, counts = reference.half_histogram(weights)
    k = min(size, len(values))
    if len(values) > 10:
        _, least = reference.best_cuts(values, counts, k)
    else:
        least = reference.brute_force_distortion(values, counts, k)
    # Rounding a centroid may move a value on the edge to the next cell, by next to nothing.
    assert centroid_distortion(weights, size) <= least * (1 + 1e-3)
    found = fit_palette(weights, size)
    assert len(found.values) == k
    if k == len(values):
        assert found.distortion == 0.0


@given(hnp.arrays(np.int64, 10, elements=st.integers(1, 1000)), st.integers(1, 10))
def test_the_two_reference_programmes_agree(counts: NDArray[np.int64], size: int) -> None:
    values = np.cumsum(counts[::-1]).astype(np.float64)
    brute = reference.brute_force_distortion(values, counts.astype(np.float64), size)
    _, dynamic = reference.best_cuts(values, counts.astype(np.float64), size)
    assert dynamic == pytest.approx(brute, rel=1e-9, abs=1e-9)


def bins_of(values: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.int64]:
    bins = np.zeros(65536, np.int64)
    bins[values.astype(np.float16).view(np.uint16)] = counts.astype(np.int64)
    return bins


@pytest.mark.parametrize("spread", ["normal", "uniform grid", "heavy tails", "equal pairs", "far"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 64, 128, 255, 256])
def test_same_distortion_as_the_textbook_programme(spread: str, size: int) -> None:
    rng = np.random.default_rng(5)
    values = {
        "normal": rng.standard_normal(600),
        "uniform grid": np.arange(400.0),
        "heavy tails": rng.standard_cauchy(500).clip(-60000, 60000),
        "equal pairs": np.arange(300.0).repeat(2) * 4 + np.tile([0.0, 1.0], 300),
        "far": np.r_[np.arange(1, 400) * 2.0**-24, 60000.0, 60032.0, -60000.0],
    }[spread]
    values = np.unique(values.astype(np.float16)).astype(np.float64)
    counts = np.ones(len(values)) if spread == "uniform grid" else rng.integers(1, 9, len(values))
    counts = counts.astype(np.float64)
    cuts, least = reference.best_cuts(values, counts, size)
    codes = _kmeans.choose(bins_of(values, counts), size)
    assert len(codes) == size
    palette = codes.view(np.float16).astype(np.float64)
    # Nearest centroid after rounding: compare with the reference's own centroids, rounded too.
    cells = [slice(a, b) for a, b in pairwise(cuts)]
    theirs = np.array([np.average(values[c], weights=counts[c]) for c in cells])
    expected = distortion(values, counts, theirs.astype(np.float16).astype(np.float64))
    assert distortion(values, counts, palette) <= expected * (1 + 2e-3)
    assert distortion(values, counts, palette) >= least * (1 - 1e-9)


def distortion(
    values: NDArray[np.float64], counts: NDArray[np.float64], palette: NDArray[np.float64]
) -> float:
    away = np.abs(values[:, None] - palette).min(axis=1)
    return float((counts * away**2).sum())


@pytest.mark.parametrize("size", [3, 16, 50])
def test_never_worse_than_scikit_learn(size: int) -> None:
    cluster = pytest.importorskip("sklearn.cluster")
    limits = pytest.importorskip("threadpoolctl").threadpool_limits
    weights = np.random.default_rng(size).laplace(0, 0.1, 600).astype(np.float16)
    points = weights.astype(np.float64)
    with limits(1):  # its threads wait for each other on a busy machine
        fit = cluster.KMeans(size, n_init=10, random_state=0).fit(points[:, None])
    theirs = distortion(points, np.ones(600), fit.cluster_centers_[:, 0])
    assert centroid_distortion(weights.astype(np.float32), size) <= theirs * (1 + 1e-6)


@given(tensors, sizes)
def test_every_weight_has_its_nearest_value(weights: Weights, size: int) -> None:
    found = fit_palette(weights, size)
    assert found.indices.dtype == np.uint8 and found.values.dtype == np.float16
    assert found.indices.shape == weights.shape
    assert (np.diff(found.values.astype(np.float64)) > 0).all()
    assert found.indices.max() < len(found.values) <= size
    assert np.array_equal(found.indices, reference.nearest_indices(weights, found.values))
    decoded = found.values[found.indices].astype(np.float32)
    lost = (weights - decoded).astype(np.float64)
    assert found.distortion == pytest.approx((lost**2).sum(), rel=1e-12)


@given(hnp.arrays(np.float32, st.integers(1, 80), elements=st.floats(-2, 2, width=16)), sizes)
def test_doubling_every_weight_doubles_the_palette(weights: Weights, size: int) -> None:
    weights = weights * np.float32(64)  # away from subnormals, where doubling is not exact
    weights[np.abs(weights) < 2**-10] = 0
    once, twice = fit_palette(weights, size), fit_palette(weights * np.float32(2), size)
    assert np.array_equal(once.values * np.float16(2), twice.values)
    assert np.array_equal(once.indices, twice.indices)


@given(grids, st.integers(1, 20))
def test_shift_and_negation_change_no_distortion(weights: Weights, size: int) -> None:
    plain = centroid_distortion(weights, size)
    assert centroid_distortion(weights + np.float32(100), size) == pytest.approx(plain, abs=1e-6)
    assert centroid_distortion(-weights, size) == pytest.approx(plain, abs=1e-6)


@given(tensors)
def test_more_values_never_lose_more(weights: Weights) -> None:
    weights = weights.astype(np.float16).astype(np.float32)
    errors = [fit_palette(weights, size).distortion for size in (1, 2, 3, 5, 8, 16, 64, 256)]
    # Rounded centroids: a hair's breadth is allowed between two that are nearly equal.
    assert all(b <= a * (1 + 1e-3) for a, b in pairwise(errors))


def test_importance_is_the_same_as_repetition() -> None:
    rng = np.random.default_rng(3)
    weights = rng.standard_normal(500).astype(np.float32)
    times = rng.integers(0, 6, 500)
    times[0] = 1
    weighted = fit_palette(weights, 12, importance=times.astype(np.float32))
    repeated = fit_palette(weights.repeat(times), 12)
    assert np.array_equal(weighted.values, repeated.values)
    assert weighted.distortion == pytest.approx(repeated.distortion, rel=1e-12)
    tiny = fit_palette(weights, 12, importance=(times * 1e-30).astype(np.float32))
    assert np.array_equal(tiny.values, weighted.values)


def test_importance_0_moves_nothing() -> None:
    weights = np.array([1, 2, 3, 50, 900], np.float32)
    importance = np.array([1, 1, 1, 0, 0], np.float32)
    found = fit_palette(weights, 2, importance=importance)
    assert found.values.max() <= 3
    assert found.indices.tolist()[-2:] == [1, 1]
    exact = fit_palette(weights, 4, importance=importance)
    assert exact.values.tolist() == [1, 2, 3] and exact.distortion == 0.0


def test_a_tie_goes_to_the_smaller_value() -> None:
    indices, _, _ = _kmeans.assign(
        np.array([1.5, 0.5, 2.5, -1.0, 9.0], np.float32),
        np.array([0, 1, 2, 3], np.float16).view(np.uint16),
    )
    assert indices.tolist() == [1, 0, 2, 0, 3]


@pytest.mark.parametrize("count", [100, 40_000])  # by search, by table
def test_small_and_large_tensors_are_mapped_alike(count: int) -> None:
    rng = np.random.default_rng(1)
    weights = (rng.standard_normal(count) * 10.0 ** rng.integers(-8, 4, count)).astype(np.float32)
    found = fit_palette(weights, 37)
    assert np.array_equal(found.indices, reference.nearest_indices(weights, found.values))


def test_every_half_is_counted_as_numpy_rounds_it() -> None:
    halves_all = np.arange(65536, dtype=np.uint16).view(np.float16)
    finite = halves_all[np.isfinite(halves_all)].astype(np.float32)
    ends = np.nextafter(finite, np.float32(np.inf)), np.nextafter(finite, np.float32(-np.inf))
    between = (np.sort(finite)[1:] + np.sort(finite)[:-1]) / 2  # ties to even
    odd = np.array([65519.996, 1e-10, -1e-10, 2.0**-25, 2.0**-149], np.float32)
    for part in (finite, *ends, between, odd):
        # 3 more than a multiple of 8: the wide path and the plain one both take their share.
        weights = np.r_[part, part[: (3 - len(part)) % 8]]
        expected = np.bincount(weights.astype(np.float16).view(np.uint16), minlength=65536)
        assert np.array_equal(_kmeans.count(weights), expected)
        one_by_one = np.zeros(65536, np.int64)  # below 8 weights only the plain path runs
        for start in range(0, len(weights), 997):
            one_by_one += _kmeans.count(weights[start : start + 5])
        picked = np.concatenate([weights[s : s + 5] for s in range(0, len(weights), 997)])
        codes = picked.astype(np.float16).view(np.uint16)
        assert np.array_equal(one_by_one, np.bincount(codes, minlength=65536))


def test_minus_zero_is_zero() -> None:
    weights = np.array([-0.0, 0.0, 1.0], np.float32)
    found = fit_palette(weights, 256)
    assert found.values.tolist() == [0, 1] and not np.signbit(found.values).any()
    assert found.indices.tolist() == [0, 0, 1]
    assert distinct_values(weights).tolist() == [0, 1]


@pytest.mark.parametrize("value", [0.0, -0.0, 3.25, -65504.0, 2.0**-24])
@pytest.mark.parametrize("shape", [(1,), (3, 4), (2, 3, 1, 1)])
def test_constant_tensors(value: float, shape: tuple[int, ...]) -> None:
    found = fit_palette(np.full(shape, value, np.float32), 16)
    assert found.values.tolist() == [value] and found.distortion == 0.0
    assert found.indices.shape == shape and not found.indices.any()
    palettes, indices, error = fit_grouped(np.full(shape, value, np.float32), 16, group_rows=1)
    assert palettes.shape == (shape[0], 1) and error == 0.0 and not indices.any()


def test_256_distinct_values_are_kept() -> None:
    rng = np.random.default_rng(0)
    levels = np.unique(rng.standard_normal(400).astype(np.float16))[:256]
    weights = rng.choice(levels, (64, 300)).astype(np.float32)
    found = fit_palette(weights, 256)
    assert np.array_equal(distinct_values(weights), levels)
    assert np.array_equal(found.values[found.indices], weights.astype(np.float16))
    assert found.distortion == 0.0


def test_groups_have_their_own_palettes_padded_with_the_last_value() -> None:
    rng = np.random.default_rng(2)
    weights = rng.standard_normal((7, 3, 2, 2)).astype(np.float32)
    weights[2:4] = [[[[1.0]]], [[[2.0]]]]
    palettes, indices, error = fit_grouped(weights, 5, group_rows=2)
    assert palettes.shape == (4, 5) and indices.shape == weights.shape
    assert palettes[1].tolist() == [1, 2, 2, 2, 2] and indices[2:4].max() == 1
    decoded = palettes.astype(np.float32)[np.arange(7)[:, None] // 2, indices.reshape(7, -1)]
    lost = ((weights.reshape(7, -1) - decoded).astype(np.float64) ** 2).sum()
    assert error == pytest.approx(lost / (weights.astype(np.float64) ** 2).sum(), rel=1e-9)
    for group in range(4):
        alone = fit_palette(weights[2 * group : 2 * group + 2], 5)
        assert palettes[group][: len(alone.values)].tolist() == alone.values.tolist()
        assert np.array_equal(indices[2 * group : 2 * group + 2], alone.indices)


def test_same_palette_as_the_plain_programme() -> None:
    weights = np.random.default_rng(9).standard_normal(300).astype(np.float32)
    for size in (2, 5, 16, 40):  # beyond that, different cuts may be equally good
        values, indices = reference.fit_palette_plainly(weights, size)
        found = fit_palette(weights, size)
        assert np.array_equal(found.values, values) and np.array_equal(found.indices, indices)


def test_strided_weights_are_read_in_their_own_order() -> None:
    weights = np.random.default_rng(4).standard_normal((30, 40)).astype(np.float32)
    straight, turned = fit_palette(weights, 9), fit_palette(weights.T, 9)
    assert np.array_equal(straight.indices, turned.indices.T)


@pytest.mark.parametrize(
    ("weights", "slug"),
    [
        ([1.0, np.nan], "weights-not-finite"),
        ([1.0, -np.inf], "weights-not-finite"),
        ([1.0, 65520.0], "weights-too-large"),
        ([-1e30], "weights-too-large"),
    ],
)
def test_what_half_precision_cannot_hold_is_refused(weights: list[float], slug: str) -> None:
    array = np.array(weights, np.float32)
    for call in (
        lambda: fit_palette(array, 4),
        lambda: fit_palette(array, 4, importance=np.zeros_like(array) + 1),
        lambda: fit_grouped(array, 4, group_rows=1),
        lambda: distinct_values(array),
    ):
        with pytest.raises(ModelError) as error:
            call()
        assert error.value.slug == slug


def test_arguments_that_do_not_fit_are_refused() -> None:
    weights = np.ones((4, 2), np.float32)
    wrong = [
        ("bad-palette-size", lambda: fit_palette(weights, 0)),
        ("bad-palette-size", lambda: fit_palette(weights, 257)),
        ("bad-weights", lambda: fit_palette(weights[:0], 2)),
        ("bad-weights", lambda: fit_palette(weights.astype(np.float64), 2)),  # type: ignore[arg-type]
        ("bad-group-rows", lambda: fit_grouped(weights, 2, group_rows=0)),
        ("bad-group-rows", lambda: fit_grouped(weights, 2, group_rows=5)),
        ("bad-importance", lambda: fit_palette(weights, 2, importance=weights * 0)),
        ("bad-importance", lambda: fit_palette(weights, 2, importance=-weights)),
        ("bad-importance", lambda: fit_palette(weights, 2, importance=weights[0])),
        ("bad-importance", lambda: fit_palette(weights, 2, importance=weights / 0 * 0 + np.inf)),
    ]
    with np.errstate(all="ignore"):
        for slug, call in wrong:
            with pytest.raises(UsageError) as error:
                call()
            assert error.value.slug == slug
