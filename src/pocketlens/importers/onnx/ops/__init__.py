"""The lowerings, one file a family. Importing this package fills the registry."""

from pocketlens.importers.onnx.ops import (
    activation,
    conv,
    elementwise,
    linear,
    norm,
    pad,
    pool,
    reduce,
    resize,
    shape,
    slicing,
    softmax,
)

__all__ = [
    "activation",
    "conv",
    "elementwise",
    "linear",
    "norm",
    "pad",
    "pool",
    "reduce",
    "resize",
    "shape",
    "slicing",
    "softmax",
]
