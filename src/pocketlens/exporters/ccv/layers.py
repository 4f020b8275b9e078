"""ccv's layers as plain values, and how a lens is refused that has others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from pocketlens.base.errors import ModelError
from pocketlens.graph.attributes import quoted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Below:
    """What a layer reads from one patch: the shape of the layer below it."""

    rows: int
    cols: int
    channels: int

    @property
    def count(self) -> int:
        """Numbers in all."""
        return self.rows * self.cols * self.channels


@dataclass(frozen=True)
class Convolution:
    """weight, bias: names of tensors; bias "" where there is none."""

    node: str
    below: Below
    groups: int
    rows: int
    cols: int
    count: int
    strides: int
    border: int
    weight: str
    bias: str


@dataclass(frozen=True)
class Pool:
    """kind: "max" or "average", whose windows are clipped to the picture."""

    node: str
    below: Below
    kind: str
    size: int
    strides: int
    border: int


@dataclass(frozen=True)
class Norm:
    """x (kappa + alpha sum)^-beta: alpha is not divided by the size."""

    node: str
    below: Below
    groups: int
    size: int
    kappa: float
    alpha: float
    beta: float


@dataclass(frozen=True)
class FullConnect:
    """places: where each column of the weight belongs, int64 (inputs,); None: where it is."""

    node: str
    below: Below
    count: int
    relu: bool
    weight: str
    bias: str
    places: NDArray[np.int64] | None = field(default=None, compare=False)


Layer: TypeAlias = Convolution | Pool | Norm | FullConnect


def cannot(node: str, why: str) -> ModelError:
    """The refusal of a node that ccv has no layer for; `why` ends the sentence."""
    return ModelError(f"ccv cannot express node {quoted(node)}: {why}.", slug="ccv-cannot-express")
