"""What the strengthened codec is told: each tensor's sensitivity and its mean input.

Sensitivity by finite perturbation: the tensor is shaken by noise of 1% of its size, and KL
divergence on fit photos says what a unit of squared error costs: KL = h |dW|^2 / 2. A step
proportional to 1 / sqrt(h) is then what rate-distortion theory asks of a uniform quantizer at
high rate (Gersho and Gray 1992, section 8.3), so tensors are multiplied by sqrt(h).
Mean inputs are those of pocketlens.calibration: an error of the weights times the mean input is
the shift of the output's mean, which the bias takes up.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from compression_judge import divergence, scores_of, with_weights
from pocketlens.base.progress import Progress, silent
from pocketlens.calibration.collect import collect
from pocketlens.importers.onnx.reader import read_onnx

Array = NDArray[np.float32]
SHAKE = 0.01
SENSITIVITY_PHOTOS, MEAN_PHOTOS = 48, 96
MEDIAN_RMS = 0.05
"""The median tensor's root mean square after scaling: the codec's steps are absolute."""


def statistics_of(
    path: Path, weights: Mapping[str, Array], fit: Array, *, progress: Progress = silent
) -> dict[str, NDArray[Any]]:
    """Arrays for statistics.npz: NAME|scale, NAME|mean (groups, columns), NAME|bias (a name).

    path     the ONNX file
    weights  its float tensors by name
    fit      (n, C, H, W) inputs of the fit part
    """
    biases = _biases(path)
    sensitivities = _sensitivities(path, weights, fit, list(biases), progress=progress)
    sizes = {name: float(np.sqrt(np.mean(np.square(weights[name])))) for name in biases}
    roots = {name: float(np.sqrt(sensitivities[name])) for name in biases}
    unit = MEDIAN_RMS / float(np.median([roots[name] * sizes[name] for name in biases]))
    pictures = [picture[None] for picture in fit[:MEAN_PHOTOS]]
    found = collect(read_onnx(path).network, pictures, progress=progress)
    arrays: dict[str, NDArray[Any]] = {}
    for name, bias in biases.items():
        arrays[f"{name}|scale"] = np.array(roots[name] * unit)
        arrays[f"{name}|mean"] = found[name].mean
        arrays[f"{name}|bias"] = np.array(bias)
    return arrays


def _biases(path: Path) -> dict[str, str]:
    """The bias of every layer's weights, by name."""
    nodes = onnx.load(path).graph.node
    return {n.input[1]: n.input[2] for n in nodes if n.op_type in ("Conv", "Gemm")}


def _sensitivities(
    path: Path,
    weights: Mapping[str, Array],
    fit: Array,
    names: list[str],
    *,
    progress: Progress,
) -> dict[str, float]:
    """KL divergence a unit of squared error, twice, by tensor."""
    inputs = fit[: SENSITIVITY_PHOTOS if fit[0].size > 10_000 else 10 * SENSITIVITY_PHOTOS]
    expected = scores_of(path, inputs)
    found: dict[str, float] = {}
    for number, name in enumerate(names):
        progress("sensitivities", number, len(names))
        noise = np.random.default_rng(number).standard_normal(weights[name].shape)
        noise *= SHAKE * np.sqrt(np.mean(np.square(weights[name])))
        shaken = with_weights(path, {name: weights[name] + noise.astype(np.float32)})
        cost = divergence(expected, scores_of(shaken, inputs))
        found[name] = 2 * max(cost, 1e-12) / float(np.square(noise).sum())
    progress("sensitivities", len(names), len(names))
    return found
