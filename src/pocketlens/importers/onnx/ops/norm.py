"""Normalizations. Batch norm becomes scale and shift, which a pass folds into weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketlens.importers.onnx.registry import lowers
from pocketlens.importers.onnx.site import Site
from pocketlens.importers.onnx.steps import axis_of, binary, reduce, reshape, size_of, unary
from pocketlens.importers.onnx.values import Array

MAX_NORMALIZED = 2**24
"""Numbers that a layer norm may have a scale and a bias for; a constant of one is spread out."""


@lowers("BatchNormalization", inputs=(5, 5))
def batch_norm(site: Site) -> Array:
    """Batch norm is (x - mean) / sqrt(variance + epsilon) scale + bias, one number a channel."""
    if site.int_of("training_mode", 0) or (site.opset < 9 and not site.int_of("spatial", 1)):
        raise site.refuse("it is in training mode; export the model for inference")
    x = site.array(0)
    channels = _channels(site, x)
    scale, bias, mean, variance = (
        _per_channel(site, position, what, channels)
        for position, what in enumerate(("scale", "bias", "mean", "variance"), 1)
    )
    variance = variance + site.float_of("epsilon", 1e-5)
    if (variance <= 0).any():
        raise site.refuse("a variance is not above 0", slug="not-finite")
    factor = scale / np.sqrt(variance)
    return _scale_and_shift(site, x, factor, bias - mean * factor)


@lowers("InstanceNormalization", inputs=(3, 3))
def instance_norm(site: Site) -> Array:
    """Every channel is a group of its own."""
    x = site.array(0)
    channels = _channels(site, x)
    out = _normalized_groups(site, x, channels)
    scale, bias = (
        _per_channel(site, position, what, channels)
        for position, what in ((1, "scale"), (2, "bias"))
    )
    return _scale_and_shift(site, out, scale, bias)


@lowers("GroupNormalization", inputs=(3, 3))
def group_norm(site: Site) -> Array:
    """Scale and bias: one a group in opset 18, one a channel since 21."""
    x, groups = site.array(0), site.int_of("num_groups", 1)
    channels = _channels(site, x)
    if groups < 1 or channels % groups:
        raise site.refuse(f"{groups} groups of {channels} channels", slug="onnx-invalid")
    out = _normalized_groups(site, x, groups)
    count = channels if site.opset >= 21 else groups
    scale, bias = (
        np.repeat(_per_channel(site, position, what, count), channels // count)
        for position, what in ((1, "scale"), (2, "bias"))
    )
    return _scale_and_shift(site, out, scale, bias)


@lowers("LayerNormalization", inputs=(2, 3))
def layer_norm(site: Site) -> Array:
    """Over the axes from `axis` on."""
    x = site.array(0)
    axis = axis_of(site, site.int_of("axis", -1), len(x.shape))
    scale, bias = (
        _over_axes(site, position, what, x.shape[axis:])
        for position, what in ((1, "scale"), (2, "bias"))
    )
    epsilon = site.float_of("epsilon", 1e-5)
    return site.emit("layer_norm", x, scale, bias, axis=axis, epsilon=epsilon)


@lowers("RMSNormalization", inputs=(2, 2))
def rms_norm(site: Site) -> Array:
    """RMS norm is x / sqrt(mean of squares + epsilon) scale."""
    x = site.array(0)
    rank = len(x.shape)
    axes = tuple(range(axis_of(site, site.int_of("axis", -1), rank), rank))
    mean = reduce(site, binary(site, "mul", x, x), "mean", axes, keepdims=True)
    mean = binary(site, "add", mean, site.scalar(site.float_of("epsilon", 1e-5), "epsilon"))
    out = binary(site, "div", x, unary(site, mean, "sqrt"))
    return binary(site, "mul", out, site.array(1))


@lowers("LRN", inputs=(1, 1))
def lrn(site: Site) -> Array:
    """Across channels, as in the AlexNet paper."""
    return site.emit(
        "lrn",
        site.array(0),
        size=site.int_of("size", 1),
        alpha=site.float_of("alpha", 1e-4),
        beta=site.float_of("beta", 0.75),
        bias=site.float_of("bias", 1.0),
    )


def _channels(site: Site, x: Array) -> int:
    if len(x.shape) < 2:
        raise site.refuse(f"its input has shape {x.shape}, without channels", slug="onnx-invalid")
    return x.shape[1]


def _per_channel(site: Site, position: int, what: str, count: int) -> NDArray[np.float64]:
    values = site.constant(position, what)
    if values.shape != (count,):
        raise site.refuse(
            f"its {what} has shape {values.shape}, expected ({count},)", slug="onnx-invalid"
        )
    return values.astype(np.float64)


def _over_axes(site: Site, position: int, what: str, shape: tuple[int, ...]) -> Array | None:
    if not site.has(position):
        return None
    if size_of(shape) > MAX_NORMALIZED:
        raise site.refuse(f"it normalizes {size_of(shape)} numbers at once")
    try:
        values = np.broadcast_to(site.constant(position, what), shape)
    except ValueError as error:
        raise site.refuse(f"its {what}: {error}", slug="onnx-invalid") from None
    return site.tensor(values, site.tensor_name(position, what))


def _normalized_groups(site: Site, x: Array, groups: int) -> Array:
    """Every group of channels with mean 0 and variance 1."""
    grouped = (x.shape[0], groups, size_of(x.shape) // (x.shape[0] * groups))
    flat = reshape(site, x, grouped)
    out = site.emit("layer_norm", flat, axis=2, epsilon=site.float_of("epsilon", 1e-5))
    return reshape(site, out, x.shape)


def _scale_and_shift(site: Site, x: Array, scale: NDArray[Any], shift: NDArray[Any]) -> Array:
    """Emit x scale + shift, one number of each a channel."""
    aligned = (-1, *(1,) * (len(x.shape) - 2))
    factor = site.tensor(scale.reshape(aligned), f"{site.name.strip('/')}.scale")
    offset = site.tensor(shift.reshape(aligned), f"{site.name.strip('/')}.shift")
    return binary(site, "add", binary(site, "mul", x, factor), offset)
