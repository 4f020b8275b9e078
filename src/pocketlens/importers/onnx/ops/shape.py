"""Operators that change an array's shape or order, and those that change nothing."""

from __future__ import annotations

import numpy as np
import onnx

from pocketlens.importers.onnx.registry import lowers
from pocketlens.importers.onnx.site import Site
from pocketlens.importers.onnx.steps import axis_of, concat, reshape, size_of, transpose
from pocketlens.importers.onnx.values import Array, Constant, Value, is_float

_FLOATS = frozenset(
    {
        onnx.TensorProto.FLOAT,
        onnx.TensorProto.FLOAT16,
        onnx.TensorProto.DOUBLE,
        onnx.TensorProto.BFLOAT16,
    }
)


@lowers("Identity", inputs=(1, 1))
def identity(site: Site) -> Value:
    """Nothing is emitted."""
    return site.array(0)


@lowers("Dropout", inputs=(1, 3))
def dropout(site: Site) -> Value:
    """Nothing is emitted: dropout works in training only."""
    if site.has(2) and bool(site.constant(2, "training mode").any()):
        raise site.refuse("it is in training mode; export the model for inference")
    return site.array(0)


@lowers("Cast", inputs=(1, 1))
def cast(site: Site) -> Array:
    """Everything is computed in float32, whichever float the source names."""
    if site.int_of("to", 0) not in _FLOATS:
        raise site.refuse("it rounds activations to another type than float")
    x = site.array(0)
    return Array(x.name, x.shape)


@lowers("CastLike", inputs=(2, 2))
def cast_like(site: Site) -> Value:
    """As Cast: to float, since every array is one; a constant becomes one here."""
    like = site.inputs[1]
    if like is None or (isinstance(like, Constant) and not is_float(like.values)):
        raise site.refuse("it rounds activations to another type than float")
    if isinstance(like, Array) and like.integral:
        raise site.refuse("it rounds activations to another type than float")
    if site.is_constant(0):
        return Constant(site.outputs[0], site.constant(0, "input").astype(np.float32))
    x = site.array(0)
    return Array(x.name, x.shape)


@lowers("Reshape", inputs=(2, 2))
def reshape_(site: Site) -> Array:
    """0 keeps an axis (unless allowzero), -1 takes what is left."""
    x, wanted = site.array(0), list(site.whole(1, "shape"))
    for axis, dim in enumerate(wanted):
        if dim == 0 and not site.int_of("allowzero", 0) and axis < len(x.shape):
            wanted[axis] = x.shape[axis]
    if wanted.count(-1) == 1:
        rest = size_of(tuple(dim for dim in wanted if dim != -1))
        if rest > 0 and size_of(x.shape) % rest == 0:
            wanted[wanted.index(-1)] = size_of(x.shape) // rest
    return reshape(site, x, tuple(wanted))


@lowers("Flatten", inputs=(1, 1))
def flatten(site: Site) -> Array:
    """Two axes: all before `axis`, all from it on."""
    x = site.array(0)
    rank, axis = len(x.shape), site.int_of("axis", 1)
    axis = axis if axis == rank else axis_of(site, axis, rank)
    return reshape(site, x, (size_of(x.shape[:axis]), size_of(x.shape[axis:])))


@lowers("Squeeze", inputs=(1, 2))
def squeeze(site: Site) -> Array:
    """Drop axes of length 1."""
    x = site.array(0)
    rank = len(x.shape)
    axes = site.whole(1, "axes") if site.has(1) else site.ints_of("axes")
    if axes is None:
        dropped = {axis for axis, dim in enumerate(x.shape) if dim == 1}
    else:
        dropped = {axis_of(site, axis, rank) for axis in axes}
    if any(x.shape[axis] != 1 for axis in dropped):
        raise site.refuse(
            f"it drops axes {sorted(dropped)} of shape {x.shape}", slug="onnx-invalid"
        )
    return reshape(site, x, tuple(d for axis, d in enumerate(x.shape) if axis not in dropped))


@lowers("Unsqueeze", inputs=(1, 2))
def unsqueeze(site: Site) -> Array:
    """Add axes of length 1."""
    x = site.array(0)
    axes = (site.whole(1, "axes") if site.has(1) else site.ints_of("axes")) or ()
    rank = len(x.shape) + len(axes)
    added = {axis_of(site, axis, rank) for axis in axes}
    dims = iter(x.shape)
    if len(added) != len(axes):
        raise site.refuse(f"it adds an axis twice: {axes}", slug="onnx-invalid")
    return reshape(site, x, tuple(1 if axis in added else next(dims) for axis in range(rank)))


@lowers("Transpose", inputs=(1, 1))
def transpose_(site: Site) -> Array:
    """Without perm the axes are reversed."""
    x = site.array(0)
    perm = site.ints_of("perm") or tuple(reversed(range(len(x.shape))))
    return transpose(site, x, perm)


@lowers("Expand", inputs=(2, 2))
def expand(site: Site) -> Array:
    """Broadcasting goes both ways: a 1 in the wanted shape keeps the array's axis."""
    x, wanted = site.array(0), site.whole(1, "shape")
    rank = max(len(x.shape), len(wanted))
    ours = (1,) * (rank - len(x.shape)) + x.shape
    theirs = (1,) * (rank - len(wanted)) + wanted
    shape = tuple(max(a, b) for a, b in zip(ours, theirs, strict=True))
    return x if shape == x.shape else site.emit("expand", x, shape=shape)


@lowers("Tile", inputs=(2, 2))
def tile(site: Site) -> Array:
    """Repetition is concatenation."""
    x, repeats = site.array(0), site.whole(1, "repeats")
    if len(repeats) != len(x.shape) or any(not 1 <= count <= 1024 for count in repeats):
        raise site.refuse(f"it repeats an array of shape {x.shape} by {repeats}")
    for axis, count in enumerate(repeats):
        x = concat(site, [x] * count, axis)
    return x


@lowers("DepthToSpace", inputs=(1, 1))
def depth_to_space(site: Site) -> Array:
    """Channels become blocks of pixels; DCR: the block counts slowest in the channel, CRD: last."""
    x, block = _blocks(site)
    n, channels, height, width = x.shape
    if block < 1 or channels % (block * block):
        raise site.refuse(f"blocks of {block} from {channels} channels", slug="onnx-invalid")
    depth = channels // (block * block)
    if site.text_of("mode", "DCR") == "DCR":
        x = reshape(site, x, (n, block, block, depth, height, width))
        x = transpose(site, x, (0, 3, 4, 1, 5, 2))
    else:
        x = reshape(site, x, (n, depth, block, block, height, width))
        x = transpose(site, x, (0, 1, 4, 2, 5, 3))
    return reshape(site, x, (n, depth, height * block, width * block))


@lowers("SpaceToDepth", inputs=(1, 1))
def space_to_depth(site: Site) -> Array:
    """Blocks of pixels become channels; DCR: the block counts slowest in the channel, CRD: last."""
    x, block = _blocks(site)
    n, channels, height, width = x.shape
    if block < 1 or height % block or width % block:
        raise site.refuse(f"blocks of {block} in {height}x{width}", slug="onnx-invalid")
    rows, columns = height // block, width // block
    x = reshape(site, x, (n, channels, rows, block, columns, block))
    slowest = site.text_of("mode", "DCR") == "DCR"
    x = transpose(site, x, (0, 3, 5, 1, 2, 4) if slowest else (0, 1, 3, 5, 2, 4))
    return reshape(site, x, (n, channels * block * block, rows, columns))


def _blocks(site: Site) -> tuple[Array, int]:
    x = site.array(0)
    if len(x.shape) != 4:
        raise site.refuse(f"its input has shape {x.shape}, expected 4 axes", slug="onnx-invalid")
    return x, site.int_of("blocksize", 0)
