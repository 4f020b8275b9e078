"""What a coded network loses on photos beside its float original.

With labels that is points of top-1, paired on the same photos; without, the first answers that
are no longer those of the float network. Both with their 95% intervals, since few photos prove
little: a drop counts as kept where the upper end of its interval is within it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pocketlens._version import __version__
from pocketlens.base.progress import Progress, silent
from pocketlens.calibration.divergence import Divergence, divergence
from pocketlens.classify.lens import Lens, ends_in_softmax
from pocketlens.evaluation.accuracy import Comparison, Measurement, compare, rank_of, receipt_of
from pocketlens.evaluation.dataset import fingerprint
from pocketlens.evaluation.statistics import (
    Z95,
    paired_difference,
    paired_interval,
    wilson_interval,
)
from pocketlens.lensfile.contents import LensContents, Receipt

if TYPE_CHECKING:
    from pocketlens.calibration.photos import PhotoSet

Scores = NDArray[np.float32]

KEPT_BYTES = 256 << 20
"""Prepared photos are kept in memory up to so much; more are prepared anew for every trial."""


@dataclass(frozen=True)
class Drop:
    """What is lost on photos.

    photos    that both networks answered
    labelled  whether `lost` and `won` go by the truth, else by the float network's answers
    lost      photos that only the float network answers rightly; without labels: all whose first
              answer differs
    won       photos that only the coded network answers rightly; without labels: 0
    """

    photos: int
    labelled: bool
    lost: int
    won: int

    @property
    def points(self) -> float:
        """Percentage points of top-1, or percent of answers that changed."""
        return paired_difference(self.lost, self.won, self.photos)

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95% interval: Tango's with labels, Wilson's without."""
        if self.labelled:
            return paired_interval(self.lost, self.won, self.photos)
        return wilson_interval(self.lost, self.photos)

    @property
    def bound(self) -> float:
        """The most that it may be: the interval's upper end."""
        return self.interval[1]

    @property
    def in_words(self) -> str:
        """'+0.21 points of top-1 (-0.10 to +0.52) on 1,875 photos'."""
        low, high = self.interval
        if self.labelled:
            figures = f"{self.points:+.2f} points of top-1 ({low:+.2f} to {high:+.2f})"
        else:
            figures = f"{self.points:.2f} % other answers ({low:.2f} to {high:.2f})"
        return f"{figures} on {self.photos:,} photos"


def provable_drop(photos: int) -> float:
    """The smallest drop that so many photos can prove, in points: where no answer changes."""
    return 100.0 * Z95 * Z95 / (photos + Z95 * Z95)


def photos_needed(drop_points: float) -> int:
    """How many photos it takes at least to prove a drop, above 0."""
    return max(1, math.ceil(Z95 * Z95 * (100.0 / drop_points - 1.0)))


class Judge:
    """Compares coded networks with the float network, always on the same photos.

    original  the float network as a lens
    photos    as the recipe makes them
    classes   by hash of photo; photos without one are left aside. None: there are no labels
    """

    def __init__(
        self,
        original: LensContents,
        photos: PhotoSet,
        *,
        classes: Mapping[str, int] | None = None,
        threads: int = 1,
        progress: Progress = silent,
    ) -> None:
        numbers = [
            number
            for number, photo in enumerate(photos.photos)
            if classes is None or photo.sha256 in classes
        ]
        self.sha256 = tuple(photos.photos[number].sha256 for number in numbers)
        self.truth = None if classes is None else tuple(classes[sha256] for sha256 in self.sha256)
        self._threads = threads
        self._inputs = _kept(photos, numbers)
        self._original = original
        self._float = self._scores(original, "answers of the float network", progress)

    def __len__(self) -> int:
        return len(self.sha256)

    def drop(self, contents: LensContents, *, progress: Progress = silent) -> Drop:
        """What a coded network loses."""
        scores = self._scores(contents, "judging", progress)
        before, after = self._float.argmax(axis=1), scores.argmax(axis=1)
        if self.truth is None:
            return Drop(len(self), False, int((before != after).sum()), 0)
        truth = np.array(self.truth)
        lost = int(((before == truth) & (after != truth)).sum())
        won = int(((before != truth) & (after == truth)).sum())
        return Drop(len(self), True, lost, won)

    def report(self, contents: LensContents, *, name: str, progress: Progress = silent) -> Verdict:
        """All that is said of a finished lens on photos that nothing was chosen by.

        name  of the photos, for people
        """
        scores = self._scores(contents, "measuring", progress)
        softmax = ends_in_softmax(contents.graph)
        unseen = divergence(self._float, scores, probabilities=softmax)
        if self.truth is None:
            flips = int((self._float.argmax(axis=1) != scores.argmax(axis=1)).sum())
            return Verdict(Drop(len(self), False, flips, 0), unseen)
        sha256 = fingerprint(zip(self.sha256, self.truth, strict=True))
        first, second = (
            _measurement(each, self.truth, name=name, sha256=sha256)
            for each in (self._float, scores)
        )
        comparison = compare(second, first)
        with Lens(contents) as lens:
            engine = lens.engine_name
        receipt = receipt_of(
            second,
            crops=1,
            engine=engine,
            version=__version__,
            against=f"{contents.provenance.source_name} float32",
            comparison=comparison,
        )
        drop = Drop(len(self), True, comparison.lost, comparison.won)
        return Verdict(drop, unseen, second, first, comparison, receipt)

    def _scores(self, contents: LensContents, stage: str, progress: Progress) -> Scores:
        rows = []
        with Lens(contents, threads=self._threads) as lens:
            for number, picture in enumerate(self._inputs):
                progress(stage, number, len(self))
                rows.append(lens.scores(picture)[0])
        progress(stage, len(self), len(self))
        return np.stack(rows)


@dataclass(frozen=True)
class Verdict:
    """A finished lens on photos that nothing was fitted to or chosen by.

    drop         what it loses beside the float network
    divergence   how far its answers are from the float network's
    measurement, original, comparison  its missing rates, the float network's, the two paired
    receipt      as the lens keeps them; these four are None without labels
    """

    drop: Drop
    divergence: Divergence
    measurement: Measurement | None = None
    original: Measurement | None = None
    comparison: Comparison | None = None
    receipt: Receipt | None = None


def _measurement(scores: Scores, truth: tuple[int, ...], *, name: str, sha256: str) -> Measurement:
    rows = [[float(value) for value in row] for row in scores]
    return Measurement(
        dataset=name,
        dataset_sha256=sha256,
        class_count=scores.shape[1],
        truth=truth,
        answers=tuple(int(number) for number in scores.argmax(axis=1)),
        ranks=tuple(rank_of(number, row) for number, row in zip(truth, rows, strict=True)),
    )


def _kept(photos: PhotoSet, numbers: Sequence[int]) -> Sequence[NDArray[np.float32]]:
    """The chosen photos, prepared now if they are few enough, else whenever they are asked for."""
    chosen = photos.only(numbers)
    if not numbers or chosen[0].nbytes * len(numbers) > KEPT_BYTES:
        return chosen
    return list(chosen)
