"""What the operators that look at a neighbourhood mean: conv2d, the pools, lrn, grouped_lrn.

Pictures are float64 (N,C,H,W). A window's entry (ky, kx) is a shifted, strided view of the whole
padded picture, so each operator is a loop over the entries of its window and nothing else.
Meanings are ONNX's (Conv, MaxPool, AveragePool, LRN).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import numpy as np

from pocketlens.engine.reference.elementwise import Array, Attributes, number
from pocketlens.graph.graph import Shape


def conv2d(x: Array, w: Array, attributes: Attributes, shape: Shape) -> Array:
    """The convolution alone: bias, residual and activation are the caller's.

    x (N,C,H,W); w (O, C/groups, KH, KW); shape: the output's, (N,O,OH,OW).
    """
    groups = cast("int", attributes["groups"])
    images, outputs, out_h, out_w = shape
    depth = w.shape[1]
    out = np.zeros((images, groups, outputs // groups, out_h * out_w))
    # One matrix (O/groups, C/groups) for each group and entry of the window, contiguous for BLAS.
    by_entry = np.ascontiguousarray(w.transpose(2, 3, 0, 1))
    weights = by_entry.reshape(*w.shape[2:], groups, outputs // groups, depth)
    for (ky, kx), view in _entries(x, w.shape[2:], attributes, shape, fill=0.0):
        columns = view.reshape(images, groups, depth, out_h * out_w)
        out += weights[ky, kx] @ columns
    return out.reshape(shape)


def max_pool(x: Array, attributes: Attributes, shape: Shape) -> Array:
    """The largest pixel of each window; padding never wins."""
    kernel = cast("tuple[int, int]", attributes["kernel"])
    out = np.full(shape, -np.inf)
    for _, view in _entries(x, kernel, attributes, shape, fill=-np.inf):
        out = np.maximum(out, view)
    return out


def avg_pool(x: Array, attributes: Attributes, shape: Shape) -> Array:
    """The mean of each window.

    What it is divided by: the pixels of the picture in the window, or, with count_include_pad,
    those and the pads'. What `ceil_mode` lets stick out beyond the last pad is never counted.
    """
    kernel = cast("tuple[int, int]", attributes["kernel"])
    counted = np.ones((1, 1, *x.shape[2:]))
    if attributes["count_include_pad"]:
        top, left, bottom, right = cast("tuple[int, int, int, int]", attributes["pads"])
        counted = np.pad(
            counted, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=1.0
        )
        unpadded = {**attributes, "pads": (0, 0, 0, 0)}
    else:
        unpadded = dict(attributes)
    count_shape = (1, 1, *shape[2:])
    total, count = np.zeros(shape), np.zeros(count_shape)
    for _, view in _entries(x, kernel, attributes, shape, fill=0.0):
        total += view
    for _, view in _entries(counted, kernel, unpadded, count_shape, fill=0.0):
        count += view
    return total / count


def _entries(
    x: Array, kernel: Shape, attributes: Attributes, shape: Shape, *, fill: float
) -> Iterator[tuple[tuple[int, int], Array]]:
    """For each entry of the window: what it sees from every output place, (N,C,OH,OW)."""
    top, left, bottom, right = cast("tuple[int, int, int, int]", attributes["pads"])
    stride_h, stride_w = cast("tuple[int, int]", attributes["strides"])
    dilation_h, dilation_w = cast("tuple[int, int]", attributes["dilations"])
    out_h, out_w = shape[2:]
    # With ceil_mode the last window may stick out of the padded picture: more of the same.
    reach_h = (out_h - 1) * stride_h + (kernel[0] - 1) * dilation_h + 1
    reach_w = (out_w - 1) * stride_w + (kernel[1] - 1) * dilation_w + 1
    bottom = max(bottom, reach_h - x.shape[2] - top)
    right = max(right, reach_w - x.shape[3] - left)
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=fill)
    for ky in range(kernel[0]):
        for kx in range(kernel[1]):
            y, x0 = ky * dilation_h, kx * dilation_w
            yield (
                (ky, kx),
                padded[
                    :,
                    :,
                    y : y + (out_h - 1) * stride_h + 1 : stride_h,
                    x0 : x0 + (out_w - 1) * stride_w + 1 : stride_w,
                ],
            )


def lrn(x: Array, attributes: Attributes) -> Array:
    """Local response normalisation over channels (Krizhevsky et al. 2012, section 3.3).

    The neighbours of channel c are c - floor((size - 1) / 2) to c + ceil((size - 1) / 2), those
    that exist.
    """
    size = cast("int", attributes["size"])
    channels = x.shape[1]
    before, after = (size - 1) // 2, size // 2
    squares = np.zeros_like(x)
    for c in range(channels):
        near = x[:, max(0, c - before) : min(channels, c + after + 1)]
        squares[:, c] = (near**2).sum(axis=1)
    alpha, beta, bias = (number(attributes, name) for name in ("alpha", "beta", "bias"))
    out: Array = x / (bias + alpha / size * squares) ** beta
    return out


def grouped_lrn(x: Array, attributes: Attributes) -> Array:
    """Each of `groups` runs of channels through lrn by itself, as ccv's norm layers have it."""
    runs = np.split(x, cast("int", attributes["groups"]), axis=1)
    return np.concatenate([lrn(run, attributes) for run in runs], axis=1)
