"""Keep a drop: find the largest price of a bit (lambda) whose loss on photos is proved small.

The loss of a trial is measured on the photos that choices are made on, and counts as kept where
the upper end of its 95% interval is. It grows with lambda, but not strictly: a photo more or less
is chance. So: bracket, then bisection in log lambda, and the smallest file that kept it. As it is
the best of several looks at the same photos, the figure to believe is the receipt's, from photos
that are looked at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

from pocketlens.base.errors import UsageError
from pocketlens.compression.budget import CLOSE_ENOUGH, MOST_TRIALS, Tell, Trial, bracket, quiet
from pocketlens.compression.judging import Drop, photos_needed, provable_drop

Result = TypeVar("Result")

FINEST_STEP = 1.03
"""Two lambdas this near give the same file, or nearly."""


def check_provable(drop_points: float, photos: int, *, share: float, labelled: bool) -> None:
    """Refuse a drop that so few photos cannot prove. Raises UsageError 'too-few-to-prove'.

    photos  that choices are made on
    share   of all photos that these are
    """
    if photos > 0 and provable_drop(photos) <= drop_points:
        return
    kind = "labelled photos" if labelled else "photos"
    needed = photos_needed(drop_points)
    smallest = (
        f"even where no answer changes, the 95% interval reaches "
        f"{math.ceil(100 * provable_drop(photos)) / 100:.2f} points"
        if photos
        else "there is none"
    )
    raise UsageError(
        f"A drop of {drop_points:g} points cannot be proved on {photos:,} {kind}: {smallest}. "
        f"Choices are made on {share:.3g} of the photos, so give about "
        f"{math.ceil(needed / share):,} in all ({needed:,} to choose on), or allow a larger drop.",
        slug="too-few-to-prove",
    )


def fit_drop(
    make: Callable[[float], Trial[Result]],
    drop_points: float,
    *,
    first: float,
    lowest: float,
    highest: float,
    tell: Tell = quiet,
) -> Trial[Result]:
    """Find the trial with the smallest file whose drop is proved to be within `drop_points`.

    make   tries a lambda and measures its drop
    first  lambda to begin with; lowest, highest: beyond these nothing changes
    Raises UsageError 'drop-out-of-reach', naming the least that was reached.
    """
    tried: list[tuple[Trial[Result], Drop]] = []

    def attempt(lagrangian: float, left: int) -> Trial[Result]:
        trial = make(min(max(lagrangian, lowest), highest))
        tried.append((trial, _drop(trial)))
        tell(trial, len(tried), len(tried) + left)
        return trial

    def holds(trial: Trial[Result]) -> bool:
        return _drop(trial).bound <= drop_points

    kept, lost = bracket(
        attempt, holds, first=first, lowest=lowest, highest=highest, dearer_helps=False
    )
    while kept is not None and lost is not None and len(tried) < MOST_TRIALS:
        left = _left(kept, lost)
        if not left:
            break
        trial = attempt(math.sqrt(kept.lagrangian * lost.lagrangian), left - 1)
        if holds(trial):
            kept = trial
        else:
            lost = trial
    keeping = [trial for trial, drop in tried if drop.bound <= drop_points]
    if not keeping:
        trial, drop = min(tried, key=lambda pair: (pair[1].bound, pair[0].size_bytes))
        raise UsageError(
            f"A drop of {drop_points:g} points cannot be kept; the least that was proved is "
            f"{math.ceil(100 * drop.bound) / 100:.2f} points, with {trial.size_bytes:,} bytes "
            f"({drop.in_words}). Ask for that, or give more photos to choose on.",
            slug="drop-out-of-reach",
        )
    return min(keeping, key=lambda trial: (trial.size_bytes, -trial.lagrangian))


def _left(kept: Trial[Result], lost: Trial[Result]) -> int:
    """Bisections until two lambdas are as near as FINEST_STEP, or their files are."""
    if kept.size_bytes - lost.size_bytes <= CLOSE_ENOUGH * kept.size_bytes:
        return 0
    ratio = math.log(max(lost.lagrangian / kept.lagrangian, 1.0)) / math.log(FINEST_STEP)
    return math.ceil(math.log2(ratio)) if ratio > 1 else 0


def _drop(trial: Trial[Result]) -> Drop:
    assert trial.drop is not None
    return trial.drop
