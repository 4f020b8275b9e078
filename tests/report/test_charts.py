"""What charts are drawn from is right: areas are counts, dots are where their numbers say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketlens.compression.fates import Fate, store_tensor
from pocketlens.compression.settings import Settings
from pocketlens.lensfile.contents import TensorRecord
from pocketlens.report.charts import CurvePoint, curve, histogram
from pocketlens.report.distribution import distribution_of

PALETTE = Fate("palette", "asked for")


def stored(values: np.ndarray, bits: int, group_rows: int | None = None) -> TensorRecord:
    settings = Settings(bits=bits, group_rows=group_rows, crush=None)
    return store_tensor(
        "w", values.astype(np.float32), fate=PALETTE, is_weight=True, settings=settings
    )


@pytest.mark.parametrize("group_rows", [None, 3])
def test_the_area_is_the_number_of_weights(group_rows: int | None) -> None:
    values = np.random.default_rng(0).standard_normal((10, 300))
    spread = distribution_of(stored(values, 6, group_rows))
    assert spread.counts.sum() == pytest.approx(values.size)
    assert spread.low < spread.values[0] < spread.values[-1] < spread.high
    assert 4 < spread.entropy_bits < 6


def test_the_shape_is_that_of_the_weights() -> None:
    values = np.random.default_rng(0).standard_normal((100, 300))
    spread = distribution_of(stored(values, 8))
    real, _ = np.histogram(values, len(spread.counts), (spread.low, spread.high))
    assert np.abs(spread.counts - real).sum() / values.size < 0.06


def test_a_pruned_tensor_says_so_and_its_peak_is_cut() -> None:
    values = np.random.default_rng(0).standard_normal((40, 300))
    whole = distribution_of(stored(values, 6))
    assert (whole.zeros, histogram(whole).is_cut) == (0.0, False)
    values += 0.2 * np.sign(values)  # pruning leaves a gap around 0
    values[:30] = 0.0
    pruned = distribution_of(stored(values, 6))
    assert pruned.zeros == pytest.approx(0.75)
    assert histogram(pruned).is_cut


def test_a_tensor_of_one_value_and_one_of_two() -> None:
    same = distribution_of(stored(np.full((4, 4), 0.5), 4))
    assert (list(same.values), same.entropy_bits) == ([0.5], 0.0)
    two = distribution_of(stored(np.array([[1.0, -1.0]]), 1))
    assert two.entropy_bits == 1.0
    assert histogram(two).zero_x == pytest.approx(160)
    assert histogram(same).zero_x is None


sizes = st.floats(1e3, 1e9)
rates = st.floats(0, 100)


@given(st.lists(st.tuples(sizes, rates, st.floats(0, 20), st.text("ab ", max_size=12)), min_size=2,
                max_size=12))  # fmt: skip
def test_any_points_have_a_curve(points: list[tuple[float, float, float, str]]) -> None:
    made = [
        CurvePoint(name, "row", size, rate, (max(rate - half, 0), min(rate + half, 100)))
        for size, rate, half, name in points
    ]
    drawn = curve(made, float_interval=made[0].interval)
    by_size = sorted(drawn.dots, key=lambda dot: dot.point.size_bytes)
    assert [dot.x for dot in by_size] == sorted(dot.x for dot in by_size)
    by_rate = sorted(drawn.dots, key=lambda dot: dot.point.percent)
    assert [dot.y for dot in by_rate] == sorted((dot.y for dot in by_rate), reverse=True)
    assert all(dot.high_y <= dot.y + 1e-9 <= dot.low_y + 2e-9 for dot in drawn.dots)
    assert drawn.front.startswith("M")
    assert 2 <= len(drawn.lines) <= 12
