"""Measure an opened lens on a data set, alone or paired with another on the same photos."""

from __future__ import annotations

from dataclasses import dataclass

from pocketlens._version import __version__
from pocketlens.base.errors import DataError
from pocketlens.base.progress import Progress, silent
from pocketlens.classify.lens import Lens
from pocketlens.evaluation.accuracy import (
    Comparison,
    Measurement,
    ScoresOf,
    compare,
    measure_together,
    receipt_of,
)
from pocketlens.evaluation.dataset import Dataset
from pocketlens.images.views import CCV5, CCV10, Crops
from pocketlens.lensfile.contents import Receipt


@dataclass(frozen=True)
class Evaluation:
    """What a lens's answers on a data set are worth.

    measurement  of the lens
    other        of the one it was paired with; None if it was measured alone
    comparison   of the two; None likewise
    receipt      all of it as it is kept in a lens
    """

    measurement: Measurement
    other: Measurement | None
    comparison: Comparison | None
    receipt: Receipt


def evaluate_lens(
    lens: Lens,
    dataset: Dataset,
    *,
    against: Lens | None = None,
    against_name: str | None = None,
    crops: Crops = 1,
    threads: int = 1,
    progress: Progress = silent,
) -> Evaluation:
    """Classify every photo of a data set and count what was missed.

    against       another open lens with the same classes; both see the same decoded photos
    against_name  what the receipt calls it; None: its own name
    crops         views averaged: 1, 5 or 10, "slide", "ccv10" or "ccv5"
    threads       photos decoded side by side
    Raises DataError 'other-classes', ImageError.
    """
    if against is not None and len(against.labels) != len(lens.labels):
        raise DataError(
            f"'{lens.name}' answers with {len(lens.labels)} classes and '{against.name}' with "
            f"{len(against.labels)}, so their answers cannot be paired.",
            slug="other-classes",
        )
    if crops in (CCV5, CCV10):
        dataset = dataset.decoded_as_ccv()
    both = [lens] if against is None else [lens, against]
    measured = measure_together(
        dataset,
        [_scores_of(each, crops=crops) for each in both],
        class_count=len(lens.labels),
        threads=threads,
        progress=progress,
    )
    other = measured[1] if against is not None else None
    comparison = compare(measured[0], other) if other else None
    receipt = receipt_of(
        measured[0],
        crops=crops,
        engine=lens.engine_name,
        version=__version__,
        against=(against_name or against.name) if against else "",
        comparison=comparison,
    )
    return Evaluation(measured[0], other, comparison, receipt)


def _scores_of(lens: Lens, *, crops: Crops) -> ScoresOf:
    return lambda photo: lens.confidences(photo, crops=crops)
