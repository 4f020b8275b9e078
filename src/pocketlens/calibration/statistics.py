"""What calibration photos do to one weight tensor, as a value.

Columns are the weights of one output in the tensor's own order (row-major over shape[1:]); for a
conv2d that is (input channel of the group, ky, kx), and a sample is one output position of one
photo, with 0 where the window stands on padding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LayerStatistics:
    """Moments of a layer's input and what its output is worth.

    mean         (groups, columns): mean of each column's input
    covariance   (groups, columns, columns): centred, symmetric, positive semidefinite. Where
                 columns > 6144 only the blocks on its diagonal are kept, 2048 columns each:
                 (groups x blocks, 2048, 2048), the last one filled up with zeros; see parts()
    sensitivity  (outputs,): g, such that an error e of output o, independent from sample to
                 sample, costs about KL = 1/2 sum_o g_o E[e_o^2] nats a photo
    between      None, or (outputs, outputs): how errors of two outputs add up in the answer, as
                 the correlation of their gradients, 1 on the diagonal; of one group only
    photos       that were seen; 0: nothing is known, see data_free.py
    samples      columns' samples that the moments were taken over, all photos together
    invented     whether the photos are no photos, see invented.py
    """

    mean: Floats
    covariance: Floats
    sensitivity: Floats
    photos: int
    samples: int
    invented: bool = False
    between: Floats | None = None

    @property
    def groups(self) -> int:
        """Groups of outputs that see different inputs (1; conv2d: its groups)."""
        return len(self.mean)

    @property
    def is_data_free(self) -> bool:
        """Whether no photo was seen."""
        return self.photos == 0 or self.invented

    def parts(self) -> Iterator[tuple[int, slice, Floats]]:
        """Each covariance with its place: (group, columns, covariance).

        One a group where the covariance is whole; else a group's blocks, in order, without the
        zeros that fill up the last one.
        """
        columns = self.mean.shape[1]
        width = self.covariance.shape[-1]
        blocks = -(-columns // width)
        for number, matrix in enumerate(self.covariance):
            group, block = divmod(number, blocks)
            start = block * width
            stop = min(start + width, columns)
            yield group, slice(start, stop), matrix[: stop - start, : stop - start]
