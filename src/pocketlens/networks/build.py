"""Networks by name, with random weights: for timing, for training, for tests.

Weights are drawn as He et al. 2015 (arXiv:1502.01852) propose for ReLU: normal, with a variance of
2 / inputs, so that numbers neither grow nor vanish from layer to layer. Names of nodes and tensors
are those that a ccv file's get when it is read: "conv0", "conv0.weight", "pool2", "fc10".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.errors import UsageError
from pocketlens.graph.build import Builder
from pocketlens.graph.graph import Graph, Network
from pocketlens.networks.layers import (
    AveragePool,
    Convolution,
    FullConnect,
    Layer,
    MaxPool,
    Norm,
)
from pocketlens.networks.published import PATCH, PUBLISHED

CHANNELS = 3
MEAN_SQUARE_KEPT = 2.0
"""Of what a ReLU lets through, one half is zero."""


def build(name: str, *, classes: int = 1000, seed: int = 0) -> Network:
    """A published network with random weights.

    name     one of published.PUBLISHED: "matt", "matt-mobile", "vgg-d", ...
    classes  outputs of the last layer
    seed     same name, classes and seed: same weights
    returns  input (1, 3, 225, 225), output (1, classes) without softmax
    Raises UsageError 'unknown-network', 'bad-classes'.
    """
    graph = topology(name, classes=classes)
    return filled(graph, first_biases(PUBLISHED[name]), seed=seed)


def topology(name: str, *, classes: int = 1000) -> Graph:
    """The graph of a published network, without its weights. Raises as build()."""
    if name not in PUBLISHED:
        raise UsageError(
            f"There is no network '{name}'; known are {', '.join(PUBLISHED)}.",
            slug="unknown-network",
        )
    if classes < 1:
        raise UsageError(
            f"{classes} classes were asked for; a network has at least 1.", slug="bad-classes"
        )
    layers = tuple(
        replace(layer, count=classes)
        if isinstance(layer, FullConnect) and layer.count is None
        else layer
        for layer in PUBLISHED[name]
    )
    return chain(layers)


def chain(layers: tuple[Layer, ...], *, side: int = PATCH, channels: int = CHANNELS) -> Graph:
    """Layers one after the other as a graph; `side` is the input's height and width in pixels.

    Raises ModelError where a layer does not fit the one below it.
    """
    build = Builder()
    told = build.input("picture", (1, channels, side, side))
    for number, layer in enumerate(layers):
        told = _add(build, told, layer, number)
    return build.network(outputs=(told,)).graph


def _add(build: Builder, below: str, layer: Layer, number: int) -> str:
    match layer:
        case Convolution():
            return _add_convolution(build, below, layer, f"conv{number}")
        case Norm():
            return _add_norm(build, below, layer, f"norm{number}")
        case MaxPool():
            return _add_pool(build, below, layer, "max_pool", f"pool{number}")
        case AveragePool():
            return _add_pool(build, below, layer, "avg_pool", f"pool{number}")
        case FullConnect():
            return _add_full_connect(build, below, layer, f"fc{number}")


def _add_convolution(build: Builder, below: str, layer: Convolution, name: str) -> str:
    channels = build.shape(below)[1]
    kernel = (layer.count, channels // layer.groups, layer.size, layer.size)
    return build.add(
        "conv2d",
        below,
        build.tensor(f"{name}.weight", _unwritten(kernel)),
        build.tensor(f"{name}.bias", _unwritten((layer.count,))),
        name=name,
        activation="relu",
        strides=(layer.stride, layer.stride),
        pads=(layer.border,) * 4,
        groups=layer.groups,
    )


def _add_norm(build: Builder, below: str, layer: Norm, name: str) -> str:
    parts: dict[str, Any] = {} if layer.groups == 1 else {"groups": layer.groups}
    return build.add(
        "grouped_lrn" if parts else "lrn",
        below,
        name=name,
        size=layer.size,
        alpha=layer.alpha * layer.size,  # the operator divides it by the size; ccv does not
        beta=layer.beta,
        bias=layer.kappa,
        **parts,
    )


def _add_pool(build: Builder, below: str, layer: MaxPool | AveragePool, op: str, name: str) -> str:
    return build.add(
        op,
        below,
        name=name,
        kernel=(layer.size, layer.size),
        strides=(layer.stride, layer.stride),
    )


def _add_full_connect(build: Builder, below: str, layer: FullConnect, name: str) -> str:
    if layer.count is None:
        raise UsageError("A full connect needs its count of outputs.", slug="bad-classes")
    inputs = math.prod(build.shape(below))
    if len(build.shape(below)) > 2:
        below = build.add("reshape", below, name=name.replace("fc", "flatten"), shape=(1, inputs))
    return build.add(
        "linear",
        below,
        build.tensor(f"{name}.weight", _unwritten((layer.count, inputs))),
        build.tensor(f"{name}.bias", _unwritten((layer.count,))),
        name=name,
        activation="relu" if layer.relu else "none",
    )


def _unwritten(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Zeros that stay the system's own: a graph is known before a weight is drawn."""
    return np.zeros(shape, np.float32)


def filled(graph: Graph, biases: Mapping[str, float], *, seed: int) -> Network:
    """A graph of chain() with weights drawn from the seed; `biases` by the name of their tensor."""
    random = np.random.default_rng(seed)
    tensors = {
        name: np.full(graph.shapes[name], biases[name], np.float32)
        if name in biases
        else _weights(random, graph.shapes[name])
        for name in graph.tensor_names()
    }
    return Network(graph, tensors)


def first_biases(layers: tuple[Layer, ...]) -> dict[str, float]:
    """What each bias starts from, by the name of its tensor."""
    words = {Convolution: "conv", FullConnect: "fc"}
    return {
        f"{words[type(layer)]}{number}.bias": layer.bias
        for number, layer in enumerate(layers)
        if isinstance(layer, Convolution | FullConnect)
    }


def _weights(random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    spread = math.sqrt(MEAN_SQUARE_KEPT / math.prod(shape[1:]))
    values = random.standard_normal(shape, dtype=np.float32)
    values *= np.float32(spread)
    return values
