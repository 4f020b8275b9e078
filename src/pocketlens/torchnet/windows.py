"""The operators that look at a neighbourhood, in torch: conv2d, the pools, lrn, grouped_lrn.

A picture is first made exactly as large as its windows reach, so that torch's own padding, with
its narrower rules, is never asked.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from pocketlens.graph.graph import Shape
from pocketlens.torchnet.elementwise import Attributes, number

Two = tuple[int, int]
Four = tuple[int, int, int, int]


def conv2d(x: Tensor, w: Tensor, bias: Tensor | None, attributes: Attributes) -> Tensor:
    """The convolution and its bias: residual and activation are the caller's."""
    top, left, bottom, right = cast(Four, attributes["pads"])
    padding: Two = (top, left)
    if (top, left) != (bottom, right):
        x, padding = functional.pad(x, (left, right, top, bottom)), (0, 0)
    strides, dilations = attributes["strides"], attributes["dilations"]
    return functional.conv2d(x, w, bias, strides, padding, dilations, attributes["groups"])


def max_pool(x: Tensor, attributes: Attributes, shape: Shape) -> Tensor:
    """The largest pixel of each window; padding never wins."""
    fitted = _fit(x, attributes, shape, fill=-torch.inf)
    strides, dilations = attributes["strides"], attributes["dilations"]
    return functional.max_pool2d(fitted, attributes["kernel"], strides, 0, dilations)


def avg_pool(x: Tensor, attributes: Attributes, shape: Shape) -> Tensor:
    """The mean of each window, over the picture or, with count_include_pad, its pads too."""
    counted = torch.ones((1, 1, *x.shape[2:]), dtype=x.dtype, device=x.device)
    count_attributes = dict(attributes)
    if attributes["count_include_pad"]:
        top, left, bottom, right = cast(Four, attributes["pads"])
        counted = functional.pad(counted, (left, right, top, bottom), value=1.0)
        count_attributes["pads"] = (0, 0, 0, 0)
    return _sums(x, attributes, shape) / _sums(counted, count_attributes, shape)


def lrn(x: Tensor, attributes: Attributes) -> Tensor:
    """Local response normalisation over channels (Krizhevsky et al. 2012, section 3.3)."""
    size = cast(int, attributes["size"])
    rest = (0, 0) * (x.ndim - 2)
    padded = functional.pad(x * x, (*rest, (size - 1) // 2, size // 2))
    squares = padded.unfold(1, size, 1).sum(-1)
    alpha, beta, bias = (number(attributes, name) for name in ("alpha", "beta", "bias"))
    return x / (bias + alpha / size * squares) ** beta


def grouped_lrn(x: Tensor, attributes: Attributes) -> Tensor:
    """Each of `groups` runs of channels through lrn by itself."""
    runs = x.chunk(cast(int, attributes["groups"]), dim=1)
    return torch.cat([lrn(run, attributes) for run in runs], dim=1)


def _sums(x: Tensor, attributes: Attributes, shape: Shape) -> Tensor:
    fitted = _fit(x, attributes, shape, fill=0.0)
    kernel, strides = cast(Two, attributes["kernel"]), attributes["strides"]
    if attributes["dilations"] == (1, 1):
        return functional.avg_pool2d(fitted, kernel, strides, divisor_override=1)
    ones = torch.ones((x.shape[1], 1, *kernel), dtype=x.dtype, device=x.device)
    dilations = attributes["dilations"]
    return functional.conv2d(fitted, ones, None, strides, 0, dilations, x.shape[1])


def _fit(x: Tensor, attributes: Attributes, shape: Shape, *, fill: float) -> Tensor:
    """Pad (or cut) a picture to what the windows of shape[2:] places see."""
    top, left, _, _ = cast(Four, attributes["pads"])
    kernel, strides, dilations = (
        cast(Two, attributes[name]) for name in ("kernel", "strides", "dilations")
    )
    bottom, right = (
        (shape[2 + axis] - 1) * strides[axis]
        + (kernel[axis] - 1) * dilations[axis]
        + (1 - x.shape[2 + axis] - before)
        for axis, before in enumerate((top, left))
    )
    if not any((top, left, bottom, right)):
        return x
    return functional.pad(x, (left, right, top, bottom), value=fill)
