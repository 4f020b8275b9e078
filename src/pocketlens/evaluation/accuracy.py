"""Measure how often a classifier is wrong, and compare two on the same photos.

Knows no engine: a classifier is handed in as a function from a photo to one score a class.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from pocketlens.base.errors import DataError, EngineError
from pocketlens.base.progress import Progress, silent
from pocketlens.evaluation.dataset import Dataset
from pocketlens.evaluation.statistics import (
    mcnemar_p,
    missing_rate,
    paired_difference,
    paired_interval,
    wilson_interval,
)
from pocketlens.images.views import Crops
from pocketlens.lensfile.contents import Receipt

if TYPE_CHECKING:
    from PIL.Image import Image

ScoresOf: TypeAlias = "Callable[[Image], Sequence[float]]"
"""A classifier: from a photo (mode "RGB", any size) to one score a class, larger is likelier.
Logits or probabilities: only their order counts."""

FEWEST_CLASSES_FOR_TOP5 = 6
"""With 5 classes a top-5 answer cannot be wrong."""


@dataclass(frozen=True)
class Measurement:
    """What a classifier answered on a data set.

    dataset         name for people
    dataset_sha256  fingerprint
    class_count     classes of the classifier
    truth           class number of each photo
    answers         class number answered for each photo
    ranks           place of the truth among the scores of each photo: 0 if it was answered
    """

    dataset: str
    dataset_sha256: str
    class_count: int
    truth: tuple[int, ...]
    answers: tuple[int, ...]
    ranks: tuple[int, ...]

    @property
    def n(self) -> int:
        """Photos measured."""
        return len(self.truth)

    @property
    def top1_wrong(self) -> int:
        """Photos whose class was not the first answer."""
        return sum(rank > 0 for rank in self.ranks)

    @property
    def top5_wrong(self) -> int | None:
        """Photos whose class was not among the first five; None with fewer than 6 classes."""
        if self.class_count < FEWEST_CLASSES_FOR_TOP5:
            return None
        return sum(rank > 4 for rank in self.ranks)

    @property
    def top1_missing(self) -> float:
        """Top-1 missing rate, percent."""
        return missing_rate(self.top1_wrong, self.n)

    @property
    def top1_interval(self) -> tuple[float, float]:
        """Its 95% interval, percent."""
        return wilson_interval(self.top1_wrong, self.n)

    @property
    def top5_missing(self) -> float | None:
        """Top-5 missing rate, percent; None with fewer than 6 classes."""
        return None if self.top5_wrong is None else missing_rate(self.top5_wrong, self.n)

    @property
    def top5_interval(self) -> tuple[float, float] | None:
        """Its 95% interval, percent; None with fewer than 6 classes."""
        return None if self.top5_wrong is None else wilson_interval(self.top5_wrong, self.n)


@dataclass(frozen=True)
class Comparison:
    """Two classifiers on the same photos, by their first answers.

    lost        photos that only the other one got right
    won         photos that only this one got right
    flips       photos where the two answers differ, right or wrong
    difference  top-1 missing rate of this one minus that of the other, points
    interval    its 95% interval (Tango's paired score interval), points
    p_value     of "both are equally good", McNemar's exact test
    """

    lost: int
    won: int
    flips: int
    difference: float
    interval: tuple[float, float]
    p_value: float


def measure(
    dataset: Dataset,
    scores_of: ScoresOf,
    *,
    class_count: int,
    threads: int = 1,
    progress: Progress = silent,
) -> Measurement:
    """Run a classifier over a data set; see `measure_together`."""
    return measure_together(
        dataset, [scores_of], class_count=class_count, threads=threads, progress=progress
    )[0]


def measure_together(
    dataset: Dataset,
    classifiers: Sequence[ScoresOf],
    *,
    class_count: int,
    threads: int = 1,
    progress: Progress = silent,
) -> tuple[Measurement, ...]:
    """Run several classifiers over a data set, decoding each photo once.

    classifiers  called one after the other for each photo, always from this thread
    class_count  how many scores each gives
    threads      how many photos are decoded side by side; changes nothing but the time
    returns      one measurement a classifier

    Of equal scores the lower class number counts as the better one.
    Raises ImageError for a photo that cannot be decoded; EngineError 'wrong-scores'.
    """
    answers: list[list[int]] = [[] for _ in classifiers]
    ranks: list[list[int]] = [[] for _ in classifiers]
    for number, photo in enumerate(_decoded(dataset, threads)):
        progress("measuring", number, len(dataset))
        for side, scores_of in enumerate(classifiers):
            scores = _checked(scores_of(photo), class_count, dataset.name_of(number))
            answers[side].append(scores.index(max(scores)))
            ranks[side].append(rank_of(dataset.classes[number], scores))
    progress("measuring", len(dataset), len(dataset))
    return tuple(
        Measurement(
            dataset=dataset.name,
            dataset_sha256=dataset.sha256,
            class_count=class_count,
            truth=dataset.classes,
            answers=tuple(answers[side]),
            ranks=tuple(ranks[side]),
        )
        for side in range(len(classifiers))
    )


def rank_of(number: int, scores: Sequence[float]) -> int:
    """How many classes stand before class `number`; of equal scores the lower number is first."""
    own = scores[number]
    return sum(s > own or (s == own and other < number) for other, s in enumerate(scores))


def compare(this: Measurement, other: Measurement) -> Comparison:
    """Compare `this` with `other`, measured on the same photos.

    Raises DataError 'not-the-same-photos'.
    """
    if (this.dataset_sha256, this.truth) != (other.dataset_sha256, other.truth):
        raise DataError(
            f"'{this.dataset}' ({this.n} photos) and '{other.dataset}' ({other.n} photos) are "
            "not the same photos with the same classes in the same order, so their answers "
            "cannot be paired. Measure both on one data set.",
            slug="not-the-same-photos",
        )
    pairs = list(zip(this.ranks, other.ranks, strict=True))
    lost = sum(mine > 0 and theirs == 0 for mine, theirs in pairs)
    won = sum(mine == 0 and theirs > 0 for mine, theirs in pairs)
    return Comparison(
        lost=lost,
        won=won,
        flips=sum(a != b for a, b in zip(this.answers, other.answers, strict=True)),
        difference=paired_difference(lost, won, this.n),
        interval=paired_interval(lost, won, this.n),
        p_value=mcnemar_p(lost, won),
    )


def receipt_of(
    measurement: Measurement,
    *,
    crops: Crops,
    engine: str,
    version: str,
    against: str = "",
    comparison: Comparison | None = None,
) -> Receipt:
    """The measurement as it is kept in a lens.

    crops       views that were averaged
    engine      what computed: "core avx512" or "reference"
    version     of Pocketlens
    against     what it was compared with: "model.onnx float32"; "" with no comparison
    comparison  with that
    """
    if bool(against) != (comparison is not None):
        raise ValueError("a comparison and the name of what it is with go together")
    return Receipt(
        dataset=measurement.dataset,
        dataset_sha256=measurement.dataset_sha256,
        n=measurement.n,
        crops=crops,
        top1_missing=measurement.top1_missing,
        top1_interval=measurement.top1_interval,
        top5_missing=measurement.top5_missing,
        top5_interval=measurement.top5_interval,
        against=against,
        difference=comparison.difference if comparison else None,
        difference_interval=comparison.interval if comparison else None,
        flips=comparison.flips if comparison else None,
        engine=engine,
        version=version,
    )


def _decoded(dataset: Dataset, threads: int) -> Iterator[Image]:
    """The photos in order; at most 2 * threads of them are in memory."""
    if threads <= 1:
        yield from map(dataset.photo_of, range(len(dataset)))
        return
    waiting: deque[Future[Image]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
    try:
        for number in range(len(dataset)):
            if len(waiting) == 2 * threads - 1:
                yield waiting.popleft().result()
            waiting.append(pool.submit(dataset.photo_of, number))
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _checked(scores: Sequence[float], class_count: int, photo: str) -> list[float]:
    """Scores as floats. A NaN would make every comparison false and pass as an answer."""
    values = [float(score) for score in scores]
    if len(values) != class_count or any(math.isnan(value) for value in values):
        seen = "NaN" if len(values) == class_count else f"{len(values)} scores"
        raise EngineError(
            f"The classifier gave {seen} for '{photo}', expected {class_count} numbers. "
            "Is the model or its recipe broken?",
            slug="wrong-scores",
        )
    return values
