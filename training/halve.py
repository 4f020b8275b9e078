"""Store an ONNX file's large weights in half precision: half the bytes, the same graph.

    python training/halve.py model.onnx -o half.onnx

Every float32 initializer of at least 1,024 values becomes float16 with a Cast in front of its use,
which any runtime folds. What is computed stays float32.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FEWEST_VALUES = 1024


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose large float32 initializers are float16 behind a Cast."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    casts = []
    for number, tensor in enumerate(graph.initializer):
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < FEWEST_VALUES:
            continue
        half_name = f"{tensor.name}.half"
        casts.append(helper.make_node("Cast", [half_name], [tensor.name], to=TensorProto.FLOAT))
        graph.initializer[number].CopyFrom(
            numpy_helper.from_array(values.astype(np.float16), half_name)
        )
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(copy)
    return copy


def main() -> None:
    """Read one file, write another."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    options = parser.parse_args()
    if not options.model.is_file():
        sys.exit(f"There is no file '{options.model}'.")
    onnx.save(halved(onnx.load(options.model)), options.out)


if __name__ == "__main__":
    main()
