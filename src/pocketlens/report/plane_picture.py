"""A plane made to be looked at: a row is an output, brightened, cut to a corner.

The planes in the file wrap several outputs into one wide row, which is best for its size and
worst for the eye.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from pocketlens.lensfile.contents import TensorRecord
from pocketlens.lensfile.indices import tensor_indices


def plane_picture(record: TensorRecord, *, rows: int, columns: int) -> bytes:
    """The top left corner of a tensor's indices as a PNG, the last palette value white.

    record         with a palette
    rows, columns  of the corner, at most, pixels
    """
    corner = tensor_indices(record)[:rows, :columns].astype(np.uint16)
    levels = max(record.palette_size - 1, 1)
    picture = Image.fromarray((corner * 255 // levels).astype(np.uint8))
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return stream.getvalue()
