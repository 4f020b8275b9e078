"""The values of a stored tensor, as a lens holds it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pocketlens.lensfile.contents import TensorRecord
from pocketlens.planes.decode import decode_plane


def tensor_values(record: TensorRecord) -> NDArray[np.float32]:
    """Decode a tensor to a float32 array of its shape.

    A palette tensor's value is palettes[output // group_rows][index]. Raises LensFileError
    where the plane is damaged.
    """
    if record.fate == "float":
        return np.frombuffer(record.values, "<f4").astype(np.float32).reshape(record.shape)
    if record.fate == "half":
        return np.frombuffer(record.values, "<f2").astype(np.float32).reshape(record.shape)
    assert record.plane is not None
    count = int(np.prod(record.shape, dtype=np.int64))
    indices = decode_plane(record.plane, count).reshape(record.shape[0], -1)
    palettes = np.frombuffer(record.palettes, "<f2").astype(np.float32)
    palettes = palettes.reshape(-1, record.palette_size)
    groups = np.arange(record.shape[0]) // record.group_rows
    values: NDArray[np.float32] = palettes[groups[:, np.newaxis], indices]
    return values.reshape(record.shape)
