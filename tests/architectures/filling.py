"""Fills the skeletons of tools/export_architectures.py with seeded random weights."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

SKELETONS = Path(__file__).parent / "skeletons"
NAMES = tuple(sorted(path.name.removesuffix(".onnx.gz") for path in SKELETONS.glob("*.onnx.gz")))


def filled(name: str, *, seed: int = 0) -> onnx.ModelProto:
    """The architecture with random weights: the same ones for the same seed."""
    model = onnx.load_from_string(gzip.decompress((SKELETONS / f"{name}.onnx.gz").read_bytes()))
    for tensor in model.graph.initializer:
        if tensor.doc_string:
            values = _random(tensor.doc_string, tuple(tensor.dims), f"{seed} {tensor.name}")
            tensor.raw_data = values.tobytes()
            tensor.ClearField("doc_string")
    return model


def picture(model: onnx.ModelProto, *, seed: int = 0) -> NDArray[np.float32]:
    """A normal random input (1, channels, height, width)."""
    dims = model.graph.input[0].type.tensor_type.shape.dim
    shape = tuple(dim.dim_value or 1 for dim in dims)
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def _random(kind: str, shape: tuple[int, ...], seed: str) -> NDArray[Any]:
    """Numbers that keep activations of about the same size from layer to layer."""
    normal = np.random.default_rng(zlib.crc32(seed.encode())).standard_normal(
        shape, dtype=np.float32
    )
    if kind == "weight":
        # A convolution (O,I,KH,KW) reads I KH KW inputs; a matrix stands here as (K,N) or (N,K),
        # and the longer side is a fair guess that is wrong by a small factor only.
        inputs = math.prod(shape[1:]) if len(shape) > 2 else max(shape)
        return normal * np.float32(math.sqrt(2.0 / inputs))
    if kind == "scale":
        return np.float32(1.0) + np.float32(0.1) * normal
    if kind == "variance":
        return np.exp(np.float32(0.2) * normal)
    assert kind == "small", kind
    return np.float32(0.1) * normal
