"""A problem: one operator, the shapes of its inputs, its attributes. And how it becomes a lens."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pocketlens.graph.build import Builder
from pocketlens.graph.graph import AttributeValue, Network, Shape
from pocketlens.graph.ops import OPS

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Problem:
    """One operator to run.

    shapes      of its inputs; None where an optional one is absent
    tensors     positions of inputs that are tensors; weights always are
    low, high   values of its inputs; weights are scaled so that sums stay near 1
    """

    op: str
    shapes: tuple[Shape | None, ...]
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    tensors: frozenset[int] = frozenset()
    low: float = -1.0
    high: float = 1.0

    @property
    def name(self) -> str:
        """For people: the operator, the shapes, what is not default."""
        shapes = " ".join("-" if s is None else "x".join(map(str, s)) for s in self.shapes)
        said = " ".join(f"{key}={value}" for key, value in self.attributes.items())
        held = f" tensors={sorted(self.tensors)}" if self.tensors else ""
        return f"{self.op} {shapes} {said}{held}".strip()


def problem(op: str, *shapes: Shape | None, **attributes: AttributeValue) -> Problem:
    """A problem whose weights and biases are tensors and everything else is an array."""
    held = {at for at in OPS[op].weights if at < len(shapes)}
    if op in ("conv2d", "linear") and len(shapes) > 2 and shapes[2] is not None:
        held.add(2)
    if op == "layer_norm":
        held |= {at for at in (1, 2) if at < len(shapes) and shapes[at] is not None}
    return Problem(op, shapes, attributes, frozenset(held))


def build(given: Problem) -> tuple[Network, list[Array]]:
    """The network of a problem and inputs for it; the same ones every time."""
    rng = np.random.default_rng(zlib.crc32(given.name.encode()))
    builder = Builder()
    names, inputs = [], []
    for position, shape in enumerate(given.shapes):
        if shape is None:
            names.append("")
            continue
        values = rng.uniform(given.low, given.high, shape).astype(np.float32)
        if position in OPS[given.op].weights:
            values /= np.float32(np.sqrt(max(1, values[0].size)))
        if position in given.tensors:
            names.append(builder.tensor(f"t{position}", values))
        else:
            names.append(builder.input(f"x{position}", shape))
            inputs.append(values)
    output = builder.add(given.op, *names, **dict(given.attributes))
    return builder.network(outputs=(output,)), inputs
