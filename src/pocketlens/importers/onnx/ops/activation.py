"""Elementwise functions of one array. https://onnx.ai/onnx/operators/"""

from __future__ import annotations

import numpy as np

from pocketlens.importers.onnx.registry import lowers
from pocketlens.importers.onnx.site import Site
from pocketlens.importers.onnx.steps import binary, unary
from pocketlens.importers.onnx.values import Array

MAX_FLOAT = float(np.finfo(np.float32).max)

_PLAIN = {
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Erf": "erf",
    "Exp": "exp",
    "Log": "log",
    "Sqrt": "sqrt",
    "Reciprocal": "reciprocal",
    "Neg": "neg",
    "Abs": "abs",
    "Softplus": "softplus",
    "HardSwish": "hard_swish",
}


@lowers(*_PLAIN, inputs=(1, 1))
def plain(site: Site) -> Array:
    """Functions without parameters, the same by another name."""
    return unary(site, site.array(0), _PLAIN[site.op])


@lowers("LeakyRelu", inputs=(1, 1))
def leaky_relu(site: Site) -> Array:
    """Alpha x below 0."""
    return unary(site, site.array(0), "leaky_relu", site.float_of("alpha", 0.01))


@lowers("Elu", inputs=(1, 1))
def elu(site: Site) -> Array:
    """Alpha (exp(x) - 1) below 0."""
    return unary(site, site.array(0), "elu", site.float_of("alpha", 1.0))


@lowers("Selu", inputs=(1, 1))
def selu(site: Site) -> Array:
    """An elu times gamma."""
    gamma = site.float_of("gamma", 1.05070102214813232421875)
    x = unary(site, site.array(0), "elu", site.float_of("alpha", 1.67326319217681884765625))
    return binary(site, "mul", x, site.scalar(gamma, "gamma"))


@lowers("Celu", inputs=(1, 1))
def celu(site: Site) -> Array:
    """Celu is max(0, x) + min(0, a (exp(x / a) - 1)): elu of x / a, times a, for a > 0."""
    alpha = site.float_of("alpha", 1.0)
    if alpha <= 0:
        raise site.refuse(f"alpha is {alpha}, expected a number above 0")
    x = binary(site, "mul", site.array(0), site.scalar(1.0 / alpha, "inverse_alpha"))
    x = unary(site, x, "elu", 1.0)
    return binary(site, "mul", x, site.scalar(alpha, "alpha"))


@lowers("HardSigmoid", inputs=(1, 1))
def hard_sigmoid(site: Site) -> Array:
    """Alpha x + beta, between 0 and 1."""
    return unary(
        site, site.array(0), "hard_sigmoid", site.float_of("alpha", 0.2), site.float_of("beta", 0.5)
    )


@lowers("Gelu", inputs=(1, 1))
def gelu(site: Site) -> Array:
    """Exact, or by tanh."""
    kinds = {"none": "gelu", "tanh": "gelu_tanh"}
    approximate = site.text_of("approximate", "none")
    if approximate not in kinds:
        raise site.refuse(f"approximate is '{approximate}', expected none or tanh")
    return unary(site, site.array(0), kinds[approximate])


@lowers("Swish", inputs=(1, 1))
def swish(site: Site) -> Array:
    """Swish is x sigmoid(alpha x), silu with alpha 1."""
    alpha, x = site.float_of("alpha", 1.0), site.array(0)
    if alpha == 1.0:
        return unary(site, x, "silu")
    gate = unary(site, binary(site, "mul", x, site.scalar(alpha, "alpha")), "sigmoid")
    return binary(site, "mul", x, gate)


@lowers("Mish", inputs=(1, 1))
def mish(site: Site) -> Array:
    """Mish is x tanh(softplus(x))."""
    x = site.array(0)
    return binary(site, "mul", x, unary(site, unary(site, x, "softplus"), "tanh"))


@lowers("Softsign", inputs=(1, 1))
def softsign(site: Site) -> Array:
    """Softsign is x / (1 + |x|)."""
    x = site.array(0)
    below = binary(site, "add", unary(site, x, "abs"), site.scalar(1.0, "one"))
    return binary(site, "div", x, below)


@lowers("Clip", inputs=(1, 3))
def clip(site: Site) -> Array:
    """Bounds are attributes before opset 11, inputs since; either may be absent."""
    if site.opset < 11:
        low, high = site.float_of("min", -MAX_FLOAT), site.float_of("max", MAX_FLOAT)
    else:
        low, high = _bound(site, 1, "min", -MAX_FLOAT), _bound(site, 2, "max", MAX_FLOAT)
    low, high = max(low, -MAX_FLOAT), min(high, MAX_FLOAT)
    if low == 0.0 and high == MAX_FLOAT:
        return unary(site, site.array(0), "relu")
    if low == -MAX_FLOAT and high == MAX_FLOAT:
        return site.array(0)
    return unary(site, site.array(0), "clip", low, high)


def _bound(site: Site, position: int, what: str, default: float) -> float:
    if not site.has(position):
        return default
    values = site.constant(position, what)
    if values.size != 1 or np.isnan(values.astype(np.float64)).any():
        raise site.refuse(f"its {what} is not one number")
    return float(values.reshape(-1)[0])
