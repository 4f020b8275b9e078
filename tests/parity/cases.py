"""Problems for every operator: odd shapes, every attribute. Small: together they take seconds.

Channels are chosen around the core's blocks of 16: 1, 3, 7, 8, 15, 16, 17, 33.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

from pocketlens.graph.graph import AttributeValue, Shape
from pocketlens.graph.ops import (
    ACTIVATIONS,
    BINARY,
    PAD_MODES,
    REDUCTIONS,
    RESIZE_COORDINATES,
    RESIZE_ROUNDING,
)

from .problems import Problem, problem

CHANNELS = (1, 3, 7, 8, 15, 16, 17, 33)
PARAMETERS: dict[str, tuple[float, float]] = {
    "leaky_relu": (0.1, 0.0),
    "clip": (-0.25, 0.5),
    "hard_sigmoid": (0.2, 0.5),
    "elu": (1.5, 0.0),
}
POSITIVE = frozenset({"log", "sqrt", "reciprocal"})
"""Functions that are compared where they are defined: on numbers above 0."""


def fused(activation: str) -> dict[str, AttributeValue]:
    """Attributes of an activation."""
    alpha, beta = PARAMETERS.get(activation, (0.0, 0.0))
    return {"activation": activation, "alpha": alpha, "beta": beta}


def conv2d() -> Iterator[Problem]:
    for c, o in itertools.product(CHANNELS, (1, 7, 16, 33)):
        yield problem("conv2d", (1, c, 5, 7), (o, c, 1, 1), (o,))
        yield problem("conv2d", (1, c, 5, 7), (o, c, 3, 3), (o,), pads=(1, 1, 1, 1))
    for kernel in ((1, 7), (7, 1), (2, 2), (5, 5), (4, 3)):
        for stride in ((1, 1), (2, 2), (1, 3), (3, 2)):
            yield problem("conv2d", (1, 7, 13, 17), (17, 7, *kernel), strides=stride)
            yield problem(
                "conv2d", (1, 17, 8, 9), (15, 17, *kernel), strides=stride, pads=(3, 2, 1, 4)
            )
    for dilations in ((2, 2), (1, 3), (4, 1)):
        for pads in ((0, 0, 0, 0), (4, 3, 2, 1)):
            yield problem(
                "conv2d", (1, 16, 11, 9), (8, 16, 3, 3), (8,), dilations=dilations, pads=pads
            )
    yield problem("conv2d", (1, 3, 35, 35), (33, 3, 11, 11), (33,), strides=(4, 4))
    yield problem("conv2d", (1, 3, 32, 30), (64, 3, 7, 7), (64,), strides=(2, 2), pads=(3, 3, 3, 3))
    yield problem("conv2d", (1, 64, 28, 28), (64, 64, 3, 3), (64,), pads=(1, 1, 1, 1))
    yield problem("conv2d", (1, 48, 1, 1), (96, 48, 1, 1), (96,))
    yield problem("conv2d", (1, 8, 1, 40), (8, 8, 1, 3), pads=(0, 1, 0, 1))
    yield problem("conv2d", (1, 8, 2, 2), (8, 8, 3, 3), pads=(9, 9, 9, 9))
    yield problem("conv2d", (2, 5, 6, 6), (9, 5, 3, 3), (9,))
    yield from _conv2d_groups()
    yield from _conv2d_fused()


def _conv2d_groups() -> Iterator[Problem]:
    for c in CHANNELS:
        for kernel, stride, pad in ((3, 1, 1), (3, 2, 1), (5, 2, 2), (1, 1, 0), (7, 1, 3)):
            yield problem(
                "conv2d",
                (1, c, 9, 10),
                (c, 1, kernel, kernel),
                (c,),
                groups=c,
                strides=(stride, stride),
                pads=(pad,) * 4,
            )
        yield problem("conv2d", (1, c, 6, 6), (2 * c, 1, 3, 3), groups=c)
        yield problem(
            "conv2d", (1, c, 9, 9), (c, 1, 3, 2), groups=c, dilations=(2, 3), pads=(0, 1, 2, 3)
        )
    for groups, inside, outside in ((2, 3, 5), (2, 16, 16), (3, 8, 8), (4, 4, 4), (2, 17, 33)):
        shape, weights = (1, groups * inside, 7, 6), (groups * outside, inside, 3, 3)
        bias = (groups * outside,)
        yield problem("conv2d", shape, weights, bias, groups=groups, pads=(1, 1, 1, 1))
        yield problem("conv2d", shape, weights, groups=groups, strides=(2, 2))


def _conv2d_fused() -> Iterator[Problem]:
    for activation in ACTIVATIONS:
        if activation in POSITIVE:
            continue
        for c, o, groups in ((3, 17, 1), (8, 8, 8)):
            shape, weights, out = (1, c, 5, 6), (o, c // groups, 3, 3), (1, o, 5, 6)
            attributes = {**fused(activation), "groups": groups, "pads": (1, 1, 1, 1)}
            yield problem("conv2d", shape, weights, (o,), **attributes)
            yield problem("conv2d", shape, weights, (o,), out, **attributes)
    for c in CHANNELS:
        out = (1, c, 4, 4)
        yield problem("conv2d", (1, 5, 4, 4), (c, 5, 1, 1), None, out, **fused("relu"))


def linear() -> Iterator[Problem]:
    for k, o in itertools.product(CHANNELS, (1, 3, 16, 33)):
        yield problem("linear", (1, k), (o, k), (o,))
    for shape in ((5,), (3, 5), (2, 3, 5), (1, 7, 5), (2, 1, 3, 5)):
        yield problem("linear", shape, (17, 5), (17,))
        yield problem("linear", shape, (17, 5))
    yield problem("linear", (1, 1000), (101, 1000), (101,))
    yield problem("linear", (17, 96), (192, 96), (192,))
    for activation in ACTIVATIONS:
        if activation not in POSITIVE:
            yield problem("linear", (3, 9), (18, 9), (18,), **fused(activation))


def matmul() -> Iterator[Problem]:
    for m, k, n in ((1, 1, 1), (3, 5, 7), (16, 17, 33), (7, 64, 15), (1, 33, 16), (50, 8, 50)):
        yield problem("matmul", (m, k), (k, n))
        yield problem("matmul", (m, k), (n, k), transpose_b=1, scale=0.125)
        yield dataclasses.replace(problem("matmul", (m, k), (k, n)), tensors=frozenset({1}))
    for a, b in (
        ((2, 3, 4, 5), (2, 3, 5, 6)),
        ((2, 3, 4, 5), (3, 5, 6)),
        ((2, 1, 4, 5), (1, 3, 5, 6)),
        ((4, 5), (3, 5, 6)),
        ((1, 3, 17, 8), (1, 3, 8, 17)),
    ):
        yield problem("matmul", a, b)
        yield problem("matmul", a, (*b[:-2], b[-1], b[-2]), transpose_b=1, scale=-1.5)


WINDOWS: tuple[dict[str, AttributeValue], ...] = (
    {"kernel": (1, 1)},
    {"kernel": (2, 2), "strides": (2, 2)},
    {"kernel": (3, 3), "strides": (2, 2), "ceil_mode": 1},
    {"kernel": (3, 3), "strides": (2, 2), "pads": (1, 1, 1, 1)},
    {"kernel": (3, 3), "strides": (2, 2), "pads": (1, 1, 1, 1), "ceil_mode": 1},
    {"kernel": (3, 3), "pads": (0, 1, 2, 1)},
    {"kernel": (3, 2), "strides": (1, 2), "dilations": (2, 3)},
    {"kernel": (3, 3), "strides": (3, 2), "dilations": (2, 1), "pads": (1, 2, 3, 0)},
    {"kernel": (2, 2), "strides": (5, 5), "ceil_mode": 1},
    {"kernel": (1, 9), "strides": (1, 1)},
    {"kernel": (7, 9)},
)


def pools() -> Iterator[Problem]:
    for window in WINDOWS:
        for c in (1, 8, 17):
            yield problem("max_pool", (1, c, 7, 9), **window)
            for counted in (0, 1):
                yield problem("avg_pool", (1, c, 7, 9), count_include_pad=counted, **window)
    for c in CHANNELS:
        yield problem("max_pool", (1, c, 6, 5), kernel=(3, 3), strides=(2, 2))
        yield problem("avg_pool", (1, c, 6, 5), kernel=(2, 2), strides=(2, 2))
    yield problem("max_pool", (2, 3, 8, 8), kernel=(2, 2), strides=(2, 2))


def reduce() -> Iterator[Problem]:
    for kind, keepdims in itertools.product(REDUCTIONS, (0, 1)):
        for c in CHANNELS:
            yield problem("reduce", (1, c, 5, 6), kind=kind, keepdims=keepdims, axes=(2, 3))
        for shape, axes in (
            ((1, 17, 5, 6), (1,)),
            ((1, 17, 5, 6), (1, 2, 3)),
            ((1, 17, 5, 6), (0,)),
            ((1, 17, 5, 6), (3,)),
            ((1, 17, 5, 6), (0, 1, 2, 3)),
            ((1, 7, 9), (1,)),
            ((4, 7, 9), (0, 2)),
            ((5, 33), (1,)),
            ((33,), (0,)),
            ((2, 3, 4, 2, 3, 2), (1, 3, 5)),
        ):
            yield problem("reduce", shape, kind=kind, keepdims=keepdims, axes=axes)


def unary() -> Iterator[Problem]:
    for activation, shape in itertools.product(
        ACTIVATIONS, ((1, 17, 3, 5), (1, 1, 1, 1), (1, 33), (3, 7, 2), (2, 1, 3, 1, 2, 3))
    ):
        # One number alone stays out of the tails, where float32 has few digits to compare.
        low, high = (0.1, 4.0) if activation in POSITIVE else (-8.0, 8.0)
        low = max(low, -2.0) if shape == (1, 1, 1, 1) else low
        given = problem("unary", shape, **fused(activation))
        yield dataclasses.replace(given, low=low, high=high)


BROADCASTS: tuple[tuple[Shape, Shape], ...] = (
    ((1, 17, 3, 5), (1, 17, 3, 5)),
    ((1, 17, 3, 5), (1, 17, 1, 1)),
    ((1, 17, 3, 5), (17, 1, 1)),
    ((1, 17, 3, 5), (1, 1, 3, 5)),
    ((1, 17, 3, 5), (1, 17, 1, 5)),
    ((1, 17, 3, 5), (5,)),
    ((1, 17, 3, 5), (1,)),
    ((1, 17, 1, 1), (1, 17, 3, 5)),
    ((1, 1, 3, 5), (1, 17, 1, 1)),
    ((1, 16, 4, 4), (1, 16, 1, 1)),
    ((2, 7, 3), (7, 1)),
    ((1, 33), (33,)),
    ((33,), (1, 33)),
    ((6,), (6,)),
    ((2, 1, 3, 1, 2, 2), (1, 3, 1, 2, 1)),
)


def binary() -> Iterator[Problem]:
    for kind, (a, b) in itertools.product(BINARY, BROADCASTS):
        low = 0.25 if kind in ("pow", "div") else -1.0
        for tensors in (frozenset[int](), frozenset({1})):
            given = problem("binary", a, b, kind=kind)
            yield dataclasses.replace(given, low=low, tensors=tensors)
        yield dataclasses.replace(
            problem("binary", a, b, kind=kind), low=low, tensors=frozenset({0})
        )
    for activation in ACTIVATIONS:
        given = problem("binary", (1, 9, 4, 3), (1, 9, 4, 3), kind="add", **fused(activation))
        yield dataclasses.replace(given, low=0.1 if activation in POSITIVE else -1.0)


def concat() -> Iterator[Problem]:
    for parts in ((3,), (16, 16), (1, 3, 7), (17, 15, 8), (8, 8, 33), (16, 1), (1,) * 9):
        yield problem("concat", *((1, c, 3, 4) for c in parts), axis=1)
        yield problem("concat", *((2, c, 3) for c in parts), axis=1)
        yield problem("concat", *((c,) for c in parts), axis=0)
        yield problem("concat", *((1, 17, c, 2) for c in parts), axis=2)
        yield problem("concat", *((1, 5, 2, c) for c in parts), axis=3)
        yield problem("concat", *((c, 5, 2, 2) for c in parts), axis=0)


def slices() -> Iterator[Problem]:
    for shape, starts, sizes, steps in (
        ((1, 33, 4, 5), (0, 0, 0, 0), (1, 16, 4, 5), (1, 1, 1, 1)),
        ((1, 33, 4, 5), (0, 16, 0, 0), (1, 17, 4, 5), (1, 1, 1, 1)),
        ((1, 33, 4, 5), (0, 5, 1, 2), (1, 20, 2, 3), (1, 1, 1, 1)),
        ((1, 33, 4, 5), (0, 1, 0, 0), (1, 16, 2, 3), (1, 2, 2, 2)),
        ((1, 33, 4, 5), (0, 32, 3, 4), (1, 33, 4, 5), (1, -1, -1, -1)),
        ((1, 17, 6), (0, 3, 5), (1, 5, 3), (1, 3, -2)),
        ((3, 7), (1, 0), (2, 7), (1, 1)),
        ((9,), (8,), (1,), (1,)),
        ((2, 2, 3, 2, 3, 2), (1, 0, 0, 1, 2, 0), (1, 2, 2, 1, 2, 2), (1, 1, 2, 1, -1, 1)),
    ):
        yield problem("slice", shape, starts=starts, sizes=sizes, steps=steps)


def pad() -> Iterator[Problem]:
    for mode, c in itertools.product(PAD_MODES, (1, 8, 17)):
        for before, after in (
            ((0, 0, 1, 2), (0, 0, 3, 0)),
            ((0, 0, 3, 3), (0, 0, 3, 3)),
            ((0, 0, 0, 0), (0, 0, 0, 1)),
        ):
            given: dict[str, AttributeValue] = {"mode": mode, "before": before, "after": after}
            yield problem("pad", (1, c, 4, 5), value=0.75 if mode == "constant" else 0.0, **given)
    yield problem("pad", (1, 17, 3, 3), before=(0, 2, 0, 0), after=(0, 13, 0, 1), value=-1.0)
    yield problem("pad", (1, 5, 3, 3), before=(1, 0, 0, 0), after=(0, 0, 0, 0))
    for mode in PAD_MODES:
        yield problem("pad", (7,), mode=mode, before=(2,), after=(4,))
        yield problem("pad", (2, 3, 4), mode=mode, before=(1, 0, 3), after=(0, 2, 1))


def reshape() -> Iterator[Problem]:
    for shape, to in (
        ((1, 17, 3, 5), (1, 255)),
        ((1, 255), (1, 17, 3, 5)),
        ((1, 34, 3, 5), (1, 2, 17, 3, 5)),
        ((1, 2, 17, 3, 5), (1, 34, 3, 5)),
        ((1, 16, 4, 4), (1, 16, 16)),
        ((1, 17, 1, 1), (17,)),
        ((1, 17, 1, 1), (1, 17)),
        ((17,), (1, 17, 1, 1)),
        ((1, 8, 6, 6), (1, 32, 3, 3)),
        ((6,), (1, 1, 2, 1, 3, 1)),
    ):
        yield problem("reshape", shape, shape=to)


def transpose() -> Iterator[Problem]:
    for perm in itertools.permutations(range(4)):
        yield problem("transpose", (2, 17, 3, 5), perm=perm)
    for shape, perm in (
        ((1, 33, 4, 5), (0, 2, 3, 1)),
        ((1, 4, 5, 33), (0, 3, 1, 2)),
        ((7, 9), (1, 0)),
        ((5,), (0,)),
        ((2, 3, 4), (2, 0, 1)),
        ((1, 2, 17, 3, 5), (0, 2, 1, 3, 4)),
        ((1, 2, 3, 4, 5, 2), (0, 4, 2, 5, 3, 1)),
    ):
        yield problem("transpose", shape, perm=perm)


def softmax() -> Iterator[Problem]:
    for log, c in itertools.product((0, 1), CHANNELS):
        yield dataclasses.replace(problem("softmax", (1, c), axis=1, log=log), low=-9, high=9)
        yield problem("softmax", (1, c, 2, 3), axis=1, log=log)
    for log, axis in itertools.product((0, 1), range(4)):
        yield problem("softmax", (2, 17, 3, 5), axis=axis, log=log)
        given = problem("softmax", (2, 3, 4, 9, 2), axis=axis, log=log)
        yield dataclasses.replace(given, low=-90.0, high=90.0)


def lrn() -> Iterator[Problem]:
    for c, size in itertools.product(CHANNELS, (1, 2, 3, 5)):
        yield problem("lrn", (1, c, 3, 4), size=size, alpha=1e-4, beta=0.75, bias=1.0)
        yield problem("lrn", (1, c, 3, 4), size=size, alpha=0.9, beta=0.5, bias=2.0)


def grouped_lrn() -> Iterator[Problem]:
    # Groups of whole blocks of the core, and groups that end inside one.
    for c, groups in ((32, 2), (64, 4), (48, 3), (16, 4), (18, 3), (40, 2), (24, 24), (5, 1)):
        for size, beta in ((5, 0.75), (2, 0.5), (2 * c, 0.6)):
            given: dict[str, AttributeValue] = {"size": size, "beta": beta, "groups": groups}
            yield problem("grouped_lrn", (1, c, 3, 4), alpha=0.9, bias=2.0, **given)
            yield problem("grouped_lrn", (2, c, 5, 7), alpha=1e-4, bias=1.0, **given)


def layer_norm() -> Iterator[Problem]:
    for c in CHANNELS:
        yield problem("layer_norm", (1, 5, c), (c,), (c,), axis=2)
    for shape, axis in (((1, 17, 3, 5), 1), ((1, 17, 3, 5), 2), ((4, 33), 1), ((2, 3, 8), 0)):
        rest = shape[axis:]
        yield problem("layer_norm", shape, rest, rest, axis=axis, epsilon=1e-6)
        yield problem("layer_norm", shape, rest, axis=axis, epsilon=1e-3)
        yield problem("layer_norm", shape, None, rest, axis=axis)
        yield problem("layer_norm", shape, axis=axis, epsilon=0.1)


def resize() -> Iterator[Problem]:
    sizes = (((5, 6), (10, 12)), ((5, 6), (3, 2)), ((4, 4), (7, 9)), ((3, 5), (1, 1)))
    for (source, size), coordinates in itertools.product(sizes, RESIZE_COORDINATES):
        both: dict[str, AttributeValue] = {
            "coordinates": coordinates,
            "scale_h": size[0] / source[0],
            "scale_w": size[1] / source[1],
            "size": size,
            "cubic_a": -0.75,
        }
        for c, mode in itertools.product((1, 17), ("linear", "cubic")):
            yield problem(
                "resize", (1, c, *source), mode=mode, rounding="round_prefer_floor", **both
            )
        for rounding in RESIZE_ROUNDING:
            yield problem("resize", (1, 8, *source), mode="nearest", rounding=rounding, **both)


def expand() -> Iterator[Problem]:
    for shape, to in (
        ((1, 17, 1, 1), (1, 17, 3, 5)),
        ((1, 1, 3, 5), (1, 17, 3, 5)),
        ((17, 1, 1), (2, 17, 3, 2)),
        ((1,), (7,)),
        ((3, 1), (2, 3, 4)),
        ((1, 1, 8), (1, 5, 8)),
        ((1, 2, 1, 2, 1), (2, 2, 2, 3, 2, 4)),
    ):
        yield problem("expand", shape, shape=to)


def all_problems() -> tuple[Problem, ...]:
    """Every problem, each once."""
    made = (
        *(conv2d(), linear(), matmul(), pools(), reduce(), unary(), binary(), concat(), slices()),
        *(pad(), reshape(), transpose(), softmax(), lrn(), grouped_lrn(), layer_norm()),
        *(resize(), expand()),
    )
    return tuple({given.name: given for problems in made for given in problems}.values())
