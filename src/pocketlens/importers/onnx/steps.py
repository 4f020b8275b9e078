"""Nodes that many lowerings emit. A step that would change nothing emits nothing."""

from __future__ import annotations

import math

from pocketlens.graph.graph import Shape
from pocketlens.importers.onnx.site import Site
from pocketlens.importers.onnx.values import Array


def reshape(site: Site, x: Array, shape: Shape) -> Array:
    """`x` in row-major order, as `shape`."""
    if x.shape == shape:
        return x
    return _like(x, site.emit("reshape", x, shape=shape))


def transpose(site: Site, x: Array, perm: tuple[int, ...]) -> Array:
    """Axis i of the result is axis perm[i] of `x`."""
    if perm == tuple(range(len(x.shape))):
        return x
    return _like(x, site.emit("transpose", x, perm=perm))


def take(site: Site, x: Array, axis: int, start: int, *, count: int, step: int = 1) -> Array:
    """`count` entries of one axis, from `start` on, each `step` after the last."""
    starts, sizes, steps = [0] * len(x.shape), list(x.shape), [1] * len(x.shape)
    starts[axis], sizes[axis], steps[axis] = start, count, step
    return slices(site, x, tuple(starts), tuple(sizes), tuple(steps))


def slices(
    site: Site, x: Array, starts: tuple[int, ...], sizes: tuple[int, ...], steps: tuple[int, ...]
) -> Array:
    """Entries of every axis at once."""
    if sizes == x.shape and not any(starts) and all(step == 1 for step in steps):
        return x
    return _like(x, site.emit("slice", x, starts=starts, sizes=sizes, steps=steps))


def concat(site: Site, parts: list[Array], axis: int) -> Array:
    """The parts one after the other along `axis`."""
    return parts[0] if len(parts) == 1 else site.emit("concat", *parts, axis=axis)


def unary(site: Site, x: Array, kind: str, alpha: float = 0.0, beta: float = 0.0) -> Array:
    """An elementwise function of graph.ops.ACTIVATIONS."""
    return site.emit("unary", x, activation=kind, alpha=alpha, beta=beta)


def binary(site: Site, kind: str, a: Array, b: Array) -> Array:
    """An elementwise function of graph.ops.BINARY, with NumPy's broadcasting."""
    return site.emit("binary", a, b, kind=kind, activation="none", alpha=0.0, beta=0.0)


def reduce(site: Site, x: Array, kind: str, axes: tuple[int, ...], *, keepdims: bool) -> Array:
    """A reduction of graph.ops.REDUCTIONS over `axes` (not negative, ascending)."""
    return site.emit("reduce", x, kind=kind, keepdims=int(keepdims), axes=axes)


def axis_of(site: Site, axis: int, rank: int) -> int:
    """`axis` counted from the front. Raises ModelError where there is no such axis."""
    if not -rank <= axis < rank:
        raise site.refuse(f"axis {axis} of an array of {rank} axes", slug="onnx-invalid")
    return axis % rank


def size_of(shape: Shape) -> int:
    """How many numbers an array of this shape holds."""
    return math.prod(shape)


def _like(source: Array, result: Array) -> Array:
    """Moving numbers about does not make whole numbers floats."""
    return Array(result.name, result.shape, source.integral)
