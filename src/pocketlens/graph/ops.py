"""The operators of a graph: the one list that importers, engines and the plan share.

Every operator has one output. Shapes are static and hold the batch (1 in an imported
classifier). Layout is NCHW. `activation` attributes name a function of ACTIVATIONS that is
applied to the result; `alpha` and `beta` are its parameters.

What each operator means, exactly, is engine/reference/; where ONNX defines an operator of
the same name, it means the same.
"""

from __future__ import annotations

from dataclasses import dataclass

ACTIVATIONS: dict[str, int] = {
    "none": 0,
    "relu": 1,  # max(x, 0)
    "leaky_relu": 2,  # x if x >= 0 else alpha x
    "clip": 3,  # min(max(x, alpha), beta)
    "sigmoid": 4,
    "hard_sigmoid": 5,  # min(max(alpha x + beta, 0), 1)
    "hard_swish": 6,  # x min(max(x / 6 + 1/2, 0), 1)
    "silu": 7,  # x sigmoid(x)
    "gelu": 8,  # x (1 + erf(x / sqrt 2)) / 2
    "gelu_tanh": 9,  # the tanh approximation of gelu
    "tanh": 10,
    "erf": 11,
    "exp": 12,
    "log": 13,
    "sqrt": 14,
    "reciprocal": 15,
    "neg": 16,
    "abs": 17,
    "elu": 18,  # x if x >= 0 else alpha (exp(x) - 1)
    "softplus": 19,  # log(1 + exp(x))
}
"""Elementwise functions and their numbers in a plan. Never renumber."""

BINARY: dict[str, int] = {
    "add": 0,
    "sub": 1,
    "mul": 2,
    "div": 3,
    "pow": 4,
    "max": 5,
    "min": 6,
    "prelu": 7,  # a if a >= 0 else a b
}
"""Elementwise functions of two arrays, NumPy broadcasting. Never renumber."""

REDUCTIONS: dict[str, int] = {"mean": 0, "sum": 1, "max": 2, "min": 3}
PAD_MODES: dict[str, int] = {"constant": 0, "reflect": 1, "edge": 2}
RESIZE_MODES: dict[str, int] = {"nearest": 0, "linear": 1, "cubic": 2}
RESIZE_COORDINATES: dict[str, int] = {
    "half_pixel": 0,
    "pytorch_half_pixel": 1,
    "align_corners": 2,
    "asymmetric": 3,
}
RESIZE_ROUNDING: dict[str, int] = {
    "round_prefer_floor": 0,
    "round_prefer_ceil": 1,
    "floor": 2,
    "ceil": 3,
}

MAX_RANK = 6
"""No array has more axes than this."""


@dataclass(frozen=True)
class Attribute:
    """One attribute of an operator, in the order in which a plan stores it.

    kind     "int", "float", "ints" or "choice"
    count    numbers stored in a plan ("ints": shorter lists are filled up with `fill`)
    choices  for "choice": the names and their numbers
    """

    name: str
    kind: str
    count: int = 1
    choices: dict[str, int] | None = None
    fill: int = 0


@dataclass(frozen=True)
class Op:
    """An operator: its number in a plan, how many inputs, which attributes.

    weights  positions of inputs that are weight tensors (may be palettized); every other
             input is an array or a plain constant
    """

    number: int
    name: str
    min_inputs: int
    max_inputs: int
    attributes: tuple[Attribute, ...] = ()
    weights: tuple[int, ...] = ()


def _fused() -> tuple[Attribute, ...]:
    return (
        Attribute("activation", "choice", choices=ACTIVATIONS),
        Attribute("alpha", "float"),
        Attribute("beta", "float"),
    )


def _window() -> tuple[Attribute, ...]:
    return (
        Attribute("kernel", "ints", 2),  # height, width
        Attribute("strides", "ints", 2),
        Attribute("pads", "ints", 4),  # top, left, bottom, right
        Attribute("dilations", "ints", 2),
        Attribute("ceil_mode", "int"),
    )


def _lrn() -> tuple[Attribute, ...]:
    return (
        Attribute("size", "int"),
        Attribute("alpha", "float"),
        Attribute("beta", "float"),
        Attribute("bias", "float"),
    )


MANY = 1 << 16

OPS: dict[str, Op] = {
    op.name: op
    for op in (
        # x (N,C,H,W), w (O,C/groups,KH,KW), bias (O) or none, residual like the output or none.
        # out = activation(conv(x, w) + bias + residual)
        Op(
            1,
            "conv2d",
            2,
            4,
            (
                *_fused(),
                Attribute("strides", "ints", 2),
                Attribute("pads", "ints", 4),
                Attribute("dilations", "ints", 2),
                Attribute("groups", "int"),
            ),
            weights=(1,),
        ),
        # x (...,K), w (O,K), bias (O) or none: out (...,O) = activation(x w^T + bias)
        Op(2, "linear", 2, 3, _fused(), weights=(1,)),
        # a (...,M,K), b (...,K,N), or b (...,N,K) with transpose_b; leading axes broadcast.
        # out = scale (a b)
        Op(3, "matmul", 2, 2, (Attribute("transpose_b", "int"), Attribute("scale", "float"))),
        Op(4, "max_pool", 1, 1, _window()),
        Op(5, "avg_pool", 1, 1, (*_window(), Attribute("count_include_pad", "int"))),
        # axes not negative, ascending
        Op(
            6,
            "reduce",
            1,
            1,
            (
                Attribute("kind", "choice", choices=REDUCTIONS),
                Attribute("keepdims", "int"),
                Attribute("axes", "ints", MAX_RANK, fill=-1),
            ),
        ),
        Op(7, "unary", 1, 1, _fused()),
        Op(8, "binary", 2, 2, (Attribute("kind", "choice", choices=BINARY), *_fused())),
        Op(9, "concat", 1, MANY, (Attribute("axis", "int"),)),
        # out[i] = x[starts + i steps], one entry an axis; sizes: how many are taken
        Op(
            10,
            "slice",
            1,
            1,
            (
                Attribute("starts", "ints", MAX_RANK),
                Attribute("sizes", "ints", MAX_RANK),
                Attribute("steps", "ints", MAX_RANK, fill=1),
            ),
        ),
        # one entry an axis; not negative (cropping is slice's)
        Op(
            11,
            "pad",
            1,
            1,
            (
                Attribute("mode", "choice", choices=PAD_MODES),
                Attribute("value", "float"),
                Attribute("before", "ints", MAX_RANK),
                Attribute("after", "ints", MAX_RANK),
            ),
        ),
        Op(12, "reshape", 1, 1, (Attribute("shape", "ints", MAX_RANK, fill=-1),)),
        Op(13, "transpose", 1, 1, (Attribute("perm", "ints", MAX_RANK, fill=-1),)),
        Op(14, "softmax", 1, 1, (Attribute("axis", "int"), Attribute("log", "int"))),
        # x / (bias + alpha / size * sum of squares of `size` neighbouring channels) ^ beta
        Op(15, "lrn", 1, 1, _lrn()),
        # over all axes from `axis` on; scale and bias have the shape of those axes, or none
        Op(16, "layer_norm", 1, 3, (Attribute("axis", "int"), Attribute("epsilon", "float"))),
        # the last two axes of (N,C,H,W); scales as ONNX gives them, out size = `size`
        Op(
            17,
            "resize",
            1,
            1,
            (
                Attribute("mode", "choice", choices=RESIZE_MODES),
                Attribute("coordinates", "choice", choices=RESIZE_COORDINATES),
                Attribute("rounding", "choice", choices=RESIZE_ROUNDING),
                Attribute("cubic_a", "float"),
                Attribute("scale_h", "float"),
                Attribute("scale_w", "float"),
                Attribute("size", "ints", 2),
            ),
        ),
        Op(18, "expand", 1, 1, (Attribute("shape", "ints", MAX_RANK, fill=-1),)),
        # lrn inside each of `groups` runs of channels: what is in another is no neighbour (ccv)
        Op(19, "grouped_lrn", 1, 1, (*_lrn(), Attribute("groups", "int"))),
    )
}
"""Every operator by name."""
