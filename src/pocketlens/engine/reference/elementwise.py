"""What the elementwise functions mean: the activations, and the functions of two arrays.

Arrays are float64 of any shape; the caller rounds to float32. Values that a function is not
defined for (log of a negative number) become NaN or infinity, as IEEE 754 has it.
"""
# ruff: noqa: ARG005 - the functions of a table share their arguments

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from pocketlens.graph.graph import AttributeValue

Array = NDArray[np.float64]
Attributes = Mapping[str, AttributeValue]


def activate(x: Array, attributes: Attributes) -> Array:
    """Apply the attributes' `activation` with its parameters `alpha` and `beta`."""
    kind = str(attributes["activation"])
    alpha, beta = number(attributes, "alpha"), number(attributes, "beta")
    return _ACTIVATIONS[kind](x, alpha, beta)


def combine(a: Array, b: Array, kind: str) -> Array:
    """Apply the function of two arrays called `kind`, broadcasting."""
    return _BINARY[kind](a, b)


def number(attributes: Attributes, name: str) -> float:
    """A float attribute, rounded to float32: a plan holds no more."""
    value = attributes[name]
    assert isinstance(value, (int, float))
    return float(np.float32(value))


_erf = np.vectorize(math.erf, otypes=[np.float64])


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _gelu_tanh(x: Array) -> Array:
    inner: Array = np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
    return x * (1 + inner) / 2


def _clamp01(x: Array) -> Array:
    return np.minimum(np.maximum(x, 0), 1)


_ACTIVATIONS: dict[str, Callable[[Array, float, float], Array]] = {
    "none": lambda x, alpha, beta: x,
    "relu": lambda x, alpha, beta: np.maximum(x, 0),
    "leaky_relu": lambda x, alpha, beta: np.where(x >= 0, x, alpha * x),
    "clip": lambda x, alpha, beta: np.minimum(np.maximum(x, alpha), beta),
    "sigmoid": lambda x, alpha, beta: _sigmoid(x),
    "hard_sigmoid": lambda x, alpha, beta: _clamp01(alpha * x + beta),
    "hard_swish": lambda x, alpha, beta: x * _clamp01(x / 6 + 0.5),
    "silu": lambda x, alpha, beta: x * _sigmoid(x),
    "gelu": lambda x, alpha, beta: x * (1 + _erf(x / math.sqrt(2))) / 2,
    "gelu_tanh": lambda x, alpha, beta: _gelu_tanh(x),
    "tanh": lambda x, alpha, beta: np.tanh(x),
    "erf": lambda x, alpha, beta: _erf(x),
    "exp": lambda x, alpha, beta: np.exp(x),
    "log": lambda x, alpha, beta: np.log(x),
    "sqrt": lambda x, alpha, beta: np.sqrt(x),
    "reciprocal": lambda x, alpha, beta: 1 / x,
    "neg": lambda x, alpha, beta: -x,
    "abs": lambda x, alpha, beta: np.abs(x),
    "elu": lambda x, alpha, beta: np.where(x >= 0, x, alpha * np.expm1(np.minimum(x, 0))),
    "softplus": lambda x, alpha, beta: np.logaddexp(0, x),
}

_BINARY: dict[str, Callable[[Array, Array], Array]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": lambda a, b: np.power(a, b),
    "max": lambda a, b: np.maximum(a, b),
    "min": lambda a, b: np.minimum(a, b),
    "prelu": lambda a, b: np.where(a >= 0, a, a * b),
}
