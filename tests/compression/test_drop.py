"""A drop is kept by the smallest file that is proved to; what few photos cannot prove is told."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketlens.base.errors import UsageError
from pocketlens.compression.budget import MOST_TRIALS, Trial
from pocketlens.compression.drop import check_provable, fit_drop
from pocketlens.compression.judging import Drop, photos_needed, provable_drop
from pocketlens.evaluation.statistics import paired_interval, wilson_interval


class Network:
    """Loses photos and bytes as log lambda grows, with some chance in both."""

    def __init__(self, *, photos: int, knee: float, labelled: bool = True) -> None:
        self.photos, self.knee, self.labelled = photos, knee, labelled
        self.calls: list[float] = []

    def __call__(self, lagrangian: float) -> Trial[None]:
        self.calls.append(lagrangian)
        place = math.log10(lagrangian) - self.knee
        share = 0.5 / (1 + math.exp(-3 * place))
        chance = int(1e6 * lagrangian**0.1) % 3
        lost = min(int(share * self.photos) + chance, self.photos)
        drop = Drop(self.photos, self.labelled, lost, 0)
        return Trial(lagrangian, int(100_000 - 5_000 * place), None, drop=drop)


def fit(network: Network, drop_points: float) -> Trial[None]:
    return fit_drop(network, drop_points, first=1e-6, lowest=1e-12, highest=10.0)


@given(
    photos=st.integers(1_000, 50_000),
    knee=st.floats(-9, -2),
    points=st.floats(2.0, 20.0),
    labelled=st.booleans(),
)
def test_the_drop_is_kept_and_the_file_small(
    photos: int, knee: float, points: float, labelled: bool
) -> None:
    network = Network(photos=photos, knee=knee, labelled=labelled)
    trial = fit(network, points)
    assert trial.drop is not None
    assert trial.drop.bound <= points
    assert len(network.calls) <= MOST_TRIALS + 8
    assert len(set(network.calls)) == len(network.calls)
    # A lambda somewhat larger loses more than is allowed.
    worse = network(trial.lagrangian * 4)
    assert worse.drop is not None
    assert worse.drop.bound > points


def test_a_drop_that_nothing_keeps_names_the_least() -> None:
    with pytest.raises(UsageError, match=r"least that was proved.*on 1,000 photos.*drop-out-of-re"):
        fit(Network(photos=1_000, knee=-30), 1.0)


def test_a_drop_that_everything_keeps_takes_the_smallest_file() -> None:
    network = Network(photos=1_000, knee=9)
    assert fit(network, 5.0).lagrangian == max(network.calls)


@pytest.mark.parametrize("photos", [1, 10, 63, 500, 765, 10_000])
def test_what_photos_can_prove(photos: int) -> None:
    least = provable_drop(photos)
    assert least == pytest.approx(paired_interval(0, 0, photos)[1])
    assert least == pytest.approx(wilson_interval(0, photos)[1])
    assert photos_needed(least + 1e-9) == photos


def test_half_a_point_needs_765_photos() -> None:
    assert photos_needed(0.5) == 765
    check_provable(0.5, 765, share=0.375, labelled=True)
    with pytest.raises(UsageError) as refusal:
        check_provable(0.5, 187, share=0.375, labelled=True)
    sentence = refusal.value.sentence
    assert refusal.value.slug == "too-few-to-prove"
    assert "187 labelled photos" in sentence
    assert "2.02 points" in sentence
    assert "2,040 in all (765 to choose on)" in sentence


def test_no_photo_proves_nothing() -> None:
    with pytest.raises(UsageError, match="too-few-to-prove"):
        check_provable(99.0, 0, share=0.375, labelled=False)


def test_a_drop_in_words() -> None:
    drop = Drop(1000, True, 5, 2)
    assert drop.in_words == "+0.30 points of top-1 (-0.28 to +0.99) on 1,000 photos"
    assert drop.interval == paired_interval(5, 2, 1000)
    assert Drop(200, False, 4, 0).in_words == "2.00 % other answers (0.78 to 5.03) on 200 photos"
