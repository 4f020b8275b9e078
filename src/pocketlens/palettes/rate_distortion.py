"""The palette that costs least in squared error and bits together (rate_distortion.h says how).

More levels lose less and need more bits an index; here both have one price, and the number of
levels, where they lie and how often each is used fall out. A level that does not earn its palette
entry is not made, and where most weights are near 0, one level takes them all.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.errors import UsageError
from pocketlens.palettes import _kmeans
from pocketlens.palettes.palette import LARGEST_SIZE

MOST_BINS = 2048
LEVEL_BITS = 24.0
"""What a level costs beside its indices: half precision, and its place in the Huffman table."""

_BISECTIONS = 12
_HALF_MAX = 65504.0
_SIGN = 0x8000

Floats = NDArray[np.float64]


class RatedPalette(NamedTuple):
    """Palette values, float32 (k,) ascending, and the bits that an index of each costs, (k,)."""

    values: NDArray[np.float32]
    lengths_bits: NDArray[np.float32]


class _Bins(NamedTuple):
    """Prefix sums over the bins, (bins + 1,) each, of values about `centre`."""

    weights: Floats
    importance: Floats
    moment: Floats
    square: Floats
    centre: float


def fit_rate_distortion(
    weights: NDArray[np.float32],
    *,
    importance: NDArray[np.float32] | NDArray[np.float64],
    lagrangian: float,
    most_levels: int,
) -> RatedPalette:
    """Find the levels with the least sum of importance x squared error + lagrangian x bits.

    weights      float32, any shape, at least one element, finite, within half precision
    importance   floats of the weights' shape, finite, not negative
    lagrangian   above 0: what a bit may cost in the units of importance x squared error
    most_levels  1 to 256

    An index of a level that n of N weights fall to costs log2(N / n) bits; a level costs
    LEVEL_BITS. The least is exact on the histogram of half-precision values, merged to at most
    MOST_BINS bins. Where that has more than `most_levels` levels, the price of a level is raised
    until it has not: raising the lagrangian would coarsen all levels to lose some.
    Raises UsageError 'bad-weights', 'bad-importance', 'bad-lagrangian', 'bad-palette-size'.
    """
    _check(weights, importance, lagrangian, most_levels)
    bins = _gather(weights.reshape(-1), importance.reshape(-1))
    price = lagrangian * LEVEL_BITS
    cuts = _cut(bins, lagrangian, price)
    if len(cuts) - 1 > most_levels:
        cuts = _cut_to(bins, lagrangian, price, most_levels)
    mass = np.diff(bins.importance[cuts])
    moment = np.diff(bins.moment[cuts])
    values = np.divide(moment, mass, out=np.zeros_like(mass), where=mass > 0) + bins.centre
    order = np.argsort(values, kind="stable")  # rounding may swap neighbours of no importance
    lengths = index_lengths(np.diff(bins.weights[cuts]))
    return RatedPalette(values[order].astype(np.float32), lengths[order])


def index_lengths(counts: Floats | NDArray[np.int64], *, least: float = 0.0) -> NDArray[np.float32]:
    """Bits of an index of each level, (k,), from how often it is used, at least once each."""
    bits = np.log2(counts.sum() / counts)
    lengths: NDArray[np.float32] = np.maximum(bits, least).astype(np.float32)
    return lengths


def _cut(bins: _Bins, lagrangian: float, price: float) -> NDArray[np.uint32]:
    return _kmeans.cut_by_rate(*bins[:4], lagrangian, price)


def _cut_to(bins: _Bins, lagrangian: float, price: float, most: int) -> NDArray[np.uint32]:
    """Raise the price of a level until there are at most `most`, by bisection of its logarithm."""
    low = price
    high = price * 4
    cuts = _cut(bins, lagrangian, high)
    while len(cuts) - 1 > most:
        low, high = high, high * 8
        cuts = _cut(bins, lagrangian, high)
    for _ in range(_BISECTIONS):
        if len(cuts) - 1 == most:
            break
        middle = float(np.sqrt(low * high))
        tried = _cut(bins, lagrangian, middle)
        if len(tried) - 1 > most:
            low = middle
        else:
            high, cuts = middle, tried
    return cuts


def _gather(flat: NDArray[np.float32], importance: NDArray[np.floating]) -> _Bins:
    """Sum weights in bins: one for each half-precision value, neighbours merged if many.

    A merged bin spans a part of the range and of the weights, half and half: outliers keep bins
    of their own, and so do crowds.
    """
    codes = flat.astype(np.float16).view(np.uint16)
    codes[codes == _SIGN] = 0  # -0
    used, place = np.unique(codes, return_inverse=True) if flat.size < 65536 else _used(codes)
    values = used.view(np.float16).astype(np.float64)
    order = np.argsort(values, kind="stable")
    bin_of = np.empty(len(used), np.int64)
    bin_of[order] = np.arange(len(used))
    if len(used) > MOST_BINS:
        counts = np.bincount(place, minlength=len(used))[order]
        ascending = values[order]
        through = np.cumsum(counts) / flat.size
        across = (ascending - ascending[0]) / (ascending[-1] - ascending[0])
        merged = np.floor((through + across) / 2 * (MOST_BINS - 1)).astype(np.int64)
        _, number = np.unique(merged, return_inverse=True)
        bin_of[order] = number
    bins = bin_of[place]
    mass = importance.astype(np.float64)
    exact = flat.astype(np.float64)
    total = float(mass.sum())
    centre = float((mass * exact).sum()) / total if total > 0 else float(exact.mean())
    exact -= centre
    sums = [
        np.concatenate([[0.0], np.cumsum(np.bincount(bins, weights=part))])
        for part in (np.ones_like(exact), mass, mass * exact, mass * exact * exact)
    ]
    return _Bins(sums[0], sums[1], sums[2], sums[3], centre)


def _used(codes: NDArray[np.uint16]) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
    """What np.unique gives, without sorting all codes."""
    present = np.bincount(codes, minlength=65536) > 0
    used = np.flatnonzero(present).astype(np.uint16)
    return used, (np.cumsum(present) - 1)[codes]


def _check(
    weights: NDArray[np.float32],
    importance: NDArray[np.floating],
    lagrangian: float,
    most_levels: int,
) -> None:
    if weights.dtype != np.float32 or weights.size == 0 or not _fits_half(weights):
        raise UsageError(
            f"Palettes are fitted to finite float32 tensors within ±{_HALF_MAX:,.0f}, of at least "
            f"one element, not to this {weights.dtype} of shape {weights.shape}.",
            slug="bad-weights",
        )
    good = importance.shape == weights.shape and importance.dtype.kind == "f"
    if not good or not np.isfinite(importance).all() or importance.min() < 0:
        raise UsageError(
            f"Importances must be floats of the weights' shape {weights.shape}, finite and not "
            f"negative; these are {importance.dtype} of shape {importance.shape}.",
            slug="bad-importance",
        )
    check_lagrangian(lagrangian)
    if not 1 <= most_levels <= LARGEST_SIZE:
        raise UsageError(
            f"A palette of {most_levels} values cannot be: it must be 1 to {LARGEST_SIZE}.",
            slug="bad-palette-size",
        )


def check_lagrangian(lagrangian: float) -> None:
    """Refuse what cannot be the cost of a bit: UsageError 'bad-lagrangian'."""
    if not 0.0 < lagrangian < np.inf:
        raise UsageError(
            f"A lagrangian of {lagrangian} was asked for; what a bit may cost is a finite number "
            "above 0.",
            slug="bad-lagrangian",
        )


def _fits_half(weights: NDArray[np.float32]) -> bool:
    return bool(np.abs(weights).max() <= _HALF_MAX)  # False for NaN
