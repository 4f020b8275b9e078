"""ccv's layers to a Network: rows x columns x channels become channels x rows x columns.

Nodes, and the arrays that they make, are called by kind and number: "conv0", "pool1", "fc10".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pocketlens.graph.build import Builder
from pocketlens.graph.graph import AttributeValue, Network
from pocketlens.importers.ccv.layers import Layer

INPUT = "picture"


def lower(
    layers: Sequence[Layer],
    weights: Mapping[int, NDArray[np.float32]],
    biases: Mapping[int, NDArray[np.float32]],
) -> Network:
    """The network of layers that check_layers() has judged.

    weights  by layer, channels first: see channels_first()
    biases   by layer, (count,)
    """
    build = Builder()
    array = build.input(INPUT, (1, layers[0].channels, layers[0].rows, layers[0].cols))
    for layer in layers:
        if layer.kind == "fc" and len(build.shape(array)) > 2:
            array = build.add(
                "reshape", array, name=f"flatten{layer.number}", shape=(1, layer.nodes)
            )
        if layer.has_weights:
            weight = build.tensor(weight_name(layer), weights[layer.number])
            bias = build.tensor(bias_name(layer), biases[layer.number])
            array = _weighted(build, layer, array, weight, bias)
        elif layer.kind == "norm":
            array = _norm(build, layer, array)
        else:
            array = _pool(build, layer, array)
    return build.network(outputs=(array,))


def weight_name(layer: Layer) -> str:
    """What a layer's weights are called: "conv0.weight"."""
    return f"{layer.name}.weight"


def bias_name(layer: Layer) -> str:
    """What a layer's bias is called: "conv0.bias"."""
    return f"{layer.name}.bias"


Number = TypeVar("Number", np.float32, np.uint8)


def channels_first(layer: Layer, values: NDArray[Number]) -> NDArray[Number]:
    """Weights, or their indices, from ccv's order to the network's: of a conv (count, channels of
    a group, kernel rows, kernel cols); of full connect (outputs, inputs), where inputs that come
    from rows x columns x channels are turned as those are.
    """
    if layer.kind == "conv":
        return np.ascontiguousarray(values.transpose(0, 3, 1, 2))
    cube = values.reshape(layer.count, layer.rows, layer.cols, layer.channels)
    return np.ascontiguousarray(cube.transpose(0, 3, 1, 2)).reshape(layer.count, layer.nodes)


def _weighted(build: Builder, layer: Layer, array: str, weight: str, bias: str) -> str:
    if layer.kind == "fc":
        return build.add(
            "linear", array, weight, bias, name=layer.name,
            activation="relu" if layer.relu else "none",
        )  # fmt: skip
    return build.add(
        "conv2d", array, weight, bias, name=layer.name,
        activation="relu",
        strides=(layer.strides,) * 2,
        pads=(layer.border,) * 4,
        groups=layer.groups,
    )  # fmt: skip


def _pool(build: Builder, layer: Layer, array: str) -> str:
    return build.add(
        layer.kind, array, name=layer.name,
        kernel=(layer.size,) * 2,
        strides=(layer.strides,) * 2,
        pads=(layer.border,) * 4,
    )  # fmt: skip


def _norm(build: Builder, layer: Layer, array: str) -> str:
    """A norm of ccv's sums over k - size div 2 to k + size div 2, so an even size acts like the
    odd one above it; and it multiplies alpha with the sum, where `lrn` divides it by the size.
    """
    size = layer.size // 2 * 2 + 1
    numbers: dict[str, AttributeValue] = {
        "size": size,
        "alpha": layer.alpha * size,
        "beta": layer.beta,
        "bias": layer.kappa,
    }
    if layer.groups > 1:
        numbers["groups"] = layer.groups
    op = "lrn" if layer.groups == 1 else "grouped_lrn"
    return build.add(op, array, name=layer.name, output=layer.name, **numbers)
