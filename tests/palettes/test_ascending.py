"""The nearest ascending palette, against SciPy's isotonic regression."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression

from pocketlens.palettes.ascending import ascending, ascending_groups

palettes = st.lists(
    st.tuples(st.floats(-4, 4, width=32), st.integers(1, 1000)), min_size=1, max_size=40
)


@given(palettes)
def test_it_is_isotonic_regression(pairs: list[tuple[float, int]]) -> None:
    values = np.array([value for value, _ in pairs], np.float32)
    counts = np.array([count for _, count in pairs])
    expected = isotonic_regression(values.astype(float), weights=counts.astype(float)).x
    found = ascending(values, counts)
    assert (np.diff(found) >= 0).all()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_an_ascending_palette_is_left_alone() -> None:
    values = np.array([-1.0, 0.0, 0.0, 2.0], np.float32)
    assert ascending(values, np.ones(4, np.int64)) is values


def test_a_value_that_nobody_uses_gives_way() -> None:
    values, counts = np.array([0.0, 5.0, 1.0], np.float32), np.array([10, 0, 10])
    np.testing.assert_allclose(ascending(values, counts), [0.0, 1.0, 1.0], atol=1e-5)


def test_groups_are_apart() -> None:
    values = np.array([[2.0, 1.0], [0.0, 1.0]], np.float32)
    found = ascending_groups(values, np.ones((2, 2), np.int64))
    assert found.tolist() == [[1.5, 1.5], [0.0, 1.0]]
