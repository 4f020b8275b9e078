"""The intervals against published examples, SciPy, and what any interval must keep."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import optimize, stats

from pocketlens.evaluation.statistics import (
    Z95,
    mcnemar_p,
    missing_rate,
    paired_difference,
    paired_interval,
    wilson_interval,
)


@st.composite
def paired_counts(draw: st.DrawFn) -> tuple[int, int, int]:
    lost, won = draw(st.integers(0, 200)), draw(st.integers(0, 200))
    return lost, won, lost + won + draw(st.integers(0 if lost + won else 1, 5000))


@given(st.integers(0, 300), st.integers(1, 300))
def test_wilson_is_scipys(wrong: int, n: int) -> None:
    assume(wrong <= n)
    theirs = stats.binomtest(wrong, n).proportion_ci(0.95, method="wilson")
    assert wilson_interval(wrong, n) == pytest.approx((100 * theirs.low, 100 * theirs.high))


def test_wilson_of_a_published_example() -> None:
    # Newcombe 1998, Statistics in Medicine 17, 857-872, table I: score method without
    # continuity correction.
    for wrong, n, low, high in (
        (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):  # fmt: skip
        assert wilson_interval(wrong, n) == pytest.approx((100 * low, 100 * high), abs=0.005)


@given(st.integers(0, 10_000), st.integers(1, 10_000))
def test_wilson_holds_the_rate_and_mirrors(wrong: int, n: int) -> None:
    assume(wrong <= n)
    low, high = wilson_interval(wrong, n)
    assert 0 <= low <= missing_rate(wrong, n) <= high <= 100
    assert low < high
    mirrored = wilson_interval(n - wrong, n)
    assert mirrored == pytest.approx((100 - high, 100 - low), abs=1e-9)
    wide = wilson_interval(4 * wrong, 4 * n)
    assert wide[1] - wide[0] < high - low


@pytest.mark.parametrize(
    ("lost", "won", "n", "low", "high"),
    [
        # Fagerland, Lydersen, Laake 2014, Statistics in Medicine 33, 2850-2875: airway
        # hyper-responsiveness before and after stem cell transplantation.
        (1, 7, 21, -0.517, -0.026),
        (7, 1, 21, 0.026, 0.517),
    ],
)
def test_tango_of_a_published_example(lost: int, won: int, n: int, low: float, high: float) -> None:
    assert paired_interval(lost, won, n) == pytest.approx((100 * low, 100 * high), abs=0.05)


@pytest.mark.parametrize("n", [1, 10, 500, 50_000])
def test_tango_without_discordant_photos(n: int) -> None:
    # T(d)^2 is then n d / (1 - d), so that the bound is z^2 / (n + z^2).
    bound = 100 * Z95**2 / (n + Z95**2)
    assert paired_interval(0, 0, n) == pytest.approx((-bound, bound), rel=1e-12)


def score_by_likelihood(d: float, lost: int, won: int, n: int) -> float:
    """T(d) with the nuisance probability found by maximising the likelihood, not by formula."""

    def against(q: float) -> float:
        terms = ((lost, q + d), (won, q), (n - lost - won, 1 - 2 * q - d))
        return -sum(count * math.log(max(p, 1e-300)) for count, p in terms if count)

    span = (max(0.0, -d), (1 - d) / 2)
    q = optimize.minimize_scalar(against, bounds=span, method="bounded", options={"xatol": 1e-12}).x
    return (lost - won - n * d) / math.sqrt(n * (2 * q + d * (1 - d)))


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 500))
def test_tango_bounds_are_where_the_score_test_rejects(lost: int, won: int, both: int) -> None:
    n = lost + won + both
    low, high = (bound / 100 for bound in paired_interval(lost, won, n))
    assert score_by_likelihood(low, lost, won, n) == pytest.approx(Z95, abs=1e-3)
    assert score_by_likelihood(high, lost, won, n) == pytest.approx(-Z95, abs=1e-3)


@given(paired_counts())
def test_the_paired_interval_holds_the_difference(counts: tuple[int, int, int]) -> None:
    low, high = paired_interval(*counts)
    assert -100 <= low <= paired_difference(*counts) <= high <= 100
    assert low < high


@given(paired_counts())
def test_swapping_the_two_mirrors_the_interval(counts: tuple[int, int, int]) -> None:
    lost, won, n = counts
    low, high = paired_interval(lost, won, n)
    assert paired_interval(won, lost, n) == (-high, -low)


@given(paired_counts(), st.integers(2, 20))
def test_more_photos_narrow_the_interval(counts: tuple[int, int, int], times: int) -> None:
    lost, won, n = counts
    narrow, wide = paired_interval(lost * times, won * times, n * times), paired_interval(*counts)
    assert narrow[1] - narrow[0] < wide[1] - wide[0]


def test_the_paired_interval_for_large_counts_is_the_usual_one() -> None:
    lost, won, n = 2000, 1500, 50_000
    spread = Z95 * math.sqrt(lost + won - (lost - won) ** 2 / n) / n
    middle = (lost - won) / n
    usual = (100 * (middle - spread), 100 * (middle + spread))
    assert paired_interval(lost, won, n) == pytest.approx(usual, abs=0.003)


def test_coverage_with_few_discordant_photos() -> None:
    """Of all outcomes of 100 photos, those whose interval holds the truth weigh about 95%."""
    n, p_lost, p_won = 100, 0.03, 0.01
    truth, weight = 100 * (p_lost - p_won), 0.0
    for lost in range(21):
        for won in range(21):
            low, high = paired_interval(lost, won, n)
            if low <= truth <= high:
                counts = [lost, won, n - lost - won]
                weight += stats.multinomial.pmf(counts, n, [p_lost, p_won, 1 - p_lost - p_won])
    assert 0.93 < weight < 0.985


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_the_binomial_test(lost: int, won: int) -> None:
    theirs = stats.binomtest(lost, lost + won).pvalue if lost + won else 1.0
    assert mcnemar_p(lost, won) == pytest.approx(theirs, rel=1e-9)
    assert mcnemar_p(lost, won) == mcnemar_p(won, lost)


def test_mcnemar_of_large_counts() -> None:
    assert mcnemar_p(20_000, 0) == 0.0
    assert mcnemar_p(10_000, 10_000) == 1.0


@pytest.mark.parametrize("counts", [(1, 1, 1), (-1, 0, 5), (0, 0, 0), (6, 0, 5)])
def test_impossible_counts(counts: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        paired_interval(*counts)


def test_rates() -> None:
    assert missing_rate(1, 8) == 12.5
    assert paired_difference(3, 1, 100) == 2.0
    with pytest.raises(ValueError, match="cannot be"):
        missing_rate(1, 0)
