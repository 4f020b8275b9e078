"""Pools: windows of pixels, and whole pictures."""

from __future__ import annotations

from pocketlens.graph.graph import AttributeValue
from pocketlens.importers.onnx.registry import lowers
from pocketlens.importers.onnx.site import Site
from pocketlens.importers.onnx.steps import reduce, reshape
from pocketlens.importers.onnx.values import Array
from pocketlens.importers.onnx.windows import window


@lowers("MaxPool", "AveragePool", inputs=(1, 1))
def pool(site: Site) -> Array:
    """Windows over a picture, or over a row."""
    x = site.array(0)
    rank = len(x.shape)
    if rank not in (3, 4):
        raise site.refuse(f"it pools an array of shape {x.shape}; 1-D and 2-D are supported")
    ceil = site.int_of("ceil_mode", 0)
    sizes = window(site, x.shape[2:], kernel=site.ints_of("kernel_shape") or (), ceil=bool(ceil))
    if rank == 3:
        x = reshape(site, x, (*x.shape[:2], 1, x.shape[2]))
    shared: dict[str, AttributeValue] = {
        "kernel": sizes.kernel,
        "strides": sizes.strides,
        "pads": sizes.pads,
        "dilations": sizes.dilations,
        "ceil_mode": ceil,
    }
    if site.op == "MaxPool":
        out = site.emit("max_pool", x, **shared)
    else:
        include = site.int_of("count_include_pad", 0)
        out = site.emit("avg_pool", x, **shared, count_include_pad=include)
    return out if rank == 4 else reshape(site, out, (*out.shape[:2], out.shape[3]))


@lowers("GlobalAveragePool", "GlobalMaxPool", inputs=(1, 1))
def global_pool(site: Site) -> Array:
    """One number a channel."""
    x = site.array(0)
    kind = "mean" if site.op == "GlobalAveragePool" else "max"
    return reduce(site, x, kind, tuple(range(2, len(x.shape))), keepdims=True)
