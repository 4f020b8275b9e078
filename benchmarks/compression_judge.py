"""The one judge of every compressed network: onnxruntime, on photos that nobody fitted to.

Photos belong to a part by the SHA-256 of their file (rows of an array: of shape and pixels), as
pocketlens.calibration deals them out, so that what a lens was fitted to is never what judges it.
A peer hands over decoded weights, which replace those of the ONNX file, or an ONNX file of its
own; both are run by onnxruntime.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import numpy_helper

from models import RealModel, data_folder
from pocketlens.base.progress import Progress, silent
from pocketlens.engine.prepare import normalize
from pocketlens.evaluation.datasets import open_dataset
from pocketlens.images.crops import crop_views
from pocketlens.labels.labels import Label

Part = Literal["fit", "select", "report"]
Scores = NDArray[np.float32]
FIT_BELOW, SELECT_BELOW = 0x60, 0x80
BATCH = 25


@dataclass(frozen=True)
class Photos:
    """Prepared photos of one part.

    inputs   (n, C, H, W) float32
    classes  (n,) class numbers
    """

    inputs: NDArray[np.float32]
    classes: NDArray[np.int64]


def part_of(sha256: str) -> Part:
    """The part that a photo belongs to, by the hash that the product's calibration knows it by."""
    first = int(sha256[:2], 16)
    return "fit" if first < FIT_BELOW else "select" if first < SELECT_BELOW else "report"


def photo_hashes(model: RealModel) -> list[str]:
    """SHA-256 of every photo's file, or of every row's shape and pixels, in hex."""
    return list(open_dataset(data_folder() / model.data, _labels(model)).photo_sha256)


def fingerprint(model: RealModel, part: Part) -> str:
    """Says which photos a part of a model's data has."""
    hashes = sorted(sha256 for sha256 in photo_hashes(model) if part_of(sha256) == part)
    return f"{part} {hashlib.sha256(''.join(hashes).encode()).hexdigest()[:12]}"


def prepare(model: RealModel, *, progress: Progress = silent) -> dict[Part, Photos]:
    """All photos of a model's data set as its inputs, by part."""
    dataset = open_dataset(data_folder() / model.data, _labels(model))
    inputs: dict[Part, list[NDArray[np.float32]]] = {"fit": [], "select": [], "report": []}
    classes: dict[Part, list[int]] = {"fit": [], "select": [], "report": []}
    recipe = model.recipe
    for number, sha256 in enumerate(dataset.photo_sha256):
        progress("photos", number, len(dataset))
        part = part_of(sha256)
        (view,) = crop_views(dataset.photo_of(number), recipe, 1)
        values = np.frombuffer(normalize(view, recipe), np.float32)
        inputs[part].append(values.reshape(-1, recipe.height, recipe.width))
        classes[part].append(dataset.classes[number])
    return {part: Photos(np.stack(inputs[part]), np.array(classes[part])) for part in inputs}


def float_weights(path: Path) -> dict[str, NDArray[np.float32]]:
    """Float tensors with at least one axis, by name: what a peer is to compress."""
    tensors = {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    return {n: t for n, t in tensors.items() if t.ndim and t.dtype == np.float32}


def with_weights(path: Path, weights: Mapping[str, NDArray[Any]]) -> bytes:
    """The ONNX file at `path` with tensors replaced. Raises ValueError where one does not fit."""
    model = onnx.load(path)
    left = set(weights)
    for tensor in model.graph.initializer:
        if tensor.name in left:
            new = np.ascontiguousarray(weights[tensor.name], dtype=np.float32)
            if tuple(tensor.dims) != new.shape:
                raise ValueError(f"'{tensor.name}' is {new.shape}, expected {tuple(tensor.dims)}.")
            tensor.CopyFrom(numpy_helper.from_array(new, tensor.name))
            left.remove(tensor.name)
    if left:
        raise ValueError(f"'{path.name}' has no tensors {sorted(left)}.")
    return bytes(model.SerializeToString())


def scores_of(model: bytes | Path, inputs: NDArray[np.float32], *, threads: int = 1) -> Scores:
    """Logits of onnxruntime: (n, classes)."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    source = model if isinstance(model, bytes) else str(model)
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    batches = [
        session.run(None, {name: inputs[start : start + BATCH]})[0]
        for start in range(0, len(inputs), BATCH)
    ]
    return np.concatenate([batch.reshape(len(batch), -1) for batch in batches])


def divergence(expected: Scores, scores: Scores) -> float:
    """Mean KL divergence of softmax(scores) from softmax(expected), nats a photo."""
    wanted, given = _log_softmax(expected), _log_softmax(scores)
    return float((np.exp(wanted) * (wanted - given)).sum(axis=1).mean())


def judge(expected: Scores, scores: Scores, classes: NDArray[np.int64]) -> dict[str, Any]:
    """What a row says of accuracy; `expected` are the float network's scores.

    "right" tells which photos got their class, bit by bit in the order of the data set, as hex:
    any two rows of the same photos can be paired.
    """
    answers, wanted = scores.argmax(axis=1), expected.argmax(axis=1)
    right, float_right = answers == classes, wanted == classes
    return {
        "n": len(classes),
        "top1_right": int(right.sum()),
        "agree": int((answers == wanted).sum()),
        "lost": int((float_right & ~right).sum()),
        "won": int((right & ~float_right).sum()),
        "right": np.packbits(right).tobytes().hex(),
        "kl": divergence(expected, scores),
    }


def _log_softmax(scores: Scores) -> NDArray[np.float64]:
    shifted = scores.astype(np.float64) - scores.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def _labels(model: RealModel) -> list[Label]:
    path = data_folder() / model.file
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    classes = session.get_outputs()[0].shape[-1]
    if not isinstance(classes, int):
        raise ValueError(f"'{path.name}' does not say how many classes it has.")
    return [Label(f"class {number}") for number in range(classes)]
