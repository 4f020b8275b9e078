"""How palettes are fine-tuned, as one value."""

from __future__ import annotations

from dataclasses import dataclass

from pocketlens.base.errors import UsageError

MOST_PASSES = 1000


@dataclass(frozen=True)
class TuningSettings:
    """What a fine-tuning may take.

    passes        over the fit photos, 1 to 1000; None: as many as take some minutes (effort.py)
    batch         photos a step
    palette_rate  how far a step may move a palette's values, of their mean distance
    bias_rate     how far a step may move a bias, of the spread of its layer's outputs
    shift         most pixels that a picture is moved by, up, down and sideways; also mirrored
    seed          of the order of photos and of how they are moved
    threads       the result is the same for any number
    """

    passes: int | None = None
    batch: int = 16
    palette_rate: float = 0.005
    bias_rate: float = 2e-4
    shift: int = 0
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        if self.passes is not None and not 1 <= self.passes <= MOST_PASSES:
            raise UsageError(
                f"{self.passes} passes over the photos were asked for; choose 1 to {MOST_PASSES}.",
                slug="bad-passes",
            )
