"""Elementwise functions of several arrays, with NumPy's broadcasting (opset 7 on)."""

from __future__ import annotations

import functools

import numpy as np

from pocketlens.importers.onnx.registry import lowers
from pocketlens.importers.onnx.site import Site
from pocketlens.importers.onnx.steps import binary, unary
from pocketlens.importers.onnx.values import Array, Value

_TWO = {"Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div", "PRelu": "prelu"}
_MANY = {"Max": "max", "Min": "min", "Sum": "add", "Mean": "add"}


@lowers(*_TWO, inputs=(2, 2))
def two(site: Site) -> Array:
    """Two operands."""
    return binary(site, _TWO[site.op], site.array(0), site.array(1))


@lowers(*_MANY, inputs=(1, 1 << 16))
def many(site: Site) -> Array:
    """Any number of operands, one after the other."""
    arrays = [site.array(position) for position in range(len(site.inputs))]
    total = functools.reduce(lambda a, b: binary(site, _MANY[site.op], a, b), arrays)
    if site.op == "Mean" and len(arrays) > 1:
        return binary(site, "div", total, site.scalar(float(len(arrays)), "count"))
    return total


@lowers("Pow", inputs=(2, 2))
def power(site: Site) -> Array:
    """Squares and roots by what they are: exact, fast, and what the patterns look for."""
    x = site.array(0)
    if site.is_constant(1) and site.constant(1, "exponent").size == 1:
        exponent = float(site.constant(1, "exponent").reshape(-1)[0])
        if exponent == 2.0:
            return binary(site, "mul", x, x)
        if exponent == 0.5:
            return unary(site, x, "sqrt")
        if exponent == 1.0:
            return x
    return binary(site, "pow", x, site.array(1))


@lowers("Where", inputs=(3, 3))
def where(site: Site) -> Value:
    """Only where the choice is known at import and the same everywhere."""
    condition = site.constant(0, "condition")
    chosen = 1 if bool(np.all(condition)) else 2
    if bool(np.any(condition)) != bool(np.all(condition)):
        raise site.refuse("its condition takes some numbers from each side")
    x, shape = site.array(chosen), _broadcast(site, condition.shape)
    return x if x.shape == shape else site.emit("expand", x, shape=shape)


def _broadcast(site: Site, condition: tuple[int, ...]) -> tuple[int, ...]:
    try:
        shape = np.broadcast_shapes(condition, site.array(1).shape, site.array(2).shape)
    except ValueError as error:
        raise site.refuse(str(error), slug="onnx-invalid") from None
    return tuple(int(dim) for dim in shape)
