"""The values of a stored tensor, as a lens holds it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.errors import LensFileError
from pocketlens.lensfile.contents import TensorRecord
from pocketlens.lensfile.indices import tensor_indices


def tensor_values(record: TensorRecord) -> NDArray[np.float32]:
    """Decode a tensor to a float32 array of its shape.

    A palette tensor's value is palettes[output // group_rows][index]. Raises LensFileError
    where a picture is damaged, or holds an index that its palette does not have.
    """
    if record.fate == "float":
        return np.frombuffer(record.values, "<f4").astype(np.float32).reshape(record.shape)
    if record.fate == "half":
        return np.frombuffer(record.values, "<f2").astype(np.float32).reshape(record.shape)
    indices = tensor_indices(record)
    palettes = np.frombuffer(record.palettes, "<f2").astype(np.float32)
    palettes = palettes.reshape(-1, record.palette_size)
    if int(indices.max()) >= record.palette_size:
        raise LensFileError(
            f"The plane of '{record.name}' holds the index {int(indices.max())}; expected is an "
            f"index below {record.palette_size}. Make the lens again from the model.",
            slug="plane-mismatch",
        )
    groups = np.arange(record.shape[0]) // record.group_rows
    values: NDArray[np.float32] = palettes[groups[:, np.newaxis], indices]
    return values.reshape(record.shape)
