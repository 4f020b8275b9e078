"""What a compression by rate and distortion may cost, as it is asked for and as a lens keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pocketlens.base.errors import UsageError
from pocketlens.calibration.sensitivity import method_here
from pocketlens.compression.budget import parse_size

WORTH_BY = method_here()
"""How the worth of outputs is found here."""

MOST_DROP = 100.0


@dataclass(frozen=True)
class Price:
    """What a compression by rate and distortion may cost: a price, or a size, a drop or both.

    size_bytes   the finished file is at most this large, and within 1% of it where it can be
    drop_points  the file is the smallest that loses no more than this, at 95% confidence: points
                 of top-1 where the photos are labelled, else percent of first answers that are
                 not those of the float network
    lagrangian   nats a photo that a bit may cost
    photos       photos to calibrate on: a folder or an .npz; None: without, which is clearly
                 worse. For a drop they may be labelled as a data set is
    photo_limit  most photos used; for a drop, of the part fit that part of it which is its share.
                 None: by what a photo costs (photo_limit.py), or what a Finish wants
    seed         of the sensitivities
    threads      of everything; the result is the same for any number
    """

    size_bytes: int | None = None
    lagrangian: float | None = None
    photos: Path | None = None
    photo_limit: int | None = None
    seed: int = 0
    threads: int = 1
    drop_points: float | None = None

    def __post_init__(self) -> None:
        budgets = (self.size_bytes, self.drop_points)
        if (self.lagrangian is None) == (budgets == (None, None)):
            raise UsageError(
                "Give a budget (the size of the file, the drop, or both) or the price of a bit: "
                "one of the two.",
                slug="one-price",
            )
        if self.drop_points is not None and not 0 < self.drop_points < MOST_DROP:
            raise UsageError(
                f"A drop of {self.drop_points:g} points was given; it is above 0 and below 100.",
                slug="bad-drop",
            )
        if self.drop_points is not None and self.photos is None:
            raise UsageError(
                "A drop is measured on photos: give some, labelled or not. --photos names them.",
                slug="drop-needs-photos",
            )
        if not 1 <= self.threads <= 256:
            raise UsageError(
                f"{self.threads} threads were asked for; choose 1 to 256.", slug="bad-threads"
            )
        if self.seed < 0:
            raise UsageError(
                f"The seed {self.seed} was given; a seed is 0 or more.", slug="bad-seed"
            )

    def to_json(self, photos: Mapping[str, Any] | None = None) -> str:
        """JSON text with sorted keys, for the lens's provenance. No path: those are private.

        photos  what is kept of them: PhotoParts.told()
        """
        values = {
            "size_bytes": self.size_bytes,
            "drop_points": self.drop_points,
            "lagrangian": self.lagrangian,
            "seed": self.seed,
            "worth_by": WORTH_BY,
            **(photos or {}),
        }
        said = {k: v for k, v in values.items() if v is not None}
        return json.dumps(said, sort_keys=True, separators=(",", ":"))


def asked_price(
    *,
    size: int | str | None,
    drop_points: float | None,
    lagrangian: float | None,
    photos: Path | None,
    seed: int,
    threads: int,
    widths: Sequence[str] = (),
) -> Price | None:
    """What a caller's budgets ask for; None where there is none.

    size    bytes, or text such as "350kB"
    widths  what was said of the width of weights, which budgets find by themselves
    Raises UsageError.
    """
    if size is None and drop_points is None and lagrangian is None:
        if photos is not None:
            raise UsageError(
                "Photos serve a largest size, a largest drop or a price of a bit; give one of "
                "them as well.",
                slug="one-price",
            )
        return None
    if widths:
        raise UsageError(
            f"A budget finds the width of every tensor by itself, but {', '.join(widths)} was "
            "given too. Leave one of the two out.",
            slug="width-and-budget",
        )
    if isinstance(size, int) and size < 1:
        raise UsageError(f"A file of {size} bytes was asked for.", slug="bad-size")
    return Price(
        size_bytes=parse_size(size) if isinstance(size, str) else size,
        drop_points=drop_points,
        lagrangian=lagrangian,
        photos=photos,
        seed=seed,
        threads=threads,
    )
