"""NNCF's post-training int8 quantization, and its weight compression for OpenVINO.

    python nncf_openvino.py WORK POINT

WORK holds model.onnx and fit.npy (calibration inputs). POINT is JSON. {"mode": "int8", "preset":
"mixed"} leaves compressed.onnx, NNCF's own ONNX file, which is judged and counted.
{"mode": "weights", "bits": 4} leaves decoded.npz; counted are the .xml and .bin that OpenVINO
deploys. NNCF keeps convolutions at 8 bits there: "bits" is what the other layers get. (Its ONNX
file with 4-bit kernels of convolutions is refused by onnxruntime and OpenVINO alike.)
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nncf
import numpy as np
import onnx
import openvino

LAYERS = ("Convolution", "GroupConvolution", "MatMul")
FARTHEST = 0.3
"""Of a tensor's mean size: how far four bits may take it; another tensor is at 1 or more."""


def main(work: Path, point: dict[str, Any]) -> None:
    start_s = time.process_time()
    answer = quantized(work, point) if point["mode"] == "int8" else weights_only(work, point)
    answer |= {
        "seconds": time.process_time() - start_s,
        "version": f"nncf {version('nncf')}, openvino {version('openvino')}",
    }
    (work / "answer.json").write_text(json.dumps(answer), encoding="utf-8")


def quantized(work: Path, point: dict[str, Any]) -> dict[str, Any]:
    """int8 weights and activations as an ONNX file."""
    model = onnx.load(work / "model.onnx")
    name = model.graph.input[0].name
    inputs = np.load(work / "fit.npy", mmap_mode="r")
    data = nncf.Dataset(list(inputs), lambda picture: {name: np.array(picture[None])})
    preset = nncf.QuantizationPreset(point["preset"])
    small = nncf.quantize(model, data, preset=preset, subset_size=len(inputs))
    onnx.save(small, work / "compressed.onnx")
    return {"bytes": (work / "compressed.onnx").stat().st_size, "counted": "ONNX file"}


def weights_only(work: Path, point: dict[str, Any]) -> dict[str, Any]:
    """4 or 8 bits for weights, floats for what they meet."""
    four_bits: dict[str, Any] = {
        "mode": nncf.CompressWeightsMode.INT4_SYM,
        "all_layers": True,
        "group_size": -1,
    }
    eight_bits: dict[str, Any] = {"mode": nncf.CompressWeightsMode.INT8_SYM}
    model = openvino.convert_model(str(work / "model.onnx"))
    small = nncf.compress_weights(model, **(four_bits if point["bits"] == 4 else eight_bits))
    np.savez(work / "decoded.npz", **decoded(small, dict(np.load(work / "weights.npz"))))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "model.xml"
        openvino.save_model(small, out)
        size = out.stat().st_size + out.with_suffix(".bin").stat().st_size
    return {"bytes": size, "counted": "OpenVINO .xml and .bin"}


def decoded(model: Any, weights: dict[str, Any]) -> dict[str, Any]:
    """Each layer's weights as OpenVINO decompresses them, by their names in the ONNX file."""
    found: dict[str, Any] = {}
    core = openvino.Core()
    for layer in model.get_ops():
        if layer.get_type_name() in LAYERS:
            source = layer.input_value(1)
            values = core.compile_model(openvino.Model([source], []), "CPU")({})[0]
            values = np.asarray(values, np.float32).reshape(-1)
            name = name_of(source.get_node(), values, weights)
            found[name] = values.reshape(weights[name].shape)
    return found


def name_of(node: Any, values: Any, weights: dict[str, Any]) -> str:
    """The tensor whose decompression ends in `node`: the constant at its beginning.

    Weights of depthwise convolutions are reshaped while OpenVINO reads them, and lose their name:
    they are the tensor of that size that they are nearest to.
    """
    while node.get_type_name() != "Constant":
        node = node.input_value(0).get_node()
    name = str(node.get_friendly_name())
    if name in weights:
        return name
    far = {n: np.abs(w.reshape(-1) - values).sum() / np.abs(w).sum()
           for n, w in weights.items() if w.size == values.size}  # fmt: skip
    nearest = min(far, key=lambda n: far[n], default="")
    if not nearest or far[nearest] > FARTHEST:
        raise ValueError(f"'{name}' is not a tensor of the ONNX file.")
    return nearest


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
