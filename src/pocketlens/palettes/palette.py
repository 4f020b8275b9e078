"""The best palette of a tensor, and the index of every weight in it.

Weights are rounded to half precision first; at most 63,487 distinct values are left, so the
globally optimal one-dimensional k-means is found exactly, from their histogram, in milliseconds
whatever the tensor's size (core/src/palette/kmeans1d.h says how).

What is optimal, exactly: among all sets of k real numbers, the centroids found have the least
sum of importance x (half(w) - nearest centroid)^2, to within rounding (1e-13). Then every centroid
is rounded to half precision, and every weight gets the nearest of the rounded values; halfway
between two, the smaller value. The rounding moves a value by at most 2^-11 of itself.

-0.0 and 0.0 are one value, subnormals count like any other. Same input, same palette and indices,
on every processor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.errors import ModelError, UsageError
from pocketlens.palettes import _kmeans

LARGEST_SIZE = 256
_INFINITY = 0x7C00
_SIGN = 0x8000


@dataclass(frozen=True)
class Palette:
    """A tensor as palette and indices: weight i is values[indices[i]].

    values      float16 (k,), ascending, all different
    indices     uint8, shaped like the weights; the nearest value to each weight
    distortion  sum of importance x (w - values[index])^2 against the float32 weights as given
                (importance 1 where none was)
    """

    values: NDArray[np.float16]
    indices: NDArray[np.uint8]
    distortion: float


class GroupedPalettes(NamedTuple):
    """A tensor as palettes of groups of rows, and indices.

    palettes  float16 (groups, k), each ascending
    indices   uint8, shaped like the weights
    error     sum (w - w')^2 / sum w^2 against the float32 weights, 0.0 for all-zero weights
    """

    palettes: NDArray[np.float16]
    indices: NDArray[np.uint8]
    error: float


def fit_palette(
    weights: NDArray[np.float32], size: int, *, importance: NDArray[np.float32] | None = None
) -> Palette:
    """Fit the best palette of at most `size` values (1 to 256) to `weights`.

    weights     float32, any shape, at least one element
    importance  float32, shaped like the weights: how much each squared error counts; not negative,
                not all 0. Weights of importance 0 do not move the palette, they just get the
                nearest value. Sums of importances are used to 2^-43 of their total.

    With no more than `size` distinct half-precision values the palette is exactly those (so it
    may be shorter than `size`), and nothing is lost beyond the rounding to half precision.
    Raises ModelError 'weights-not-finite' (NaN, infinity), 'weights-too-large' (beyond half
    precision's 65,504); UsageError 'bad-palette-size', 'bad-weights', 'bad-importance'.
    """
    _check_size(size)
    flat = _flat(weights)
    bins = _count(flat)
    flat_importance = None
    if importance is not None:
        flat_importance = _flat_importance(importance, weights)
        bins = _kmeans.weigh(flat, flat_importance)
    codes = _kmeans.choose(bins, size)
    indices, error, _ = _kmeans.assign(flat, codes, flat_importance)
    return Palette(codes.view(np.float16), indices.reshape(weights.shape), error)


def fit_grouped(weights: NDArray[np.float32], size: int, *, group_rows: int) -> GroupedPalettes:
    """Fit one palette to every `group_rows` rows (first axis) of `weights`.

    weights     float32 (O, ...); group_rows from 1 to O, the last group may have fewer rows

    k is the most values that any group needs, at most `size`; a group that needs fewer repeats
    its last value, and no index points at a repetition. Raises as fit_palette does, and
    UsageError 'bad-group-rows'.
    """
    _check_size(size)
    if weights.ndim < 1 or not 1 <= group_rows <= weights.shape[0]:
        raise UsageError(
            f"Cannot let {group_rows} rows of a tensor of shape {weights.shape} share a palette: "
            "it must be 1 up to the length of the first axis.",
            slug="bad-group-rows",
        )
    rows = _flat(weights).reshape(weights.shape[0], -1)
    indices = np.empty(rows.shape, np.uint8)
    chosen: list[NDArray[np.uint16]] = []
    error = energy = 0.0
    for first in range(0, len(rows), group_rows):
        group = rows[first : first + group_rows].reshape(-1)
        codes = _kmeans.choose(_count(group), size)
        found, group_error, group_energy = _kmeans.assign(group, codes)
        indices[first : first + group_rows] = found.reshape(-1, rows.shape[1])
        chosen.append(codes)
        error += group_error
        energy += group_energy
    k = max(len(codes) for codes in chosen)
    palettes = np.stack([np.pad(codes, (0, k - len(codes)), mode="edge") for codes in chosen])
    relative = error / energy if energy > 0.0 else 0.0
    return GroupedPalettes(palettes.view(np.float16), indices.reshape(weights.shape), relative)


def distinct_values(weights: NDArray[np.float32]) -> NDArray[np.float16]:
    """Find the distinct values of `weights` (float32, any shape) in half precision, ascending.

    With 256 or fewer, a palette of that size holds the tensor without loss beyond the rounding to
    half precision. Raises as fit_palette does.
    """
    codes = np.flatnonzero(_count(_flat(weights))).astype(np.uint16)
    values = codes.view(np.float16) + np.float16(0.0)  # -0.0 becomes 0.0
    return np.unique(values)


def _check_size(size: int) -> None:
    if not 1 <= size <= LARGEST_SIZE:
        raise UsageError(
            f"A palette of {size} values cannot be: it must be 1 to {LARGEST_SIZE}.",
            slug="bad-palette-size",
        )


def _flat(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    if weights.dtype != np.float32 or weights.size == 0:
        raise UsageError(
            f"Palettes are fitted to float32 tensors of at least one element, not to "
            f"{weights.dtype} of shape {weights.shape}.",
            slug="bad-weights",
        )
    return np.ascontiguousarray(weights).reshape(-1)


def _flat_importance(
    importance: NDArray[np.float32], weights: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Check and flatten the importances."""
    good = importance.shape == weights.shape and importance.dtype == np.float32
    if not good or not np.isfinite(importance).all() or importance.min() < 0:
        raise UsageError(
            f"Importances must be float32 of the weights' shape {weights.shape}, finite and not "
            f"negative; these are {importance.dtype} of shape {importance.shape}.",
            slug="bad-importance",
        )
    if not importance.any():
        raise UsageError(
            "All importances are 0: no palette is better than any other.", slug="bad-importance"
        )
    return np.ascontiguousarray(importance).reshape(-1)


def _count(flat: NDArray[np.float32]) -> NDArray[np.int64]:
    """Count the half-precision codes; say no to what half precision cannot hold."""
    bins = _kmeans.count(flat)
    if bins[_INFINITY:_SIGN].any() or bins[_SIGN + _INFINITY :].any():
        _refuse(flat)
    return bins


def _refuse(flat: NDArray[np.float32]) -> None:
    broken = ~np.isfinite(flat)
    if broken.any():
        at = int(np.argmax(broken))
        raise ModelError(
            f"{int(broken.sum()):,} of {flat.size:,} weights are NaN or infinite, the first is "
            f"number {at:,} ({flat[at]}). The model is damaged or its training diverged.",
            slug="weights-not-finite",
        )
    at = int(np.argmax(np.abs(flat)))
    raise ModelError(
        f"Weight number {at:,} is {flat[at]:g}; half precision ends at 65,504. "
        "Rescale that layer, or keep the tensor in float.",
        slug="weights-too-large",
    )
