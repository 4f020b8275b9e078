"""Meet a size: find the price of a bit (lambda) at which the finished file just fits.

One global lambda makes all layers spend where a byte buys most. File bytes fall as lambda grows,
nearly like a straight line in log lambda, but not strictly: levels vanish and containers change.
So: bracket, then regula falsi in log lambda with a bisection where it stalls, on real file bytes,
keeping the largest file that fits.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pocketlens.base.errors import UsageError

Result = TypeVar("Result")

UNITS_BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "kib": 2**10, "mib": 2**20}
CLOSE_ENOUGH = 0.01
"""A file this much below the size asked is good enough."""

MOST_TRIALS = 16


@dataclass(frozen=True)
class Trial(Generic[Result]):
    """One lambda that was tried.

    lagrangian  nats a photo for one bit
    size_bytes  of the finished file
    result      whatever was made
    """

    lagrangian: float
    size_bytes: int
    result: Result


def parse_size(text: str) -> int:
    """'2MB', '350 kB', '1.5MiB' or '123456' in bytes. Raises UsageError 'bad-size'."""
    found = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([a-zA-Z]*)\s*", text)
    unit = found[2].lower() if found else ""
    if found is None or unit not in UNITS_BYTES or float(found[1]) <= 0:
        raise UsageError(
            f"The size '{text}' is not understood. Expected a number of bytes, or one with kB, "
            "MB, KiB or MiB, such as 2MB.",
            slug="bad-size",
        )
    return int(float(found[1]) * UNITS_BYTES[unit])


def fit_size(
    make: Callable[[float], Trial[Result]],
    size_bytes: int,
    *,
    first: float,
    lowest: float,
    highest: float,
) -> Trial[Result]:
    """Find the trial with the largest file of at most `size_bytes`.

    make            tries a lambda
    first           lambda to begin with
    lowest, highest lambdas beyond which nothing changes
    returns         a trial within CLOSE_ENOUGH of the size where the trials allow it, never above
    Raises UsageError 'size-out-of-reach', naming the smallest file that was reached.
    """
    tried: list[Trial[Result]] = []

    def attempt(lagrangian: float) -> Trial[Result]:
        trial = make(min(max(lagrangian, lowest), highest))
        tried.append(trial)
        return trial

    below, above = _bracket(attempt, size_bytes, first=first, lowest=lowest, highest=highest)
    while (
        below is not None
        and above is not None
        and below.size_bytes < size_bytes * (1 - CLOSE_ENOUGH)
        and len(tried) < MOST_TRIALS
        and below.lagrangian / above.lagrangian > 1.0005
    ):
        trial = attempt(_between(below, above, size_bytes, stalled=len(tried) % 3 == 2))
        if trial.size_bytes <= size_bytes:
            below = trial
        else:
            above = trial
    fitting = [trial for trial in tried if trial.size_bytes <= size_bytes]
    if not fitting:
        smallest = min(tried, key=lambda trial: trial.size_bytes)
        raise UsageError(
            f"A file of {size_bytes:,} bytes cannot be reached; the smallest is "
            f"{smallest.size_bytes:,} bytes. Ask for that, or for less of a network.",
            slug="size-out-of-reach",
        )
    return max(fitting, key=lambda trial: (trial.size_bytes, -trial.lagrangian))


def _bracket(
    attempt: Callable[[float], Trial[Result]],
    size_bytes: int,
    *,
    first: float,
    lowest: float,
    highest: float,
) -> tuple[Trial[Result] | None, Trial[Result] | None]:
    """A trial that fits and one that does not, found by growing steps from `first`."""
    trial = attempt(first)
    fits = trial.size_bytes <= size_bytes
    step = 4.0
    other: Trial[Result] | None = None
    while (trial.lagrangian > lowest) if fits else (trial.lagrangian < highest):
        following = attempt(trial.lagrangian / step if fits else trial.lagrangian * step)
        if (following.size_bytes <= size_bytes) != fits:
            other = following
            break
        trial = following
        step *= 4.0
    return (trial, other) if fits else (other, trial)


def _between(
    below: Trial[Result], above: Trial[Result], size_bytes: int, *, stalled: bool
) -> float:
    """A lambda between two trials: where a line in log lambda meets the size, aimed just below."""
    low, high = math.log(above.lagrangian), math.log(below.lagrangian)
    if stalled:
        return math.exp((low + high) / 2)
    aim = size_bytes * (1 - CLOSE_ENOUGH / 2)
    share = (above.size_bytes - aim) / (above.size_bytes - below.size_bytes)
    return math.exp(low + (high - low) * min(max(share, 0.05), 0.95))
