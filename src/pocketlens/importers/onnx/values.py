"""What a name of an ONNX graph stands for while it is lowered: an array or a constant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketlens.graph.graph import Shape


@dataclass(frozen=True)
class Array:
    """Something that the network computes, is given, or keeps as a tensor.

    integral: the source declares whole numbers. The network has floats only, so arithmetic on
    such an array is refused until the source casts it.
    """

    name: str
    shape: Shape
    integral: bool = False


@dataclass(frozen=True)
class Constant:
    """Something known at import, of any element type."""

    name: str
    values: NDArray[Any]


Value = Array | Constant


def is_float(values: NDArray[Any]) -> bool:
    """Whether these are real numbers: float of any width, bfloat16 and the 8-bit floats too."""
    return bool(
        np.issubdtype(values.dtype, np.floating)
        or values.dtype.name.startswith(("bfloat", "float"))
    )


def words(text: str) -> frozenset[str]:
    """A set of names, from names with spaces between."""
    return frozenset(text.split())
