"""Reductions. Axes are an attribute before opset 18 (ReduceSum: 13), an input since."""

from __future__ import annotations

from pocketlens.importers.onnx import steps
from pocketlens.importers.onnx.registry import lowers
from pocketlens.importers.onnx.site import Site
from pocketlens.importers.onnx.values import Array

_KINDS = {
    "ReduceMean": "mean",
    "ReduceSum": "sum",
    "ReduceMax": "max",
    "ReduceMin": "min",
    "ReduceL1": "sum",
    "ReduceL2": "sum",
    "ReduceSumSquare": "sum",
    "ReduceLogSum": "sum",
}


@lowers(*_KINDS, inputs=(1, 2))
def reduction(site: Site) -> Array:
    """Norms and sums of squares are sums of something."""
    x = site.array(0)
    axes = _axes(site, len(x.shape))
    if site.op == "ReduceL1":
        x = steps.unary(site, x, "abs")
    elif site.op in ("ReduceL2", "ReduceSumSquare"):
        x = steps.binary(site, "mul", x, x)
    keepdims = bool(site.int_of("keepdims", 1))
    out = steps.reduce(site, x, _KINDS[site.op], axes, keepdims=keepdims) if axes else x
    if site.op == "ReduceL2":
        return steps.unary(site, out, "sqrt")
    return steps.unary(site, out, "log") if site.op == "ReduceLogSum" else out


def _axes(site: Site, rank: int) -> tuple[int, ...]:
    axes = site.whole(1, "axes") if site.has(1) else site.ints_of("axes")
    if not axes:
        return () if site.int_of("noop_with_empty_axes", 0) else tuple(range(rank))
    return tuple(sorted({steps.axis_of(site, axis, rank) for axis in axes}))
