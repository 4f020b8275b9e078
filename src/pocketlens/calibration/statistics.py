"""What calibration photos do to one weight tensor, as a value.

Columns are the weights of one output in the tensor's own order (row-major over shape[1:]); for a
conv2d that is (input channel of the group, ky, kx), and a sample is one output position of one
photo, with 0 where the window stands on padding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LayerStatistics:
    """Moments of a layer's input and what its output is worth.

    mean         (groups, columns): mean of each column's input
    covariance   (groups, columns, columns): centred, symmetric, positive semidefinite
    sensitivity  (outputs,): g, such that an error e of output o, independent from sample to
                 sample, costs about KL = 1/2 sum_o g_o E[e_o^2] nats a photo
    photos       that were seen
    samples      columns' samples that the moments were taken over, all photos together
    """

    mean: Floats
    covariance: Floats
    sensitivity: Floats
    photos: int
    samples: int

    @property
    def groups(self) -> int:
        """Groups of outputs that see different inputs (1; conv2d: its groups)."""
        return len(self.mean)
