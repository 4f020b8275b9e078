"""Where ccv keeps the numbers of an array: reshapes and transposes are followed, not carried out.

A lens has pictures with the channels first, ccv has them last: (row, column, channel). Between
the last picture and the first full connect the numbers may be moved about; ccv has no layer for
that, so the columns of the full connect are moved instead.
"""

from __future__ import annotations

import math
from typing import cast

import numpy as np
from numpy.typing import NDArray

from pocketlens.exporters.ccv.layers import Below, cannot
from pocketlens.graph.graph import Node, Shape

Places = NDArray[np.int64]


class Held:
    """What has been computed so far: a picture, or numbers, in ccv's order or not.

    below   as ccv has it
    places  int64, shaped like the lens's array: where ccv keeps each number
    """

    def __init__(self, below: Below, places: Places) -> None:
        self.below, self.places = below, places

    @classmethod
    def picture(cls, shape: Shape) -> Held:
        """A picture (1, channels, rows, cols)."""
        _, channels, rows, cols = shape
        below = Below(rows, cols, channels)
        return cls(below, _channels_first(below))

    @classmethod
    def numbers(cls, shape: Shape) -> Held:
        """Outputs of a full connect, or means of channels: in ccv a picture of one column."""
        count = math.prod(shape)
        return cls(Below(count, 1, 1), np.arange(count).reshape(shape))

    @property
    def is_picture(self) -> bool:
        """Whether the lens's array is the picture itself, nothing moved."""
        below = self.below
        shape = (1, below.channels, below.rows, below.cols)
        return self.places.shape == shape and bool((self.places == _channels_first(below)).all())

    def moved(self, node: Node) -> Held:
        """After a reshape or a transpose."""
        kind = "shape" if node.op == "reshape" else "perm"
        axes = cast("tuple[int, ...]", node.attributes[kind])
        if node.op == "reshape":
            return Held(self.below, self.places.reshape(axes))
        return Held(self.below, self.places.transpose(axes))

    @property
    def is_in_order(self) -> bool:
        """Whether the numbers stand as ccv has them."""
        return bool((self.places.reshape(-1) == np.arange(self.places.size)).all())

    def row(self, node: Node) -> Places | None:
        """Places of all numbers, which have to stand in one row; None where nothing moved."""
        if self.places.shape[-1] != self.below.count:
            raise cannot(
                node.name, f"it reads {self.below.count} numbers in rows of {self.places.shape[-1]}"
            )
        return None if self.is_in_order else self.places.reshape(-1)


def _channels_first(below: Below) -> Places:
    last = np.arange(below.count).reshape(1, below.rows, below.cols, below.channels)
    return last.transpose(0, 3, 1, 2)
