"""coremltools' palettes by k-means: decoded weights, and the .mlpackage that holds them.

    python core_ml.py WORK POINT

WORK holds model.onnx; decoded.npz and answer.json are written there. POINT is JSON:
{"bits": 4} or {"bits": 4, "group": 16} (outputs that share a palette); {"bits": 16} is half
precision alone. coremltools reads no ONNX, so the network is built anew in its own language
(MIL) and palettized as its guide says, tensors below its default threshold of 2,048 weights left
in half precision. Bytes are those of every file in the package.
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
from coremltools.converters.mil import Builder
from onnx import numpy_helper

TARGET = coremltools.target.iOS18


def main(work: Path, point: dict[str, Any]) -> None:
    model = onnx.load(work / "model.onnx")
    package = package_of(model)
    start_s = time.process_time()
    if point["bits"] < 16:
        grouped = {"granularity": "per_grouped_channel", "group_size": point.get("group")}
        package = optimize.palettize_weights(
            package,
            optimize.OptimizationConfig(
                global_config=optimize.OpPalettizerConfig(
                    mode="kmeans", nbits=point["bits"], **(grouped if "group" in point else {})
                )
            ),
        )
    seconds = time.process_time() - start_s
    arrays: dict[str, Any] = decoded(package, model)
    np.savez(work / "decoded.npz", **arrays)
    with tempfile.TemporaryDirectory() as folder:
        package.save(str(Path(folder) / "model.mlpackage"))
        size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
    answer = {
        "bytes": size,
        "counted": ".mlpackage",
        "seconds": seconds,
        "version": f"coremltools {coremltools.__version__}",
    }
    (work / "answer.json").write_text(json.dumps(answer), encoding="utf-8")


def package_of(model: onnx.ModelProto) -> Any:
    """The network as a Core ML package in half precision, not loaded."""
    return coremltools.convert(
        program_of(model),
        convert_to="mlprogram",
        minimum_deployment_target=TARGET,
        compute_precision=coremltools.precision.FLOAT16,
        skip_model_load=True,
    )


def program_of(model: onnx.ModelProto) -> Any:
    """The network in MIL; its layers with weights are called layer0, layer1 and so on."""
    shape = [1, *(axis.dim_value for axis in model.graph.input[0].type.tensor_type.shape.dim[1:])]

    def program(picture: Any) -> Any:
        values = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        values[model.graph.input[0].name] = picture
        layers = 0
        for node in model.graph.node:
            inputs = [values[name] if name else None for name in node.input]
            name = f"layer{layers}" if node.op_type in ("Conv", "Gemm") else None
            layers += name is not None
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            values[node.output[0]] = built(node.op_type, inputs, attributes, name)
        return values[model.graph.output[0].name]

    picture = Builder.TensorSpec(shape=tuple(shape))
    return Builder.program(input_specs=[picture], opset_version=TARGET)(program)


def built(op: str, inputs: list[Any], attributes: dict[str, Any], name: str | None) -> Any:
    """One ONNX node in MIL. Raises ValueError for an operator that is not known here."""
    x = inputs[0]
    if op == "Conv":
        return Builder.conv(
            x=x,
            weight=inputs[1],
            bias=inputs[2],
            strides=attributes.get("strides", [1, 1]),
            dilations=attributes.get("dilations", [1, 1]),
            groups=attributes.get("group", 1),
            name=name,
            **padding(attributes),
        )
    if op == "Gemm" and attributes.get("transB") == 1:
        return Builder.linear(x=x, weight=inputs[1], bias=inputs[2], name=name)
    if op == "MaxPool":
        return Builder.max_pool(
            x=x,
            kernel_sizes=attributes["kernel_shape"],
            strides=attributes.get("strides", [1, 1]),
            ceil_mode=bool(attributes.get("ceil_mode", 0)),
            **padding(attributes),
        )
    if op == "GlobalAveragePool":
        return Builder.reduce_mean(x=x, axes=[2, 3], keep_dims=True)
    if op == "Flatten":
        return Builder.reshape(x=x, shape=[1, -1])
    if op == "Concat":
        return Builder.concat(values=inputs, axis=attributes["axis"])
    if op == "Clip":
        return Builder.clip(x=x, alpha=float(inputs[1]), beta=float(inputs[2]))
    if op == "Relu":
        return Builder.relu(x=x)
    if op == "Add":
        return Builder.add(x=x, y=inputs[1])
    raise ValueError(f"No way to say '{op}' with {sorted(attributes)} in MIL is known here.")


def padding(attributes: dict[str, Any]) -> dict[str, Any]:
    """ONNX's (top, left, bottom, right) in MIL's order."""
    top, left, bottom, right = attributes.get("pads", [0, 0, 0, 0])
    return {"pad_type": "custom", "pad": [top, bottom, left, right]}


def decoded(package: Any, model: onnx.ModelProto) -> dict[str, Any]:
    """Weights and biases as the package holds them, by their names in the ONNX file."""
    nodes = [node for node in model.graph.node if node.op_type in ("Conv", "Gemm")]
    found: dict[str, Any] = {}
    for op in package._mil_program.functions["main"].operations:
        if op.op_type in ("conv", "linear"):
            number = int(op.name.removeprefix("layer").split("_")[0])
            for side, name in zip((op.weight, op.bias), nodes[number].input[1:], strict=True):
                packed = side.op.op_type.startswith("constexpr")
                value = side.op.materialized_val_inference() if packed else side.val
                found[name] = np.asarray(value, np.float32)
    wanted = {name for node in nodes for name in node.input[1:]}
    if set(found) != wanted:
        raise ValueError(f"The package lacks {sorted(wanted - set(found))}.")
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
