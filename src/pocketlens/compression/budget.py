"""Meet a size: find the price of a bit (lambda) at which the finished file just fits.

One global lambda makes all layers spend where a byte buys most. File bytes fall as lambda grows,
nearly like a straight line in log lambda, but not strictly: levels vanish, containers change, and
a file grows by whole pages. So: bracket, then regula falsi in log lambda with a bisection where it
stalls, on real file bytes, keeping the largest file that fits. Where two trials are near each
other, layers of several are blended (blending.py) to fill what is left.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from pocketlens.base.errors import UsageError

if TYPE_CHECKING:
    from pocketlens.compression.judging import Drop

Result = TypeVar("Result")

UNITS_BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "kib": 2**10, "mib": 2**20}
CLOSE_ENOUGH = 0.01
"""A file this much below the size asked is good enough."""

PAGE_BYTES = 512
"""A file is a number of these: one that only lacks a part of a page cannot come closer."""

NEAR = 0.04
"""Trials whose files differ by no more than this part of the size are blended."""

NEAR_STEP = 1.1
"""Or whose lambdas differ by no more than this factor."""

MOST_BLENDED = 3
"""Trials on either side of a size, where file bytes jump past it."""

MOST_TRIALS = 12
FINEST_STEP = 1.004
"""Two lambdas this near stand on either side of a jump."""

STEP = 4.0
"""Factor of lambda from the first trial to the second, while none fits or all do."""

LEAST_STEP = 1.05
"""Factor of lambda, however near two trials say that the size is."""

_MOST_STEPS = 10.0

_AFTER_BRACKET = 4
"""Trials that it usually takes once one fits and one does not."""


@dataclass(frozen=True)
class Trial(Generic[Result]):
    """One lambda that was tried.

    lagrangian     nats a photo for one bit
    size_bytes     of the finished file
    result         whatever was made
    foreseen_nats  loss a photo, as the statistics foresee
    drop           what is lost on photos, where that was measured
    losses         the foreseen loss of each tensor, by name
    """

    lagrangian: float
    size_bytes: int
    result: Result
    foreseen_nats: float = 0.0
    drop: Drop | None = None
    losses: Mapping[str, float] = field(default_factory=dict)

    @property
    def without_result(self) -> Trial[None]:
        """The figures alone, which take no memory."""
        return Trial(self.lagrangian, self.size_bytes, None, self.foreseen_nats, self.drop)


class Tell(Protocol):
    """Called after each trial with how many there were, and of about how many."""

    def __call__(self, trial: Trial[Any], number: int, expected: int) -> None:
        """Take note; must be quick and must not raise."""


def quiet(trial: Trial[Any], number: int, expected: int) -> None:
    """Tell nobody."""


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


def is_close(file_bytes: int, size_bytes: int) -> bool:
    """Whether a file that fits is as near to the size as is asked, or as pages allow."""
    if file_bytes >= size_bytes * (1 - CLOSE_ENOUGH):
        return True
    return file_bytes % PAGE_BYTES == 0 and file_bytes + PAGE_BYTES > size_bytes


def fit_size(
    make: Callable[[float], Trial[Result]],
    size_bytes: int,
    *,
    first: float,
    lowest: float,
    highest: float,
    blend: Callable[[Trial[Result], Trial[Result]], Trial[Result] | None] | None = None,
    cost: Callable[[Trial[Result]], str] | None = None,
    tell: Tell = quiet,
) -> Trial[Result]:
    """Find the trial with the largest file of at most `size_bytes`.

    make            tries a lambda
    first           lambda to begin with
    lowest, highest lambdas beyond which nothing changes
    blend           makes one trial that fits of one that does and one that does not; None if it
                    cannot
    cost            says in a sentence what a trial costs, for the error
    returns         a trial that is_close() where the trials allow it, never above the size
    Raises UsageError 'size-out-of-reach', naming the smallest file that was reached.
    """
    tried: list[Trial[Result]] = []

    def attempt(lagrangian: float, left: int) -> Trial[Result]:
        trial = make(min(max(lagrangian, lowest), highest))
        tried.append(trial)
        tell(trial, len(tried), len(tried) + left)
        return trial

    below, above = bracket(
        attempt, lambda trial: trial.size_bytes <= size_bytes, first=first, lowest=lowest,
        highest=highest, steps=lambda one, other: _step_to(one, other, size_bytes),
    )  # fmt: skip
    left, is_blended = _AFTER_BRACKET, False
    while (
        below is not None
        and above is not None
        and not is_close(below.size_bytes, size_bytes)
        and len(tried) < MOST_TRIALS
        and below.lagrangian / above.lagrangian > FINEST_STEP
    ):
        if blend is not None and not is_blended and _are_near(below, above, size_bytes):
            is_blended = True
            blended = _blended(tried, size_bytes, blend)
            if blended is not None and is_close(blended.size_bytes, size_bytes):
                tell(blended, len(tried) + 1, len(tried) + 1)
                return blended
        left = max(left - 1, 0)
        trial = attempt(_between(below, above, size_bytes, stalled=len(tried) % 3 == 2), left)
        if trial.size_bytes <= size_bytes:
            below = trial
        else:
            above = trial
    if blend is not None and below is not None and not is_close(below.size_bytes, size_bytes):
        blended = _blended(tried, size_bytes, blend)
        if above is not None and (blended is None or not is_close(blended.size_bytes, size_bytes)):
            # A layer that comes at once needs room: others have to be much coarser.
            attempt(below.lagrangian * STEP, 1)
            blended = _blended(tried, size_bytes, blend)
        if blended is not None:
            tried.append(blended)
            tell(blended, len(tried), len(tried))
    fitting = [trial for trial in tried if trial.size_bytes <= size_bytes]
    if fitting:
        return max(fitting, key=lambda trial: (trial.size_bytes, -trial.lagrangian))
    smallest = min(tried, key=lambda trial: trial.size_bytes)
    price = "" if cost is None else f" {cost(smallest)}"
    raise UsageError(
        f"A file of {size_bytes:,} bytes cannot be reached; the smallest is "
        f"{smallest.size_bytes:,} bytes.{price} Ask for that, or for less of a network.",
        slug="size-out-of-reach",
    )


def _are_near(below: Trial[Result], above: Trial[Result], size_bytes: int) -> bool:
    return (
        above.size_bytes - below.size_bytes <= NEAR * size_bytes
        or below.lagrangian <= above.lagrangian * NEAR_STEP
    )


def _blended(
    tried: Sequence[Trial[Result]],
    size_bytes: int,
    blend: Callable[[Trial[Result], Trial[Result]], Trial[Result] | None],
) -> Trial[Result] | None:
    """Of the trials around the size the best blend: one that is_close() if there is one, and of
    several the one that loses least.

    Trials next to each other may be alike but for one layer that does not fit; so such as differ
    by more than NEAR are blended too.
    """
    by_size = sorted(tried, key=lambda trial: abs(trial.size_bytes - size_bytes))
    below = _apart([t for t in by_size if t.size_bytes <= size_bytes], NEAR * size_bytes)
    above = _apart([t for t in by_size if t.size_bytes > size_bytes], NEAR * size_bytes)
    found = [blend(one, other) for one in below for other in above]
    blends = [trial for trial in found if trial is not None]
    if not blends:
        return None
    close = [trial for trial in blends if is_close(trial.size_bytes, size_bytes)]
    if close:
        return min(close, key=lambda trial: (trial.foreseen_nats, -trial.size_bytes))
    return max(blends, key=lambda trial: (trial.size_bytes, -trial.foreseen_nats))


def _apart(trials: Sequence[Trial[Result]], apart_bytes: float) -> list[Trial[Result]]:
    """The first MOST_BLENDED of sizes that are apart."""
    chosen: list[Trial[Result]] = []
    for trial in trials:
        if all(abs(trial.size_bytes - other.size_bytes) >= apart_bytes for other in chosen):
            chosen.append(trial)
    return chosen[:MOST_BLENDED]


def bracket(
    attempt: Callable[[float, int], Trial[Result]],
    holds: Callable[[Trial[Result]], bool],
    *,
    first: float,
    lowest: float,
    highest: float,
    dearer_helps: bool = True,
    steps: Callable[[Trial[Result], Trial[Result]], float] | None = None,
) -> tuple[Trial[Result] | None, Trial[Result] | None]:
    """A trial for which something holds and one for which it does not, by growing steps.

    attempt       tries a lambda; told about how many trials come after it
    dearer_helps  whether it holds from some lambda upwards, else up to some lambda
    steps         of two trials, how far it is from the second one, as a factor of lambda: where
                  that is less than the growing step, it is taken; 0: near enough
    returns       (it holds, it does not); None where there is none between lowest and highest
    """
    trial = attempt(first, _AFTER_BRACKET + 2)
    held = holds(trial)
    down = held == dearer_helps
    step = STEP
    before: Trial[Result] | None = None
    other: Trial[Result] | None = None
    while (trial.lagrangian > lowest) if down else (trial.lagrangian < highest):
        factor = step if before is None or steps is None else min(step, steps(before, trial))
        if not factor:
            break
        following = trial.lagrangian / factor if down else trial.lagrangian * factor
        found = attempt(following, _AFTER_BRACKET + 1)
        if holds(found) != held:
            other = found
            break
        before, trial = trial, found
        step *= STEP
    return (trial, other) if held else (other, trial)


def _step_to(before: Trial[Result], trial: Trial[Result], size_bytes: int) -> float:
    """The factor of lambda from a trial to where a line in log lambda through both meets the size.

    0 where the trial fits and is near enough.
    """
    if trial.size_bytes <= size_bytes and is_close(trial.size_bytes, size_bytes):
        return 0.0
    moved = trial.size_bytes - before.size_bytes
    missing = size_bytes * (1 - CLOSE_ENOUGH / 2) - trial.size_bytes
    if moved * missing <= 0:
        return math.inf
    steps = min(missing / moved, _MOST_STEPS)
    last = math.exp(abs(math.log(trial.lagrangian / before.lagrangian)))
    return max(math.pow(last, steps), LEAST_STEP)


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
