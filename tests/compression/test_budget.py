"""A size is met from below, whatever the curve does."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketlens.base.errors import UsageError
from pocketlens.compression.budget import CLOSE_ENOUGH, MOST_TRIALS, Trial, fit_size, parse_size


class Curve:
    """File bytes that fall with log lambda, with small steps in them; counts its calls."""

    def __init__(self, *, largest: int, fall: float, step: int = 1) -> None:
        self.largest, self.fall, self.step = largest, fall, step
        self.calls = 0

    def __call__(self, lagrangian: float) -> Trial[None]:
        self.calls += 1
        share = 1 / (1 + (lagrangian * 1e6) ** self.fall)
        size_bytes = max(int(self.largest * share) // self.step * self.step, self.largest // 50)
        return Trial(lagrangian, size_bytes, None)


def fit(curve: Curve, size_bytes: int, first: float = 1e-6) -> Trial[None]:
    return fit_size(curve, size_bytes, first=first, lowest=1e-14, highest=1e4)


@given(
    largest=st.integers(50_000, 20_000_000),
    fall=st.floats(0.2, 1.2),
    wanted=st.floats(0.05, 0.95),
    first=st.floats(-10, 0),
)
def test_the_size_is_met_within_a_percent_and_never_passed(
    largest: int, fall: float, wanted: float, first: float
) -> None:
    curve = Curve(largest=largest, fall=fall)
    size_bytes = int(largest * wanted)
    trial = fit(curve, size_bytes, first=10**first)
    assert trial.size_bytes <= size_bytes
    assert trial.size_bytes >= size_bytes * (1 - CLOSE_ENOUGH) or curve.calls >= MOST_TRIALS


def test_it_takes_few_trials() -> None:
    curve = Curve(largest=3_500_000, fall=0.5, step=512)
    trial = fit(curve, 1_400_000)
    assert 1_386_000 <= trial.size_bytes <= 1_400_000
    assert curve.calls <= 9


def test_two_trials_say_about_where_the_size_is() -> None:
    """Steps that always grow fourfold overshoot, and take 7 trials."""
    curve = Curve(largest=3_500_000, fall=0.8, step=512)
    trial = fit(curve, 3_150_000)
    assert 3_118_500 <= trial.size_bytes <= 3_150_000
    assert curve.calls <= 5


def test_a_large_size_takes_the_largest_file() -> None:
    trial = fit(Curve(largest=100_000, fall=0.5), 10**9)
    assert trial.size_bytes > 99_000


def test_a_size_out_of_reach_names_the_smallest() -> None:
    with pytest.raises(UsageError, match=r"2,000 bytes.*\[size-out-of-reach\]"):
        fit(Curve(largest=100_000, fall=0.5), 1_000)


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [("123456", 123456), ("2MB", 2_000_000), ("1.5 MiB", 1_572_864), ("350kB", 350_000)],
)
def test_sizes_are_read(text: str, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize("text", ["", "MB", "2 GBit", "-3kB", "0", "1,5MB", "nan"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="bad-size"):
        parse_size(text)


def test_lambda_moves_the_right_way() -> None:
    small = fit(Curve(largest=10**6, fall=0.5), 10**5)
    large = fit(Curve(largest=10**6, fall=0.5), 5 * 10**5)
    assert math.log(small.lagrangian) > math.log(large.lagrangian)


def test_a_jump_is_filled_by_blending() -> None:
    """A layer of 50 kB comes at once, 40 kB of others by and by; no lambda gives 60 kB."""

    def make(lagrangian: float) -> Trial[float]:
        small = 40_000 / (1 + lagrangian * 1e6)
        return Trial(lagrangian, int(small + (50_000 if lagrangian < 1e-6 else 0)), lagrangian)

    def blend(below: Trial[float], above: Trial[float]) -> Trial[float] | None:
        """The large layer of the one, the small ones of the other."""
        small = int(40_000 / (1 + below.lagrangian * 1e6))
        if small + 50_000 > 60_000:
            return None
        return Trial(below.lagrangian, small + 50_000, below.result)

    told: list[int] = []
    limits = {"first": 1e-6, "lowest": 1e-14, "highest": 1e4}
    without = fit_size(make, 60_000, **limits)
    assert without.size_bytes < 30_000
    found = fit_size(
        make, 60_000, **limits, blend=blend,
        tell=lambda trial, number, expected: told.append(trial.size_bytes),
    )  # fmt: skip
    assert 50_000 <= found.size_bytes <= 60_000
    assert told[-1] == found.size_bytes
    assert len(told) <= MOST_TRIALS + 2


def test_the_smallest_says_what_it_costs() -> None:
    with pytest.raises(UsageError, match=r"2,000 bytes\. It costs a leg\."):
        fit_size(
            Curve(largest=100_000, fall=0.5), 1_000, first=1e-6, lowest=1e-14, highest=1e4,
            cost=lambda trial: "It costs a leg.",
        )  # fmt: skip
