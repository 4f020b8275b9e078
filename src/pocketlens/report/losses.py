"""What each tensor costs the answers, in nats a photo: as calibration foresaw, or as measured.

Foreseen: coding by rate and distortion keeps with every tensor what its errors cost by the
statistics of the photos that it was fitted to (TensorRecord.loss). Measured: the values that a
layer has in the lens, its weights and the bias that makes up for them, are put into the float
network, where all else stays as it was, and KL to the float network's answers is read off. So each
figure is what this layer costs alone; layers that hurt little alone may hurt more together, and
the whole lens's own figure stands beside them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.errors import UsageError
from pocketlens.base.progress import Progress, silent
from pocketlens.calibration.divergence import kl_each
from pocketlens.calibration.photos import PhotoSet, open_photos
from pocketlens.calibration.running import open_float
from pocketlens.classify.lens import ends_in_softmax
from pocketlens.compression.story import unpack
from pocketlens.engine.core import CoreEngine
from pocketlens.graph.graph import Graph, Network, Node
from pocketlens.importers.reader import read_model
from pocketlens.lensfile.contents import LensContents

Array = NDArray[np.float32]

MOST_PHOTOS = 48
"""Photos that layers are measured on: KL ranks layers long before it is exact."""

STAGE = "which layer hurts"
_BATCH = 8
_Z95 = 1.959963984540054


@dataclass(frozen=True)
class Losses:
    """What tensors cost.

    each      nats a photo, by the tensor's name; tensors that are not there were not looked at
    interval  95% of each, over photos, normal approximation; empty where foreseen
    by        "foreseen" or "measured"
    photos    that it was measured on; 0 where foreseen
    whole     KL of the whole lens on the same photos; None where foreseen
    sha256    fingerprint of the photos, hex; "" where foreseen
    """

    each: Mapping[str, float]
    by: str
    interval: Mapping[str, tuple[float, float]]
    photos: int = 0
    whole: float | None = None
    sha256: str = ""


def foreseen(contents: LensContents) -> Losses | None:
    """What the lens itself says; None where it was coded without photos."""
    each = {record.name: record.loss for record in contents.tensors if record.loss is not None}
    return Losses(each, "foreseen", {}) if each else None


def losses_text(losses: Losses) -> str:
    """How they are known, as a sentence."""
    total = sum(losses.each.values())
    if losses.whole is None:
        return (
            f"loss: nats a photo that calibration foresaw when the lens was made, {total:.3g} "
            "together."
        )
    return (
        "loss: KL in nats a photo with this layer alone as it is in the lens, measured on "
        f"{losses.photos} photos ({losses.sha256[:12]}); their sum is {total:.3g}, the KL of the "
        f"whole lens {losses.whole:.3g}."
    )


def measured(
    contents: LensContents, model: Path, photos: Path, *, progress: Progress = silent
) -> Losses:
    """Measure every layer of a lens alone, on photos that are not of the report part.

    model   the ONNX file that the lens was made from
    photos  a folder or an .npz, as calibration takes them
    Raises UsageError 'lens-of-another-model'; ModelError, DataError, ImageError, FileError.
    """
    original = read_model(model)
    told = contents.provenance.source_sha256
    if told and told != original.source_sha256:
        raise UsageError(
            f"'{model}' is not the model that the lens was made from: its SHA-256 begins with "
            f"{original.source_sha256[:12]}, the lens names {told[:12]}. Name the original.",
            slug="lens-of-another-model",
        )
    parts = open_photos(photos, contents.recipe, progress=progress)
    some = PhotoSet([*parts.select.photos, *parts.fit.photos][:MOST_PHOTOS], contents.recipe)
    found = layer_losses(contents, original.network, list(some), progress=progress)
    return replace(found, sha256=some.sha256)


def layer_losses(
    contents: LensContents,
    original: Network,
    inputs: Sequence[Array],
    *,
    progress: Progress = silent,
) -> Losses:
    """Measure every layer of a lens alone.

    original  the float network, of which the lens has the nodes
    inputs    (1, C, H, W) float32 each
    Runs the network once a layer and twice more, on all inputs. Raises EngineError.
    """
    graph = contents.graph
    lossy = dict(unpack(contents).network.tensors)
    exact = _as_in(graph, original, lossy)
    layers = _layers(contents)
    probabilities = ends_in_softmax(graph)
    before = _answers(Network(graph, exact), inputs)
    each: dict[str, float] = {}
    interval: dict[str, tuple[float, float]] = {}
    for number, (name, members) in enumerate(layers.items()):
        progress(STAGE, number, len(layers))
        mixed = exact | {member: lossy[member] for member in members}
        costs = kl_each(
            before, _answers(Network(graph, mixed), inputs), probabilities=probabilities
        )
        each[name] = float(costs.mean())
        spread = float(costs.std(ddof=1)) if len(costs) > 1 else 0.0
        half = _Z95 * spread / math.sqrt(len(costs))
        interval[name] = (max(each[name] - half, 0.0), each[name] + half)
    progress(STAGE, len(layers), len(layers))
    after = _run(CoreEngine(contents), inputs)
    whole = float(kl_each(before, after, probabilities=probabilities).mean())
    return Losses(each, "measured", interval, len(inputs), whole)


def _layers(contents: LensContents) -> dict[str, tuple[str, ...]]:
    """Tensors that lost something, each with the bias that makes up for it."""
    records = {record.name: record for record in contents.tensors}
    layers: dict[str, tuple[str, ...]] = {}
    taken: set[str] = set()
    for node in contents.graph.nodes:
        weights, bias = _weights_and_bias(node)
        if weights in records and records[weights].error > 0 and weights not in layers:
            layers[weights] = (weights, bias) if bias in records else (weights,)
            taken.update(layers[weights])
    alone = (r.name for r in contents.tensors if r.error > 0 and r.name not in taken)
    order = list(records)
    layers |= {name: (name,) for name in alone}
    return {name: layers[name] for name in sorted(layers, key=order.index)}


def _weights_and_bias(node: Node) -> tuple[str, str]:
    if node.op not in ("conv2d", "linear"):
        return "", ""
    return node.inputs[1], node.inputs[2] if len(node.inputs) > 2 else ""


def _as_in(graph: Graph, original: Network, lossy: Mapping[str, Array]) -> dict[str, Array]:
    """The original's values by the lens's names.

    A bias that coding gave to a node is the one that the node had, or zeros.
    """
    exact = {name: original.tensors[name] for name in lossy if name in original.tensors}
    before = {node.output: node for node in original.graph.nodes}
    for node in graph.nodes:
        _, bias = _weights_and_bias(node)
        if bias in lossy and bias not in exact:
            _, old = _weights_and_bias(before[node.output])
            exact[bias] = original.tensors[old] if old else np.zeros_like(lossy[bias])
    return exact


def _answers(network: Network, inputs: Sequence[Array]) -> Array:
    return _run(open_float(network, network.graph.outputs), inputs)


def _run(engine: CoreEngine, inputs: Sequence[Array]) -> Array:
    """Scores of all inputs, (photos, classes)."""
    batches = (
        np.concatenate(inputs[start : start + _BATCH]) for start in range(0, len(inputs), _BATCH)
    )
    scores = np.concatenate([engine.run([batch])[0] for batch in batches])
    return scores.reshape(len(inputs), -1)
