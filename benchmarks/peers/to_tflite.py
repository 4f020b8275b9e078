"""A TFLite file from an ONNX model, by onnx2tf.

    python to_tflite.py WORK POINT

WORK holds model.onnx and fit.npy (calibration inputs); fp32.tflite, int8.tflite (weights and
activations) and answer.json are written there. POINT says nothing.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx2tf
import onnxruntime

FLOAT, INTEGER = "model_float32.tflite", "model_integer_quant.tflite"
SAMPLE = "calibration_image_sample_data_20x128x128x3_float32.npy"
"""onnx2tf wants this file of photos from the network, also where other inputs are given."""


def main(work: Path) -> None:
    source = str(work / "model.onnx")
    name = onnxruntime.InferenceSession(source).get_inputs()[0].name
    # onnx2tf hands the calibration inputs to TensorFlow as they are: channels last.
    inputs = np.load(work / "fit.npy").transpose(0, 2, 3, 1)
    ones = np.ones((1, 1, 1, inputs.shape[-1]), np.float32)
    with tempfile.TemporaryDirectory(dir=work) as place:
        os.chdir(place)
        np.save("fit.npy", inputs)
        np.save(SAMPLE, np.random.default_rng(0).random((20, 128, 128, 3), dtype=np.float32))
        try:
            onnx2tf.convert(
                input_onnx_file_path=source,
                output_folder_path=place,
                non_verbose=True,
                output_integer_quantized_tflite=True,
                quant_type="per-channel",
                custom_input_op_name_np_data_path=[[name, "fit.npy", 0 * ones, ones]],
            )
        finally:  # the float file is there before integers are tried
            for made, wanted in ((FLOAT, "fp32.tflite"), (INTEGER, "int8.tflite")):
                if Path(made).is_file():
                    Path(made).rename(work / wanted)
    answer = {"version": f"onnx2tf {version('onnx2tf')}"}
    (work / "answer.json").write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
