"""Gemm and MatMul: with constant weights they are linear, otherwise a product of arrays."""

from __future__ import annotations

import numpy as np

from pocketlens.importers.onnx.registry import lowers
from pocketlens.importers.onnx.site import Site
from pocketlens.importers.onnx.steps import binary, reshape, transpose
from pocketlens.importers.onnx.values import Array


@lowers("Gemm", inputs=(2, 3))
def gemm(site: Site) -> Array:
    """Gemm is alpha a' b' + beta c, with a' and b' transposed on demand."""
    a = site.array(0)
    if len(a.shape) != 2:
        raise site.refuse(f"its input has shape {a.shape}, expected two axes", slug="onnx-invalid")
    if site.int_of("transA", 0):
        a = transpose(site, a, (1, 0))
    if site.is_constant(1):
        return _gemm_with_weights(site, a)
    b, scale = site.array(1), site.float_of("alpha", 1.0)
    out = site.emit("matmul", a, b, transpose_b=int(bool(site.int_of("transB", 0))), scale=scale)
    return _add_c(site, out)


def _gemm_with_weights(site: Site, a: Array) -> Array:
    weights = site.constant(1, "weights")
    if weights.ndim != 2:
        raise site.refuse(f"its weights have shape {weights.shape}", slug="onnx-invalid")
    if not site.int_of("transB", 0):
        weights = weights.T
    alpha = site.float_of("alpha", 1.0)
    if alpha != 1.0:
        weights = weights.astype(np.float64) * alpha
    bias = _gemm_bias(site, weights.shape[0])
    out = _linear(site, a, site.tensor(weights, site.tensor_name(1, "weight")), bias)
    return _add_c(site, out) if bias is None else out


def _gemm_bias(site: Site, outputs: int) -> Array | None:
    """Input c as the bias of a linear, where it is constant and the same for every row."""
    if not site.is_constant(2):
        return None
    c, beta = site.constant(2, "bias"), site.float_of("beta", 1.0)
    if c.size not in (1, outputs) or (c.ndim and c.shape[-1] != c.size):
        return None
    values = np.broadcast_to(c.reshape(-1), (outputs,))
    if beta != 1.0:
        values = values.astype(np.float64) * beta
    return site.tensor(values, site.tensor_name(2, "bias"))


def _add_c(site: Site, product: Array) -> Array:
    beta = site.float_of("beta", 1.0)
    if not site.has(2) or beta == 0.0:
        return product
    c = site.array(2)
    if beta != 1.0:
        c = binary(site, "mul", c, site.scalar(beta, "beta"))
    return binary(site, "add", product, c)


@lowers("MatMul", inputs=(2, 2))
def matmul(site: Site) -> Array:
    """NumPy's matmul: an operand of one axis gets another one for the time being."""
    if site.is_constant(1) and site.constant(1, "weights").ndim == 2:
        weights = site.constant(1, "weights").T
        return _linear(site, site.array(0), site.tensor(weights, site.tensor_name(1, "weight")))
    a, b = site.array(0), site.array(1)
    left, right = len(a.shape) == 1, len(b.shape) == 1
    if not a.shape or not b.shape:
        raise site.refuse("it multiplies a scalar", slug="onnx-invalid")
    a = reshape(site, a, (1, *a.shape)) if left else a
    b = reshape(site, b, (*b.shape, 1)) if right else b
    out = site.emit("matmul", a, b, transpose_b=0, scale=1.0)
    shape = out.shape[:-1] if right else out.shape
    kept = shape if not left else ((*shape[:-2], shape[-1]) if not right else shape[:-1])
    return reshape(site, out, kept)


def _linear(site: Site, x: Array, weights: Array, bias: Array | None = None) -> Array:
    return site.emit("linear", x, weights, bias, activation="none", alpha=0.0, beta=0.0)
