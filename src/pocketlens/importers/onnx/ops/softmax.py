"""Softmax and its logarithm. Before opset 13 all axes from `axis` on count as one."""

from __future__ import annotations

from pocketlens.importers.onnx.registry import lowers
from pocketlens.importers.onnx.site import Site
from pocketlens.importers.onnx.steps import axis_of, reshape, size_of
from pocketlens.importers.onnx.values import Array


@lowers("Softmax", "LogSoftmax", inputs=(1, 1))
def softmax(site: Site) -> Array:
    """A softmax over one axis."""
    x, log = site.array(0), int(site.op == "LogSoftmax")
    rank = len(x.shape)
    if site.opset >= 13:
        axis = axis_of(site, site.int_of("axis", -1), rank)
        return site.emit("softmax", x, axis=axis, log=log)
    axis = axis_of(site, site.int_of("axis", 1), rank)
    if size_of(x.shape[axis + 1 :]) == 1:
        return site.emit("softmax", x, axis=axis, log=log)
    flat = reshape(site, x, (size_of(x.shape[:axis]), size_of(x.shape[axis:])))
    return reshape(site, site.emit("softmax", flat, axis=1, log=log), x.shape)
