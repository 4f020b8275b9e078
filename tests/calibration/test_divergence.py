"""KL and agreement of two networks' scores."""

from __future__ import annotations

import numpy as np
import pytest

from pocketlens.base.errors import UsageError
from pocketlens.calibration.divergence import divergence, kl_each


def logits(n: int, seed: int) -> np.ndarray:
    return (3 * np.random.default_rng(seed).standard_normal((n, 7))).astype(np.float32)


def softmax(x: np.ndarray) -> np.ndarray:
    powers = np.exp(x.astype(np.float64))
    return powers / powers.sum(axis=1, keepdims=True)


def test_kl_is_its_definition() -> None:
    a, b = logits(20, 0), logits(20, 1)
    p, q = softmax(a), softmax(b)
    expected = (p * np.log(p / q)).sum(axis=1)
    np.testing.assert_allclose(kl_each(a, b, probabilities=False), expected, rtol=1e-9)
    as_probabilities = kl_each(p.astype(np.float32), q.astype(np.float32), probabilities=True)
    np.testing.assert_allclose(as_probabilities, expected, rtol=1e-4)


def test_a_network_does_not_differ_from_itself() -> None:
    a = logits(30, 2)
    same = divergence(a, a.copy(), probabilities=False)
    assert (same.kl, same.kl_interval, same.agreement) == (0.0, (0.0, 0.0), 100.0)
    assert 85 < same.agreement_interval[0] < 90
    assert same.agreement_interval[1] == 100.0


def test_agreement_counts_first_answers() -> None:
    a = np.eye(4, dtype=np.float32)
    b = a[[0, 1, 3, 2]]
    result = divergence(a, b, probabilities=False)
    assert result.agreement == 50.0
    assert result.agreement_interval[0] < 50 < result.agreement_interval[1]
    assert result.kl_interval[0] < result.kl < result.kl_interval[1]


def test_huge_logits_and_zero_probabilities_stay_finite() -> None:
    huge = np.array([[1e30, -1e30, 0.0]], np.float32)
    assert np.isfinite(kl_each(huge, -huge, probabilities=False)).all()
    sure = np.array([[1.0, 0.0]], np.float32)
    (cost,) = kl_each(sure, sure[:, ::-1], probabilities=True)
    assert 60 < cost < 80


@pytest.mark.parametrize("shapes", (((3, 4), (3, 5)), ((3,), (3,)), ((0, 4), (0, 4))))
def test_scores_that_do_not_fit_are_an_error(shapes: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(UsageError, match="scores-differ"):
        divergence(*(np.zeros(shape, np.float32) for shape in shapes), probabilities=False)
