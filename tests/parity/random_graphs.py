"""Random small networks: chains and branches of any operator, drawn by Hypothesis.

Every step takes arrays that are there and adds one more; values stay near 1, so that a mistake
in one operator is not lost further on.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

from pocketlens.base.errors import ModelError
from pocketlens.graph.build import Builder
from pocketlens.graph.graph import Network
from pocketlens.graph.ops import (
    ACTIVATIONS,
    PAD_MODES,
    REDUCTIONS,
    RESIZE_COORDINATES,
    RESIZE_MODES,
    RESIZE_ROUNDING,
)

from .cases import POSITIVE, fused

Draw = Callable[..., int]
SAFE = sorted(set(ACTIVATIONS) - POSITIVE - {"exp"})
MOST_NUMBERS = 20_000
EVERYWHERE = (
    *("unary", "binary", "reduce", "concat", "slice", "pad", "transpose", "softmax"),
    *("layer_norm", "flatten", "linear", "attend", "expand"),
)
ON_PICTURES = (
    *("conv2d", "conv2d", "depthwise", "pool", "pool", "lrn", "grouped", "gate"),
    "resize",
)
"""Steps, which are methods of Grower."""


class Grower:
    """A network that grows step by step; every step draws what it needs."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data
        self.builder = Builder()
        self.rng = np.random.default_rng(self.whole(0, 2**16))
        shape = (1, self.whole(1, 34), self.whole(3, 11), self.whole(3, 11))
        self.arrays = [self.builder.input("x", shape)]
        self.tensors = 0

    def whole(self, low: int, high: int) -> int:
        """A whole number from low to high."""
        return self.data.draw(st.integers(low, high))

    def activation(self) -> str:
        """One that keeps values bounded and is defined everywhere."""
        return self.data.draw(st.sampled_from(SAFE))

    def tensor(self, shape: tuple[int, ...]) -> str:
        """Random weights or constants, scaled like those of a trained network."""
        self.tensors += 1
        depth = max(1, int(np.prod(shape[1:])))
        values = (self.rng.standard_normal(shape) / np.sqrt(depth)).astype(np.float32)
        return self.builder.tensor(f"t{self.tensors}", values)

    def step(self) -> None:
        """One more node on one of the arrays; a step that does not fit is no step."""
        x = self.data.draw(st.sampled_from(self.arrays[-4:]))
        steps = [*EVERYWHERE, *(ON_PICTURES if len(self.builder.shape(x)) == 4 else ())]
        try:
            made: str = getattr(self, self.data.draw(st.sampled_from(steps)))(x)
        except ModelError:
            return
        if np.prod(self.builder.shape(made)) <= MOST_NUMBERS:
            self.arrays.append(made)

    def conv2d(self, x: str) -> str:
        channels = self.builder.shape(x)[1]
        groups = self.data.draw(st.sampled_from([g for g in (1, 2, 3) if channels % g == 0]))
        outputs = groups * self.whole(1, 20)
        kernel = (self.whole(1, 3), self.whole(1, 3))
        weights = self.tensor((outputs, channels // groups, *kernel))
        bias = self.tensor((outputs,)) if self.whole(0, 1) else ""
        return self.builder.add(
            "conv2d",
            x,
            weights,
            bias,
            groups=groups,
            strides=(self.whole(1, 2), self.whole(1, 2)),
            pads=tuple(self.whole(0, 2) for _ in range(4)),
            dilations=(self.whole(1, 2), self.whole(1, 2)),
            **fused(self.activation()),
        )

    def depthwise(self, x: str) -> str:
        channels = self.builder.shape(x)[1]
        weights = self.tensor((channels, 1, 3, 3))
        y = self.builder.add(
            "conv2d", x, weights, groups=channels, pads=(1, 1, 1, 1), **fused("relu")
        )
        return self.builder.add("binary", x, y, kind="add", **fused(self.activation()))

    def linear(self, x: str) -> str:
        outputs = self.whole(1, 40)
        weights = self.tensor((outputs, self.builder.shape(x)[-1]))
        return self.builder.add(
            "linear", x, weights, self.tensor((outputs,)), **fused(self.activation())
        )

    def gate(self, x: str) -> str:
        """Squeeze-and-excite: a picture times its own means."""
        means = self.builder.add("reduce", x, kind="mean", axes=(2, 3))
        channels = self.builder.shape(x)[1]
        weights = self.tensor((channels, channels, 1, 1))
        scale = self.builder.add("conv2d", means, weights, **fused("sigmoid"))
        return self.builder.add("binary", x, scale, kind="mul")

    def pool(self, x: str) -> str:
        op = self.data.draw(st.sampled_from(["max_pool", "avg_pool"]))
        more = {"count_include_pad": self.whole(0, 1)} if op == "avg_pool" else {}
        kernel = (self.whole(1, 3), self.whole(1, 3))
        return self.builder.add(
            op,
            x,
            kernel=kernel,
            strides=(self.whole(1, 3), self.whole(1, 3)),
            pads=tuple(self.whole(0, size - 1) for size in kernel + kernel),
            ceil_mode=self.whole(0, 1),
            **more,
        )

    def unary(self, x: str) -> str:
        return self.builder.add("unary", x, **fused(self.activation()))

    def binary(self, x: str) -> str:
        kind = self.data.draw(st.sampled_from(["add", "sub", "mul", "max", "min", "prelu"]))
        shape = self.builder.shape(x)
        other = self.data.draw(st.sampled_from([*self.arrays, "constant"]))
        if other == "constant":
            other = self.tensor(tuple(d if self.whole(0, 1) else 1 for d in shape) or (1,))
        return self.builder.add("binary", x, other, kind=kind, **fused(self.activation()))

    def reduce(self, x: str) -> str:
        rank = len(self.builder.shape(x))
        axes = tuple(axis for axis in range(1, rank) if self.whole(0, 1))
        kind = self.data.draw(st.sampled_from(sorted(set(REDUCTIONS) - {"sum"})))
        return self.builder.add("reduce", x, kind=kind, axes=axes, keepdims=self.whole(0, 1))

    def concat(self, x: str) -> str:
        other = self.data.draw(st.sampled_from(self.arrays))
        return self.builder.add("concat", x, other, x, axis=self.whole(0, 3))

    def slice(self, x: str) -> str:
        starts, sizes, steps = [], [], []
        for dim in self.builder.shape(x):
            start = self.whole(0, dim - 1)
            step = self.data.draw(st.sampled_from([1, 1, 2, -1]))
            most = start // -step + 1 if step < 0 else (dim - 1 - start) // step + 1
            starts.append(start)
            steps.append(step)
            sizes.append(self.whole(max(1, most - 2), most))
        return self.builder.add(
            "slice", x, starts=tuple(starts), sizes=tuple(sizes), steps=tuple(steps)
        )

    def pad(self, x: str) -> str:
        rank = len(self.builder.shape(x))
        mode = self.data.draw(st.sampled_from(sorted(PAD_MODES)))
        before = tuple(self.whole(0, 2) if axis else 0 for axis in range(rank))
        after = tuple(self.whole(0, 2) if axis else 0 for axis in range(rank))
        return self.builder.add("pad", x, mode=mode, before=before, after=after)

    def transpose(self, x: str) -> str:
        rest = self.data.draw(st.permutations(range(1, len(self.builder.shape(x)))))
        return self.builder.add("transpose", x, perm=(0, *rest)[: len(self.builder.shape(x))])

    def softmax(self, x: str) -> str:
        return self.builder.add("softmax", x, axis=self.whole(0, 3), log=0)

    def layer_norm(self, x: str) -> str:
        axis = self.whole(1, 3)
        rest = self.builder.shape(x)[axis:]
        bias = self.tensor(rest) if rest else ""
        return self.builder.add("layer_norm", x, "", bias, axis=axis, epsilon=0.1)

    def lrn(self, x: str) -> str:
        return self.builder.add("lrn", x, size=self.whole(1, 5), alpha=0.1, beta=0.75, bias=1.0)

    def grouped(self, x: str) -> str:
        """Neighbours of a channel are those of its group alone."""
        channels = self.builder.shape(x)[1]
        groups = self.data.draw(st.sampled_from([g for g in range(1, 7) if channels % g == 0]))
        more = {"alpha": 0.1, "beta": 0.75, "bias": 1.0}
        return self.builder.add("grouped_lrn", x, size=self.whole(1, 9), groups=groups, **more)

    def attend(self, x: str) -> str:
        """Rows against rows, as attention does."""
        scores = self.builder.add("matmul", x, x, transpose_b=1, scale=0.125)
        weights = self.builder.add(
            "softmax", scores, axis=len(self.builder.shape(scores)) - 1, log=0
        )
        return self.builder.add("matmul", weights, x)

    def expand(self, x: str) -> str:
        shape = [d if d > 1 or at == 0 else 3 for at, d in enumerate(self.builder.shape(x))]
        return self.builder.add("expand", x, shape=tuple(shape))

    def resize(self, x: str) -> str:
        height, width = self.builder.shape(x)[2:]
        size = (self.whole(1, 2 * height), self.whole(1, 2 * width))
        return self.builder.add(
            "resize",
            x,
            mode=self.data.draw(st.sampled_from(sorted(RESIZE_MODES))),
            coordinates=self.data.draw(st.sampled_from(sorted(RESIZE_COORDINATES))),
            rounding=self.data.draw(st.sampled_from(sorted(RESIZE_ROUNDING))),
            cubic_a=-0.75,
            scale_h=size[0] / height,
            scale_w=size[1] / width,
            size=size,
        )

    def flatten(self, x: str) -> str:
        shape = self.builder.shape(x)
        return self.builder.add("reshape", x, shape=(shape[0], int(np.prod(shape[1:]))))


@st.composite
def networks(draw: Callable[..., object], *, most_steps: int = 12) -> Network:
    """A random network of up to `most_steps` steps; the last two arrays are its outputs."""
    data = draw(st.data())
    assert isinstance(data, st.DataObject)
    grower = Grower(data)
    for _ in range(grower.whole(1, most_steps)):
        grower.step()
    if len(grower.arrays) == 1:
        grower.arrays.append(grower.unary("x"))
    return grower.builder.network(outputs=tuple(grower.arrays[1:][-2:]))
