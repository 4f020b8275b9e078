"""Resize in torch: as ONNX's Resize, a matrix for the rows and one for the columns."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pocketlens.graph.graph import Shape
from pocketlens.torchnet.elementwise import Attributes, number

Floats = NDArray[np.float64]


def resize(x: Tensor, attributes: Attributes, shape: Shape) -> Tensor:
    """Interpolate height, then width; beyond the edge stands the edge's pixel."""
    kind = tuple(str(attributes[name]) for name in ("mode", "coordinates", "rounding"))
    a = number(attributes, "cubic_a")
    rows, columns = (
        torch.from_numpy(_matrix(x.shape[axis], shape[axis], number(attributes, scale), kind, a))
        for axis, scale in ((2, "scale_h"), (3, "scale_w"))
    )
    return rows.to(x) @ x @ columns.to(x).T


@lru_cache(maxsize=64)
def _matrix(size: int, out: int, scale: float, kind: tuple[str, ...], a: float) -> Floats:
    """How much of each of `size` pixels goes into each of `out`: (out, size)."""
    mode, coordinates, rounding = kind
    source = _places(size, out, scale, coordinates)
    if mode == "nearest":
        taps = [(_round(source, rounding), np.ones(out))]
    else:
        base = np.floor(source)
        part = source - base
        if mode == "linear":
            taps = [(base, 1 - part), (base + 1, part)]
        else:
            taps = [(base + tap, _keys(np.abs(part - tap), a)) for tap in (-1, 0, 1, 2)]
    matrix = np.zeros((out, size))
    for place, weight in taps:
        np.add.at(matrix, (np.arange(out), np.clip(place, 0, size - 1).astype(int)), weight)
    return matrix


def _places(size: int, out: int, scale: float, coordinates: str) -> Floats:
    """Where each output pixel looks, in pixels of the picture."""
    places = np.arange(out, dtype=np.float64)
    if coordinates == "align_corners":
        return places * (size - 1) / max(out - 1, 1)
    if coordinates == "asymmetric":
        return places / scale
    if coordinates == "pytorch_half_pixel" and out == 1:
        return np.zeros(1)
    return (places + 0.5) / scale - 0.5


def _round(source: Floats, rounding: str) -> Floats:
    if rounding == "floor":
        return np.floor(source)
    if rounding == "ceil":
        return np.ceil(source)
    return np.ceil(source - 0.5) if rounding == "round_prefer_floor" else np.floor(source + 0.5)


def _keys(distance: Floats, a: float) -> Floats:
    """Keys's cubic convolution kernel (Keys 1981, equation 15, parameter a)."""
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return np.where(distance <= 1, near, far)
