"""The palette indices of a stored tensor, wherever its record keeps them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pocketlens.lensfile.contents import TensorRecord
from pocketlens.planes.decode import decode_indices


def tensor_indices(record: TensorRecord) -> NDArray[np.uint8]:
    """Decode the indices of a tensor with a palette: uint8 (outputs, weights of an output).

    Raises LensFileError where a picture is damaged or does not fit, as decode_indices() does;
    ValueError where the record has no plane.
    """
    if record.plane is None:
        raise ValueError(f"'{record.name}' has no plane")
    indices = decode_indices(
        record.plane,
        math.prod(record.shape),
        first_pixel=record.first_pixel,
        mask=record.mask,
        common=record.common,
    )
    return indices.reshape(record.shape[0], -1)
