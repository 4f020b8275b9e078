"""coremltools' sensitive k-means (SKMPalettizer): decoded weights, and the .mlpackage of them.

    python core_ml_sensitive.py WORK POINT

WORK holds model.onnx and fit.npy (calibration inputs); decoded.npz and answer.json are written
there. POINT is JSON: {"bits": 4}. The palettizer takes a PyTorch
module, so the network is built anew as one. The loss whose squared gradients are the weights'
sensitivities is cross entropy with the float network's own answers: the photos have no labels.
What it finds is then stored by coremltools' mode "unique", as its guide says of palettized
modules that are converted.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import coremltools
import coremltools.optimize.coreml as optimize
import numpy as np
import onnx
import torch
from core_ml import package_of
from coremltools.optimize.torch.palettization import SKMPalettizer, SKMPalettizerConfig
from onnx import numpy_helper

LAYERS = ("Conv", "Gemm")


class Net(torch.nn.Module):  # type: ignore[misc]
    """The network of an ONNX file, node by node; layers with weights are layer0, layer1..."""

    def __init__(self, model: onnx.ModelProto) -> None:
        super().__init__()
        self.nodes = list(model.graph.node)
        self.constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        self.ends = model.graph.input[0].name, model.graph.output[0].name
        self.layers: dict[str, str] = {}
        for node in self.nodes:
            if node.op_type in LAYERS:
                name = f"layer{len(self.layers)}"
                self.layers[node.output[0]] = name
                self.add_module(name, layer_of(node, self.constants))

    def forward(self, picture: Any) -> Any:
        """Logits of (n, C, H, W) pictures."""
        values = {self.ends[0]: picture}
        for node in self.nodes:
            (out,) = node.output
            layer = getattr(self, self.layers[out]) if out in self.layers else None
            values[out] = stepped(node, layer, values, self.constants)
        return values[self.ends[1]]


def layer_of(node: Any, constants: dict[str, Any]) -> Any:
    """A Conv or Gemm as PyTorch's own module, filled."""
    weight, bias = (torch.tensor(constants[name]) for name in node.input[1:])
    a = attributes_of(node)
    if node.op_type == "Gemm":
        layer: Any = torch.nn.Linear(weight.shape[1], weight.shape[0])
    else:
        groups = a.get("group", 1)
        layer = torch.nn.Conv2d(
            weight.shape[1] * groups,
            weight.shape[0],
            tuple(weight.shape[2:]),
            stride=tuple(a.get("strides", (1, 1))),
            groups=groups,
        )
    layer.weight.data.copy_(weight)
    layer.bias.data.copy_(bias)
    return layer


def stepped(node: Any, layer: Any, values: dict[str, Any], constants: dict[str, Any]) -> Any:
    """One node's output. Raises ValueError for an operator that is not known here."""
    a, x = attributes_of(node), values[node.input[0]]
    top, left, bottom, right = a.get("pads", (0, 0, 0, 0))
    functional = torch.nn.functional
    if node.op_type == "Conv":
        return layer(functional.pad(x, (left, right, top, bottom)))
    if node.op_type == "Gemm":
        return layer(x)
    if node.op_type == "MaxPool":
        x = functional.pad(x, (left, right, top, bottom), value=-float("inf"))
        ceil = bool(a.get("ceil_mode", 0))
        return functional.max_pool2d(x, a["kernel_shape"], a.get("strides", 1), ceil_mode=ceil)
    if node.op_type == "GlobalAveragePool":
        return x.mean((2, 3), keepdim=True)
    if node.op_type == "Flatten":
        return x.flatten(1)
    if node.op_type == "Concat":
        return torch.cat([values[name] for name in node.input], dim=a["axis"])
    if node.op_type == "Clip":
        return x.clamp(float(constants[node.input[1]]), float(constants[node.input[2]]))
    if node.op_type == "Relu":
        return torch.relu(x)
    if node.op_type == "Add":
        return x + values[node.input[1]]
    raise ValueError(f"No way to say '{node.op_type}' in PyTorch is known here.")


def attributes_of(node: Any) -> dict[str, Any]:
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def main(work: Path, point: dict[str, Any]) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = onnx.load(work / "model.onnx")
    net = Net(model).eval()
    inputs = np.load(work / "fit.npy")
    start_s = time.process_time()
    arrays = palettized(net, inputs, point)
    seconds = time.process_time() - start_s
    np.savez(work / "decoded.npz", **arrays)
    answer = {
        "bytes": stored_bytes(model, arrays, point),
        "counted": ".mlpackage",
        "seconds": seconds,
        "version": f"coremltools {coremltools.__version__}, torch {torch.__version__}",
    }
    (work / "answer.json").write_text(json.dumps(answer), encoding="utf-8")


def palettized(net: Net, inputs: Any, point: dict[str, Any]) -> dict[str, Any]:
    """Weights after sensitive k-means, by their names in the ONNX file; biases as half."""
    settings = {"n_bits": point["bits"], "granularity": "per_tensor"}
    config = SKMPalettizerConfig.from_dict({"global_config": settings})
    with torch.no_grad():
        answers = [net(torch.tensor(picture[None])).argmax(1) for picture in inputs]
    data = [(torch.tensor(p[None]), t) for p, t in zip(inputs, answers, strict=True)]
    palettizer = SKMPalettizer(net, config)
    small = palettizer.compress(
        dataloader=data,
        loss_fn=lambda module, pair: torch.nn.functional.cross_entropy(module(pair[0]), pair[1]),
    )
    found: dict[str, Any] = {}
    for node in net.nodes:
        if node.op_type in LAYERS:
            layer = getattr(small, net.layers[node.output[0]])
            for name, values in zip(node.input[1:], (layer.weight, layer.bias), strict=True):
                found[name] = values.detach().numpy().astype(np.float16).astype(np.float32)
    return found


def stored_bytes(model: onnx.ModelProto, arrays: dict[str, Any], point: dict[str, Any]) -> int:
    """Bytes of the package that holds these weights as palettes."""
    for tensor in model.graph.initializer:
        if tensor.name in arrays:
            tensor.CopyFrom(numpy_helper.from_array(arrays[tensor.name], tensor.name))
    package = package_of(model)
    config = optimize.OptimizationConfig(
        global_config=optimize.OpPalettizerConfig(
            mode="custom",
            lut_function=lambda weights: palette_of(weights, point["bits"]),
            weight_threshold=0,
        )
    )
    package = optimize.palettize_weights(package, config)
    with tempfile.TemporaryDirectory() as folder:
        package.save(str(Path(folder) / "model.mlpackage"))
        return sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())


def palette_of(weights: Any, bits: int) -> tuple[Any, Any]:
    """The values that there are, filled up to 2^bits, and each weight's place among them."""
    values, places = np.unique(np.asarray(weights).reshape(-1), return_inverse=True)
    if len(values) > 1 << bits:
        raise ValueError(f"{len(values)} values do not fit into {bits} bits.")
    filled = np.pad(values, (0, (1 << bits) - len(values)), mode="edge")
    return filled.astype(weights.dtype), places.reshape(-1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
