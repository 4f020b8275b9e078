"""The palette indices of a stored tensor, wherever its record keeps them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pocketlens.lensfile.contents import TensorRecord
from pocketlens.planes.decode import decode_indices
from pocketlens.planes.trellis import NEXT

_NEXT = np.array(NEXT, np.uint8)


def tensor_indices(record: TensorRecord) -> NDArray[np.uint8]:
    """Decode the indices of a tensor with a palette: uint8 (outputs, weights of an output).

    Raises LensFileError where a picture is damaged or does not fit, as decode_indices() does;
    ValueError where the record has no plane.
    """
    numbers = tensor_numbers(record)
    return along_trellis(numbers) if record.trellis else numbers


def tensor_numbers(record: TensorRecord) -> NDArray[np.uint8]:
    """What the pixels of a tensor's plane say: indices, or numbers along a trellis.

    Shape and errors are those of tensor_indices().
    """
    if record.plane is None:
        raise ValueError(f"'{record.name}' has no plane")
    numbers = decode_indices(
        record.plane,
        math.prod(record.shape),
        first_pixel=record.first_pixel,
        mask=record.mask,
        common=record.common,
    )
    return numbers.reshape(record.shape[0], -1)


def along_trellis(numbers: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Indices (outputs, columns) from numbers below 128: planes/trellis.py with NumPy."""
    places = np.empty_like(numbers)
    states = np.zeros(numbers.shape[1], np.uint8)
    for place, row in zip(places, numbers, strict=True):
        place[...] = 2 * row + states % 2
        states = _NEXT[states, row % 2]
    return places
