"""What resize means: where each output pixel looks in the picture, and what it takes from there.

As ONNX's Resize with exclude_outside = 0. Coordinates are computed in float64 from the scale,
which is a float32.
"""
# ruff: noqa: ARG001, ARG005 - the functions of a table share their arguments

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pocketlens.engine.reference.elementwise import Array, Attributes, number
from pocketlens.graph.graph import Shape


def resize(x: Array, attributes: Attributes, shape: Shape) -> Array:
    """Interpolate height, then width; beyond the edge stands the edge's pixel."""
    rows = _resize_matrix(x.shape[2], shape[2], number(attributes, "scale_h"), attributes)
    columns = _resize_matrix(x.shape[3], shape[3], number(attributes, "scale_w"), attributes)
    out: Array = rows @ x @ columns.T
    return out


def _resize_matrix(size: int, out: int, scale: float, attributes: Attributes) -> Array:
    """How much of each of `size` pixels goes into each of `out`: (out, size)."""
    places = np.arange(out, dtype=np.float64)
    source = _COORDINATES[str(attributes["coordinates"])](places, scale, size, out)
    mode = str(attributes["mode"])
    base: Array
    if mode == "nearest":
        base, taps = _ROUNDING[str(attributes["rounding"])](source), [(0, np.ones(out))]
    elif mode == "linear":
        base = np.floor(source)
        taps = [(0, 1 - (source - base)), (1, source - base)]
    else:
        base = np.floor(source)
        taps = _cubic_taps(source - base, number(attributes, "cubic_a"))
    matrix = np.zeros((out, size))
    for offset, weight in taps:
        columns = np.clip(base + offset, 0, size - 1).astype(np.int64)
        np.add.at(matrix, (np.arange(out), columns), weight)
    return matrix


def _cubic_taps(t: Array, a: float) -> list[tuple[int, Array]]:
    """Weights of the pixels at -1, 0, 1 and 2 (Keys 1981, with his parameter a)."""
    near = [(0, t), (1, 1 - t)]
    far = [(-1, t + 1), (2, 2 - t)]
    taps: list[tuple[int, Array]] = []
    taps += [(offset, ((a + 2) * d - (a + 3)) * d**2 + 1) for offset, d in near]
    taps += [(offset, ((a * d - 5 * a) * d + 8 * a) * d - 4 * a) for offset, d in far]
    return taps


def _align_corners(x: Array, scale: float, size: int, out: int) -> Array:
    return x * (size - 1) / (out - 1) if out > 1 else np.zeros_like(x)


def _half_pixel(x: Array, scale: float, size: int, out: int) -> Array:
    return (x + 0.5) / scale - 0.5


def _pytorch_half_pixel(x: Array, scale: float, size: int, out: int) -> Array:
    return _half_pixel(x, scale, size, out) if out > 1 else np.zeros_like(x)


_COORDINATES: dict[str, Callable[[Array, float, int, int], Array]] = {
    "half_pixel": _half_pixel,
    "pytorch_half_pixel": _pytorch_half_pixel,
    "align_corners": _align_corners,
    "asymmetric": lambda x, scale, size, out: x / scale,
}

_ROUNDING: dict[str, Callable[[Array], Array]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}
