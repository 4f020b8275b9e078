"""The shape of an operator's output from the shapes of its inputs: one small function an operator.

What the functions refuse, no engine ever sees: inputs that do not fit each other, windows that
touch no pixel, slices that leave the array, sizes beyond what a plan can hold. Rules of the
pools' `ceil_mode` are those of ONNX and PyTorch: a last window must begin inside the picture or
its leading pad.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn, cast

from pocketlens.base.errors import ModelError
from pocketlens.graph.attributes import check_attributes, find_op
from pocketlens.graph.graph import AttributeValue, Shape
from pocketlens.graph.ops import MAX_RANK, Op

MAX_DIM = 2**24
"""No axis is longer."""
MAX_NUMBERS = 2**31 - 1
"""No array holds more numbers: their count fits an i32."""

Attributes = Mapping[str, AttributeValue]
InputShapes = Sequence[Shape | None]
_Rule = Callable[[Attributes, InputShapes], Shape]


def infer_shape(op: str, attributes: Attributes, input_shapes: InputShapes) -> Shape:
    """The shape of the output of one node.

    input_shapes: one an input, None where an optional one is absent (trailing ones may be left
    out). Everything is judged: the operator, its attributes, how many inputs, every shape.
    Raises ModelError 'unknown-operator', 'bad-attribute', 'bad-shape' or 'too-large'.
    """
    known = find_op(op)
    check_attributes(known, attributes)
    _check_inputs(known, input_shapes)
    optional = (None,) * min(8, known.max_inputs - len(input_shapes))
    shape = _RULES[op](attributes, (*input_shapes, *optional))
    check_shape(shape, f"the output of operator '{op}'")
    return shape


def check_shape(shape: object, what: str) -> None:
    """Judge the rank, every axis and the product. Raises ModelError 'bad-shape', 'too-large'.

    `what` names the array in the sentence: "the output of operator 'conv2d'".
    """
    if not isinstance(shape, tuple) or len(shape) > MAX_RANK:
        raise ModelError(
            f"The shape of {what} is not a tuple of at most {MAX_RANK} axes.", slug="bad-shape"
        )
    product = 1
    for dim in shape:
        if type(dim) is not int or dim < 1:
            raise ModelError(
                f"The shape of {what} has an axis that is not a whole number above 0; "
                "shapes are static and nothing is empty.",
                slug="bad-shape",
            )
        if dim > MAX_DIM:
            raise ModelError(
                f"The shape of {what} has an axis longer than {MAX_DIM}.", slug="too-large"
            )
        product *= dim
    if product > MAX_NUMBERS:
        raise ModelError(
            f"The shape of {what}, {shape}, holds {product} numbers; at most {MAX_NUMBERS} fit.",
            slug="too-large",
        )


def _check_inputs(op: Op, shapes: InputShapes) -> None:
    if not op.min_inputs <= len(shapes) <= op.max_inputs:
        wanted = (
            f"{op.min_inputs}"
            if op.min_inputs == op.max_inputs
            else f"{op.min_inputs} to {op.max_inputs}"
        )
        raise ModelError(
            f"Operator '{op.name}' has {len(shapes)} inputs; it takes {wanted}.", slug="bad-shape"
        )
    for position, shape in enumerate(shapes):
        # A concat takes any number of inputs, and none of them is optional.
        required = position < op.min_inputs or op.name == "concat"
        if shape is None and required:
            _refuse(op.name, f"input {position} is absent, which only an optional one may be")
        if shape is not None:
            check_shape(shape, f"input {position} of operator '{op.name}'")


def _refuse(op: str, why: str) -> NoReturn:
    raise ModelError(f"Operator '{op}' does not fit its inputs: {why}.", slug="bad-shape")


def _ints(attributes: Attributes, name: str) -> tuple[int, ...]:
    return cast("tuple[int, ...]", attributes[name])


def _int(attributes: Attributes, name: str) -> int:
    return cast("int", attributes[name])


def _first(op: str, shapes: InputShapes, rank: int | None = None) -> Shape:
    """The shape of the first input, which is there; of `rank` axes where one is wanted."""
    shape = shapes[0]
    assert shape is not None
    if rank is not None and len(shape) != rank:
        _refuse(op, f"input 0 has {len(shape)} axes, expected {rank}")
    return shape


def _axis(op: str, attributes: Attributes, rank: int) -> int:
    axis = _int(attributes, "axis")
    if axis >= rank:
        _refuse(op, f"axis {axis} of an array of {rank} axes")
    return axis


def _expect(op: str, position: int, shape: Shape | None, expected: Shape) -> None:
    """An optional input, where there is one, has exactly this shape."""
    if shape is not None and shape != expected:
        _refuse(op, f"input {position} has shape {shape}, expected {expected}")


def _broadcast(op: str, a: Shape, b: Shape) -> Shape:
    rank = max(len(a), len(b))
    left, right = (1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b
    for one, other in zip(left, right, strict=True):
        if one != other and 1 not in (one, other):
            _refuse(op, f"shapes {a} and {b} do not broadcast")
    return tuple(max(pair) for pair in zip(left, right, strict=True))


def _padded(op: str, shape: Shape, pads: tuple[int, ...]) -> tuple[int, int]:
    """Height and width with their pads; engines lay out the padded picture."""
    n, channels, height, width = shape
    top, left, bottom, right = pads
    padded = (n, channels, top + height + bottom, left + width + right)
    check_shape(padded, f"the padded input of operator '{op}'")
    return padded[2], padded[3]


def _conv2d(attributes: Attributes, shapes: InputShapes) -> Shape:
    op = "conv2d"
    x, w = _first(op, shapes, 4), shapes[1]
    if w is None or len(w) != 4:
        _refuse(op, "the weights have to have 4 axes")
    groups, outputs = _int(attributes, "groups"), w[0]
    if x[1] % groups or outputs % groups or w[1] * groups != x[1]:
        _refuse(op, f"{x[1]} channels, {groups} groups and weights of shape {w}")
    spatial = []
    strides, dilations = _ints(attributes, "strides"), _ints(attributes, "dilations")
    for axis, size in enumerate(_padded(op, x, _ints(attributes, "pads"))):
        reach = dilations[axis] * (w[2 + axis] - 1) + 1
        if reach > size:
            _refuse(op, f"a window that reaches over {reach} pixels in a padded {size}")
        spatial.append((size - reach) // strides[axis] + 1)
    out = (x[0], outputs, spatial[0], spatial[1])
    _expect(op, 2, shapes[2], (outputs,))
    _expect(op, 3, shapes[3], out)
    return out


def _linear(_: Attributes, shapes: InputShapes) -> Shape:
    x, w = _first("linear", shapes), shapes[1]
    if not x or w is None or len(w) != 2 or w[1] != x[-1]:
        _refuse("linear", f"weights of shape {w} for an array of shape {x}")
    _expect("linear", 2, shapes[2], (w[0],))
    return (*x[:-1], w[0])


def _matmul(attributes: Attributes, shapes: InputShapes) -> Shape:
    a, b = _first("matmul", shapes), shapes[1]
    if b is None or len(a) < 2 or len(b) < 2:
        _refuse("matmul", f"shapes {a} and {b}; both need at least 2 axes")
    depth, columns = (b[-2], b[-1])
    if _int(attributes, "transpose_b"):
        depth, columns = columns, depth
    if a[-1] != depth:
        _refuse("matmul", f"shapes {a} and {b}; {a[-1]} is not {depth}")
    return (*_broadcast("matmul", a[:-2], b[:-2]), a[-2], columns)


def _pool(op: str, attributes: Attributes, shapes: InputShapes) -> Shape:
    x = _first(op, shapes, 4)
    pads = _ints(attributes, "pads")
    kernel, strides = _ints(attributes, "kernel"), _ints(attributes, "strides")
    dilations = _ints(attributes, "dilations")
    spatial = []
    for axis, padded in enumerate(_padded(op, x, pads)):
        size, before, after = x[2 + axis], pads[axis], pads[2 + axis]
        reach = dilations[axis] * (kernel[axis] - 1) + 1
        # These two lines make every window touch at least one pixel.
        if before >= reach or after >= reach or (before and dilations[axis] > size):
            _refuse(op, f"pads {pads} let a window of {kernel} see nothing but padding")
        if reach > padded:
            _refuse(op, f"a window that reaches over {reach} pixels in a padded {padded}")
        last, rest = divmod(padded - reach, strides[axis])
        ceil = _int(attributes, "ceil_mode") and rest
        if ceil and (last + 1) * strides[axis] < before + size:
            last += 1
        spatial.append(last + 1)
    return (x[0], x[1], spatial[0], spatial[1])


def _max_pool(attributes: Attributes, shapes: InputShapes) -> Shape:
    return _pool("max_pool", attributes, shapes)


def _avg_pool(attributes: Attributes, shapes: InputShapes) -> Shape:
    return _pool("avg_pool", attributes, shapes)


def _reduce(attributes: Attributes, shapes: InputShapes) -> Shape:
    x, axes = _first("reduce", shapes), _ints(attributes, "axes")
    if not axes or list(axes) != sorted(set(axes)) or axes[-1] >= len(x):
        _refuse("reduce", f"axes {axes} of {len(x)}; expected ascending axes, at least one")
    if _int(attributes, "keepdims"):
        return tuple(1 if axis in axes else dim for axis, dim in enumerate(x))
    return tuple(dim for axis, dim in enumerate(x) if axis not in axes)


def _unary(_: Attributes, shapes: InputShapes) -> Shape:
    return _first("unary", shapes)


def _binary(_: Attributes, shapes: InputShapes) -> Shape:
    a, b = _first("binary", shapes), shapes[1]
    assert b is not None
    return _broadcast("binary", a, b)


def _concat(attributes: Attributes, shapes: InputShapes) -> Shape:
    first = _first("concat", shapes)
    axis = _axis("concat", attributes, len(first))
    total = 0
    for shape in shapes:
        if shape is None:
            continue
        if shape[:axis] != first[:axis] or shape[axis + 1 :] != first[axis + 1 :]:
            _refuse("concat", f"shapes {first} and {shape} along axis {axis}")
        total += shape[axis]
    return (*first[:axis], total, *first[axis + 1 :])


def _slice(attributes: Attributes, shapes: InputShapes) -> Shape:
    x = _first("slice", shapes)
    starts, sizes, steps = (_ints(attributes, name) for name in ("starts", "sizes", "steps"))
    if not len(starts) == len(sizes) == len(steps) == len(x):
        _refuse("slice", f"starts, sizes and steps need one entry for each of {len(x)} axes")
    for dim, start, size, step in zip(x, starts, sizes, steps, strict=True):
        last = start + (size - 1) * step
        if not (0 <= start < dim and 0 <= last < dim):
            _refuse("slice", f"entries {start} to {last} of an axis of {dim}")
    return sizes


def _pad(attributes: Attributes, shapes: InputShapes) -> Shape:
    x = _first("pad", shapes)
    before, after = _ints(attributes, "before"), _ints(attributes, "after")
    if not len(before) == len(after) == len(x):
        _refuse("pad", f"before and after need one entry for each of {len(x)} axes")
    if attributes["mode"] == "reflect" and any(
        max(low, high) >= dim for dim, low, high in zip(x, before, after, strict=True)
    ):
        _refuse("pad", f"an array of shape {x} is too small to reflect {before}, {after}")
    return tuple(low + dim + high for dim, low, high in zip(x, before, after, strict=True))


def _reshape(attributes: Attributes, shapes: InputShapes) -> Shape:
    x, shape = _first("reshape", shapes), _ints(attributes, "shape")
    check_shape(shape, "the output of operator 'reshape'")
    if _count(x) != _count(shape):
        _refuse("reshape", f"{x} and {shape} hold different numbers of numbers")
    return shape


def _count(shape: Shape) -> int:
    count = 1
    for dim in shape:
        count *= dim
    return count


def _transpose(attributes: Attributes, shapes: InputShapes) -> Shape:
    x, perm = _first("transpose", shapes), _ints(attributes, "perm")
    if sorted(perm) != list(range(len(x))):
        _refuse("transpose", f"{perm} does not name each of {len(x)} axes once")
    return tuple(x[axis] for axis in perm)


def _softmax(attributes: Attributes, shapes: InputShapes) -> Shape:
    x = _first("softmax", shapes)
    _axis("softmax", attributes, len(x))
    return x


def _lrn(_: Attributes, shapes: InputShapes) -> Shape:
    return _first("lrn", shapes, 4)


def _grouped_lrn(attributes: Attributes, shapes: InputShapes) -> Shape:
    x, groups = _first("grouped_lrn", shapes, 4), _int(attributes, "groups")
    if x[1] % groups:
        _refuse("grouped_lrn", f"{x[1]} channels do not make {groups} groups")
    return x


def _layer_norm(attributes: Attributes, shapes: InputShapes) -> Shape:
    x = _first("layer_norm", shapes)
    axis = _axis("layer_norm", attributes, len(x))
    _expect("layer_norm", 1, shapes[1], x[axis:])
    _expect("layer_norm", 2, shapes[2], x[axis:])
    return x


def _resize(attributes: Attributes, shapes: InputShapes) -> Shape:
    x = _first("resize", shapes, 4)
    height, width = _ints(attributes, "size")
    return (x[0], x[1], height, width)


def _expand(attributes: Attributes, shapes: InputShapes) -> Shape:
    x, shape = _first("expand", shapes), _ints(attributes, "shape")
    if _broadcast("expand", x, shape) != shape:
        _refuse("expand", f"shape {x} does not broadcast to {shape}")
    return shape


_RULES: dict[str, _Rule] = {
    "conv2d": _conv2d,
    "linear": _linear,
    "matmul": _matmul,
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "reduce": _reduce,
    "unary": _unary,
    "binary": _binary,
    "concat": _concat,
    "slice": _slice,
    "pad": _pad,
    "reshape": _reshape,
    "transpose": _transpose,
    "softmax": _softmax,
    "lrn": _lrn,
    "layer_norm": _layer_norm,
    "resize": _resize,
    "expand": _expand,
    "grouped_lrn": _grouped_lrn,
}
