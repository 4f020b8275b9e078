"""What a whole network of ccv's obeys, and the shape of every layer's output.

Where ccv itself asserts, reads beyond its arrays or goes on with what was never written, the
network is refused. It is taken where ccv's training alone would mind (a ReLU on the last layer,
filters that are not a multiple of 4, full connect right after a conv, output_partition).
"""

from __future__ import annotations

from collections.abc import Sequence

from pocketlens.base.errors import ModelError
from pocketlens.importers.ccv.layers import Layer

MOST_NUMBERS = 2**28
"""Of an array between layers, a gigabyte: the published networks stay below 4 million."""

Cube = tuple[int, int, int]
"""Rows, columns, channels."""


def check_layers(layers: Sequence[Layer]) -> tuple[Cube, ...]:
    """Judge that layers follow each other. Returns every layer's output for one patch.

    Raises ModelError 'ccv-shapes', 'ccv-layer', 'ccv-not-a-classifier'.
    """
    before: Cube = (layers[0].rows, layers[0].cols, layers[0].channels)
    _check_size(layers[0], before)
    outputs: list[Cube] = []
    for layer in layers:
        declared = (layer.rows, layer.cols, layer.channels)
        if declared != before:
            raise layer.fault(
                f"says that its input is {_by(declared)}, but it is {_by(before)}",
                slug="ccv-shapes",
            )
        if outputs and layers[layer.number - 1].kind == "fc" and layer.kind != "fc":
            raise layer.fault(
                "stands after a full connect layer, where only full connect layers can be",
                slug="ccv-shapes",
            )
        before = _output(layer)
        _check_size(layer, before)
        outputs.append(before)
    if layers[-1].kind != "fc":
        raise layers[-1].fault(
            "is the last one; a classifier of ccv's ends in a full connect layer",
            slug="ccv-not-a-classifier",
        )
    if layers[-1].count < 2:
        raise layers[-1].fault(
            "is the last one and has one output; a classifier tells two classes or more apart",
            slug="ccv-not-a-classifier",
        )
    return tuple(outputs)


def _output(layer: Layer) -> Cube:
    if layer.kind == "norm":
        return layer.rows, layer.cols, layer.channels
    if layer.kind == "fc":
        inputs = layer.rows * layer.cols * layer.channels
        if inputs != layer.nodes:
            raise layer.fault(
                f"has {layer.nodes} inputs, but {layer.rows}x{layer.cols}x{layer.channels} are "
                f"{inputs}",
                slug="ccv-shapes",
            )
        return layer.count, 1, 1
    sides = (
        (layer.kernel_rows, layer.kernel_cols) if layer.kind == "conv" else (layer.size, layer.size)
    )
    rows, cols = (
        _steps(layer, length, side)
        for length, side in zip((layer.rows, layer.cols), sides, strict=True)
    )
    return rows, cols, layer.count if layer.kind == "conv" else layer.channels


def _steps(layer: Layer, length: int, side: int) -> int:
    """Windows along one direction."""
    left = length + 2 * layer.border - side
    if left < 0:
        raise layer.fault(f"has windows of {side} over {length} with a border of {layer.border}")
    if left % layer.strides:
        raise layer.fault(
            f"does not come out even: {length} with a border of {layer.border}, windows of {side} "
            f"and strides of {layer.strides}",
            slug="ccv-shapes",
        )
    return left // layer.strides + 1


def _check_size(layer: Layer, cube: Cube) -> None:
    """As large as a network's array may be, its border counted."""
    rows, cols, channels = cube
    padded = (layer.rows + 2 * layer.border) * (layer.cols + 2 * layer.border) * layer.channels
    if max(rows * cols * channels, padded) > MOST_NUMBERS:
        raise ModelError(
            f"layer {layer.number} would make {_by(cube)}; at most {MOST_NUMBERS:,} numbers stand "
            "between layers",
            slug="ccv-too-large",
        )


def _by(cube: Cube) -> str:
    return f"{cube[0]} rows x {cube[1]} columns x {cube[2]} channels"
