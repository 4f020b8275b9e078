"""Activations and functions of two arrays in torch; what they mean is graph/ops.py's.

Written with what is differentiable nearly everywhere; where torch's own function takes a short
cut (softplus beyond 20), the exact one is taken.
"""
# ruff: noqa: ARG005 - the functions of a table share their arguments

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pocketlens.graph.graph import AttributeValue

Attributes = Mapping[str, AttributeValue]


def activate(x: Tensor, attributes: Attributes) -> Tensor:
    """Apply the attributes' `activation` with its parameters `alpha` and `beta`."""
    alpha, beta = number(attributes, "alpha"), number(attributes, "beta")
    return _ACTIVATIONS[str(attributes["activation"])](x, alpha, beta)


def combine(a: Tensor, b: Tensor, kind: str) -> Tensor:
    """Apply the function of two arrays called `kind`, broadcasting."""
    return _BINARY[kind](a, b)


def number(attributes: Attributes, name: str) -> float:
    """A float attribute, rounded to float32: a plan holds no more."""
    value = attributes[name]
    assert isinstance(value, (int, float))
    return float(np.float32(value))


def _softplus(x: Tensor) -> Tensor:
    return torch.logaddexp(x, torch.zeros_like(x))


def _clip(x: Tensor, low: float, high: float) -> Tensor:
    if low <= high:
        return functional.hardtanh(x, low, high)  # with a backward pass of one sweep
    return x.clamp(min=low).clamp(max=high)


_ACTIVATIONS: dict[str, Callable[[Tensor, float, float], Tensor]] = {
    "none": lambda x, alpha, beta: x,
    "relu": lambda x, alpha, beta: functional.relu(x),
    "leaky_relu": lambda x, alpha, beta: torch.where(x >= 0, x, alpha * x),
    "clip": _clip,
    "sigmoid": lambda x, alpha, beta: torch.sigmoid(x),
    "hard_sigmoid": lambda x, alpha, beta: (alpha * x + beta).clamp(0, 1),
    "hard_swish": lambda x, alpha, beta: x * (x / 6 + 0.5).clamp(0, 1),
    "silu": lambda x, alpha, beta: functional.silu(x),
    "gelu": lambda x, alpha, beta: functional.gelu(x),
    "gelu_tanh": lambda x, alpha, beta: functional.gelu(x, approximate="tanh"),
    "tanh": lambda x, alpha, beta: torch.tanh(x),
    "erf": lambda x, alpha, beta: torch.erf(x),
    "exp": lambda x, alpha, beta: torch.exp(x),
    "log": lambda x, alpha, beta: torch.log(x),
    "sqrt": lambda x, alpha, beta: torch.sqrt(x),
    "reciprocal": lambda x, alpha, beta: torch.reciprocal(x),
    "neg": lambda x, alpha, beta: -x,
    "abs": lambda x, alpha, beta: torch.abs(x),
    "elu": lambda x, alpha, beta: torch.where(x >= 0, x, alpha * torch.expm1(x.clamp(max=0))),
    "softplus": lambda x, alpha, beta: _softplus(x),
}

_BINARY: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "pow": torch.pow,
    "max": torch.maximum,
    "min": torch.minimum,
    "prelu": lambda a, b: torch.where(a >= 0, a, a * b),
}
