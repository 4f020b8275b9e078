"""The layers that ccv's networks are made of, as plain values.

What each computes is said by ccv: a convolution always ends in a ReLU, a norm is taken over `size`
channels of the same pixel inside each of `groups` equal parts, a full connect reads what is below
it row by row, pixel by pixel. Kernels and windows are square, and the same in both directions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Convolution:
    """Filters over all pixels, then max(x, 0).

    size    of the kernel, pixels
    stride  pixels from one place to the next
    border  zeros around the picture
    groups  parts of the channels; a filter sees those of its own part
    bias    where training starts from
    """

    count: int
    size: int
    stride: int = 1
    border: int = 1
    groups: int = 1
    bias: float = 0.0


@dataclass(frozen=True)
class Norm:
    """x (kappa + alpha sum)^-beta, the sum over the squares of `size` neighbouring channels."""

    groups: int = 1
    size: int = 5
    kappa: float = 2.0
    alpha: float = 9.999999747378752e-05  # 1e-4 in float32, as ccv has it
    beta: float = 0.75


@dataclass(frozen=True)
class MaxPool:
    """The largest of a window."""

    size: int = 3
    stride: int = 2


@dataclass(frozen=True)
class AveragePool:
    """The mean of a window."""

    size: int = 3
    stride: int = 3


@dataclass(frozen=True)
class FullConnect:
    """Every output sees every input; then max(x, 0) if `relu`.

    count  outputs; None: one a class
    bias   where training starts from
    """

    count: int | None = None
    relu: bool = True
    bias: float = 0.0


Layer: TypeAlias = Convolution | Norm | MaxPool | AveragePool | FullConnect
